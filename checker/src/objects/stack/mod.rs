//! Stacks, decided block by block.

mod method;
mod segments;
pub(super) mod specification;

use super::{container, definition::Definition};
use specification::Stack;

pub(super) static DEFINITION: Definition = Definition {
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    ..Definition::of_collection::<Stack>("stack", "push and pop, last in first out")
};
