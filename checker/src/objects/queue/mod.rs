//! Queues, first in, first out: unique values are decided by pairs of values, repeated ones by a search of their own.

mod method;
mod repeated;
pub(super) mod specification;

use super::{
    container,
    definition::Definition,
    key::{Key, MethodResult, SolveError},
};
use crate::UnknownWhy;
use specification::Queue;

pub(super) static DEFINITION: Definition = Definition {
    method: Some(decide),
    ..Definition::of_collection::<Queue>("queue", "enqueue and dequeue, first in first out")
};

/// Decides a queue by the method for unique values, or by the other one where that does not fit.
fn decide(key: &Key<'_>) -> MethodResult {
    let claim = match container::decide(key, &method::KIND) {
        Err(SolveError::Unknown(UnknownWhy::Function { .. } | UnknownWhy::Unsupported { .. })) => repeated::decide(key),
        claim => claim,
    };
    key.verified(&key.operations, claim)
}
