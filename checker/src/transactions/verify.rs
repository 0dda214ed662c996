//! Second opinion: replays an order of transactions, and confirms in the history itself what each link of a cycle
//! claims.
//!
//! It knows only histories and reports: it shares no code with the methods that it verifies.

use histories::{History, MicroOperation, NEVER, Outcome, ReadResult, Value, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::report::{Level, Link, LinkEvidence, Orders};

/// Content of a key.
#[derive(Clone)]
enum Content {
    List(Vec<ValueId>),
    Register(ValueId),
}

/// Replay of an order.
pub(super) struct Replay<'a> {
    pub history: &'a History,
    /// Initial content of each key.
    pub initial: &'a Value,
    /// Callback that is told the number of steps done and returns false to end the replay.
    pub goes_on: &'a mut dyn FnMut(usize) -> bool,
}

type ReplayResult = Result<(), String>;

impl Replay<'_> {
    /// Replays `order` (indexes of operations) as a serial order of all transactions at `level`.
    ///
    /// # Errors
    /// The reason why it does not explain them.
    pub(super) fn serially(&mut self, order: &[u32], level: Level) -> ReplayResult {
        let history = self.history;
        let mut contents = Contents::new(history, self.initial);
        let mut seen = OrderCoverage::new(history);
        let (mut last_start, mut last_of): (u32, FxHashMap<u32, u32>) = (0, FxHashMap::default());
        for &index in order {
            let operation = &history.operations[index as usize];
            let transaction = seen.once(index)?;
            if level == Level::StrictSerializable && operation.completed < last_start {
                return Err(format!("operation {index} after one that began when it was over"));
            }
            last_start = last_start.max(operation.invoked);
            let last = last_of.entry(operation.process).or_default();
            let certain = operation.outcome == Outcome::Ok;
            if level >= Level::StrongSessionSerializable && certain && *last > operation.invoked {
                return Err(format!("operation {index} after a later one of its process"));
            }
            *last = operation.invoked.max(*last);
            for micro in history.transactions.micro_operations(transaction) {
                self.step(micro)?;
                if !step(contents.of(key_of(micro)), micro) {
                    return Err(format!("operation {index} could not have read what it read"));
                }
            }
        }
        seen.all()
    }

    /// Replays an order of beginnings and commits (the first and the second occurrence of each operation). Each
    /// transaction must be explained by a snapshot at its beginning, and no two that change the same key may overlap.
    ///
    /// # Errors
    /// The reason why the order does not explain them.
    pub(super) fn by_snapshots(&mut self, events: &[u32]) -> ReplayResult {
        let history = self.history;
        let mut contents = Contents::new(history, self.initial);
        let mut seen = OrderCoverage::new(history);
        // Transactions that have begun and not committed yet.
        let mut open: FxHashMap<u32, Vec<ValueId>> = FxHashMap::default();
        for &index in events {
            let transaction = history.transactions.at(index as usize).ok_or("an operation that is no transaction")?;
            if open.remove(&index).is_some() {
                seen.once(index)?;
                for micro in changes(history, transaction) {
                    step(contents.of(key_of(micro)), micro);
                }
                continue;
            }
            let changed: Vec<ValueId> = changes(history, transaction).map(key_of).collect();
            if open.values().any(|other| other.iter().any(|key| changed.contains(key))) {
                return Err(format!("operation {index} began before another ended that changes the same"));
            }
            open.insert(index, changed);
            let mut own: FxHashMap<ValueId, Option<Content>> = FxHashMap::default();
            for micro in history.transactions.micro_operations(transaction) {
                self.step(micro)?;
                let content = own.entry(key_of(micro)).or_insert_with(|| contents.of(key_of(micro)).clone());
                if !step(content, micro) {
                    return Err(format!("operation {index} could not have read what it read"));
                }
            }
        }
        if open.is_empty() { seen.all() } else { Err("some began and did not commit".to_owned()) }
    }

    /// Replays `order` under read committed: each read must find something that a transaction before it left behind,
    /// and all lists must grow to what was read of them.
    ///
    /// # Errors
    /// The reason why the order does not explain the reads.
    pub(super) fn committed(&mut self, order: &[u32]) -> ReplayResult {
        let history = self.history;
        let mut contents = Contents::new(history, self.initial);
        let mut seen = OrderCoverage::new(history);
        // Values that each register has held between transactions, and the lengths of each list.
        let mut held: FxHashSet<(ValueId, ValueId)> = FxHashSet::default();
        let mut lengths: FxHashSet<(ValueId, usize)> = FxHashSet::default();
        let mut longest: FxHashMap<ValueId, &[ValueId]> = FxHashMap::default();
        let first_list = contents.initial.clone();
        for &index in order {
            let transaction = seen.once(index)?;
            let mut own: FxHashMap<ValueId, Own<'_>> = FxHashMap::default();
            for micro in history.transactions.micro_operations(transaction) {
                self.step(micro)?;
                let key = key_of(micro);
                let MicroOperation::Read { found, .. } = micro else {
                    own.entry(key).or_default().changes.extend(written(micro));
                    continue;
                };
                let own = own.entry(key).or_default();
                let (initially, first) = (first_list.len(), contents.first);
                let content = contents.of(key);
                let explained = match (found, &*content) {
                    (ReadResult::Unknown, _) => true,
                    (ReadResult::Value(value), Some(Content::Register(_)) | None) => {
                        own.changes.contains(&value)
                            || held.contains(&(key, value))
                            || value == first.unwrap_or(ValueId::NIL)
                    }
                    (found, content) => {
                        let list = if let ReadResult::List(list) = found { list } else { &[] };
                        let now: &[ValueId] = if let Some(Content::List(now)) = content { now } else { &[] };
                        let was = |length: usize| length == initially || lengths.contains(&(key, length));
                        let (claimed, explained) = own.list(list, now, &first_list, was);
                        let longer = longest.entry(key).or_default();
                        if claimed.len() > longer.len() {
                            *longer = claimed;
                        }
                        explained
                    }
                };
                if !explained {
                    return Err(format!("operation {index} read what nobody before it left behind"));
                }
            }
            for micro in changes(history, transaction) {
                step(contents.of(key_of(micro)), micro);
            }
            for key in changes(history, transaction).map(key_of) {
                match contents.of(key) {
                    Some(Content::Register(value)) => drop(held.insert((key, *value))),
                    Some(Content::List(list)) => drop(lengths.insert((key, list.len()))),
                    None => {}
                }
            }
        }
        let mut came_to_be = |(key, list)| {
            let now: &[ValueId] = if let Some(Content::List(now)) = contents.of(key) { now } else { &[] };
            now.starts_with(list)
        };
        if longest.into_iter().all(&mut came_to_be) {
            seen.all()
        } else {
            Err("a list was read that never came to be".to_owned())
        }
    }

    fn step(&mut self, micro: MicroOperation<'_>) -> ReplayResult {
        let read = if let MicroOperation::Read { found: ReadResult::List(list), .. } = micro { list.len() } else { 0 };
        if (self.goes_on)(1 + read / 16) { Ok(()) } else { Err("it was not looked at to its end".to_owned()) }
    }
}

