#![allow(missing_docs, reason = "criterion's macros define what nobody calls")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "benches may read files and say what they skip")]
//! Durations of checks: every figure that we claim.
//!
//! `cargo bench -p checker`. Histories are simulated: each client thinks, invokes, waits, and the operation takes
//! effect somewhere between.

#[path = "../tests/it/store.rs"]
mod store;
mod texts;

use checker::{
    Level, Limits, Model, Options, Status, Verdict, check, check_transactions, check_with, consistency, staleness,
};
use std::{cell::LazyCell, path::PathBuf, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use histories::{Event, EventType, History, HistoryBuilder, Process, Value, read_file};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use store::{Store, unsplit};

/// One history to simulate.
#[derive(Clone, Copy)]
struct Load {
    operations: usize,
    clients: usize,
    /// Number of values, or 0 for a new one each time.
    domain: i64,
    cas: bool,
    /// Percent of changes with unknown outcome.
    unknown: u32,
    /// Share of the time that a client spends inside an operation, in percent.
    busy: u32,
    /// True if one of the last reads returns a value from long before.
    stale: bool,
    keys: usize,
    /// Number of reads, evenly spread, that return another value than was there.
    corrupted: usize,
}

#[derive(Clone, Copy)]
enum Client {
    Idle,
    Waiting { f: &'static str, key: usize, from: i64, to: i64, ends: u32, takes_effect: u32, found: Option<i64> },
}

struct Simulation {
    load: Load,
    rng: Pcg64,
    /// Value of each key.
    held: Vec<i64>,
    next: i64,
    events: HistoryBuilder,
    time: u64,
    begun: usize,
    /// Number of reads that were corrupted so far.
    corrupted: usize,
}

/// Call, or its answer.
struct Body {
    f: &'static str,
    key: usize,
    value: Option<Value>,
    mismatch: bool,
}

impl Simulation {
    /// Returns the answer of a read that found this value: another one, if it is to be corrupted.
    fn tell(&mut self, found: i64) -> i64 {
        let Load { operations, corrupted, domain, .. } = self.load;
        // None at the very beginning, and one for each share of the rest.
        if self.corrupted == corrupted || self.begun * (corrupted + 1) < (self.corrupted + 1) * operations {
            return found;
        }
        self.corrupted += 1;
        (found + self.rng.random_range(1..domain)) % domain
    }

    fn record(&mut self, process: u64, kind: EventType, body: Body) {
        let mut event = Event::new(Process::Client(process), kind, body.f);
        event.time = self.time;
        // Text, as numbers would be shared with the values.
        event.key = (self.load.keys > 1).then(|| format!("k{}", body.key).as_str().into());
        event.value = body.value;
        event.mismatch = body.mismatch;
        self.events.push(event).expect("the simulation keeps the rules");
    }

    fn invoke(&mut self, process: u64) -> Client {
        let key = self.rng.random_range(0..self.load.keys);
        let choice = self.rng.random_range(0..100);
        let f = if choice < 50 {
            "read"
        } else if self.load.cas && choice < 75 {
            "cas"
        } else {
            "write"
        };
        let new = if self.load.domain > 0 { self.rng.random_range(0..self.load.domain) } else { self.next };
        let from = match f {
            "cas" if self.load.domain > 0 => self.rng.random_range(0..self.load.domain),
            _ => self.held[key],
        };
        self.next += i64::from(f != "read" && self.load.domain == 0);
        let value = match f {
            "read" => None,
            "cas" => Some(Value::List(vec![from.into(), new.into()])),
            _ => Some(new.into()),
        };
        self.record(process, EventType::Invoke, Body { f, key, value, mismatch: false });
        let ends = self.rng.random_range(4..40);
        Client::Waiting { f, key, from, to: new, ends, takes_effect: self.rng.random_range(1..ends), found: None }
    }
}

fn simulate(load: Load) -> History {
    let rng = Pcg64::seed_from_u64(7);
    let held = vec![0; load.keys];
    let events = HistoryBuilder::default();
    let mut s = Simulation { load, rng, held, next: 1, events, time: 0, begun: 0, corrupted: 0 };
    let mut clients: Vec<(u64, Client)> = (0..load.clients as u64).map(|process| (process, Client::Idle)).collect();
    let mut processes = load.clients as u64;
    let mut stale_at = if load.stale { load.operations - load.operations / 50 } else { usize::MAX };
    for key in 0..load.keys {
        s.record(processes, EventType::Invoke, Body { f: "write", key, value: Some(0.into()), mismatch: false });
        s.record(processes, EventType::Ok, Body { f: "write", key, value: None, mismatch: false });
    }
    processes += 1;
    while s.begun < load.operations || clients.iter().any(|(_, client)| !matches!(client, Client::Idle)) {
        s.time += 1000;
        let at = s.rng.random_range(0..clients.len());
        let (process, client) = clients[at];
        clients[at].1 = match client {
            Client::Idle if s.begun < load.operations && s.rng.random_range(0..100) < load.busy => {
                s.begun += 1;
                s.invoke(process)
            }
            Client::Idle => Client::Idle,
            Client::Waiting { f, key, from, ends: 0, found, .. } => {
                let before = found.expect("it takes effect before it ends");
                let unknown = f != "read" && s.rng.random_range(0..100) < load.unknown;
                let stale = f == "read" && s.begun >= stale_at && s.held[key] > 1000;
                let read = match f {
                    _ if stale => s.held[key] - 1000,
                    "read" => s.tell(before),
                    _ => before,
                };
                if stale {
                    stale_at = usize::MAX;
                }
                let (kind, value, mismatch) = match f {
                    _ if unknown => {
                        clients[at].0 = processes;
                        processes += 1;
                        (EventType::Info, None, false)
                    }
                    "read" => (EventType::Ok, Some(read.into()), false),
                    "cas" if before != from => (EventType::Fail, None, true),
                    _ => (EventType::Ok, None, false),
                };
                s.record(process, kind, Body { f, key, value, mismatch });
                Client::Idle
            }
            Client::Waiting { f, key, from, to, ends, takes_effect, mut found } => {
                if ends == takes_effect {
                    found = Some(s.held[key]);
                    if f == "write" || f == "cas" && s.held[key] == from {
                        s.held[key] = to;
                    }
                }
                Client::Waiting { f, key, from, to, ends: ends - 1, takes_effect, found }
            }
        };
    }
    s.events.finish()
}

fn measure(c: &mut Criterion, name: &str, load: Load, search_only: bool, threads: usize) {
    // Only what is measured is simulated.
    let history = LazyCell::new(|| simulate(load));
    let options = Options { search_only, threads, initial: Value::Nil, ..Options::new(Model::Register) };
    let expected = if load.stale || load.corrupted > 0 { Verdict::NotLinearizable } else { Verdict::Linearizable };
    let mut group = c.benchmark_group(name);
    group
        .throughput(Throughput::Elements((load.operations + load.keys) as u64))
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    let id = format!("{} operations, {} clients, {threads} threads", load.operations, load.clients);
    group.bench_function(BenchmarkId::from_parameter(id), |b| {
        b.iter(|| assert_eq!(check(&history, &options).verdict, expected));
    });
    group.finish();
}

/// Returns the folder with the histories of other checkers, if there is one.
fn peer_histories() -> Option<PathBuf> {
    let folder = std::env::var_os("SCHISM_PEER_HISTORIES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: set SCHISM_PEER_HISTORIES to a folder with porcupine's and Knossos' test data");
    }
    folder
}

/// The histories that other checkers are tested on, each folder in one go, without reading them.
fn measure_peers(c: &mut Criterion) {
    let Some(folder) = peer_histories() else { return };
    for (name, initial, model) in [
        ("etcd", Value::Nil, Model::Register),
        ("knossos", Value::Nil, Model::Register),
        ("kv", Value::from(""), Model::KeyValue),
    ] {
        let files = std::fs::read_dir(folder.join(name)).expect("a folder of each");
        let histories: Vec<History> =
            files.map(|file| read_file(&file.expect("a file").path()).expect("a history")).collect();
        let options = Options { initial, ..Options::new(model) };
        c.bench_function(&format!("{} histories of {name}", histories.len()), |b| {
            b.iter(|| histories.iter().filter(|h| check(h, &options).verdict == Verdict::Linearizable).count());
        });
    }
}

/// Key-value histories of them as one object, by a model of the whole store.
fn measure_unsplit(c: &mut Criterion) {
    let Some(folder) = peer_histories() else { return };
    for name in ["c01-bad", "c10-ok", "c10-bad"] {
        let history = read_file(&folder.join(format!("kv/{name}.txt"))).expect("a history");
        let (history, options) = (unsplit(&history), Options::new(Model::Register));
        let expected = if name == "c10-ok" { Verdict::Linearizable } else { Verdict::NotLinearizable };
        let mut group = c.benchmark_group("a store without splitting it by key");
        group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(2));
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(check_with(&history, &Store, &options).verdict, expected));
        });
        group.finish();
    }
}

