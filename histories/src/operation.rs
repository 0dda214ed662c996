//! An operation: an invocation with what is known of its end. Small and flat, so that millions fit in memory.

use std::{borrow::Cow, fmt};

/// The rank of an end that never came.
pub const NEVER: u32 = u32::MAX;

/// A value's number in [`crate::Values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

impl ValueId {
    /// [`crate::Value::Nil`]: absent.
    pub const NIL: Self = Self(0);
    /// No value is known, as for a read that did not complete.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Returns the value (`read`, `get`).
    Read,
    /// Replaces the value (`write`, `put`).
    Write,
    /// Replaces the value if it equals another (`cas`).
    Cas,
    /// Adds text at the end of the value (`append`).
    Append,
    /// Makes the value absent (`delete`).
    Delete,
    /// Anything else; the number stands for its name in [`crate::History::function_name`].
    Other(u8),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened, between invocation and completion.
    Ok,
    /// A `cas` that found another value than it expected: it changed nothing, at some moment between invocation and completion.
    /// `output` is what it found, [`ValueId::UNKNOWN`] if only "another value" is known.
    Mismatch,
    /// It did not happen and never will.
    Fail,
    /// Nobody knows: it may take effect at any time after its invocation, or never.
    Info,
}

/// One operation of one client, as far as a verdict depends on it. Ranks are positions in the total order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Rank of the invocation.
    pub invoked: u32,
    /// Rank of the completion; [`NEVER`] unless the outcome is certain (`Ok`, `Mismatch`, `Fail`).
    pub completed: u32,
    /// Which object.
    pub key: ValueId,
    /// What is written; of a `cas`, what is expected.
    pub input: ValueId,
    /// Of a `cas`, what is set.
    pub to: ValueId,
    /// What was read, or found by a `cas` that did not match; [`ValueId::UNKNOWN`] if nothing is known.
    pub output: ValueId,
    /// Which client process.
    pub process: u32,
    /// What was asked for.
    pub function: Function,
    /// How it ended.
    pub outcome: Outcome,
}

/// Two to a line of the processor's cache: a checker walks over them in an order of its own.
const _: () = assert!(size_of::<Operation>() <= 32, "an operation has grown");

/// When an operation was invoked and ended, nanoseconds since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was invoked.
    pub invoked_ns: u64,
    /// When its end was recorded; of an operation without any end, the time of the history's last event.
    pub completed_ns: u64,
}

impl Function {
    /// The field's own name for `name`, if it is one.
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

    /// Its name, unless it is an `Other`.
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
