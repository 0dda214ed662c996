//! A register: `read`, `write`, `cas`; with `edits` also `append` and `delete`.

use histories::Value;

use super::{Call, Specification};
use crate::UnknownWhy;

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

    fn apply(&self, value: &mut Value, call: &Call<'_>) -> bool {
        match call.function {
            "read" => return call.may_answer(value),
            "cas" if call.mismatch => return call.input != value && call.may_answer(value),
            "cas" if call.input != value => return false,
            "cas" => value.clone_from(call.to),
            "write" => value.clone_from(call.input),
            "append" => *value = Value::Str((text(value) + &text(call.input)).into()),
            "delete" => value.clone_from(self.initial),
            _ => return false,
        }
        true
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            "read" | "write" | "cas" => Ok(()),
            "append" | "delete" if self.edits => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "read" || call.mismatch
    }

    fn asks_who(&self) -> bool {
        false
    }
}

/// What `append` finds: an absent value counts as empty text.
fn text(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
    }
}
