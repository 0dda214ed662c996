//! What a client saw, and what follows from it: the one table of `ok`, `fail` and `info`.
//!
//! When in doubt, `info`: a wrong `fail` makes a sound system look broken, a wrong `ok` hides a defect.

use histories::{EventType, Value};

use crate::Action;

/// What is certain after asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A read returned this; [`Value::Nil`] if the key is absent.
    Value(Value),
    /// A write or cas took effect.
    Done,
    /// A cas changed nothing, since it found this instead.
    Mismatch(Value),
    /// It did not happen and never will: the request never left, or the node says so.
    NotDone(String),
    /// Nobody knows whether it happened, or will.
    Unknown(String),
}

/// How an operation ends in the history, and what becomes of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) kind: EventType,
    pub(crate) value: Option<Value>,
    pub(crate) observed: Option<Value>,
    pub(crate) error: Option<String>,
    /// The request may still be under way: its connection must not be used again.
    pub(crate) reconnect: bool,
}

impl Completion {
    /// The table. A read with an unknown end is a `fail`: whatever became of it, it changed nothing.
    pub(crate) fn of(action: Action, answer: Answer) -> Self {
        let end = |kind| Self { kind, value: None, observed: None, error: None, reconnect: false };
        match (action, answer) {
            (Action::Read, Answer::Value(value)) => Self { value: Some(value), ..end(EventType::Ok) },
            (Action::Write(_) | Action::Cas { .. }, Answer::Done) => end(EventType::Ok),
            (Action::Cas { .. }, Answer::Mismatch(found)) => Self { observed: Some(found), ..end(EventType::Fail) },
            (_, Answer::NotDone(why)) => Self { error: Some(why), ..end(EventType::Fail) },
            (Action::Read, Answer::Unknown(why)) => Self { error: Some(why), reconnect: true, ..end(EventType::Fail) },
            (_, Answer::Unknown(why)) => Self { error: Some(why), reconnect: true, ..end(EventType::Info) },
            (action, other) => Self::of(action, Answer::Unknown(format!("the client answered {other:?}"))),
        }
    }
}
