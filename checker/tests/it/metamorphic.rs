//! Metamorphic tests: changes of a history that must not change its verdict, or only in one direction.

use checker::{Model, Options, Verdict, check};
use histories::{History, NEVER, Outcome, ValueId};

use crate::{
    models,
    oracles::share_of,
    random::{self, Kind},
};

const HISTORIES: u64 = 6_000;

const OBJECTS: [Model; 10] = [
    Model::MultiRegister,
    Model::Set,
    Model::Counter,
    Model::Queue,
    Model::Bag,
    Model::Stack,
    Model::PriorityQueue,
    Model::List,
    Model::Mutex,
    Model::FencedLock,
];

/// Applies a change to many histories of every model; `change` returns true if the verdict must stay the same.
fn on_random_histories(salt: u64, mut change: impl FnMut(&mut History, Verdict) -> bool) {
    let objects = OBJECTS.map(|model| (model, None));
    let registers = [Kind::Unique, Kind::Repeated(3)].map(|kind| (Model::Register, Some(kind)));
    for (model, kind) in registers.into_iter().chain(objects) {
        let verdict = |history: &History| check(history, &Options::new(model)).verdict;
        let mut compared = 0;
        for seed in 0..share_of(HISTORIES) {
            let seed = salt << 32 | seed;
            let mut history = kind.map_or_else(|| models::random(model, seed), |kind| random::history(kind, seed, 14));
            if history.operations.is_empty() {
                continue;
            }
            let before = verdict(&history);
            if change(&mut history, before) {
                assert_eq!(verdict(&history), before, "{model:?}: {:#?}", history.operations);
                compared += 1;
            }
        }
        assert!(compared > share_of(HISTORIES) / 8, "{model:?}: only {compared} histories could be changed");
    }
}

#[test]
fn a_wider_interval_keeps_a_yes() {
    on_random_histories(11, |history, before| {
        // The last operation of its process, which has one operation at a time.
        let half = history.operations.len() / 2;
        let (_, later) = history.operations.split_at_mut(half);
        let last = (0..later.len()).find(|&at| later[at + 1..].iter().all(|other| other.process != later[at].process));
        let end = &mut later[last.expect("there is a last one")].completed;
        if before != Verdict::Linearizable || *end == NEVER {
            return false;
        }
        // Beyond all other ranks, so that they stay distinct.
        *end = 1_000_000;
        true
    });
}

#[test]
fn an_outcome_that_becomes_unknown_keeps_a_yes() {
    on_random_histories(12, |history, before| {
        let operation = history.operations.iter_mut().rev().find(|operation| operation.outcome == Outcome::Ok);
        let Some(operation) = operation.filter(|_| before == Verdict::Linearizable) else { return false };
        (operation.outcome, operation.completed, operation.output) = (Outcome::Info, NEVER, ValueId::UNKNOWN);
        true
    });
}

#[test]
fn who_did_it_does_not_matter() {
    on_random_histories(13, |history, _| {
        for operation in &mut history.operations {
            operation.process = 1_000 - operation.process;
        }
        true
    });
}
