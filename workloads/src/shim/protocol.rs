//! Protocol of shims: requests and answers, each one line of JSON. `docs/reference/shims.md` is its page.

use histories::Value;
use serde::{Deserialize, Serialize};

use super::ShimProblemKind;
use crate::{
    Action, Answer, Request, Response,
    answers::{present, quoted, transaction, with_value},
};

/// Problem with a shim, with what is known of it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: ShimProblemKind,
    pub(super) what: String,
}

impl Failure {
    pub(super) fn new(kind: ShimProblemKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

#[derive(Serialize)]
struct RequestLine<'a> {
    id: u64,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<&'a str>,
}

/// Returns the line of a request, with its end.
pub(super) fn request_line(id: u64, request: &Request, read_mode: Option<&str>) -> Vec<u8> {
    let line = RequestLine {
        id,
        f: request.f_for_shim(),
        key: request.key_name(),
        value: request.argument(),
        read: read_mode,
    };
    let mut line = serde_json::to_vec(&line).expect("numbers, names and lists are always JSON");
    line.push(b'\n');
    line
}

/// Line of a shim.
#[derive(Deserialize)]
pub(super) struct AnswerLine {
    pub(super) id: Option<u64>,
    #[serde(rename = "type")]
    pub(super) kind: LineKind,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    error: Option<String>,
    revision: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LineKind {
    Ready,
    Ok,
    Fail,
    Info,
}

impl AnswerLine {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(line)
            .map_err(|error| Failure::new(ShimProblemKind::Unreadable, format!("{error}: {}", quoted(line))))
    }

    /// Returns the answer to a request.
    pub(super) fn answer(self, request: &Request) -> Result<Response, Failure> {
        let revision = self.revision;
        let answer = match self.kind {
            LineKind::Ready => {
                return Err(Failure::new(ShimProblemKind::Unreadable, "it was ready instead of answering"));
            }
            LineKind::Ok => {
                let given = self.value.clone();
                self.success(request).map_err(|why| {
                    let value = given.map(|value| format!(", value {}", quoted(value.to_string().as_bytes())));
                    Failure::new(ShimProblemKind::WrongValue, format!("{why}{}", value.unwrap_or_default()))
                })?
            }
            LineKind::Fail => self.refusal(request),
            LineKind::Info => Answer::Unknown(self.error.unwrap_or_else(|| "the shim does not know".to_owned())),
        };
        Ok(Response { answer, revision: revision.filter(|_| request.action.is_of_register()) })
    }

    /// Returns the answer that an `ok` gives, or what it lacks.
    fn success(self, request: &Request) -> Result<Answer, &'static str> {
        match (&request.action, self.value) {
            (Action::Transaction(asked), Some(Value::List(done))) => {
                let done = done.into_iter().map(micro_operation).collect::<Option<_>>();
                transaction(asked, done.ok_or("a micro-operation is no [name, key, value]")?)
            }
            (Action::Transaction(_), Some(_)) => Err("the micro-operations are no list"),
            (action, Some(value)) if action.returns_value() => with_value(action, value),
            (action, None) if action.returns_value() => Err("it is ok, but has no \"value\""),
            // A shim cannot tell whether its tokens are looked at.
            (Action::Acquire, Some(Value::Int(_))) => Ok(Answer::Done),
            (_, value) => {
                let is_echo = value.is_none_or(|value| value == Value::Nil || Some(value) == request.argument());
                if is_echo { Ok(Answer::Done) } else { Err("it is ok, with another value than it was asked for") }
            }
        }
    }

    /// Returns the answer that a `fail` gives. That of a cas carries the value that it found, unless there is an error
    /// or the value only repeats the request. That of a lock says by the lack of an error that another holds it.
    fn refusal(self, request: &Request) -> Answer {
        match (&request.action, self.value, self.error) {
            (Action::Cas { from, .. }, Some(found), None) if found == Value::from(*from) => {
                Answer::NotDone("the shim says that it failed, although it found what was expected".to_owned())
            }
            (Action::Cas { .. }, Some(found), None) if Some(&found) != request.argument().as_ref() => {
                Answer::Mismatch(found)
            }
            (Action::Acquire | Action::AcquireWithToken | Action::Release, _, None) => Answer::Mismatch(Value::Nil),
            (_, _, error) => Answer::NotDone(error.unwrap_or_else(|| "the shim says that it failed".to_owned())),
        }
    }
}

/// Returns the parts of a micro-operation.
fn micro_operation(value: Value) -> Option<(String, String, Value)> {
    let Value::List(parts) = value else { return None };
    let [Value::Str(name), Value::Str(key), value] = <[Value; 3]>::try_from(parts).ok()? else { return None };
    Some((name.into(), key.into(), value))
}

#[cfg(test)]
mod tests;
