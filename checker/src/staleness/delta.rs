//! Δ: the least time by which every read would have to begin earlier for the history to be linearizable (Δ-atomicity
//! of Golab, Li and Shah 2011).
//!
//! A block (a value, or a chain of values that cas link) has its first end `f`, the last begin `w` of its changes,
//! and the last begin `r` of its reads; if reads begin D earlier, its last begin is `max(w, r - D)`. By the zone
//! argument (`zones/mod.rs`), D is enough if and only if no chain contradicts its own order, and of each two blocks
//! one has its last begin before the other's first end. So a pair costs the smaller of `r_A - f_B`, possible if
//! `w_A ≤ f_B`, and `r_B - f_A`, possible if `w_B ≤ f_A`; if neither is possible, no D is enough.
//!
//! - *B is certainly newer* (`w_B > f_A`): at most the first is possible. The most expensive B for A has the least
//!   `f_B`: a minimum over the blocks that begin their last change late enough.
//! - *Neither is newer* (`w_A ≤ f_B` and `w_B ≤ f_A`): a flip-flop, if both reads are late (`r_A > f_B` and
//!   `r_B > f_A`). If `r ≤ f` held in both, then `r_A ≤ f_A < r_B ≤ f_B < r_A`; so one has `f < r`, and this interval
//!   overlaps or contains the other's. One sweep over the left ends finds these pairs: few intervals with `f < r` are
//!   open at once, because those of a linearizable key do not overlap.

use crate::{
    budget::{Budget, Shortage},
    index::OptionalIndex,
    prepare::{Step, Val},
    zones::{AT_START, Clusters, NO_END, StepRank, sort_nearly_sorted},
};

use super::bounds::first_not;

/// Extent of a block in ranks, with the steps that determine it.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// `f`: the first end.
    first_end: StepRank,
    /// `w`: the last begin of a change.
    changed: u32,
    /// `r`: the last begin of a read; 0 if it was not read.
    read: StepRank,
}

/// Cost of making a key linearizable.
pub(super) struct Costs<'a> {
    /// Time in ns from the end of the first step to the later start of the second.
    between_ns: &'a dyn Fn(u32, u32) -> u64,
    /// Δ in ns, or `None` if no D is enough.
    pub delta_ns: Option<u64>,
    /// Cost of each flip-flop in ns.
    pub flip_flops_ns: Vec<u64>,
}

/// Computes the cost of making this key linearizable, given the time between the end of one step and the start of
/// another.
pub(super) fn costs<'a>(
    clusters: &Clusters,
    steps: &[Step],
    between_ns: &'a dyn Fn(u32, u32) -> u64,
    budget: &Budget<'_>,
) -> Result<Costs<'a>, Shortage> {
    let mut costs = Costs { between_ns, delta_ns: Some(0), flip_flops_ns: Vec::new() };
    let mut reached = 0;
    let mut extents = Vec::new();
    for &origin in &*clusters.suspects() {
        let chain = clusters.chain(origin).inspect(|_| reached += 1);
        extents.push(costs.extent(clusters, steps, chain));
    }
    let is_included = |&value: &Val| clusters[value].included;
    if clusters.suspects.is_none() && reached < (0..clusters.len()).filter(is_included).count() {
        // Values that no chain with a beginning reaches form a ring of cas.
        costs.delta_ns = None;
    }
    costs.forced(&extents);
    costs.flip_flops(extents, budget)?;
    Ok(costs)
}

impl Costs<'_> {
    /// Returns the cost of letting this read begin no later than that end.
    fn cost_ns(&self, end: StepRank, read: StepRank) -> u64 {
        let step = |(_, step): StepRank| step.get().expect("only the virtual write of the initial value is no step");
        (self.between_ns)(step(end), step(read))
    }

    /// Records a cost.
    fn pay(&mut self, cost_ns: u64) {
        self.delta_ns = self.delta_ns.map(|most| most.max(cost_ns));
    }

    /// Returns the extent of a chain, and records the cost of making it respect its own order: no later level may end
    /// before an earlier one begins.
    fn extent(&mut self, clusters: &Clusters, steps: &[Step], chain: impl Iterator<Item = u32>) -> Extent {
        let mut extent = Extent { first_end: NO_END, changed: 0, read: AT_START };
        for value in chain {
            let cluster = &clusters[value];
            let writer = cluster.writer.get().map(|writer| &steps[writer as usize]);
            let written = match writer {
                None => AT_START,
                Some(step) if step.is_certain() => (step.end + 1, cluster.writer),
                Some(_) => NO_END,
            };
            self.follow(&mut extent, written);
            extent.changed = extent.changed.max(writer.map_or(0, |step| step.start + 1));
            self.follow(&mut extent, cluster.first_end);
            extent.read = extent.read.max(cluster.last_begin);
        }
        extent
    }

    /// Records that a step with this end comes after everything in the extent so far.
    fn follow(&mut self, extent: &mut Extent, end: StepRank) {
        if end.0 < extent.changed {
            self.delta_ns = None;
        } else if end.0 < extent.read.0 {
            self.pay(self.cost_ns(end, extent.read));
        }
        extent.first_end = extent.first_end.min(end);
    }

    /// Records the cost of pairs in which one block is certainly newer.
    fn forced(&mut self, extents: &[Extent]) {
        let numbered = || (0_u32..).map(OptionalIndex::from).zip(extents);
        // Blocks by their last change, each with the two first ends among this block and all that change later: one
        // of the two belongs to a block other than the one in question.
        let mut first: Vec<(u32, [(StepRank, OptionalIndex); 2])> = numbered()
            .map(|(at, extent)| (extent.changed, [(extent.first_end, at), (NO_END, OptionalIndex::NONE)]))
            .collect();
        sort_nearly_sorted(&mut first, |&(changed, _)| changed);
        for place in (1..first.len()).rev() {
            let (later, own) = (first[place].1, first[place - 1].1[0]);
            first[place - 1].1 = if own < later[0] { [own, later[0]] } else { [later[0], own.min(later[1])] };
        }
        let mut near = 0;
        for (at, old) in numbered() {
            near = first_not(&first, near, |&(changed, _)| changed <= old.first_end.0);
            let two = first.get(near).into_iter().flat_map(|(_, two)| two);
            let Some(&(end, _)) = two.into_iter().find(|&&(_, other)| other != at) else { continue };
            if end.0 < old.changed {
                self.delta_ns = None;
            } else if end.0 < old.read.0 {
                self.pay(self.cost_ns(end, old.read));
            }
        }
    }

    /// Records the cost of pairs in which neither block is certainly newer.
    fn flip_flops(&mut self, mut extents: Vec<Extent>, budget: &Budget<'_>) -> Result<(), Shortage> {
        let left = |extent: &Extent| extent.read.0.min(extent.first_end.0);
        extents.retain(|extent| extent.read.1.get().is_some());
        sort_nearly_sorted(&mut extents, left);
        let mut open: Vec<Extent> = Vec::new();
        for a in extents {
            budget.steps(1 + open.len())?;
            open.retain(|b| b.read.0 > left(&a));
            for b in &open {
                let neither = a.changed <= b.first_end.0 && b.changed <= a.first_end.0;
                if neither && a.read.0 > b.first_end.0 && b.read.0 > a.first_end.0 {
                    let cost_ns = self.cost_ns(b.first_end, a.read).min(self.cost_ns(a.first_end, b.read));
                    self.pay(cost_ns);
                    self.flip_flops_ns.push(cost_ns);
                }
            }
            if a.first_end.0 < a.read.0 {
                open.push(a);
            }
        }
        Ok(())
    }
}
