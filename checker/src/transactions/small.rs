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

use super::{facts::common_prefix, limit::Limit, report::Level, uncommitted};
use crate::UnknownWhy;

/// Number of transactions up to which they are always decided.
pub(super) const FEW: usize = 8;
/// Maximum number of transactions, which are stored as bits.
pub(super) const MOST: usize = 64;
/// Maximum number of states that are remembered.
pub(super) const STATES: usize = 1 << 19;
/// Node of a list that no read continues.
const DEAD: u32 = u32::MAX;

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
        key: usize,
        value: ValueId,
    },
    Write {
        key: usize,
        value: ValueId,
    },
    /// Read of a list: its node among all lists read of the key; how much of it shows an order; and how much was
    /// there before the transaction changed anything.
    List {
        key: usize,
        node: u32,
        claim: usize,
        base: usize,
        read: usize,
    },
    /// Read of a register's value; `own` is true if the transaction itself had written it.
    Value {
        key: usize,
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
    keys: FxHashMap<ValueId, usize>,
    /// Trie of all lists that were read: key, node, element, and the node after it.
    tree: FxHashMap<(usize, u32, ValueId), u32>,
    nodes: u32,
    /// Values that are read.
    read: FxHashSet<(usize, ValueId)>,
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
            nodes: 1,
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
        let mut own: FxHashMap<usize, Vec<ValueId>> = FxHashMap::default();
        let mut bases: FxHashMap<usize, &[ValueId]> = FxHashMap::default();
        for micro in history.transactions.micro_operations(transaction) {
            let numbers = self.keys.len();
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
        key: usize,
        list: &'h [ValueId],
        own: &[ValueId],
        base: std::collections::hash_map::Entry<'_, usize, &'h [ValueId]>,
    ) -> SmallStep {
        let mut node = 0;
        for &element in list {
            let next = self.tree.entry((key, node, element)).or_insert(self.nodes);
            self.nodes = self.nodes.max(*next + 1);
            node = *next;
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
                let Some(growth) = ListGrowth::new(self) else { return Ok(SmallDecision::Refuted) };
                let next = |[done, _]: [u64; 2], growth: &ListGrowth<'h>, at: usize| {
                    Some(([done | 1 << at; 2], self.committed(done, growth, at)?))
                };
                self.search([0, 0], &growth, &next, &mut order, &mut tried)?
            }
            Level::SnapshotIsolation => {
                let next = |done: [u64; 2], contents: &Vec<[u32; 2]>, at: usize| self.by_snapshots(done, contents, at);
                self.search([0, 0], &self.initially(), &next, &mut order, &mut tried)?
            }
            _ => {
                let next = |[done, _]: [u64; 2], contents: &Vec<[u32; 2]>, at: usize| {
                    Some(([done | 1 << at; 2], self.serially(level, done, contents, at)?))
                };
                self.search([0, 0], &self.initially(), &next, &mut order, &mut tried)?
            }
        };
        let order = order.iter().map(|&at: &usize| self.transactions[at].operation).collect();
        Ok(match found {
            true => SmallDecision::Explained(order),
            false if tried.full => SmallDecision::Open,
            false => SmallDecision::Refuted,
        })
    }

    fn all_certain(&self, done: u64) -> bool {
        (0..self.transactions.len()).all(|at| !self.transactions[at].certain || done & (1 << at) != 0)
    }

    /// Returns the initial content of each key: as a value in case it is a register, as a node in case it is a list.
    fn initially(&self) -> Vec<[u32; 2]> {
        let of_key = |key: usize| {
            let node = self.initial_list.iter().fold(0, |node, element| self.after(key, node, *element));
            [self.initial_value.0, node]
        };
        (0..self.keys.len()).map(of_key).collect()
    }

    fn after(&self, key: usize, node: u32, element: ValueId) -> u32 {
        self.tree.get(&(key, node, element)).copied().unwrap_or(DEAD)
    }

    /// Applies a transaction. If `reads`, returns true only if it finds what it read.
    fn run(&self, at: usize, contents: &mut [[u32; 2]], reads: bool) -> bool {
        self.transactions[at].steps.iter().all(|step| match *step {
            SmallStep::Append { key, value } => {
                contents[key][1] = self.after(key, contents[key][1], value);
                true
            }
            SmallStep::Write { key, value } => {
                // A value that is never read makes no difference.
                contents[key][0] = if self.read.contains(&(key, value)) { value.0 } else { ValueId::UNKNOWN.0 };
                true
            }
            SmallStep::List { key, node, .. } => !reads || contents[key][1] == node,
            SmallStep::Value { key, value, .. } => {
                // Nil is an empty list, too.
                let empty = value == ValueId::NIL && contents[key] == [ValueId::NIL.0, 0];
                let value_holds = contents[key][0] == value.0;
                !reads || empty || value_holds && (value != ValueId::NIL || contents[key][1] == 0)
            }
        })
    }

    /// Searches for an order of the transactions, each of which leads from what others left to what `next` returns.
    /// `order` has each transaction twice if it begins and commits at different times.
    fn search<C: KeyContents>(
        &self,
        [begun, committed]: [u64; 2],
        contents: &C,
        next: &impl Fn([u64; 2], &C, usize) -> Option<([u64; 2], C)>,
        order: &mut Vec<usize>,
        tried: &mut VisitedStates<'_>,
    ) -> Result<bool, UnknownWhy> {
        if begun == committed && self.all_certain(committed) && contents.is_complete() {
            return Ok(true);
        }
        if !tried.is_new([begun, committed], contents.as_numbers())? {
            return Ok(false);
        }
        for at in (0..self.transactions.len()).filter(|at| committed & (1 << at) == 0) {
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
    fn serially(&self, level: Level, done: u64, contents: &[[u32; 2]], at: usize) -> Option<Vec<[u32; 2]>> {
        let next = &self.transactions[at];
        let must_wait = (0..self.transactions.len()).filter(|other| done & (1 << other) == 0).any(|other| {
            let other = &self.transactions[other];
            let before = other.certain && other.completed != NEVER && other.completed < next.invoked;
            let same = level == Level::StrongSessionSerializable && other.process == next.process;
            before && (level == Level::StrictSerializable || same)
        });
        let mut after = contents.to_vec();
        (!must_wait && self.run(at, &mut after, true)).then_some(after)
    }

    fn changes(&self, at: usize) -> impl Iterator<Item = usize> {
        self.transactions[at].steps.iter().filter_map(|step| match *step {
            SmallStep::Append { key, .. } | SmallStep::Write { key, .. } => Some(key),
            SmallStep::List { .. } | SmallStep::Value { .. } => None,
        })
    }

    /// Returns what is left if this transaction begins next, under snapshot isolation, or commits if it has begun.
    fn by_snapshots(
        &self,
        [begun, committed]: [u64; 2],
        contents: &[[u32; 2]],
        at: usize,
    ) -> Option<([u64; 2], Vec<[u32; 2]>)> {
        let bit = 1 << at;
        let mut after = contents.to_vec();
        if begun & bit != 0 {
            return self.run(at, &mut after, false).then_some(([begun, committed | bit], after));
        }
        let mut open = (0..self.transactions.len()).filter(|other| (begun & !committed) & (1 << other) != 0);
        let clashes = open.any(|other| self.changes(other).any(|key| self.changes(at).any(|own| own == key)));
        (!clashes && self.run(at, &mut after, true)).then(|| ([begun | bit, committed], contents.to_vec()))
    }

    /// Returns what is left if this transaction commits next, under read committed.
    fn committed(&self, done: u64, growth: &ListGrowth<'h>, at: usize) -> Option<ListGrowth<'h>> {
        let steps = &self.transactions[at].steps;
        let explained = steps.iter().all(|step| match *step {
            SmallStep::List { key, base, .. } => growth.was(key, base),
            SmallStep::Value { key, value, own } => own || self.was_left(done, key, value, growth),
            SmallStep::Append { .. } | SmallStep::Write { .. } => true,
        });
        let mut after = growth.clone();
        (explained && after.grow(steps)).then_some(after)
    }

    /// Returns true if one of the transactions done left this value behind, or if it is the initial one.
    fn was_left(&self, done: u64, key: usize, value: ValueId, growth: &ListGrowth<'_>) -> bool {
        let is_list = value == ValueId::NIL && self.is_list(key);
        if is_list {
            return growth.was(key, 0);
        }
        value == self.initial_value
            || (0..self.transactions.len()).filter(|at| done & (1 << at) != 0).any(|at| {
                let written = self.transactions[at].steps.iter().rev().find_map(|step| match *step {
                    SmallStep::Write { key: other, value } if other == key => Some(value),
                    _ => None,
                });
                written == Some(value)
            })
    }

    fn is_list(&self, key: usize) -> bool {
        let mut steps = self.transactions.iter().flat_map(|transaction| &transaction.steps);
        !self.initial_list.is_empty()
            || steps.any(|step| match *step {
                SmallStep::Append { key: other, .. } | SmallStep::List { key: other, .. } => other == key,
                SmallStep::Write { .. } | SmallStep::Value { .. } => false,
            })
    }

    /// Returns the values that failed transactions added to a key.
    pub(super) fn failed(&self, key: usize) -> impl Iterator<Item = ValueId> {
        self.failed.iter().filter(move |(name, _)| self.keys.get(name) == Some(&key)).map(|(_, value)| *value)
    }

    /// Returns, for each key, the parts of its reads that show an order.
    pub(super) fn claims(&self) -> Vec<Vec<&'h [ValueId]>> {
        let mut claims = vec![Vec::new(); self.keys.len()];
        for step in self.transactions.iter().flat_map(|transaction| &transaction.steps) {
            if let SmallStep::List { key, claim, read, .. } = *step {
                claims[key].push(&self.lists[read][..claim]);
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

/// State that transactions left.
trait KeyContents {
    /// Returns numbers that tell these contents from others.
    fn as_numbers(&self) -> Vec<u32>;

    /// Returns true if everything that was read was left by then.
    fn is_complete(&self) -> bool {
        true
    }
}

impl KeyContents for Vec<[u32; 2]> {
    fn as_numbers(&self) -> Vec<u32> {
        self.as_flattened().to_vec()
    }
}

impl KeyContents for ListGrowth<'_> {
    fn as_numbers(&self) -> Vec<u32> {
        let narrow = |number: &usize| u32::try_from(*number).unwrap_or(u32::MAX);
        let all = self.grown.iter().zip(&self.were);
        all.flat_map(|(grown, were)| [narrow(grown), u32::MAX].into_iter().chain(were.iter().map(narrow))).collect()
    }

    fn is_complete(&self) -> bool {
        self.paths.iter().zip(&self.grown).all(|(path, grown)| path.len() <= *grown)
    }
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

/// Growth of lists to what was read of them.
#[derive(Clone)]
struct ListGrowth<'h> {
    /// Order of each key's list that all its reads show.
    paths: std::rc::Rc<Vec<&'h [ValueId]>>,
    /// Length of each list; one more than its path if it grew beyond that.
    grown: Vec<usize>,
    /// Lengths of each list between transactions.
    were: Vec<Vec<usize>>,
}

impl<'h> ListGrowth<'h> {
    fn new(small: &SmallHistory<'h>) -> Option<Self> {
        let mut paths: Vec<&'h [ValueId]> = Vec::new();
        for claims in small.claims() {
            let path = claims.iter().copied().max_by_key(|claim| claim.len()).unwrap_or(&[]);
            if claims.iter().any(|claim| !path.starts_with(claim)) {
                return None;
            }
            let initial = &small.initial_list[..small.initial_list.len().min(path.len())];
            if !path.starts_with(initial) {
                return None;
            }
            paths.push(path);
        }
        let first = small.initial_list.len();
        let keys = paths.len();
        Some(Self { paths: std::rc::Rc::new(paths), grown: vec![first; keys], were: vec![vec![first]; keys] })
    }

    fn was(&self, key: usize, length: usize) -> bool {
        self.were[key].contains(&length)
    }

    fn grow(&mut self, steps: &[SmallStep]) -> bool {
        for step in steps {
            if let SmallStep::Append { key, value } = *step {
                let path = self.paths[key];
                if path.get(self.grown[key]).is_some_and(|next| *next != value) {
                    return false;
                }
                self.grown[key] = (self.grown[key] + 1).min(path.len() + 1);
            }
        }
        for key in 0..self.grown.len() {
            // A read of the whole list can only have taken place before it grew beyond that.
            if self.grown[key] <= self.paths[key].len() && !self.was(key, self.grown[key]) {
                self.were[key].push(self.grown[key]);
            }
        }
        true
    }
}
