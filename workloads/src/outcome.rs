//! Outcomes: the one table that derives `ok`, `fail` or `info` from what a client observed.
//!
//! When in doubt, `info`: a wrong `fail` makes a correct system look broken, and a wrong `ok` hides a defect.

use histories::{EventType, Value};

use crate::Action;

/// Answer to a request: what is certain about its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A read returned this value; [`Value::Nil`] if the key is absent.
    Value(Value),
    /// A write or cas took effect.
    Done,
    /// A cas changed nothing, since it found this value instead.
    Mismatch(Value),
    /// The request did not take effect and never will: it was never sent, or the node says so.
    NotDone(String),
    /// The request may or may not have taken effect, now or later.
    Unknown(String),
}

/// Answer with the revision that the store reported, if it reports any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// Revision that the store itself assigned.
    pub revision: Option<u64>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self { answer, revision: None }
    }
}

/// Completion of an operation in the history, and its consequence for the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) kind: EventType,
    pub(crate) value: Option<Value>,
    pub(crate) observed: Option<Value>,
    pub(crate) error: Option<String>,
    /// True if the request may still be under way, so that its connection must not be reused.
    pub(crate) reconnect: bool,
}

impl Completion {
    /// Returns the completion for an answer. A read with an unknown outcome is a `fail`: in any case, it changed
    /// nothing.
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

#[cfg(test)]
mod tests {
    use super::{Answer, Completion};
    use crate::Action;
    use histories::EventType::{Fail, Info, Ok as Done};

    const READ: Action = Action::Read;
    const WRITE: Action = Action::Write(2);
    const CAS: Action = Action::Cas { from: 1, to: 2 };

    #[test]
    fn the_table() {
        let value = || Answer::Value(5.into());
        let found = || Answer::Mismatch(5.into());
        let not_done = || Answer::NotDone("refused".to_owned());
        let unknown = || Answer::Unknown("reset".to_owned());
        for (action, answer, kind, reconnect) in [
            (READ, value(), Done, false),
            (READ, not_done(), Fail, false),
            (READ, unknown(), Fail, true),
            (WRITE, Answer::Done, Done, false),
            (WRITE, not_done(), Fail, false),
            (WRITE, unknown(), Info, true),
            (CAS, Answer::Done, Done, false),
            (CAS, found(), Fail, false),
            (CAS, not_done(), Fail, false),
            (CAS, unknown(), Info, true),
            // A client that answers another question than it was asked is not trusted.
            (READ, Answer::Done, Fail, true),
            (READ, found(), Fail, true),
            (WRITE, value(), Info, true),
            (WRITE, found(), Info, true),
            (CAS, value(), Info, true),
        ] {
            let end = Completion::of(action, answer.clone());
            assert_eq!((end.kind, end.reconnect), (kind, reconnect), "{action:?} {answer:?}");
            assert_eq!(end.value.is_some(), action == READ && kind == Done, "{action:?} {answer:?}");
            assert_eq!(end.observed.is_some(), action == CAS && answer == found(), "{action:?} {answer:?}");
            let explained = end.error.is_some() || kind == Done || end.observed.is_some();
            assert!(explained, "{action:?} {answer:?}");
        }
    }
}
