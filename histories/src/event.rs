//! One line of a history: something that a client or the nemesis began or ended.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Process, Value};

/// Whether an event begins an operation, or how it ends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// The request is about to leave.
    Invoke,
    /// It happened, between invocation and this.
    Ok,
    /// It did not happen and never will.
    Fail,
    /// Nobody knows: it may take effect at any time after its invocation, or never.
    Info,
}

/// One line of a history, with Jepsen's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Place in the total order of events; strictly increasing. Where a file gives none, its order counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Nanoseconds of the monotonic clock since the run began; never decreasing. Where a file gives none, 0.
    #[serde(default)]
    pub time: u64,
    /// Who acts.
    pub process: Process,
    /// Whether it begins or how it ends.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What is done: `read`, `write`, `cas`, a fault's name, …
    #[serde(borrow)]
    pub f: Cow<'a, str>,
    /// Which object, where a history has several independent ones. `null` is no key, and says that there is none in the value either.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// What is written (`write`), expected and set (`cas`: `[from, to]`), or was read (`read`, on completion).
    /// `null` is "absent", which differs from no value at all: a read that ended `ok` must have one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What a `cas` that did not match found instead, on its `fail`: then it is as good as a read. `null` is "absent".
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    /// On the `fail` of a `cas`: it found another value than it expected, even where nobody recorded which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mismatch: bool,
    /// Which node was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// On a completion: the number that the store itself gave what it answered with, where it gives any; at most
    /// [`crate::MAX_REVISION`]. Further evidence, never the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Why it failed, or why nobody knows.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    /// An event without index, time, key, value, node, revision or error.
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
            node: None,
            revision: None,
            error: None,
        }
    }

    /// The same event, borrowing nothing.
    pub fn into_owned(self) -> Event<'static> {
        Event { f: self.f.into_owned().into(), error: self.error.map(|why| why.into_owned().into()), ..self }
    }
}

/// A field that is there, even as `null`, differs from one that is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::{Event, EventType};
    use crate::{Process, Value};

    const FULL: &str = r#"{"index":4,"time":7,"process":3,"type":"fail","f":"cas","key":"k1","value":[1,2],"observed":null,"mismatch":true,"node":2,"revision":7,"error":"why"}"#;

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
