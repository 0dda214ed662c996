//! Tests that the memory limit is kept: the heap hardly grows beyond it while a check runs out of memory.

#![allow(unsafe_code, reason = "an allocator can be written in no other way")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use checker::{
    Limits, Memory, Model, ModelStatus, Options, UnknownWhy, check, check_transactions, consistency, longest_prefix,
    staleness,
};
use histories::{Event, EventType, History, HistoryBuilder, Process, TRANSACTION, Value};

use crate::limits::by_one;

/// Allocator that counts, for each thread, the bytes it holds and their maximum.
struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(more: usize, less: usize) {
    // A thread that is ending may have lost its counters already.
    let counted = HELD.try_with(|held| {
        held.set(held.get() + more.cast_signed() - less.cast_signed());
        MOST.try_with(|most| most.set(most.get().max(held.get())))
    });
    counted.ok();
}

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns the result of `run`, and the maximum growth of this thread's heap meanwhile.
fn growth<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let found = run();
    (found, (MOST.get() - before).unsigned_abs())
}

fn is_kept(name: &str, run: impl Fn(&Limits<'_>) -> Option<UnknownWhy>) {
    for mebibytes in [2, 16] {
        let limit = mebibytes << 20;
        let memory = Memory::new(limit);
        let (why, most) = growth(|| run(&Limits { memory: &memory, ..Limits::none() }));
        assert!(matches!(why, Some(UnknownWhy::Memory { .. })), "{name} within {mebibytes} MiB: {why:?}");
        let allowed = limit + limit / 10 + (1 << 20);
        assert!(most <= allowed, "{name}: {most} bytes are held, of {limit} that may be");
    }
}

/// Returns a history of `calls`, all concurrent, followed by `last` in sequence, with their answers.
fn at_once(calls: &[(&'static str, Value)], last: &[(&'static str, Value)]) -> History {
    let mut builder = HistoryBuilder::default();
    for kind in [EventType::Invoke, EventType::Ok] {
        for (process, (f, value)) in (0..).zip(calls) {
            builder
                .push(Event { value: Some(value.clone()), ..Event::new(Process::Client(process), kind, *f) })
                .unwrap();
        }
    }
    for (f, answer) in last {
        for (kind, value) in [(EventType::Invoke, Value::Nil), (EventType::Ok, answer.clone())] {
            builder.push(Event { value: Some(value), ..Event::new(Process::Client(0), kind, *f) }).unwrap();
        }
    }
    builder.finish()
}

fn numbers(f: &'static str, count: i64) -> Vec<(&'static str, Value)> {
    (0..count).map(|n| (f, Value::Int(n))).collect()
}

fn of_keys(history: &History, model: Model) -> impl Fn(&Limits<'_>) -> Option<UnknownWhy> {
    move |limits| check(history, &Options { limits: *limits, ..Options::new(model) }).keys[0].why.clone()
}

/// Returns cas that all expect one value that is not written often enough, so that every order must be tried.
fn too_many_cas(value: impl Fn(i64) -> Value) -> Vec<(&'static str, Value)> {
    let cas = (1..=24).map(|n| ("cas", Value::List(vec![value(0), value(n)])));
    cas.chain((0..20).map(|_| ("write", value(0)))).collect()
}

#[test]
fn texts_are_kept_within_it() {
    let text = |n: i64| Value::from(n.to_string().as_str());
    let mut calls = too_many_cas(text);
    calls.push(("append", text(7)));
    let history = at_once(&calls, &[("read", text(1))]);
    is_kept("texts", of_keys(&history, Model::KeyValue));
}

#[test]
fn registers_are_kept_within_it() {
    let history = at_once(&too_many_cas(Value::Int), &[("read", Value::Int(1))]);
    is_kept("registers", |limits| {
        let options = Options { search_only: true, limits: *limits, ..Options::new(Model::Register) };
        check(&history, &options).keys[0].why.clone()
    });
}

#[test]
fn any_model_is_kept_within_it() {
    let twice = |put: &'static str| numbers(put, 12).into_iter().chain(numbers(put, 12)).collect::<Vec<_>>();
    let thrice = |take: &'static str| vec![(take, Value::Int(0)); 3];
    for (model, put, last) in [
        (Model::Queue, "enqueue", thrice("dequeue")),
        (Model::Stack, "push", thrice("pop")),
        // With repeated values in a bag, only empty removals are left to the search.
        (Model::Bag, "add", vec![("take", Value::Nil)]),
        (Model::PriorityQueue, "insert", thrice("poll")),
    ] {
        let history = at_once(&twice(put), &last);
        is_kept(put, |limits| {
            let options = Options { search_only: true, limits: *limits, ..Options::new(model) };
            check(&history, &options).keys[0].why.clone()
        });
    }
    let both = |x: i64, y: i64| Value::Map([("x", Value::Int(x)), ("y", Value::Int(y))].into_iter().collect());
    let calls: Vec<_> = (0..24).map(|n| ("write", both(n, n))).collect();
    let history = at_once(&calls, &[("read", both(1, 2))]);
    is_kept("several registers", of_keys(&history, Model::MultiRegister));
}

#[test]
fn long_histories_of_locks_and_counters_are_kept_within_it() {
    for (model, names) in [(Model::Counter, ["inc", "inc"]), (Model::Mutex, ["acquire", "release"])] {
        let mut builder = HistoryBuilder::default();
        for name in (0..300_000).map(|n| names[n % 2]) {
            for kind in [EventType::Invoke, EventType::Ok] {
                builder.push(Event::new(Process::Client(0), kind, name)).unwrap();
            }
        }
        let history = builder.finish();
        let memory = Memory::new(2 << 20);
        let limits = Limits { memory: &memory, ..Limits::none() };
        assert!(matches!(of_keys(&history, model)(&limits), Some(UnknownWhy::Memory { .. })), "{model:?}");
    }
}

/// Returns a history of transactions that append, eight to a key.
fn appends(transactions: i64) -> History {
    let mut builder = HistoryBuilder::default();
    for n in 0..transactions {
        for kind in [EventType::Invoke, EventType::Ok] {
            let append = Value::List(vec!["append".into(), Value::Int(n / 8), Value::Int(n % 8)]);
            let event = Event::new(Process::Client((n % 5).unsigned_abs()), kind, TRANSACTION);
            builder.push(Event { value: Some(Value::List(vec![append])), ..event }).unwrap();
        }
    }
    builder.finish()
}

#[test]
fn transactions_are_kept_within_it() {
    let history = appends(40_000);
    is_kept("transactions", |limits| check_transactions(&history, limits).why);
}

/// Returns a history of one process on a register: it writes and reads back, but the last read is stale.
fn stale(operations: i64) -> History {
    let last = operations / 2 - 1;
    let pair = |n| [("write", n), ("read", if n == last { n - 1 } else { n })];
    by_one((0..=last).flat_map(pair).map(|(f, value)| (f, Value::Int(value), Value::Int(value))))
}

/// Checks that, with any limit below and above its needs, `run` never takes more than a tenth beyond the limit.
fn measured_is_kept<T>(name: &str, run: impl Fn(&Limits<'_>) -> T, is_whole: impl Fn(&T) -> bool) {
    let roomy = Memory::new(1 << 30);
    let (found, wanted) = growth(|| run(&Limits { memory: &roomy, ..Limits::none() }));
    assert!(is_whole(&found), "{name} with all the memory that it wants");
    assert!(wanted > 1 << 20, "{name} takes hardly any memory, so this tests nothing: {wanted}");
    let mut whole = 0;
    for eighths in 0..=32 {
        let limit = wanted * eighths / 8 + 4096;
        let before = HELD.get();
        let memory = Memory::measured(limit, move || (HELD.get() - before).max(0).unsigned_abs());
        let (found, most) = growth(|| run(&Limits { memory: &memory, ..Limits::none() }));
        whole += usize::from(is_whole(&found));
        assert!(most <= limit + limit / 10 + (64 << 10), "{name}: {most} bytes are held, of {limit} that may be");
    }
    assert!((1..33).contains(&whole), "{name}: whole with {whole} of 33 limits");
}

fn of_register<'a>(limits: &Limits<'a>) -> Options<'a> {
    Options { limits: *limits, ..Options::new(Model::Register) }
}

