//! Tests of every model other than registers: its search, and its own method if it has one, agree with trying every
//! order, on many random small histories.

use checker::{Evidence, Method, Model, Options, Verdict, check};
use histories::{Event, EventType, History, HistoryBuilder, Operation, Outcome, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{oracles::share_of, random::paired};

const HISTORIES: u64 = 100_000;
const LISTS: u64 = 1_000_000;
const SETS: u64 = 500_000;

/// Permits of a semaphore.
const PERMITS: i64 = 2;

const NIL: Value = Value::Nil;

pub(crate) fn list(items: &[Value]) -> Value {
    Value::List(items.to_vec())
}

/// Returns the possible next states, each with the answer given then.
fn outcomes(model: Model, state: &[Value], f: &str, input: &Value, process: u32) -> Vec<(Vec<Value>, Value)> {
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut next = state.to_vec();
        change(&mut next);
        next
    };
    let me = Value::Int(process.into());
    let without = |at: usize| with(&|next| drop(next.remove(at)));
    // An increment by no number is one by 1.
    let number = |value: &Value| if let Value::Int(number) = value { *number } else { 1 };
    let push = with(&|next| next.push(input.clone()));
    match (model, f) {
        (Model::Set, "add") if state.contains(input) => vec![(state.to_vec(), false_())],
        (Model::Set, "add") => vec![(
            with(&|next| {
                next.push(input.clone());
                next.sort();
            }),
            true_(),
        )],
        (Model::Set, "remove") => match state.iter().position(|element| element == input) {
            Some(at) => vec![(without(at), true_())],
            None => vec![(state.to_vec(), false_())],
        },
        (Model::Set, "contains") => vec![(state.to_vec(), Value::Bool(state.contains(input)))],
        (Model::Set | Model::List, "read") => vec![(state.to_vec(), list(state))],
        (Model::Counter, "read") => vec![(state.to_vec(), state.first().cloned().unwrap_or(Value::Int(0)))],
        (Model::Counter, _) => {
            let by = if f == "dec" { -1 } else { number(input) };
            vec![(vec![Value::Int(state.first().map_or(0, number) + by)], NIL)]
        }
        (Model::MultiRegister, "write") => {
            let (mut next, Value::Map(pairs)) = (state.to_vec(), input) else { return Vec::new() };
            next.resize(2, NIL);
            for (name, value) in pairs {
                next[usize::from(name.name() == Some("y"))] = value.clone();
            }
            vec![(next, NIL)]
        }
        (Model::MultiRegister, _) => {
            let held = |at: usize| state.get(at).cloned().unwrap_or_default();
            vec![(state.to_vec(), Value::Map([("x", held(0)), ("y", held(1))].into_iter().collect()))]
        }
        (Model::Semaphore, _) => semaphore(state, f, &me).into_iter().map(|next| (next, NIL)).collect(),
        (Model::Mutex | Model::FencedLock, "release") => {
            let owned = state.first() == Some(&me);
            if owned { vec![(with(&|next| next[0] = NIL), NIL)] } else { Vec::new() }
        }
        (Model::Mutex, _) if state.first().is_none_or(|owner| *owner == NIL) => vec![(vec![me], NIL)],
        (Model::FencedLock, _) if state.first().is_none_or(|owner| *owner == NIL) => {
            let last = state.get(1).map_or(0, number);
            (last + 1..=5).map(|token| (vec![me.clone(), Value::Int(token)], Value::Int(token))).collect()
        }
        (Model::Mutex | Model::FencedLock, _) => Vec::new(),
        (_, "enqueue" | "push" | "insert" | "add" | "append") => vec![(push, NIL)],
        _ if state.is_empty() => vec![(Vec::new(), NIL)],
        (Model::Bag, _) => (0..state.len()).map(|at| (without(at), state[at].clone())).collect(),
        (model, f) => {
            let smallest = (0..state.len()).min_by_key(|&at| &state[at]).unwrap();
            let at = match model {
                Model::Stack => state.len() - 1,
                Model::PriorityQueue => smallest,
                _ => 0,
            };
            vec![(if f == "peek" { state.to_vec() } else { without(at) }, state[at].clone())]
        }
    }
}

