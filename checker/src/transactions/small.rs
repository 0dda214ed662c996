//! Exhaustive search for few transactions: every order is tried, at every level, also with values that were written
//! twice.
//!
//! Each level is decided by its definition, over the committed transactions and any of those of unknown outcome. From
//! serializable on: an order in which each read finds the current content (Papadimitriou 1979). Snapshot isolation:
//! an order of beginnings and commits in which each transaction finds what was committed when it began, and of two
//! that change the same key one has committed before the other begins (Adya 1999, section 4.3, without an order of
//! time). Read committed: an order in which each read finds what some transaction before it left behind (Crooks et
//! al. 2017: each read has a state before its transaction), where lists grow only at their end, so that everything
//! read of one is a prefix of its final content. Read uncommitted: an order in which writes do not interleave, as far
//! as reads agree on the order of what was written. States that were tried are remembered, so that few orders are
//! tried twice.

use histories::{Found, History, MicroOperation, NEVER, Outcome, Value, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    contents::{Content, KeyContents, ListGrowth},
    facts::common_prefix,
    indices::{KeyIndex, ListNode, TransactionIndex},
    limit::Limit,
    report::Level,
    uncommitted,
};
use crate::UnknownWhy;

/// Number of transactions up to which they are always decided.
pub(super) const FEW: usize = 8;
/// Maximum number of transactions, which are stored as bits.
pub(super) const MOST: usize = 64;
/// Maximum number of states that are remembered.
pub(super) const STATES: usize = 1 << 19;

pub(super) struct Transaction {
    pub operation: u32,
    pub certain: bool,
    process: u32,
    invoked: u32,
    completed: u32,
    pub steps: Vec<SmallStep>,
}

/// Micro-operation with its key as a number.
#[derive(Clone, Copy)]
pub(super) enum SmallStep {
    Append {
        key: KeyIndex,
        value: ValueId,
    },
    Write {
        key: KeyIndex,
        value: ValueId,
    },
    /// Read of a list: its node among all lists read of the key; how much of it shows an order; and how much was
    /// there before the transaction changed anything.
    List {
        key: KeyIndex,
        node: ListNode,
        claim: usize,
        base: usize,
        read: usize,
    },
    /// Read of a register's value; `own` is true if the transaction itself had written it.
    Value {
        key: KeyIndex,
        value: ValueId,
        own: bool,
    },
}

/// Transactions to be put in order.
pub(super) struct SmallHistory<'h> {
    pub transactions: Vec<Transaction>,
    /// Lists that were read, one after the other.
    pub lists: Vec<&'h [ValueId]>,
    pub initial_list: Vec<ValueId>,
    initial_value: ValueId,
    keys: FxHashMap<ValueId, KeyIndex>,
    /// Trie of all lists that were read: key, node, element, and the node after it.
    tree: FxHashMap<(KeyIndex, ListNode, ValueId), ListNode>,
    /// Number of its nodes, without the empty lists.
    nodes: u32,
    /// Values that are read.
    read: FxHashSet<(KeyIndex, ValueId)>,
    /// Values that a failed transaction added.
    failed: FxHashSet<(ValueId, ValueId)>,
}

/// Decision: the order that was found, none, or undecided because it takes too long.
pub(super) enum SmallDecision {
    Explained(Vec<u32>),
    Refuted,
    Open,
}

impl<'h> SmallHistory<'h> {
    /// Collects the transactions in `operations`, in the order of their invocations. If these are not `all`
    /// transactions that did not fail, a read of what another may have written proves nothing.
    pub(super) fn new(history: &'h History, initial: &Value, operations: &[u32], all: bool) -> Self {
        let id = |value: &Value| history.values.find(value).unwrap_or(ValueId::UNKNOWN);
        let (initial_list, initial_value) = match initial {
            Value::List(list) => (list.iter().map(id).collect(), ValueId::NIL),
            other => (Vec::new(), id(other)),
        };
        let mut small = Self {
            transactions: Vec::new(),
            lists: Vec::new(),
            initial_list,
            initial_value,
            keys: FxHashMap::default(),
            tree: FxHashMap::default(),
            nodes: 0,
            read: FxHashSet::default(),
            failed: added_by_others(history, operations, true),
        };
        let foreign = if all { FxHashSet::default() } else { added_by_others(history, operations, false) };
        for &operation in operations {
            small.add(history, operation, &foreign);
        }
        small
    }

