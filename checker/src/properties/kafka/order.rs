//! Order of what each process sends and polls: forward, and past nothing that is known to be there.

use histories::Outcome;
use rustc_hash::FxHashMap;

use super::{
    logs::{Logs, Source, of_log},
    parts::{LogName, Part, list},
    transaction::{ASSIGN, ASSIGN_FROM_BEGINNING, BEFORE_ALL, CRASH, Found, SUBSCRIBE, Transaction, who},
};
use crate::{UnknownWhy, properties::key::Key, words::brief};

/// Finds a send or poll that does not go forward, or a poll that skips a value.
pub(super) fn disorder<'a>(
    logs: &Logs<'a>,
    key: &Key<'a>,
    all: &[Transaction<'a>],
) -> Result<Option<Found>, UnknownWhy> {
    let mut processes: FxHashMap<u32, Position<'_>> = FxHashMap::default();
    for transaction in all {
        key.step()?;
        let position = processes.entry(transaction.operation.process).or_default();
        let mut found = None;
        match transaction.function {
            ASSIGN | ASSIGN_FROM_BEGINNING | SUBSCRIBE => position.assign(transaction, key),
            CRASH => position.polled.clear(),
            _ => {
                found = position.polls(logs, key, transaction)?;
                found = found.or_else(|| position.sends(logs, key, transaction));
            }
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Offsets that a process has come to on each log, with the index of the operation.
#[derive(Debug, Default)]
struct Position<'a> {
    sent: FxHashMap<LogName<'a>, (i64, u32, Source)>,
    polled: FxHashMap<LogName<'a>, (i64, u32)>,
    is_subscribed: bool,
}

impl<'a> Position<'a> {
    fn assign(&mut self, assign: &Transaction<'a>, key: &Key<'a>) {
        let (outcome, function) = (assign.operation.outcome, assign.function);
        let logs = || list(key.history.value(assign.operation.input)).iter().map(LogName);
        match (function, outcome) {
            (SUBSCRIBE, _) => {
                self.is_subscribed = true;
                self.polled.clear();
            }
            (ASSIGN, Outcome::Fail) => {}
            (ASSIGN, _) => self.polled.retain(|log, _| logs().any(|other| other == *log)),
            (_, Outcome::Ok) => {
                self.polled.clear();
                self.polled.extend(logs().map(|log| (log, (BEFORE_ALL, assign.index))));
            }
            _ => self.polled.clear(),
        }
        self.is_subscribed &= function == SUBSCRIBE || outcome != Outcome::Ok;
    }

    /// Goes through the polls of an operation. Each begins where the one before it ended, if it is of the same log, or
    /// where the last operation that was answered has come to; after a rebalancing, anywhere.
    fn polls(
        &mut self,
        logs: &Logs<'a>,
        key: &Key<'a>,
        transaction: &Transaction<'a>,
    ) -> Result<Option<Found>, UnknownWhy> {
        let rebalanced = |log: LogName<'_>| transaction.parts.contains(&Part::Rebalanced { log: LogName(log.0) });
        let mut ends: FxHashMap<LogName<'a>, (i64, u32)> = FxHashMap::default();
        for part in &transaction.parts {
            let Part::Poll { log, from, pairs } = part else { continue };
            if rebalanced(*log) {
                self.polled.remove(log);
                continue;
            }
            let before = || self.polled.get(log).filter(|_| !self.is_subscribed);
            let mut last = match from {
                Some(from) => Some((from - 1, transaction.index)),
                None => ends.get(log).or_else(before).copied(),
            };
            for (offset, _) in pairs {
                key.step()?;
                let next = (*offset, transaction.index);
                if let Some(last) = last
                    && let Some(found) = step(logs, key, *log, [last, next])
                {
                    return Ok(Some(found));
                }
                last = Some(next);
            }
            if let (None, Some(last), false) = (from, last, pairs.is_empty()) {
                ends.insert(*log, last);
            }
        }
        if transaction.operation.outcome == Outcome::Ok && !self.is_subscribed {
            self.polled.extend(ends);
        }
        Ok(None)
    }

    /// Goes through the sends of an operation whose offsets are known.
    fn sends(&mut self, logs: &Logs<'a>, key: &Key<'a>, transaction: &Transaction<'a>) -> Option<Found> {
        let (index, outcome) = (transaction.index, transaction.operation.outcome);
        if outcome == Outcome::Fail {
            return None;
        }
        let mut ends: FxHashMap<LogName<'a>, (i64, u32, Source)> = FxHashMap::default();
        for (log, value, _) in transaction.parts.iter().filter_map(Part::sent) {
            let Some((offset, source)) = logs.place(log, value) else { continue };
            let last = ends.get(&log).or_else(|| self.sent.get(&log)).copied();
            if let Some((before, earlier, first)) = last.filter(|(before, ..)| *before >= offset) {
                let claim = format!(
                    "{} sent {} to offset {offset}{}, although {} had sent to offset {before} before",
                    who(key, index),
                    brief(value),
                    of_log(log),
                    if earlier == index { "it".to_owned() } else { who(key, earlier) }
                );
                let shown = first.operations().chain(source.operations());
                return Some(([earlier, index].into_iter().chain(shown).collect(), claim));
            }
            ends.insert(log, (offset, index, source));
        }
        if outcome == Outcome::Ok {
            self.sent.extend(ends);
        }
        None
    }
}

/// Finds what is wrong with a step of a reader from one offset to the next, each with the index of its operation.
fn step(
    logs: &Logs<'_>,
    key: &Key<'_>,
    log: LogName<'_>,
    [(last, from), (offset, poll)]: [(i64, u32); 2],
) -> Option<Found> {
    let (reader, of_log) = (who(key, poll), of_log(log));
    if last >= offset {
        let had_come = if from == poll {
            format!("it had to go on after {last}")
        } else {
            format!("{} had come to {last}", who(key, from))
        };
        let claim = format!("{reader} returned offset {offset}{of_log}, although {had_come}");
        return Some((vec![from, poll], claim));
    }
    let (skipped, known) = logs.0.get(&log)?.offsets.range(last + 1..offset).next()?;
    let value = brief(known.value);
    let came = match (last, from == poll) {
        (BEFORE_ALL, _) => format!("began at offset {offset}{of_log}"),
        (_, true) => format!("went from offset {last} to {offset}{of_log}"),
        (_, false) => format!("went on to offset {offset}{of_log}, after {} had come to {last}", who(key, from)),
    };
    let missed = if let Some(other) = known.polled_by {
        format!("skipped {value} at offset {skipped}, which {} returned", who(key, other))
    } else {
        let sender = who(key, known.source.operation);
        format!("no poll shows {value}, which {sender} put at offset {skipped}: it was lost")
    };
    let claim = format!("{reader} {came}, and {missed}");
    let shown = known.source.operations().chain(known.polled_by);
    Some(([from, poll].into_iter().chain(shown).collect(), claim))
}
