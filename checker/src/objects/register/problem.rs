//! Shrinking of violations of registers: from many steps that cannot be ordered to few, without creating a violation
//! that was not there.
//!
//! An order stays valid without some of its steps as long as no remaining step observed them. A step that only looks
//! may always be left out. A change may be left out if no remaining step can have observed it, because it began too
//! late for that, or was certainly replaced before. A cas whose expected value no remaining step sets may count as a
//! plain write, which is possible wherever the cas was.

mod text;

use histories::{History, NEVER, Value};

use crate::{
    Limits,
    budget::Budget,
    prepare::{Action, INITIAL, KeySteps, Step, Val},
    report::MAX_EVIDENCE,
    search::SearchResult,
    shrink::{Attempts, merged, minimal},
};

use super::stages::{Stage, by_search, has_appends};

/// Maximum number of steps that are tried one by one.
const MAX_TRIED: usize = 256;

/// Maximum number of windows around a completion that are tried, each twice as wide as the one before.
const MAX_WINDOWS: u32 = 10;

/// Maximum number of queries of the limits for one attempt, which has up to three stages.
const MAX_QUESTIONS: usize = 64;

/// Returns the few of these steps of a register of two values that already have no order, given the place of the step
/// whose completion no order reaches.
pub(crate) fn fewest_steps(
    history: &History,
    initial: &Value,
    steps: Vec<Step>,
    dead: u32,
    limits: &Limits<'_>,
) -> Vec<Step> {
    let prepared = KeySteps { steps, values: vec![None; 2], failed: Vec::new() };
    let kept = Problem::new(history, initial, &prepared, limits).around(dead);
    kept.iter().map(|&place| prepared.steps[place as usize]).collect()
}

/// Key of a register whose steps cannot be ordered, or perhaps cannot.
pub(crate) struct Problem<'a> {
    pub history: &'a History,
    pub initial: &'a Value,
    pub prepared: &'a KeySteps,
    pub limits: &'a Limits<'a>,
    /// Time for finding out whether fewer steps cannot be ordered either.
    attempts: Attempts<'a>,
    /// Changes that set each value.
    setters: Vec<Vec<u32>>,
    /// Rank by which each change was certainly replaced.
    replaced: Vec<u32>,
}

impl<'a> Problem<'a> {
    /// Returns the memory of a problem with these steps, in bytes.
    pub(crate) fn bytes(prepared: &KeySteps) -> usize {
        // A list of setters reserves room for four when the first is added.
        prepared.steps.len() * 3 * size_of::<u32>()
            + prepared.values.len() * (size_of::<Vec<u32>>() + size_of::<[u32; 8]>())
    }

    pub(crate) fn new(
        history: &'a History,
        initial: &'a Value,
        prepared: &'a KeySteps,
        limits: &'a Limits<'a>,
    ) -> Self {
        let steps = &prepared.steps;
        let mut setters = vec![Vec::new(); prepared.values.len()];
        for (index, step) in (0..).zip(steps) {
            if let Some(value) = step.action.installs() {
                setters[value as usize].push(index);
            }
        }
        // The first end of a change that begins after this step, by position in the order of starts.
        let mut first_end_after = vec![NEVER; steps.len() + 1];
        for (index, step) in steps.iter().enumerate().rev() {
            let end = if step.action.installs().is_some() { step.end } else { NEVER };
            first_end_after[index] = end.min(first_end_after[index + 1]);
        }
        let replaced =
            (steps.iter()).map(|step| first_end_after[steps.partition_point(|other| other.start < step.end)]).collect();
        Self { history, initial, prepared, limits, attempts: Attempts::new(limits, MAX_QUESTIONS), setters, replaced }
    }

