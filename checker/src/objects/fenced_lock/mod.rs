//! Locks with fencing tokens, decided like [`super::mutex`].

pub(super) mod specification;

use histories::Value;

use super::{
    definition::Definition,
    mutex::{method, specification::acquires},
};
use crate::specification::Argument;
use specification::FencedLock;

pub(super) static DEFINITION: Definition = Definition {
    initial: ("a whole number, above which all tokens are, or null for none", |initial| {
        matches!(initial, Value::Nil | Value::Int(_))
    }),
    method: Some(|key| key.verified(&key.operations, method::decide(key, true))),
    argument: |function| match acquires(function) {
        Some(true) => Argument::NoneOrAnswer,
        _ => Argument::Any,
    },
    is_informative: |_| true,
    needs_processes: true,
    ..Definition::new("fenced-lock", "as mutex, and each acquire returns a larger token than all before", |initial| {
        Box::new(FencedLock::new(initial))
    })
};
