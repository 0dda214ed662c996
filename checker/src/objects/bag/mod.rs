//! Bags, decided by the gaps in which nothing is certainly inside.

mod method;
pub(super) mod specification;

use histories::Value;

use super::{container, definition::Definition};
use crate::specification::is_collection_of;
use specification::Bag;

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of values other than null, or null for none", |initial| {
        is_collection_of(initial, |element| *element != Value::Nil)
    }),
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    ..Definition::of_collection::<Bag>("bag", "add and take, in any order")
};
