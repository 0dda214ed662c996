//! Counters, decided by a sweep that counts as late as possible; those of other numbers than 1 by what they can come
//! to, and else by the general search.

mod answers;
mod bounds;
mod method;
pub(super) mod specification;

use histories::Value;

use super::definition::Definition;
use crate::specification::Argument;
use specification::{Counter, needs_number};

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a whole number, or null for 0", |initial| matches!(initial, Value::Nil | Value::Int(_))),
    method: Some(|key| key.verified(&key.operations, method::decide(key))),
    argument: |function| match function {
        "read" => Argument::NoneOrAnswer,
        _ if needs_number(function) => Argument::Some,
        _ => Argument::Any,
    },
    is_informative: |call| call.output.is_some() && call.function == "read",
    ..Definition::new("counter", "inc, dec, add and read", |initial| Box::new(Counter::new(initial)))
};
