//! Certain bounds on the age of values (after Golab, Li and Shah, "Analyzing consistency properties for fun and
//! profit", PODC 2011; restricted to what is certain).
//!
//! A value is in effect at the latest when an operation that observed it, or that replaced it by cas, is done. A
//! value whose write began after `v` was in effect is newer than `v`, and so is one that cas made of `v`. A look that
//! begins after a newer value was in effect, and finds `v`, is stale, by at least the time between.
//!
//! The values that are newer than `v` are those that cas made of it, and those that began after `v` was in effect.
//! The first effect among the latter is a minimum over all that began late enough; counting them means counting the
//! points in a quadrant (begin, effect), offline for all queries. (A stale look contradicts the order of the zones,
//! so only the suspects of `zones/mod.rs` are considered.) Both sets share some values, all of `v`'s own chain: these
//! are counted once more, separately, and subtracted.

use histories::NEVER;

use crate::{
    index::OptionalIndex,
    prepare::{INITIAL, Steps, Val},
    zones::{AT_START, Clusters, NO_END, StepRank, sort_nearly_sorted},
};

/// Lifetime of a value.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    /// Start of the step that set it.
    begin: u32,
    /// Latest end by which it was in effect.
    effect: StepRank,
}

/// Memory for each value, in bytes, including that for counting versions.
pub(crate) const BYTES: usize = 112;

impl Lifetime {
    /// Returns the end by which it was in effect, or `None` if it was observed before its setter began: that is a
    /// violation of its own, which proves nothing more.
    fn sound(self) -> Option<StepRank> {
        Some(self.effect).filter(|end| end.0 != NEVER && self.begin <= end.0)
    }
}

/// Bounds on the values of one key.
pub(crate) struct Bounds<'a> {
    clusters: &'a Clusters,
    steps: &'a dyn Steps,
    /// Lifetimes of the values of all suspects, by value in ascending order.
    lives: Vec<(Val, Lifetime)>,
    /// Position of each value in `lives`, counted from 1, or 0.
    places: Vec<u32>,
    /// Values by their begin, each with the first effect among it and all that began later.
    newer: Vec<(u32, (StepRank, Val))>,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(clusters: &'a Clusters, steps: &'a dyn Steps) -> Self {
        let lives = lives(clusters);
        let mut places = vec![0; clusters.len() as usize];
        (1..).zip(&lives).for_each(|(place, &(value, _))| places[value as usize] = place);
        let mut bounds = Self { clusters, steps, lives, places, newer: Vec::new() };
        bounds.newer = bounds.sound().map(|(value, begin, effect)| (begin, (effect, value))).collect();
        sort_nearly_sorted(&mut bounds.newer, |&(begin, _)| begin);
        for at in (1..bounds.newer.len()).rev() {
            bounds.newer[at - 1].1 = bounds.newer[at - 1].1.min(bounds.newer[at].1);
        }
        bounds
    }

    fn life(&self, value: Val) -> Option<Lifetime> {
        let place = self.places[value as usize].checked_sub(1)?;
        Some(self.lives[place as usize].1)
    }

    /// Returns the latest end by which `value` was in effect.
    fn effect(&self, value: Val) -> Option<StepRank> {
        self.life(value).map(|life| life.effect).filter(|end| end.0 != NEVER)
    }

    /// Returns the end like [`Self::effect`], but `None` for a value that was observed before its setter began.
    pub(crate) fn sound_effect(&self, value: Val) -> Option<StepRank> {
        self.life(value)?.sound()
    }

    /// Returns the values that were set, with their begins and effects.
    fn sound(&self) -> impl Iterator<Item = (Val, u32, StepRank)> + '_ {
        let set = self.lives.iter().filter(|&&(value, _)| value != INITIAL);
        set.filter_map(|&(value, life)| Some((value, life.begin, life.sound()?)))
    }

    /// Returns the values with an observer that perhaps began too late, each with the first proof that a newer value
    /// is in effect, and that value.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = (Val, (StepRank, Val))> + '_ {
        let mut near = 0;
        self.lives.iter().filter_map(move |&(old, life)| {
            let in_effect = life.sound()?;
            let cluster = &self.clusters[old];
            if cluster.last_begin.0 <= in_effect.0 && cluster.next.get().is_none() {
                return None;
            }
            near = first_not(&self.newer, near, |&(begin, _)| begin <= in_effect.0);
            let written = self.newer.get(near).map(|&(_, first)| first);
            let changed = cluster.next.get().and_then(|next| self.effect(next).map(|end| (end, next)));
            Some((old, written.into_iter().chain(changed).min()?))
        })
    }

    /// Returns for each of these readers at old values the number of values that were certainly newer and in effect
    /// when it began.
    pub(crate) fn versions_behind(&self, stale: &[(u32, Val)]) -> Vec<usize> {
        let quadrant = |&(reader, old): &(u32, Val)| {
            let in_effect = self.effect(old).map_or(0, |end| end.0);
            (in_effect, self.steps.span(reader).0 + 1)
        };
        let all: Vec<(u32, u32)> = self.sound().map(|(_, begin, effect)| (begin, effect.0)).collect();
        let mut counts = count(all, &stale.iter().map(quadrant).collect::<Vec<_>>());
        let (chains, places) = self.chains();
        let mut by_chain: Vec<(u32, usize)> =
            (0..stale.len()).filter_map(|at| Some((places[stale[at].1 as usize].0.get()?, at))).collect();
        by_chain.sort_unstable();
        for of_one in by_chain.chunk_by(|a, b| a.0 == b.0) {
            let chain = &chains[of_one[0].0 as usize];
            let effects: Vec<u32> = chain.iter().map(|&v| self.effect(v).map_or(NEVER, |end| end.0)).collect();
            let queries: Vec<(u32, u32)> = of_one.iter().map(|&(_, at)| quadrant(&stale[at])).collect();
            let sound =
                chain.iter().filter_map(|&v| self.life(v)).filter_map(|life| Some((life.begin, life.sound()?.0)));
            let twice = count(sound.collect(), &queries);
            for ((&(_, at), (_, begin)), twice) in of_one.iter().zip(queries).zip(twice) {
                // Effects do not decrease along a chain.
                let in_effect = effects.partition_point(|&effect| effect < begin);
                let place = places[stale[at].1 as usize].1 as usize;
                counts[at] = counts[at] + in_effect.saturating_sub(place + 1) - twice;
            }
        }
        counts
    }

    /// Returns the chains of several values, and the chain of each value with its position in the chain.
    fn chains(&self) -> (Vec<Vec<Val>>, Vec<(OptionalIndex, u32)>) {
        let mut chains = Vec::new();
        let mut places = vec![(OptionalIndex::NONE, 0); self.clusters.len() as usize];
        let suspects = self.clusters.suspects();
        for &origin in suspects.iter().filter(|&&value| self.clusters[value].next.get().is_some()) {
            let chain: Vec<Val> = self.clusters.chain(origin).collect();
            let number = u32::try_from(chains.len()).expect("values are counted by u32");
            for (place, &value) in (0..).zip(&chain) {
                places[value as usize] = (number.into(), place);
            }
            chains.push(chain);
        }
        (chains, places)
    }
}

