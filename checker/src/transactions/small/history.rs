//! Few transactions to be put in order, with their keys and lists as numbers.

use histories::{History, MicroOperation, Outcome, ReadResult, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::transactions::{
    facts::{Initial, common_prefix},
    indices::{KeyIndex, ListNode, TransactionIndex},
};

/// Maximum number of transactions, which are stored as bits.
pub(in crate::transactions) const MOST: usize = 64;
pub(super) struct Transaction {
    pub operation: u32,
    pub certain: bool,
    pub process: u32,
    pub invoked: u32,
    pub completed: u32,
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
pub(in crate::transactions) struct SmallHistory<'h> {
    pub(super) transactions: Vec<Transaction>,
    /// Lists that were read, one after the other.
    pub lists: Vec<&'h [ValueId]>,
    pub(super) initial: &'h Initial,
    pub(super) keys: FxHashMap<ValueId, KeyIndex>,
    /// Trie of all lists that were read: key, node, element, and the node after it.
    tree: FxHashMap<(KeyIndex, ListNode, ValueId), ListNode>,
    /// Number of its nodes, without the empty lists.
    nodes: u32,
    /// Values that are read.
    pub(super) read: FxHashSet<(KeyIndex, ValueId)>,
    /// Values that a failed transaction added.
    failed: FxHashSet<(ValueId, ValueId)>,
}

/// Decision: the order that was found, none, or undecided because it takes too long.
pub(in crate::transactions) enum SmallDecision {
    Explained(Vec<u32>),
    Refuted,
    Open,
}

impl<'h> SmallHistory<'h> {
    /// Collects the transactions in `operations`, in the order of their invocations. If these are not `all`
    /// transactions that did not fail, a read of what another may have written proves nothing.
    pub(in crate::transactions) fn new(
        history: &'h History,
        initial: &'h Initial,
        operations: &[u32],
        all: bool,
    ) -> Self {
        let mut small = Self {
            transactions: Vec::new(),
            lists: Vec::new(),
            initial,
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
                        ReadResult::List(list) if !list.iter().any(is_foreign) => {
                            steps.push(self.list(key, list, own, bases.entry(key)));
                        }
                        ReadResult::Value(value) if !is_foreign(&value) => {
                            self.read.insert((key, value));
                            steps.push(SmallStep::Value { key, value, own: own.contains(&value) });
                        }
                        ReadResult::Unknown | ReadResult::List(_) | ReadResult::Value(_) => {}
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
        let first = common_prefix(list, &self.initial.list);
        let added = &list[first..];
        if let Some(stripped) = added.strip_suffix(own)
            && *base.or_insert(stripped) == stripped
        {
            return SmallStep::List { key, node, claim: list.len(), base: first + stripped.len(), read };
        }
        let others = first + added.iter().rposition(|element| !own.contains(element)).map_or(0, |last| last + 1);
        SmallStep::List { key, node, claim: others, base: others, read }
    }

    /// Returns the numbers of all transactions.
    pub(super) fn all(&self) -> impl Iterator<Item = TransactionIndex> + use<> {
        (0..self.transactions.len()).map(TransactionIndex::from)
    }

    pub(super) fn transaction(&self, at: TransactionIndex) -> &Transaction {
        &self.transactions[at.index()]
    }

    /// Returns the list that has this element in addition; none if no read continues it.
    pub(super) fn after(&self, key: KeyIndex, list: Option<ListNode>, element: ValueId) -> Option<ListNode> {
        self.tree.get(&(key, list?, element)).copied()
    }

    pub(super) fn is_list(&self, key: KeyIndex) -> bool {
        let mut steps = self.transactions.iter().flat_map(|transaction| &transaction.steps);
        !self.initial.list.is_empty()
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