/// Text that grows: parts that are made only once, with and without a stale read, and parts out of five.
fn measure_texts(c: &mut Criterion) {
    let mut group = c.benchmark_group("text that grows, always overlapping, 1 % unknown");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(2));
    for (operations, clients, parts, is_stale) in [
        (100_000, 10, 0, false),
        (100_000, 50, 0, false),
        (100_000, 50, 0, true),
        (1_000_000, 20, 0, false),
        (10_000, 10, 5, false),
    ] {
        let history = LazyCell::new(|| texts::simulate(operations, clients, parts, 1, is_stale));
        let expected = if is_stale { Verdict::NotLinearizable } else { Verdict::Linearizable };
        let options = Options::new(Model::KeyValue);
        let of = if parts == 0 { "all different".to_owned() } else { format!("out of {parts}") };
        let name = format!(
            "{operations} operations, {clients} clients, parts {of}, {}",
            if is_stale { "stale" } else { "right" }
        );
        group.bench_function(name, |b| b.iter(|| assert_eq!(check(&history, &options).verdict, expected)));
    }
    group.finish();
}

/// A million operations of ten clients, one after another begun and, most of the time, ended after others have begun.
fn simulate_object(model: Model) -> History {
    const CLIENTS: usize = 10;
    let mut rng = Pcg64::seed_from_u64(11);
    let mut events = HistoryBuilder::default();
    let mut open: Vec<Option<(&str, Value)>> = vec![None; CLIENTS];
    let (mut present, mut count, mut owner, mut begun) = (vec![false; 1000], 0_i64, None, 0);
    let mut inside = std::collections::VecDeque::new();
    while begun < 1_000_000 {
        let at = rng.random_range(0..CLIENTS);
        let (kind, f, value) = if let Some((f, answer)) = open[at].take() {
            (EventType::Ok, f, answer)
        } else {
            let (choice, element) = (rng.random_range(0..4), rng.random_range(0..present.len()));
            let id = Value::Int(i64::try_from(element).expect("there are 1000"));
            // Each takes effect as it begins.
            let (f, argument, answer) = match model {
                Model::Set if choice < 2 => {
                    present[element] = choice == 0;
                    (["add", "remove"][choice], id, Value::Nil)
                }
                Model::Set => ("contains", id, Value::Bool(present[element])),
                Model::Counter if choice < 2 => {
                    count += 1;
                    ("inc", Value::Nil, Value::Nil)
                }
                Model::Counter => ("read", Value::Nil, count.into()),
                Model::Queue | Model::Stack | Model::PriorityQueue | Model::Bag if choice < 2 => {
                    count += 1;
                    inside.push_back(count);
                    (["enqueue", "push", "insert", "add"][container(model)], count.into(), Value::Nil)
                }
                Model::Queue | Model::Stack | Model::PriorityQueue | Model::Bag => {
                    // Numbers are put in as they grow, so that the first is the smallest.
                    let taken = if model == Model::Stack { inside.pop_back() } else { inside.pop_front() };
                    let f = ["dequeue", "pop", "poll", "take"][container(model)];
                    (f, Value::Nil, taken.map_or(Value::Nil, Value::Int))
                }
                _ if owner.is_none() && model == Model::FencedLock => {
                    owner = Some(at);
                    count += 1;
                    ("acquire", Value::Nil, count.into())
                }
                _ if owner.is_none() => {
                    owner = Some(at);
                    ("acquire", Value::Nil, Value::Nil)
                }
                _ if owner == Some(at) => {
                    owner = None;
                    ("release", Value::Nil, Value::Nil)
                }
                _ => continue,
            };
            open[at] = Some((f, answer));
            begun += 1;
            (EventType::Invoke, f, argument)
        };
        let mut event = Event::new(Process::Client(at as u64), kind, f);
        event.value = Some(value);
        events.push(event).expect("the simulation keeps the rules");
    }
    events.finish()
}

