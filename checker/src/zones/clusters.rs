//! Each value's steps, the chains that cas make of values, and the blocks that result.

use histories::NEVER;

use super::{Stop, Violation};
use crate::{
    patience::{OutOf, Patience},
    prepare::{Action, INITIAL, Steps, Val},
};

/// In place of a step's index.
pub(crate) const NO_STEP: u32 = u32::MAX;

/// In place of a value's number.
pub(crate) const NO_VALUE: Val = Val::MAX;

/// A rank that is comparable with the virtual write of the initial value, which begins and ends at 0.
pub(crate) fn begin(start: u32) -> u32 {
    start + 1
}

/// As [`begin`], for ends; unknown ones stay [`NEVER`], which no rank reaches.
pub(crate) fn finish(end: u32) -> u32 {
    if end == NEVER { NEVER } else { end + 1 }
}

/// A value with the step that sets it and those that read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    /// What sets it; [`NO_STEP`] of the initial value, and of one that nobody sets.
    pub writer: u32,
    /// What the writer expected, if that is a cas.
    pub from: Val,
    /// What the cas from here sets, if one is included.
    pub next: Val,
    /// The read that ends first, and its end.
    pub first_end: (u32, u32),
    /// The read that begins last, and its begin.
    pub last_begin: (u32, u32),
    /// How many reads there are.
    pub reads: u32,
    /// Whether its writer took place.
    pub included: bool,
}

impl Cluster {
    const EMPTY: Self = Self {
        writer: NO_STEP,
        from: NO_VALUE,
        next: NO_VALUE,
        first_end: (NEVER, NO_STEP),
        last_begin: (0, NO_STEP),
        reads: 0,
        included: false,
    };

    /// Whether somebody read it.
    pub(crate) fn is_read(&self) -> bool {
        self.first_end.1 != NO_STEP
    }
}

/// A chain of values with all its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Its first value.
    pub origin: Val,
    /// `f`: the first end, and whose.
    pub first_end: (u32, u32),
    /// `s`: the last begin, and whose; [`NO_STEP`] of the initial value alone.
    pub last_begin: (u32, u32),
}

/// When a block holds the register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone {
    /// The block's first value.
    pub origin: Val,
    /// `f`: the block's first end.
    pub first_end: u32,
    /// `s`: its last begin.
    pub last_begin: u32,
}

impl Zone {
    /// Whether the block must hold the register from `f` to `s`.
    pub(crate) fn is_forward(&self) -> bool {
        self.first_end < self.last_begin
    }

    pub(crate) fn left(&self) -> u32 {
        self.first_end.min(self.last_begin)
    }

    pub(crate) fn right(&self) -> u32 {
        self.first_end.max(self.last_begin)
    }
}

impl Block {
    pub(crate) fn zone(&self) -> Zone {
        Zone { origin: self.origin, first_end: self.first_end.0, last_begin: self.last_begin.0 }
    }
}

/// All values of a key.
#[derive(Debug)]
pub(crate) struct Clusters {
    all: Vec<Cluster>,
    /// The first cas that says it did not match, and that it found what it expected.
    pub contradiction: Option<u32>,
    /// Whether some cas did not match and did not say what it found.
    pub has_looks: bool,
}

impl std::ops::Index<Val> for Clusters {
    type Output = Cluster;

    fn index(&self, value: Val) -> &Cluster {
        &self.all[value as usize]
    }
}

