//! HTTP APIs as data: for each operation a request with placeholders, and rules for what its answers mean.

mod client;
mod contradictions;
mod rule;
mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    ptr,
};

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use self::rule::{Outcome, Rule};
pub use self::{
    client::{ApiClient, ApiConnector, Exchange},
    rule::{AppliedRule, Pointer, RevisionPlace, Statuses},
    template::Template,
};
use crate::{Action, Message};

/// Placeholders in requests.
const PLACEHOLDERS: [&str; 6] = ["key", "value", "from", "to", "owner", "read_mode"];

/// HTTP API of a store: those of the operations that it has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Kind of the clients, which is always `http`.
    #[expect(dead_code, reason = "it chose this type")]
    kind: Kind,
    /// Headers of all requests.
    #[serde(default)]
    headers: BTreeMap<String, RequestText>,
    read: Option<Operation>,
    write: Option<Operation>,
    cas: Option<Operation>,
    elements: Option<Operation>,
    add: Option<Operation>,
    enqueue: Option<Operation>,
    dequeue: Option<Operation>,
    peek: Option<Operation>,
    count: Option<Operation>,
    increment: Option<Operation>,
    acquire: Option<Operation>,
    release: Option<Operation>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Http,
}

/// Operation of an API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    request: KeyRequestLine,
    body: Option<RequestText>,
    #[serde(default)]
    headers: BTreeMap<String, RequestText>,
    rules: Vec<Rule>,
}

/// Differences of a read mode from an operation that reads; what is left out is as there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variation {
    request: Option<KeyRequestLine>,
    body: Option<RequestText>,
    headers: Option<BTreeMap<String, RequestText>>,
    rules: Option<Vec<Rule>>,
}

/// Differences of a read mode from an API.
#[derive(Clone, Debug, Default)]
pub struct Variations {
    /// Differences of `read`.
    pub read: Option<Variation>,
    /// Differences of `elements`.
    pub elements: Option<Variation>,
    /// Differences of `peek`.
    pub peek: Option<Variation>,
    /// Differences of `count`.
    pub count: Option<Variation>,
}

/// Text of a request, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct RequestText(Template);

impl TryFrom<String> for RequestText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &PLACEHOLDERS).map(Self)
    }
}

/// Method and path of a request about a key, such as `GET /keys/{key}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct KeyRequestLine {
    method: hyper::Method,
    path: Template,
}

impl TryFrom<String> for KeyRequestLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (method, path) = method_and_path(&text, "GET /keys/{key}")?;
        Ok(Self { method, path: Template::parse(path, &PLACEHOLDERS)? })
    }
}

/// Method and path of a request without placeholders, such as `GET /health`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct RequestLine {
    method: hyper::Method,
    path: String,
}

impl RequestLine {
    /// Returns the request, with this body.
    pub fn with_body(&self, body: Option<String>) -> Message {
        let body = body.map(String::into_bytes);
        Message { method: self.method.clone(), path: self.path.clone(), headers: Vec::new(), body }
    }
}

impl TryFrom<String> for RequestLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (method, path) = method_and_path(&text, "GET /health")?;
        Template::parse(path, &[]).map(|_| Self { method, path: path.to_owned() })
    }
}

fn method_and_path<'a>(text: &'a str, example: &str) -> Result<(hyper::Method, &'a str), String> {
    let wrong = || format!("{text:?} is no method and path, such as {example:?}");
    let (method, path) = text.split_once(' ').filter(|(_, path)| path.starts_with('/')).ok_or_else(wrong)?;
    let is_method = method.bytes().all(|letter| letter.is_ascii_uppercase());
    let method = hyper::Method::from_bytes(method.as_bytes()).ok().filter(|_| is_method).ok_or_else(wrong)?;
    Ok((method, path))
}

impl Api {
    /// Returns the operation of an action, if the API has it.
    fn operation(&self, action: &Action) -> Option<&Operation> {
        match action {
            Action::Read => self.read.as_ref(),
            Action::Write(_) => self.write.as_ref(),
            Action::Cas { .. } => self.cas.as_ref(),
            Action::Elements => self.elements.as_ref(),
            Action::Add(_) => self.add.as_ref(),
            Action::Enqueue(_) => self.enqueue.as_ref(),
            Action::Dequeue => self.dequeue.as_ref(),
            Action::Peek => self.peek.as_ref(),
            Action::Count => self.count.as_ref(),
            Action::Increment(_) => self.increment.as_ref(),
            Action::Acquire => self.acquire.as_ref(),
            Action::AcquireWithToken => self.acquire.as_ref().filter(|acquire| acquire.always_names_value()),
            Action::Release => self.release.as_ref(),
            Action::Send(_)
            | Action::Poll(_)
            | Action::GuardedWrite { .. }
            | Action::Generate
            | Action::Balances
            | Action::Transfer { .. }
            | Action::Insert
            | Action::Rows
            | Action::Transaction(_) => None,
        }
    }

