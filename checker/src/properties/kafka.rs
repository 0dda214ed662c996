//! Logs as Kafka has them: `send` adds a value at the end of a log and is answered by its offset, `poll` reads from an
//! offset and is answered by offsets with their values. Offset and value name each other, nothing is shown that nobody
//! sent, what one process sends or polls only goes forward, and what is read past was read.
//!
//! Beside `send` of a value and `poll` of an offset, both on the log that is the key, operations may consist of
//! Jepsen's micro-operations on several logs: `[send log value]`, answered by `[send log [offset value]]`, and
//! `[poll]`, answered by `[poll {log [[offset value] …]}]`. A process then reads on where it was, until it assigns logs
//! anew, or ends an operation otherwise than by an answer; if it assigns them from their beginning, from there. After
//! `subscribe`, the system may let others read on instead, until `assign`.

use std::collections::BTreeMap;

use histories::{Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::{Besides, FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call, unknown::unsupported};

mod parts;

use parts::{POLL, Part, SEND, parts};

const ASSIGN: &str = "assign";
/// Assignment after which polls begin at offset 0.
const ASSIGN_FROM_BEGINNING: &str = "assign-from-beginning";
const SUBSCRIBE: &str = "subscribe";

/// Property of the offsets of logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kafka;

impl Property for Kafka {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            SEND | POLL if parts(call).is_some() => Ok(()),
            SEND | POLL if parts(&Call { output: None, ..*call }).is_some() => Err(call.unsupported_output()),
            SEND | POLL => Err(call.unsupported_input()),
            ASSIGN | ASSIGN_FROM_BEGINNING | SUBSCRIBE | "crash" | "debug-topic-partitions" => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let found = match Logs::of(key)? {
            Ok(logs) => logs.disorder(key)?,
            Err(wrong) => Some(wrong),
        };
        let besides = || Besides { words: "given all sends", operations: key.changes(SEND) };
        Ok(found.map(|(operations, claim)| Violation { operations, besides: Some(besides()), claim }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let steps: Vec<(usize, Part<'_>)> = (0..few.calls.len())
            .filter(|at| few.calls[*at].0.outcome != Outcome::Fail)
            .flat_map(|at| parts(&few.calls[at].1).unwrap_or_default().into_iter().map(move |part| (at, part)))
            .collect();
        let seen: Vec<(&Value, i64, &Value)> = steps.iter().flat_map(|(_, part)| part.seen()).collect();
        let is_ambiguous = seen
            .iter()
            .any(|one| seen.iter().any(|other| one.0 == other.0 && (one.1 == other.1) != (one.2 == other.2)));
        let is_skipped = |log: &Value, after: i64, before: i64| {
            seen.iter().any(|(other, offset, _)| *other == log && after < *offset && *offset < before)
        };
        let is_wrong = |step: usize| {
            let (at, part) = &steps[step];
            let call = &few.calls[*at].0;
            let earlier = steps[..step].iter().filter(|(other, _)| few.calls[*other].0.process == call.process);
            match part {
                Part::Send { log, offset, .. } => earlier.into_iter().any(|(_, before)| match before {
                    Part::Send { log: other, offset: before, .. } => {
                        log == other && before.is_some() && offset.is_some() && before >= offset
                    }
                    Part::Poll { .. } => false,
                }),
                Part::Poll { log, from, pairs } => {
                    let was_sent = |value: &Value| {
                        steps.iter().any(|(other, sent)| match sent {
                            Part::Send { log: into, value: sent, .. } => {
                                into == log && *sent == value && few.calls[*other].0.invoked < call.completed
                            }
                            Part::Poll { .. } => false,
                        })
                    };
                    let before = earlier.filter(|(other, _)| reads_on(few, *other, *at));
                    let before = before.flat_map(|(_, before)| before.polled(log));
                    let begin = from
                        .map(|from| from - 1)
                        .or_else(|| before.last())
                        .or_else(|| begins_anew(few, *at).then_some(BEFORE_ALL));
                    let path: Vec<i64> = begin.into_iter().chain(pairs.iter().map(|(offset, _)| *offset)).collect();
                    pairs.iter().any(|(_, value)| !was_sent(value))
                        || path.windows(2).any(|two| two[0] >= two[1] || is_skipped(log, two[0], two[1]))
                }
            }
        };
        is_ambiguous || (0..steps.len()).any(is_wrong)
    }
}

/// Returns true if a poll (index of its call) goes on where an earlier one of the same process was.
fn reads_on(few: &FewCalls<'_>, earlier: usize, later: usize) -> bool {
    let of_process = |(operation, _): &&(Operation, Call<'_>)| operation.process == few.calls[later].0.process;
    let between = few.calls[earlier..=later].iter().filter(of_process);
    let mut before = few.calls[..later].iter().rev().filter(of_process);
    let last = before.find(|(operation, call)| {
        call.function == SUBSCRIBE || assigns(call.function) && operation.outcome == Outcome::Ok
    });
    between.into_iter().all(|(operation, call)| is_answered(operation, call))
        && last.is_none_or(|(_, call)| assigns(call.function))
}

/// Returns true if a poll (index of its call) is one of those of its process that read logs from their beginning.
fn begins_anew(few: &FewCalls<'_>, poll: usize) -> bool {
    let process = few.calls[poll].0.process;
    let mut before = few.calls[..poll].iter().rev().filter(|(operation, _)| operation.process == process);
    before
        .find(|(operation, call)| !is_answered(operation, call))
        .is_some_and(|(operation, call)| call.function == ASSIGN_FROM_BEGINNING && operation.outcome == Outcome::Ok)
}

fn assigns(function: &str) -> bool {
    matches!(function, ASSIGN | ASSIGN_FROM_BEGINNING)
}

/// Returns true if the operation is a send or a poll that was answered.
fn is_answered(operation: &Operation, call: &Call<'_>) -> bool {
    operation.outcome == Outcome::Ok && matches!(call.function, SEND | POLL)
}

/// Offset before that of the first value.
const BEFORE_ALL: i64 = -1;

/// Operations (indexes) that violate the property, given all sends, with the claim.
type Found = (Vec<u32>, String);

/// Value at an offset.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    value: &'a Value,
    /// Index of the operation that showed it first.
    operation: u32,
    is_polled: bool,
}

/// Everything that is known of a log.
#[derive(Debug, Default)]
struct Log<'a> {
    /// Invocation of the send of each value.
    sent: FxHashMap<&'a Value, u32>,
    offsets: BTreeMap<i64, Known<'a>>,
    /// Offset of each value, with the index of the operation that showed it first.
    values: FxHashMap<&'a Value, (i64, u32)>,
}

#[derive(Debug, Default)]
struct Logs<'a>(FxHashMap<&'a Value, Log<'a>>);

impl<'a> Logs<'a> {
    /// Collects what the operations show, one by one.
    fn of(key: &Key<'a>) -> Result<Result<Self, Found>, UnknownWhy> {
        let mut logs = Self::default();
        for index in key.changes(SEND) {
            let send = &key.history.operations[index as usize];
            for part in parts(&key.call(send)).unwrap_or_default() {
                key.step()?;
                if let Part::Send { log, value, .. } = part
                    && logs.0.entry(log).or_default().sent.insert(value, send.invoked).is_some()
                {
                    return unsupported(format!("{value}, which was sent twice{}", in_log(log)));
                }
            }
        }
        for (index, operation) in key.all().filter(|(_, operation)| operation.outcome == Outcome::Ok) {
            for part in parts(&key.call(operation)).unwrap_or_default() {
                key.may_take(part.seen().len() * size_of::<Known<'_>>())?;
                let is_poll = matches!(part, Part::Poll { .. });
                for (log, offset, value) in part.seen() {
                    key.step()?;
                    let end = is_poll.then_some(operation.completed);
                    let log_of = logs.0.entry(log).or_default();
                    if let Some((before, claim)) = log_of.learn(offset, value, index, end) {
                        return Ok(Err(([index].into_iter().chain(before).collect(), claim + &in_log(log))));
                    }
                }
            }
        }
        Ok(Ok(logs))
    }

    /// Finds a send or poll that does not go forward, or a poll that skips a value.
    fn disorder(&self, key: &Key<'a>) -> Result<Option<Found>, UnknownWhy> {
        let mut processes: FxHashMap<u32, Position<'_>> = FxHashMap::default();
        for (index, operation) in key.all() {
            key.step()?;
            let position = processes.entry(operation.process).or_default();
            let call = key.call(operation);
            if !is_answered(operation, &call) {
                let is_assigned = assigns(call.function) && operation.outcome == Outcome::Ok;
                position.polled.clear();
                position.begun = (is_assigned && call.function == ASSIGN_FROM_BEGINNING).then_some(index);
                position.is_subscribed = match call.function {
                    SUBSCRIBE => true,
                    ASSIGN | ASSIGN_FROM_BEGINNING => position.is_subscribed && operation.outcome != Outcome::Ok,
                    _ => position.is_subscribed,
                };
                continue;
            }
            for part in parts(&call).unwrap_or_default() {
                let found = match part {
                    Part::Send { log, offset: Some(offset), .. } => position.send(log, offset, index),
                    Part::Send { .. } => None,
                    Part::Poll { log, from, pairs } => {
                        let mut last = from.map(|from| (from - 1, index));
                        if last.is_none() && !position.is_subscribed {
                            let begun = position.begun.map(|assign| (BEFORE_ALL, assign));
                            last = position.polled.get(log).copied().or(begun);
                        }
                        let mut found = None;
                        for (offset, _) in &pairs {
                            key.step()?;
                            found = found.or_else(|| self.step(log, last, (*offset, index)));
                            last = Some((*offset, index));
                        }
                        if let (None, Some(last)) = (from, last) {
                            position.polled.insert(log, last);
                        }
                        found
                    }
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Finds what is wrong with a step of a reader from one offset to the next, each with the index of its poll.
    fn step(&self, log: &Value, last: Option<(i64, u32)>, next: (i64, u32)) -> Option<Found> {
        let (last, from) = last?;
        let (offset, poll) = next;
        if last >= offset {
            let claim = format!("a poll shows offset {offset}{}, though it goes on after {last}", of_log(log));
            return Some((vec![from, poll], claim));
        }
        let (skipped, known) = self.0.get(log)?.offsets.range(last + 1..offset).next()?;
        let Known { value, operation, is_polled } = *known;
        let is_lost = if is_polled { "is skipped: a poll shows it" } else { "was lost: no poll shows it" };
        let claim =
            format!("{value} at offset {skipped}{} {is_lost}, and one goes from {last} to {offset}", of_log(log));
        Some((vec![from, poll, operation], claim))
    }
}

/// Offsets that a process has come to on each log, with the index of the operation.
#[derive(Debug, Default)]
struct Position<'a> {
    sent: FxHashMap<&'a Value, (i64, u32)>,
    polled: FxHashMap<&'a Value, (i64, u32)>,
    /// Assignment by which it reads logs from their beginning.
    begun: Option<u32>,
    is_subscribed: bool,
}

impl<'a> Position<'a> {
    fn send(&mut self, log: &'a Value, offset: i64, index: u32) -> Option<Found> {
        let (before, earlier) = self.sent.insert(log, (offset, index))?;
        let claim = || format!("a process sends to offset {offset}{}, after {before}", of_log(log));
        (before >= offset).then(|| (vec![earlier, index], claim()))
    }
}

impl<'a> Log<'a> {
    /// Notes that an operation (index) shows a value at an offset; a poll, until its completion. Returns what is wrong
    /// with that, with the index of another operation.
    fn learn(
        &mut self,
        offset: i64,
        value: &'a Value,
        operation: u32,
        poll: Option<u32>,
    ) -> Option<(Option<u32>, String)> {
        if poll.is_some_and(|completed| self.sent.get(value).is_none_or(|sent| *sent > completed)) {
            return Some((None, format!("a poll shows {value}, which nobody had sent")));
        }
        let fresh = Known { value, operation, is_polled: false };
        let known = self.offsets.entry(offset).or_insert(fresh);
        known.is_polled |= poll.is_some();
        if known.value != value {
            let claim = format!("offset {offset} has {} and also {value}", known.value);
            return Some((Some(known.operation), claim));
        }
        let (other, first) = *self.values.entry(value).or_insert((offset, operation));
        (other != offset).then(|| (Some(first), format!("{value} is at offset {other} and also at {offset}")))
    }
}

/// Returns words that name a log after a sentence, unless it is that of the key.
fn in_log(log: &Value) -> String {
    if *log == Value::Nil { String::new() } else { format!(" (log {log})") }
}

/// Returns words that name a log after an offset, unless it is that of the key.
fn of_log(log: &Value) -> String {
    if *log == Value::Nil { String::new() } else { format!(" of log {log}") }
}

#[cfg(test)]
mod tests;
