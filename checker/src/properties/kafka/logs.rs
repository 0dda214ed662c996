//! All that operations show of each log: offsets, values, who sent and who polled them.

use std::collections::BTreeMap;

use histories::{Outcome, Value};
use rustc_hash::FxHashMap;

use super::{
    parts::{LogName, Part},
    transaction::{Found, Transaction, who},
};
use crate::{
    UnknownWhy,
    properties::key::{Collected, Key},
    unknown::unsupported,
    words::brief,
};

/// Value at an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) value: &'a Value,
    pub(super) source: Source,
    /// First operation (index) with a poll that shows it, if there is one.
    pub(super) polled_by: Option<u32>,
}

/// Operation (index) that shows an offset, and if its outcome is unknown, one that polled a value of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) operation: u32,
    witness: Option<u32>,
}

impl Source {
    pub(super) fn operations(self) -> impl Iterator<Item = u32> {
        [self.operation].into_iter().chain(self.witness)
    }
}

/// Send of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Place of the operation among all of them.
    pub(super) place: usize,
    pub(super) outcome: Outcome,
    /// Rank of its invocation.
    invoked: u32,
}

/// All that is known of a log.
#[derive(Debug, Default)]
pub(super) struct Log<'a> {
    pub(super) sent: FxHashMap<&'a Value, Sent>,
    pub(super) offsets: BTreeMap<i64, Known<'a>>,
    /// Offset of each value.
    pub(super) places: FxHashMap<&'a Value, (i64, Source)>,
    /// Largest offset that a poll from where its process was shows, with the operation (index), which was answered.
    end: Option<(i64, u32)>,
}

#[derive(Debug, Default)]
pub(super) struct Logs<'a>(pub(super) FxHashMap<LogName<'a>, Log<'a>>);

