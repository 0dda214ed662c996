//! How far a key's operations can be ordered, in words, and what was done to the system around the end of that.

use checker::Prefix;
use histories::{Event, EventType, History};

use super::harmless;
use super::verdict::{moment, operation_in_words, seconds};
use crate::cli::judging::JUDGE_AS;

/// What is told of the nemesis lies within this of the moment, both ways.
const AROUND_NS: u64 = 2_000_000_000;

/// The most events that are told.
const MOST: usize = 8;

/// What the nemesis and others that are no clients did within two seconds, and their last deed before, however long ago.
pub(crate) fn around(history: &History, moment_ns: u64) -> Vec<&Event<'static>> {
    let deeds = || history.others.iter().filter(|event| event.f != JUDGE_AS);
    let last = deeds().enumerate().filter(|(_, event)| event.time <= moment_ns).map(|(at, _)| at).last();
    let is_near = |event: &Event<'_>| event.time.abs_diff(moment_ns) <= AROUND_NS;
    let all = deeds().enumerate();
    all.filter(|&(at, event)| Some(at) == last || is_near(event)).map(|(_, event)| event).collect()
}

/// A few lines.
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
    // The nearest, in their order.
    let mut shown: Vec<_> =
        (0..).zip(&around).map(|(at, event)| (event.time.abs_diff(prefix.until_ns), at, *event)).collect();
    shown.sort_by_key(|&(distance_ns, at, _): &(u64, usize, _)| (distance_ns, at));
    shown.truncate(MOST);
    shown.sort_by_key(|&(_, at, _)| at);
    for (_, _, event) in shown {
        let ended = match event.kind {
            EventType::Invoke => " begins",
            EventType::Ok | EventType::Info => "",
            EventType::Fail => " failed",
        };
        let value = event.value.as_ref().map_or_else(String::new, |value| format!(" {value}"));
        let what = harmless::line(&format!("{}{value}", event.f));
        text += &format!("    {} {what}{ended}\n", seconds(event.time));
    }
    if around.len() > MOST {
        text += &format!("    and {} more\n", around.len() - MOST);
    }
    text
}
