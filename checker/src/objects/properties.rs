//! Rows of the models that are no object but a property of all operations; the properties are in `crate::properties`.

use super::definition::Definition;
use histories::Value;

use crate::{
    properties::{
        Bank, Causal, CausalReverse, G2 as AdyaG2, Kafka, LeasedLock, Monotonic, PnCounter, Sequential, SetFull,
        UniqueIds,
    },
    specification::is_collection_of,
};

pub(super) static UNIQUE_IDS: Definition =
    Definition::of_property("unique-ids", "generate, which never answers the same twice", &UniqueIds);

pub(super) static BANK: Definition = Definition {
    initial: (
        "a total, or balances as a map or a list, none below zero, or null if nothing is known of it",
        |initial| Bank::WITHOUT_DEBTS.begins_with(initial),
    ),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("bank", "transfer between accounts, and read of all balances", &Bank::WITHOUT_DEBTS)
};

pub(super) static BANK_NEGATIVE_BALANCES: Definition = Definition {
    initial: ("a total, or balances as a map or a list, or null if nothing is known of it", |initial| {
        Bank::WITH_DEBTS.begins_with(initial)
    }),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("bank-negative-balances", "as bank, but a balance may be below zero", &Bank::WITH_DEBTS)
};

pub(super) static SET_FULL: Definition = Definition {
    initial: ("a list of elements, or null for none", |initial| is_collection_of(initial, |_| true)),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property("set-full", "add, and read of all elements, none of which may be lost", &SetFull)
};

pub(super) static PN_COUNTER: Definition = Definition {
    initial: ("a whole number, or null for 0", |initial| matches!(initial, Value::Nil | Value::Int(_))),
    is_informative: |call| call.function == "read" && call.output.is_some(),
    needs_processes: true,
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

pub(super) static CAUSAL: Definition = Definition {
    is_informative: |call| call.function != "write" && call.output.is_some(),
    needs_processes: true,
    ..Definition::of_property("causal", "read, write and cas of unique values, over all keys together", &Causal)
};

pub(super) static CAUSAL_REVERSE: Definition = Definition {
    is_informative: |call| call.function == "read" && call.output.is_some(),
    ..Definition::of_property(
        "causal-reverse",
        "write, and read of all that was written, none of it without what was there before",
        &CausalReverse,
    )
};

pub(super) static G2: Definition =
    Definition::of_property("g2", "insert of [id null] or [null id], of which one at most succeeds", &AdyaG2);

pub(super) static LEASED_LOCK: Definition = Definition {
    initial: ("a whole number, above which all tokens are, or null for none", |initial| {
        matches!(initial, Value::Nil | Value::Int(_))
    }),
    is_informative: |call| call.function != "release",
    ..Definition::of_property(
        "leased-lock",
        "acquire, answered by a token, release, and write under a token to what the lock guards",
        &LeasedLock,
    )
};

pub(super) static MONOTONIC: Definition = Definition {
    is_informative: |call| call.function == "read" && call.output.is_some(),
    needs_processes: true,
    ..Definition::of_property("monotonic", "add of growing values, and read of all by their timestamps", &Monotonic)
};

pub(super) static KAFKA: Definition = Definition {
    is_informative: |call| matches!(call.function, "send" | "poll" | "txn") && call.output.is_some(),
    needs_processes: true,
    ..Definition::of_property(
        "kafka",
        "send to logs, answered by an offset, poll of offsets with values, and txn of both",
        &Kafka,
    )
};