impl<'a> Logs<'a> {
    /// Collects what the operations show, and returns instead what is wrong with that.
    pub(super) fn of(key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Collected<Self, Found>, UnknownWhy> {
        let mut logs = Self::default();
        logs.take_sends(key, all)?;
        let witnesses = logs.witnesses(key, all)?;
        for (place, transaction) in all.iter().enumerate() {
            let outcome = transaction.operation.outcome;
            let witness = witnesses.get(&place).copied();
            // What was not committed is at no offset, but polls are right in any case.
            let is_committed = outcome == Outcome::Ok || witness.is_some();
            let source = Source { operation: transaction.index, witness };
            for part in &transaction.parts {
                let wrong = match part {
                    Part::Send { log, value, offset: Some(offset) } if is_committed => {
                        let entry = Entry { log: *log, offset: *offset, value };
                        logs.0.entry(*log).or_default().learn(key, entry, source)
                    }
                    Part::Poll { log, from, pairs } => {
                        key.may_take(pairs.len() * size_of::<Known<'_>>())?;
                        let mut wrong = None;
                        for (offset, value) in pairs {
                            key.step()?;
                            let log_of = logs.0.entry(*log).or_default();
                            let is_end = from.is_none() && outcome == Outcome::Ok;
                            let entry = Entry { log: *log, offset: *offset, value };
                            wrong = wrong.or_else(|| log_of.poll(key, entry, all, transaction, is_end));
                        }
                        wrong
                    }
                    _ => None,
                };
                if let Some((before, claim)) = wrong {
                    let operations = source.operations().chain(before).collect();
                    return Ok(Collected::Wrong((operations, format!("{} {claim}", who(key, transaction.index)))));
                }
            }
        }
        Ok(Collected::Consistent(logs))
    }

    /// Collects all sends. A value that was sent once more after its send had failed is one that was sent.
    fn take_sends(&mut self, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<(), UnknownWhy> {
        for (place, transaction) in all.iter().enumerate() {
            for (log, value, _) in transaction.parts.iter().filter_map(Part::sent) {
                key.step()?;
                key.may_take(size_of::<(&Value, Sent)>())?;
                let outcome = transaction.operation.outcome;
                let sent = Sent { place, outcome, invoked: transaction.operation.invoked };
                let known = self.0.entry(log).or_default().sent.entry(value).or_insert(sent);
                if known.place != place && outcome != Outcome::Fail {
                    if known.outcome != Outcome::Fail {
                        return unsupported(format!("{value}, which was sent twice{}", in_log(log)));
                    }
                    *known = sent;
                }
            }
        }
        Ok(())
    }

    /// Returns the operations (places) of unknown outcome that took place, because one that did (index) polled what
    /// they sent.
    fn witnesses(&self, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<FxHashMap<usize, u32>, UnknownWhy> {
        let mut witnesses = FxHashMap::default();
        for reader in all.iter().filter(|it| it.operation.outcome == Outcome::Ok) {
            for (log, pairs) in reader.parts.iter().filter_map(Part::shown) {
                for (_, value) in pairs {
                    key.step()?;
                    if let Some(sent) = self.sent(log, value)
                        && sent.outcome == Outcome::Info
                    {
                        witnesses.entry(sent.place).or_insert(reader.index);
                    }
                }
            }
        }
        Ok(witnesses)
    }

    /// Returns the send of a value.
    pub(super) fn sent(&self, log: LogName<'_>, value: &Value) -> Option<Sent> {
        self.0.get(&log)?.sent.get(value).copied()
    }

    /// Returns the offset of a value, if anybody knows it.
    pub(super) fn place(&self, log: LogName<'_>, value: &Value) -> Option<(i64, Source)> {
        self.0.get(&log)?.places.get(value).copied()
    }

    /// Finds a value that no poll shows, before one that a poll shows, wherever that began. Of polls that say where
    /// they begin, nothing follows about what lies before; and what the polls that were not answered found, nobody
    /// knows.
    pub(super) fn lost(&self, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Option<Found>, UnknownWhy> {
        let is_unknown =
            |it: &Transaction<'_>| it.operation.outcome == Outcome::Info && it.parts.contains(&Part::Unknown);
        if all.iter().any(is_unknown) {
            return Ok(None);
        }
        // What no poll shows is known by its send.
        for (log, value, _) in all.iter().flat_map(|it| it.parts.iter().filter_map(Part::sent)) {
            key.step()?;
            let Some(known) = self.0.get(&log) else { continue };
            let Some((offset, source)) = known.places.get(value) else { continue };
            let is_polled = known.offsets.get(offset).is_some_and(|it| it.polled_by.is_some());
            if let Some((end, poll)) = known.end.filter(|(end, _)| offset < end && !is_polled) {
                let claim = format!(
                    "{} put {} at offset {offset}{}, but no poll shows it, although {} shows offset {end}: it was lost",
                    who(key, source.operation),
                    brief(value),
                    of_log(log),
                    who(key, poll)
                );
                return Ok(Some(([poll].into_iter().chain(source.operations()).collect(), claim)));
            }
        }
        Ok(None)
    }
}

/// Contradiction: the other operations (indexes) that it takes, and what the claim says of the one at hand.
type Wrong = (Vec<u32>, String);

/// Value at an offset of a log, as an operation shows it.
#[derive(Clone, Copy)]
struct Entry<'a> {
    log: LogName<'a>,
    offset: i64,
    value: &'a Value,
}

impl<'a> Log<'a> {
    /// Notes that a poll of an operation shows a value at an offset.
    fn poll(
        &mut self,
        key: &Key<'_>,
        entry: Entry<'a>,
        all: &[Transaction<'a>],
        reader: &Transaction<'a>,
        is_end: bool,
    ) -> Option<Wrong> {
        let (index, operation) = (reader.index, &reader.operation);
        let Entry { log, offset, value } = entry;
        let returned = || format!("returned {} at offset {offset}{}", brief(value), of_log(log));
        let sent = self.sent.get(value).copied();
        match sent.map(|sent| (sent, all[sent.place].index)) {
            Some((sent, sender)) if sent.invoked <= operation.completed => {
                if sent.outcome == Outcome::Fail && operation.outcome == Outcome::Ok {
                    let sender_in_words = who(key, sender);
                    let claim = format!("{}, although {sender_in_words}, which sent it, failed (G1a)", returned());
                    return Some((vec![sender], claim));
                }
                if sender == index {
                    let claim = format!("{}, which it sent itself, before it was committed", returned());
                    return Some((Vec::new(), claim));
                }
            }
            Some((_, sender)) => {
                let sender_in_words = who(key, sender);
                let claim = format!("{}, although {sender_in_words}, which sent it, only began later", returned());
                return Some((vec![sender], claim));
            }
            None => return Some((Vec::new(), format!("{}, which nobody ever sent", returned()))),
        }
        let wrong = self.learn(key, entry, Source { operation: index, witness: None });
        self.offsets.entry(offset).and_modify(|known| {
            known.polled_by.get_or_insert(index);
        });
        if is_end && self.end.is_none_or(|(end, _)| end < offset) {
            self.end = Some((offset, index));
        }
        wrong
    }

    /// Notes that a value is at an offset.
    fn learn(&mut self, key: &Key<'_>, entry: Entry<'a>, source: Source) -> Option<Wrong> {
        let Entry { log, offset, value } = entry;
        let against = |other: Source| {
            let is_same = other.operation == source.operation;
            if is_same { "and also".to_owned() } else { format!("although {} says", who(key, other.operation)) }
        };
        let fresh = Known { value, source, polled_by: None };
        let known = self.offsets.entry(offset).or_insert(fresh);
        if known.value != value {
            let (value, other, against) = (brief(value), brief(known.value), against(known.source));
            let claim = format!("says that offset {offset}{} has {value}, {against} that it has {other}", of_log(log));
            return Some((known.source.operations().collect(), claim));
        }
        let (other, first) = *self.places.entry(value).or_insert((offset, source));
        let claim = || {
            let (value, against) = (brief(value), against(first));
            format!("says that {value} is at offset {offset}{}, {against} that it is at offset {other}", of_log(log))
        };
        (other != offset).then(|| (first.operations().collect(), claim()))
    }
}

/// Returns words that name a log after a sentence, unless it is that of the key.
fn in_log(log: LogName<'_>) -> String {
    if *log.0 == Value::Nil { String::new() } else { format!(" (log {log})") }
}

/// Returns words that name a log after an offset, unless it is that of the key.
pub(super) fn of_log(log: LogName<'_>) -> String {
    if *log.0 == Value::Nil { String::new() } else { format!(" of log {log}") }
}
