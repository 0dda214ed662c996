//! Queues, first in, first out: unique values are decided by pairs of values, repeated ones by a search of their own.

mod method;
mod repeated;
pub(super) mod specification;

use histories::Value;

use super::{
    container::{self, collection::Collection},
    definition::Definition,
    key::{Key, MethodResult, SolveError},
};
use crate::{UnknownWhy, specification::is_list_of};
use specification::{NAMES, Queue};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of values other than null, or null for none", |initial| {
        is_list_of(initial, |element| *element != Value::Nil)
    }),
    method: Some(decide),
    argument: |function| NAMES.argument(function),
    is_informative: |call| NAMES.finds_something(call),
    ..Definition::new("queue", "enqueue and dequeue, first in first out", |initial| {
        Box::new(Collection::<Queue>::new(initial))
    })
};

/// Decides a queue by the method for unique values, or by the other one where that does not fit.
fn decide(key: &Key<'_>) -> MethodResult {
    let claim = match container::decide(key, &method::KIND) {
        Err(SolveError::Unknown(UnknownWhy::Function { .. } | UnknownWhy::Unsupported { .. })) => repeated::decide(key),
        claim => claim,
    };
    key.verified(&key.operations, claim)
}