    fn add(&mut self, history: &'h History, operation: u32, foreign: &FxHashSet<(ValueId, ValueId)>) {
        let Some(transaction) = history.transactions.at(operation as usize) else { return };
        let known = &history.operations[operation as usize];
        let certain = known.outcome == Outcome::Ok;
        let mut steps = Vec::new();
        let mut own: FxHashMap<KeyIndex, Vec<ValueId>> = FxHashMap::default();
        let mut bases: FxHashMap<KeyIndex, &[ValueId]> = FxHashMap::default();
        for micro in history.transactions.micro_operations(transaction) {
            let numbers = KeyIndex::from(self.keys.len());
            let mut key = |name: ValueId| *self.keys.entry(name).or_insert(numbers);
            match micro {
                MicroOperation::Append { key: name, value } => {
                    let key = key(name);
                    own.entry(key).or_default().push(value);
                    steps.push(SmallStep::Append { key, value });
                }
                MicroOperation::Write { key: name, value } => {
                    let key = key(name);
                    own.entry(key).or_default().push(value);
                    steps.push(SmallStep::Write { key, value });
                }
                MicroOperation::Read { key: name, found } if certain => {
                    let key = key(name);
                    let own = own.entry(key).or_default();
                    let is_foreign = |value: &ValueId| foreign.contains(&(name, *value));
                    match found {
                        Found::List(list) if !list.iter().any(is_foreign) => {
                            steps.push(self.list(key, list, own, bases.entry(key)));
                        }
                        Found::Value(value) if !is_foreign(&value) => {
                            self.read.insert((key, value));
                            steps.push(SmallStep::Value { key, value, own: own.contains(&value) });
                        }
                        Found::Unknown | Found::List(_) | Found::Value(_) => {}
                    }
                }
                MicroOperation::Read { .. } => {}
            }
        }
        let (process, invoked, completed) = (known.process, known.invoked, known.completed);
        self.transactions.push(Transaction { operation, certain, process, invoked, completed, steps });
    }

    fn list(
        &mut self,
        key: KeyIndex,
        list: &'h [ValueId],
        own: &[ValueId],
        base: std::collections::hash_map::Entry<'_, KeyIndex, &'h [ValueId]>,
    ) -> SmallStep {
        let mut node = ListNode::from(0_u32);
        for &element in list {
            node = *self.tree.entry((key, node, element)).or_insert_with(|| {
                self.nodes += 1;
                self.nodes.into()
            });
        }
        self.lists.push(list);
        let read = self.lists.len() - 1;
        // Initial elements were added by no transaction.
        let first = common_prefix(list, &self.initial_list);
        let added = &list[first..];
        if let Some(stripped) = added.strip_suffix(own)
            && *base.or_insert(stripped) == stripped
        {
            return SmallStep::List { key, node, claim: list.len(), base: first + stripped.len(), read };
        }
        let others = first + added.iter().rposition(|element| !own.contains(element)).map_or(0, |last| last + 1);
        SmallStep::List { key, node, claim: others, base: others, read }
    }

