//! Steps of each value, the chains of values that cas link, and the resulting blocks.

use std::borrow::Cow;

use histories::NEVER;

use super::violation::ZoneViolation;
use crate::{
    budget::{Budget, Shortage},
    index::OptionalIndex,
    prepare::{Action, INITIAL, Steps, Val},
};

/// Rank of an event, and the step whose event it is: none for the virtual write of the initial value.
pub(crate) type StepRank = (u32, OptionalIndex);

/// Begin or end of the virtual write of the initial value.
pub(crate) const AT_START: StepRank = (0, OptionalIndex::NONE);

/// End that never comes.
pub(crate) const NO_END: StepRank = (NEVER, OptionalIndex::NONE);

/// Shifts the rank of a start by one, so that the virtual write of the initial value can begin and end at 0.
pub(crate) fn begin(start: u32) -> u32 {
    start + 1
}

/// Shifts the rank of an end like [`begin`]. An unknown end stays [`NEVER`], which no rank reaches.
pub(crate) fn finish(end: u32) -> u32 {
    if end == NEVER { NEVER } else { end + 1 }
}

/// Value with the step that sets it and the steps that read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    /// Step that sets it; none for the initial value, and for a value that is never set.
    pub writer: OptionalIndex,
    /// Shifted start of the writer.
    pub begun: u32,
    /// Shifted end of the writer.
    pub ended: u32,
    /// Value that the writer expected, if the writer is a cas.
    pub from: OptionalIndex,
    /// Value that the included cas from this value sets, if there is one.
    pub next: OptionalIndex,
    /// End of the read that ends first, and that read.
    pub first_end: StepRank,
    /// Start of the read that begins last, and that read.
    pub last_begin: StepRank,
    /// True if its writer took place.
    pub included: bool,
}

impl Cluster {
    const EMPTY: Self = Self {
        writer: OptionalIndex::NONE,
        begun: 0,
        ended: NEVER,
        from: OptionalIndex::NONE,
        next: OptionalIndex::NONE,
        first_end: NO_END,
        last_begin: AT_START,
        included: false,
    };

    /// Returns true if some step read it.
    pub(crate) fn is_read(&self) -> bool {
        self.first_end.1.get().is_some()
    }
}

/// Chain of values with all its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// First value of the chain.
    pub origin: Val,
    /// `f`: the first end, and the step that has it.
    pub first_end: StepRank,
    /// `s`: the last start, and the step that has it; none for the initial value alone.
    pub last_begin: StepRank,
}

/// Interval that a block occupies or lies in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone {
    /// First value of the block.
    pub origin: Val,
    /// `f`: the first end of the block.
    pub first_end: u32,
    /// `s`: the last start of the block.
    pub last_begin: u32,
}

impl Zone {
    /// Returns true if the block must hold the register from `f` to `s`.
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

/// Blocks of a key.
pub(super) struct Blocks {
    pub zones: Vec<Zone>,
    /// First values of the blocks whose levels contradict real time.
    pub inverted: Vec<Val>,
    /// True if some values belong to no block.
    pub has_rings: bool,
    pub violation: Option<ZoneViolation>,
}

/// Values of a key.
#[derive(Debug)]
pub(crate) struct Clusters {
    all: Vec<Cluster>,
    /// Previous step that read the same value, for each step that reads.
    earlier: Vec<OptionalIndex>,
    /// First cas that did not match, yet reported the value it expected.
    pub contradiction: Option<u32>,
    /// True if some cas did not match and did not report what it found.
    pub has_looks: bool,
    /// First values of the blocks that can take part in a contradiction; `None` if that is not known.
    pub suspects: Option<Vec<Val>>,
}

impl std::ops::Index<Val> for Clusters {
    type Output = Cluster;

    fn index(&self, value: Val) -> &Cluster {
        &self.all[value as usize]
    }
}

impl Clusters {
    /// Collects the clusters. Returns `None` if a value is set twice, if the initial value is set, or if there are
    /// appends.
    pub(crate) fn gather(steps: &impl Steps, budget: &Budget<'_>) -> Result<Option<Self>, Shortage> {
        let mut all = vec![Cluster::EMPTY; steps.values()];
        let mut earlier = vec![OptionalIndex::NONE; steps.end() as usize];
        let (mut contradiction, mut has_looks) = (None, false);
        for index in 0..steps.end() {
            budget.step()?;
            let Some(step) = steps.step(index) else { continue };
            let (value, from) = match step.action {
                Action::Read(value) => {
                    let cluster = &mut all[value as usize];
                    cluster.first_end = cluster.first_end.min((finish(step.end), index.into()));
                    earlier[index as usize] = cluster.last_begin.1;
                    cluster.last_begin = (begin(step.start), index.into());
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
                Action::Write(value) => (value, OptionalIndex::NONE),
                Action::Cas { from, to } => (to, from.into()),
            };
            let cluster = &mut all[value as usize];
            if value == INITIAL || cluster.writer.get().is_some() {
                return Ok(None);
            }
            cluster.writer = index.into();
            (cluster.begun, cluster.ended) = (begin(step.start), finish(step.end));
            cluster.from = from;
        }
        Ok(Some(Self { all, earlier, contradiction, has_looks, suspects: None }))
    }

    /// Returns the number of values.
    pub(crate) fn len(&self) -> Val {
        Val::try_from(self.all.len()).expect("values are numbered by u32")
    }

    /// Determines which changes took place, and links the chains. Returns the first violation found on the way.
    pub(super) fn include(&mut self, budget: &Budget<'_>) -> Result<Option<ZoneViolation>, Shortage> {
        self.all[INITIAL as usize].included = true;
        let (mut open, mut found) = (Vec::new(), None);
        for value in 1..self.len() {
            let cluster = self[value];
            if cluster.ended == NEVER && !cluster.is_read() {
                continue;
            }
            open.push((value, cluster.first_end.1));
            while let Some((value, observer)) = open.pop() {
                budget.step()?;
                let cluster = &mut self.all[value as usize];
                if cluster.writer.get().is_none() && value != INITIAL {
                    let observer = observer.get().expect("a value that is not set was observed");
                    found.get_or_insert(ZoneViolation::NeverSet { value, observer });
                    continue;
                }
                if std::mem::replace(&mut cluster.included, true) {
                    continue;
                }
                let Some(from) = cluster.from.get() else { continue };
                open.push((from, cluster.writer));
                let next = &mut self.all[from as usize].next;
                if let Some(other) = next.get() {
                    found.get_or_insert(ZoneViolation::TwoCas { from, to: [other, value] });
                } else {
                    *next = value.into();
                }
            }
        }
        Ok(found)
    }

    /// Returns the first values of the blocks that can take part in a contradiction: of all blocks if that is not
    /// known.
    pub(crate) fn suspects(&self) -> Cow<'_, [Val]> {
        let all = || (0..).zip(&self.all).filter(|(_, cluster)| cluster.included && cluster.from.get().is_none());
        let origins = || all().map(|(origin, _)| origin).collect();
        self.suspects.as_ref().map_or_else(|| Cow::Owned(origins()), |some| Cow::Borrowed(&some[..]))
    }

