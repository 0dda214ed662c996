//! Planted defects of the state machine: each test shows the broken rule with the defect, and that it holds without.

use super::*;

#[test]
fn a_cas_that_does_not_compare() {
    assert!(Defect::CasIgnoresFrom.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, None, put("k", 5));
        apply(&mut machine, None, cas("k", Some(4), 6));
        machine.get("k") == found(6, 2)
    }));
}

#[test]
fn a_write_without_effect() {
    assert!(Defect::DropsWrites.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        (1..=50).for_each(|value| drop(apply(&mut machine, None, put("k", value))));
        machine.get("k") == found(49, 49)
    }));
}

#[test]
fn a_lock_released_by_another_than_its_holder() {
    assert!(Defect::DeleteIgnoresOwner.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, None, put("lock", 1));
        apply(&mut machine, None, Op::Delete { key: "lock".into(), from: Some(value(&json!(2))) });
        machine.get("lock").value.is_none()
    }));
}

#[test]
fn a_token_that_comes_again() {
    assert!(Defect::TokensRepeat.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        let mut acquire = || {
            let acquired = apply(&mut machine, None, cas("lock", None, 1));
            apply(&mut machine, None, Op::Delete { key: "lock".into(), from: Some(value(&json!(1))) });
            acquired
        };
        acquire() == acquire()
    }));
}

#[test]
fn an_element_that_stays() {
    assert!(Defect::DequeueKeepsElement.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, None, Op::Enqueue { key: "q".into(), value: value(&json!(7)) });
        apply(&mut machine, None, Op::Dequeue { key: "q".into() });
        machine.get("q") == VersionedValue { value: Some(value(&json!([7]))), revision: LogIndex(1) }
    }));
}

#[test]
fn replicas_that_count_differently() {
    assert!(Defect::IncrementsByChance.is_shown_by(|defect| {
        let count = || {
            let mut machine = Machine::new(defect);
            (0..64).for_each(|_| drop(apply(&mut machine, None, Op::Increment { key: "n".into(), by: 1 })));
            machine.get("n")
        };
        (0..64).any(|_| count() != count())
    }));
}

/// Returns the balances of two accounts, one with 5 and one with none, after a transaction that moves `number` from
/// the first to the second, unless the first would be overdrawn.
fn balances(number: i64, defect: Option<Defect>) -> [Option<Json>; 2] {
    let mut machine = Machine::new(defect);
    apply(&mut machine, None, put("a", 5));
    let add = |key: &str, number| MicroOperation::Add { key: key.into(), number };
    let enough = MicroOperation::AtLeast { key: "a".into(), number: 0 };
    let micro_operations = vec![add("a", -number), enough, add("b", number)];
    apply(&mut machine, None, Op::Transaction { micro_operations });
    ["a", "b"].map(|key| machine.get(key).value)
}

#[test]
fn a_transaction_that_is_carried_out_in_part() {
    assert!(Defect::HalfTransaction.is_shown_by(|defect| balances(3, defect) == [Some(value(&json!(2))), None]));
}

#[test]
fn a_refused_transaction_with_an_effect() {
    assert!(
        Defect::RefusedTransactionStays.is_shown_by(|defect| balances(9, defect) == [Some(value(&json!(-4))), None])
    );
}

#[test]
fn a_transaction_that_does_not_see_its_own_write() {
    assert!(Defect::TransactionMissesOwnWrites.is_shown_by(|defect| {
        let write = MicroOperation::Write { key: "k".into(), value: value(&json!(1)) };
        let micro_operations = vec![write, MicroOperation::Read { key: "k".into() }];
        let read = apply(&mut Machine::new(defect), None, Op::Transaction { micro_operations });
        read == CommandResult::Transaction { found: vec![None, None], revision: LogIndex(1) }
    }));
}

#[test]
fn a_retry_that_takes_effect_again() {
    assert!(Defect::IgnoresSequenceNumbers.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, None, Op::Register);
        (0..2).for_each(|_| drop(apply(&mut machine, Some((1, 1)), Op::Increment { key: "n".into(), by: 1 })));
        machine.get("n").value == Json::new(&json!(2))
    }));
}

#[test]
fn a_command_of_a_session_that_nobody_knows() {
    assert!(Defect::ServesUnknownSessions.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, Some((9, 1)), put("k", 5));
        machine.get("k") == found(5, 1)
    }));
}

/// Returns a machine that has restored the snapshot of another at index 2, where a session began and `k` was written.
fn restored(defect: Option<Defect>) -> Machine {
    let mut machine = Machine::new(defect);
    apply(&mut machine, None, Op::Register);
    apply(&mut machine, None, put("k", 5));
    let data = machine.freeze()();
    let mut restored = Machine::new(defect);
    apply(&mut restored, None, put("gone", 1));
    restored.restore(LogIndex(2), &data).unwrap();
    restored
}

#[test]
fn a_key_that_outlives_a_snapshot_without_it() {
    assert!(Defect::MergesSnapshot.is_shown_by(|defect| restored(defect).get("gone").value.is_some()));
}

#[test]
fn a_snapshot_without_the_last_write() {
    assert!(Defect::SnapshotLacksLastWrite.is_shown_by(|defect| restored(defect).get("k").value.is_none()));
}

#[test]
fn a_snapshot_without_sessions() {
    assert!(
        Defect::SessionsNotInSnapshot.is_shown_by(|defect| {
            apply(&mut restored(defect), Some((1, 1)), put("k", 6)) == CommandResult::Expired
        })
    );
}

#[test]
fn a_snapshot_that_cannot_be_read() {
    assert!(
        Defect::SwallowsRestoreError
            .is_shown_by(|defect| { Machine::new(defect).restore(LogIndex(7), b"\xff\xff\xff").is_ok() })
    );
}

/// Returns the value of a counter that was increased once, right after a snapshot.
fn counted_after_snapshot(defect: Option<Defect>) -> Option<Json> {
    let mut machine = restored(defect);
    let payload = Payload::Command(Command { session: None, op: Op::Increment { key: "n".into(), by: 1 } }.encode());
    machine.apply(&Entry { index: LogIndex(3), term: Term(1), payload }).unwrap();
    machine.get("n").value
}

#[test]
fn an_entry_applied_twice() {
    assert!(
        Defect::AppliesTwiceAfterSnapshot.is_shown_by(|defect| counted_after_snapshot(defect) == Json::new(&json!(2)))
    );
}

#[test]
fn an_entry_skipped() {
    assert!(Defect::SkipsEntryAfterSnapshot.is_shown_by(|defect| counted_after_snapshot(defect).is_none()));
}
