//! Lock: `acquire`, and `release` by the process that holds it. Either may answer `false`: the lock was not free, or
//! not held.

use std::fmt;

use histories::{History, Value};

use crate::{
    UnknownWhy,
    specification::{Call, Specification},
};

#[derive(Debug)]
pub(crate) struct Mutex;

/// Returns true if a function acquires, false if it releases, or `None` if it is something else.
pub(crate) fn acquires(function: &str) -> Option<bool> {
    match function {
        "acquire" | "lock" => Some(true),
        "release" | "unlock" => Some(false),
        _ => None,
    }
}

/// Returns true if the answer is that the lock was not free, or not held.
pub(crate) fn was_refused(call: &Call<'_>) -> bool {
    !call.says_nothing() && call.output == Some(&Value::Bool(false))
}

/// Writes who holds a lock.
pub(crate) fn write_owner(owner: Option<u32>, history: &History, out: &mut dyn fmt::Write) -> fmt::Result {
    match owner {
        Some(process) => write!(out, "held by process {}", history.process(process)),
        None => out.write_str("free"),
    }
}

impl Specification for Mutex {
    /// Process that holds the lock.
    type State = Option<u32>;

    fn initial(&self) -> Self::State {
        None
    }

    fn write_state(&self, owner: &Self::State, history: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write_owner(*owner, history, out)
    }

    fn apply(&self, owner: &mut Self::State, call: &Call<'_>) -> bool {
        let done = match acquires(call.function) {
            Some(true) if owner.is_none() => Some(call.process),
            Some(false) if *owner == Some(call.process) => None,
            Some(_) => return was_refused(call) || call.output.is_none(),
            None => return false,
        };
        *owner = done;
        !was_refused(call)
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match acquires(call.function) {
            None => Err(call.unknown_function()),
            Some(_) if *call.input != Value::Nil => Err(call.unsupported_input()),
            Some(_) if call.says_nothing() || matches!(call.output, Some(Value::Bool(_))) => Ok(()),
            Some(_) => Err(call.unsupported_output()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        was_refused(call)
    }
}