    /// Returns a few steps that cannot be ordered, given that no order survives the completion of `dead`.
    pub(crate) fn around(&mut self, dead: u32) -> Vec<u32> {
        self.attempts.renew();
        let end = self.prepared.steps[dead as usize].end;
        let all: Vec<u32> = (0..).take(self.prepared.steps.len()).collect();
        if has_appends(&self.prepared.steps) {
            return self.since_reset(dead).unwrap_or_else(|| {
                self.attempts.renew();
                let before = self.before(self.without_cas(end));
                let kept = if self.is_impossible(&before) { before } else { all };
                let few = self.minimal(kept.clone(), &[]);
                self.with_makers(few, &kept)
            });
        }
        self.near(dead).unwrap_or_else(|| self.minimal(all, &[]))
    }

    /// Returns a few steps before the completion of `dead` that cannot be ordered, if such are found with little
    /// effort.
    pub(crate) fn near(&mut self, dead: u32) -> Option<Vec<u32>> {
        if has_appends(&self.prepared.steps) {
            return self.since_reset(dead);
        }
        let end = self.prepared.steps[dead as usize].end;
        for width in (0..MAX_WINDOWS).map(|doublings| 16 << doublings) {
            let from = end.saturating_sub(width);
            let window = self.window(from, end);
            if self.is_refuted(&window)? {
                return Some(self.minimal(window, &[]));
            }
            if from == 0 {
                return None;
            }
        }
        None
    }

    /// Returns the steps that began before `end`, without reads that were still open then.
    fn before(&self, end: u32) -> Vec<u32> {
        let stays = |step: &Step| step.start < end && (step.end <= end || !step.action.is_read_only());
        (0..).zip(&self.prepared.steps).filter(|(_, step)| stays(step)).map(|(index, _)| index).collect()
    }

    /// Returns the steps that looked between two ranks, the changes of that time, and the earlier changes that any of
    /// these can have observed.
    fn window(&self, from: u32, until: u32) -> Vec<u32> {
        let steps = &self.prepared.steps;
        let mut kept = vec![false; steps.len()];
        let mut open = Vec::new();
        for (index, step) in (0..).zip(steps) {
            let inside = step.start < until && step.end > from && step.is_certain();
            if inside && (!step.action.is_read_only() || (step.start >= from && step.end <= until)) {
                kept[index as usize] = true;
                open.push(index);
            }
        }
        // A cas from long ago may count as a write, unless some setters of its expected value are kept: then all must
        // be.
        let mut old_cas: Vec<(Val, u32)> = Vec::new();
        while let Some(index) = open.pop() {
            let reader = &steps[index as usize];
            match reader.action {
                Action::Cas { from: value, .. } if reader.end < from && value != INITIAL => {
                    old_cas.push((value, index));
                }
                Action::Read(_) | Action::Cas { .. } | Action::NotEqual(_) => {
                    self.add_seen(reader, &mut kept, &mut open);
                }
                Action::Contradiction(_) | Action::Write(_) | Action::Append(_) => {}
            }
            while open.is_empty() {
                let is_set = |value: Val| self.setters[value as usize].iter().any(|&setter| kept[setter as usize]);
                let Some(at) = old_cas.iter().position(|&(value, _)| is_set(value)) else { break };
                let (_, cas) = old_cas.swap_remove(at);
                self.add_seen(&steps[cas as usize], &mut kept, &mut open);
            }
        }
        (0..).zip(kept).filter(|(_, kept)| *kept).map(|(index, _)| index).collect()
    }

    /// Keeps every change that `reader` can have observed. If its value was set only too long ago or too late, keeps
    /// the last setter that began before the end of `reader`, or else it would seem that the value was never set.
    fn add_seen(&self, reader: &Step, kept: &mut [bool], open: &mut Vec<u32>) {
        let (first, last) = match reader.action {
            Action::Read(value) | Action::Cas { from: value, .. } => (value as usize, value as usize),
            _ => (0, self.setters.len() - 1),
        };
        let all = || self.setters[first..=last].iter().flatten().copied();
        let mut seen: Vec<u32> = all().filter(|&setter| self.sees(reader, setter)).collect();
        if let (true, Action::Read(value)) = (seen.is_empty(), reader.action)
            && value != INITIAL
        {
            seen.extend(
                all().rfind(|&setter| self.prepared.steps[setter as usize].start < reader.end).or(all().next()),
            );
        }
        for setter in seen {
            if !std::mem::replace(&mut kept[setter as usize], true) {
                open.push(setter);
            }
        }
    }

