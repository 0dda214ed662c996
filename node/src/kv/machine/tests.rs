//! Tests of the state machine by hand-made entries.

mod defects;

use serde_json::json;

use super::*;
use crate::{
    kv::{Json, Session},
    raft::Term,
};

fn value(value: &serde_json::Value) -> Json {
    Json::new(value).unwrap()
}

fn put(key: &str, to: u64) -> Op {
    Op::Put { key: key.into(), value: value(&json!(to)) }
}

fn cas(key: &str, from: Option<u64>, to: u64) -> Op {
    Op::Cas { key: key.into(), from: from.map(|from| value(&json!(from))), to: value(&json!(to)) }
}

fn apply(machine: &mut Machine, session: Option<(u64, u64)>, op: Op) -> CommandResult {
    let session = session.map(|(client, seq)| Session { client: LogIndex(client), seq });
    let payload = Payload::Command(Command { session, op }.encode());
    let entry = Entry { index: LogIndex(machine.applied().0 + 1), term: Term(1), payload };
    machine.apply(&entry).unwrap().unwrap()
}

fn found(to: u64, revision: u64) -> VersionedValue {
    VersionedValue { value: Some(value(&json!(to))), revision: LogIndex(revision) }
}

#[test]
fn equal_values_have_one_form() {
    let one = serde_json::from_str(r#"{"b":[1, 2],"a":"x"}"#).unwrap();
    let other = serde_json::from_str(r#"{ "a" : "x", "b":[1,2] }"#).unwrap();
    assert_eq!(Json::new(&one), Json::new(&other));
    assert_ne!(Json::new(&json!(1)), Json::new(&json!("1")));
    assert_eq!(Json::new(&json!(null)), None);
}

#[test]
fn absent_is_not_a_value() {
    let mut machine = Machine::default();
    assert_eq!(machine.get("k"), VersionedValue { value: None, revision: LogIndex(0) });
    assert_eq!(apply(&mut machine, None, Op::Get { key: "k".into() }), CommandResult::Got(machine.get("k")));
}

#[test]
fn a_write_is_read_with_its_index_as_revision() {
    let mut machine = Machine::default();
    assert_eq!(apply(&mut machine, None, put("k", 5)), CommandResult::Put(LogIndex(1)));
    apply(&mut machine, None, put("other", 6));
    assert_eq!(machine.get("k"), found(5, 1));
}

#[test]
fn cas_compares_when_it_is_applied_and_tells_what_it_found() {
    let mut machine = Machine::default();
    let swapped = |observed: Option<u64>, revision| CommandResult::Cas {
        swapped: true,
        observed: observed.map(|it| value(&json!(it))),
        revision: LogIndex(revision),
    };
    assert_eq!(apply(&mut machine, None, cas("k", None, 1)), swapped(None, 1));
    assert_eq!(
        apply(&mut machine, None, cas("k", None, 2)),
        CommandResult::Cas { swapped: false, observed: Some(value(&json!(1))), revision: LogIndex(1) }
    );
    assert_eq!(apply(&mut machine, None, cas("k", Some(1), 3)), swapped(Some(1), 3));
    assert_eq!(machine.get("k"), found(3, 3));
}

#[test]
fn a_retry_gets_the_first_answer_and_changes_nothing() {
    let mut machine = Machine::default();
    assert_eq!(apply(&mut machine, None, Op::Register), CommandResult::Registered(LogIndex(1)));
    let first = apply(&mut machine, Some((1, 1)), cas("k", None, 1));
    apply(&mut machine, None, put("k", 9));
    assert_eq!(apply(&mut machine, Some((1, 1)), cas("k", None, 1)), first);
    assert_eq!(machine.get("k"), found(9, 3));
    apply(&mut machine, Some((1, 3)), put("k", 10));
    assert_eq!(apply(&mut machine, Some((1, 2)), put("k", 11)), CommandResult::OutOfSequence { latest: 3 });
    assert_eq!(machine.get("k"), found(10, 5));
}

fn queued(key: &str, element: u64) -> Op {
    Op::Enqueue { key: key.into(), value: value(&json!(element)) }
}

fn append(key: &str, element: u64) -> MicroOperation {
    MicroOperation::Append { key: key.into(), value: value(&json!(element)) }
}

fn read(key: &str) -> MicroOperation {
    MicroOperation::Read { key: key.into() }
}

fn transaction(micro_operations: &[MicroOperation]) -> Op {
    Op::Transaction { micro_operations: micro_operations.to_vec() }
}

#[test]
fn a_set_takes_each_value_once_and_is_read_like_any_value() {
    let mut machine = Machine::default();
    let add = |element: u64| Op::Add { key: "s".into(), value: value(&json!(element)) };
    let added = |added, revision| CommandResult::Added { added, revision: LogIndex(revision) };
    assert_eq!(apply(&mut machine, None, add(5)), added(true, 1));
    assert_eq!(apply(&mut machine, None, add(7)), added(true, 2));
    assert_eq!(apply(&mut machine, None, add(5)), added(false, 2), "unchanged since then");
    assert_eq!(machine.get("s").value, Some(value(&json!([5, 7]))));
}

#[test]
fn a_queue_gives_back_in_order_what_it_got_and_a_peek_takes_nothing() {
    let mut machine = Machine::default();
    let got = |element: Option<u64>, revision| {
        let value = element.map(|element| value(&json!(element)));
        CommandResult::Got(VersionedValue { value, revision: LogIndex(revision) })
    };
    let (dequeue, first) = (Op::Dequeue { key: "q".into() }, Op::First { key: "q".into() });
    assert_eq!(apply(&mut machine, None, dequeue.clone()), got(None, 0));
    assert_eq!(apply(&mut machine, None, queued("q", 5)), CommandResult::Put(LogIndex(2)));
    apply(&mut machine, None, queued("q", 6));
    for _ in 0..2 {
        assert_eq!(machine.answer(&Query::First("q".into())), got(Some(5), 3));
        assert_eq!(apply(&mut machine, None, first.clone()), got(Some(5), 3), "through the log, too");
    }
    assert_eq!(apply(&mut machine, None, dequeue.clone()), got(Some(5), 6));
    assert_eq!(apply(&mut machine, None, dequeue.clone()), got(Some(6), 7));
    assert_eq!(apply(&mut machine, None, dequeue), got(None, 7), "emptied at 7");
}

#[test]
fn a_counter_is_incremented_and_answers_with_its_sum() {
    let mut machine = Machine::default();
    let increment = |by| Op::Increment { key: "c".into(), by };
    assert_eq!(apply(&mut machine, None, increment(5)), CommandResult::Got(found(5, 1)));
    assert_eq!(apply(&mut machine, None, increment(-2)), CommandResult::Got(found(3, 2)));
    assert_eq!(machine.get("c"), found(3, 2));
    apply(&mut machine, None, queued("list", 1));
    let refused = apply(&mut machine, None, Op::Increment { key: "list".into(), by: 1 });
    assert_eq!(refused, CommandResult::Refused(Refusal::NotAnInteger));
}

#[test]
fn a_key_is_removed_if_it_has_the_value_and_can_be_made_again() {
    let mut machine = Machine::default();
    let delete = |from: Option<u64>| Op::Delete { key: "k".into(), from: from.map(|from| value(&json!(from))) };
    let answer = |swapped, observed: Option<u64>, revision| CommandResult::Cas {
        swapped,
        observed: observed.map(|it| value(&json!(it))),
        revision: LogIndex(revision),
    };
    apply(&mut machine, None, cas("k", None, 1));
    assert_eq!(apply(&mut machine, None, delete(Some(2))), answer(false, Some(1), 1));
    assert_eq!(apply(&mut machine, None, delete(None)), answer(false, Some(1), 1));
    assert_eq!(apply(&mut machine, None, delete(Some(1))), answer(true, Some(1), 0));
    assert_eq!(machine.get("k"), VersionedValue { value: None, revision: LogIndex(0) });
    assert_eq!(apply(&mut machine, None, delete(Some(1))), answer(false, None, 0));
    assert_eq!(apply(&mut machine, None, cas("k", None, 2)), answer(true, None, 6), "a larger revision than before");
}

#[test]
fn a_retried_dequeue_takes_one_element_and_answers_with_it_again() {
    let mut machine = Machine::default();
    apply(&mut machine, None, Op::Register);
    apply(&mut machine, None, queued("q", 5));
    apply(&mut machine, None, queued("q", 6));
    let dequeue = || Op::Dequeue { key: "q".into() };
    let first = apply(&mut machine, Some((1, 1)), dequeue());
    assert_eq!(first, CommandResult::Got(found(5, 4)));
    assert_eq!(apply(&mut machine, Some((1, 1)), dequeue()), first);
    assert_eq!(machine.get("q").value, Some(value(&json!([6]))));
}

#[test]
fn a_transaction_is_one_step_and_sees_its_own_appends() {
    let mut machine = Machine::default();
    let micros = [read("a"), append("a", 1), read("a"), append("b", 2), append("a", 3)];
    let list = |elements: &[u64]| Some(value(&json!(elements)));
    let expected = vec![None, None, list(&[1]), None, None];
    let applied = apply(&mut machine, None, transaction(&micros));
    assert_eq!(applied, CommandResult::Transaction { found: expected, revision: LogIndex(1) });
    apply(&mut machine, None, put("other", 0));
    let both = Query::Values(vec!["b".into(), "a".into(), "none".into()]);
    let found = vec![list(&[2]), list(&[1, 3]), None];
    assert_eq!(machine.answer(&both), CommandResult::Transaction { found: found.clone(), revision: LogIndex(2) });
    let logged = apply(&mut machine, None, both.into_op());
    assert_eq!(logged, CommandResult::Transaction { found, revision: LogIndex(3) });
}

#[test]
fn numbers_are_added_unless_one_would_be_too_small() {
    let mut machine = Machine::default();
    let add = |key: &str, number| MicroOperation::Add { key: key.into(), number };
    let at_least = |key: &str, number| MicroOperation::AtLeast { key: key.into(), number };
    let transfer = |amount: i64| transaction(&[add("a", -amount), at_least("a", -10), add("b", amount), read("b")]);
    let applied = apply(&mut machine, None, transfer(4));
    let found = vec![None, None, None, Some(value(&json!(4)))];
    assert_eq!(applied, CommandResult::Transaction { found, revision: LogIndex(1) });
    assert_eq!(apply(&mut machine, None, transfer(7)), CommandResult::Refused(Refusal::TooSmall));
    assert_eq!(["a", "b"].map(|key| machine.get(key).value), [-4, 4].map(|number| Some(value(&json!(number)))));
    apply(&mut machine, None, queued("list", 1));
    for (refused, why) in [
        (add("b", i64::MAX), Refusal::SumTooLarge),
        (add("list", 1), Refusal::NotAnInteger),
        (at_least("list", 0), Refusal::NotAnInteger),
    ] {
        assert_eq!(apply(&mut machine, None, transaction(&[refused])), CommandResult::Refused(why));
    }
}

#[test]
fn rows_count_on_and_have_the_revision_of_their_transaction() {
    let mut machine = Machine::default();
    let insert = |key: &str| MicroOperation::Insert { key: key.into() };
    let row = |val: i64, sts: u64| value(&json!({"val": val, "sts": sts}));
    let applied = apply(&mut machine, None, transaction(&[insert("a"), insert("a"), insert("b")]));
    let found = vec![Some(row(1, 1)), Some(row(2, 1)), Some(row(1, 1))];
    assert_eq!(applied, CommandResult::Transaction { found, revision: LogIndex(1) });
    let refused = transaction(&[insert("a"), append("number", 1), MicroOperation::Insert { key: "number".into() }]);
    assert_eq!(apply(&mut machine, None, refused), CommandResult::Refused(Refusal::NotRows));
    let applied = apply(&mut machine, None, transaction(&[insert("a")]));
    assert_eq!(applied, CommandResult::Transaction { found: vec![Some(row(3, 3))], revision: LogIndex(3) });
}

#[test]
fn a_transaction_that_is_refused_changes_nothing_at_all() {
    let mut machine = Machine::default();
    apply(&mut machine, None, put("number", 5));
    for _ in 0..2 {
        let long = value(&json!("x".repeat(MAX_LIST_BYTES / 2 - 10)));
        apply(&mut machine, None, Op::Enqueue { key: "long".into(), value: long });
    }
    let before = machine.freeze()();
    let full = MicroOperation::Append { key: "long".into(), value: value(&json!("y".repeat(100))) };
    for (last, refusal) in [(append("number", 1), Refusal::NotAList), (full, Refusal::ListFull)] {
        let refused = apply(&mut machine, None, transaction(&[append("a", 1), last]));
        assert_eq!(refused, CommandResult::Refused(refusal));
    }
    let much = transaction(&[append("a", 1), read("long"), read("long")]);
    assert_eq!(apply(&mut machine, None, much), CommandResult::Refused(Refusal::TooMuchRead));
    assert_eq!(machine.freeze()(), before);
    for op in [queued("number", 1), Op::Dequeue { key: "number".into() }, Op::First { key: "number".into() }] {
        assert_eq!(apply(&mut machine, None, op), CommandResult::Refused(Refusal::NotAList));
    }
}

/// A retry that comes after its session has expired must not overwrite later writes, nor be answered as if it had
/// succeeded.
#[test]
fn a_retry_of_an_expired_session_changes_nothing_and_is_told_so_after_a_snapshot_too() {
    let mut machine = Machine::default();
    apply(&mut machine, None, Op::Register);
    apply(&mut machine, Some((1, 1)), put("k", 1));
    apply(&mut machine, None, put("k", 2));
    for _ in 0..crate::kv::session::MAX_CLIENTS {
        apply(&mut machine, None, Op::Register);
    }
    let mut other = Machine::default();
    other.restore(machine.applied(), &machine.freeze()()).unwrap();
    for machine in [&mut machine, &mut other] {
        for seq in [1, 2] {
            assert_eq!(apply(machine, Some((1, seq)), put("k", 1)), CommandResult::Expired);
        }
        assert_eq!(machine.get("k"), found(2, 3));
    }
}

#[test]
fn a_snapshot_carries_values_revisions_and_sessions_and_replaces_all() {
    let mut machine = Machine::default();
    apply(&mut machine, None, Op::Register);
    let first = apply(&mut machine, Some((1, 1)), put("k", 1));
    let mut other = Machine::default();
    apply(&mut other, None, put("gone", 1));
    other.restore(machine.applied(), &machine.freeze()()).unwrap();
    assert_eq!(other.state, machine.state);
    assert_eq!(other.applied(), LogIndex(2));
    assert_eq!(apply(&mut other, Some((1, 1)), put("k", 1)), first, "still once after a restart from a snapshot");
}

#[test]
fn an_unreadable_snapshot_or_entry_is_an_error_and_changes_nothing() {
    let mut machine = Machine::default();
    apply(&mut machine, None, put("k", 1));
    let state = machine.freeze()();
    assert_eq!(machine.restore(LogIndex(9), &[0xff; 3]), Err(MachineError::Snapshot(LogIndex(9))));
    let entry = Entry { index: LogIndex(2), term: Term(1), payload: Payload::Command(Bytes::from_static(&[9])) };
    assert_eq!(machine.apply(&entry), Err(MachineError::Entry(LogIndex(2))));
    assert_eq!((machine.freeze()(), machine.applied), (state, LogIndex(1)));
}

#[test]
fn a_gap_and_a_repetition_are_refused() {
    let mut machine = Machine::default();
    let entry = |index| Entry { index: LogIndex(index), term: Term(1), payload: Payload::Noop };
    assert_eq!(machine.apply(&entry(1)), Ok(None));
    for index in [1, 3] {
        let refused = MachineError::NotNext { applied: LogIndex(1), found: LogIndex(index) };
        assert_eq!(machine.apply(&entry(index)), Err(refused));
    }
}
