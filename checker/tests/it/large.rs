//! Tests of large histories: the methods agree with each other and find what was planted, with a small witness.

use std::sync::atomic::{AtomicUsize, Ordering};

use checker::{Limits, Method, Model, Options, Report, Verdict, check};
use histories::{Event, EventType, History, Process, Value};

use crate::{
    oracle,
    random::{self, Kind, paired},
};

const MAX_OPERATIONS: usize = 4_000;
const SEEDS: u64 = 16;

/// Maximum size of a witness of which every order can be tried.
const MAX_WITNESS: usize = 12;

/// Checks with the method that is chosen, and with the search, which may give up after a while.
fn by_each(history: &History) -> [Report; 2] {
    const MAX_QUESTIONS: usize = 40;
    let asked = AtomicUsize::new(0);
    let keep_going = || asked.fetch_add(1, Ordering::Relaxed) < MAX_QUESTIONS;
    let limits = Limits { keep_going: &keep_going, ..Limits::none() };
    let chosen = Options::new(Model::Register);
    [check(history, &chosen), check(history, &Options { search_only: true, limits, ..chosen.clone() })]
}

#[test]
fn zones_and_search_agree() {
    let (mut yes, mut by_zones, mut agreed) = (0, 0, 0);
    for seed in 0..2 * SEEDS {
        let history = random::history(Kind::Unique, 91 << 32 | seed, MAX_OPERATIONS);
        let [report, searched] = by_each(&history);
        assert_ne!(report.verdict, Verdict::Unknown);
        if searched.verdict != Verdict::Unknown {
            assert_eq!(report.verdict, searched.verdict, "seed {seed}");
            agreed += 1;
        }
        yes += u64::from(report.verdict == Verdict::Linearizable);
        by_zones += u64::from(report.keys[0].method == Method::Zones);
    }
    assert!((3..2 * SEEDS - 3).contains(&yes), "both verdicts must be well represented: {yes} times yes");
    assert!(by_zones >= SEEDS && agreed >= SEEDS, "the zones decided {by_zones}, the search {agreed}");
}

#[test]
fn what_nothing_was_changed_in_can_be_ordered() {
    for (seed, kind) in (0..SEEDS).zip([Kind::Unique, Kind::Repeated(3)].into_iter().cycle()) {
        let history = paired(random::simulated(kind, 92 << 32 | seed, MAX_OPERATIONS).events);
        let [report, searched] = by_each(&history);
        assert_eq!(report.verdict, Verdict::Linearizable, "seed {seed}");
        assert_ne!(searched.verdict, Verdict::NotLinearizable, "seed {seed}");
    }
}

/// Plants a violation in correct histories; `plant` returns the process whose operation is wrong.
fn planted(salt: u64, plant: impl Fn(&mut Vec<Event<'static>>) -> Option<u64>) {
    let mut planted = 0;
    for seed in 0..SEEDS {
        let mut events = random::simulated(Kind::Unique, salt << 32 | seed, MAX_OPERATIONS).events;
        let Some(process) = plant(&mut events) else { continue };
        let history = paired(events);
        let [report, searched] = by_each(&history);
        assert_eq!(report.verdict, Verdict::NotLinearizable, "seed {seed}");
        assert_ne!(searched.verdict, Verdict::Linearizable, "seed {seed}");
        let operations = &report.keys[0].evidence.as_ref().unwrap().operations;
        assert!(operations.len() <= MAX_WITNESS, "seed {seed}: {} operations", operations.len());
        assert!(!oracle::evidence_can_be_ordered(&history, &Value::Nil, operations), "seed {seed}: {operations:?}");
        let is_it = |&index: &usize| u64::from(history.operations[index].process) == process;
        assert!(operations.iter().any(is_it), "seed {seed}: {operations:?} does not hold what was planted");
        planted += 1;
    }
    assert!(planted >= SEEDS / 2, "planted only {planted} times");
}

/// Process that does nothing but the planted operations.
const PLANTED: u64 = 1 << 20;

fn operation(f: &'static str, argument: Option<Value>, answer: Option<Value>, time: u64) -> [Event<'static>; 2] {
    [(EventType::Invoke, argument), (EventType::Ok, answer)].map(|(kind, value)| {
        let mut event = Event::new(Process::Client(PLANTED), kind, f);
        (event.time, event.value) = (time, value);
        event
    })
}

fn insert(events: &mut Vec<Event<'static>>, at: usize, pair: [Event<'static>; 2]) {
    events.splice(at..at, pair);
}

/// Returns the results of completed reads, each with the index of its completion.
fn reads<'a>(events: &'a [Event<'static>]) -> impl DoubleEndedIterator<Item = (usize, &'a Value)> {
    let is_read = |event: &Event<'_>| event.kind == EventType::Ok && event.f == "read";
    (events.iter().enumerate())
        .filter(move |(_, event)| is_read(event))
        .filter_map(|(at, event)| event.value.as_ref().filter(|value| **value != Value::Nil).map(|value| (at, value)))
}

#[test]
fn a_stale_read() {
    planted(93, |events| {
        let (early, old) = reads(events).next()?;
        let (late, _) = reads(events).find(|&(at, value)| at > early && value != old)?;
        // That read may have overlapped the first; a read that begins after both ended is stale.
        let at = late.midpoint(events.len());
        let stale = operation("read", None, Some(old.clone()), events[at].time);
        let is_replaced = reads(&events[..at]).next_back().is_some_and(|(_, last)| last != old);
        is_replaced.then(|| insert(events, at, stale)).map(|()| PLANTED)
    });
}

#[test]
fn a_corrupted_read() {
    planted(94, |events| {
        let at = events.len() / 2;
        let corrupted = operation("read", None, Some(Value::Int(-1)), events[at].time);
        insert(events, at, corrupted);
        Some(PLANTED)
    });
}

#[test]
fn a_lost_write() {
    planted(95, |events| {
        // Place it between two reads of one value, of which the second begins after the write.
        let all: Vec<(usize, &Value)> = reads(events).collect();
        let (from, _) = *all
            .windows(2)
            .skip(all.len() / 2)
            .map(|pair| (&pair[0], &pair[1]))
            .find(|(first, second)| {
                let process = &events[second.0].process;
                let invoked = events[..second.0].iter().rposition(|event| event.process == *process);
                first.1 == second.1 && invoked.is_some_and(|invoked| invoked > first.0)
            })?
            .0;
        let lost = operation("write", Some(Value::Int(-1)), None, events[from].time);
        insert(events, from + 1, lost);
        Some(PLANTED)
    });
}
