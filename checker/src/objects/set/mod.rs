//! Sets, decided element by element, or by the sets that were read.

mod method;
mod placement;
mod snapshots;
pub(super) mod specification;
mod switch;

use std::collections::BTreeSet;

use histories::Value;

use super::{
    definition::Definition,
    key::{Key, MethodResult, NewObject},
};
use crate::specification::{Argument, Call, elements, is_collection_of};
use specification::{NamedFunctions, Set, SetFunction};

pub(super) static DEFINITION: Definition = definition(
    "set",
    "add, remove, contains and read",
    |key| decide(key, SetFunction::of_set),
    |initial| Box::new(Set::new(initial)),
);

/// Blind inserts, which Jepsen calls `write`, and reads of all.
pub(super) static COMMENTS: Definition = definition(
    "comments",
    "write, which adds a comment, and read of all comments",
    |key| decide(key, SetFunction::of_comments),
    |initial| Box::new(Set::with(initial, SetFunction::of_comments)),
);

const fn definition(
    name: &'static str,
    functions: &'static str,
    method: fn(&Key<'_>) -> MethodResult,
    specification: NewObject,
) -> Definition {
    Definition {
        initial: ("a list of different elements, or null for none", can_be_initial),
        method: Some(method),
        argument: |function| match SetFunction::named(function) {
            Some(SetFunction::Read) => Argument::NoneOrAnswer,
            _ => Argument::Any,
        },
        is_informative,
        ..Definition::new(name, functions, specification)
    }
}

fn decide(key: &Key<'_>, has: NamedFunctions) -> MethodResult {
    let lacked = key.operations.iter().map(|index| key.operation(*index)).find(|it| has(key.name(it)).is_none());
    match lacked {
        Some(operation) => MethodResult::Unknown(key.lacks(operation)),
        None => method::decide(key).unwrap_or_else(MethodResult::Unknown),
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
