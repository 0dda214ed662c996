//! Tests that each search alone agrees with trying every order, and that each has histories on which the other one is
//! lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use histories::{Event, EventType, History, HistoryBuilder, Operation, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::searches::{RaceResult, Searches};
use super::{Judgment, evidence, judge};
use crate::{
    Call, Limits, Memory, Specification, UnknownWhy,
    budget::Budget,
    oracles::share_of,
    properties::tests::all,
    search::Racers,
    verify::{Verify, some_order},
};

/// Register that is written and read.
struct Cell;

impl Specification for Cell {
    type State = Value;

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn apply(&self, value: &mut Value, call: &Call<'_>) -> bool {
        if call.function == "write" {
            value.clone_from(call.input);
            return true;
        }
        call.may_answer(value)
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "read"
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}

/// List with appends, whose last element is read.
struct Tail;

impl Specification for Tail {
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn apply(&self, list: &mut Vec<Value>, call: &Call<'_>) -> bool {
        if call.function == "append" {
            list.push(call.input.clone());
            return true;
        }
        call.may_answer(list.last().unwrap_or(&Value::Nil))
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "last"
    }

    fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        Some(match call.output {
            _ if call.function == "append" => vec![call.input.clone()],
            Some(Value::Nil) | None => Vec::new(),
            Some(last) => vec![last.clone()],
        })
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}

/// Builds a history from events: begin, end or lose (outcome unknown), the client, the function, and the value.
fn history(events: impl IntoIterator<Item = (EventType, u64, &'static str, Option<i64>)>) -> History {
    let mut builder = HistoryBuilder::default();
    for (kind, process, f, value) in events {
        let mut event = Event::new(Process::Client(process), kind, f);
        event.value = value.map(Value::Int);
        builder.push(event).unwrap();
    }
    builder.finish()
}

use EventType::{Info as Lost, Invoke, Ok as Done};

fn alone<S: Specification>(object: &S, history: &History, racers: Racers, limits: &Limits<'_>) -> RaceResult {
    Searches::new(object, limits).search(history, &all(history), |_| false, racers, limits)
}

fn random(seed: u64, change: &'static str, read: &'static str) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut open: Vec<Option<&'static str>> = vec![None; 4];
    let (mut names, mut last) = (vec![0, 1, 2, 3], 0);
    let mut events = Vec::new();
    for _ in 0..rng.random_range(6..24) {
        let at = rng.random_range(0..open.len());
        let value = rng.random_range(1..4);
        let Some(f) = open[at].take() else {
            let f = if rng.random_bool(0.5) { change } else { read };
            events.push((Invoke, names[at], f, (f == change).then_some(value)));
            last = if f == change { value } else { last };
            open[at] = Some(f);
            continue;
        };
        if rng.random_bool(0.2) {
            events.push((Lost, names[at], f, None));
            names[at] += 10;
        } else {
            let seen = if rng.random_bool(0.8) { last } else { value };
            events.push((Done, names[at], f, (f == read).then_some(seen.max(1))));
        }
    }
    history(events)
}

/// Number of histories of registers and lists together.
const HISTORIES: u64 = 60_000;

/// Returns true if some order explains these operations alone.
fn can_be_ordered(object: &impl Specification, history: &History, indexes: &[usize]) -> bool {
    let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
    let calls: Vec<Call<'_>> = operations.iter().map(|operation| Call::of(history, operation, false)).collect();
    some_order(object, &operations, &calls, usize::MAX, &Budget::endless()).expect("there are few")
}

/// Asserts that each search alone is right about a history. Returns true if some order explains it.
fn search(object: &impl Specification, history: &History) -> bool {
    let operations: Vec<usize> = (0..history.operations.len()).collect();
    let truth = can_be_ordered(object, history, &operations);
    for racers in [Racers::DepthOnly, Racers::SweepOnly, Racers::Both] {
        match alone(object, history, racers, &Limits::none()) {
            RaceResult::Order(order) => {
                let replayed = object.replay(history, &all(history), &order, &Budget::endless());
                assert_eq!(replayed, Ok(()), "{racers:?} {history:#?}");
            }
            RaceResult::Refuted(rank) => {
                assert!(!truth, "{racers:?} {history:#?}");
                // Everything that completed earlier can be ordered, and everything that began by then cannot.
                let began = |index: &usize| history.operations[*index].invoked < rank;
                let begun: Vec<usize> = operations.iter().copied().filter(began).collect();
                assert!(!can_be_ordered(object, history, &begun), "{racers:?} {history:#?}");
            }
            RaceResult::Limit(why) => panic!("{why}"),
        }
    }
    truth
}

#[test]
fn each_search_alone_agrees_with_trying_every_order() {
    let mut counts = [0; 2];
    for seed in 0..share_of(HISTORIES) {
        let truth = if seed % 2 == 0 {
            search(&Tail, &random(seed, "append", "last"))
        } else {
            search(&Cell, &random(seed, "write", "read"))
        };
        counts[usize::from(truth)] += 1;
    }
    assert!(counts.iter().all(|count| *count * 6 > share_of(HISTORIES)), "{counts:?}");
}

/// Runs `run` with limits that allow this number of queries.
fn within<T>(questions: usize, run: impl FnOnce(&Limits<'_>) -> T) -> T {
    let left = AtomicUsize::new(questions);
    let keep_going = || left.fetch_sub(1, Ordering::Relaxed) > 1;
    run(&Limits { keep_going: &keep_going, ..Limits::none() })
}

#[test]
fn the_race_ends_where_either_search_alone_does_not() {
    use Racers::{Both, DepthOnly, SweepOnly};
    // Appends in any of many orders, all of which work: too many to keep all.
    let appends = || (0..16).map(|number| (Invoke, number, "append", Some(i64::try_from(number).unwrap())));
    let wide = history(appends().chain((0..16).map(|number| (Done, number, "append", None))));
    // Writes that may have taken place, in any order, and a read of a value that was never written.
    let lost = (0..24).flat_map(|number| {
        [(Invoke, number, "write", Some(i64::try_from(number).unwrap())), (Lost, number, "write", None)]
    });
    let deep = history(lost.chain([(Invoke, 99, "read", None), (Done, 99, "read", Some(99))]));
    let ends = |found: &RaceResult| !matches!(found, RaceResult::Limit(UnknownWhy::Time { .. }));
    let on_wide = |racers| ends(&within(50, |limits| alone(&Tail, &wide, racers, limits)));
    let on_deep = |racers| ends(&within(50, |limits| alone(&Cell, &deep, racers, limits)));
    assert_eq!((on_wide(DepthOnly), on_wide(SweepOnly), on_wide(Both)), (true, false, true));
    assert_eq!((on_deep(DepthOnly), on_deep(SweepOnly), on_deep(Both)), (false, true, true));
}

/// Specification of [`Tail`] that counts the calls since the last query of the limits.
struct CountingTail<'a>(&'a AtomicUsize);

impl Specification for CountingTail<'_> {
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn apply(&self, list: &mut Vec<Value>, call: &Call<'_>) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        Tail.apply(list, call)
    }
}

