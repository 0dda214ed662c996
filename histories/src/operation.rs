//! Operations: an invocation with what is known of its completion. Small and flat, so that millions fit in memory.

use std::{borrow::Cow, fmt};

/// Rank of a completion that never came.
pub const NEVER: u32 = u32::MAX;

/// Id of a value in [`crate::Values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

impl ValueId {
    /// Id of [`crate::Value::Nil`]: absent.
    pub const NIL: Self = Self(0);
    /// Id for "not known", as for the result of a read that did not complete.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// Function that a client invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Returns the value (`read`, `get`).
    Read,
    /// Replaces the value (`write`, `put`).
    Write,
    /// Replaces the value if it equals another (`cas`).
    Cas,
    /// Appends text to the value (`append`).
    Append,
    /// Makes the value absent (`delete`).
    Delete,
    /// Function of another name; [`crate::History::function_name`] returns that name for its number.
    Other(u8),
}

/// Outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The operation took effect between invocation and completion.
    Ok,
    /// A `cas` found another value than it expected: at some moment between invocation and completion it was compared,
    /// and changed nothing. `output` is the value that it found, or [`ValueId::UNKNOWN`] if only the mismatch is known.
    Mismatch,
    /// The operation did not take effect and never will.
    Fail,
    /// The outcome is unknown: the operation may take effect at any time after its invocation, or never.
    Info,
}

/// Operation of one client, as far as a verdict depends on it. Ranks are positions in the total order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Rank of the invocation.
    pub invoked: u32,
    /// Rank of the completion; [`NEVER`] unless the outcome is certain (`Ok`, `Mismatch`, `Fail`).
    pub completed: u32,
    /// The object.
    pub key: ValueId,
    /// The value written; for a `cas`, the expected value.
    pub input: ValueId,
    /// The new value of a `cas`.
    pub to: ValueId,
    /// The value read, or found by a mismatched `cas`; [`ValueId::UNKNOWN`] if it is not known. Of an operation on logs
    /// that did not succeed, what is known of its micro-operations `send` and `poll`.
    pub output: ValueId,
    /// Number of the client process.
    pub process: u32,
    /// The function invoked.
    pub function: Function,
    /// The outcome.
    pub outcome: Outcome,
}

/// Limits an operation to half a cache line: a checker visits operations in an order of its own.
const _: () = assert!(size_of::<Operation>() <= 32, "an operation has grown");

/// Times of invocation and completion of an operation, in nanoseconds since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Time of the invocation.
    pub invoked_ns: u64,
    /// Time of the completion; for an operation without one, the time of the history's last event.
    pub completed_ns: u64,
}

impl Function {
    /// Returns the function with a variant of its own that is called `name`, if there is one.
    pub(crate) fn known(name: &str) -> Option<Self> {
        Some(match name {
            "read" | "get" => Self::Read,
            "write" | "put" => Self::Write,
            "cas" => Self::Cas,
            "append" => Self::Append,
            "delete" => Self::Delete,
            _ => return None,
        })
    }

    /// Returns the name, unless the function is an `Other`.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Cas => "cas",
            Self::Append => "append",
            Self::Delete => "delete",
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().map_or_else(|| Cow::Owned(format!("{self:?}")), Cow::Borrowed))
    }
}
