//! Rows of the models that are no object but a property of all operations; the properties are in `crate::properties`.

use super::definition::Definition;
use histories::Value;

use crate::{
    properties::{Bank, Kafka, Monotonic, PnCounter, Sequential, SetFull, UniqueIds},
    specification::is_collection_of,
};

pub(super) static UNIQUE_IDS: Definition =
    Definition::of_property("unique-ids", "generate, which never answers the same twice", &UniqueIds);

pub(super) static BANK: Definition = Definition {
    initial: (
        "a total, or balances as a map or a list, none below zero, or null if nothing is known of it",
        Bank::begins_with,
    ),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("bank", "transfer between accounts, and read of all balances", &Bank)
};

pub(super) static SET_FULL: Definition = Definition {
    initial: ("a list of elements, or null for none", |initial| is_collection_of(initial, |_| true)),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("set-full", "add, and read of all elements, none of which may be lost", &SetFull)
};

pub(super) static PN_COUNTER: Definition = Definition {
    initial: ("a whole number, or null for 0", |initial| matches!(initial, Value::Nil | Value::Int(_))),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("pn-counter", "add of a number, and read, which is right once all are over", &PnCounter)
};

pub(super) static SEQUENTIAL: Definition = Definition {
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property(
        "sequential",
        "write of a key's parts in their order, and read of them in reverse order",
        &Sequential,
    )
};

pub(super) static MONOTONIC: Definition = Definition {
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("monotonic", "add of growing values, and read of all by their timestamps", &Monotonic)
};

pub(super) static KAFKA: Definition = Definition {
    is_informative: |call| matches!(call.function, "send" | "poll") && call.output.is_some(),
    ..Definition::of_property("kafka", "send to logs, answered by an offset, and poll of offsets with values", &Kafka)
};