    /// Iterates over the operations that it has, each with its name and an example of it.
    fn operations(&self) -> impl Iterator<Item = (&'static str, Action, &Operation)> {
        [
            ("read", Action::Read),
            ("write", Action::Write(1)),
            ("cas", Action::Cas { from: 1, to: 2 }),
            ("elements", Action::Elements),
            ("add", Action::Add(1)),
            ("enqueue", Action::Enqueue(1)),
            ("dequeue", Action::Dequeue),
            ("peek", Action::Peek),
            ("count", Action::Count),
            ("increment", Action::Increment(1)),
            ("acquire", Action::Acquire),
            ("release", Action::Release),
        ]
        .into_iter()
        .filter_map(|(name, action)| self.operation(&action).map(|operation| (name, action, operation)))
    }

    /// Returns the name of the operation of an action, if the API has it.
    fn name_of(&self, action: &Action) -> Option<&'static str> {
        let meant = self.operation(action)?;
        self.operations().find(|(.., operation)| ptr::eq(*operation, meant)).map(|(name, ..)| name)
    }

    /// Returns true if it has an operation.
    pub fn has(&self, action: &Action) -> bool {
        self.operation(action).is_some()
    }

    /// Returns true if it has a cas.
    pub fn has_cas(&self) -> bool {
        self.cas.is_some()
    }

    /// Returns the names of the workloads whose operations it has.
    pub fn workloads(&self) -> Vec<&'static str> {
        let has = |actions: &[Action]| actions.iter().all(|action| self.has(action));
        let known = [
            ("register", has(&[Action::Read, Action::Write(1)])),
            ("set", has(&[Action::Elements, Action::Add(1)])),
            ("set-full", has(&[Action::Elements, Action::Add(1)])),
            ("queue", has(&[Action::Enqueue(1), Action::Dequeue, Action::Peek])),
            ("cas", has(&[Action::Read, Action::Write(1), Action::Cas { from: 1, to: 2 }])),
            ("causal", has(&[Action::Read, Action::Write(1)])),
            ("counter", has(&[Action::Count, Action::Increment(1)])),
            ("pn-counter", has(&[Action::Count, Action::Increment(1)])),
            ("lock", has(&[Action::Acquire, Action::Release])),
            ("fenced-lock", has(&[Action::AcquireWithToken, Action::Release])),
        ];
        known.into_iter().filter(|(_, has_all)| *has_all).map(|(name, _)| name).collect()
    }

    /// Returns the API with the differences of a read mode.
    ///
    /// # Errors
    /// Fails if they are those of an operation that the API has not.
    pub fn vary(mut self, by: &Variations) -> Result<Self, String> {
        for (name, operation, variation) in [
            ("read", &mut self.read, &by.read),
            ("elements", &mut self.elements, &by.elements),
            ("peek", &mut self.peek, &by.peek),
            ("count", &mut self.count, &by.count),
        ] {
            let Some(variation) = variation else { continue };
            let operation = operation.as_mut().ok_or_else(|| format!("there is no `client.{name}` to differ from"))?;
            let Variation { request, body, headers, rules } = variation.clone();
            operation.request = request.unwrap_or_else(|| operation.request.clone());
            operation.body = body.or_else(|| operation.body.take());
            operation.headers = headers.unwrap_or_else(|| operation.headers.clone());
            operation.rules = rules.unwrap_or_else(|| operation.rules.clone());
        }
        Ok(self)
    }

    /// Checks that each operation can be carried out and understood.
    ///
    /// # Errors
    /// Names the first operation that cannot be, and why.
    pub fn check(&self) -> Result<(), String> {
        if self.workloads().is_empty() {
            let sets = "`read` and `write` for registers, `elements` and `add` for sets, `enqueue`, `dequeue` and \
                        `peek` for queues, `count` and `increment` for counters, `acquire` and `release` for locks";
            return Err(format!("`client` has the operations of no workload: it needs {sets}"));
        }
        let mut common = self.headers.values().flat_map(|text| text.0.names());
        if let Some(wrong) = common.find(|name| !["key", "read_mode"].contains(name)) {
            return Err(format!("`client.headers` has no placeholder {{{wrong}}}; it has: {{key}}, {{read_mode}}"));
        }
        check_headers(&self.headers).map_err(|why| format!("`client`: {why}"))?;
        for (name, action, operation) in self.operations() {
            operation.check(&action).map_err(|why| format!("`client.{name}`: {why}"))?;
        }
        Ok(())
    }

    /// Returns the rules that none of these answers met, by operation and number, though something is to be tried of
    /// them: conditions beyond the status, or that an operation took effect. A sentence for each operation.
    pub fn untried(&self, met: &BTreeSet<(&'static str, usize)>) -> Vec<String> {
        let unmet = |(name, _, operation): (&'static str, Action, &Operation)| {
            let is_telling = |rule: &Rule| !rule.is_vague() || matches!(rule.outcome, Outcome::Ok | Outcome::Mismatch);
            let unmet = (1..).zip(&operation.rules).filter(|(number, _)| !met.contains(&(name, *number)));
            let unmet: Vec<_> = unmet.filter(|(_, rule)| is_telling(rule)).map(|(it, _)| it.to_string()).collect();
            let rules = if unmet.len() == 1 { "it: rule" } else { "them: rules" };
            (!unmet.is_empty())
                .then(|| format!("untried, as no answer met {rules} {} of `client.{name}`", unmet.join(", ")))
        };
        self.operations().filter_map(unmet).collect()
    }

    /// Returns what is probably wrong with the rules, a sentence each.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for (name, action, operation) in self.operations() {
            for (number, rule) in (1..).zip(&operation.rules) {
                doubts.extend(rule_doubt(&action, rule).map(|why| format!("rule {number} of `client.{name}` {why}")));
            }
        }
        doubts
    }
}