/// Operations of a transaction on one key so far.
#[derive(Default)]
struct Own<'a> {
    changes: Vec<ValueId>,
    /// First list that it read, without what it had added.
    base: Option<&'a [ValueId]>,
}

impl<'a> Own<'a> {
    /// Returns the part of a list that shows an order, and true if it can be a prefix of `now` as it was at some
    /// time.
    fn list(
        &mut self,
        list: &'a [ValueId],
        now: &[ValueId],
        first: &[ValueId],
        was: impl Fn(usize) -> bool,
    ) -> (&'a [ValueId], bool) {
        // Initial elements were added by no transaction.
        let first = list.iter().zip(first).take_while(|(found, first)| found == first).count();
        let added = &list[first..];
        let base = added.strip_suffix(&*self.changes).filter(|base| self.base.is_none_or(|before| before == *base));
        if let Some(base) = base {
            self.base = Some(base);
            let base = &list[..first + base.len()];
            return (list, now.starts_with(base) && was(base.len()));
        }
        // The transaction contradicts itself: its own additions at the end prove nothing.
        let others = added.iter().rposition(|element| !self.changes.contains(element)).map_or(0, |last| last + 1);
        let list = &list[..first + others];
        (list, now.starts_with(list) && was(list.len()))
    }
}

/// Contents of all keys.
struct Contents {
    places: Vec<u32>,
    all: Vec<Option<Content>>,
    initial: Vec<ValueId>,
    first: Option<ValueId>,
}

impl Contents {
    fn new(history: &History, initial: &Value) -> Self {
        let id = |value: &Value| history.values.find(value).unwrap_or(ValueId::UNKNOWN);
        let (list, first) = match initial {
            Value::Nil => (Vec::new(), None),
            Value::List(list) => (list.iter().map(id).collect(), None),
            other => (Vec::new(), Some(id(other))),
        };
        Self { places: vec![0; history.values.len()], all: Vec::new(), initial: list, first }
    }

    fn initially(&self) -> Option<Content> {
        let list = || (!self.initial.is_empty()).then(|| Content::List(self.initial.clone()));
        self.first.map(Content::Register).or_else(list)
    }

    fn of(&mut self, key: ValueId) -> &mut Option<Content> {
        if self.places[key.0 as usize] == 0 {
            self.all.push(self.initially());
            self.places[key.0 as usize] = u32::try_from(self.all.len()).expect("there are fewer keys than values");
        }
        &mut self.all[self.places[key.0 as usize] as usize - 1]
    }
}