    /// Returns true if `reader` can have observed the value that `setter` set.
    fn sees(&self, reader: &Step, setter: u32) -> bool {
        let step = &self.prepared.steps[setter as usize];
        let Some(set) = step.action.installs() else { return false };
        let wanted = match reader.action {
            Action::Read(value) | Action::Cas { from: value, .. } => value == set,
            Action::NotEqual(value) => value != set,
            Action::Contradiction(_) | Action::Write(_) | Action::Append(_) => false,
        };
        wanted
            && reader.operation != step.operation
            && reader.end > step.start
            && reader.start < self.replaced[setter as usize]
    }

    /// Leaves out steps while the rest cannot be ordered, but none of `wanted`, as long as there is time.
    pub(crate) fn minimal(&mut self, mut kept: Vec<u32>, wanted: &[u32]) -> Vec<u32> {
        if kept.len() > MAX_TRIED {
            return kept;
        }
        self.attempts.renew();
        loop {
            let before = kept.len();
            // Looks are left out before the changes that they observed: the last looks first, and the first changes,
            // so that the remaining steps are close together.
            for is_look in [true, false] {
                let is_piece = |step: &u32| {
                    self.prepared.steps[*step as usize].action.is_read_only() == is_look && !wanted.contains(step)
                };
                let (mut pieces, others): (Vec<u32>, Vec<u32>) = kept.iter().copied().partition(is_piece);
                if !is_look {
                    pieces.reverse();
                    // A write explains more than an append.
                    let is_append =
                        |step: &u32| matches!(self.prepared.steps[*step as usize].action, Action::Append(_));
                    pieces.sort_by_key(is_append);
                }
                minimal(pieces, |pieces| {
                    let fewer = merged(pieces, &others);
                    let is_refuted = self.may_all_go(&kept, &fewer) && self.is_refuted(&fewer)?;
                    if is_refuted {
                        kept = fewer;
                    }
                    Some(is_refuted)
                });
            }
            if kept.len() == before {
                return kept;
            }
        }
    }

    /// Returns true if every valid order of `kept` stays valid with only `fewer` of these steps.
    fn may_all_go(&self, kept: &[u32], fewer: &[u32]) -> bool {
        let mut rest = kept.to_vec();
        let mut gone = kept.iter().filter(|step| fewer.binary_search(step).is_err());
        gone.all(|&step| {
            let may_go = self.prepared.steps[step as usize].action.is_read_only() || self.may_go(step, &rest);
            rest.retain(|&other| other != step);
            may_go
        })
    }

    /// Returns true if every valid order stays valid without this change.
    fn may_go(&self, setter: u32, kept: &[u32]) -> bool {
        let steps = &self.prepared.steps;
        if has_appends(steps) {
            return self.is_overwritten(setter, kept) || self.is_unseen(setter, kept);
        }
        let Some(set) = steps[setter as usize].action.installs() else { return false };
        let others = kept.iter().any(|&k| k != setter && steps[k as usize].action.installs() == Some(set));
        kept.iter().all(|&reader| {
            let reader = &steps[reader as usize];
            let becomes_write = matches!(reader.action, Action::Cas { .. }) && !others && set != INITIAL;
            // A read of a value from long ago stays with its setter, or it would seem that the value was never set.
            let last_of_its_value = !others && set != INITIAL && reader.action == Action::Read(set);
            becomes_write || !(last_of_its_value || self.sees(reader, setter))
        })
    }

