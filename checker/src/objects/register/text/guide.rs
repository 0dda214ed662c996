//! Guess at the order of texts that only one step makes. It only helps to find an order sooner; no verdict depends on
//! it.
//!
//! A text begins with text that was written, or that was appended to empty text. Where only one step can have made
//! that beginning, everything that grew out of it forms one block, and so does whatever a cas made of it: no other
//! text can come in between. Wherever only these blocks matter, they can follow each other in the order of their
//! zones (as in [`crate::zones`]).

use std::{borrow::Cow, collections::BTreeSet};

use histories::NEVER;
use petgraph::unionfind::UnionFind;
use rustc_hash::FxHashMap;

use crate::{
    budget::{Budget, Shortage},
    prepare::{Action, Step, Val},
};

/// Maximum number of distinct lengths for which prefixes and suffixes of a text are looked up.
const MAX_LENGTHS: usize = 32;

/// Texts, each with the only step that makes it, or `None` if several do.
#[derive(Default)]
pub(super) struct Makers<'t> {
    steps: FxHashMap<&'t [u8], Option<usize>>,
    lengths: BTreeSet<usize>,
}

impl<'t> Makers<'t> {
    fn add(&mut self, text: &'t str, step: usize) {
        if !text.is_empty() {
            self.lengths.insert(text.len());
            self.steps.entry(text.as_bytes()).and_modify(|step| *step = None).or_insert(Some(step));
        }
    }

    /// Returns the step that makes the longest of these texts that `text` begins with, and the length of that text.
    /// Returns `None` if several steps make it.
    fn of_beginning(&self, text: &[u8]) -> Option<(usize, usize)> {
        if self.are_too_many() {
            return None;
        }
        let mut beginnings = self.lengths.range(..=text.len()).rev().map(|&length| &text[..length]);
        let (step, length) = beginnings.find_map(|text| Some((self.steps.get(text)?, text.len())))?;
        Some(((*step)?, length))
    }

    fn are_too_many(&self) -> bool {
        self.lengths.len() > MAX_LENGTHS
    }

    /// Returns true if `text` may begin with one of these.
    pub(super) fn begin(&self, text: &[u8]) -> bool {
        self.are_too_many() || self.lengths.range(..=text.len()).any(|&length| self.steps.contains_key(&text[..length]))
    }

    /// Returns true if `text` may end with one of these.
    pub(super) fn end(&self, text: &[u8]) -> bool {
        self.are_too_many()
            || self.lengths.range(..=text.len()).any(|&length| self.steps.contains_key(&text[text.len() - length..]))
    }

    /// Returns true if `text` is one of these.
    pub(super) fn are(&self, text: &[u8]) -> bool {
        self.steps.contains_key(text)
    }

    /// Returns the distinct first bytes of these texts, in ascending order.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.steps.keys().map(|text| text[0]).collect::<BTreeSet<u8>>().into_iter().collect()
    }
}

/// Texts that the steps write and append.
#[derive(Default)]
pub(super) struct TextMakers<'t> {
    pub written: Makers<'t>,
    pub appended: Makers<'t>,
}

impl<'t> TextMakers<'t> {
    pub(super) fn by(steps: &[Step], texts: &'t [Cow<'_, str>], budget: &Budget<'_>) -> Result<Self, Shortage> {
        let mut made = Self::default();
        for (index, step) in steps.iter().enumerate() {
            budget.step()?;
            match step.action {
                Action::Write(value) | Action::Cas { to: value, .. } => made.written.add(&texts[value as usize], index),
                Action::Append(suffix) => made.appended.add(&texts[suffix as usize], index),
                Action::Read(_) | Action::NotEqual(_) | Action::Contradiction(_) => {}
            }
        }
        Ok(made)
    }
}

/// Cost of taking a text apart, in steps.
const PER_TEXT: usize = 8;

/// Returns the position of each value in the guessed order: smaller values come first, 0 means unknown.
pub(super) fn places(
    TextMakers { written, appended }: &TextMakers<'_>,
    texts: &[Cow<'_, str>],
    steps: &[Step],
    budget: &Budget<'_>,
) -> Result<Vec<u32>, Shortage> {
    let mut blocks = UnionFind::<usize>::new(steps.len());
    let mut block_of: Vec<Option<Option<usize>>> = vec![None; texts.len()];
    let mut block = |blocks: &mut UnionFind<usize>, value: Val| {
        *block_of[value as usize].get_or_insert_with(|| {
            let text = texts[value as usize].as_bytes();
            let (first, mut length) = written.of_beginning(text).or_else(|| appended.of_beginning(text))?;
            while let Some((step, more)) = appended.of_beginning(&text[length..]) {
                blocks.union(first, step);
                length += more;
            }
            Some(first)
        })
    };
    for (index, step) in steps.iter().enumerate() {
        budget.steps(PER_TEXT)?;
        match step.action {
            Action::Read(value) => {
                if let Some(block) = block(&mut blocks, value) {
                    blocks.union(block, index);
                }
            }
            Action::Cas { from, to } => {
                if let (Some(from), Some(to)) = (block(&mut blocks, from), block(&mut blocks, to)) {
                    blocks.union(from, to);
                }
            }
            Action::Write(value) => {
                block(&mut blocks, value);
            }
            Action::Append(_) | Action::NotEqual(_) | Action::Contradiction(_) => {}
        }
    }
    let block_of_step = blocks.into_labeling();
    // For each block: its first end and its last start.
    let mut zones = vec![(NEVER, 0); steps.len()];
    for (&block, step) in block_of_step.iter().zip(steps) {
        let (first_end, last_start) = zones[block];
        zones[block] = (step.end.min(first_end), step.start.max(last_start));
    }
    let place = |first: usize| 1 + zones[block_of_step[first]].0.min(zones[block_of_step[first]].1);
    Ok(block_of.into_iter().map(|first| first.flatten().map_or(0, place)).collect())
}
