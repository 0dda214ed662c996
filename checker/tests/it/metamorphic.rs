//! What must not change a verdict, or only in one direction.

use checker::{Model, Options, Verdict, check};
use histories::{History, NEVER, Outcome};

use crate::random::{self, Kind};

fn verdict(history: &History) -> Verdict {
    check(history, &Options::new(Model::Register)).verdict
}

/// Changes many histories in a way of its own; how many were linearizable.
fn on_random_histories(salt: u64, mut change: impl FnMut(History, Verdict)) {
    for (seed, kind) in (0..6_000).zip([Kind::Unique, Kind::Repeated(3)].into_iter().cycle()) {
        let history = random::history(kind, salt << 32 | seed, 14);
        let before = verdict(&history);
        change(history, before);
    }
}

#[test]
fn a_wider_interval_keeps_a_yes() {
    let mut kept = 0;
    on_random_histories(11, |mut history, before| {
        let place = history.operations.len() / 2;
        let end = history.operations[place].completed;
        if before == Verdict::Linearizable && end != NEVER {
            // Past everything, so that the ranks stay different.
            history.operations[place].completed = 1_000_000;
            assert_eq!(verdict(&history), Verdict::Linearizable, "{:#?}", history.operations);
            kept += 1;
        }
    });
    assert!(kept > 1_000, "only {kept} histories could be widened");
}

#[test]
fn an_outcome_that_becomes_unknown_keeps_a_yes() {
    let mut kept = 0;
    on_random_histories(12, |mut history, before| {
        let operation = history.operations.iter_mut().rev().find(|operation| operation.outcome == Outcome::Ok);
        if let (Verdict::Linearizable, Some(operation)) = (before, operation) {
            operation.outcome = Outcome::Info;
            operation.completed = NEVER;
            assert_eq!(verdict(&history), Verdict::Linearizable, "{:#?}", history.operations);
            kept += 1;
        }
    });
    assert!(kept > 1_000, "only {kept} histories had an outcome to forget");
}

#[test]
fn who_did_it_does_not_matter() {
    on_random_histories(13, |mut history, before| {
        for operation in &mut history.operations {
            operation.process = 1_000 - operation.process;
        }
        assert_eq!(verdict(&history), before);
    });
}
