//! Tests with objects of every kind, including lookups and repeated values: the verdict agrees with trying every order,
//! and the evidence of a violation is self-contained. It has no order, and without the answer that was planted it has
//! one, if all the other operations have one.

use checker::{Model, Options, Verdict, check};
use histories::{Event, EventType, History, Operation, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    models::{can_be_ordered, list},
    oracles::share_of,
    random::paired,
};

const HISTORIES: u64 = 200_000;
const MAX_OPERATIONS: usize = 9;

/// Object, and the number of distinct values; 0 makes every value new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind(Model, i64);

const KINDS: [Kind; 12] = [
    Kind(Model::Queue, 0),
    Kind(Model::Queue, 2),
    Kind(Model::Queue, 3),
    Kind(Model::Stack, 0),
    Kind(Model::Stack, 2),
    Kind(Model::PriorityQueue, 0),
    Kind(Model::PriorityQueue, 3),
    Kind(Model::Set, 0),
    Kind(Model::Set, 2),
    Kind(Model::Counter, 0),
    Kind(Model::List, 0),
    Kind(Model::MultiRegister, 3),
];

type State = Vec<Value>;

/// Returns the state of two registers.
fn both(x: &Value, y: &Value) -> Value {
    Value::Map([("x", x.clone()), ("y", y.clone())].into_iter().collect())
}

/// Applies a call to the state and returns its answer.
fn effect(model: Model, state: &mut State, f: &str, argument: &Value) -> Value {
    let next = match model {
        Model::Queue => (!state.is_empty()).then_some(0),
        Model::PriorityQueue => (0..state.len()).min_by_key(|&place| state[place].clone()),
        _ => state.len().checked_sub(1),
    };
    match (model, f) {
        (_, "enqueue" | "push" | "insert" | "append") => state.push(argument.clone()),
        (_, "dequeue" | "pop" | "poll") => return next.map_or(Value::Nil, |place| state.remove(place)),
        (_, "peek") => return next.map_or(Value::Nil, |place| state[place].clone()),
        (_, "add") if !state.contains(argument) => {
            state.push(argument.clone());
            state.sort();
        }
        (_, "contains") => return Value::Bool(state.contains(argument)),
        (Model::Set | Model::List, "read") => return list(state),
        (Model::Counter, "inc") => state.push(Value::Nil),
        (Model::Counter, "read") => return Value::Int(i64::try_from(state.len()).unwrap()),
        (Model::MultiRegister, f) => {
            state.resize(2, Value::Nil);
            if let ("write", Value::Map(parts)) = (f, argument) {
                for (name, value) in parts {
                    state[usize::from(*name == "y".into())] = value.clone();
                }
                return Value::Nil;
            }
            return both(&state[0], &state[1]);
        }
        _ => {}
    }
    Value::Nil
}

/// Draws the next call of a client.
fn call(Kind(model, values): Kind, rng: &mut Pcg64, last: &mut i64) -> (&'static str, Value) {
    *last += 1;
    let value = Value::Int(if values == 0 { *last } else { rng.random_range(1..=values) });
    let names = match model {
        Model::Queue => ["enqueue", "dequeue", "peek"],
        Model::Stack => ["push", "pop", "peek"],
        Model::PriorityQueue => ["insert", "poll", "peek"],
        Model::Set => ["add", "contains", "read"],
        Model::Counter => ["inc", "read", "read"],
        Model::List => ["append", "read", "read"],
        _ => ["write", "read", "read"],
    };
    let f = names[[0, 0, 0, 1, 1, 2][rng.random_range(0..6)]];
    let argument = match f {
        "write" => {
            let name = ["x", "y"][rng.random_range(0..2)];
            if rng.random_bool(0.3) {
                both(&value, &Value::Int(rng.random_range(1..=values)))
            } else {
                Value::Map([(name, value)].into_iter().collect())
            }
        }
        "contains" => Value::Int(rng.random_range(1..=(*last).max(1))),
        f if f == names[0] && model != Model::Counter => value,
        _ => Value::Nil,
    };
    (f, argument)
}

