//! The verdicts on histories that other checkers are tested on (`../shared/peer-histories`), where that folder is there.

use std::{collections::BTreeMap, path::PathBuf};

use checker::{Call, Model, Options, Specification, Verdict, check, check_with};
use histories::{Event, EventType, History, HistoryBuilder, Outcome, Process, Value, read_file};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/peer-histories")
}

#[test]
fn peers_histories_get_the_verdicts_that_they_are_known_for() {
    let folder = folder();
    let Ok(verdicts) = std::fs::read_to_string(folder.join("verdicts.tsv")) else {
        eprintln!("SKIPPED: {} is not here", folder.display());
        return;
    };
    let mut checked = 0;
    for line in verdicts.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, operations, linearizable] = columns[..] else { panic!("three columns, not {line}") };
        let history = read_file(&folder.join(file)).unwrap();
        assert_eq!(history.operations.len().to_string(), operations, "{file}");
        let options = if file.starts_with("kv/") {
            Options { initial: Value::from(""), ..Options::new(Model::KeyValue) }
        } else {
            Options::new(Model::Register)
        };
        let expected = if linearizable == "yes" { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(check(&history, &options).verdict, expected, "{file}");
        checked += 1;
    }
    assert!(checked > 0, "verdicts.tsv names no history");
}

/// A whole store of texts as one object: each call's argument is `[key, text]`.
struct Store;

impl Specification for Store {
    type State = BTreeMap<Value, String>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, store: &mut Self::State, call: &Call<'_>) -> bool {
        let Value::List(argument) = call.input else { return false };
        let [key, Value::Str(given)] = &argument[..] else { return false };
        let text = store.entry(key.clone()).or_default();
        match call.function {
            "get-of" => return call.may_answer(&Value::from(&**text)),
            "put-of" => text.clear(),
            _ => {}
        }
        text.push_str(given);
        true
    }

    fn is_read_only(&self, call: &Call<'_>) -> bool {
        call.function == "get-of"
    }

    fn asks_who(&self) -> bool {
        false
    }
}

/// The same operations on one object.
fn unsplit(history: &History) -> History {
    let mut events = Vec::new();
    for operation in &history.operations {
        let (name, value) = (history.function_name(operation.function), |id| history.value(id).clone());
        let f = match name {
            "read" => "get-of",
            "write" => "put-of",
            _ => "append-of",
        };
        let given = if f == "get-of" { "".into() } else { value(operation.input) };
        let argument = Value::List(vec![value(operation.key), given]);
        let answer = if f == "get-of" { value(operation.output) } else { Value::Nil };
        let event = |kind, value| Event {
            value: Some(value),
            ..Event::new(Process::Client(operation.process.into()), kind, f)
        };
        events.push((operation.invoked, event(EventType::Invoke, argument)));
        if operation.outcome == Outcome::Ok {
            events.push((operation.completed, event(EventType::Ok, answer)));
        }
    }
    events.sort_by_key(|(rank, _)| *rank);
    let mut builder = HistoryBuilder::default();
    for (_, event) in events {
        builder.push(event).unwrap();
    }
    builder.finish()
}

#[test]
fn a_store_is_decided_without_splitting_it_by_key() {
    for (name, expected) in [
        ("c01-ok", Verdict::Linearizable),
        ("c01-bad", Verdict::NotLinearizable),
        ("c10-ok", Verdict::Linearizable),
        ("c10-bad", Verdict::NotLinearizable),
    ] {
        let Ok(history) = read_file(&folder().join(format!("kv/{name}.txt"))) else {
            eprintln!("SKIPPED: {name} is not here");
            return;
        };
        let report = check_with(&unsplit(&history), &Store, &Options::new(Model::Register));
        assert_eq!((report.verdict, report.keys.len()), (expected, 1), "{name}");
    }
}
