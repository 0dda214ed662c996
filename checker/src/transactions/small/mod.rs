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

mod contents;
mod history;
mod uncommitted;

use histories::{NEVER, ValueId};
use rustc_hash::FxHashSet;

use super::{
    indices::{KeyIndex, ListNode, TransactionIndex},
    limit::Limit,
    report::Level,
};
use crate::UnknownWhy;
use contents::{KeyContents, ListGrowth, NumberedContent};
use history::SmallStep;

pub(super) use history::{MOST, SmallDecision, SmallHistory};

/// Number of transactions up to which they are always decided.
pub(super) const FEW: usize = 8;
/// Maximum number of states that are remembered.
pub(super) const STATES: usize = 1 << 19;

impl<'h> SmallHistory<'h> {
    /// Decides if these transactions can be explained at this level, within this many states.
    pub(super) fn decide(&self, level: Level, most: usize, limit: &Limit<'_>) -> Result<SmallDecision, UnknownWhy> {
        let mut tried = VisitedStates { states: FxHashSet::default(), limit, most, full: false };
        let mut order = Vec::new();
        let found = match level {
            Level::ReadUncommitted => return uncommitted::decide(self, limit),
            Level::ReadCommitted => {
                let growth = ListGrowth::new(self.claims(), &self.initial.list);
                let Some(growth) = growth else { return Ok(SmallDecision::Refuted) };
                let next = |[done, _]: [u64; 2], growth: &ListGrowth<'h>, at: TransactionIndex| {
                    Some(([done | at.bit(); 2], self.committed(done, growth, at)?))
                };
                self.search([0, 0], &growth, &next, &mut order, &mut tried)?
            }
            Level::SnapshotIsolation => {
                let next = |done: [u64; 2], contents: &Vec<NumberedContent>, at: TransactionIndex| {
                    self.by_snapshots(done, contents, at)
                };
                self.search([0, 0], &self.initially(), &next, &mut order, &mut tried)?
            }
            _ => {
                let next = |[done, _]: [u64; 2], contents: &Vec<NumberedContent>, at: TransactionIndex| {
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

    fn all_certain(&self, done: u64) -> bool {
        self.all().all(|at| !self.transaction(at).certain || done & at.bit() != 0)
    }

    /// Returns the initial content of each key.
    fn initially(&self) -> Vec<NumberedContent> {
        let of_key = |key: usize| {
            let empty = Some(ListNode::from(0_u32));
            let list = self.initial.list.iter().fold(empty, |node, element| self.after(key.into(), node, *element));
            NumberedContent { value: self.initial.value, list }
        };
        (0..self.keys.len()).map(of_key).collect()
    }

    /// Applies a transaction. If `reads`, returns true only if it finds what it read.
    fn run(&self, at: TransactionIndex, contents: &mut [NumberedContent], reads: bool) -> bool {
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
    fn serially(
        &self,
        level: Level,
        done: u64,
        contents: &[NumberedContent],
        at: TransactionIndex,
    ) -> Option<Vec<NumberedContent>> {
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
        contents: &[NumberedContent],
        at: TransactionIndex,
    ) -> Option<([u64; 2], Vec<NumberedContent>)> {
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
        value == self.initial.value
            || self.all().filter(|at| done & at.bit() != 0).any(|at| {
                let written = self.transaction(at).steps.iter().rev().find_map(|step| match *step {
                    SmallStep::Write { key: other, value } if other == key => Some(value),
                    _ => None,
                });
                written == Some(value)
            })
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
