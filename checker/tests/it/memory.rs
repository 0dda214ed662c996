//! The limit in memory is kept: the heap hardly grows by more while a check runs out of it.

#![allow(unsafe_code, reason = "an allocator can be written in no other way")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use checker::{Limits, Memory, Model, Options, UnknownWhy, check, check_transactions};
use histories::{Event, EventType, History, HistoryBuilder, Process, TRANSACTION, Value};

/// The system's allocator, which counts what each thread holds, and the most that it held.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(more: usize, less: usize) {
    // A thread that ends may have none any more.
    let counted = HELD.try_with(|held| {
        held.set(held.get() + more.cast_signed() - less.cast_signed());
        MOST.try_with(|most| most.set(most.get().max(held.get())))
    });
    counted.ok();
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
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

/// By how much the heap of this thread grew at most.
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

/// All of these at once, and then the last one alone.
fn at_once(calls: &[(&'static str, Value)], last: (&'static str, Value, Value)) -> History {
    let mut builder = HistoryBuilder::default();
    for kind in [EventType::Invoke, EventType::Ok] {
        for (process, (f, value)) in (0..).zip(calls) {
            builder
                .push(Event { value: Some(value.clone()), ..Event::new(Process::Client(process), kind, *f) })
                .unwrap();
        }
    }
    for (kind, value) in [(EventType::Invoke, last.1), (EventType::Ok, last.2)] {
        builder.push(Event { value: Some(value), ..Event::new(Process::Client(0), kind, last.0) }).unwrap();
    }
    builder.finish()
}

fn numbers(f: &'static str, count: i64) -> Vec<(&'static str, Value)> {
    (0..count).map(|n| (f, Value::Int(n))).collect()
}

fn of_keys(history: &History, model: Model) -> impl Fn(&Limits<'_>) -> Option<UnknownWhy> {
    move |limits| check(history, &Options { limits: *limits, ..Options::new(model) }).keys[0].why.clone()
}

#[test]
fn texts_are_kept_within_it() {
    let letters: Vec<_> = ('a'..='t').map(|letter| ("append", letter.to_string().as_str().into())).collect();
    let history = at_once(&letters, ("read", Value::Nil, "x".into()));
    is_kept("texts", of_keys(&history, Model::KeyValue));
}

#[test]
fn registers_are_kept_within_it() {
    let cas = |n: i64| ("cas", Value::List(vec![Value::Int(n % 5), Value::Int(n / 5)]));
    let calls: Vec<_> = (0..25).map(cas).chain(numbers("write", 5)).chain(numbers("write", 5)).collect();
    let history = at_once(&calls, ("read", Value::Nil, Value::Int(77)));
    is_kept("registers", |limits| {
        let options = Options { search_only: true, limits: *limits, ..Options::new(Model::Register) };
        check(&history, &options).keys[0].why.clone()
    });
}

#[test]
fn any_model_is_kept_within_it() {
    let twice = |put: &'static str| numbers(put, 12).into_iter().chain(numbers(put, 12)).collect::<Vec<_>>();
    let nobodys = Value::Int(77);
    for (model, put, take, answer) in [
        (Model::Queue, "enqueue", "dequeue", nobodys.clone()),
        (Model::Stack, "push", "pop", nobodys.clone()),
        // Of repeated values, only empty takes are left to the search.
        (Model::Bag, "add", "take", Value::Nil),
        (Model::PriorityQueue, "insert", "poll", nobodys),
    ] {
        let history = at_once(&twice(put), (take, Value::Nil, answer));
        is_kept(put, of_keys(&history, model));
    }
    let one = |n: i64| Value::Map(vec![("x".into(), Value::Int(n))]);
    let calls: Vec<_> = (0..24).map(|n| ("write", one(n))).collect();
    let history = at_once(&calls, ("read", one(77), one(77)));
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

#[test]
fn transactions_are_kept_within_it() {
    let mut builder = HistoryBuilder::default();
    for n in 0..40_000 {
        for kind in [EventType::Invoke, EventType::Ok] {
            let append = Value::List(vec!["append".into(), Value::Int(n / 8), Value::Int(n % 8)]);
            let event = Event::new(Process::Client((n % 5).unsigned_abs()), kind, TRANSACTION);
            builder.push(Event { value: Some(Value::List(vec![append])), ..event }).unwrap();
        }
    }
    let history = builder.finish();
    is_kept("transactions", |limits| check_transactions(&history, limits).why);
}