/// Returns the next state of a semaphore, which names the holders of its permits, if the call can succeed.
fn semaphore(holders: &[Value], f: &str, me: &Value) -> Option<Vec<Value>> {
    let mut next = holders.to_vec();
    if f == "release" {
        next.remove(holders.iter().position(|holder| holder == me)?);
    } else if holders.len() < usize::try_from(PERMITS).unwrap() {
        next.push(me.clone());
    } else {
        return None;
    }
    Some(next)
}

fn true_() -> Value {
    Value::Bool(true)
}

fn false_() -> Value {
    Value::Bool(false)
}

/// Returns true if some order explains these operations.
pub(crate) fn can_be_ordered(model: Model, history: &History, state: &[Value], left: &[&Operation]) -> bool {
    left.iter().all(|o| o.outcome == Outcome::Info)
        || (0..left.len()).any(|place| {
            let first = left[place];
            let others: Vec<&Operation> =
                (left.iter().enumerate()).filter(|(at, _)| *at != place).map(|(_, o)| *o).collect();
            if others.iter().any(|o| o.outcome == Outcome::Ok && o.completed < first.invoked) {
                return false;
            }
            let f = history.function_name(first.function);
            outcomes(model, state, f, history.value(first.input), first.process).into_iter().any(|(next, answer)| {
                let is_change_with_answer = ["add", "remove"].contains(&f) && *history.value(first.output) == NIL;
                let fits = first.outcome == Outcome::Info
                    || first.output == histories::ValueId::UNKNOWN
                    || is_change_with_answer
                    || *history.value(first.output) == answer
                    || f == "read" && model == Model::Set && same(history.value(first.output), &answer);
                fits && can_be_ordered(model, history, &next, &others)
            })
        })
}

/// Returns true if two lists have the same elements.
fn same(a: &Value, b: &Value) -> bool {
    let sorted = |value: &Value| {
        let Value::List(items) = value else { return None };
        let mut items = items.clone();
        items.sort();
        Some(items)
    };
    sorted(a) == sorted(b)
}

fn functions(model: Model) -> &'static [&'static str] {
    match model {
        Model::Set => &["add", "remove", "contains", "read"],
        Model::Counter => &["inc", "add", "dec", "read"],
        Model::Queue => &["enqueue", "dequeue", "enqueue", "dequeue", "peek"],
        Model::Stack => &["push", "pop", "push", "pop", "peek"],
        Model::PriorityQueue => &["insert", "poll", "insert", "poll", "peek"],
        Model::Bag => &["add", "take"],
        Model::List => &["append", "read"],
        Model::MultiRegister => &["write", "read"],
        _ => &["acquire", "release"],
    }
}

struct Made {
    process: u64,
    f: &'static str,
    input: Value,
    answer: Option<Value>,
    start: u64,
    end: u64,
}

/// Generates what clients of a real object observe, often with an answer or an interval changed.
pub(crate) fn random(model: Model, seed: u64) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (mut state, mut made): (Vec<Value>, Vec<Made>) = (Vec::new(), Vec::new());
    let only_grows = model == Model::Set && seed.is_multiple_of(2);
    let most = match model {
        Model::Counter | Model::MultiRegister => 4,
        Model::Set => {
            if only_grows {
                12
            } else {
                4
            }
        }
        _ => {
            if seed.is_multiple_of(2) {
                4
            } else {
                12
            }
        }
    };
    for number in 1..=rng.random_range(4..9) {
        let effect = number * 10;
        let process = match model {
            Model::Mutex | Model::FencedLock => rng.random_range(0..2),
            Model::Semaphore => rng.random_range(0..3),
            _ => number,
        };
        let functions = if only_grows { &["add", "read"][..] } else { functions(model) };
        let f = functions[rng.random_range(0..functions.len())];
        let input = argument(f, model, most, &mut rng);
        let mut start = effect - rng.random_range(0..10) - 20.min(effect - 10) * (rng.random_range(0..3) / 2);
        let answer = rng.random_bool(0.92);
        let possible = outcomes(model, &state, f, &input, u32::try_from(process).unwrap());
        if let Some(before) = made.iter_mut().rev().find(|before| before.process == process) {
            if before.answer.is_none() {
                continue;
            }
            before.end = before.end.min(effect - 2);
            start = start.max(before.end + 1);
        }
        let chosen = (!possible.is_empty()).then(|| possible[rng.random_range(0..possible.len())].clone());
        let answer = match chosen {
            Some((next, said)) if answer || rng.random_bool(0.5) => {
                state = next;
                answer.then_some(if only_grows && f == "add" { NIL } else { said })
            }
            _ if answer
                && rng.random_bool(if matches!(model, Model::Mutex | Model::Semaphore) { 0.6 } else { 0.8 }) =>
            {
                continue;
            }
            _ if model == Model::FencedLock && f == "acquire" => answer.then(|| Value::Int(rng.random_range(1..4))),
            _ => answer.then_some(NIL),
        };
        let end = effect + 1 + if rng.random_bool(0.5) { rng.random_range(0..6) } else { rng.random_range(0..30) };
        made.push(Made { process, f, input, answer, start, end });
    }
    mutate(model, &mut made, &mut rng);
    build(&made)
}

