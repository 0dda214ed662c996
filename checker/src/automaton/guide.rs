//! In which order texts that are made only once should come, if there is an order at all: to find it sooner, and for nothing else.
//!
//! A text begins with what was written, or with what was appended to nothing. Where only one step can have done that, all that grew
//! out of it is one block, and so is what a cas made of it: other texts cannot come between. Blocks can follow each other as their
//! zones begin (as in [`crate::zones`]), wherever nothing but these blocks matters.

use std::{borrow::Cow, collections::BTreeSet};

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
    steps: FxHashMap<&'t [u8], Option<u32>>,
    lengths: BTreeSet<usize>,
}

impl<'t> Makers<'t> {
    fn add(&mut self, text: &'t str, step: u32) {
        if !text.is_empty() {
            self.lengths.insert(text.len());
            self.steps.entry(text.as_bytes()).and_modify(|step| *step = None).or_insert(Some(step));
        }
    }

    /// The longest of these that `text` begins with, if only one step makes it; and its length.
    fn of_beginning(&self, text: &[u8]) -> Option<(u32, usize)> {
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
        for (index, step) in (0..).zip(steps) {
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

/// Steps that must stand together.
#[derive(Clone, Copy)]
struct Block {
    parent: u32,
    first_end: u32,
    last_start: u32,
}

struct Blocks(Vec<Block>);

impl Blocks {
    fn root(&mut self, mut step: u32) -> u32 {
        while self.0[step as usize].parent != step {
            let above = self.0[step as usize].parent;
            self.0[step as usize].parent = self.0[above as usize].parent;
            step = above;
        }
        step
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        let Block { first_end, last_start, .. } = self.0[b as usize];
        let block = &mut self.0[a as usize];
        block.first_end = block.first_end.min(first_end);
        block.last_start = block.last_start.max(last_start);
        self.0[b as usize].parent = a;
    }
}

/// For each value its place in the order: smaller first, 0 if it has none.
pub(super) fn places(
    Made { written, appended }: &Made<'_>,
    texts: &[Cow<'_, str>],
    steps: &[Step],
    patience: &Patience<'_>,
) -> Result<Vec<u32>, OutOf> {
    let own = |(index, step): (u32, &Step)| Block { parent: index, first_end: step.end, last_start: step.start };
    let mut blocks = Blocks((0..).zip(steps).map(own).collect());
    let mut block_of: Vec<Option<Option<u32>>> = vec![None; texts.len()];
    let mut block = |blocks: &mut Blocks, value: Val| {
        *block_of[value as usize].get_or_insert_with(|| {
            let text = texts[value as usize].as_bytes();
            let (first, mut length) = written.of_beginning(text).or_else(|| appended.of_beginning(text))?;
            while let Some((step, more)) = appended.of_beginning(&text[length..]) {
                blocks.join(first, step);
                length += more;
            }
            Some(first)
        })
    };
    for (index, step) in (0..).zip(steps) {
        patience.steps(PER_TEXT)?;
        match step.action {
            Action::Read(value) => {
                if let Some(block) = block(&mut blocks, value) {
                    blocks.join(block, index);
                }
            }
            Action::Cas { from, to } => {
                if let (Some(from), Some(to)) = (block(&mut blocks, from), block(&mut blocks, to)) {
                    blocks.join(from, to);
                }
            }
            Action::Write(value) => {
                block(&mut blocks, value);
            }
            Action::Append(_) | Action::NotEqual(_) | Action::Contradiction(_) => {}
        }
    }
    let mut places = vec![0; texts.len()];
    for (place, block) in places.iter_mut().zip(block_of) {
        if let Some(first) = block.flatten() {
            let root = blocks.root(first);
            let Block { first_end, last_start, .. } = blocks.0[root as usize];
            *place = 1 + first_end.min(last_start);
        }
    }
    Ok(places)
}
