//! A list that only grows: `append` at its end, and `read` of all of it.

use histories::Value;

use super::{Call, Specification, elements};
use crate::UnknownWhy;

#[derive(Debug)]
pub(super) struct List {
    initial: Vec<Value>,
}

impl List {
    pub(super) fn new(initial: &Value) -> Self {
        Self { initial: elements(initial).collect() }
    }
}

/// Whether the call appends, not reads; nothing if it is something else.
fn appends(call: &Call<'_>) -> Option<bool> {
    match call.function {
        "append" | "push" | "add" => Some(true),
        "read" => Some(false),
        _ => None,
    }
}

impl Specification for List {
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn apply(&self, list: &mut Self::State, call: &Call<'_>) -> bool {
        match (appends(call), call.output) {
            (Some(true), _) => {
                list.push(call.input.clone());
                true
            }
            (Some(false), None) => true,
            (Some(false), Some(Value::Nil)) => list.is_empty(),
            (Some(false), Some(Value::List(seen))) => seen == list,
            _ => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match appends(call) {
            None => Err(call.unknown_function()),
            Some(true) if call.says_nothing() => Ok(()),
            Some(false) if matches!(call.output, None | Some(Value::Nil | Value::List(_))) => Ok(()),
            Some(_) => Err(call.unsupported_output()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        appends(call) == Some(false)
    }

    fn asks_who(&self) -> bool {
        false
    }
}
