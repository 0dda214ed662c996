//! Events, the lines of a history: invocations and completions of client operations, and the faults of the nemesis.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Process, Value};

/// Kind of an event: an invocation, or one of three completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// Invocation: the request is about to be sent.
    Invoke,
    /// The operation took effect between its invocation and this completion.
    Ok,
    /// The operation did not take effect and never will.
    Fail,
    /// The outcome is unknown: the operation may take effect at any time after its invocation, or never.
    Info,
}

/// Event of a history, with Jepsen's field names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Position in the total order of events; strictly increasing. Where a file gives none, the order of its lines
    /// counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Nanoseconds of the monotonic clock since the run began; never decreasing. 0 where a file gives none.
    #[serde(default)]
    pub time: u64,
    /// The process that acts.
    pub process: Process,
    /// Kind of the event.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Name of the function: `read`, `write`, `cas`, the name of a fault, …
    #[serde(borrow)]
    pub f: Cow<'a, str>,
    /// The object, in a history of several independent ones. `null` means that there is no key, and that the value
    /// contains none either.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// The value written (`write`), the expected and the new value (`cas`: `[from, to]`), or the value returned
    /// (`read`, on completion). `null` means "absent", which differs from having no value: a read that completed `ok`
    /// must have one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The value that a mismatched `cas` found, on its `fail`: it is then as good as a read. `null` means "absent".
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    /// True on the `fail` of a `cas` that found another value than it expected, even if the value itself was not
    /// recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mismatch: bool,
    /// True if the generator calls the operation one of its last, after everything has settled, as Maelstrom does:
    /// `:final? true`.
    #[serde(default, rename = "final?", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// The node to which the request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// The revision that the store reported with its answer, on a completion, if it reports any; at most
    /// [`crate::MAX_REVISION`]. Supporting evidence only: no verdict rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The position that the store gave to the operation, on a completion, as in Jepsen's test of causal consistency.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
    /// The position of the operation on the same key after which this one came, on a completion; `init` for none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub link: Option<Value>,
    /// Reason why the operation failed, or why its outcome is unknown.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    /// Creates an event without index, time, key, value, node, revision, position, link or error.
    pub fn new(process: Process, kind: EventType, f: impl Into<Cow<'a, str>>) -> Self {
        let f = f.into();
        Self {
            index: None,
            time: 0,
            process,
            kind,
            f,
            key: None,
            value: None,
            observed: None,
            mismatch: false,
            is_final: false,
            node: None,
            revision: None,
            position: None,
            link: None,
            error: None,
        }
    }

    /// Returns the same event with owned data.
    pub fn into_owned(self) -> Event<'static> {
        Event { f: self.f.into_owned().into(), error: self.error.map(|why| why.into_owned().into()), ..self }
    }
}

/// Deserializes a field that is present, so that `null` differs from a missing field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::{Event, EventType};
    use crate::{Process, Value};

    const FULL: &str = r#"{"index":4,"time":7,"process":3,"type":"fail","f":"cas","key":"k1","value":[1,2],"observed":null,"mismatch":true,"final?":true,"node":2,"revision":7,"position":"p","link":null,"error":"why"}"#;

    #[test]
    fn a_line_has_the_names_of_jepsen() {
        let event: Event<'_> = serde_json::from_str(FULL).expect("it is an event");
        assert_eq!(serde_json::to_string(&event).expect("it has a form"), FULL);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let event = Event::new(Process::nemesis(), EventType::Info, "kill");
        let line = r#"{"time":0,"process":"nemesis","type":"info","f":"kill"}"#;
        assert_eq!(serde_json::to_string(&event).expect("it has a form"), line);
        assert_eq!(serde_json::from_str::<Event<'_>>(line).expect("it is an event"), event);
    }

    #[test]
    fn null_and_nothing_differ() {
        let line = |fields| format!(r#"{{"process":1,"type":"ok","f":"read"{fields}}}"#);
        let value =
            |fields| serde_json::from_str::<Event<'_>>(&line(fields)).expect("it is an event").into_owned().value;
        assert_eq!(value(""), None);
        assert_eq!(value(r#","value":null"#), Some(Value::Nil));
    }

    #[test]
    fn fields_that_nobody_knows_are_passed_over() {
        let line = r#"{"process":1,"type":"ok","f":"delete","revisions":[7],"term":{"leader":2}}"#;
        let event = Event::new(Process::Client(1), EventType::Ok, "delete");
        assert_eq!(serde_json::from_str::<Event<'_>>(line).expect("it is an event"), event);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in [
            "{}",
            "[]",
            r#"{"process":1,"type":"ok"}"#,
            r#"{"process":1,"f":"read"}"#,
            r#"{"type":"ok","f":"read"}"#,
            r#"{"process":-2,"type":"ok","f":"read"}"#,
            r#"{"process":1,"type":"maybe","f":"read"}"#,
            r#"{"process":1,"type":"ok","f":"read","value":1,"value":2}"#,
            r#"{"time":-1,"process":1,"type":"ok","f":"read"}"#,
            r#"{"process":1,"type":"ok","f":"read","revision":-1}"#,
            r#"{"process":1,"type":"ok","f":"read","revision":"7"}"#,
        ] {
            assert!(serde_json::from_str::<Event<'_>>(line).is_err(), "{line}");
        }
    }
}
