//! Sets, decided element by element, or by the sets that were read.

mod method;
mod placement;
mod snapshots;
pub(super) mod specification;
mod switch;

use std::collections::BTreeSet;

use histories::Value;

use super::{definition::Definition, key::MethodResult};
use crate::specification::{Argument, Call, elements, is_collection_of};
use specification::{Set, SetFunction};

pub(super) static DEFINITION: Definition = definition("set", "add, remove, contains and read");

/// Blind inserts, which Jepsen calls `write`, and reads of all.
pub(super) static COMMENTS: Definition =
    definition("comments", "write, which adds a comment, and read of all comments");

const fn definition(name: &'static str, functions: &'static str) -> Definition {
    Definition {
        initial: ("a list of different elements, or null for none", can_be_initial),
        method: Some(|key| method::decide(key).unwrap_or_else(MethodResult::Unknown)),
        argument: |function| match SetFunction::named(function) {
            Some(SetFunction::Read) => Argument::NoneOrAnswer,
            _ => Argument::Any,
        },
        is_informative,
        ..Definition::new(name, functions, |initial| Box::new(Set::new(initial)))
    }
}

fn can_be_initial(initial: &Value) -> bool {
    let all: Vec<Value> = elements(initial).collect();
    is_collection_of(initial, |_| true) && all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

fn is_informative(call: &Call<'_>) -> bool {
    match SetFunction::named(call.function) {
        Some(SetFunction::Add | SetFunction::Remove) => !call.says_nothing(),
        _ => call.output.is_some(),
    }
}
