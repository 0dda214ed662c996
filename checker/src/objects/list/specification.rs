//! List that only grows: `append` at its end, and `read` of the whole list.

use std::fmt;

use histories::{History, Value};

use crate::{
    UnknownWhy,
    memory::of_values,
    specification::{Call, Specification, elements},
    state_words::write_last,
};

#[derive(Debug)]
pub(crate) struct List<'a> {
    initial: Vec<Value>,
    /// Elements that count, or `None` if all do.
    only: Option<&'a [Value]>,
}

impl<'a> List<'a> {
    pub(crate) fn new(initial: &Value) -> Self {
        Self { initial: elements(initial).collect(), only: None }
    }

    /// Makes a list that ignores all elements but these.
    pub(crate) fn of_only(initial: &Value, only: &'a [Value]) -> Self {
        Self { initial: elements(initial).filter(|element| only.contains(element)).collect(), only: Some(only) }
    }

    fn counts(&self, element: &Value) -> bool {
        self.only.is_none_or(|only| only.contains(element))
    }
}

/// Returns true if a function appends, false if it reads, or `None` if it is something else.
pub(crate) fn appends(function: &str) -> Option<bool> {
    match function {
        "append" | "push" | "add" => Some(true),
        "read" => Some(false),
        _ => None,
    }
}

impl Specification for List<'_> {
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn state_bytes(&self, list: &Self::State) -> usize {
        size_of::<Self::State>() + 2 * of_values(list, size_of::<Value>())
    }

    fn write_state(&self, list: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write_last(out, list.len(), list.iter())
    }

    fn apply(&self, list: &mut Self::State, call: &Call<'_>) -> bool {
        match (appends(call.function), call.output) {
            (Some(true), _) => {
                list.extend(self.counts(call.input).then(|| call.input.clone()));
                true
            }
            (Some(false), None) => true,
            (Some(false), Some(Value::Nil)) => list.is_empty(),
            (Some(false), Some(Value::List(seen))) => match self.only {
                None => seen == list,
                Some(_) => seen.iter().filter(|element| self.counts(element)).eq(list.iter()),
            },
            _ => false,
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match appends(call.function) {
            None => Err(call.unknown_function()),
            Some(false) if !call.asks_for_nothing() => Err(call.unsupported_input()),
            Some(true) if call.says_nothing() => Ok(()),
            Some(false) if matches!(call.output, None | Some(Value::Nil | Value::List(_))) => Ok(()),
            Some(_) => Err(call.unsupported_output()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        appends(call.function) == Some(false)
    }

    fn finds(&self, call: &Call<'_>) -> Vec<Value> {
        match (appends(call.function), call.output) {
            (Some(false), Some(Value::List(seen))) => {
                seen.iter().filter(|element| !self.initial.contains(element)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        if appends(call.function) == Some(true) { vec![call.input.clone()] } else { Vec::new() }
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}