/// Operations that an order contained.
struct OrderCoverage<'a> {
    history: &'a History,
    seen: Vec<bool>,
    certain: usize,
}

impl<'a> OrderCoverage<'a> {
    fn new(history: &'a History) -> Self {
        Self { history, seen: vec![false; history.operations.len()], certain: 0 }
    }

    /// Returns the transaction of this operation, which must occur for the first time.
    fn once(&mut self, index: u32) -> Result<usize, String> {
        let transaction = self.history.transactions.at(index as usize).ok_or("an operation that is no transaction")?;
        let outcome = self.history.operations[index as usize].outcome;
        if std::mem::replace(&mut self.seen[index as usize], true) || outcome == Outcome::Fail {
            return Err(format!("operation {index} twice, or though it failed"));
        }
        self.certain += usize::from(outcome == Outcome::Ok);
        Ok(transaction)
    }

    /// Checks that all certain transactions occurred.
    fn all(&self) -> ReplayResult {
        let history = self.history;
        let all = (0..history.transactions.len()).map(|transaction| history.transactions.operation(transaction));
        let due = all.filter(|&operation| history.operations[operation].outcome == Outcome::Ok).count();
        if due == self.certain { Ok(()) } else { Err(format!("{} of {due} certain transactions", self.certain)) }
    }
}

fn key_of(micro: MicroOperation<'_>) -> ValueId {
    match micro {
        MicroOperation::Append { key, .. } | MicroOperation::Write { key, .. } | MicroOperation::Read { key, .. } => {
            key
        }
    }
}

/// Returns the appends and writes of a transaction.
fn changes(history: &History, transaction: usize) -> impl Iterator<Item = MicroOperation<'_>> {
    let all = history.transactions.micro_operations(transaction);
    all.filter(|micro| !matches!(micro, MicroOperation::Read { .. }))
}

fn written(micro: MicroOperation<'_>) -> Option<ValueId> {
    match micro {
        MicroOperation::Append { value, .. } | MicroOperation::Write { value, .. } => Some(value),
        MicroOperation::Read { .. } => None,
    }
}

/// Applies a micro-operation to a key with this content. Returns false if it is impossible.
fn step(content: &mut Option<Content>, micro: MicroOperation<'_>) -> bool {
    match (micro, content) {
        (MicroOperation::Append { value, .. }, Some(Content::List(list))) => list.push(value),
        (MicroOperation::Append { value, .. }, empty @ None) => *empty = Some(Content::List(vec![value])),
        (MicroOperation::Append { .. }, Some(Content::Register(_))) => return false,
        (MicroOperation::Write { value, .. }, content) => *content = Some(Content::Register(value)),
        (MicroOperation::Read { found, .. }, content) => {
            return match (found, content) {
                (ReadResult::Unknown, _) | (ReadResult::Value(ValueId::NIL), None) => true,
                (ReadResult::List(list), None) => list.is_empty(),
                (ReadResult::List(list), Some(Content::List(holds))) => list == holds,
                (ReadResult::Value(value), Some(Content::Register(holds))) => value == *holds,
                (ReadResult::List(_), Some(Content::Register(_))) | (ReadResult::Value(_), _) => false,
            };
        }
    }
    true
}

