//! What each transaction did to each key: changes, the first thing that it read there, and whether it contradicts itself.

use histories::{Found, History, MicroOperation, Operation, Outcome, ValueId};

use super::{
    findings::Findings,
    graph::NONE,
    limit::Limit,
    report::{AnomalyKind, Level},
};
use crate::UnknownWhy;

/// An `append` or a `w`. Those of one transaction to one key stand together, in its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub transaction: u32,
    pub value: ValueId,
}

/// What a transaction that ended well read of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'h> {
    pub transaction: u32,
    /// Of a list: how much of it was there before the transaction added anything.
    pub base: u32,
    /// The list as it was read last.
    pub list: &'h [ValueId],
    /// Of a register: what was read before the transaction wrote anything.
    pub value: ValueId,
}

/// Rows, those of one key together.
#[derive(Debug)]
pub(super) struct ByKey<T> {
    begins: Vec<u32>,
    pub rows: Vec<T>,
}

impl<T: Copy> ByKey<T> {
    /// Counting sort; rows of one key stay in their order.
    fn new(keys: usize, rows: &[(u32, T)], limit: &Limit<'_>) -> Result<Self, UnknownWhy> {
        limit.room(2 * (keys + 1) * size_of::<u32>() + rows.len() * (size_of::<u32>() + size_of::<T>()))?;
        let mut begins = vec![0_u32; keys + 1];
        for (key, _) in rows {
            begins[*key as usize + 1] += 1;
        }
        for key in 0..keys {
            begins[key + 1] += begins[key];
        }
        let (mut next, mut places) = (begins.clone(), vec![0_u32; rows.len()]);
        for (row, (key, _)) in (0..).zip(rows) {
            places[next[*key as usize] as usize] = row;
            next[*key as usize] += 1;
        }
        Ok(Self { begins, rows: places.iter().map(|&place| rows[place as usize].1).collect() })
    }

    pub(super) fn range(&self, key: u32) -> std::ops::Range<usize> {
        self.begins[key as usize] as usize..self.begins[key as usize + 1] as usize
    }

    pub(super) fn of(&self, key: u32) -> &[T] {
        &self.rows[self.range(key)]
    }
}

/// What a key is, by what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    List,
    Register,
}

#[derive(Debug)]
pub(super) struct Facts<'h> {
    pub history: &'h History,
    /// Keys in the order of their first appearance.
    pub keys: Vec<ValueId>,
    pub classes: Vec<Class>,
    pub changes: ByKey<Change>,
    pub reads: ByKey<Read<'h>>,
    /// Whether a transaction ended well, or something of it was read.
    pub happened: Vec<bool>,
}

impl<'h> Facts<'h> {
    /// Goes through all transactions once.
    pub(super) fn gather(
        history: &'h History,
        findings: &mut Findings<'h>,
        limit: &Limit<'_>,
    ) -> Result<Self, UnknownWhy> {
        let (keys, number, classes) = classify(history, limit)?;
        let (mut changes, mut reads) = (Vec::new(), Vec::new());
        let mut happened = Vec::with_capacity(history.transactions.len());
        let mut steps: Vec<(u32, MicroOperation<'h>)> = Vec::new();
        for transaction in 0..history.transactions.len() {
            limit.step()?;
            let ok = history.operations[history.transactions.operation(transaction)].outcome == Outcome::Ok;
            happened.push(ok);
            let micros = history.transactions.micro_operations(transaction);
            steps.clear();
            steps.extend(micros.map(|micro| (number[key_of(micro).0 as usize], micro)));
            steps.sort_by_key(|(key, _)| *key);
            let transaction = u32::try_from(transaction).expect("there are fewer transactions than events");
            for of_key in steps.chunk_by(|a, b| a.0 == b.0) {
                let key = of_key[0].0;
                for (_, micro) in of_key {
                    if let MicroOperation::Append { value, .. } | MicroOperation::Write { value, .. } = *micro {
                        limit.grow(&changes)?;
                        changes.push((key, Change { transaction, value }));
                    }
                }
                if ok {
                    let read = match classes[key as usize] {
                        Class::List => list_read(transaction, of_key),
                        Class::Register => register_read(transaction, of_key),
                    };
                    limit.grow(&reads)?;
                    reads.extend(read.kept.map(|read| (key, read)));
                    if read.contradicts {
                        findings.add(AnomalyKind::Internal, Level::SnapshotIsolation, &[transaction], || {
                            contradiction(history, keys[key as usize])
                        });
                    }
                }
            }
        }
        let (changes, reads) = (ByKey::new(keys.len(), &changes, limit)?, ByKey::new(keys.len(), &reads, limit)?);
        Ok(Self { history, keys, classes, changes, reads, happened })
    }

    pub(super) fn operation(&self, transaction: u32) -> &'h Operation {
        &self.history.operations[self.history.transactions.operation(transaction as usize)]
    }

    pub(super) fn outcome(&self, transaction: u32) -> Outcome {
        self.operation(transaction).outcome
    }

    /// For each value, which change of a key wrote it; `slots` has a place for each value and is [`NONE`] throughout. A value that
    /// an operation wrote that did not happen counts only where nobody else wrote it.
    pub(super) fn writers(&self, key: u32, slots: &mut [u32]) -> Result<(), UnknownWhy> {
        for place in self.changes.range(key) {
            let change = &self.changes.rows[place];
            let slot = &mut slots[change.value.0 as usize];
            let fails = |place: u32| self.outcome(self.changes.rows[place as usize].transaction) == Outcome::Fail;
            let place = u32::try_from(place).expect("it was counted");
            if *slot == NONE || fails(*slot) {
                *slot = place;
            } else if !fails(place) {
                let (value, key) = (self.history.value(change.value), self.history.value(self.keys[key as usize]));
                return Err(UnknownWhy::Unsupported { what: format!("{value}, which is written twice to key {key}") });
            }
        }
        Ok(())
    }

