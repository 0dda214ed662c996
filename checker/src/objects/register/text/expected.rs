//! Texts that operations expect, sorted, and the beginnings that they have in common.

use std::borrow::Cow;

use super::guide::TextMakers;
use crate::{
    budget::{Budget, Shortage},
    prepare::{Action, Step},
    sorted::sorted,
};

/// Common beginning of a range of the expected values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beginning {
    /// Range, among all expected texts, of those with this beginning.
    pub first: u32,
    pub end: u32,
    /// Length in bytes.
    pub length: u32,
    /// Rank up to which one of them is expected, 0 if none is.
    pub until: u32,
    /// Position in the guessed order: this state comes before those with a greater number, unless either is 0.
    pub place: u32,
}

/// Expected texts, sorted, with the rank up to which each is expected.
#[derive(Debug)]
pub(super) struct ExpectedTexts<'a> {
    pub texts: Vec<Cow<'a, str>>,
    /// Segment tree over the ranks of the texts: each node holds the maximum of its two children, leaves last.
    latest: Vec<u32>,
    /// First bytes of the appended texts, ascending.
    first_bytes: Vec<u8>,
}

impl<'a> ExpectedTexts<'a> {
    /// Collects the expected texts with the rank up to which each is expected, and the rank up to which any value but
    /// a given one is expected (by a cas that did not match).
    ///
    /// A cas of unknown outcome expects its old value for as long as its new value can be observed, as in
    /// [`crate::liveness`].
    pub(super) fn by(
        steps: &[Step],
        texts: &[Cow<'a, str>],
        made: &TextMakers<'_>,
        budget: &Budget<'_>,
    ) -> Result<(Self, u32), Shortage> {
        let looked_for = |step: &Step| match step.action {
            Action::Read(value) | Action::NotEqual(value) | Action::Cas { from: value, .. } => Some(value as usize),
            Action::Write(_) | Action::Append(_) | Action::Contradiction(_) => None,
        };
        let (mut until, mut is_asked, mut other_until) = (vec![0; texts.len()], vec![false; texts.len()], 0);
        for step in steps {
            budget.step()?;
            let Some(value) = looked_for(step) else { continue };
            is_asked[value] = true;
            if step.is_certain() {
                until[value] = step.end.max(until[value]);
            }
            if matches!(step.action, Action::NotEqual(_)) {
                other_until = step.end.max(other_until);
            }
        }
        let all = sorted((0..texts.len()).filter(|&value| is_asked[value]).map(|value| texts[value].clone()));
        let latest = vec![0; 2 * all.len()];
        let mut asked = Self { texts: all, latest, first_bytes: made.appended.first_bytes() };
        for (text, &until) in texts.iter().zip(&until).filter(|(_, until)| **until > 0) {
            budget.step()?;
            asked.raise(asked.place(text), until);
        }
        let mut unknown = Vec::new();
        for step in steps.iter().filter(|step| !step.is_certain()) {
            if let Action::Cas { from, to } = step.action {
                unknown.push((asked.place(&texts[from as usize]), &texts[to as usize], step.start));
            }
        }
        let mut has_changed = true;
        while std::mem::replace(&mut has_changed, false) {
            for &(from, to, start) in unknown.iter().rev() {
                budget.step()?;
                let until = asked.beginning(to).map_or(0, |to| to.until).max(other_until);
                if until > start && until > asked.until(from, from + 1) {
                    asked.raise(from, until);
                    has_changed = true;
                }
            }
        }
        Ok((asked, other_until))
    }

    fn raise(&mut self, at: u32, until: u32) {
        let mut at = self.texts.len() + at as usize;
        while at > 0 && self.latest[at] < until {
            self.latest[at] = until;
            at /= 2;
        }
    }

    /// Returns the rank up to which any of the texts from `first` to `end` (exclusive) is expected.
    pub(super) fn until(&self, first: u32, end: u32) -> u32 {
        let (mut from, mut to) = (self.texts.len() + first as usize, self.texts.len() + end as usize);
        let mut until = 0;
        while from < to {
            if from % 2 == 1 {
                until = until.max(self.latest[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                until = until.max(self.latest[to]);
            }
            (from, to) = (from / 2, to / 2);
        }
        until
    }

    /// Returns the texts that begin with `beginning` followed by `suffix`, or `None` if none of them is expected.
    pub(super) fn extended(&self, beginning: Beginning, suffix: &str) -> Option<Beginning> {
        let Beginning { first, end, length, place, .. } = beginning;
        let texts = &self.texts[first as usize..end as usize];
        let (length, suffix) = (length as usize, suffix.as_bytes());
        let before = texts.partition_point(|text| &text.as_bytes()[length..] < suffix);
        let these = texts[before..].partition_point(|text| text.as_bytes()[length..].starts_with(suffix));
        let first = first + number(before);
        let end = first + number(these);
        let length = length + suffix.len();
        let until = self.grown_until(first, end, length);
        (until > 0).then(|| Beginning { first, end, length: number(length), until, place })
    }

    /// Returns the rank up to which any text of this range is expected that the first `length` bytes can become by
    /// appends.
    fn grown_until(&self, first: u32, end: u32, length: usize) -> u32 {
        let texts = &self.texts[first as usize..end as usize];
        let own = texts.partition_point(|text| text.len() == length);
        let grown = self.first_bytes.iter().map(|&byte| {
            let before = texts.partition_point(|text| text.as_bytes().get(length).is_none_or(|&other| other < byte));
            let these = texts[before..].partition_point(|text| text.as_bytes()[length] == byte);
            self.until(first + number(before), first + number(before + these))
        });
        grown.fold(self.until(first, first + number(own)), u32::max)
    }

    pub(super) fn beginning(&self, text: &str) -> Option<Beginning> {
        self.extended(Beginning { end: number(self.texts.len()), ..Beginning::default() }, text)
    }

    pub(super) fn place(&self, text: &str) -> u32 {
        number(self.texts.partition_point(|other| **other < *text))
    }
}

/// Returns a rank or a length as a number of 32 bits.
pub(super) fn number(of: usize) -> u32 {
    u32::try_from(of).expect("a history has fewer values than 2^32, and no text has more bytes")
}