/// Makes a history of appends of unknown outcome that explain a read in no order.
fn hopeless() -> History {
    let lost = (0..24).flat_map(|number| {
        [(Invoke, number, "append", Some(i64::try_from(number).unwrap())), (Lost, number, "append", None)]
    });
    history(lost.chain([(Invoke, 99, "last", None), (Done, 99, "last", Some(99))]))
}

#[test]
fn the_caller_is_asked_often() {
    let (applied, questions, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let keep_going = || {
        most.fetch_max(applied.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        questions.fetch_add(1, Ordering::Relaxed) < 500
    };
    let limits = Limits { keep_going: &keep_going, ..Limits::none() };
    let history = hopeless();
    let Judgment::Unknown(why) = judge(&CountingTail(&applied), &history, &all(&history), &limits) else {
        panic!("nobody can say");
    };
    assert!(matches!(why, UnknownWhy::Time { explained: 0, completed: 1, unknown_outcomes: 24 }), "{why}");
    assert_eq!(questions.into_inner(), 501, "it ends when it is told to");
    assert!((1..=512).contains(&most.into_inner()), "a step that is not remembered may be slow");
}

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);
static MOST_BYTES: AtomicUsize = AtomicUsize::new(0);

/// State that counts its live instances.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HeldState(Vec<i64>);

impl HeldState {
    fn bytes(&self) -> usize {
        8 * self.0.len() + size_of::<Self>()
    }

    fn counted(self) -> Self {
        let before = HELD_BYTES.fetch_add(self.bytes(), Ordering::Relaxed);
        MOST_BYTES.fetch_max(before + self.bytes(), Ordering::Relaxed);
        self
    }
}

impl Clone for HeldState {
    fn clone(&self) -> Self {
        Self(self.0.clone()).counted()
    }
}

impl Drop for HeldState {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

struct Large;

impl Specification for Large {
    type State = HeldState;

    fn state_bytes(&self, held: &HeldState) -> usize {
        held.bytes()
    }

    fn initial(&self) -> HeldState {
        HeldState(vec![1_000_000; 2_000]).counted()
    }

    fn apply(&self, held: &mut HeldState, call: &Call<'_>) -> bool {
        let Value::Int(number) = *call.input else { return false };
        held.0.rotate_left(1);
        held.0[0] = number;
        true
    }
}

#[test]
fn the_limit_in_memory_is_kept() {
    const LIMIT: usize = 8 << 20;
    let memory = Memory::new(LIMIT);
    let limits = Limits { memory: &memory, ..Limits::none() };
    let history = hopeless();
    let judgment = judge(&Large, &history, &all(&history), &limits);
    assert!(matches!(judgment, Judgment::Unknown(UnknownWhy::Memory { .. })));
    let most = MOST_BYTES.load(Ordering::Relaxed);
    assert!(most <= LIMIT + LIMIT / 10, "{most} bytes of states alone");
    assert!(most >= LIMIT / 4, "it gives up at {most} bytes");
}

#[test]
fn what_is_left_of_a_violation_is_told_with_its_reasons() {
    let events = (0..400).flat_map(|number| {
        let value = Some(number);
        [(Invoke, 1, "append", value), (Done, 1, "append", None), (Invoke, 2, "last", None), (Done, 2, "last", value)]
    });
    let stale = [(Invoke, 3, "last", None), (Done, 3, "last", Some(7))];
    let history = history(events.chain(stale));
    let Judgment::Violation(small) = judge(&Tail, &history, &all(&history), &Limits::none()) else {
        panic!("no order explains it");
    };
    let evidence = evidence(&history, &Tail, &small, &Limits::none()).unwrap();
    let claim = &evidence.claim;
    assert!(claim.starts_with("last by process 3 at event 1600 answered 7, although append "), "{claim}");
    assert!(claim.ends_with(", before the last began"), "{claim}");
    // Any one of the later appends contradicts it.
    let over = ", before the last at event 1600 began";
    assert_eq!(evidence.reasons[0], format!("append 7 by process 1 at event 28 was acknowledged at event 29{over}"));
    assert!(evidence.reasons[1].ends_with(over), "{evidence:#?}");
    assert!(evidence.operations.len() <= 4, "{evidence:#?}");
}