/// Confirms that the history shows that the first operation of this link must come before the second.
///
/// # Errors
/// The link, if it does not.
pub(super) fn confirm(history: &History, initial: &Value, link: &Link) -> Result<(), String> {
    let (from, to) = (&history.operations[link.from], &history.operations[link.to]);
    let holds = match &link.evidence {
        LinkEvidence::Realtime => from.outcome == Outcome::Ok && from.completed < to.invoked && from.completed != NEVER,
        LinkEvidence::Process => {
            from.outcome == Outcome::Ok && from.process == to.process && from.completed < to.invoked
        }
        LinkEvidence::Read { key, value } => {
            writes(history, link.from, key, value)
                && reads(history, initial, link.to, key).any(|found| found.contains(&value))
        }
        LinkEvidence::Missed { key, value } => {
            let first = reads(history, initial, link.from, key).next();
            writes(history, link.to, key, value) && first.is_some_and(|found| !found.contains(&value))
        }
        LinkEvidence::Overwritten { key, value, later, witness } => {
            let place = |list: &[&Value], value: &Value| list.iter().position(|element| **element == *value);
            let shows = |list: Vec<&Value>| match (place(&list, value), place(&list, later)) {
                (Some(first), Some(then)) => first < then,
                (first, None) => first.is_some(),
                (None, Some(_)) => false,
            };
            writes(history, link.from, key, value)
                && writes(history, link.to, key, later)
                && reads(history, initial, *witness, key).any(shows)
        }
        LinkEvidence::Replaced { key, value, later } => {
            let found = |operation| reads(history, initial, operation, key).next();
            let is_value = |found: Vec<&Value>| found.first().map_or(*value == Value::Nil, |first| *first == value);
            let held = found(link.from).is_some_and(is_value) || writes(history, link.from, key, value);
            held && found(link.to).is_some_and(is_value) && writes(history, link.to, key, later)
        }
        LinkEvidence::First { key, later, chain } => {
            let first = if matches!(initial, Value::List(_)) { &Value::Nil } else { initial };
            let had = |value: &Value| had(history, link.from, key, value);
            let left = replaced(history, key, first, chain);
            left.is_some_and(had)
                && writes(history, link.to, key, later)
                && link.from != link.to
                && !chain.contains(&link.to)
        }
        LinkEvidence::Later { key, value, later, first, then, orders, before, after } => {
            let (one, other) = (&history.operations[*first], &history.operations[*then]);
            let in_order = one.outcome == Outcome::Ok && one.completed < other.invoked && one.completed != NEVER;
            // From what the first had, replacements lead to `value`; and from `later`, others to what the second had.
            let starts = values_of(history, *first, key);
            let came = starts.iter().any(|start| replaced(history, key, start, before) == Some(value));
            let became = replaced(history, key, later, after);
            in_order
                && (*orders == Orders::Realtime || one.process == other.process)
                && value != later
                && !before.iter().any(|operation| after.contains(operation))
                && had(history, link.from, key, value)
                && writes(history, link.to, key, later)
                && came
                && became.is_some_and(|left| had(history, *then, key, left))
        }
    };
    if holds { Ok(()) } else { Err(format!("{link:?}")) }
}

/// Returns true if a transaction wrote a value of a register, or read it before it wrote anything there.
fn had(history: &History, operation: usize, key: &Value, value: &Value) -> bool {
    values_of(history, operation, key).contains(&value)
}

fn values_of<'h>(history: &'h History, operation: usize, wanted: &Value) -> Vec<&'h Value> {
    let Some(transaction) = history.transactions.at(operation) else { return Vec::new() };
    let written = history.transactions.micro_operations(transaction).filter_map(|micro| match micro {
        MicroOperation::Write { key, value } if history.value(key) == wanted => Some(history.value(value)),
        _ => None,
    });
    let found = reads(history, &Value::Nil, operation, wanted).next();
    let found = found.map(|found| found.first().copied().unwrap_or(&Value::Nil));
    found.into_iter().chain(written.filter(|_| history.operations[operation].outcome != Outcome::Fail)).collect()
}

/// Returns what these transactions left of a value, each of which read what the one before left, and replaced it; or
/// `None` if one did not.
fn replaced<'h>(history: &'h History, key: &Value, value: &'h Value, by: &[usize]) -> Option<&'h Value> {
    by.iter().try_fold(value, |value, &operation| {
        let mut all = values_of(history, operation, key).into_iter();
        let found = all.next().filter(|found| *found == value);
        found.and_then(|_| all.next_back())
    })
}

/// Returns true if this transaction did not fail and writes `written` to the key `wanted`.
fn writes(history: &History, operation: usize, wanted: &Value, written: &Value) -> bool {
    let same = |key, value| history.value(key) == wanted && history.value(value) == written;
    let Some(transaction) = history.transactions.at(operation) else { return false };
    history.operations[operation].outcome != Outcome::Fail
        && history.transactions.micro_operations(transaction).any(|micro| match micro {
            MicroOperation::Append { key, value } | MicroOperation::Write { key, value } => same(key, value),
            MicroOperation::Read { .. } => false,
        })
}

/// Returns what this transaction read of a key, in its order: a list without its initial elements, or the single
/// value of a register.
fn reads<'h>(
    history: &'h History,
    initial: &Value,
    operation: usize,
    wanted: &Value,
) -> impl Iterator<Item = Vec<&'h Value>> {
    let initial: &[Value] = if let Value::List(list) = initial { list } else { &[] };
    let transaction = history.transactions.at(operation);
    let all = transaction.into_iter().flat_map(|transaction| history.transactions.micro_operations(transaction));
    all.filter_map(move |micro| match micro {
        MicroOperation::Read { key, found } if history.value(key) == wanted => match found {
            ReadResult::Unknown => None,
            ReadResult::Value(ValueId::NIL) => Some(Vec::new()),
            ReadResult::Value(value) => Some(vec![history.value(value)]),
            ReadResult::List(list) => {
                let list = list.iter().map(|id| history.value(*id));
                let same = list.clone().zip(initial).take_while(|(found, first)| found == first).count();
                Some(list.skip(same).collect())
            }
        },
        _ => None,
    })
}
