//! Tests of conversion from JSON Lines to EDN and back: everything that both can represent survives.

use std::fs;

use proptest::{collection::vec, option, prelude::*};

use super::{EventStyle, ReadOptions, read_events};
use crate::{Event, EventType, Normalizer, Process, Value};

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z :\\\\\"\n\r\tü{}\\[\\];,#]{0,5}", ":[a-z][a-z0-9-]{0,3}"];
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e15..1e15_f64).prop_map(Value::from_f64),
        text.prop_map(|text| Value::from(&*text)),
    ];
    let map = |item: BoxedStrategy<Value>| {
        (("[a-z:\" ]{0,3}"), item).prop_map(|(name, item)| Value::Map([(&*name, item)].into_iter().collect()))
    };
    leaf.prop_recursive(2, 8, 3, move |item| {
        prop_oneof![
            vec(item.clone(), 0..3).prop_map(Value::List),
            vec(item.clone(), 2).prop_map(Value::List),
            map(item)
        ]
    })
}

/// Returns a transaction that changes a key twice and reads it.
fn transaction(key: &Value, value: &Value, found: &Value) -> Value {
    let micro = |f: &str, value: &Value| Value::List(vec![f.into(), key.clone(), value.clone()]);
    Value::List(vec![micro("append", value), micro("w", value), micro("r", found)])
}

/// Generates invocation and completion of a client's operation, or two events of the nemesis.
fn operation() -> impl Strategy<Value = [Event<'static>; 2]> {
    let extra = (
        option::of(value()),
        option::of(0_u16..9),
        option::of("[a-z:\" ]{0,6}"),
        any::<[bool; 2]>(),
        option::of(0..u64::MAX >> 1),
        [option::of(value()), option::of(value())],
    );
    (0..8_usize, value(), value(), value(), 0..3_usize, extra).prop_map(
        |(function, first, second, found, kind, extra)| {
            let (observed, node, error, [mismatch, is_final], revision, [position, link]) = extra;
            let f = ["read", "write", "cas", "append", "delete", "check-7", "kill", "txn"][function];
            let process = if f == "kill" { Process::nemesis() } else { Process::Client(0) };
            let kind = [EventType::Ok, EventType::Fail, EventType::Info][kind];
            let argument = match f {
                "read" | "delete" => None,
                "cas" => Some(Value::List(vec![first.clone(), second.clone()])),
                "txn" => Some(transaction(&first, &second, &Value::Nil)),
                _ => Some(first.clone()),
            };
            let result = match f {
                "read" if kind == EventType::Ok => Some(first),
                "txn" if kind == EventType::Ok => Some(transaction(&first, &second, &found)),
                _ => argument.clone(),
            };
            let begin = if f == "kill" { EventType::Info } else { EventType::Invoke };
            let invoke = Event { value: argument, node, is_final, ..Event::new(process.clone(), begin, f) };
            let observed = observed.filter(|_| f == "cas" && kind == EventType::Fail);
            let mismatch = mismatch && observed.is_some();
            let error = error.map(Into::into);
            let end = Event { value: result, observed, mismatch, error, revision, ..Event::new(process, kind, f) };
            [invoke, Event { position, link, ..end }]
        },
    )
}

/// Generates a history of sequential operations, all, none or some of them with keys.
fn history() -> impl Strategy<Value = Vec<Event<'static>>> {
    let key = value().prop_filter("a key of null is none", |key| *key != Value::Nil);
    (vec((operation(), key, any::<bool>()), 1..8), 0..3_u8).prop_map(|(operations, keys)| {
        let mut events = Vec::new();
        for (process, (pair, key, keyed)) in (0..).zip(operations) {
            for mut event in pair {
                event.index = Some(events.len() as u64);
                event.time = 10 * events.len() as u64;
                if event.process != Process::nemesis() {
                    event.process = Process::Client(process);
                    event.key = (event.f != "txn" && (keys == 1 || keys == 2 && keyed)).then(|| key.clone());
                }
                events.push(event);
            }
        }
        events
    })
}

/// Removes values of nil, which Jepsen does not distinguish from missing ones.
fn expressible(events: &[Event<'static>]) -> Vec<Event<'static>> {
    let expressible = |event: &Event<'static>| {
        let value = event.value.clone().filter(|value| *value != Value::Nil);
        Event { value, ..event.clone() }
    };
    events.iter().map(expressible).collect()
}

/// Returns the events of a file with this text; none where it cannot be decided whether its values are pairs of key and
/// value.
fn events_of(text: &[u8]) -> Option<Vec<Event<'static>>> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("history");
    fs::write(&path, text).expect("it can be written");
    let mut events = Vec::new();
    let take = &mut |event: Option<&Event<'_>>| match event {
        Some(event) => events.push(event.clone().into_owned()),
        None => events.clear(),
    };
    match read_events(&path, &ReadOptions::default(), take) {
        Ok(_) | Err(crate::ReadError::Empty { .. }) => Some(events),
        Err(crate::ReadError::Keys { .. }) => None,
        Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(text)),
    }
}

