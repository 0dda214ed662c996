//! Reader of records, one per operation, as users of porcupine keep them: the request and its time, the response and
//! its time.
//!
//! `{"ClientId":0,"Input":{"op":"put","key":"a","value":"x"},"Call":10,"Output":{},"Return":20}`, in JSON or EDN. Names
//! are compared without case, `_` and `-`; the fields of the input may also stand in the record itself, and the value
//! read in its `value`. Operations at the same time are concurrent, as in porcupine. An operation without a return
//! never ended; an error of an update leaves open whether it happened. An unknown field is rejected by name: it could
//! change the meaning of the request.

use super::{
    event_builder::{Moment, moment},
    intake::Intake,
    lines::Place,
    record_parts::{Part, part, plain},
};
use crate::{Event, EventType, Function, Note, Process, ReadError, Value, similar_name};

/// Role of a field of an input or an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Function,
    Key,
    Value,
    From,
    To,
    /// True or false for a key that exists or does not.
    Found,
    /// True or false for a request that was done or was not.
    Done,
    /// True for an operation with unknown outcome.
    Unknown,
    /// Why it failed; nothing, false or empty if it did not.
    Error,
    /// Word for how it ended.
    Status,
}

/// Meaning of an error or a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    /// There is nothing under the key.
    Absent,
    Failed,
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "op" | "f" | "type" | "operation" | "method" | "kind" | "action" | "command" | "cmd" | "function"
        | "optype" => Role::Function,
        "key" | "k" => Role::Key,
        "value" | "val" | "v" => Role::Value,
        "from" | "old" | "oldvalue" | "expected" | "expect" | "arg1" => Role::From,
        "to" | "new" | "newvalue" | "desired" | "swap" | "arg2" => Role::To,
        "exists" | "found" | "present" => Role::Found,
        "ok" | "success" | "succeeded" | "swapped" => Role::Done,
        "unknown" | "timeout" | "timedout" => Role::Unknown,
        "err" | "error" => Role::Error,
        "status" => Role::Status,
        _ => return None,
    })
}

/// Usual names of the fields of a record, and of an input or output.
const PARTS: [&str; 5] = ["client", "call", "return", "input", "output"];
const ROLES: [&str; 8] = ["op", "key", "value", "from", "to", "ok", "error", "found"];

/// Returns the error for a field that could change the meaning of a record.
fn unknown(name: &str, of: &str, usual: &[&str]) -> String {
    let similar = similar_name(&plain(name), usual.iter().copied());
    let asked = similar.map_or_else(String::new, |name| format!(": did you mean `{name}`?"));
    format!("the field `{name}` of {of} is unknown{asked}")
}

/// Reader of a history of records.
#[derive(Debug, Default)]
pub(super) struct Records {
    taken: u64,
}

/// Record, divided into its parts.
#[derive(Debug, Default)]
struct Record<'a> {
    client: Option<&'a Value>,
    call: Option<Moment>,
    returned: Option<Moment>,
    asked: RecordFields<'a>,
    answered: RecordFields<'a>,
    /// True if fields of the input stand in the record itself.
    is_flat: bool,
}

/// Fields of an input or an output.
#[derive(Debug, Default)]
struct RecordFields<'a> {
    /// The value, if it is not an object with fields.
    bare: Option<&'a Value>,
    parts: Vec<(Role, &'a Value)>,
    /// True if it was given at all.
    is_there: bool,
}

impl<'a> RecordFields<'a> {
    fn get(&self, role: Role) -> Option<&'a Value> {
        self.parts.iter().find(|(found, _)| *found == role).map(|(_, value)| *value)
    }

    fn add(&mut self, role: Role, name: &str, value: &'a Value) -> Result<(), String> {
        if self.get(role).is_some() {
            return Err(format!("{name} repeats another field of the record"));
        }
        self.parts.push((role, value));
        Ok(())
    }
}

