//! Tests that every method keeps its limits: once it is told to stop, it asks hardly any more questions.

use std::sync::atomic::{AtomicUsize, Ordering};

use checker::{
    Level, Limits, Model, ModelStatus, Options, Status, UnknownWhy, Verdict, check, check_transactions, consistency,
    longest_prefix, staleness,
};
use histories::{Event, EventType, History, HistoryBuilder, Process, TRANSACTION, Value};

use crate::random::paired;

/// Number of operations of each history.
const OPERATIONS: i64 = 60_000;

/// Maximum number of operations between two questions.
const MOST_BETWEEN: usize = 8_192;

/// Maximum number of questions after the one that was answered with no.
const MOST_AFTER: usize = 8;

/// Call: function, argument, answer.
pub(crate) type TestCall = (&'static str, Value, Value);

/// Returns a history of these calls in order, each open until the next but one begins.
fn history(calls: impl Iterator<Item = TestCall>) -> History {
    let mut builder = HistoryBuilder::default();
    let mut open: Option<(u64, TestCall)> = None;
    let mut push = |process, kind, f, value| {
        builder.push(Event { value: Some(value), ..Event::new(Process::Client(process), kind, f) }).unwrap();
    };
    for (process, call) in (0..).map(|number| number % 2).zip(calls) {
        push(process, EventType::Invoke, call.0, call.1.clone());
        if let Some((before, (f, _, answer))) = open.replace((process, call)) {
            push(before, EventType::Ok, f, answer);
        }
    }
    let (process, (f, _, answer)) = open.unwrap();
    push(process, EventType::Ok, f, answer);
    builder.finish()
}

/// Returns a history of these calls in sequence, by one process, all of which end so.
fn ended(end: EventType, calls: impl Iterator<Item = TestCall>) -> History {
    let events = calls.flat_map(|(f, argument, answer)| {
        let event = |kind, value| Event { value: Some(value), ..Event::new(Process::Client(0), kind, f) };
        [event(EventType::Invoke, argument), event(end, answer)]
    });
    paired(events)
}

pub(crate) fn by_one(calls: impl Iterator<Item = TestCall>) -> History {
    ended(EventType::Ok, calls)
}

fn numbers() -> impl Iterator<Item = i64> {
    0..OPERATIONS / 2
}

/// Returns two calls for each number.
fn calls(pair: impl Fn(i64) -> [TestCall; 2]) -> impl Iterator<Item = TestCall> {
    numbers().flat_map(pair)
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

/// Returns a history that is correct under the model.
fn right(model: Model) -> History {
    let (nil, int, yes) = (|| Value::Nil, Value::Int, || Value::Bool(true));
    let put_and_take = |put, take| history(calls(move |n| [(put, int(n), nil()), (take, nil(), int(n))]));
    match model {
        Model::Register => history(calls(|n| [("write", int(n), nil()), ("read", nil(), int(n))])),
        Model::KeyValue => by_one(calls(|n| match n % 2 {
            0 => [("append", "a".into(), nil()), ("read", nil(), "a".into())],
            _ => [("write", "b".into(), nil()), ("write", "".into(), nil())],
        })),
        Model::MultiRegister => history(calls(|n| {
            let one = |n| Value::Map([("x", int(n))].into_iter().collect());
            [("write", one(n % 7), nil()), ("read", nil(), one(n % 7))]
        })),
        Model::Comments => history(calls(|n| match n % 5000 {
            4999 => [("write", int(999), nil()), ("read", nil(), list((0..1000).map(int)))],
            _ => [("write", int(n % 1000), nil()), ("write", int(n % 1000), nil())],
        })),
        Model::Causal => history(calls(|n| [("write", int(n), nil()), ("read", nil(), int(n))])),
        Model::CausalReverse => history(calls(|_| [("write", int(7), nil()), ("read", nil(), list([int(7)]))])),
        Model::G2 => {
            ended(EventType::Fail, (0..OPERATIONS).map(|n| ("insert", list([nil(), int(n)]), list([nil(), int(n)]))))
        }
        Model::LeasedLock => history(calls(|n| [("acquire", nil(), int(n)), ("write", list([int(n), int(1)]), nil())])),
        Model::Sequential => {
            history(calls(|n| [("write", int(n), nil()), ("read", int(n), list([int(n), list([nil(), int(1)])]))]))
        }
        Model::Monotonic => history(calls(|n| {
            let row = |n| Value::Map([("val", int(n)), ("sts", int(n))].into_iter().collect());
            [("add", nil(), nil()), ("read", nil(), list([row(n), row(n + 1)]))]
        })),
        Model::Set => history(calls(|n| [("add", int(n % 1000), nil()), ("contains", int(n % 1000), yes())])),
        Model::Counter => history(calls(|n| [("inc", nil(), nil()), ("read", nil(), int(n + 1))])),
        Model::Queue => put_and_take("enqueue", "dequeue"),
        Model::Bag => put_and_take("add", "take"),
        Model::Stack => put_and_take("push", "pop"),
        Model::PriorityQueue => put_and_take("insert", "poll"),
        Model::Mutex | Model::Semaphore => by_one(calls(|_| [("acquire", nil(), nil()), ("release", nil(), nil())])),
        Model::FencedLock => by_one(calls(|n| [("acquire", nil(), int(n + 1)), ("release", nil(), nil())])),
        Model::UniqueIds => history(calls(|n| [("generate", nil(), int(2 * n)), ("generate", nil(), int(2 * n + 1))])),
        Model::SetFull => history(calls(|n| match n % 100 {
            0 => [("add", int(n), nil()), ("read", nil(), list((0..=n / 100).map(|n| int(100 * n))))],
            _ => [("add", int(n - n % 100), nil()), ("add", int(n - n % 100), nil())],
        })),
        Model::PnCounter => by_one(calls(|n| [("add", int(1), nil()), ("read", nil(), int(n + 1))])),
        Model::Kafka => {
            history(calls(|n| [("send", int(n), int(n)), ("poll", int(n), list([list([int(n), int(n)])]))]))
        }
        Model::Bank | Model::BankNegativeBalances => history(calls(|n| {
            [
                ("transfer", nil(), nil()),
                ("read", nil(), list([int(n), int(-n % 7 + 9), int(1_000_000 - n - (-n % 7 + 9))])),
            ]
        })),
        Model::List => history(calls(|n| match n {
            0 => [("append", int(0), nil()), ("read", nil(), list([int(0)]))],
            _ => [("append", int(2 * n), nil()), ("append", int(2 * n + 1), nil())],
        })),
    }
}

fn within<'a>(model: Model, limits: &Limits<'a>) -> Options<'a> {
    Options { limits: *limits, ..Options::new(model) }
}