/// Call of a client, with its answer once it took effect.
type Call = (&'static str, Value, Option<Value>);

/// Returns the events that clients of a real object observe.
fn simulated(kind: Kind, rng: &mut Pcg64) -> Vec<Event<'static>> {
    let (mut events, mut state, mut last) = (Vec::new(), State::new(), 0);
    let mut clients: Vec<(u64, Option<Call>)> = (0..rng.random_range(2..=4)).map(|process| (process, None)).collect();
    let mut left = rng.random_range(4..=MAX_OPERATIONS);
    let mut names = 10;
    while left > 0 || clients.iter().any(|(_, call)| call.is_some()) {
        let at = rng.random_range(0..clients.len());
        let process = clients[at].0;
        let mut record = |kind, f, value| {
            events.push(Event { value: Some(value), ..Event::new(Process::Client(process), kind, f) });
        };
        clients[at].1 = match clients[at].1.take() {
            None if left > 0 => {
                left -= 1;
                let (f, argument) = call(kind, rng, &mut last);
                record(EventType::Invoke, f, argument.clone());
                Some((f, argument, None))
            }
            None => None,
            Some((f, argument, None)) if rng.random_bool(0.6) => {
                let answer = effect(kind.0, &mut state, f, &argument);
                Some((f, argument, Some(answer)))
            }
            Some((f, _, answer)) if rng.random_bool(if answer.is_some() { 0.08 } else { 0.03 }) => {
                record(EventType::Info, f, Value::Nil);
                clients[at].0 = names;
                names += 1;
                None
            }
            Some((f, _, Some(answer))) => {
                record(EventType::Ok, f, answer);
                None
            }
            waiting => waiting,
        };
    }
    events
}

/// Returns true if some order explains these operations.
fn is_ordered(model: Model, history: &History, indexes: &[usize]) -> bool {
    let all: Vec<&Operation> = indexes.iter().map(|&index| &history.operations[index]).collect();
    can_be_ordered(model, history, &[], &all)
}

/// Returns another answer of the same kind.
fn other_answer(model: Model, answer: &Value, rng: &mut Pcg64) -> Option<Value> {
    let number = Value::Int(rng.random_range(1..6));
    match answer {
        Value::Bool(said) => Some(Value::Bool(!said)),
        Value::Int(_) | Value::Nil if model == Model::Counter || rng.random_bool(0.9) => Some(number),
        Value::Int(_) => Some(Value::Nil),
        Value::Map(parts) => {
            let at = |name: &str| parts.get(&name.into()).cloned().unwrap_or(Value::Nil);
            Some(if rng.random_bool(0.5) { both(&number, &at("y")) } else { both(&at("x"), &number) })
        }
        Value::List(items) if !items.is_empty() && rng.random_bool(0.6) => {
            let mut items = items.clone();
            items.remove(rng.random_range(0..items.len()));
            Some(Value::List(items))
        }
        Value::List(items) if !items.contains(&number) => {
            let mut items = [&items[..], &[number]].concat();
            if model == Model::Set {
                items.sort();
            }
            Some(Value::List(items))
        }
        _ => None,
    }
}

fn is_asked(event: &Event<'_>) -> bool {
    let is_answer = !["enqueue", "push", "insert", "append", "add", "inc", "write"].contains(&&*event.f);
    event.kind == EventType::Ok && is_answer
}

#[test]
fn objects_that_are_looked_at_and_values_that_repeat() {
    let histories = share_of(HISTORIES);
    let (mut counts, mut planted, mut alone) = ([0_u64; 2], 0, 0);
    for (seed, kind) in (0..histories).zip(KINDS.into_iter().cycle()) {
        let mut rng = Pcg64::seed_from_u64(11 << 40 | seed);
        let mut events = simulated(kind, &mut rng);
        let asked: Vec<usize> = (0..events.len()).filter(|&at| is_asked(&events[at])).collect();
        let mut changed = None;
        if let Some(&at) = asked.get(rng.random_range(0..asked.len() + 1)) {
            let value = events[at].value.clone().unwrap_or(Value::Nil);
            if let Some(other) = other_answer(kind.0, &value, &mut rng) {
                events[at].value = Some(other);
                changed = Some(u32::try_from(at).unwrap());
            }
        }
        let history = paired(events);
        let all: Vec<usize> = (0..history.operations.len()).collect();
        let truth = is_ordered(kind.0, &history, &all);
        counts[usize::from(truth)] += 1;
        let report = check(&history, &Options::new(kind.0));
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(report.verdict, expected, "seed {seed} of {kind:?}: {report:#?}\n{:#?}", history.operations);
        let Some(evidence) = &report.keys[0].evidence else { continue };
        let changed = changed.expect("what nobody changed has an order");
        let is_changed = |index: &usize| history.operations[*index].completed == changed;
        let without =
            |all: &[usize]| -> Vec<usize> { all.iter().copied().filter(|index| !is_changed(index)).collect() };
        planted += 1;
        assert!(!is_ordered(kind.0, &history, &evidence.operations), "seed {seed} of {kind:?}: {evidence:#?}");
        if is_ordered(kind.0, &history, &without(&all)) {
            alone += 1;
            assert!(
                is_ordered(kind.0, &history, &without(&evidence.operations)),
                "seed {seed} of {kind:?}: without the answer that was changed, {:?} are no violation of the rest: \
                {evidence:#?}\n{:#?}",
                evidence.operations,
                history.operations
            );
        }
    }
    assert!(counts.iter().all(|&count| count * 8 > histories), "{counts:?}");
    assert!(alone * 10 > planted * 8, "{alone} of {planted}");
}