/// Changes answers, and the times at which they were given.
fn mutate(model: Model, made: &mut [Made], rng: &mut Pcg64) {
    for _ in 0..rng.random_range(0..12) {
        let (from, to) = (rng.random_range(0..made.len().max(1)), rng.random_range(0..made.len().max(1)));
        let Some(answer) = made.get(from).filter(|other| other.f == made[to].f).map(|other| other.answer.clone())
        else {
            continue;
        };
        let alone = !matches!(model, Model::Mutex | Model::FencedLock | Model::Semaphore);
        if alone && rng.random_bool(0.4) {
            // The whole operation happens earlier or later.
            let by = rng.random_range(0..30);
            let op = &mut made[to];
            (op.start, op.end) =
                if op.start > by { (op.start - by, op.end - by) } else { (op.start + by, op.end + by) };
        } else if model == Model::Counter && f_is_read(&made[to]) && rng.random_bool(0.8) {
            made[to].answer = Some(Value::Int(rng.random_range(0..4)));
        } else if let Some(Value::List(items)) = &mut made[to].answer
            && !items.is_empty()
            && rng.random_bool(0.2)
        {
            let (a, b) = (rng.random_range(0..items.len()), rng.random_range(0..items.len()));
            if rng.random_bool(0.7) {
                items.swap(a, b);
            } else {
                items[a] = Value::Int(rng.random_range(1..6));
            }
        } else if answer.is_some() && made[to].answer.is_some() && from != to {
            made[to].answer = answer;
        }
    }
}

fn f_is_read(op: &Made) -> bool {
    op.f == "read" && op.answer.is_some()
}

/// Draws an argument; numbers are less than `most`.
fn argument(f: &str, model: Model, most: i64, rng: &mut Pcg64) -> Value {
    let number = Value::Int(rng.random_range(1..most));
    match (model, f) {
        (Model::MultiRegister, "write") => {
            let both = [("x", number.clone()), ("y", number)];
            Value::Map(both.into_iter().skip(rng.random_range(0..2)).take(rng.random_range(1..3)).collect())
        }
        (Model::Counter, "inc") => Value::Int(1),
        (_, "read" | "dec" | "dequeue" | "pop" | "poll" | "take" | "peek" | "acquire" | "release") => NIL,
        _ => number,
    }
}

fn build(made: &[Made]) -> History {
    let mut events = Vec::new();
    for (number, op) in made.iter().enumerate() {
        let mut event = Event::new(Process::Client(op.process), EventType::Invoke, op.f);
        event.value = Some(op.input.clone());
        events.push((op.start, number, event));
        if let Some(answer) = &op.answer {
            let mut event = Event::new(Process::Client(op.process), EventType::Ok, op.f);
            event.value = Some(answer.clone());
            events.push((op.end, number, event));
        }
    }
    events.sort_by_key(|(time, number, _)| (*time, *number));
    paired(events.into_iter().map(|(.., event)| event))
}

