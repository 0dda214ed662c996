//! The longest prefix of a key's operations that can be ordered, in words, with the events around its end.

use std::collections::BTreeMap;

use checker::Prefix;
use histories::{Event, EventType, History, Value};

use super::operations::{moment, operation_in_words};
use crate::{
    check::JUDGE_AS,
    terminal::words::{seconds, shortened},
};

/// Distance in time from the end of the prefix, both ways, within which events are described.
const AROUND_NS: u64 = 2_000_000_000;

/// Maximum number of events described.
const MAX_EVENTS: usize = 8;

/// Returns the events of the nemesis and other non-clients within two seconds of a moment, and the last one before it,
/// however long ago.
pub(crate) fn around(history: &History, moment_ns: u64) -> Vec<&Event<'static>> {
    let nemesis_events = || history.others.iter().filter(|event| event.f != JUDGE_AS);
    let last = nemesis_events().enumerate().filter(|(_, event)| event.time <= moment_ns).map(|(at, _)| at).last();
    let is_near = |event: &Event<'_>| event.time.abs_diff(moment_ns) <= AROUND_NS;
    let all = nemesis_events().enumerate();
    all.filter(|&(at, event)| Some(at) == last || is_near(event)).map(|(_, event)| event).collect()
}

/// Describes a prefix and the events around its end.
pub(crate) fn describe(history: &History, prefix: &Prefix) -> String {
    let moment = moment(history, prefix.until_ns, history.operations[prefix.dies_at].completed);
    let mut text = format!(
        "\n  Up to {moment}, some order still explains all answers; from there on none does, as there ended\n    {}\n",
        operation_in_words(history, prefix.dies_at)
    );
    let around = around(history, prefix.until_ns);
    let faults = faults(history);
    if !around.is_empty() {
        text += "  What was done to the system around that:\n";
    }
    // Keep the nearest events, in order of time.
    let mut shown: Vec<_> =
        (0..).zip(&around).map(|(at, event)| (event.time.abs_diff(prefix.until_ns), at, *event)).collect();
    shown.sort_by_key(|&(distance_ns, at, _): &(u64, usize, _)| (distance_ns, at));
    shown.truncate(MAX_EVENTS);
    shown.sort_by_key(|&(_, at, _)| at);
    for (_, _, event) in shown {
        let ended = match event.kind {
            EventType::Invoke => " begins",
            EventType::Ok | EventType::Info => "",
            EventType::Fail => " failed",
        };
        let value =
            event.value.as_ref().map_or_else(String::new, |value| format!(" {}", fault_in_words(value, &faults)));
        let what = shortened(&format!("{}{value}", event.f));
        text += &format!("    {} {what}{ended}\n", seconds(event.time));
    }
    if around.len() > MAX_EVENTS {
        text += &format!("    and {} more\n", around.len() - MAX_EVENTS);
    }
    text
}

/// Returns the faults that began, in words, by the numbers that the events of their ends name.
fn faults(history: &History) -> BTreeMap<i64, &str> {
    let values = history.others.iter().filter_map(|event| event.value.as_ref());
    let maps = values.filter_map(|value| if let Value::Map(said) = value { Some(said) } else { None });
    let begun = maps.filter_map(|said| {
        let Some(Value::Int(id)) = said.named("id") else { return None };
        Some((*id, said.named("fault").and_then(Value::name)?))
    });
    begun.collect()
}

/// Returns the fault that an event of ours tells of, in words; any other value as it is.
fn fault_in_words(value: &Value, faults: &BTreeMap<i64, &str>) -> String {
    let Value::Map(said) = value else { return value.to_string() };
    let of_end = || if let Value::Int(id) = said.named("id")? { faults.get(id).copied() } else { None };
    let fault = said.named("fault").and_then(Value::name).or_else(of_end);
    fault.map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process, Value};

    use super::describe;

    #[test]
    fn faults_are_told_in_words_and_not_as_data() {
        let map = |fields: Vec<(&str, Value)>| {
            Value::map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect()).unwrap()
        };
        let ours = map(vec![("id", Value::Int(7)), ("fault", "isolate n3".into()), ("hit", "{\"grudge\":{}}".into())]);
        let over = map(vec![("id", Value::Int(7)), ("outcome", "healed".into())]);
        let mut builder = HistoryBuilder::default();
        let nemesis =
            |f: &'static str, value| Event { value: Some(value), ..Event::new(Process::nemesis(), EventType::Info, f) };
        builder.push(nemesis("start-partition", ours)).unwrap();
        builder.push(nemesis("stop-partition", over)).unwrap();
        builder.push(nemesis("start", "[:isolated {\"n1\" #{\"n2\"}}]".into())).unwrap();
        for (kind, value) in [(EventType::Invoke, Value::Nil), (EventType::Ok, Value::Int(3))] {
            builder.push(Event { value: Some(value), ..Event::new(Process::Client(1), kind, "read") }).unwrap();
        }
        let history = builder.finish();
        let options = checker::Options::new(checker::Model::Register);
        let prefix = checker::longest_prefix(&history, &options, &Value::Nil).unwrap();
        let told = describe(&history, &prefix);
        assert!(told.contains("start-partition isolate n3\n") && !told.contains("grudge"), "{told}");
        assert!(told.contains("stop-partition isolate n3\n"), "{told}");
        assert!(told.contains("start \"[:isolated"), "what others say is kept: {told}");
    }
}