    /// Makes `slots` what it was before [`Facts::writers`].
    pub(super) fn forget(&self, key: u32, slots: &mut [u32]) {
        for change in self.changes.of(key) {
            slots[change.value.0 as usize] = NONE;
        }
    }

    /// Whether the change at this place is the last of its transaction to its key.
    pub(super) fn is_final(&self, key: u32, place: u32) -> bool {
        let (next, end) = (place as usize + 1, self.changes.range(key).end);
        next == end || self.changes.rows[next].transaction != self.changes.rows[place as usize].transaction
    }
}

fn contradiction(history: &History, key: ValueId) -> String {
    let key = super::words::key(history.value(key));
    format!("T1 contradicts itself: what it read of {key} is not what it read or wrote there before")
}

fn key_of(micro: MicroOperation<'_>) -> ValueId {
    let (MicroOperation::Append { key, .. } | MicroOperation::Write { key, .. } | MicroOperation::Read { key, .. }) =
        micro;
    key
}

/// The keys, each one's number by its value, and what each is.
type Keys = (Vec<ValueId>, Vec<u32>, Vec<Class>);

/// Numbers the keys.
fn classify(history: &History, limit: &Limit<'_>) -> Result<Keys, UnknownWhy> {
    const APPENDED: u8 = 1;
    const WRITTEN: u8 = 2;
    const READ_LIST: u8 = 4;
    const READ_VALUE: u8 = 8;
    limit.room(history.values.len() * size_of::<u32>())?;
    let (mut keys, mut number, mut uses) = (Vec::new(), vec![NONE; history.values.len()], Vec::new());
    for transaction in 0..history.transactions.len() {
        limit.step()?;
        for micro in history.transactions.micro_operations(transaction) {
            let key = key_of(micro);
            let slot = &mut number[key.0 as usize];
            if *slot == NONE {
                *slot = u32::try_from(keys.len()).expect("there are fewer keys than values");
                keys.push(key);
                uses.push(0);
            }
            uses[*slot as usize] |= match micro {
                MicroOperation::Append { .. } => APPENDED,
                MicroOperation::Write { .. } => WRITTEN,
                MicroOperation::Read { found: Found::List(_), .. } => READ_LIST,
                MicroOperation::Read { found: Found::Value(value), .. } if value != ValueId::NIL => READ_VALUE,
                MicroOperation::Read { .. } => 0,
            };
        }
    }
    let mut classes = Vec::with_capacity(keys.len());
    for (key, uses) in keys.iter().zip(uses) {
        let (list, register) = (uses & (APPENDED | READ_LIST) != 0, uses & (WRITTEN | READ_VALUE) != 0);
        if list && register {
            let what = format!("key {}, which is both a list and a register", history.value(*key));
            return Err(UnknownWhy::Unsupported { what });
        }
        classes.push(if register { Class::Register } else { Class::List });
    }
    Ok((keys, number, classes))
}

/// What one transaction read of one key.
#[derive(Default)]
struct OfKey<'h> {
    kept: Option<Read<'h>>,
    contradicts: bool,
}

/// What it found must end in what it added itself, and grow by just that.
fn list_read<'h>(transaction: u32, steps: &[(u32, MicroOperation<'h>)]) -> OfKey<'h> {
    let mut of_key = OfKey::default();
    // How many it had added when it read last.
    let mut added_before = 0;
    let added = || {
        steps.iter().filter_map(|(_, micro)| match *micro {
            MicroOperation::Append { value, .. } => Some(value),
            _ => None,
        })
    };
    let mut count = 0;
    for (_, micro) in steps {
        let list: &[ValueId] = match *micro {
            MicroOperation::Read { found: Found::List(list), .. } => list,
            MicroOperation::Read { found: Found::Value(ValueId::NIL), .. } => &[],
            MicroOperation::Append { .. } => {
                count += 1;
                continue;
            }
            _ => continue,
        };
        let before: &[ValueId] = of_key.kept.map_or(&[], |read| read.list);
        let new = count - added_before;
        let base = list.len().checked_sub(new);
        let fits = base.is_some_and(|base| list[base..].iter().copied().eq(added().skip(added_before).take(new)));
        let goes_on = of_key.kept.is_none() || base.is_some_and(|base| list[..base] == *before);
        if !fits || !goes_on {
            of_key.contradicts = true;
            return of_key;
        }
        let first = of_key.kept.map_or(base, |read| Some(read.base as usize)).unwrap_or_default();
        let base = u32::try_from(first).expect("a list has fewer elements than there are in all");
        of_key.kept = Some(Read { transaction, base, list, value: ValueId::UNKNOWN });
        added_before = count;
    }
    of_key
}

/// What it found must be what it wrote last, or else what it found before.
fn register_read<'h>(transaction: u32, steps: &[(u32, MicroOperation<'h>)]) -> OfKey<'h> {
    let mut of_key = OfKey::default();
    let mut holds = None;
    for (_, micro) in steps {
        match *micro {
            MicroOperation::Write { value, .. } => holds = Some(value),
            MicroOperation::Read { found: Found::Value(value), .. } if holds.is_none() => {
                holds = Some(value);
                of_key.kept = Some(Read { transaction, base: 0, list: &[], value });
            }
            MicroOperation::Read { found: Found::Value(value), .. } => of_key.contradicts |= holds != Some(value),
            MicroOperation::Append { .. } | MicroOperation::Read { .. } => {}
        }
    }
    of_key
}
