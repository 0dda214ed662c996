//! Outcomes: the one table that derives `ok`, `fail` or `info` from what a client observed.
//!
//! When in doubt, `info`: a wrong `fail` makes a correct system look broken, and a wrong `ok` hides a defect.

use histories::{EventType, Value};

use crate::{Action, Request};

/// Answer to a request: what is certain about its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The operation took effect and returned this value; [`Value::Nil`] if there is none at the key, or in the queue.
    /// A transaction returns its micro-operations, each as `[name, key, value]`.
    Value(Value),
    /// The operation took effect, and returns nothing.
    Done,
    /// A cas changed nothing, since it found this value instead; or a lock is held by another, or not by this client.
    Mismatch(Value),
    /// The request did not take effect and never will: it was never sent, or the node says so.
    NotDone(String),
    /// The request may or may not have taken effect, now or later.
    Unknown(String),
}

/// Answer with the revision that the store reported, if it reports any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The answer.
    pub answer: Answer,
    /// Revision that the store itself assigned.
    pub revision: Option<u64>,
}

impl From<Answer> for Response {
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
    pub(crate) fn of(request: &Request, answer: Answer) -> Self {
        let action = &request.action;
        // Of a transaction, every event says what it is about.
        let value = if matches!(action, Action::Transaction(_)) { request.argument() } else { None };
        let end = |kind| Self { kind, value: value.clone(), observed: None, error: None, reconnect: false };
        let kind = if action.is_read() { EventType::Fail } else { EventType::Info };
        match (action, answer) {
            (_, Answer::NotDone(why)) => Self { error: Some(why), ..end(EventType::Fail) },
            (_, Answer::Unknown(why)) => Self { error: Some(why), reconnect: true, ..end(kind) },
            (Action::Read | Action::Peek | Action::Dequeue | Action::Generate, Answer::Value(value))
            | (Action::Insert, Answer::Value(value @ Value::Map(_)))
            | (
                Action::Elements | Action::Poll(_) | Action::Rows | Action::Balances | Action::Transaction(_),
                Answer::Value(value @ Value::List(_)),
            )
            | (Action::Count | Action::Send(_) | Action::AcquireWithToken, Answer::Value(value @ Value::Int(_))) => {
                Self { value: Some(value), ..end(EventType::Ok) }
            }
            (action, Answer::Done) if !action.returns_value() => end(EventType::Ok),
            (Action::Acquire | Action::AcquireWithToken, Answer::Mismatch(_)) => {
                Self { error: Some("another holds the lock".to_owned()), ..end(EventType::Fail) }
            }
            (Action::Release, Answer::Mismatch(_)) => {
                Self { error: Some("the process does not hold the lock".to_owned()), ..end(EventType::Fail) }
            }
            (Action::Cas { .. }, Answer::Mismatch(found)) => Self { observed: Some(found), ..end(EventType::Fail) },
            (_, other) => Self::of(request, Answer::Unknown(format!("the client answered {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Completion};
    use crate::{Action, MicroOperation, Request};
    use histories::{
        EventType::{Fail, Info, Ok as Done},
        Value,
    };

    const READ: Action = Action::Read;
    const WRITE: Action = Action::Write(2);
    const CAS: Action = Action::Cas { from: 1, to: 2 };

    const ADD: Action = Action::Add(2);
    const TRANSFER: Action = Action::Transfer { from: 0, to: 1, amount: 2 };

    #[test]
    fn the_table() {
        let value = || Answer::Value(5.into());
        let found = || Answer::Mismatch(5.into());
        let not_done = || Answer::NotDone("refused".to_owned());
        let unknown = || Answer::Unknown("reset".to_owned());
        let list = || Answer::Value(Value::List(vec![5.into()]));
        let reads = || Action::Transaction(vec![MicroOperation::read_list(1)]);
        let appends = || Action::Transaction(vec![MicroOperation::read_list(1), MicroOperation::append(1, 2)]);
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
            (ADD, Answer::Done, Done, false),
            (ADD, not_done(), Fail, false),
            (ADD, unknown(), Info, true),
            (Action::Elements, list(), Done, false),
            (Action::Elements, unknown(), Fail, true),
            (Action::Enqueue(2), Answer::Done, Done, false),
            (Action::Enqueue(2), unknown(), Info, true),
            (Action::Generate, value(), Done, false),
            (Action::Generate, unknown(), Info, true),
            (Action::Generate, Answer::Done, Info, true),
            (Action::Balances, list(), Done, false),
            (Action::Balances, value(), Fail, true),
            (TRANSFER, Answer::Done, Done, false),
            (TRANSFER, not_done(), Fail, false),
            (TRANSFER, unknown(), Info, true),
            (Action::Peek, value(), Done, false),
            (Action::Peek, unknown(), Fail, true),
            (Action::Dequeue, value(), Done, false),
            (Action::Dequeue, not_done(), Fail, false),
            (Action::Dequeue, unknown(), Info, true),
            (reads(), list(), Done, false),
            (reads(), unknown(), Fail, true),
            (appends(), list(), Done, false),
            (appends(), not_done(), Fail, false),
            (appends(), unknown(), Info, true),
            // A client that answers another question than it was asked is not trusted.
            (READ, Answer::Done, Fail, true),
            (READ, found(), Fail, true),
            (WRITE, value(), Info, true),
            (WRITE, found(), Info, true),
            (CAS, value(), Info, true),
            (ADD, value(), Info, true),
            (Action::Elements, value(), Fail, true),
            (Action::Dequeue, Answer::Done, Info, true),
            (appends(), Answer::Done, Info, true),
        ] {
            let request = match &action {
                Action::Transaction(micro_operations) => Request::transaction(micro_operations.clone()),
                action => Request::new(1, action.clone()),
            };
            let end = Completion::of(&request, answer.clone());
            assert_eq!((end.kind, end.reconnect), (kind, reconnect), "{action:?} {answer:?}");
            let is_transaction = matches!(action, Action::Transaction(_));
            let answers = kind == Done && matches!(answer, Answer::Value(_));
            assert_eq!(end.value.is_some(), is_transaction || answers, "{action:?} {answer:?}");
            assert_eq!(end.observed.is_some(), action == CAS && answer == found(), "{action:?} {answer:?}");
            let explained = end.error.is_some() || kind == Done || end.observed.is_some();
            assert!(explained, "{action:?} {answer:?}");
        }
    }

    #[test]
    fn counters_locks_and_logs_have_answers_of_their_own() {
        let (number, list) = (|| Answer::Value(5.into()), || Answer::Value(Value::List(vec![5.into()])));
        let (held, unknown) = (|| Answer::Mismatch(Value::Nil), || Answer::Unknown("reset".to_owned()));
        for (action, answer, kind, reconnect) in [
            (Action::Count, number(), Done, false),
            (Action::Count, unknown(), Fail, true),
            (Action::Increment(2), Answer::Done, Done, false),
            (Action::Increment(2), unknown(), Info, true),
            (Action::Acquire, Answer::Done, Done, false),
            (Action::Acquire, held(), Fail, false),
            (Action::Acquire, unknown(), Info, true),
            (Action::AcquireWithToken, number(), Done, false),
            (Action::AcquireWithToken, held(), Fail, false),
            (Action::Release, Answer::Done, Done, false),
            (Action::Release, held(), Fail, false),
            (Action::Release, unknown(), Info, true),
            (Action::Send(2), number(), Done, false),
            (Action::Send(2), unknown(), Info, true),
            (Action::Send(2), Answer::Done, Info, true),
            (Action::Poll(2), list(), Done, false),
            (Action::Poll(2), unknown(), Fail, true),
            (Action::Poll(2), number(), Fail, true),
            (Action::Count, list(), Fail, true),
            (Action::Increment(2), number(), Info, true),
            (Action::Acquire, number(), Info, true),
            (Action::AcquireWithToken, Answer::Done, Info, true),
        ] {
            let end = Completion::of(&Request::new(1, action.clone()), answer.clone());
            assert_eq!((end.kind, end.reconnect), (kind, reconnect), "{action:?} {answer:?}");
            assert_eq!(end.value.is_some(), kind == Done && matches!(answer, Answer::Value(_)), "{action:?}");
            assert_eq!((end.observed, end.error.is_some()), (None, kind != Done), "{action:?} {answer:?}");
        }
    }
}
