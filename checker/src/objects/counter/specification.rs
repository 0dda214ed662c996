//! Counter: `inc` and `dec`, by 1 or by a given number, `add` and `subtract` of a number, and `read`.

use std::fmt;

use histories::{History, Value};

use crate::{
    UnknownWhy,
    specification::{Call, Specification},
    unknown::unsupported,
};

#[derive(Debug)]
pub(crate) struct Counter<'a> {
    initial: &'a Value,
    /// True if unknown calls may increment it too, at any time.
    others: bool,
}

enum CounterFunction {
    Change(i128),
    Read,
}

impl<'a> Counter<'a> {
    pub(crate) fn new(initial: &'a Value) -> Self {
        Self { initial, others: false }
    }

    /// Makes a counter that other calls increment beside the known ones.
    pub(crate) fn among_others(initial: &'a Value) -> Self {
        Self { initial, others: true }
    }
}

/// Returns the function of the call, or `None` if its argument is not a number.
fn function(call: &Call<'_>) -> Option<CounterFunction> {
    let by = match (call.function, call.input) {
        ("read", _) => return Some(CounterFunction::Read),
        (name, Value::Nil) if !needs_number(name) => 1,
        (_, &Value::Int(by)) => i128::from(by),
        _ => return None,
    };
    Some(CounterFunction::Change(if is_decrement(call) { -by } else { by }))
}

/// Returns the number that the call adds, if it is a change.
pub(super) fn change(call: &Call<'_>) -> Option<i128> {
    match function(call)? {
        CounterFunction::Change(by) => Some(by),
        CounterFunction::Read => None,
    }
}

/// Returns true if a function of this name requires a number.
pub(crate) fn needs_number(function: &str) -> bool {
    matches!(function, "add" | "subtract")
}

/// Returns true if a function of this name increments.
pub(crate) fn is_increment(function: &str) -> bool {
    matches!(function, "inc" | "increment" | "add")
}

fn is_decrement(call: &Call<'_>) -> bool {
    matches!(call.function, "dec" | "decrement" | "subtract")
}

impl Specification for Counter<'_> {
    /// Count. No history has so many changes that it overflows.
    type State = i128;

    fn initial(&self) -> i128 {
        if let &Value::Int(count) = self.initial { count.into() } else { 0 }
    }

    fn write_state(&self, count: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{count}")
    }

    fn apply(&self, count: &mut i128, call: &Call<'_>) -> bool {
        match (function(call), call.output) {
            (Some(CounterFunction::Change(by)), _) => *count += by,
            (Some(CounterFunction::Read), None) => {}
            (Some(CounterFunction::Read), Some(&Value::Int(seen))) => {
                let seen = i128::from(seen);
                if seen != *count && !(self.others && seen > *count) {
                    return false;
                }
                *count = seen;
            }
            _ => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        let is_known = is_decrement(call) || is_increment(call.function) || call.function == "read";
        if !matches!(self.initial, Value::Nil | Value::Int(_)) {
            return unsupported(format!("a counter that begins with {}", self.initial));
        }
        match function(call) {
            _ if !is_known => Err(call.unknown_function()),
            None => Err(call.unsupported_input()),
            Some(CounterFunction::Read) if !call.asks_for_nothing() => Err(call.unsupported_input()),
            Some(CounterFunction::Read) if matches!(call.output, None | Some(Value::Int(_))) => Ok(()),
            Some(CounterFunction::Change(_)) if call.says_nothing() => Ok(()),
            Some(_) => Err(call.unsupported_output()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "read" && !self.others
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