    /// Adds all steps that can have set what a kept cas expected, and so on for their own expected values, if the
    /// result is still small and cannot be ordered either: then no cas has to count as a write.
    pub(crate) fn with_setters(&mut self, kept: Vec<u32>) -> Vec<u32> {
        let steps = &self.prepared.steps;
        if has_appends(steps) {
            return kept;
        }
        let mut all = kept.clone();
        let mut at = 0;
        while at < all.len() {
            let reader = steps[all[at] as usize];
            at += 1;
            let Action::Cas { from, .. } = reader.action else { continue };
            if from == INITIAL || all.iter().any(|&step| self.sees(&reader, step)) {
                continue;
            }
            let mut seen: Vec<u32> =
                self.setters[from as usize].iter().copied().filter(|&setter| self.sees(&reader, setter)).collect();
            if seen.is_empty() || all.len() + seen.len() > MAX_EVIDENCE {
                return kept;
            }
            all.append(&mut seen);
        }
        all.sort_unstable();
        self.attempts.renew();
        if all.len() > kept.len() && self.is_impossible(&all) { all } else { kept }
    }

    /// Returns true if some value that these steps set is set by others, too.
    pub(crate) fn repeats(&self, alone: &KeySteps) -> bool {
        alone.steps.iter().filter_map(|step| step.action.installs()).any(|value| self.setters[value as usize].len() > 1)
    }

    /// Returns the kept steps alone: a cas whose expected value is set by other steps, but by none of these, becomes
    /// a write.
    pub(crate) fn alone(&self, kept: &[u32]) -> KeySteps {
        let mut steps: Vec<Step> = kept.iter().map(|&index| self.prepared.steps[index as usize]).collect();
        let mut set = vec![false; self.prepared.values.len()];
        for value in steps.iter().filter_map(|step| step.action.installs()) {
            set[value as usize] = true;
        }
        let is_left_to_nobody =
            |value: Val| value != INITIAL && !set[value as usize] && !self.setters[value as usize].is_empty();
        for step in &mut steps {
            match step.action {
                Action::Cas { from, to } if is_left_to_nobody(from) => step.action = Action::Write(to),
                _ => {}
            }
        }
        KeySteps { steps, values: self.prepared.values.clone(), failed: self.prepared.failed.clone() }
    }

    /// Returns true if the kept steps alone cannot be ordered; false also if nobody can say.
    fn is_impossible(&mut self, kept: &[u32]) -> bool {
        self.is_refuted(kept) == Some(true)
    }

    /// Returns true if the kept steps alone cannot be ordered; false also if that is undecided, and `None` if there is
    /// no time or memory to find out.
    fn is_refuted(&mut self, kept: &[u32]) -> Option<bool> {
        let bytes = size_of_val(&self.prepared.values[..]) + size_of_val(&self.prepared.failed[..]);
        Budget::new(self.limits).may_take(bytes).ok()?;
        let alone = self.alone(kept);
        let search = |limits: &Limits<'_>| {
            let by = |stage| by_search(self.history, self.initial, &alone, limits, stage);
            let mut found = [Stage::Relaxed, Stage::Narrow, Stage::Exact].into_iter().map(by);
            found.find(|found| !matches!(found, SearchResult::GaveUp(_)))
        };
        let is_undecided =
            |found: &Option<SearchResult>| !matches!(found, Some(SearchResult::Order(_) | SearchResult::Refuted(_)));
        let found = self.attempts.run(kept.len(), search, is_undecided)?;
        Some(matches!(found, Some(SearchResult::Refuted(_))))
    }
}

#[cfg(test)]
#[path = "../../../tests/it/random.rs"]
mod random;

#[cfg(test)]
#[path = "../../../tests/it/oracle.rs"]
#[expect(dead_code, reason = "the tests of the surface need more of it")]
mod oracle;

#[cfg(test)]
mod tests;
