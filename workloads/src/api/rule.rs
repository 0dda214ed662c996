//! Rules that turn the answer of a server, its status and its body, into the outcome of an operation.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use histories::Value;
use regex::Regex;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::Value as Json;

use crate::{
    Action, Answer, Response,
    answers::{quoted, with_value},
};

/// Rule about answers: conditions, all of which must hold, and what an answer like that means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Status; any, if none is given.
    #[serde(default)]
    pub(super) status: Option<Statuses>,
    /// Values that must be at these places of the body.
    #[serde(default, rename = "where")]
    pub(super) equal: BTreeMap<Pointer, Json>,
    /// Places of the body at which there must be nothing.
    #[serde(default)]
    pub(super) absent: Vec<Pointer>,
    /// Text that must be in the body.
    #[serde(default)]
    pub(super) contains: Option<String>,
    /// Pattern that must be in the body, whose group `value` is the value.
    #[serde(default)]
    pub(super) matches: Option<Pattern>,
    /// Meaning of the answer.
    pub(super) outcome: Outcome,
    /// Place of the value; the whole body, if it is empty.
    #[serde(default)]
    pub(super) value: Option<Pointer>,
    /// Place of the value within each element, if the value is a list.
    #[serde(default)]
    pub(super) each: Option<Pointer>,
    /// True if nothing at the place of the value means that there is none.
    #[serde(default)]
    pub(super) or_nil: bool,
    /// Place of the number that the store itself gave to a register's value.
    #[serde(default)]
    pub(super) revision: Option<Pointer>,
    /// Steps by which the value, or each element of a list, is decoded.
    #[serde(default)]
    pub(super) decode: Vec<Decoding>,
}

/// Meaning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The operation took effect.
    Ok,
    /// A cas found another value, and changed nothing.
    Mismatch,
    /// The operation did not take effect, and never will.
    Fail,
    /// Nobody can say.
    Info,
}

/// Step of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decoding {
    /// From base64 to text.
    Base64,
    /// From text to an integer.
    Integer,
}

/// Regular expression.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Name of the group that is the value.
    const GROUP: &str = "value";

    /// Returns true if it has a group that is the value.
    pub(super) fn has_value(&self) -> bool {
        self.0.capture_names().flatten().any(|name| name == Self::GROUP)
    }

    /// Returns the value in a text; none if nothing is in its place.
    fn value_in(&self, text: &str) -> Option<Json> {
        Some(self.0.captures(text)?.name(Self::GROUP)?.as_str().into())
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty regular expression is found in every text".to_owned());
        }
        Regex::new(&text).map(Self).map_err(|error| error.to_string())
    }
}

/// JSON pointer (RFC 6901): empty, or `/` and names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl Pointer {
    /// Returns what is at this place of a document.
    pub fn find<'a>(&self, document: &'a Json) -> Option<&'a Json> {
        document.pointer(&self.0)
    }

    /// Returns true if it names the whole document.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the other place is this one, or within it.
    pub(super) fn encloses(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_escaped = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if (text.is_empty() || text.starts_with('/')) && is_escaped {
            return Ok(Self(text));
        }
        if !is_escaped {
            return Err(format!("{text:?} is no JSON pointer: a `~` in a name is written as `~0`, a `/` as `~1`"));
        }
        Err(format!("{text:?} is no JSON pointer; it begins with `/`, such as \"/value\", or is empty for all"))
    }
}

/// Statuses of HTTP: `200`, `"5xx"`, or a list of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Returns true if the status is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// Returns true if all of the others are among them.
    fn cover(&self, others: &Self) -> bool {
        others.0.iter().cloned().flatten().all(|status| self.contains(status))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StatusesVisitor)
    }
}

struct StatusesVisitor;