const CONTAINERS: [Model; 4] = [Model::Queue, Model::Stack, Model::PriorityQueue, Model::Bag];

/// Returns the place of a model in the list of containers.
fn container(model: Model) -> usize {
    CONTAINERS.iter().position(|other| *other == model).expect("it is one")
}

fn measure_objects(c: &mut Criterion) {
    for model in [Model::Set, Model::Counter, Model::Mutex, Model::FencedLock].into_iter().chain(CONTAINERS) {
        let history = simulate_object(model);
        let options = Options::new(model);
        let mut group = c.benchmark_group(format!("{model:?}"));
        group
            .throughput(Throughput::Elements(history.operations.len() as u64))
            .sample_size(10)
            .measurement_time(Duration::from_secs(2));
        group.bench_function("1000000 operations, 10 clients", |b| {
            b.iter(|| assert_eq!(check(&history, &options).verdict, Verdict::Linearizable));
        });
        group.finish();
    }
}

/// Simulates a million transactions of four micro-operations on ten lists at once, by twenty clients; `stale` of their
/// reads miss the last element.
fn simulate_transactions(stale: usize) -> History {
    const CLIENTS: usize = 20;
    const TRANSACTIONS: usize = 1_000_000;
    let mut rng = Pcg64::seed_from_u64(13);
    let mut events = HistoryBuilder::default();
    let mut lists: Vec<(i64, Vec<Value>)> = (0..10).map(|key| (key, Vec::new())).collect();
    let (mut next_key, mut begun, mut planted) = (10, 0, 0);
    let mut open: Vec<Option<Value>> = vec![None; CLIENTS];
    while begun < TRANSACTIONS {
        let at = rng.random_range(0..CLIENTS);
        let (kind, value) = if let Some(answer) = open[at].take() {
            (EventType::Ok, answer)
        } else {
            begun += 1;
            // Each takes effect as it begins.
            let (mut asked, mut answered) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                let (key, list) = &mut lists[rng.random_range(0..10)];
                let micro = |f: &str, value: Value| Value::List(vec![f.into(), Value::Int(*key), value]);
                if rng.random_range(0..2) == 0 {
                    let late = planted * TRANSACTIONS < begun * stale && list.len() > 20;
                    planted += usize::from(late);
                    asked.push(micro("r", Value::Nil));
                    answered.push(micro("r", Value::List(list[..list.len() - 20 * usize::from(late)].to_vec())));
                } else {
                    let value = Value::Int(i64::try_from(list.len()).expect("lists are short"));
                    list.push(value.clone());
                    asked.push(micro("append", value.clone()));
                    answered.push(micro("append", value));
                    if list.len() == 32 {
                        list.clear();
                        *key = next_key;
                        next_key += 1;
                    }
                }
            }
            open[at] = Some(Value::List(answered));
            (EventType::Invoke, Value::List(asked))
        };
        let mut event = Event::new(Process::Client(at as u64), kind, "txn");
        event.value = Some(value);
        events.push(event).expect("the simulation keeps the rules");
    }
    events.finish()
}

