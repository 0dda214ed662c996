//! Shrinking of violations of any model, by steps that never create a violation.
//!
//! # Why it is right
//! Each step keeps what can be ordered orderable, so what cannot be ordered after it could not be ordered before:
//! - Operations that began after the completion that no order reaches may be left out, since a prefix of an order is
//!   an order. But a change that was still open then, and has an answer, may have observed something that began
//!   later: so the cut moves on until there is no such change.
//! - A call that changes nothing may be left out.
//! - All calls about some values may be left out if the model allows it ([`Object::values_of`]).
//! - A certain change may become optional. It can still take effect, so no other call lacks it.
//!
//! In the end, the optional changes do not help: the certain operations have no order with or without them. Some of
//! the optional changes are shown nevertheless: the few that the other operations need if one of the certain ones is
//! left out, because they make it a contradiction. They are shown as recorded, and so an optional change that
//! completed has to take effect again. Therefore the result is shown only if it says the same: without any one of the
//! certain operations it has an order, unless not even all operations recorded before have one without it. Otherwise,
//! or if there is no time to find out, all operations are shown that were left before changes became optional.

use histories::{History, Outcome, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    object::Object,
    searches::{RaceResult, Searches},
};
use crate::{
    Limits,
    search::Racers,
    shrink::{Attempts, MAX_CHANGES_SHOWN, merged, minimal},
    sorted::sorted,
    specification::Call,
};

/// Maximum number of queries of the limits for one attempt. More of them rarely make a violation smaller, but every
/// attempt that stays undecided takes all.
const MAX_QUESTIONS: usize = 24;

/// Maximum number of operations in one attempt that are compared with others one by one.
const MAX_SHOWN: usize = 128;

/// Search for an order of the operations given first; those given second need not take place.
pub(crate) type Oracle<'o> = dyn FnMut(&[u32], &FxHashSet<u32>, &Limits<'_>) -> RaceResult + 'o;

/// Violation of few operations.
pub(crate) struct SmallViolation {
    /// Operations as they were recorded, ascending.
    pub shown: Vec<u32>,
    /// Those of them that contradict each other, ascending; the others could only have led to what these found.
    pub decisive: Vec<u32>,
    /// Operation that completed when no order was left.
    pub last: u32,
    /// Changes that are not shown and explain nothing either, wherever each takes effect, if at all; ascending.
    pub others: Vec<u32>,
}

struct Shrinker<'s, 'a> {
    object: &'s dyn Object,
    oracle: &'s mut Oracle<'a>,
    history: &'a History,
    /// Certain operations, ascending.
    certain: Vec<u32>,
    /// Operations that need not take place.
    spare: Vec<u32>,
    /// Rank of the completion that no order reaches.
    rank: u32,
    attempts: Attempts<'s>,
}

/// Shrinks the operations of a violation, given that no order explains what happened until this rank.
pub(super) fn shrink<'a>(
    searches: &mut Searches<'a>,
    history: &'a History,
    operations: &[u32],
    rank: u32,
    limits: &Limits<'_>,
) -> SmallViolation {
    let object = searches.object;
    let mut oracle = |all: &[u32], spare: &FxHashSet<u32>, limits: &Limits<'_>| {
        searches.search(history, all, |index| spare.contains(&index), Racers::Both, limits)
    };
    shrink_by(object, history, operations, rank, limits, &mut oracle)
}

/// Shrinks a violation like [`shrink`], using another search.
pub(crate) fn shrink_by<'a>(
    object: &dyn Object,
    history: &'a History,
    operations: &[u32],
    rank: u32,
    limits: &Limits<'_>,
    oracle: &mut Oracle<'a>,
) -> SmallViolation {
    let is_certain = |&index: &u32| history.operations[index as usize].outcome != Outcome::Info;
    let (certain, spare) = operations.iter().copied().partition(is_certain);
    let attempts = Attempts::new(limits, MAX_QUESTIONS);
    let mut few = Shrinker { object, oracle, history, certain, spare, rank, attempts };
    few.cut();
    few.keep_groups();
    few.drop_reads();
    let recorded = merged(&few.certain, &few.spare);
    few.loosen_changes();
    few.attempts.renew();
    let needed = few.needed();
    let shown = few.shown(&recorded, &needed);
    let shown = few.with_what_it_saw(shown, &recorded);
    let others = few.spare.iter().copied().filter(|index| !shown.contains(index) && !few.only_looks(*index)).collect();
    let last = few.certain.iter().copied().find(|&index| history.operations[index as usize].completed == few.rank);
    let last = last.expect("the rank is that of a completion, and what is looked at there stays");
    SmallViolation { shown, decisive: few.certain, last, others }
}