fn as_edn(events: &[Event<'_>]) -> Vec<u8> {
    let (mut style, mut text) = (EventStyle::default(), Vec::new());
    for event in events {
        style.see(event);
    }
    for event in events {
        style.write_edn(&mut text, event).expect("EDN can say it");
    }
    text
}

fn as_json(events: &[Event<'_>]) -> Vec<u8> {
    let (mut style, mut text) = (EventStyle::default(), Vec::new());
    for event in events {
        style.see(event);
    }
    for event in events {
        style.write_json(&mut text, event.clone()).expect("memory takes it");
    }
    text
}

proptest! {
    #[test]
    fn what_both_formats_can_say_survives(events in history()) {
        let expected = events_of(&as_json(&events));
        prop_assume!(expected.is_some());
        let (expected, events) = (expected.clone().unwrap_or_default(), expected.unwrap_or_default());
        let edn = as_edn(&events);
        prop_assert_eq!(edn.split(|byte| *byte == b'\n').count() - 1, events.len());
        let back = events_of(&edn).expect("what is written can be told");
        prop_assert_eq!(expressible(&back), expressible(&expected), "{}", String::from_utf8_lossy(&edn));
        prop_assert_eq!(expressible(&events_of(&as_json(&back)).expect("the same")), expressible(&expected));
    }
}

#[test]
fn keys_are_tuples_as_jepsen_has_them() {
    let event = |kind, f: &'static str, value| Event {
        key: Some("k1".into()),
        value,
        ..Event::new(Process::Client(3), kind, f)
    };
    let events = [event(EventType::Invoke, "read", None), event(EventType::Ok, "read", Some(7.into()))];
    let expected = "{:process 3, :type :invoke, :f :read, :value [\"k1\" nil]}\n\
                    {:process 3, :type :ok, :f :read, :value [\"k1\" 7]}\n";
    assert_eq!(String::from_utf8(as_edn(&events)).expect("it is text"), expected);
}

#[test]
fn a_history_without_times_gets_none() {
    let lines = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n\
                 {\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n";
    let events = events_of(lines.as_bytes()).expect("it can be told");
    assert_eq!(String::from_utf8(as_json(&events)).expect("it is text"), lines);
    let edn = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n";
    assert_eq!(String::from_utf8(as_edn(&events)).expect("it is text"), edn);
    // One time is enough for all to be written.
    let timed = lines.replace("\"f\"", "\"time\":0,\"f\"").replace("\"ok\",\"time\":0", "\"ok\",\"time\":5");
    let events = events_of(timed.as_bytes()).expect("it can be told");
    for text in [as_json(&events), as_edn(&events)] {
        assert_eq!(events_of(&text).expect("it can be told"), events);
        assert_eq!(String::from_utf8(text).expect("it is text").matches("time").count(), 2);
    }
}

#[test]
fn what_edn_cannot_name_is_refused() {
    let mut out = Vec::new();
    for name in ["", "a b", "7", "}"] {
        let event = Event::new(Process::nemesis(), EventType::Info, name);
        assert!(EventStyle::default().write_edn(&mut out, &event).is_err(), "{name:?}");
    }
    assert!(out.is_empty());
}

#[test]
fn a_process_that_comes_back_gets_a_new_number_and_time_does_not_go_back() {
    use EventType::{Info, Invoke, Ok};
    let mut rules = Normalizer::default();
    let events = [(0, Invoke, 5), (0, Info, 7), (1, Invoke, 6), (0, Invoke, 8), (0, Ok, 9), (0, Invoke, 9)]
        .map(|(process, kind, time)| Event { time, ..Event::new(Process::Client(process), kind, "read") });
    for event in &events {
        rules.see(event);
    }
    let applied = events.clone().map(|event| rules.apply(event)).map(|event| (event.process, event.time));
    let client = Process::Client;
    let expected = [(client(0), 5), (client(0), 7), (client(1), 7), (client(2), 8), (client(2), 9), (client(2), 9)];
    assert_eq!(applied, expected);
    let mut rules = Normalizer::default();
    let name = |event: Event<'static>| {
        let named = Process::Named(Box::new("w".into()));
        Event { process: if event.process == client(0) { named } else { event.process }, ..event }
    };
    let named = events.map(name);
    for event in &named {
        rules.see(event);
    }
    let applied = named.map(|event| rules.apply(event).process.to_string());
    assert_eq!(applied, ["\"w\"", "\"w\"", "1", "2", "2", "2"]);
}
