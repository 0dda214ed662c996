//! Tests that reading, in every format, stops when it is told to, and asks before it takes much memory.

use std::cell::Cell;

use super::{EventStyle, Packer, ReadOptions, Reading, write_columns, write_event};
use crate::{Event, EventType, History, HistoryBuilder, Process, ReadError, Value};

const OPERATIONS: u32 = 10_000;
/// Maximum number of bytes of a file between two questions.
const MOST_BETWEEN: usize = 300 << 10;

fn events() -> impl Iterator<Item = Event<'static>> {
    (0..OPERATIONS).flat_map(|number| {
        [EventType::Invoke, EventType::Ok].map(|kind| Event {
            value: Some(format!("value {number}").as_str().into()),
            ..Event::new(Process::Client(0), kind, "write")
        })
    })
}

fn read(bytes: &[u8], keep_going: &dyn Fn(Reading) -> bool) -> Result<History, ReadError> {
    let options = ReadOptions { keep_going, ..ReadOptions::default() };
    super::read("h".as_ref(), &mut super::Origin::of_bytes(bytes), &options, None)
}

/// Returns the same history in every format.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let (mut lines, mut edn, mut log, mut style) = (Vec::new(), Vec::new(), Vec::new(), EventStyle::default());
    let mut builder = HistoryBuilder::default();
    events().for_each(|event| style.see(&event));
    for event in events() {
        write_event(&mut lines, &event).unwrap();
        style.write_edn(&mut edn, &event).unwrap();
        let kind = if event.kind == EventType::Invoke { ":invoke" } else { ":ok" };
        let value = event.value.clone().unwrap();
        log.extend(format!("INFO jepsen.util - 0\t{kind}\t:write\t{value}\n").into_bytes());
        builder.push(event).unwrap();
    }
    let mut columns = Vec::new();
    write_columns(&mut columns, &builder.finish()).unwrap();
    let mut packed = Vec::new();
    let mut packer = Packer::new("h.zst".as_ref(), &mut packed);
    std::io::Write::write_all(&mut packer, &lines).unwrap();
    packer.finish().unwrap();
    vec![("lines", lines), ("EDN", edn), ("a log", log), ("columns", columns), ("packed lines", packed)]
}

#[test]
fn every_format_stops_when_it_is_told_to() {
    for (name, file) in files() {
        let all = Cell::new(0);
        let count = |_| {
            all.set(all.get() + 1);
            true
        };
        assert_eq!(read(&file, &count).unwrap().operations.len(), OPERATIONS as usize, "{name}");
        assert!(all.get() * MOST_BETWEEN > file.len(), "{name}: only {} questions", all.get());
        for most in [0, 1, all.get() / 2, all.get() - 1] {
            let asked = Cell::new(0);
            let found = read(&file, &|_| {
                asked.set(asked.get() + 1);
                asked.get() <= most
            });
            assert!(matches!(found, Err(ReadError::Stopped { .. })), "{name} after {most}: {found:?}");
            assert_eq!(asked.get(), most + 1, "{name} goes on after it was told to stop");
        }
    }
}

#[test]
fn it_is_told_how_far_reading_is() {
    for (name, file) in files() {
        let last = Cell::new(Reading::default());
        read(&file, &|reading| {
            assert!(reading.bytes >= last.get().bytes && reading.operations >= last.get().operations, "{name}");
            last.set(reading);
            true
        })
        .unwrap();
        assert_eq!(last.get().bytes, file.len() as u64, "{name}");
    }
}

/// Returns the largest amount of memory that was asked for at once, in bytes.
fn most_needed(file: &[u8]) -> usize {
    let most = Cell::new(0);
    read(file, &|reading| {
        most.set(most.get().max(reading.needs));
        true
    })
    .unwrap();
    most.get()
}

#[test]
fn what_is_taken_at_once_is_asked_for_before() {
    let many = 300_000;
    let long = format!(r#"{{"process":0,"type":"invoke","f":"write","value":[{}1]}}"#, "1,".repeat(many));
    assert!(most_needed(long.as_bytes()) >= many * size_of::<Value>(), "a long line");
    let nested = format!("{{:process 0 :type :invoke :f :write :value [{}]}}", "{1 1} ".repeat(many));
    assert!(most_needed(nested.as_bytes()) >= many * 3 * size_of::<Value>(), "a large form");
}

#[test]
fn a_table_of_values_is_asked_for_before_it_doubles() {
    let (_, lines) = files().swap_remove(0);
    let held = OPERATIONS as usize * size_of::<Value>();
    // Each question also covers the bytes that may be read until the next.
    assert!(most_needed(&lines) >= held.max(300 << 10), "{} bytes", most_needed(&lines));
}