impl Records {
    /// Returns a reader if the first operation of a history is a record.
    pub(super) fn of_first(first: &Value) -> Option<Self> {
        let Value::Map(pairs) = first else { return None };
        let names: Vec<String> = pairs.iter().filter_map(|(name, _)| Some(plain(name.name()?))).collect();
        let has = |wanted| names.iter().any(|name| part(name).is_some_and(|(part, _)| part == wanted));
        (has(Part::Call) && (has(Part::Return) || has(Part::Input) || has(Part::Output))).then(Self::default)
    }

    /// Adds the next record, which is written as `text` at this position.
    pub(super) fn take(
        &mut self,
        intake: &mut Intake<'_, '_>,
        place: Place<'_>,
        text: &[u8],
        record: &Value,
    ) -> Result<(), ReadError> {
        let wrong = |why: String| place.malformed(text, 1, why);
        let record = Record::of(record).map_err(wrong)?;
        self.taken += 1;
        let process = match record.client {
            Some(client) if *client != Value::Nil => {
                Process::from_value(client.clone()).map_err(|error| wrong(error.to_string()))?
            }
            _ => {
                intake.note(Note::NoClients);
                Process::Named(Box::new(Value::Str(format!("record {}", self.taken).into())))
            }
        };
        let call = record
            .call
            .ok_or_else(|| wrong("expected the time of the call, as `call`; only the end may be missing".to_owned()))?;
        let (asked, end) = record.events(&process).map_err(wrong)?;
        // An operation that never ended gets the time of its call: it may then take effect at any later time.
        intake.operation(place, text, (asked, call), (end, record.returned.unwrap_or(call)))
    }
}

impl<'a> Record<'a> {
    fn of(value: &'a Value) -> Result<Self, String> {
        let Value::Map(pairs) = value else {
            return Err("expected a record of an operation, as the first one is".to_owned());
        };
        let mut record = Self::default();
        for (key, value) in pairs {
            let name = key.name().ok_or_else(|| format!("the field {key} of a record is not known"))?;
            let known = plain(name);
            match (part(&known), role(&known)) {
                // An `op` may contain the whole input.
                (None, Some(Role::Function)) if matches!(value, Value::Map(_)) => record.asked.read(name, value)?,
                (Some((Part::Client, _)), _) => record.client = Some(value),
                (Some((Part::Input, _)), _) => record.asked.read(name, value)?,
                (Some((Part::Output, _)), _) => record.answered.read(name, value)?,
                (Some((Part::Call, factor)), _) => record.call = scaled(value, factor)?,
                (Some((Part::Return, factor)), _) => record.returned = ended(scaled(value, factor)?),
                (Some((Part::Aside, _)), _) => {}
                (None, Some(role @ (Role::Found | Role::Done | Role::Unknown | Role::Error | Role::Status))) => {
                    record.answered.add(role, name, value)?;
                }
                (None, Some(role)) => {
                    record.asked.add(role, name, value)?;
                    record.is_flat = true;
                }
                (None, None) if *value == Value::Nil => {}
                (None, None) => return Err(unknown(name, "a record", &PARTS)),
            }
        }
        Ok(record)
    }

    /// Returns invocation and completion.
    fn events(&self, process: &Process) -> Result<(Event<'static>, Event<'static>), String> {
        let asked = &self.asked;
        let named = asked
            .get(Role::Function)
            .or(asked.bare)
            .ok_or("expected the name of the operation, as `op`, such as get")?;
        let f = function(named, asked)?;
        let event = |kind| Event {
            key: asked.get(Role::Key).filter(|key| **key != Value::Nil).cloned(),
            ..Event::new(process.clone(), kind, f.clone())
        };
        let known = Function::known(&f);
        let mut begun = event(EventType::Invoke);
        let mut end = event(EventType::Ok);
        match known {
            Some(Function::Read | Function::Delete) => {
                let is_answer = self.is_flat && !self.answered.is_there && known == Some(Function::Read);
                if let Some(value) = asked.get(Role::Value).filter(|value| !is_answer && !is_zero(value)) {
                    return Err(format!("a {f} with the value {value} is not understood"));
                }
            }
            Some(Function::Cas) => {
                let [from, to] = [Role::From, Role::To].map(|role| asked.get(role).cloned());
                let (Some(from), Some(to)) = (from, to.or(asked.get(Role::Value).cloned())) else {
                    return Err("a cas has the value that it expects, as from, and the one that it sets, as \
                    to"
                    .to_owned());
                };
                begun.value = Some(Value::List(vec![from, to]));
            }
            _ => begun.value = asked.get(Role::Value).cloned(),
        }
        if known != Some(Function::Cas) {
            let other = asked.parts.iter().find(|(role, _)| matches!(role, Role::From | Role::To));
            if let Some((_, value)) = other.filter(|(_, value)| !is_zero(value)) {
                return Err(format!("a {f} with the further value {value} is not understood"));
            }
        }
        if self.returned.is_some() {
            self.answer(known, &mut end)?;
        } else {
            end.kind = EventType::Info;
        }
        Ok((begun, end))
    }

