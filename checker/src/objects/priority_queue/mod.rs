//! Priority queues, decided by the gaps that smaller values leave.

mod method;
pub(super) mod specification;

use histories::Value;

use super::{container, definition::Definition};
use crate::specification::is_collection_of;
use specification::PriorityQueue;

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of whole numbers, or null for none", |initial| {
        is_collection_of(initial, |element| matches!(element, Value::Int(_)))
    }),
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    ..Definition::of_collection::<PriorityQueue>("priority-queue", "insert, and poll of the smallest")
};
