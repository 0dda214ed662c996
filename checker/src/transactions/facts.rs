//! Facts about each transaction and key: its changes, its first read, and whether it contradicts itself.

use histories::{History, MicroOperation, Operation, Outcome, ReadResult, Value, ValueId};
use rustc_hash::FxHashMap;

use super::{
    findings::Findings,
    indices::{ChangeIndex, KeyIndex, TransactionIndex},
    limit::Limit,
    report::{AnomalyKind, Level},
};
use crate::{
    UnknownWhy,
    index::OptionalIndex,
    rows::Rows,
    unknown::unsupported,
    words::{did, key_name},
};

/// Change by an `append` or a `w`. Those of one transaction to one key are adjacent, in its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyChange {
    pub transaction: TransactionIndex,
    pub value: ValueId,
}

/// Read of a key by a committed transaction: its first one, or a stray one, which contradicts what the transaction read
/// or wrote before. The value of a stray read still came from some transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'h> {
    pub transaction: TransactionIndex,
    /// Length of the list that was read, without what the transaction itself had added (at the end of a stray one).
    pub base: u32,
    /// List as it was read last.
    pub list: &'h [ValueId],
    /// Value of the register that was read before the transaction wrote anything to it.
    pub value: ValueId,
}

impl<'h> Read<'h> {
    fn of_list(transaction: TransactionIndex, list: &'h [ValueId], base: usize) -> Self {
        let base = u32::try_from(base).expect("a list has fewer elements than there are in all");
        Self { transaction, base, list, value: ValueId::UNKNOWN }
    }
}

/// Rows grouped by key.
#[derive(Debug)]
pub(super) struct ByKey<T> {
    begins: Vec<u32>,
    pub rows: Vec<T>,
}

impl<T: Copy> ByKey<T> {
    /// Groups rows by key. Rows of one key keep their order.
    fn new(keys: usize, rows: &[(KeyIndex, T)], limit: &Limit<'_>) -> Result<Self, UnknownWhy> {
        limit.may_take((keys + rows.len()) * size_of::<u32>() + rows.len() * size_of::<T>())?;
        let places = Rows::new(keys, || (0..).zip(rows).map(|(place, (key, _))| (u32::from(*key), place)));
        let rows = places.numbers.iter().map(|&place| rows[place as usize].1).collect();
        Ok(Self { begins: places.begins, rows })
    }

    pub(super) fn range(&self, key: KeyIndex) -> std::ops::Range<usize> {
        self.begins[key.index()] as usize..self.begins[key.index() + 1] as usize
    }

    pub(super) fn of(&self, key: KeyIndex) -> &[T] {
        &self.rows[self.range(key)]
    }
}

/// Change that wrote a value, in four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writer(u32);

impl Writer {
    /// Absence of any change that wrote the value.
    pub(super) const NOBODY: Self = Self(u32::MAX);
    /// One of several changes: it is unknown which.
    pub(super) const SEVERAL: Self = Self(u32::MAX - 1);

    /// Returns the place of the change, if it is known.
    pub(super) fn change(self) -> Option<ChangeIndex> {
        (self.0 < Self::SEVERAL.0).then(|| self.0.into())
    }
}

/// Class of a key, by the operations on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyClass {
    List,
    Register,
}

/// Initial content of every key.
#[derive(Clone, Debug)]
pub(super) struct Initial {
    /// Value of a register; [`ValueId::UNKNOWN`] if that value never occurs in the history.
    pub value: ValueId,
    /// Elements of a list.
    pub list: Vec<ValueId>,
    /// Class of a key of which only reads of nil are known.
    default: KeyClass,
}

impl Initial {
    /// Looks up the initial content among the values of a history.
    pub(super) fn new(history: &History, initial: &Value) -> Self {
        let find = |value: &Value| history.values.find(value).unwrap_or(ValueId::UNKNOWN);
        match initial {
            Value::Nil => Self { value: ValueId::NIL, list: Vec::new(), default: KeyClass::List },
            Value::List(elements) => {
                Self { value: ValueId::NIL, list: elements.iter().map(find).collect(), default: KeyClass::List }
            }
            other => Self { value: find(other), list: Vec::new(), default: KeyClass::Register },
        }
    }
}

#[derive(Debug)]
pub(super) struct Facts<'h> {
    pub history: &'h History,
    pub initial: &'h Initial,
    /// Keys in the order of their first appearance.
    pub keys: Vec<ValueId>,
    pub classes: Vec<KeyClass>,
    pub changes: ByKey<KeyChange>,
    pub reads: ByKey<Read<'h>>,
    pub strays: ByKey<Read<'h>>,
    /// Values that several changes may have written, by key: reads of them prove nothing.
    pub written_twice: FxHashMap<KeyIndex, Vec<ValueId>>,
    /// Number of reads with a known result.
    pub answered_reads: usize,
    /// True for each transaction that committed, or of which a write was read.
    pub happened: Vec<bool>,
    /// True if all transactions committed.
    pub all_certain: bool,
}

