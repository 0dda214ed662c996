//! The longest prefix of a key's operations that can be ordered, in words, with the events around its end.

use checker::Prefix;
use histories::{Event, EventType, History};

use super::operations::{moment, operation_in_words};
use crate::{
    check::JUDGE_AS,
    terminal::{sanitize, words::seconds},
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
        "\n  Everything up to {moment} can still be ordered; no order survives the completion there of\n    {}\n",
        operation_in_words(history, prefix.dies_at)
    );
    let around = around(history, prefix.until_ns);
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
        let value = event.value.as_ref().map_or_else(String::new, |value| format!(" {value}"));
        let what = sanitize::line(&format!("{}{value}", event.f));
        text += &format!("    {} {what}{ended}\n", seconds(event.time));
    }
    if around.len() > MAX_EVENTS {
        text += &format!("    and {} more\n", around.len() - MAX_EVENTS);
    }
    text
}