/// Runs something that stops after `most` questions; returns its result and the number of questions that it asked.
fn asked<T>(most: usize, run: impl FnOnce(&Limits<'_>) -> T) -> (T, usize) {
    let count = AtomicUsize::new(0);
    let keep_going = || count.fetch_add(1, Ordering::Relaxed) < most;
    let found = run(&Limits { keep_going: &keep_going, ..Limits::none() });
    (found, count.into_inner())
}

/// Checks that `run` asks often enough, stops wherever it is told to, and returns the right result in both cases.
fn stops<T>(
    name: &str,
    run: impl Fn(&Limits<'_>) -> T,
    is_whole: impl Fn(&T) -> bool,
    is_stopped: impl Fn(&T) -> bool,
) {
    let (found, all) = asked(usize::MAX, &run);
    assert!(is_whole(&found), "{name} with time enough");
    assert!(all * MOST_BETWEEN >= usize::try_from(OPERATIONS).unwrap(), "{name} asks only {all} times");
    for most in [0, 1, all / 4, all / 2, all - 1] {
        let (found, count) = asked(most, &run);
        assert!(is_stopped(&found), "{name} goes on after {most} of {all} questions");
        assert!(
            count <= most + 1 + MOST_AFTER,
            "{name} asks {count} times, though it was to stop after {most} of {all}"
        );
    }
}

fn is_time(why: Option<&UnknownWhy>) -> bool {
    matches!(why, Some(UnknownWhy::Time { .. }))
}

#[test]
fn every_model_stops_when_it_is_told_to() {
    for model in Model::ALL.iter().copied() {
        let history = right(model);
        // In the general search, each state of a list contains the whole list.
        for search_only in [false, true].into_iter().take(if model == Model::List { 1 } else { 2 }) {
            let run = |limits: &Limits<'_>| check(&history, &Options { search_only, ..within(model, limits) });
            let name = format!("{model:?}, by search only: {search_only}");
            stops(
                &name,
                run,
                |report| report.verdict == Verdict::Linearizable,
                |report| report.verdict == Verdict::Unknown && is_time(report.keys[0].why.as_ref()),
            );
        }
    }
}

#[test]
fn sets_that_are_read_whole_stop_when_they_are_told_to() {
    let few = |n: i64| list((0..=n / 3000).map(Value::Int));
    let add =
        |n: i64| if n % 3000 == 0 { ("add", Value::Int(n / 3000), Value::Nil) } else { ("read", Value::Nil, few(n)) };
    let history = history(calls(|n| [add(n), ("read", Value::Nil, few(n))]));
    stops(
        "snapshots",
        |limits| check(&history, &within(Model::Set, limits)),
        |report| report.verdict == Verdict::Linearizable,
        |report| is_time(report.keys[0].why.as_ref()),
    );
}

#[test]
fn many_small_keys_stop_when_they_are_told_to() {
    let mut builder = HistoryBuilder::default();
    for key in numbers() {
        for (f, kind, value) in [
            ("write", EventType::Invoke, Some(Value::Int(1))),
            ("write", EventType::Ok, None),
            ("read", EventType::Invoke, None),
            ("read", EventType::Ok, Some(Value::Int(1))),
        ] {
            let event = Event::new(Process::Client(0), kind, f);
            builder.push(Event { key: Some(Value::Int(key)), value, ..event }).unwrap();
        }
    }
    let history = builder.finish();
    stops(
        "keys",
        |limits| check(&history, &within(Model::Register, limits)),
        |report| report.verdict == Verdict::Linearizable,
        |report| report.verdict == Verdict::Unknown && report.keys.iter().any(|key| is_time(key.why.as_ref())),
    );
}

/// Returns a history of a register whose last read is stale.
fn stale() -> History {
    let write = |n| ("write", Value::Int(n), Value::Nil);
    let read = |n| ("read", Value::Nil, Value::Int(n));
    history(calls(|n| [write(n), read(if n == OPERATIONS / 2 - 1 { n / 2 } else { n })]))
}

#[test]
fn all_that_explains_a_violation_stops_when_it_is_told_to() {
    let history = stale();
    let out_of_time = ModelStatus::NotChecked { why: "time ran out".to_owned() };
    let is_unchecked = |level: &checker::HierarchyLevel| level.status == out_of_time;
    stops(
        "the hierarchy",
        |limits| consistency(&history, &within(Model::Register, limits)),
        |hierarchy| !hierarchy.levels.iter().any(is_unchecked),
        |hierarchy| hierarchy.levels.iter().any(is_unchecked),
    );
    stops(
        "staleness",
        |limits| staleness(&history, &within(Model::Register, limits)),
        |report| report.not_measured.is_empty() && report.reads.stale.count == 1,
        |report| report.not_measured.len() == 1 && report.reads.reads == 0,
    );
    let key = history.value(history.operations[0].key);
    stops(
        "the longest prefix",
        |limits| longest_prefix(&history, &within(Model::Register, limits), key),
        Option::is_some,
        Option::is_none,
    );
}

#[test]
fn a_violation_stands_however_little_time_there_is_to_make_it_small() {
    let history = stale();
    let run = |limits: &Limits<'_>| check(&history, &Options { search_only: true, ..within(Model::Register, limits) });
    let (_, all) = asked(usize::MAX, run);
    for most in 0..all {
        let (report, count) = asked(most, run);
        assert_ne!(report.verdict, Verdict::Linearizable);
        assert!(count <= most + 1 + MOST_AFTER, "{count} questions, though it was to stop after {most} of {all}");
    }
}

/// Returns a history of sequential transactions, each of which writes a value and reads it.
fn transactions(write: &'static str) -> History {
    let mut builder = HistoryBuilder::default();
    for n in 0..OPERATIONS {
        let (key, value) = (Value::Int(n / 8), Value::Int(n % 8));
        let found = |filled: bool| match (filled, write) {
            (false, _) => Value::Nil,
            (true, "append") => list((0..=n % 8).map(Value::Int)),
            (true, _) => value.clone(),
        };
        for kind in [EventType::Invoke, EventType::Ok] {
            let micros = [
                list([write.into(), key.clone(), value.clone()]),
                list(["r".into(), key.clone(), found(kind == EventType::Ok)]),
            ];
            let event = Event::new(Process::Client((n % 5).unsigned_abs()), kind, TRANSACTION);
            builder.push(Event { value: Some(list(micros)), ..event }).unwrap();
        }
    }
    builder.finish()
}

#[test]
fn transactions_stop_when_they_are_told_to() {
    for write in ["append", "w"] {
        let history = transactions(write);
        stops(
            write,
            |limits| check_transactions(&history, limits),
            |report| report.why.is_none() && report.status(Level::StrictSerializable) == Status::Holds,
            |report| is_time(report.why.as_ref()) && report.status(Level::StrictSerializable) == Status::Unknown,
        );
    }
}
