//! Stacks, decided block by block.

mod method;
mod segments;
pub(super) mod specification;

use histories::Value;

use super::{
    container::{self, collection::Collection},
    definition::Definition,
};
use crate::specification::is_list_of;
use specification::{NAMES, Stack};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of values other than null, or null for none", |initial| {
        is_list_of(initial, |element| *element != Value::Nil)
    }),
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    argument: |function| NAMES.argument(function),
    is_informative: |call| NAMES.finds_something(call),
    ..Definition::new("stack", "push and pop, last in first out", |initial| Box::new(Collection::<Stack>::new(initial)))
};