fn measure_transactions(c: &mut Criterion) {
    for (name, stale) in [("list-append", 0), ("list-append, 1 in 10,000 reads stale", 100)] {
        let history = simulate_transactions(stale);
        let expected = if stale > 0 { Status::Refuted } else { Status::Holds };
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1_000_000)).sample_size(10).measurement_time(Duration::from_secs(2));
        group.bench_function("1000000 transactions, 20 clients", |b| {
            b.iter(|| {
                let report = check_transactions(&history, &Limits::none());
                assert_eq!(report.status(Level::StrictSerializable), expected);
            });
        });
        group.finish();
    }
}

/// Measures what a violation carries beside its verdict: the weaker models that hold, and the staleness of reads.
fn measure_weaker_models(c: &mut Criterion, load: Load) {
    let history = simulate(Load { stale: true, ..load });
    let options = Options::new(Model::Register);
    let mut group = c.benchmark_group("one stale read, 1000000 operations, 20 clients");
    group
        .throughput(Throughput::Elements(load.operations as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    group.bench_function("weaker models", |b| b.iter(|| consistency(&history, &options)));
    group.bench_function("staleness", |b| b.iter(|| staleness(&history, &options)));
    group.finish();
}

/// Histories of which every moment is crowded, right and wrong.
fn measure_goals(c: &mut Criterion, crowded: Load) {
    let large = Load { operations: 100_000, unknown: 1, ..crowded };
    measure(c, "search, always overlapping, 1 % unknown", large, false, 1);
    measure(c, "search, always overlapping, 1 % unknown", Load { clients: 50, ..large }, false, 1);
    let unique = Load { clients: 50, domain: 0, ..large };
    measure(c, "unique values, failing cas, always overlapping, 1 % unknown", unique, false, 1);
    let wrong = Load { corrupted: 50, ..crowded };
    measure(c, "50 corrupted reads, always overlapping", wrong, false, 1);
    measure(c, "search, always overlapping, 5 % unknown", Load { unknown: 5, ..crowded }, false, 1);
}

fn benches(c: &mut Criterion) {
    measure_transactions(c);
    measure_objects(c);
    measure_peers(c);
    measure_unsplit(c);
    measure_texts(c);
    let load = Load {
        operations: 1_000_000,
        clients: 20,
        domain: 0,
        cas: false,
        unknown: 0,
        busy: 30,
        stale: false,
        keys: 1,
        corrupted: 0,
    };
    measure(c, "zones, unique values", load, false, 1);
    measure(c, "zones, unique values, 1 % unknown", Load { unknown: 1, ..load }, false, 1);
    measure(c, "zones, one stale read", Load { stale: true, ..load }, false, 1);
    measure(c, "zones, unique values", Load { operations: 10_000_000, ..load }, false, 1);
    for threads in [1, 2] {
        measure(c, "zones, 100 keys", Load { keys: 100, ..load }, false, threads);
    }
    measure_weaker_models(c, load);
    measure(c, "search, unique values", Load { operations: 100_000, clients: 10, ..load }, true, 1);
    let load = Load { operations: 10_000, clients: 10, domain: 5, cas: true, busy: 2, ..load };
    measure(c, "search, values 0 to 4", load, true, 1);
    measure(c, "search, values 0 to 4, 1 % unknown", Load { unknown: 1, ..load }, true, 1);
    let load = Load { busy: 100, ..load };
    measure(c, "search, values 0 to 4, always overlapping", load, true, 1);
    measure_goals(c, load);
}

criterion_group!(all, benches);
criterion_main!(all);