impl Clusters {
    /// Nothing if a value is set twice, if the initial value is set, or if values can grow.
    pub(crate) fn gather(steps: &impl Steps, patience: &Patience<'_>) -> Result<Option<Self>, OutOf> {
        let mut all = vec![Cluster::EMPTY; steps.values()];
        let (mut contradiction, mut has_looks) = (None, false);
        for index in 0..steps.end() {
            patience.step()?;
            let Some(step) = steps.step(index) else { continue };
            let (value, from) = match step.action {
                Action::Read(value) => {
                    let cluster = &mut all[value as usize];
                    cluster.first_end = cluster.first_end.min((finish(step.end), index));
                    cluster.last_begin = cluster.last_begin.max((begin(step.start), index));
                    cluster.reads += 1;
                    continue;
                }
                Action::NotEqual(_) => {
                    has_looks = true;
                    continue;
                }
                Action::Contradiction(_) => {
                    contradiction = contradiction.or(Some(index));
                    continue;
                }
                Action::Append(_) => return Ok(None),
                Action::Write(value) => (value, NO_VALUE),
                Action::Cas { from, to } => (to, from),
            };
            let cluster = &mut all[value as usize];
            if value == INITIAL || cluster.writer != NO_STEP {
                return Ok(None);
            }
            cluster.writer = index;
            cluster.from = from;
        }
        Ok(Some(Self { all, contradiction, has_looks }))
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> Val {
        Val::try_from(self.all.len()).expect("values are numbered by u32")
    }

    /// Finds out which changes took place, and links the chains.
    pub(super) fn include(&mut self, steps: &impl Steps, patience: &Patience<'_>) -> Result<(), Stop> {
        self.all[INITIAL as usize].included = true;
        let mut open = Vec::new();
        for value in 1..self.len() {
            let cluster = self[value];
            let certain = cluster.writer != NO_STEP && steps.span(cluster.writer).1 != NEVER;
            if !certain && !cluster.is_read() {
                continue;
            }
            open.push((value, cluster.first_end.1));
            while let Some((value, observer)) = open.pop() {
                patience.step()?;
                let cluster = &mut self.all[value as usize];
                if cluster.writer == NO_STEP && value != INITIAL {
                    return Err(Violation::NeverSet { value, observer }.into());
                }
                if std::mem::replace(&mut cluster.included, true) {
                    continue;
                }
                let (from, writer) = (cluster.from, cluster.writer);
                if from == NO_VALUE {
                    continue;
                }
                let other = std::mem::replace(&mut self.all[from as usize].next, value);
                if other != NO_VALUE {
                    return Err(Violation::TwoCas { from, to: [other, value] }.into());
                }
                open.push((from, writer));
            }
        }
        Ok(())
    }

    /// The zone of each block.
    pub(super) fn zones(&self, steps: &impl Steps, patience: &Patience<'_>) -> Result<Vec<Zone>, Stop> {
        let is_origin = |&origin: &Val| self[origin].included && self[origin].from == NO_VALUE;
        let mut zones = Vec::new();
        let mut visited = 0;
        for origin in (0..self.len()).filter(is_origin) {
            zones.push(self.block(origin, steps)?.zone());
            let levels = self.chain(origin).count();
            patience.steps(levels)?;
            visited += levels;
        }
        let included = self.all.iter().filter(|cluster| cluster.included).count();
        if visited == included { Ok(zones) } else { Err(self.ring().into()) }
    }

    /// The block that begins with `origin`.
    pub(super) fn block(&self, origin: Val, steps: &impl Steps) -> Result<Block, Violation> {
        let mut block = Block { origin, first_end: (NEVER, NO_STEP), last_begin: (0, NO_STEP) };
        if origin == INITIAL {
            block.first_end.0 = 0;
        }
        for value in self.chain(origin) {
            let cluster = &self[value];
            if cluster.writer != NO_STEP {
                let (start, end) = steps.span(cluster.writer);
                block.add((finish(end), cluster.writer), (begin(start), cluster.writer))?;
            }
            if cluster.is_read() {
                block.add(cluster.first_end, cluster.last_begin)?;
            }
        }
        Ok(block)
    }

    /// `from` and every value after it in its chain.
    pub(crate) fn chain(&self, from: Val) -> impl Iterator<Item = Val> + '_ {
        std::iter::successors(Some(from), |&value| Some(self[value].next).filter(|&next| next != NO_VALUE))
    }

    /// Values that are set by cas from each other, without a beginning.
    fn ring(&self) -> Violation {
        let mut reached = vec![false; self.all.len()];
        let origins = (0..self.len()).filter(|&value| self[value].included && self[value].from == NO_VALUE);
        for value in origins.flat_map(|origin| self.chain(origin)) {
            reached[value as usize] = true;
        }
        let first = (1..self.len())
            .find(|&value| self[value].included && !reached[value as usize])
            .expect("fewer values were visited than are included");
        // Each value has one writer and at most one cas from it, so what no beginning reaches closes on itself.
        let others = self.chain(first).skip(1).take_while(|&value| value != first);
        Violation::Ring { values: std::iter::once(first).chain(others).collect() }
    }
}

impl Block {
    /// Adds the next level: its first end and its last begin.
    fn add(&mut self, first_end: (u32, u32), last_begin: (u32, u32)) -> Result<(), Violation> {
        if first_end.0 < self.last_begin.0 {
            return Err(Violation::Inversion { later: first_end.1, earlier: self.last_begin.1 });
        }
        self.first_end = self.first_end.min(first_end);
        self.last_begin = self.last_begin.max(last_begin);
        Ok(())
    }
}