    /// Returns the zone of each block, the blocks whose levels contradict real time, and the first violation: one of
    /// those, or a ring of values that belongs to no block.
    pub(super) fn zones(&self, budget: &Budget<'_>) -> Result<Blocks, Shortage> {
        let (mut zones, mut inverted, mut found) = (Vec::with_capacity(self.all.len()), Vec::new(), None);
        let (mut included, mut visited) = (0, 0);
        for (origin, cluster) in (0..).zip(&self.all).filter(|(_, cluster)| cluster.included) {
            included += 1;
            if cluster.from.get().is_some() {
                continue;
            }
            let (block, inversion) = self.block(origin);
            zones.push(block.zone());
            inverted.extend(inversion.is_some().then_some(origin));
            found = found.or(inversion);
            let levels = if cluster.next.get().is_none() { 1 } else { self.chain(origin).count() };
            budget.steps(levels)?;
            visited += levels;
        }
        let has_rings = visited < included;
        let violation = found.or_else(|| has_rings.then(|| self.ring()));
        Ok(Blocks { zones, inverted, has_rings, violation })
    }

    /// Returns the steps that read `value`, the last of them first.
    pub(crate) fn readers(&self, value: Val) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self[value].last_begin.1.get(), move |&read| self.earlier[read as usize].get())
    }

    /// Returns the block that begins with `origin`, and the violation if its levels contradict real time.
    pub(super) fn block(&self, origin: Val) -> (Block, Option<ZoneViolation>) {
        let mut block = Block { origin, first_end: NO_END, last_begin: AT_START };
        let mut found = None;
        if origin == INITIAL {
            block.first_end = AT_START;
        }
        for value in self.chain(origin) {
            let cluster = &self[value];
            if cluster.writer.get().is_some() {
                found = found.or(block.add((cluster.ended, cluster.writer), (cluster.begun, cluster.writer)));
            }
            if cluster.is_read() {
                found = found.or(block.add(cluster.first_end, cluster.last_begin));
            }
        }
        (block, found)
    }

    /// Returns `from` and every value after it in its chain.
    pub(crate) fn chain(&self, from: Val) -> impl Iterator<Item = Val> + '_ {
        std::iter::successors(Some(from), |&value| self[value].next.get())
    }

    /// Returns the values after `from` up to `to` in their chain, or none if `to` does not come after `from`.
    pub(crate) fn between(&self, from: Val, to: Val) -> Vec<Val> {
        let mut found = false;
        let values: Vec<Val> =
            (self.chain(from).skip(1)).take_while(|&value| !std::mem::replace(&mut found, value == to)).collect();
        if values.last() == Some(&to) { values } else { Vec::new() }
    }

    /// Returns a ring: values that are each set by a cas from another of them, so that none can be first.
    pub(crate) fn ring(&self) -> ZoneViolation {
        let mut reached = vec![false; self.all.len()];
        let origins = (0..self.len()).filter(|&value| self[value].included && self[value].from.get().is_none());
        for value in origins.flat_map(|origin| self.chain(origin)) {
            reached[value as usize] = true;
        }
        let first = (1..self.len())
            .find(|&value| self[value].included && !reached[value as usize])
            .expect("fewer values were visited than are included");
        // Each value has one writer and at most one included cas from it, so values that no origin reaches form a
        // ring.
        let others = self.chain(first).skip(1).take_while(|&value| value != first);
        ZoneViolation::Ring { values: std::iter::once(first).chain(others).collect() }
    }
}

impl Block {
    /// Adds the next level, given its first end and its last start. Returns a violation if it ended before the
    /// block's last start.
    fn add(&mut self, first_end: StepRank, last_begin: StepRank) -> Option<ZoneViolation> {
        let steps = first_end.1.get().zip(self.last_begin.1.get());
        let found = steps.filter(|_| first_end.0 < self.last_begin.0);
        let found = found.map(|(later, earlier)| ZoneViolation::Inversion { later, earlier });
        self.first_end = self.first_end.min(first_end);
        self.last_begin = self.last_begin.max(last_begin);
        found
    }
}