    /// Returns the meaning of its error and its status, if it has any.
    fn ending(&self) -> Result<Ending, String> {
        for (role, means) in [(Role::Error, error as fn(&Value) -> _), (Role::Status, status)] {
            match self.answered.get(role).map_or(Ok(Ending::Done), means)? {
                Ending::Done => {}
                ending => return Ok(ending),
            }
        }
        Ok(Ending::Done)
    }

    /// Fills in the completion from the output.
    fn answer(&self, known: Option<Function>, end: &mut Event<'static>) -> Result<(), String> {
        let answered = &self.answered;
        let is_change = !matches!(known, Some(Function::Read));
        let mut value = answered.get(Role::Value).or(answered.bare);
        let is = |role| match answered.get(role) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Bool(found)) => Ok(Some(*found)),
            Some(other) => Err(format!("{other} means neither yes nor no")),
        };
        if is(Role::Unknown)? == Some(true) {
            end.kind = EventType::Info;
            return Ok(());
        }
        let mut is_absent = is(Role::Found)? == Some(false);
        match self.ending()? {
            Ending::Done => {}
            Ending::Absent if !is_change => is_absent = true,
            Ending::Absent | Ending::Failed => {
                end.kind = if is_change { EventType::Info } else { EventType::Fail };
                return Ok(());
            }
        }
        let mut is_done = is(Role::Done)?;
        if let (Some(Function::Cas), None, Some(Value::Bool(done))) = (known, is_done, value) {
            (is_done, value) = (Some(*done), None);
        }
        match (known, is_done) {
            (Some(Function::Cas), Some(false)) => {
                (end.kind, end.mismatch) = (EventType::Fail, true);
            }
            (Some(Function::Cas), None) => return Err("expected the outcome of the cas, as ok".to_owned()),
            (_, Some(false)) => end.kind = if is_change { EventType::Info } else { EventType::Fail },
            (Some(Function::Read), _) if is_absent => end.value = Some(Value::Nil),
            (Some(Function::Read), _) => {
                let flat = self.is_flat && !answered.is_there;
                value = value.or(self.asked.get(Role::Value).filter(|_| flat));
                end.value = Some(value.ok_or("expected the value that was read, in the output")?.clone());
                return Ok(());
            }
            (Some(_), _) => {}
            (None, _) => {
                end.value = value.or(self.asked.get(Role::Value)).cloned();
                return Ok(());
            }
        }
        match value.filter(|value| !is_zero(value) && value.name().map(plain).as_deref() != Some("ok")) {
            Some(Value::Bool(true)) | None => Ok(()),
            Some(value) => Err(format!("a {} with the answer {value} is not understood", end.f)),
        }
    }
}

impl<'a> RecordFields<'a> {
    fn read(&mut self, of: &str, value: &'a Value) -> Result<(), String> {
        self.is_there = true;
        let Value::Map(pairs) = value else {
            self.bare = Some(value);
            return Ok(());
        };
        for (key, value) in pairs {
            let name = key.name().ok_or_else(|| format!("the field {key} in {of} of a record is not known"))?;
            match role(&plain(name)) {
                Some(role) => self.add(role, name, value)?,
                None if *value == Value::Nil => {}
                None => return Err(unknown(name, &format!("{of} in a record"), &ROLES)),
            }
        }
        Ok(())
    }
}

