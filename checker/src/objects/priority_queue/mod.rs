//! Priority queues, decided by the gaps that smaller values leave.

mod method;
pub(super) mod specification;

use histories::Value;

use super::{
    container::{self, collection::Collection},
    definition::Definition,
};
use crate::specification::is_collection_of;
use specification::{NAMES, PriorityQueue};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of whole numbers, or null for none", |initial| {
        is_collection_of(initial, |element| matches!(element, Value::Int(_)))
    }),
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    argument: |function| NAMES.argument(function),
    is_informative: |call| NAMES.finds_something(call),
    ..Definition::new("priority-queue", "insert, and poll of the smallest", |initial| {
        Box::new(Collection::<PriorityQueue>::new(initial))
    })
};