/// Returns true unless an answer stands alone, where changes that may have led to it are left out, and the sentence
/// does not say that none did.
fn convinces(history: &History, evidence: &Evidence) -> bool {
    let [alone] = evidence.operations[..] else { return true };
    let answer = &history.operations[alone];
    let looks = |f: &str| ["read", "contains", "peek"].contains(&f);
    if !looks(history.function_name(answer.function)) {
        return true;
    }
    let may_matter =
        |other: &&Operation| other.invoked < answer.completed && !looks(history.function_name(other.function));
    let says_none = ["nobody ever", "nothing that", "only began", "twice"];
    !history.operations.iter().any(|other| may_matter(&other)) || says_none.iter().any(|it| evidence.claim.contains(it))
}

fn agree(model: Model, histories: u64) {
    let (mut yes, mut no) = (0, 0);
    let initial = if model == Model::Semaphore { Value::Int(PERMITS) } else { NIL };
    let options = Options { keep_order: true, initial, ..Options::new(model) };
    for seed in 0..histories {
        let history = random(model, seed);
        if history.operations.is_empty() {
            continue;
        }
        let all: Vec<&Operation> = history.operations.iter().collect();
        let truth = can_be_ordered(model, &history, &[], &all);
        let expected = if truth { Verdict::Linearizable } else { Verdict::NotLinearizable };
        for search_only in [true, false] {
            let report = check(&history, &Options { search_only, ..options.clone() });
            let about = || format!("seed {seed} of {model:?}: {report:#?}\n{history:#?}");
            assert_eq!(report.verdict, expected, "{}", about());
            let key = &report.keys[0];
            let by = if search_only { Method::Search } else { Method::Object };
            assert!(model != Model::List || key.method == by, "{}", about());
            assert_eq!((key.order.is_some(), key.evidence.is_some()), (truth, !truth), "{}", about());
            if let Some(evidence) = &key.evidence {
                let alone: Vec<&Operation> = evidence.operations.iter().map(|&at| &history.operations[at]).collect();
                assert!(!can_be_ordered(model, &history, &[], &alone), "{}", about());
                assert!(convinces(&history, evidence), "{}", about());
            }
        }
        *if truth { &mut yes } else { &mut no } += 1;
    }
    assert!(yes.min(no) * 10 >= histories, "both verdicts must be well represented: {yes} {no}");
}

#[test]
fn sets() {
    agree(Model::Set, share_of(SETS));
}

#[test]
fn lists() {
    agree(Model::List, share_of(LISTS));
}

macro_rules! each_agrees {
    ($($name:ident: $model:ident,)*) => {
        $(#[test]
        fn $name() {
            agree(Model::$model, share_of(HISTORIES));
        })*
    };
}

each_agrees! {
    counters: Counter,
    queues: Queue,
    stacks: Stack,
    priority_queues: PriorityQueue,
    bags: Bag,
    several_registers: MultiRegister,
    locks: Mutex,
    locks_with_tokens: FencedLock,
    semaphores: Semaphore,
}

/// Returns a history of transactions on two registers, the last of which reads `last` from `y`.
fn transactions(last: i64) -> History {
    let micro = |f: &str, register: &str, value: Value| list(&[f.into(), register.into(), value]);
    let both = list(&[micro("w", "x", 1.into()), micro("w", "y", 1.into())]);
    let read = |x: Value, y: Value| list(&[micro("r", "x", x), micro("w", "x", 2.into()), micro("r", "y", y)]);
    let mut builder = HistoryBuilder::default();
    for (process, kind, value) in [
        (0, EventType::Invoke, both.clone()),
        (1, EventType::Invoke, read(NIL, NIL)),
        (0, EventType::Ok, both),
        (1, EventType::Ok, read(1.into(), last.into())),
    ] {
        let mut event = Event::new(Process::Client(process), kind, "txn");
        event.value = Some(value);
        builder.push(event).unwrap();
    }
    builder.finish()
}

#[test]
fn transactions_on_several_registers_take_effect_at_once() {
    let verdict = |last| check(&transactions(last), &Options::new(Model::MultiRegister));
    assert_eq!(verdict(1).verdict, Verdict::Linearizable);
    let no = verdict(2);
    let evidence = no.keys[0].evidence.as_ref().unwrap();
    assert_eq!(no.verdict, Verdict::NotLinearizable);
    assert!(
        evidence.claim.contains("transaction [2 to x] by process 1 at event 1 read 1 in x, 2 in y"),
        "{}",
        evidence.claim
    );
}