impl<'a> Shrinker<'_, 'a> {
    fn call(&self, index: u32) -> Call<'a> {
        self.object.call(self.history, &self.history.operations[index as usize])
    }

    fn only_looks(&self, index: u32) -> bool {
        self.object.only_looks(&self.call(index))
    }

    /// Adds to one operation or answers alone, which prove nothing to a reader, the changes that could have led to
    /// them: those that left what was found, or where the object does not tell, all of them. Adds none if they are too
    /// many.
    fn with_what_it_saw(&self, shown: Vec<u32>, recorded: &[u32]) -> Vec<u32> {
        if shown.len() > 1 && !shown.iter().all(|&index| self.only_looks(index)) {
            return shown;
        }
        let found: FxHashSet<Value> =
            shown.iter().flat_map(|&index| self.object.values_found(&self.call(index))).collect();
        let is_seen = |index: u32| {
            found.is_empty() || self.object.values_left(&self.call(index)).iter().any(|value| found.contains(value))
        };
        let seen: Vec<u32> =
            recorded.iter().copied().filter(|&index| !self.only_looks(index) && is_seen(index)).collect();
        if seen.len() <= MAX_CHANGES_SHOWN { merged(&shown, &seen) } else { shown }
    }

    /// Drops operations that began too late to matter, and looks that were still open.
    fn cut(&mut self) {
        let (history, rank) = (self.history, self.rank);
        let times =
            |index: u32| (history.operations[index as usize].invoked, history.operations[index as usize].completed);
        let mut end = rank;
        for &index in &self.certain {
            let (invoked, completed) = times(index);
            if invoked >= end {
                break;
            }
            if completed > end && !self.only_looks(index) {
                end = completed;
            }
        }
        let is_over = |few: &Self, index: u32| times(index).1 <= rank || !few.only_looks(index);
        let certain =
            self.certain.iter().copied().filter(|&index| times(index).0 < end && is_over(self, index)).collect();
        self.certain = certain;
        self.spare.retain(|&index| times(index).0 < end);
    }

    /// Searches for an order of these operations within what is left of the budget.
    fn search(&mut self, certain: &[u32], spare: &[u32]) -> Option<RaceResult> {
        let mut all = [certain, spare].concat();
        all.sort_unstable();
        let spare: FxHashSet<u32> = spare.iter().copied().collect();
        let search = |limits: &Limits<'_>| (self.oracle)(&all, &spare, limits);
        self.attempts.run(all.len(), search, |found| matches!(found, RaceResult::Limit(_)))
    }

    /// Continues with these operations if they have no order either. Returns `None` if the budget is used up.
    fn try_shrink(&mut self, certain: Vec<u32>, spare: Vec<u32>) -> Option<bool> {
        let RaceResult::Refuted(rank) = self.search(&certain, &spare)? else { return Some(false) };
        (self.certain, self.spare, self.rank) = (certain, spare, rank);
        Some(true)
    }

    /// Leaves out values, with all operations about them.
    fn keep_groups(&mut self) {
        let Some(groups) = self.groups() else { return };
        let without_group = |index: &u32| !groups.contains_key(index);
        let loose: FxHashSet<u32> = self.spare.iter().copied().filter(without_group).collect();
        let mut names = sorted(groups.values().copied());
        let dying = self.certain.iter().find(|&&index| self.history.operations[index as usize].completed == self.rank);
        // The operation at which the search ended usually concerns few others.
        let first = dying.map(|index| groups[index]);
        names.sort_by_key(|&name| Some(name) == first);
        minimal(names, |names| {
            let names: FxHashSet<usize> = names.iter().copied().collect();
            let stays = |index: &u32| groups.get(index).is_some_and(|group| names.contains(group));
            let certain = self.certain.iter().copied().filter(stays).collect();
            let spare = self.spare.iter().copied().filter(|index| loose.contains(index) || stays(index)).collect();
            self.try_shrink(certain, spare)
        });
        self.cut();
    }

    /// Returns the group of each operation: operations about a common value have the same group. Returns `None` if
    /// some certain operation does not name its values.
    fn groups(&self) -> Option<FxHashMap<u32, usize>> {
        let mut owners: FxHashMap<Value, u32> = FxHashMap::default();
        let mut all: FxHashMap<u32, u32> = FxHashMap::default();
        for (&index, is_certain) in
            self.certain.iter().map(|index| (index, true)).chain(self.spare.iter().map(|index| (index, false)))
        {
            let Some(values) = self.object.values_of(&self.call(index)) else {
                if is_certain {
                    return None;
                }
                continue;
            };
            all.insert(index, index);
            for value in values {
                let owner = *owners.entry(value).or_insert(index);
                let (a, b) = (root(&all, owner), root(&all, index));
                all.insert(b, a);
                all.insert(index, a);
            }
        }
        Some(all.keys().map(|&index| (index, root(&all, index) as usize)).collect())
    }

    fn drop_reads(&mut self) {
        let is_read = |index: &u32| self.only_looks(*index);
        let (reads, changes): (Vec<u32>, Vec<u32>) = self.certain.iter().copied().partition(is_read);
        minimal(reads, |reads| {
            let certain = merged(&changes, reads);
            self.try_shrink(certain, self.spare.clone())
        });
        self.cut();
    }

    fn loosen_changes(&mut self) {
        let is_read = |index: &u32| self.only_looks(*index);
        let (reads, changes): (Vec<u32>, Vec<u32>) = self.certain.iter().copied().partition(is_read);
        let (all, spare) = (changes.clone(), self.spare.clone());
        minimal(changes, |changes| {
            let kept: FxHashSet<u32> = changes.iter().copied().collect();
            let loose: Vec<u32> = all.iter().copied().filter(|index| !kept.contains(index)).collect();
            self.try_shrink(merged(&reads, changes), merged(&spare, &loose))
        });
        self.cut();
    }

    /// Returns the certain operations with those that the others need if a certain one is left out. If that does not
    /// say the same, returns more of `recorded`, which has no order either.
    fn shown(&mut self, recorded: &[u32], needed: &[u32]) -> Vec<u32> {
        let certain = self.certain.clone();
        if certain.len() > MAX_SHOWN {
            return recorded.to_vec();
        }
        let mut has_order_without = FxHashMap::default();
        let few = merged(&certain, needed);
        if self.is_sound(&few, recorded, &mut has_order_without) == Some(true) {
            return few;
        }
        let rest: Vec<u32> = recorded.iter().copied().filter(|index| !certain.contains(index)).collect();
        let rest = minimal(rest, |rest| self.is_sound(&merged(&certain, rest), recorded, &mut has_order_without));
        merged(&certain, &rest)
    }

    /// Returns true if these operations, as recorded, have no order, but have one without any one of the certain
    /// ones, except where all that was `recorded` has none without that one either.
    fn is_sound(
        &mut self,
        these: &[u32],
        recorded: &[u32],
        has_order_without: &mut FxHashMap<u32, bool>,
    ) -> Option<bool> {
        if !matches!(self.search(these, &[])?, RaceResult::Refuted(_)) {
            return Some(false);
        }
        for left_out in self.certain.clone() {
            let without =
                |all: &[u32]| -> Vec<u32> { all.iter().copied().filter(|&index| index != left_out).collect() };
            if matches!(self.search(&without(these), &[])?, RaceResult::Order(_)) {
                continue;
            }
            let is_possible = if let Some(&known) = has_order_without.get(&left_out) {
                known
            } else {
                // If it is undecided, assume that it has one.
                let is_possible = !matches!(self.search(&without(recorded), &[])?, RaceResult::Refuted(_));
                has_order_without.insert(left_out, is_possible);
                is_possible
            };
            if is_possible {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Returns the optional operations that the others need if a certain one is left out.
    fn needed(&mut self) -> Vec<u32> {
        let mut needed = Vec::new();
        if self.certain.len() > MAX_SHOWN {
            return needed;
        }
        for left_out in self.certain.clone() {
            let others: Vec<u32> = self.certain.iter().copied().filter(|&index| index != left_out).collect();
            let spare = self.spare.clone();
            let Some(RaceResult::Order(order)) = self.search(&others, &spare) else { continue };
            let used: Vec<u32> = self.spare.iter().copied().filter(|index| order.contains(index)).collect();
            let used = minimal(used, |used| {
                let spare = merged(&needed, used);
                Some(matches!(self.search(&others, &spare)?, RaceResult::Order(_)))
            });
            needed = merged(&needed, &used);
        }
        needed
    }
}

/// Returns the root of the tree that contains `index`.
fn root(all: &FxHashMap<u32, u32>, mut index: u32) -> u32 {
    while all[&index] != index {
        index = all[&index];
    }
    index
}