    /// Decides if these transactions can be explained at this level, within this many states.
    pub(super) fn decide(&self, level: Level, most: usize, limit: &Limit<'_>) -> Result<SmallDecision, UnknownWhy> {
        let mut tried = VisitedStates { states: FxHashSet::default(), limit, most, full: false };
        let mut order = Vec::new();
        let found = match level {
            Level::ReadUncommitted => return uncommitted::decide(self, limit),
            Level::ReadCommitted => {
                let growth = ListGrowth::new(self.claims(), &self.initial_list);
                let Some(growth) = growth else { return Ok(SmallDecision::Refuted) };
                let next = |[done, _]: [u64; 2], growth: &ListGrowth<'h>, at: TransactionIndex| {
                    Some(([done | at.bit(); 2], self.committed(done, growth, at)?))
                };
                self.search([0, 0], &growth, &next, &mut order, &mut tried)?
            }
            Level::SnapshotIsolation => {
                let next = |done: [u64; 2], contents: &Vec<Content>, at: TransactionIndex| {
                    self.by_snapshots(done, contents, at)
                };
                self.search([0, 0], &self.initially(), &next, &mut order, &mut tried)?
            }
            _ => {
                let next = |[done, _]: [u64; 2], contents: &Vec<Content>, at: TransactionIndex| {
                    Some(([done | at.bit(); 2], self.serially(level, done, contents, at)?))
                };
                self.search([0, 0], &self.initially(), &next, &mut order, &mut tried)?
            }
        };
        let order = order.iter().map(|&at| self.transaction(at).operation).collect();
        Ok(match found {
            true => SmallDecision::Explained(order),
            false if tried.full => SmallDecision::Open,
            false => SmallDecision::Refuted,
        })
    }

    /// Returns the numbers of all transactions.
    pub(super) fn all(&self) -> impl Iterator<Item = TransactionIndex> + use<> {
        (0..self.transactions.len()).map(TransactionIndex::from)
    }

    pub(super) fn transaction(&self, at: TransactionIndex) -> &Transaction {
        &self.transactions[at.index()]
    }

    fn all_certain(&self, done: u64) -> bool {
        self.all().all(|at| !self.transaction(at).certain || done & at.bit() != 0)
    }

    /// Returns the initial content of each key.
    fn initially(&self) -> Vec<Content> {
        let of_key = |key: usize| {
            let empty = Some(ListNode::from(0_u32));
            let list = self.initial_list.iter().fold(empty, |node, element| self.after(key.into(), node, *element));
            Content { value: self.initial_value, list }
        };
        (0..self.keys.len()).map(of_key).collect()
    }

    /// Returns the list that has this element in addition; none if no read continues it.
    fn after(&self, key: KeyIndex, list: Option<ListNode>, element: ValueId) -> Option<ListNode> {
        self.tree.get(&(key, list?, element)).copied()
    }

    /// Applies a transaction. If `reads`, returns true only if it finds what it read.
    fn run(&self, at: TransactionIndex, contents: &mut [Content], reads: bool) -> bool {
        self.transaction(at).steps.iter().all(|step| match *step {
            SmallStep::Append { key, value } => {
                let list = &mut contents[key.index()].list;
                *list = self.after(key, *list, value);
                true
            }
            SmallStep::Write { key, value } => {
                // A value that is never read makes no difference.
                let is_read = self.read.contains(&(key, value));
                contents[key.index()].value = if is_read { value } else { ValueId::UNKNOWN };
                true
            }
            SmallStep::List { key, node, .. } => !reads || contents[key.index()].list == Some(node),
            SmallStep::Value { key, value, .. } => {
                // Nil is an empty list, too.
                let content = contents[key.index()];
                let fits = value != ValueId::NIL || content.list == Some(ListNode::from(0_u32));
                !reads || content.value == value && fits
            }
        })
    }

    /// Searches for an order of the transactions, each of which leads from what others left to what `next` returns.
    /// `order` has each transaction twice if it begins and commits at different times.
    fn search<C: KeyContents>(
        &self,
        [begun, committed]: [u64; 2],
        contents: &C,
        next: &impl Fn([u64; 2], &C, TransactionIndex) -> Option<([u64; 2], C)>,
        order: &mut Vec<TransactionIndex>,
        tried: &mut VisitedStates<'_>,
    ) -> Result<bool, UnknownWhy> {
        if begun == committed && self.all_certain(committed) && contents.is_complete() {
            return Ok(true);
        }
        if !tried.is_new([begun, committed], contents.as_numbers())? {
            return Ok(false);
        }
        for at in self.all().filter(|at| committed & at.bit() == 0) {
            let Some((done, after)) = next([begun, committed], contents, at) else { continue };
            order.push(at);
            if self.search(done, &after, next, order, tried)? {
                return Ok(true);
            }
            order.pop();
        }
        Ok(false)
    }

    /// Returns what is left if this transaction runs as the next of a serial order.
    fn serially(&self, level: Level, done: u64, contents: &[Content], at: TransactionIndex) -> Option<Vec<Content>> {
        let next = self.transaction(at);
        let must_wait = self.all().filter(|other| done & other.bit() == 0).any(|other| {
            let other = self.transaction(other);
            let before = other.certain && other.completed != NEVER && other.completed < next.invoked;
            let same = level == Level::StrongSessionSerializable && other.process == next.process;
            before && (level == Level::StrictSerializable || same)
        });
        let mut after = contents.to_vec();
        (!must_wait && self.run(at, &mut after, true)).then_some(after)
    }

    fn changes(&self, at: TransactionIndex) -> impl Iterator<Item = KeyIndex> {
        self.transaction(at).steps.iter().filter_map(|step| match *step {
            SmallStep::Append { key, .. } | SmallStep::Write { key, .. } => Some(key),
            SmallStep::List { .. } | SmallStep::Value { .. } => None,
        })
    }

    /// Returns what is left if this transaction begins next, under snapshot isolation, or commits if it has begun.
    fn by_snapshots(
        &self,
        [begun, committed]: [u64; 2],
        contents: &[Content],
        at: TransactionIndex,
    ) -> Option<([u64; 2], Vec<Content>)> {
        let bit = at.bit();
        let mut after = contents.to_vec();
        if begun & bit != 0 {
            return self.run(at, &mut after, false).then_some(([begun, committed | bit], after));
        }
        let mut open = self.all().filter(|other| begun & !committed & other.bit() != 0);
        let clashes = open.any(|other| self.changes(other).any(|key| self.changes(at).any(|own| own == key)));
        (!clashes && self.run(at, &mut after, true)).then(|| ([begun | bit, committed], contents.to_vec()))
    }

    /// Returns what is left if this transaction commits next, under read committed.
    fn committed(&self, done: u64, growth: &ListGrowth<'h>, at: TransactionIndex) -> Option<ListGrowth<'h>> {
        let steps = &self.transaction(at).steps;
        let explained = steps.iter().all(|step| match *step {
            SmallStep::List { key, base, .. } => growth.was(key, base),
            SmallStep::Value { key, value, own } => own || self.was_left(done, key, value, growth),
            SmallStep::Append { .. } | SmallStep::Write { .. } => true,
        });
        let appended = steps.iter().filter_map(|step| match *step {
            SmallStep::Append { key, value } => Some((key, value)),
            SmallStep::Write { .. } | SmallStep::List { .. } | SmallStep::Value { .. } => None,
        });
        let mut after = growth.clone();
        (explained && after.grow(appended)).then_some(after)
    }

    /// Returns true if one of the transactions done left this value behind, or if it is the initial one.
    fn was_left(&self, done: u64, key: KeyIndex, value: ValueId, growth: &ListGrowth<'_>) -> bool {
        let is_list = value == ValueId::NIL && self.is_list(key);
        if is_list {
            return growth.was(key, 0);
        }
        value == self.initial_value
            || self.all().filter(|at| done & at.bit() != 0).any(|at| {
                let written = self.transaction(at).steps.iter().rev().find_map(|step| match *step {
                    SmallStep::Write { key: other, value } if other == key => Some(value),
                    _ => None,
                });
                written == Some(value)
            })
    }

    fn is_list(&self, key: KeyIndex) -> bool {
        let mut steps = self.transactions.iter().flat_map(|transaction| &transaction.steps);
        !self.initial_list.is_empty()
            || steps.any(|step| match *step {
                SmallStep::Append { key: other, .. } | SmallStep::List { key: other, .. } => other == key,
                SmallStep::Write { .. } | SmallStep::Value { .. } => false,
            })
    }

    /// Returns the values that failed transactions added to a key.
    pub(super) fn failed(&self, key: KeyIndex) -> impl Iterator<Item = ValueId> {
        self.failed.iter().filter(move |(name, _)| self.keys.get(name) == Some(&key)).map(|(_, value)| *value)
    }

    /// Returns, for each key, the parts of its reads that show an order.
    pub(super) fn claims(&self) -> Vec<Vec<&'h [ValueId]>> {
        let mut claims = vec![Vec::new(); self.keys.len()];
        for step in self.transactions.iter().flat_map(|transaction| &transaction.steps) {
            if let SmallStep::List { key, claim, read, .. } = *step {
                claims[key.index()].push(&self.lists[read][..claim]);
            }
        }
        claims
    }
}