impl<'h> Facts<'h> {
    /// Collects the facts in one pass over all transactions.
    pub(super) fn gather(
        history: &'h History,
        initial: &'h Initial,
        findings: &mut Findings<'h>,
        limit: &Limit<'_>,
    ) -> Result<Self, UnknownWhy> {
        let table = classify(history, initial, limit)?;
        let (mut changes, mut reads, mut strays, mut answered_reads) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut happened = Vec::with_capacity(history.transactions.len());
        let mut steps: Vec<(KeyIndex, MicroOperation<'h>)> = Vec::new();
        for transaction in 0..history.transactions.len() {
            limit.step()?;
            let ok = history.operations[history.transactions.operation(transaction)].outcome == Outcome::Ok;
            happened.push(ok);
            let micros = history.transactions.micro_operations(transaction);
            steps.clear();
            steps.extend(micros.map(|micro| (table.number(key_of(micro)), micro)));
            steps.sort_by_key(|(key, _)| *key);
            let transaction = TransactionIndex::from(transaction);
            for of_key in steps.chunk_by(|a, b| a.0 == b.0) {
                let key = of_key[0].0;
                for (_, micro) in of_key {
                    if let MicroOperation::Append { value, .. } | MicroOperation::Write { value, .. } = *micro {
                        limit.grow(&changes)?;
                        changes.push((key, KeyChange { transaction, value }));
                    }
                }
                if ok {
                    let mut of_key = KeyAccesses {
                        initial,
                        transaction,
                        steps: of_key,
                        read: None,
                        strays: Vec::new(),
                        lacks: false,
                    };
                    match table.classes[key.index()] {
                        KeyClass::List => of_key.list(),
                        KeyClass::Register => of_key.register(),
                    }
                    answered_reads += of_key.reads();
                    limit.grow(&reads)?;
                    reads.extend(of_key.read.map(|read| (key, read)));
                    of_key.report(findings, history, || key_name(history.value(table.keys[key.index()])));
                    strays.extend(of_key.strays.into_iter().map(|stray| (key, stray)));
                }
            }
        }
        let KeyTable { keys, classes, .. } = table;
        let (changes, reads) = (ByKey::new(keys.len(), &changes, limit)?, ByKey::new(keys.len(), &reads, limit)?);
        let strays = ByKey::new(keys.len(), &strays, limit)?;
        let all_certain = happened.iter().all(|ok| *ok);
        Ok(Self {
            history,
            initial,
            keys,
            classes,
            changes,
            reads,
            strays,
            written_twice: FxHashMap::default(),
            answered_reads,
            happened,
            all_certain,
        })
    }

    /// Returns the transactions that happened.
    pub(super) fn transactions(&self) -> impl Iterator<Item = TransactionIndex> {
        (0_u32..).zip(&self.happened).filter(|(_, happened)| **happened).map(|(transaction, _)| transaction.into())
    }

    pub(super) fn operation(&self, transaction: TransactionIndex) -> &'h Operation {
        &self.history.operations[self.history.transactions.operation(transaction.index())]
    }

    pub(super) fn key_name(&self, key: KeyIndex) -> String {
        key_name(self.history.value(self.keys[key.index()]))
    }

    pub(super) fn outcome(&self, transaction: TransactionIndex) -> Outcome {
        self.operation(transaction).outcome
    }

    /// Fills `slots`, which has an entry for each value and is [`Writer::NOBODY`] throughout, with the writers of a
    /// key's values. A value written by a failed operation counts only if no other operation wrote it.
    pub(super) fn writers(&mut self, key: KeyIndex, slots: &mut [Writer]) {
        let fails = |place: ChangeIndex| self.outcome(self.changes.rows[place.index()].transaction) == Outcome::Fail;
        let mut twice = Vec::new();
        for (place, change) in self.changes.range(key).zip(self.changes.of(key)) {
            let slot = &mut slots[change.value.0 as usize];
            let place = ChangeIndex::from(place);
            if *slot == Writer::NOBODY || slot.change().is_some_and(fails) {
                *slot = Writer(place.into());
            } else if *slot != Writer::SEVERAL && !fails(place) {
                *slot = Writer::SEVERAL;
                twice.push(change.value);
            }
        }
        if self.classes[key.index()] == KeyClass::Register
            && let Some(slot) = slots.get_mut(self.initial.value.0 as usize)
            && let Some(change) = slot.change()
        {
            *slot = if fails(change) { Writer::NOBODY } else { Writer::SEVERAL };
            twice.extend((*slot == Writer::SEVERAL).then_some(self.initial.value));
        }
        if !twice.is_empty() {
            self.written_twice.insert(key, twice);
        }
    }

