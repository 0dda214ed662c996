//! Δ: by how much every read would have to begin earlier for the history to be linearizable (Δ-atomicity of Golab, Li and Shah 2011).
//!
//! A block (a value, or a chain of values that cas link) has its first end `f`, the last begin `w` of what changes it, and the last
//! begin `r` of its reads; where reads begin D earlier, its last begin is `max(w, r - D)`. By the zone argument (`zones/mod.rs`) D is
//! enough if and only if no chain is out of its own order, and of each two blocks one begins for the last time before the other's first end. So a
//! pair costs the smaller of `r_A - f_B`, open if `w_A ≤ f_B`, and `r_B - f_A`, open if `w_B ≤ f_A`; if neither is open, no D is enough.
//!
//! - *B is certainly newer* (`w_B > f_A`): at most the first is open. The dearest B for A has the least `f_B`: a minimum over the
//!   blocks that begin their last change late enough.
//! - *Neither is* (`w_A ≤ f_B` and `w_B ≤ f_A`): a flip-flop, if both reads are late (`r_A > f_B` and `r_B > f_A`). Were `r ≤ f` in both,
//!   then `r_A ≤ f_A < r_B ≤ f_B < r_A`; so of one `f < r`, and this interval meets the other's, or contains it. One sweep over the left
//!   ends finds these pairs: hardly any intervals with `f < r` are open at once, for those of a linearizable key do not meet.

use crate::{
    patience::{OutOf, Patience},
    prepare::{Step, Val},
    zones::{Clusters, NO_STEP, sort_nearly_sorted},
};

use super::bounds::{End, first_not};

/// All that counts of a block, in ranks, with the steps whose they are.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// `f`.
    first_end: End,
    /// `w`.
    changed: u32,
    /// `r`; 0 if nobody read it.
    read: End,
}

/// What it costs to make a key linearizable.
pub(super) struct Costs<'a> {
    /// The time from an end to a later begin, ns, of two steps.
    between_ns: &'a dyn Fn(u32, u32) -> u64,
    /// Δ; nothing where no D is enough.
    pub delta_ns: Option<u64>,
    /// Of each flip-flop.
    pub flip_flops_ns: Vec<u64>,
}

/// What it costs to make this key linearizable, by the time between the end of one step and the begin of another.
pub(super) fn costs<'a>(
    clusters: &Clusters,
    steps: &[Step],
    between_ns: &'a dyn Fn(u32, u32) -> u64,
    patience: &Patience<'_>,
) -> Result<Costs<'a>, OutOf> {
    let mut costs = Costs { between_ns, delta_ns: Some(0), flip_flops_ns: Vec::new() };
    let mut reached = 0;
    let mut extents = Vec::new();
    for &origin in &*clusters.suspects() {
        let chain = clusters.chain(origin).inspect(|_| reached += 1);
        extents.push(costs.extent(clusters, steps, chain));
    }
    let is_included = |&value: &Val| clusters[value].included;
    if clusters.suspects.is_none() && reached < (0..clusters.len()).filter(is_included).count() {
        // What no beginning reaches is a ring of cas.
        costs.delta_ns = None;
    }
    costs.forced(&extents);
    costs.flip_flops(extents, patience)?;
    Ok(costs)
}

impl Costs<'_> {
    /// This read must begin no later than that end.
    fn pay(&mut self, end: u32, read: u32) -> u64 {
        let cost_ns = (self.between_ns)(end, read);
        self.delta_ns = self.delta_ns.map(|most| most.max(cost_ns));
        cost_ns
    }

    /// The extent of a chain, and what it costs to bring it into its own order: no later level may end before an earlier one begins.
    fn extent(&mut self, clusters: &Clusters, steps: &[Step], chain: impl Iterator<Item = u32>) -> Extent {
        let mut extent = Extent { first_end: (u32::MAX, NO_STEP), changed: 0, read: (0, NO_STEP) };
        for value in chain {
            let cluster = &clusters[value];
            let writer = (cluster.writer != NO_STEP).then(|| &steps[cluster.writer as usize]);
            let written = match writer {
                None => (0, NO_STEP),
                Some(step) if step.is_certain() => (step.end + 1, cluster.writer),
                Some(_) => (u32::MAX, NO_STEP),
            };
            self.follow(&mut extent, written);
            extent.changed = extent.changed.max(writer.map_or(0, |step| step.start + 1));
            self.follow(&mut extent, cluster.first_end);
            extent.read = extent.read.max(cluster.last_begin);
        }
        extent
    }

    /// What ends here comes after all that is in the extent so far.
    fn follow(&mut self, extent: &mut Extent, end: End) {
        if end.0 < extent.changed {
            self.delta_ns = None;
        } else if end.0 < extent.read.0 {
            self.pay(end.1, extent.read.1);
        }
        extent.first_end = extent.first_end.min(end);
    }

    /// Pairs of which one is certainly newer.
    fn forced(&mut self, extents: &[Extent]) {
        let numbered = (0_u32..).zip(extents);
        // By their last change, each with the two that end first, of this one and all that change later: one of them is another than the
        // one that asks.
        let mut first: Vec<(u32, [(End, u32); 2])> = numbered
            .map(|(at, extent)| (extent.changed, [(extent.first_end, at), ((u32::MAX, NO_STEP), u32::MAX)]))
            .collect();
        sort_nearly_sorted(&mut first, |&(changed, _)| changed);
        for place in (1..first.len()).rev() {
            let (later, own) = (first[place].1, first[place - 1].1[0]);
            first[place - 1].1 = if own < later[0] { [own, later[0]] } else { [later[0], own.min(later[1])] };
        }
        let mut near = 0;
        for (at, old) in (0..).zip(extents) {
            near = first_not(&first, near, |&(changed, _)| changed <= old.first_end.0);
            let two = first.get(near).into_iter().flat_map(|(_, two)| two);
            let Some(&(end, _)) = two.into_iter().find(|&&(_, other)| other != at) else { continue };
            if end.0 < old.changed {
                self.delta_ns = None;
            } else if end.0 < old.read.0 {
                self.pay(end.1, old.read.1);
            }
        }
    }

    /// Pairs of which neither is certainly newer.
    fn flip_flops(&mut self, mut extents: Vec<Extent>, patience: &Patience<'_>) -> Result<(), OutOf> {
        let left = |extent: &Extent| extent.read.0.min(extent.first_end.0);
        extents.retain(|extent| extent.read.1 != NO_STEP);
        sort_nearly_sorted(&mut extents, left);
        let mut open: Vec<Extent> = Vec::new();
        for a in extents {
            patience.steps(1 + open.len())?;
            open.retain(|b| b.read.0 > left(&a));
            for b in &open {
                let neither = a.changed <= b.first_end.0 && b.changed <= a.first_end.0;
                if neither && a.read.0 > b.first_end.0 && b.read.0 > a.first_end.0 {
                    let costs = [(b.first_end.1, a.read.1), (a.first_end.1, b.read.1)];
                    let [one, other] = costs.map(|(end, read)| (self.between_ns)(end, read));
                    let cost_ns = one.min(other);
                    self.delta_ns = self.delta_ns.map(|most| most.max(cost_ns));
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