/// Returns the keys and values that other transactions than these may have written, or, if `failed`, those that
/// failed transactions wrote.
fn added_by_others(history: &History, operations: &[u32], failed: bool) -> FxHashSet<(ValueId, ValueId)> {
    let inside: FxHashSet<u32> = operations.iter().copied().collect();
    let mut foreign = FxHashSet::default();
    for transaction in 0..history.transactions.len() {
        let operation = history.transactions.operation(transaction);
        let is_other = u32::try_from(operation).is_ok_and(|operation| !inside.contains(&operation));
        if is_other && (history.operations[operation].outcome == Outcome::Fail) == failed {
            for micro in history.transactions.micro_operations(transaction) {
                if let MicroOperation::Append { key, value } | MicroOperation::Write { key, value } = micro {
                    foreign.insert((key, value));
                }
            }
        }
    }
    foreign
}

/// States that were tried and lead nowhere.
struct VisitedStates<'a> {
    states: FxHashSet<([u64; 2], Box<[u32]>)>,
    limit: &'a Limit<'a>,
    most: usize,
    /// True if there was no room for all of them.
    full: bool,
}

impl VisitedStates<'_> {
    fn is_new(&mut self, done: [u64; 2], contents: Vec<u32>) -> Result<bool, UnknownWhy> {
        self.limit.step()?;
        if self.states.len() >= self.most {
            self.full = true;
            return Ok(false);
        }
        if self.states.len() == self.states.capacity() {
            self.limit.may_take((self.states.len() + 1) * 2 * (64 + 4 * contents.len()))?;
        }
        Ok(self.states.insert((done, contents.into_boxed_slice())))
    }
}