    /// Returns all reads of a key: the first ones of transactions, then stray ones.
    pub(super) fn all_reads(&self, key: KeyIndex) -> impl Iterator<Item = &Read<'h>> + Clone {
        self.reads.of(key).iter().chain(self.strays.of(key))
    }

    /// Returns the values of a key that several changes may have written.
    pub(super) fn twice(&self, key: KeyIndex) -> impl Iterator<Item = ValueId> {
        self.written_twice.get(&key).into_iter().flatten().copied()
    }

    /// Describes a value that several changes may have written, with its key.
    pub(super) fn twice_in_words(&self) -> Option<String> {
        let (&key, values) = self.written_twice.iter().min_by_key(|(key, _)| **key)?;
        let value = *values.first()?;
        let (shown, name) = (self.history.value(value), self.key_name(key));
        let is_initial = self.classes[key.index()] == KeyClass::Register && value == self.initial.value;
        let what = if is_initial { "and is its initial value, too" } else { "more than once" };
        let others = self.written_twice.values().map(Vec::len).sum::<usize>() - 1;
        let others = if others == 0 { String::new() } else { format!(", and {others} more such values") };
        let written = if self.classes[key.index()] == KeyClass::List { "appended" } else { "written" };
        Some(format!("{shown} was {written} to {name} {what}{others}: whose value a read found is then not known"))
    }

    /// Resets `slots` to its state before [`Facts::writers`].
    pub(super) fn forget(&self, key: KeyIndex, slots: &mut [Writer]) {
        for change in self.changes.of(key) {
            slots[change.value.0 as usize] = Writer::NOBODY;
        }
    }

    /// Returns the place that stands for the initial version of a register, after those of all changes.
    pub(super) fn initial_version(&self) -> ChangeIndex {
        self.changes.rows.len().into()
    }

    /// Returns true if the change at this place is the last of its transaction to its key.
    pub(super) fn is_final(&self, key: KeyIndex, place: ChangeIndex) -> bool {
        let (next, end) = (place.index() + 1, self.changes.range(key).end);
        next == end || self.changes.rows[next].transaction != self.changes.rows[place.index()].transaction
    }
}

/// Returns the length of the common prefix of two lists.
pub(super) fn common_prefix(one: &[ValueId], other: &[ValueId]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn key_of(micro: MicroOperation<'_>) -> ValueId {
    let (MicroOperation::Append { key, .. } | MicroOperation::Write { key, .. } | MicroOperation::Read { key, .. }) =
        micro;
    key
}

/// Keys of a history.
struct KeyTable {
    keys: Vec<ValueId>,
    classes: Vec<KeyClass>,
    /// Number of each key, by its value.
    numbers: Vec<OptionalIndex<KeyIndex>>,
}

impl KeyTable {
    fn number(&self, key: ValueId) -> KeyIndex {
        self.numbers[key.0 as usize].get().expect("each key was numbered")
    }
}

/// Numbers and classifies the keys.
fn classify(history: &History, initial: &Initial, limit: &Limit<'_>) -> Result<KeyTable, UnknownWhy> {
    const APPENDED: u8 = 1;
    const WRITTEN: u8 = 2;
    const READ_LIST: u8 = 4;
    const READ_VALUE: u8 = 8;
    limit.may_take(history.values.len() * size_of::<u32>())?;
    let (mut keys, mut uses) = (Vec::new(), Vec::new());
    let mut numbers = vec![OptionalIndex::NONE; history.values.len()];
    for transaction in 0..history.transactions.len() {
        limit.step()?;
        for micro in history.transactions.micro_operations(transaction) {
            let key = key_of(micro);
            let slot = &mut numbers[key.0 as usize];
            let number = slot.get().unwrap_or_else(|| {
                keys.push(key);
                uses.push(0);
                KeyIndex::from(keys.len() - 1)
            });
            *slot = number.into();
            uses[number.index()] |= match micro {
                MicroOperation::Append { .. } => APPENDED,
                MicroOperation::Write { .. } => WRITTEN,
                MicroOperation::Read { found: ReadResult::List(_), .. } => READ_LIST,
                MicroOperation::Read { found: ReadResult::Value(value), .. } if value != ValueId::NIL => READ_VALUE,
                MicroOperation::Read { .. } => 0,
            };
        }
    }
    let mut classes = Vec::with_capacity(keys.len());
    for (key, uses) in keys.iter().zip(uses) {
        let (list, register) = (uses & (APPENDED | READ_LIST) != 0, uses & (WRITTEN | READ_VALUE) != 0);
        if list && register {
            return unsupported(format!("key {}, which is both a list and a register", history.value(*key)));
        }
        classes.push(match (list, register) {
            (true, _) => KeyClass::List,
            (_, true) => KeyClass::Register,
            _ => initial.default,
        });
    }
    Ok(KeyTable { keys, classes, numbers })
}

/// Operations of one committed transaction on one key, and what it read there.
struct KeyAccesses<'a, 'h> {
    initial: &'a Initial,
    transaction: TransactionIndex,
    steps: &'a [(KeyIndex, MicroOperation<'h>)],
    read: Option<Read<'h>>,
    strays: Vec<Read<'h>>,
    /// True if a list was read without its initial elements.
    lacks: bool,
}

