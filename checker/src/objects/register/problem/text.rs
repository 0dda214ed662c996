//! Shrinking of violations for text that can grow: it can grow in too many ways to tell which steps can have observed
//! which.

use std::borrow::Cow;

use histories::{Function, Operation, Value};
use rustc_hash::FxHashSet;

use super::Problem;
use crate::{
    objects::register::{
        specification::{as_text, is_text},
        stages::has_appends,
    },
    prepare::{Action, INITIAL, Step, Val},
    shrink::merged,
    sorted::sorted,
};

/// Maximum number of comparisons (parts of a text times its length) for deciding whether a text can have been made.
const MAX_COMPARED: usize = 1 << 24;

/// Maximum number of writes of a text that are tried as the start of a window.
const MAX_RESETS: usize = 512;

/// Way in which a value that was observed can have been made.
enum Origin {
    Impossible,
    /// It would take too long to find out.
    Undecided,
    /// Appends, the last first, after the write of what they extend if that was not there at first.
    Actions(Vec<Action>),
}

/// Returns the value that an action observed.
fn observed(action: Action) -> Option<Val> {
    match action {
        Action::Read(value) | Action::Cas { from: value, .. } => Some(value),
        _ => None,
    }
}

impl Problem<'_> {
    /// Returns a few steps since some write before `dead` that cannot be ordered, with the steps that made the text
    /// which the last of them observed.
    ///
    /// After a write the text is what was written, whatever it was before. So every step that ended before the write
    /// began may be left out, and every look that began before the write ended. Earlier changes that overlap the
    /// write are kept and do no harm. (A cas looks but must not be left out, so no certain cas may overlap the
    /// write.)
    pub(super) fn since_reset(&mut self, dead: u32) -> Option<Vec<u32>> {
        let end = self.prepared.steps[dead as usize].end;
        let resets: Vec<u32> = self.resets(dead).take(MAX_RESETS).collect();
        for (&reset, _) in resets.iter().zip(1_usize..).filter(|(_, number)| number.is_power_of_two()) {
            let kept = self.since(reset, end);
            if self.is_refuted(&kept)? {
                let few = self.minimal(kept.clone(), &[]);
                return Some(self.with_makers(few, &kept));
            }
        }
        None
    }

    /// Returns the writes that ended before `dead` began and that no certain cas overlaps, the last first.
    pub(super) fn resets(&self, dead: u32) -> impl Iterator<Item = u32> {
        let steps = &self.prepared.steps;
        let is_reset = move |&index: &u32| {
            let reset = &steps[index as usize];
            let around = &steps[..steps.partition_point(|step| step.start < reset.end)];
            let is_cas = |step: &Step| matches!(step.action, Action::Cas { .. }) && step.is_certain();
            matches!(reset.action, Action::Write(_))
                && reset.end < steps[dead as usize].start
                && !around.iter().any(|step| is_cas(step) && step.end > reset.start)
        };
        (0..dead).rev().filter(is_reset)
    }

    /// Returns the first rank from `end` on at which no certain cas is open: an open one could observe what began
    /// later.
    pub(super) fn without_cas(&self, mut end: u32) -> u32 {
        for step in &self.prepared.steps {
            if step.start >= end {
                break;
            }
            if step.is_certain() && matches!(step.action, Action::Cas { .. }) {
                end = end.max(step.end);
            }
        }
        end
    }

    /// Returns the steps that can matter between `reset` and `end`: the looks in between, and every change that can
    /// have come after `reset`.
    pub(super) fn since(&self, reset: u32, end: u32) -> Vec<u32> {
        let steps = &self.prepared.steps;
        let end = self.without_cas(end);
        let reset = &steps[reset as usize];
        let stays = |step: &Step| {
            let is_seen = !step.action.is_read_only() || step.start > reset.end && step.end <= end;
            step.start < end && step.end > reset.start && is_seen
        };
        (0..).zip(steps).filter(|(_, step)| stays(step)).map(|(index, _)| index).collect()
    }

    /// Adds the steps that made the text which the last of these steps observed, and those of `all` that show that it
    /// was gone by then: without them it would seem that it was never there. Returns `few` if that cannot be shown.
    pub(super) fn with_makers(&mut self, few: Vec<u32>, all: &[u32]) -> Vec<u32> {
        let observes = |index: &u32| observed(self.prepared.steps[*index as usize].action).is_some();
        let Some(reader) = few.iter().copied().rev().find(observes) else { return few };
        let makers = self.makers(reader);
        if makers.is_empty() {
            return few;
        }
        for kept in [&few, all] {
            let kept = merged(&makers, kept);
            self.attempts.renew();
            if self.is_impossible(&kept) {
                return self.minimal(kept, &merged(&makers, &[reader]));
            }
        }
        few
    }

    /// Returns the write and the appends that can have made the text which a step observed, each the last before the
    /// next if there is one. Returns nothing if there are none, or none are known.
    fn makers(&self, reader: u32) -> Vec<u32> {
        let steps = &self.prepared.steps;
        let Origin::Actions(actions) = self.origin(reader) else { return Vec::new() };
        let all_end = steps[reader as usize].end;
        let (mut makers, mut end) = (Vec::new(), all_end);
        for action in actions {
            let is_maker = |&index: &u32| steps[index as usize].action == action && !makers.contains(&index);
            let last = |end: u32| {
                let begun = (0..).zip(steps).take_while(|(_, step)| step.start < end);
                begun.map(|(index, _)| index).filter(is_maker).last()
            };
            let maker = last(end).or_else(|| last(all_end));
            let Some(maker) = maker else { return Vec::new() };
            makers.push(maker);
            end = steps[maker as usize].end;
        }
        sorted(makers)
    }

    /// Returns true if a step found a value that cannot have been made by then: neither the initial value, nor one
    /// set by a step that began before this one ended, nor a text made of these by such appends.
    pub(crate) fn cannot_have_been_made(&self, reader: u32) -> bool {
        matches!(self.origin(reader), Origin::Impossible)
    }

    /// Returns true if the register is a text that grows.
    pub(crate) fn grows(&self) -> bool {
        has_appends(&self.prepared.steps)
    }

    /// Returns the changes that began before a step ended, if the register is a text that grows, and no write of just
    /// what the step found failed.
    pub(crate) fn edits_before(&self, reader: u32) -> Option<Vec<u32>> {
        let reader = &self.prepared.steps[reader as usize];
        let seen = observed(reader.action).map(|seen| self.value(seen))?;
        let is_failed_write = |&index: &u32| {
            let Operation { function, input, to, .. } = self.history.operations[index as usize];
            self.history.value(if function == Function::Cas { to } else { input }) == seen
        };
        if !self.grows() || self.prepared.failed.iter().any(is_failed_write) {
            return None;
        }
        let begun = (0..).zip(&self.prepared.steps).take_while(|(_, step)| step.start < reader.end);
        let edits = begun.filter(|(_, step)| step.operation != reader.operation && !step.action.is_read_only());
        Some(edits.map(|(index, _)| index).collect())
    }

    /// Decides how the value that a step observed can have been made by then.
    fn origin(&self, reader: u32) -> Origin {
        let reader = &self.prepared.steps[reader as usize];
        let Some(seen) = observed(reader.action) else { return Origin::Undecided };
        let begun = || {
            let others = self.prepared.steps.iter().take_while(|step| step.start < reader.end);
            others.filter(|step| step.operation != reader.operation)
        };
        let set = || begun().filter_map(|step| step.action.installs()).chain([INITIAL]);
        if set().any(|value| value == seen) {
            return Origin::Actions(vec![Action::Write(seen)]);
        }
        let appended: FxHashSet<Val> = begun()
            .filter_map(|step| if let Action::Append(value) = step.action { Some(value) } else { None })
            .collect();
        if appended.is_empty() || !is_text(self.value(seen)) {
            return Origin::Impossible;
        }
        let text = self.text(seen);
        if text.is_empty() || text.len().saturating_mul(appended.len()) > MAX_COMPARED {
            return Origin::Undecided;
        }
        let parts: Vec<(Val, Cow<'_, str>)> = sorted(appended.into_iter().collect::<Vec<_>>())
            .into_iter()
            .map(|part| (part, self.text(part)))
            .filter(|(_, part)| !part.is_empty())
            .collect();
        // The last action that can have made the text up to each length.
        let mut last: Vec<Option<Action>> = vec![None; text.len() + 1];
        for value in set() {
            let begin = self.text(value);
            if text.starts_with(&*begin) {
                last[begin.len()] = Some(Action::Write(value));
            }
        }
        for length in (0..text.len()).filter(|&length| text.is_char_boundary(length)) {
            if last[length].is_some() {
                for (part, _) in parts.iter().filter(|(_, part)| text[length..].starts_with(&**part)) {
                    last[length + self.text(*part).len()].get_or_insert(Action::Append(*part));
                }
            }
        }
        if last[text.len()].is_none() {
            return Origin::Impossible;
        }
        let mut length = text.len();
        let actions = std::iter::from_fn(|| {
            let action = last[length].take()?;
            if let Action::Append(part) = action {
                length -= self.text(part).len();
            }
            Some(action).filter(|&action| action != Action::Write(INITIAL))
        });
        Origin::Actions(actions.collect())
    }

    /// Returns the first step that set what this step found, among those that began after it had ended.
    pub(crate) fn setter_after(&self, reader: u32) -> Option<u32> {
        let steps = &self.prepared.steps;
        let reader = &steps[reader as usize];
        let seen = observed(reader.action)?;
        let late = |(_, step): &(u32, &Step)| step.start > reader.end && step.action.installs() == Some(seen);
        (0..).zip(steps).find(late).map(|(index, _)| index)
    }

    fn value(&self, value: Val) -> &Value {
        self.prepared.values[value as usize].map_or(self.initial, |id| self.history.value(id))
    }

    /// Returns a value as the text that appends extend.
    fn text(&self, value: Val) -> Cow<'_, str> {
        as_text(self.value(value))
    }

    /// Returns true if each kept look either began after a kept write that followed this change, or ended before the
    /// change began.
    pub(super) fn is_overwritten(&self, change: u32, kept: &[u32]) -> bool {
        let steps = &self.prepared.steps;
        let gone = steps[change as usize];
        let is_between = |write: &Step, reader: &Step| {
            matches!(write.action, Action::Write(_)) && gone.end < write.start && write.end < reader.start
        };
        kept.iter().filter(|&&reader| reader != change).map(|&reader| &steps[reader as usize]).all(|reader| {
            matches!(reader.action, Action::Write(_) | Action::Append(_))
                || reader.end < gone.start
                || kept.iter().any(|&write| is_between(&steps[write as usize], reader))
        })
    }

    /// Returns true if no text that the kept steps observed begins with what this change wrote, or contains what it
    /// appended: then no kept step looked between this change and the next write.
    pub(super) fn is_unseen(&self, change: u32, kept: &[u32]) -> bool {
        let steps = &self.prepared.steps;
        let shows = |seen: Val| match steps[change as usize].action {
            Action::Append(suffix) => self.text(seen).contains(&*self.text(suffix)),
            Action::Write(value) | Action::Cas { to: value, .. } => self.text(seen).starts_with(&*self.text(value)),
            Action::Read(_) | Action::NotEqual(_) | Action::Contradiction(_) => true,
        };
        kept.iter().filter(|&&reader| reader != change).all(|&reader| match steps[reader as usize].action {
            Action::Read(value) | Action::Cas { from: value, .. } => !shows(value),
            Action::NotEqual(_) | Action::Contradiction(_) => false,
            Action::Write(_) | Action::Append(_) => true,
        })
    }
}
