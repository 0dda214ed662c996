//! Tests of the second opinion, on registers.

use histories::{Event, EventType, History, HistoryBuilder, Operation, Process, Value};

use super::specification::Register;
use crate::{
    budget::Budget,
    verify::{RegisterByNumber, ReplayError, Verify, register_calls, some_order},
};

/// Returns true if some order explains these operations of a register alone.
fn can_be_ordered(history: &History, indexes: &[usize], tries: usize) -> Option<bool> {
    let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
    let calls = register_calls(history, &Value::Nil, &operations);
    some_order(&Register::new(&Value::Nil, true), &operations, &calls, tries, &Budget::endless())
}

/// Builds a history from events: process, kind, function, value.
fn history(events: &[(u64, EventType, &'static str, Value)]) -> History {
    let mut builder = HistoryBuilder::default();
    for (process, kind, f, value) in events {
        let mut event = Event::new(Process::Client(*process), *kind, *f);
        event.value = Some(value.clone());
        builder.push(event).unwrap();
    }
    builder.finish()
}

use EventType::{Invoke, Ok as Done};

#[test]
fn replay_refuses_what_is_no_linearization() {
    let history = history(&[
        (0, Invoke, "write", 1.into()),
        (0, Done, "write", 1.into()),
        (0, Invoke, "read", Value::Nil),
        (1, Invoke, "write", 2.into()),
        (0, Done, "read", 1.into()),
        (1, Done, "write", 2.into()),
    ]);
    let replay_of = |all: &[u32], order: &[u32]| {
        let budget = Budget::endless();
        let by_numbers = RegisterByNumber(&Value::Nil).replay(&history, all, order, &budget);
        assert_eq!(by_numbers, Register::new(&Value::Nil, true).replay(&history, all, order, &budget));
        by_numbers
    };
    let replay = |order: &[u32]| replay_of(&[0, 1, 2], order);
    let why_not = |order: &[u32]| {
        let Err(ReplayError::Wrong(why)) = replay(order) else { panic!("{order:?} is wrong") };
        why
    };
    assert_eq!(replay(&[0, 1, 2]), Ok(()));
    assert!(why_not(&[0, 1]).contains("2 of 3"), "one is missing");
    assert!(why_not(&[0, 1, 2, 2]).contains("twice"));
    assert!(why_not(&[1, 0, 2]).contains("could not have seen"));
    assert!(why_not(&[2, 0, 1]).contains("began when it was over"));
    assert!(why_not(&[0, 2, 1]).contains("could not have seen"));
    assert!(replay_of(&[0, 2], &[0, 1]).is_err(), "one is of something else, and as many are certain");
}

#[test]
fn every_order_is_tried() {
    let history = history(&[
        (0, Invoke, "write", 1.into()),
        (1, Invoke, "write", 2.into()),
        (0, Done, "write", 1.into()),
        (1, Done, "write", 2.into()),
        (0, Invoke, "read", Value::Nil),
        (0, Done, "read", 1.into()),
        (0, Invoke, "read", Value::Nil),
        (0, Done, "read", 2.into()),
    ]);
    let ordered = |indexes: &[usize]| can_be_ordered(&history, indexes, 1000);
    assert_eq!(ordered(&[0, 1, 2]), Some(true));
    assert_eq!(ordered(&[0, 1, 3]), Some(true));
    assert_eq!(ordered(&[0, 1, 2, 3]), Some(false));
    assert_eq!(can_be_ordered(&history, &[0, 1, 2, 3], 1), None, "it gives up in time");
}

#[test]
fn only_a_cas_that_matched_counts_as_a_write_where_nobody_set_what_it_expects() {
    let pair = |from: i64, to: i64| Value::List(vec![from.into(), to.into()]);
    let history = history(&[
        (0, Invoke, "write", 1.into()),
        (0, Done, "write", 1.into()),
        (0, Invoke, "cas", pair(1, 2)),
        (0, Done, "cas", pair(1, 2)),
        (0, Invoke, "read", Value::Nil),
        (0, Done, "read", 2.into()),
        (0, Invoke, "cas", pair(9, 3)),
        (0, Done, "cas", pair(9, 3)),
        (0, Invoke, "write", 4.into()),
        (0, Done, "write", 4.into()),
        (0, Invoke, "read", Value::Nil),
        (0, Done, "read", Value::Nil),
    ]);
    let ordered = |indexes: &[usize]| can_be_ordered(&history, indexes, 1000);
    assert_eq!(ordered(&[1, 2]), Some(true), "another one, left out, set 1");
    assert_eq!(ordered(&[0, 1, 2]), Some(true));
    assert_eq!(ordered(&[3]), Some(false), "nobody at all set 9");
    assert_eq!(ordered(&[1, 4]), Some(true), "a write is a write");
    assert_eq!(ordered(&[2]), Some(false), "a read is no write, whoever set what it saw");
    assert_eq!(ordered(&[4, 5]), Some(false));
}