/// Returns the name of the function; numbers are those of porcupine's models.
fn function(named: &Value, asked: &RecordFields<'_>) -> Result<String, String> {
    let pairs = asked.get(Role::From).is_some() || asked.get(Role::To).is_some();
    let name = match named {
        Value::Int(0) => "read".to_owned(),
        Value::Int(1) => "write".to_owned(),
        Value::Int(2) => (if pairs { "cas" } else { "append" }).to_owned(),
        other => plain(other.name().ok_or_else(|| {
            format!("{other} names no operation, such as get, or 0, 1 and 2 for get, put and append")
        })?),
    };
    Ok(match &*name {
        "" => return Err("expected the name of an operation".to_owned()),
        "get" | "r" => "read".to_owned(),
        "put" | "set" | "w" => "write".to_owned(),
        "del" | "remove" if asked.get(Role::Value).is_none_or(is_zero) => "delete".to_owned(),
        "compareandswap" | "compareandset" => "cas".to_owned(),
        _ => name,
    })
}

/// Returns true for a value that an unset field has in languages whose fields always have a value.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Nil | Value::Int(0) | Value::Bool(false) => true,
        Value::Str(text) => text.is_empty(),
        _ => false,
    }
}

/// Returns the meaning of an error. A number may be a code of success, and an empty object what is left of any error.
fn error(error: &Value) -> Result<Ending, String> {
    let Some(text) = error.name().map(plain) else {
        return match error {
            Value::Nil | Value::Bool(false) => Ok(Ending::Done),
            Value::Bool(true) => Ok(Ending::Failed),
            Value::List(all) if !all.is_empty() => Ok(Ending::Failed),
            Value::Map(all) if all.iter().next().is_some() => Ok(Ending::Failed),
            other => Err(format!(
                "the error {other} may or may not mean that the operation failed: write why it failed as text, or null \
                if it did not"
            )),
        };
    };
    Ok(match &*text {
        "" | "ok" | "success" | "none" | "nil" | "<nil>" | "null" => Ending::Done,
        text if says_absent(text) => Ending::Absent,
        _ => Ending::Failed,
    })
}

/// Returns the meaning of a status.
fn status(status: &Value) -> Result<Ending, String> {
    const DONE: [&str; 8] = ["", "ok", "success", "succeeded", "successful", "done", "completed", "committed"];
    const FAILED: [&str; 9] =
        ["err", "fail", "timeout", "timedout", "unknown", "abort", "unavailable", "cancel", "info"];
    match status.name().map(plain) {
        None if *status == Value::Nil => Ok(Ending::Done),
        Some(text) if DONE.contains(&&*text) => Ok(Ending::Done),
        Some(text) if says_absent(&text) => Ok(Ending::Absent),
        Some(text) if FAILED.iter().any(|failed| text.contains(failed)) => Ok(Ending::Failed),
        _ => Err(format!(
            "the status {status} may or may not mean that the operation was done: write ok, or failed, or as error why \
            it failed"
        )),
    }
}

fn says_absent(error: &str) -> bool {
    let letters: String = error.chars().filter(char::is_ascii_alphabetic).collect();
    letters.contains("nokey") || letters.contains("notfound") || letters.contains("nosuchkey")
}

fn scaled(value: &Value, factor: i128) -> Result<Option<Moment>, String> {
    Ok(moment(value)?.map(|moment| match moment {
        Moment::Whole(time) => Moment::Whole(time * factor),
        // With a unit such as milliseconds, `Seconds` holds the number times 10⁹.
        Moment::Seconds(time) if factor > 1 => Moment::Whole(time * factor / 1_000_000_000),
        Moment::Seconds(time) => Moment::Seconds(time),
    }))
}

/// Returns the time of the end; the largest number is what users of porcupine write for an operation that never ended.
fn ended(moment: Option<Moment>) -> Option<Moment> {
    moment.filter(|moment| *moment != Moment::Whole(i64::MAX.into()))
}
