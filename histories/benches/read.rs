//! Benchmarks of reading and pairing a recorded history, and of recording events.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use histories::{Event, EventStyle, EventType, Format, Process, Recorder, Value, read_bytes};

const OPERATIONS: u64 = 100_000;
const CLIENTS: u64 = 20;

/// Returns a history of reads and writes of one key by 20 clients, each operation concurrent with 19 others.
fn lines() -> String {
    let mut text = String::new();
    let mut line = |index: u64, process, rest: &str| {
        writeln!(text, r#"{{"index":{index},"time":{},"process":{process},{rest}}}"#, index * 1000)
            .expect("a String takes everything");
    };
    let mut index = 0;
    for number in 0..OPERATIONS + CLIENTS {
        let process = number % CLIENTS;
        if number >= CLIENTS {
            let value = if number % 2 == 0 { "" } else { r#","value":1"# };
            let f = if number % 2 == 0 { "write" } else { "read" };
            line(index, process, &format!(r#""type":"ok","f":"{f}","key":"k0"{value}"#));
            index += 1;
        }
        if number < OPERATIONS {
            let value = if number % 2 == 0 { format!(r#","value":{number}"#) } else { String::new() };
            let f = if number % 2 == 0 { "write" } else { "read" };
            line(index, process, &format!(r#""type":"invoke","f":"{f}","key":"k0"{value},"node":1"#));
            index += 1;
        }
    }
    text
}

fn read(c: &mut Criterion) {
    let text = lines();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(2 * OPERATIONS)).sample_size(10);
    group.bench_function("json lines", |b| {
        b.iter(|| read_bytes("h", black_box(text.as_bytes()), Some(Format::JsonLines)).expect("it is a history"));
    });
    let events = || text.lines().map(|line| serde_json::from_str::<Event<'_>>(line).expect("it is an event"));
    let (mut style, mut edn) = (EventStyle::default(), Vec::new());
    events().for_each(|event| style.see(&event));
    events().for_each(|event| style.write_edn(&mut edn, &event).expect("a Vec takes everything"));
    group.bench_function("EDN", |b| {
        b.iter(|| read_bytes("h", black_box(&edn), Some(Format::Edn)).expect("it is a history"));
    });
    group.finish();
}

fn record(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut number = 0;
    let mut recorder = || {
        number += 1;
        Recorder::create(&dir.path().join(number.to_string()), Instant::now()).expect("a new file")
    };
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(1000)).sample_size(10);
    group.bench_function("events", |b| {
        let event = |value: i64| Event {
            key: Some("k0".into()),
            value: Some(Value::Int(value)),
            ..Event::new(Process::Client(1), EventType::Invoke, "write")
        };
        let thousand =
            |recorder: Recorder| (0..1000).map(|value| recorder.record(event(value)).expect("it is written")).max();
        b.iter_batched(&mut recorder, thousand, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, read, record);
criterion_main!(benches);