impl<'de> Visitor<'de> for StatusesVisitor {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status such as 200 or \"5xx\", or a list of them")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Statuses, E> {
        match u16::try_from(number) {
            Ok(status @ 100..=599) => Ok(Statuses(vec![status..=status])),
            _ => Err(E::custom(format!("a status is from 100 to 599, not {number}"))),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Statuses, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Statuses, E> {
        match text.strip_suffix("xx").map(str::parse::<u16>) {
            Some(Ok(hundred @ 1..=5)) => Ok(Statuses(vec![hundred * 100..=hundred * 100 + 99])),
            _ => Err(E::custom(format!("there are statuses such as 200 or \"5xx\", not {text:?}"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
        let mut all = Vec::new();
        while let Some(Statuses(some)) = list.next_element()? {
            all.extend(some);
        }
        if all.is_empty() { Err(A::Error::custom("a list of statuses has at least one")) } else { Ok(Statuses(all)) }
    }
}

/// Returns what the first rule that applies says of an answer. Whatever no rule names has an unknown outcome, and so
/// has an answer that lacks the value that its rule wants.
pub(super) fn understand(rules: &[Rule], action: &Action, status: u16, text: &[u8]) -> Response {
    understand_by(rules, action, status, text).0
}

/// Rule that decided what an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRule {
    /// Its number, from 1 on.
    pub number: usize,
    /// Place of the revision, if it names one and the answer says anything.
    pub revision: Option<RevisionPlace>,
}

/// Place from which the rule for an answer takes a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionPlace {
    /// The JSON pointer.
    pub pointer: String,
    /// True if the answer has a revision there.
    pub is_found: bool,
}

/// Returns what [`understand`] does, and the rule that says it.
pub(super) fn understand_by(
    rules: &[Rule],
    action: &Action,
    status: u16,
    text: &[u8],
) -> (Response, Option<AppliedRule>) {
    let text = String::from_utf8_lossy(text);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| Json::String(text.clone().into_owned()));
    let said = format!("status {status}: {}", quoted(text.as_bytes()));
    let applies = |(_, rule): &(usize, &Rule)| rule.applies(status, &text, &body);
    let Some((number, rule)) = (1..).zip(rules).find(applies) else {
        return (Answer::Unknown(format!("no rule names {said}")).into(), None);
    };
    let answer = match rule.outcome {
        Outcome::Fail => Answer::NotDone(said),
        Outcome::Info => Answer::Unknown(said),
        Outcome::Mismatch if action.is_of_lock() => Answer::Mismatch(Value::Nil),
        Outcome::Mismatch if !rule.names_value() => Answer::NotDone(said),
        Outcome::Ok if !action.returns_value() => Answer::Done,
        Outcome::Ok | Outcome::Mismatch => match rule.value_in(&text, &body) {
            Ok(value) if rule.outcome == Outcome::Mismatch => Answer::Mismatch(value),
            Ok(value) => with_value(action, value).unwrap_or_else(|why| Answer::Unknown(format!("{why}, {said}"))),
            Err(why) => Answer::Unknown(format!("{why}, {said}")),
        },
    };
    if matches!(answer, Answer::Unknown(_)) {
        return (answer.into(), Some(AppliedRule { number, revision: None }));
    }
    let revision = rule.revision_in(&body);
    let place = rule
        .revision
        .as_ref()
        .map(|pointer| RevisionPlace { pointer: pointer.to_string(), is_found: revision.is_some() });
    (Response { answer, revision }, Some(AppliedRule { number, revision: place }))
}

impl Rule {
    fn applies(&self, status: u16, text: &str, body: &Json) -> bool {
        self.status.as_ref().is_none_or(|statuses| statuses.contains(status))
            && self.equal.iter().all(|(place, wanted)| place.find(body) == Some(wanted))
            && self.absent.iter().all(|place| place.find(body).is_none())
            && self.contains.as_ref().is_none_or(|wanted| text.contains(wanted))
            && self.matches.as_ref().is_none_or(|pattern| pattern.0.is_match(text))
    }

    /// Returns true if each answer that the other applies to, this one applies to as well.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let Self { status, equal, absent, contains, matches, .. } = self;
        status.as_ref().is_none_or(|mine| other.status.as_ref().is_some_and(|theirs| mine.cover(theirs)))
            && equal.iter().all(|(place, wanted)| other.equal.get(place) == Some(wanted))
            && absent.iter().all(|place| other.absent.contains(place))
            && contains.as_ref().is_none_or(|mine| other.contains.as_ref().is_some_and(|text| text.contains(mine)))
            && matches
                .as_ref()
                .is_none_or(|mine| other.matches.as_ref().is_some_and(|theirs| mine.0.as_str() == theirs.0.as_str()))
    }

    /// Returns true if every answer with its status meets it.
    pub(super) fn is_vague(&self) -> bool {
        self.equal.is_empty() && self.absent.is_empty() && self.contains.is_none() && self.matches.is_none()
    }

    /// Returns true if it says where the value is.
    pub(super) fn names_value(&self) -> bool {
        self.value.is_some() || self.matches.as_ref().is_some_and(Pattern::has_value)
    }

    /// Returns the revision, which is a whole number or the text of one; none if there is no such number.
    fn revision_in(&self, body: &Json) -> Option<u64> {
        match self.revision.as_ref()?.find(body)? {
            Json::String(text) => text.parse().ok(),
            other => other.as_u64(),
        }
    }

    fn value_in(&self, text: &str, body: &Json) -> Result<Value, String> {
        let (found, place) = match (&self.value, &self.matches) {
            (Some(place), _) => (place.find(body).cloned(), format!("{:?}", place.0)),
            (None, Some(pattern)) => (pattern.value_in(text), "the group `value`".to_owned()),
            (None, None) => return Err("the rule names no `value`".to_owned()),
        };
        let Some(found) = found else {
            return if self.or_nil { Ok(Value::Nil) } else { Err(format!("it has nothing at {place}")) };
        };
        let Json::Array(elements) = found else { return decode(found, &self.decode) };
        let element = |element: &Json| {
            let within = self.each.as_ref().map_or(Some(element), |each| each.find(element));
            decode(within.ok_or("an element of the list lacks what `each` names")?.clone(), &self.decode)
        };
        elements.iter().map(element).collect::<Result<_, _>>().map(Value::List)
    }
}

fn decode(mut value: Json, steps: &[Decoding]) -> Result<Value, String> {
    for step in steps {
        value = match (step, &value) {
            (_, Json::Null) => Json::Null,
            (Decoding::Base64, Json::String(text)) => {
                let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("{text:?} is no base64: {error}"))?;
                Json::String(String::from_utf8_lossy(&bytes).into_owned())
            }
            (Decoding::Integer, Json::String(text)) => {
                text.trim().parse::<i64>().map_err(|_| format!("{text:?} is no integer"))?.into()
            }
            (Decoding::Integer, Json::Number(number)) if number.is_i64() => value,
            (step, other) => return Err(format!("{other} cannot be decoded by {step:?}").to_lowercase()),
        };
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WRITE: Action = Action::Write(5);
    const CAS: Action = Action::Cas { from: 4, to: 5 };

    fn understood(rules: Json, action: &Action, status: u16, body: &str) -> Answer {
        let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
        understand(&rules, action, status, body.as_bytes()).answer
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let rules = json!([
            {"status": 200, "where": {"/swapped": true}, "outcome": "ok"},
            {"status": 200, "absent": ["/swapped"], "value": "/found", "decode": ["integer"], "outcome": "mismatch"},
            {"status": [409, "3xx"], "outcome": "mismatch"},
            {"status": "4xx", "outcome": "fail"},
            {"contains": "timed out", "outcome": "info"},
        ]);
        let answer = |status, body| understood(rules.clone(), &CAS, status, body);
        assert_eq!(answer(200, r#"{"swapped":true}"#), Answer::Done);
        assert_eq!(answer(200, r#"{"found":"7"}"#), Answer::Mismatch(7.into()));
        assert_eq!(answer(409, ""), Answer::NotDone("status 409: \"\"".to_owned()));
        assert_eq!(answer(404, ""), Answer::NotDone("status 404: \"\"".to_owned()));
        assert_eq!(answer(500, "timed out"), Answer::Unknown("status 500: \"timed out\"".to_owned()));
        assert_eq!(answer(503, "later"), Answer::Unknown("no rule names status 503: \"later\"".to_owned()));
    }

    #[test]
    fn values_are_found_and_decoded() {
        let read = |rule: Json, body| understood(json!([rule]), &Action::Read, 200, body);
        let value = |value: Value| Answer::Value(value);
        let at = json!({"outcome": "ok", "value": "/kvs/0/value", "or_nil": true, "decode": ["base64", "integer"]});
        assert_eq!(read(at.clone(), r#"{"kvs":[{"value":"MTc="}]}"#), value(17.into()));
        assert_eq!(read(at, "{}"), value(Value::Nil));
        let body = json!({"outcome": "ok", "value": ""});
        assert_eq!(read(body.clone(), "17"), value(17.into()));
        assert_eq!(read(body.clone(), "null"), value(Value::Nil));
        assert_eq!(read(body, "a word"), value("a word".into()));
        let each = json!([{"outcome": "ok", "value": "/kvs", "or_nil": true, "each": "/v", "decode": ["integer"]}]);
        let elements = |body| understood(each.clone(), &Action::Elements, 200, body);
        assert_eq!(elements(r#"{"kvs":[{"v":"1"},{"v":2}]}"#), value(Value::List(vec![1.into(), 2.into()])));
        assert_eq!(elements("{}"), value(Value::List(Vec::new())));
    }

    #[test]
    fn counters_begin_at_zero_and_a_lock_that_another_holds_is_a_mismatch() {
        let count = json!([{"outcome": "ok", "value": "/n", "or_nil": true, "decode": ["integer"]}]);
        assert_eq!(understood(count.clone(), &Action::Count, 200, r#"{"n":"5"}"#), Answer::Value(5.into()));
        assert_eq!(understood(count, &Action::Count, 200, "{}"), Answer::Value(0.into()));
        let acquire = json!([{"status": 200, "outcome": "ok", "value": "/revision"}, {"outcome": "mismatch"}]);
        let answer = |action, status| understood(acquire.clone(), &action, status, r#"{"revision":7}"#);
        assert_eq!(answer(Action::Acquire, 200), Answer::Done);
        assert_eq!(answer(Action::AcquireWithToken, 200), Answer::Value(7.into()));
        assert_eq!(answer(Action::AcquireWithToken, 409), Answer::Mismatch(Value::Nil));
    }

    #[test]
    fn a_pattern_is_a_condition_and_finds_a_value_in_text() {
        let rules = json!([
            {"matches": "(?m)^VALUE k3 = (?<value>-?\\d+)?$", "or_nil": true, "decode": ["integer"], "outcome": "ok"},
            {"matches": "^ERR (read-only|no leader)", "outcome": "fail"},
        ]);
        let answer = |body| understood(rules.clone(), &Action::Read, 200, body);
        assert_eq!(answer("OK\nVALUE k3 = -17\n"), Answer::Value((-17).into()));
        assert_eq!(answer("VALUE k3 = "), Answer::Value(Value::Nil));
        assert!(matches!(answer("ERR no leader"), Answer::NotDone(_)));
        assert!(matches!(answer("ERR timeout"), Answer::Unknown(_)));
        let wrong = serde_json::from_value::<Rule>(json!({"matches": "(", "outcome": "ok"})).unwrap_err().to_string();
        assert!(wrong.contains("unclosed group"), "{wrong}");
    }

    #[test]
    fn revisions_are_numbers_or_their_texts() {
        let rule = json!([{"outcome": "ok", "value": "/v", "or_nil": true, "revision": "/header/revision"}]);
        let rules: Vec<Rule> = serde_json::from_value(rule).unwrap();
        let revision = |body: &str| understand(&rules, &Action::Read, 200, body.as_bytes()).revision;
        assert_eq!(revision(r#"{"v":1,"header":{"revision":"812"}}"#), Some(812));
        assert_eq!(revision(r#"{"v":1,"header":{"revision":7}}"#), Some(7));
        for none in ["{}", r#"{"header":{"revision":-7}}"#, r#"{"header":{"revision":"new"}}"#] {
            assert_eq!(revision(none), None, "{none}");
        }
    }

    #[test]
    fn an_answer_that_lacks_what_its_rule_wants_is_unknown() {
        for (rule, body, why) in [
            (json!({"outcome": "ok", "value": "/value"}), "{}", "it has nothing at \"/value\""),
            (json!({"outcome": "ok"}), "5", "the rule names no `value`"),
            (json!({"outcome": "ok", "value": "", "decode": ["integer"]}), "abc", "\"abc\" is no integer"),
            (json!({"outcome": "ok", "value": "", "decode": ["base64"]}), "\"?\"", "is no base64"),
            (json!({"outcome": "ok", "value": "", "decode": ["base64"]}), "[true]", "true cannot be decoded by base64"),
        ] {
            let answer = understood(json!([rule]), &Action::Read, 200, body);
            assert!(matches!(&answer, Answer::Unknown(said) if said.contains(why)), "{answer:?}");
        }
        assert_eq!(understood(json!([{"outcome": "ok"}]), &WRITE, 200, ""), Answer::Done);
    }

    #[test]
    fn wrong_rules_are_refused_with_what_is_allowed() {
        for (rule, why) in [
            (json!({"outcome": "maybe"}), "expected one of `ok`, `mismatch`, `fail`, `info`"),
            (json!({"outcome": "ok", "value": "kvs"}), "begins with `/`"),
            (json!({"outcome": "ok", "status": 7}), "from 100 to 599"),
            (json!({"outcome": "ok", "status": "6xx"}), "such as 200 or \"5xx\""),
            (json!({"outcome": "ok", "status": []}), "at least one"),
            (json!({"outcome": "ok", "sttus": 200}), "unknown field `sttus`, expected one of `status`, `where`"),
        ] {
            let said = serde_json::from_value::<Rule>(rule).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}