impl<'h> KeyAccesses<'_, 'h> {
    fn reads(&self) -> usize {
        let known = |found: ReadResult<'_>| found != ReadResult::Unknown;
        let is_known =
            |micro: &MicroOperation<'_>| matches!(micro, MicroOperation::Read { found, .. } if known(*found));
        self.steps.iter().filter(|(_, micro)| is_known(micro)).count()
    }

    fn report(&self, findings: &mut Findings<'h>, history: &History, name: impl Fn() -> String) {
        if !self.strays.is_empty() {
            findings.add(AnomalyKind::Internal, Level::SnapshotIsolation, &[self.transaction], &|names| {
                let did: Vec<String> = self.steps.iter().map(|(_, micro)| did(history, *micro)).collect();
                format!("{} contradicts itself on {}: it {}", names[0], name(), did.join(", then "))
            });
        }
        if self.lacks {
            findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, &[self.transaction], &|names| {
                format!("{} read {} without what was in it at first", names[0], name())
            });
        }
    }

    /// Returns a list without its initial elements.
    fn added(&mut self, list: &'h [ValueId]) -> &'h [ValueId] {
        let initial = &self.initial.list;
        let same = common_prefix(list, initial);
        self.lacks |= same < initial.len();
        &list[same..]
    }

    fn only_changes(&self) -> bool {
        !self.steps.iter().any(|(_, micro)| matches!(micro, MicroOperation::Read { .. }))
    }

    /// Processes the reads of a list: each must find what the first one found, followed by what the transaction has
    /// added since.
    fn list(&mut self) {
        if self.only_changes() {
            return;
        }
        let mut own: Vec<ValueId> = Vec::new();
        for (_, micro) in self.steps {
            let list: &'h [ValueId] = match *micro {
                MicroOperation::Read { found: ReadResult::List(list), .. } => list,
                MicroOperation::Read { found: ReadResult::Value(ValueId::NIL), .. } => &[],
                MicroOperation::Append { value, .. } => {
                    own.push(value);
                    continue;
                }
                _ => continue,
            };
            let list = self.added(list);
            let base = list.strip_suffix(&*own);
            let goes_on = self.read.is_none_or(|read| base == Some(&read.list[..read.base as usize]));
            if let Some(base) = base.filter(|_| goes_on) {
                self.read = Some(Read::of_list(self.transaction, list, base.len()));
            } else {
                let others = list.iter().rposition(|element| !own.contains(element)).map_or(0, |last| last + 1);
                self.strays.push(Read::of_list(self.transaction, &list[..others], others));
            }
        }
    }

    /// Processes the reads of a register: each must find what the transaction wrote last, or else what it found
    /// before.
    fn register(&mut self) {
        if self.only_changes() {
            return;
        }
        let (mut holds, mut own): (_, Vec<ValueId>) = (None, Vec::new());
        for (_, micro) in self.steps {
            match *micro {
                MicroOperation::Write { value, .. } => {
                    holds = Some(value);
                    own.push(value);
                }
                MicroOperation::Read { found: ReadResult::Value(value), .. } if holds.is_none() => {
                    holds = Some(value);
                    self.read = Some(Read { transaction: self.transaction, base: 0, list: &[], value });
                }
                MicroOperation::Read { found: ReadResult::Value(value), .. } if holds != Some(value) => {
                    let value = if own.contains(&value) { ValueId::UNKNOWN } else { value };
                    self.strays.push(Read { transaction: self.transaction, base: 0, list: &[], value });
                }
                MicroOperation::Read { .. } | MicroOperation::Append { .. } => {}
            }
        }
    }
}