fn lives(clusters: &Clusters) -> Vec<(Val, Lifetime)> {
    let mut lives = Vec::new();
    let mut chain = Vec::new();
    for &origin in &*clusters.suspects() {
        chain.extend(clusters.chain(origin));
        let mut first = NO_END;
        for value in chain.drain(..).rev() {
            let cluster = &clusters[value];
            first = first.min(cluster.first_end);
            if cluster.writer.get().is_none() {
                first = AT_START;
            } else if cluster.ended != NEVER {
                first = first.min((cluster.ended, cluster.writer));
            }
            lives.push((value, Lifetime { begin: cluster.begun, effect: first }));
        }
    }
    sort_nearly_sorted(&mut lives, |&(value, _)| value);
    lives
}

/// Returns the position of the first item of which `is_before` does not hold, if it holds of all before and of none
/// after. The search starts at `near`, which is usually close.
pub(super) fn first_not<T>(all: &[T], near: usize, is_before: impl Fn(&T) -> bool) -> usize {
    let (mut first, mut last, mut reach) = (near, near, 1);
    while first > 0 && !is_before(&all[first - 1]) {
        (first, last) = (first.saturating_sub(reach), first - 1);
        reach *= 2;
    }
    while last < all.len() && is_before(&all[last]) {
        (first, last) = (last + 1, (last + reach).min(all.len()));
        reach *= 2;
    }
    first + all[first..last].partition_point(is_before)
}

/// Number of queries up to which scanning all points is faster.
const MAX_SCANS: usize = 8;

/// Returns for each query `(x, y)` the number of points with a first coordinate above `x` and a second one below `y`,
/// using a Fenwick tree over the second coordinates.
fn count(mut points: Vec<(u32, u32)>, queries: &[(u32, u32)]) -> Vec<usize> {
    if queries.len() <= MAX_SCANS {
        let count = |&(x, y): &(u32, u32)| points.iter().filter(|point| point.0 > x && point.1 < y).count();
        return queries.iter().map(count).collect();
    }
    points.sort_unstable();
    let mut heights: Vec<u32> = points.iter().map(|&(_, height)| height).collect();
    heights.sort_unstable();
    let mut order: Vec<usize> = (0..queries.len()).collect();
    order.sort_unstable_by_key(|&at| std::cmp::Reverse(queries[at].0));
    let mut tree = vec![0_usize; heights.len() + 1];
    let mut counts = vec![0; queries.len()];
    for at in order {
        let (x, y) = queries[at];
        while let Some((_, height)) = points.pop_if(|point| point.0 > x) {
            let mut node = heights.partition_point(|&other| other < height) + 1;
            while node < tree.len() {
                tree[node] += 1;
                node += node & node.wrapping_neg();
            }
        }
        let mut node = heights.partition_point(|&height| height < y);
        while node > 0 {
            counts[at] += tree[node];
            node &= node - 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::first_not;

    #[test]
    fn the_first_is_found_from_everywhere() {
        for len in 0..20_usize {
            let all: Vec<usize> = (0..len).collect();
            for near in 0..=len {
                for first in 0..=len {
                    assert_eq!(first_not(&all, near, |&at| at < first), first, "of {len} from {near}");
                }
            }
        }
    }
}
