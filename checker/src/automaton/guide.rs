//! In which order texts that are made only once should come, if there is an order at all: to find it sooner, and for nothing else.
//!
//! A text begins with what was written, or with what was appended to nothing. Where only one step can have done that, all that grew
//! out of it is one block, and so is what a cas made of it: other texts cannot come between. Blocks can follow each other as their
//! zones begin (as in [`crate::zones`]), wherever nothing but these blocks matters.

use std::{borrow::Cow, collections::BTreeSet};

use histories::NEVER;
use petgraph::unionfind::UnionFind;
use rustc_hash::FxHashMap;

use crate::{
    patience::{OutOf, Patience},
    prepare::{Action, Step, Val},
};

/// Where there are more lengths than this, nobody looks for all texts of any length.
const MAX_LENGTHS: usize = 32;

/// Texts, with the only step that makes each of them; none where several do.
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

    /// The longest of these that `text` begins with, if only one step makes it; and its length.
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

    /// Whether one of these may begin `text`.
    pub(super) fn begin(&self, text: &[u8]) -> bool {
        self.are_too_many() || self.lengths.range(..=text.len()).any(|&length| self.steps.contains_key(&text[..length]))
    }

    /// Whether one of these may end `text`.
    pub(super) fn end(&self, text: &[u8]) -> bool {
        self.are_too_many()
            || self.lengths.range(..=text.len()).any(|&length| self.steps.contains_key(&text[text.len() - length..]))
    }

    /// Whether `text` is one of these.
    pub(super) fn are(&self, text: &[u8]) -> bool {
        self.steps.contains_key(text)
    }

    /// What they begin with, ascending.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.steps.keys().map(|text| text[0]).collect::<BTreeSet<u8>>().into_iter().collect()
    }
}

/// What is written, and what is appended.
#[derive(Default)]
pub(super) struct Made<'t> {
    pub written: Makers<'t>,
    pub appended: Makers<'t>,
}

impl<'t> Made<'t> {
    pub(super) fn by(steps: &[Step], texts: &'t [Cow<'_, str>], patience: &Patience<'_>) -> Result<Self, OutOf> {
        let mut made = Self::default();
        for (index, step) in steps.iter().enumerate() {
            patience.step()?;
            match step.action {
                Action::Write(value) | Action::Cas { to: value, .. } => made.written.add(&texts[value as usize], index),
                Action::Append(suffix) => made.appended.add(&texts[suffix as usize], index),
                Action::Read(_) | Action::NotEqual(_) | Action::Contradiction(_) => {}
            }
        }
        Ok(made)
    }
}

/// To take a text apart takes as long as so many other steps.
const PER_TEXT: usize = 8;

/// For each value its place in the order: smaller first, 0 if it has none.
pub(super) fn places(
    Made { written, appended }: &Made<'_>,
    texts: &[Cow<'_, str>],
    steps: &[Step],
    patience: &Patience<'_>,
) -> Result<Vec<u32>, OutOf> {
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
        patience.steps(PER_TEXT)?;
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
    // Of each block, the first end and the last start.
    let mut zones = vec![(NEVER, 0); steps.len()];
    for (&block, step) in block_of_step.iter().zip(steps) {
        let (first_end, last_start) = zones[block];
        zones[block] = (step.end.min(first_end), step.start.max(last_start));
    }
    let place = |first: usize| 1 + zones[block_of_step[first]].0.min(zones[block_of_step[first]].1);
    Ok(block_of.into_iter().map(|first| first.flatten().map_or(0, place)).collect())
}
