//! Bags, decided by the gaps in which nothing is certainly inside.

mod method;
pub(super) mod specification;

use histories::Value;

use super::{
    container::{self, collection::Collection},
    definition::Definition,
};
use crate::specification::is_collection_of;
use specification::{Bag, NAMES};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a list of values other than null, or null for none", |initial| {
        is_collection_of(initial, |element| *element != Value::Nil)
    }),
    method: Some(|key| key.verified(&key.operations, container::decide(key, &method::KIND))),
    argument: |function| NAMES.argument(function),
    is_informative: |call| NAMES.finds_something(call),
    ..Definition::new("bag", "add and take, in any order", |initial| Box::new(Collection::<Bag>::new(initial)))
};
