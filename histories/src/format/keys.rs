//! Jepsen's `independent` histories say `[key value]` where others say `value`. This tells which a history is, and pairs its events.
//!
//! The rule: it is keyed if it has a read or a cas of a client, and each client invocation of it has a value of two parts, of which
//! the second is again two parts in every cas. (A read of an unkeyed register is invoked with `nil`, a cas with two plain values.)

use super::lines::Place;
use crate::{Event, EventType, Function, History, HistoryBuilder, Process, ReadError, Value};

/// Makes a history of events, each with its line. `end` is where the file ends.
pub(super) fn pair(end: Place<'_>, events: Vec<(u64, Event<'static>)>) -> Result<History, ReadError> {
    let keyed = is_keyed(&events);
    let mut builder = HistoryBuilder::jepsen();
    for (line, mut event) in events {
        if keyed && matches!(event.process, Process::Client(_)) {
            split(&mut event);
        }
        let shown = event.clone();
        builder.push(event).map_err(|rule| {
            let text = serde_json::to_string(&shown).unwrap_or_default();
            Place { line, ..end }.broken(text.as_bytes(), rule)
        })?;
    }
    let history = builder.finish();
    if history.operations.is_empty() { Err(end.empty()) } else { Ok(history) }
}

fn is_keyed(events: &[(u64, Event<'static>)]) -> bool {
    let mut evidence = false;
    for (_, event) in events {
        if event.kind != EventType::Invoke || !matches!(event.process, Process::Client(_)) {
            continue;
        }
        let Some([_, argument]) = pair_of(event.value.as_ref()) else { return false };
        let function = Function::known(&event.f);
        if function == Some(Function::Cas) && pair_of(Some(argument)).is_none() {
            return false;
        }
        evidence |= matches!(function, Some(Function::Cas | Function::Read));
    }
    evidence
}

fn pair_of(value: Option<&Value>) -> Option<&[Value; 2]> {
    match value {
        Some(Value::List(items)) => items.as_slice().try_into().ok(),
        _ => None,
    }
}

fn split(event: &mut Event<'static>) {
    if let Some([key, value]) = pair_of(event.value.as_ref()).cloned() {
        event.key = Some(key);
        event.value = Some(value);
    }
}