/// Returns what is probably wrong with a rule. A server that gave up waiting may still carry out what it was asked.
fn rule_doubt(action: &Action, rule: &Rule) -> Option<&'static str> {
    let may_be = |status| rule.status.as_ref().is_none_or(|statuses| statuses.contains(status));
    let is_vague = rule.is_vague();
    match rule.outcome {
        Outcome::Fail if !action.is_read() && is_vague && [408, 500, 502, 503, 504].into_iter().any(may_be) => Some(
            "calls a time-out or an error of the server a `fail`, but the change may still happen; say `info`, or \
             name by `where`, `contains` or `matches` what is certain",
        ),
        Outcome::Ok if is_vague && rule.status.is_none() => {
            Some("calls every answer `ok`, errors too; give it a `status`")
        }
        _ => None,
    }
}

/// Checks that headers can be sent.
fn check_headers(headers: &BTreeMap<String, RequestText>) -> Result<(), String> {
    for (name, text) in headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(format!("{name:?} is no name of a header: letters, digits and hyphens, such as Content-Type"));
        }
        if HeaderValue::from_str(&text.0.fill(|_| String::new())).is_err() {
            return Err(format!("the header {name:?} has a character that no header can have, such as a line break"));
        }
    }
    Ok(())
}

impl Operation {
    /// Returns true if every answer by which it took effect has a value, such as the token of a lock.
    fn always_names_value(&self) -> bool {
        self.rules.iter().filter(|rule| rule.outcome == Outcome::Ok).all(Rule::names_value)
    }

