//! Tests with many operations open at once: a small history keeps its verdict among them, since they can take effect
//! unnoticed.

use checker::{Model, Options, UnknownWhy, Verdict, check};
use histories::{Event, EventType, Process, Value};

use crate::{
    oracle,
    oracles::share_of,
    random::{Kind, paired, simulated},
};

const HISTORIES: u64 = 400;
const MAX_OPERATIONS: usize = 7;

/// First process of the crowd, which the small history does not use.
const CROWD: u64 = 1 << 20;

/// Returns the operations of `size` more clients that last all the time: half of them read the initial value, half
/// write a value that is never read.
fn crowd(size: u64) -> [Vec<Event<'static>>; 2] {
    [EventType::Invoke, EventType::Ok].map(|kind| {
        let event = |number| {
            let is_read = number % 2 == 0;
            let mut event = Event::new(Process::Client(CROWD + number), kind, if is_read { "read" } else { "write" });
            event.time = if kind == EventType::Ok { 1 << 40 } else { 0 };
            event.value = Some(if is_read { Value::Nil } else { Value::Int(-1) });
            event
        };
        (0..size).map(event).collect()
    })
}

fn agree_among(size: u64) {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..share_of(HISTORIES) {
        let kind = if seed.is_multiple_of(2) { Kind::Repeated(3) } else { Kind::Unique };
        let mut simulation = simulated(kind, 96 << 32 | seed, MAX_OPERATIONS);
        simulation.mutate();
        // A mismatched cas without the value found could have found what the crowd wrote.
        if simulation.events.iter().any(|event| event.mismatch) {
            continue;
        }
        let truth = oracle::is_linearizable(&paired(simulation.events.clone()), &Value::Nil);
        let [begin, end] = crowd(size);
        let history = paired(begin.into_iter().chain(simulation.events).chain(end));
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        for search_only in [false, true] {
            let options = Options { search_only, ..Options::new(Model::Register) };
            assert_eq!(check(&history, &options).verdict, expected, "seed {seed} among {size}");
        }
        *if truth { &mut yes } else { &mut no } += 1;
    }
    assert!(yes.min(no) * 8 >= share_of(HISTORIES), "both verdicts must be well represented: {yes} {no}");
}

#[test]
fn among_few() {
    agree_among(20);
}

#[test]
fn among_more_than_a_word_has_bits() {
    agree_among(70);
}

#[test]
fn among_more_than_two_words_have_bits() {
    agree_among(150);
}

#[test]
fn among_more_than_eight_words_have_bits() {
    agree_among(520);
}

#[test]
fn more_than_the_search_holds_are_told() {
    let [begin, end] = crowd(4098);
    let history = paired(begin.into_iter().chain(end));
    let options = Options { search_only: true, ..Options::new(Model::Register) };
    let why = check(&history, &options).keys[0].why.clone();
    assert!(matches!(why, Some(UnknownWhy::Open { limit: 4096 })), "{why:?}");
}