#[test]
fn what_is_measured_is_kept_by_whatever_looks_at_a_register() {
    let history = stale(100_000);
    let is_no = |report: &checker::Report| report.verdict == checker::Verdict::NotLinearizable;
    measured_is_kept("a check", |limits| check(&history, &of_register(limits)), is_no);
    let is_checked = |level: &checker::HierarchyLevel| !matches!(&level.status, ModelStatus::NotChecked { .. });
    measured_is_kept(
        "the hierarchy",
        |limits| consistency(&history, &of_register(limits)),
        |hierarchy| hierarchy.levels.iter().filter(|level| is_checked(level)).count() >= 8,
    );
    measured_is_kept(
        "staleness",
        |limits| staleness(&history, &of_register(limits)),
        |report| report.not_measured.is_empty(),
    );
    let key = history.value(history.operations[0].key);
    measured_is_kept(
        "the longest prefix",
        |limits| longest_prefix(&history, &of_register(limits), key),
        Option::is_some,
    );
}

#[test]
fn what_is_measured_is_kept_with_many_keys_and_by_transactions() {
    let mut builder = HistoryBuilder::default();
    for key in 0..30_000 {
        for kind in [EventType::Invoke, EventType::Ok] {
            let event = Event::new(Process::Client(0), kind, "write");
            builder.push(Event { key: Some(Value::Int(key)), value: Some(Value::Int(1)), ..event }).unwrap();
        }
    }
    let history = builder.finish();
    measured_is_kept(
        "many keys",
        |limits| check(&history, &of_register(limits)),
        |report| report.verdict == checker::Verdict::Linearizable,
    );
    let history = appends(40_000);
    measured_is_kept("transactions", |limits| check_transactions(&history, limits), |report| report.why.is_none());
}