    fn check(&self, action: &Action) -> Result<(), String> {
        let allowed: &[&str] = match action {
            Action::Write(_) | Action::Add(_) | Action::Enqueue(_) | Action::Increment(_) => {
                &["key", "value", "read_mode"]
            }
            Action::Acquire | Action::AcquireWithToken | Action::Release => &["key", "owner", "read_mode"],
            Action::Cas { .. } => &["key", "from", "to", "read_mode"],
            _ => &["key", "read_mode"],
        };
        check_headers(&self.headers)?;
        let texts = self.headers.values().chain(&self.body).map(|text| &text.0).chain([&self.request.path]);
        if let Some(wrong) = texts.flat_map(Template::names).find(|name| !allowed.contains(name)) {
            let known: Vec<String> = allowed.iter().map(|name| format!("{{{name}}}")).collect();
            return Err(format!("it has no placeholder {{{wrong}}}; it has: {}", known.join(", ")));
        }
        if !self.rules.iter().any(|rule| rule.outcome == Outcome::Ok) {
            return Err("it needs at least one rule with the outcome `ok`".to_owned());
        }
        contradictions::check(&self.rules, action)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn api(operations: Json) -> Api {
        let mut all = operations;
        all["kind"] = "http".into();
        serde_json::from_value(all).unwrap()
    }

    fn read() -> Json {
        json!({"request": "GET /{key}", "rules": [{"status": 200, "outcome": "ok", "value": ""}]})
    }

    fn write(rules: &Json) -> Json {
        json!({"request": "PUT /{key}", "body": "{value}", "rules": rules})
    }

    #[test]
    fn workloads_follow_from_the_operations() {
        let written = write(&json!([{"status": 200, "outcome": "ok"}]));
        assert_eq!(api(json!({"read": read(), "write": written})).workloads(), ["register", "causal"]);
        assert_eq!(api(json!({"elements": read(), "add": written})).workloads(), ["set", "set-full"]);
        assert_eq!(api(json!({"enqueue": written, "dequeue": read(), "peek": read()})).workloads(), ["queue"]);
        let locks = api(json!({"count": read(), "increment": written, "acquire": written, "release": written}));
        assert_eq!(locks.workloads(), ["counter", "pn-counter", "lock"], "whoever acquires gets no token");
        assert_eq!(api(json!({"acquire": read(), "release": written})).workloads(), ["lock", "fenced-lock"]);
        assert!(!api(json!({"read": read()})).has_cas());
        let refused = api(json!({"read": read()})).check().unwrap_err();
        assert!(refused.contains("`read` and `write` for registers"), "{refused}");
    }

    #[test]
    fn an_operation_that_cannot_be_understood_is_refused_by_name() {
        let done = json!([{"status": 200, "outcome": "ok"}]);
        let with = |name: &str, operation: Json| {
            let mut all = json!({"read": read(), "write": write(&done)});
            all[name] = operation;
            api(all).check()
        };
        assert_eq!(with("read", read()), Ok(()));
        for (name, operation, why) in [
            ("write", write(&json!([])), "`client.write`: it needs at least one rule with the outcome `ok`"),
            ("read", json!({"request": "GET /{key}", "rules": done}), "rule 1 says `ok` without a `value`"),
            ("read", json!({"request": "GET /{value}", "rules": done}), "no placeholder {value}; it has: {key}"),
            (
                "write",
                write(&json!([{"outcome": "mismatch"}, {"outcome": "ok"}])),
                "which only cas, acquire and release can",
            ),
            (
                "read",
                json!({"request": "GET /{key}", "rules": [{"outcome": "ok", "value": "", "matches": "(?<value>.)"}]}),
                "finds the value by `value` and by a group of `matches`",
            ),
            (
                "add",
                write(&json!([{"outcome": "ok", "revision": "/r"}])),
                "names a `revision`, which only registers have",
            ),
        ] {
            let refused = with(name, operation).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let wrong: Result<KeyRequestLine, _> = "get /x".to_owned().try_into();
        assert!(wrong.unwrap_err().contains("such as \"GET /keys/{key}\""));
        let wrong: Result<RequestLine, _> = "health".to_owned().try_into();
        assert!(wrong.unwrap_err().contains("such as \"GET /health\""));
    }

    #[test]
    fn a_write_whose_errors_are_called_failures_is_doubted() {
        let doubts = |rules: Json| api(json!({"read": read(), "write": write(&rules)})).doubts();
        let ok = json!({"status": 200, "outcome": "ok"});
        for rule in [json!({"outcome": "fail"}), json!({"status": "5xx", "outcome": "fail"})] {
            let doubts = doubts(json!([ok, rule]));
            assert!(doubts.len() == 1 && doubts[0].starts_with("rule 2 of `client.write` calls"), "{doubts:?}");
        }
        for rule in [
            json!({"status": 409, "outcome": "fail"}),
            json!({"status": 500, "contains": "read-only", "outcome": "fail"}),
            json!({"status": "5xx", "outcome": "info"}),
        ] {
            assert_eq!(doubts(json!([ok, rule])), Vec::<String>::new());
        }
        assert!(doubts(json!([{"outcome": "ok"}]))[0].contains("errors too"));
    }

    #[test]
    fn rules_that_no_answer_met_are_named_unless_only_an_error_would_meet_them() {
        let rules = json!([
            {"status": 200, "where": {"/done": true}, "outcome": "ok"},
            {"status": 200, "contains": "busy", "outcome": "fail"},
            {"status": "5xx", "outcome": "info"},
        ]);
        let api = api(json!({"read": read(), "write": write(&rules)}));
        let untried = |met: &[(&'static str, usize)]| api.untried(&met.iter().copied().collect());
        assert_eq!(untried(&[("read", 1), ("write", 1), ("write", 2)]), Vec::<String>::new());
        assert_eq!(untried(&[("read", 1), ("write", 1)]), ["untried, as no answer met it: rule 2 of `client.write`"]);
        assert_eq!(untried(&[("read", 1)]), ["untried, as no answer met them: rules 1, 2 of `client.write`"]);
    }

    #[test]
    fn a_read_mode_changes_only_what_it_names() {
        let written = write(&json!([{"status": 200, "outcome": "ok"}]));
        let variation = serde_json::from_value(json!({"request": "POST /near/{key}", "body": "{}"})).unwrap();
        let varied = api(json!({"read": read(), "write": written}))
            .vary(&Variations { read: Some(variation), ..Variations::default() })
            .unwrap();
        let read = varied.read.unwrap();
        assert_eq!((read.request.method.as_str(), read.rules.len()), ("POST", 1));
        assert!(read.body.is_some() && varied.write.unwrap().request.method == "PUT");
    }
}
