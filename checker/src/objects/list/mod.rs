//! Lists that only grow, decided by the longest list that was read.

mod evidence;
mod method;
pub(super) mod specification;
mod violation;

use super::{
    definition::Definition,
    key::{Claim, Key, SolveError},
};
use crate::specification::{Argument, is_list_of};
use specification::{List, appends};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list, or null for an empty one", |initial| is_list_of(initial, |_| true)),
    method: Some(|key| key.verified(&key.operations, decide(key))),
    argument: |function| match appends(function) {
        Some(false) => Argument::NoneOrAnswer,
        _ => Argument::Any,
    },
    is_informative: |call| call.output.is_some() && appends(call.function) == Some(false),
    ..Definition::new("list", "append, and read of the whole list", |initial| Box::new(List::new(initial)))
};

/// Decides one list, and describes the violation if there is one.
fn decide(key: &Key<'_>) -> Claim {
    method::order(key).map_err(|error| match error {
        SolveError::Violation(violation) => violation.describe(key).into(),
        SolveError::Unknown(why) => why.into(),
    })
}
