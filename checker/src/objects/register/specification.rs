//! Register: `read`, `write`, `cas`; with `edits` also `append` and `delete`.
//!
//! # Semantics of `append`
//! The new value is always text: the old value as text ([`as_text`]), followed by the appended value as text. Nil
//! (`null`) counts as empty text, text as itself, and any other value as its JSON. So appending the empty text or
//! `null` changes every value that is not text: `null` becomes `""`, and `5` becomes `"5"`. This file is the only
//! definition of `append`.

use std::{borrow::Cow, fmt};

use histories::{History, Value};

use crate::{
    UnknownWhy,
    memory::of_values,
    specification::{Call, Specification, is_compound},
};

#[derive(Debug)]
pub(crate) struct Register<'a> {
    initial: &'a Value,
    edits: bool,
}

impl<'a> Register<'a> {
    pub(crate) fn new(initial: &'a Value, edits: bool) -> Self {
        Self { initial, edits }
    }
}

impl Specification for Register<'_> {
    type State = Value;

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn state_bytes(&self, value: &Value) -> usize {
        of_values([value], size_of::<Value>())
    }

    fn write_state(&self, value: &Self::State, _: &History, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{value}")
    }

    fn apply(&self, value: &mut Value, call: &Call<'_>) -> bool {
        match call.function {
            "read" => return call.may_answer(value),
            "cas" if call.mismatch => return call.input != value && call.may_answer(value),
            "cas" if call.input != value => return false,
            "cas" => value.clone_from(call.to),
            "write" => value.clone_from(call.input),
            "append" => *value = appended(value, call.input),
            "delete" => value.clone_from(self.initial),
            _ => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            "read" if !call.asks_for_nothing() => Err(call.unsupported_input()),
            "read" | "write" | "cas" => Ok(()),
            "append" if self.edits && is_compound(call.input) => Err(call.unsupported_input()),
            "delete" if self.edits && *call.input != Value::Nil => Err(call.unsupported_input()),
            "append" | "delete" if self.edits => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "read" || call.mismatch
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}

/// Returns a value as the text that `append` extends or adds.
pub(crate) fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Nil => Cow::Borrowed(""),
        Value::Str(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Returns the value after an `append` of `suffix`.
pub(crate) fn appended(value: &Value, suffix: &Value) -> Value {
    Value::Str(format!("{}{}", as_text(value), as_text(suffix)).into())
}

/// Returns true if the value is text already: any other value becomes text by an `append`, even of nothing.
pub(crate) fn is_text(value: &Value) -> bool {
    matches!(value, Value::Str(_))
}
