//! Rules that the events of a history must keep.

use std::fmt;

use crate::{Function, Process, Value};

/// Position of an event, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventPlace {
    /// The line of its file, counted from 1.
    Line(u64),
    /// Its number in the history, counted from 0, where it comes from no file.
    Number(u32),
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Number(number) => write!(f, "event {number}"),
        }
    }
}

/// Rule of histories that an event breaks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PairingError {
    /// A process invokes an operation while another of its operations is open.
    #[error(
        "process {process} invokes {f} while its operation from {open} is still open; a process has one operation at \
        a time"
    )]
    AlreadyOpen {
        /// The process.
        process: Process,
        /// The function that it invokes.
        f: String,
        /// The event that invoked the open operation.
        open: EventPlace,
    },
    /// A process completes an operation again.
    #[error(
        "process {process} completes {f} again, which ended in {first} already; each invocation has one completion at \
        most"
    )]
    Repeated {
        /// The process.
        process: Process,
        /// The function that it completes.
        f: String,
        /// The event that completed the operation first.
        first: EventPlace,
    },
    /// A process completes an operation without having one open.
    #[error("process {process} completes {f}, which it never invoked")]
    NotOpen {
        /// The process.
        process: Process,
        /// The function that it completes.
        f: String,
    },
    /// An event that names no process completes an operation of which none is open.
    #[error("{f} is completed, which nobody invoked; no event names its process")]
    NobodyInvoked {
        /// The function that is completed.
        f: String,
    },
    /// An event that names no process may complete any of several operations.
    #[error("{f} is completed, of which {open} are open: without a process, nobody can tell which of them this is")]
    WhoseCompletion {
        /// The function that is completed.
        f: String,
        /// Number of operations that it may be.
        open: usize,
    },
    /// A process completes another function than it invoked.
    #[error("process {process} completes {completed}, but it invoked {invoked}")]
    Mismatched {
        /// The process.
        process: Process,
        /// The function that it invoked.
        invoked: String,
        /// The function that it completes.
        completed: String,
    },
    /// A value is not equal even to itself.
    #[error("##NaN equals nothing, not even itself, so that no history with it can be judged")]
    NotANumber,
    /// The `index` does not increase.
    #[error("index {index} comes after index {previous}; indexes must increase")]
    Index {
        /// Index of this event.
        index: u64,
        /// Index of the event before.
        previous: u64,
    },
    /// The `time` decreases.
    #[error(
        "time {time} comes after time {previous}; times must not decrease, unless every event of a client has one, as \
        then they decide the order"
    )]
    Time {
        /// Time of this event.
        time: i128,
        /// Time of the event before.
        previous: i128,
    },
    /// An operation ends before it begins.
    #[error(
        "process {process} completes {f} at {completed_ns} ns, before it invoked it at {invoked_ns} ns; an operation \
        cannot end before it begins"
    )]
    EndsBeforeItBegins {
        /// The process.
        process: Process,
        /// The function that it completes.
        f: String,
        /// Time of the invocation.
        invoked_ns: i128,
        /// Time of the completion, as given.
        completed_ns: i128,
    },
    /// The times of the calls of a lock do not decide who held it.
    #[error(
        "process {process} ends a call of a lock and makes another at {time} ns, as another process does; times this \
        coarse do not show who held it"
    )]
    SameMoment {
        /// The process.
        process: Process,
        /// The time.
        time: i128,
    },
    /// The value of a cas is not a pair.
    #[error("the value of a cas is [from, to], or [key, [from, to]] in a history of several keys, not {0}")]
    CasValue(Value),
    /// A read completed without a result.
    #[error("a read that ended ok must have a value; null means that the key is absent")]
    NoResult,
    /// A write has no value.
    #[error("every {0} must have a value")]
    NoArgument(Function),
    /// A completion has another key than its invocation.
    #[error(
        "process {process} completes an operation on key {completed}, but it invoked one {}",
        if *invoked == Value::Nil { "without a key".to_owned() } else { format!("on key {invoked}") }
    )]
    OtherKey {
        /// The process.
        process: Process,
        /// Key of the invocation.
        invoked: Value,
        /// Key of the completion.
        completed: Value,
    },
    /// A completion has another argument than its invocation.
    #[error("{f} is completed with value {completed}, but was invoked with {invoked}")]
    OtherValue {
        /// The function.
        f: String,
        /// Value of the invocation.
        invoked: Value,
        /// Value of the completion.
        completed: Value,
    },
    /// The value of a transaction is not a list.
    #[error("the value of a txn is a list of micro-operations, not {0}")]
    NoMicroOperations(Value),
    /// An element of a transaction is not a micro-operation.
    #[error(
        "a micro-operation is [\"append\", key, value], [\"w\", key, value] or [\"r\", key, what was read], not {0}"
    )]
    MicroForm(Value),
    /// A transaction completes with another number of micro-operations than it was invoked with.
    #[error("a txn is completed with {completed} micro-operations, but was invoked with {invoked}")]
    MicroCount {
        /// Number of micro-operations invoked.
        invoked: usize,
        /// Number of micro-operations completed.
        completed: usize,
    },
    /// A transaction completes with another micro-operation than it was invoked with.
    #[error("a txn is completed with another micro-operation in place {place} than it was invoked with")]
    MicroOther {
        /// Position of the micro-operation, counted from 1.
        place: usize,
    },
    /// A limit of histories is exceeded.
    #[error("{0}")]
    TooMany(&'static str),
}
