//! What is certain of the age of a value (after Golab, Li and Shah, "Analyzing consistency properties for fun and
//! profit", PODC 2011; here only what is certain).
//!
//! A value is in effect at the latest when somebody who saw it, or who changed it further by cas, is done. A value whose write
//! began after `v` was in effect is newer than `v`, and so is one that cas made of `v`. Who begins to look after a newer value was in
//! effect, and sees `v`, is stale, by at least the time between.
//!
//! The values that are newer than `v` are those that cas made of it, and those that began after `v` was in effect. The first
//! effect among the latter is a minimum over all that began late enough; counting them is a count of points in a quadrant (begin, effect),
//! asked for offline. Both sets share some values, all of `v`'s own chain: so those are counted once more, by themselves, and taken off.

use histories::NEVER;

use crate::{
    prepare::{INITIAL, Steps, Val},
    zones::{Clusters, NO_STEP, NO_VALUE},
};

/// When something ended, and whose end it was.
pub(crate) type End = (u32, u32);

/// What is made for each value, in bytes, to count versions too.
pub(crate) const BYTES: usize = 112;

/// What is certain of one key's values.
pub(crate) struct Bounds<'a, S> {
    clusters: &'a Clusters,
    steps: &'a S,
    /// When each value was in effect at the latest; nothing for values that no chain reaches.
    effects: Vec<Option<End>>,
    /// Values by their begin, each with the first effect among it and all that began later.
    newer: Vec<(u32, (End, Val))>,
}

impl<'a, S: Steps> Bounds<'a, S> {
    pub(crate) fn new(clusters: &'a Clusters, steps: &'a S) -> Self {
        let mut bounds = Self { clusters, steps, effects: effects(clusters, steps), newer: Vec::new() };
        bounds.newer = bounds.sound().map(|(value, begin, effect)| (begin, (effect, value))).collect();
        bounds.newer.sort_unstable_by_key(|&(begin, ..)| begin);
        let mut first = None;
        for (_, effect) in bounds.newer.iter_mut().rev() {
            *effect = first.map_or(*effect, |first| (*effect).min(first));
            first = Some(*effect);
        }
        bounds
    }

    /// When `value` was in effect at the latest.
    pub(crate) fn effect(&self, value: Val) -> Option<End> {
        self.effects[value as usize].filter(|end| end.0 != u32::MAX)
    }

    /// When the step that set `value` began.
    fn begin(&self, value: Val) -> u32 {
        match self.clusters[value].writer {
            NO_STEP => 0,
            writer => self.steps.span(writer).0 + 1,
        }
    }

    /// As [`Self::effect`], but not of a value that was seen before it was begun: a violation of its own, which proves nothing more.
    pub(crate) fn sound_effect(&self, value: Val) -> Option<End> {
        self.effect(value).filter(|end| self.begin(value) <= end.0)
    }

    /// Values that were set, with their begins and effects.
    fn sound(&self) -> impl Iterator<Item = (Val, u32, End)> + '_ {
        let included = (0..self.clusters.len()).filter(|&value| value != INITIAL && self.clusters[value].included);
        included.filter_map(|value| Some((value, self.begin(value), self.sound_effect(value)?)))
    }

    /// The first proof that something newer than `old` is in effect, and of which value.
    pub(crate) fn replaced(&self, old: Val) -> Option<(End, Val)> {
        let in_effect = self.sound_effect(old)?;
        let after = self.newer.partition_point(|&(begin, ..)| begin <= in_effect.0);
        let written = self.newer.get(after).map(|&(_, first)| first);
        let changed = Some(self.clusters[old].next).filter(|&next| next != NO_VALUE);
        let changed = changed.and_then(|next| self.effect(next).map(|end| (end, next)));
        written.into_iter().chain(changed).min()
    }

    /// For each of these lookers at old values: how many values were certainly newer, and in effect when it began.
    pub(crate) fn versions_behind(&self, stale: &[(u32, Val)]) -> Vec<usize> {
        let quadrant = |&(looker, old): &(u32, Val)| {
            let in_effect = self.effect(old).map_or(0, |end| end.0);
            (in_effect, self.steps.span(looker).0 + 1)
        };
        let all: Vec<(u32, u32)> = self.sound().map(|(_, begin, effect)| (begin, effect.0)).collect();
        let mut counts = count(all, &stale.iter().map(quadrant).collect::<Vec<_>>());
        let (chains, places) = self.chains();
        let mut by_chain: Vec<(u32, usize)> = (0..stale.len())
            .map(|at| (places[stale[at].1 as usize].0, at))
            .filter(|&(chain, _)| chain != u32::MAX)
            .collect();
        by_chain.sort_unstable();
        for of_one in by_chain.chunk_by(|a, b| a.0 == b.0) {
            let chain = &chains[of_one[0].0 as usize];
            let effects: Vec<u32> = chain.iter().map(|&v| self.effect(v).map_or(u32::MAX, |end| end.0)).collect();
            let queries: Vec<(u32, u32)> = of_one.iter().map(|&(_, at)| quadrant(&stale[at])).collect();
            let sound = chain.iter().filter_map(|&v| Some((self.begin(v), self.sound_effect(v)?.0)));
            let twice = count(sound.collect(), &queries);
            for ((&(_, at), (_, begin)), twice) in of_one.iter().zip(queries).zip(twice) {
                // Effects do not fall along a chain.
                let in_effect = effects.partition_point(|&effect| effect < begin);
                let place = places[stale[at].1 as usize].1 as usize;
                counts[at] = counts[at] + in_effect.saturating_sub(place + 1) - twice;
            }
        }
        counts
    }

    /// Chains of several values, and the chain of each value with its place there.
    fn chains(&self) -> (Vec<Vec<Val>>, Vec<(u32, u32)>) {
        let mut chains = Vec::new();
        let mut places = vec![(u32::MAX, 0); self.clusters.len() as usize];
        for origin in origins(self.clusters).filter(|&value| self.clusters[value].next != NO_VALUE) {
            let chain: Vec<Val> = self.clusters.chain(origin).collect();
            let number = u32::try_from(chains.len()).expect("values are counted by u32");
            for (place, &value) in (0..).zip(&chain) {
                places[value as usize] = (number, place);
            }
            chains.push(chain);
        }
        (chains, places)
    }
}

/// The values that begin a chain, perhaps of one.
pub(super) fn origins(clusters: &Clusters) -> impl Iterator<Item = Val> + '_ {
    (0..clusters.len()).filter(|&v| clusters[v].included && clusters[v].from == NO_VALUE)
}

fn effects(clusters: &Clusters, steps: &impl Steps) -> Vec<Option<End>> {
    let mut effects = vec![None; clusters.len() as usize];
    let mut chain = Vec::new();
    for origin in origins(clusters) {
        chain.extend(clusters.chain(origin));
        let mut first: End = (u32::MAX, NO_STEP);
        for value in chain.drain(..).rev() {
            let cluster = &clusters[value];
            first = first.min(cluster.first_end);
            if cluster.writer == NO_STEP {
                first = (0, NO_STEP);
            } else if let (_, end) = steps.span(cluster.writer)
                && end != NEVER
            {
                first = first.min((end + 1, cluster.writer));
            }
            effects[value as usize] = Some(first);
        }
    }
    effects
}

/// So few questions are answered sooner by looking at every point.
const MAX_SCANS: usize = 8;

/// For each query `(x, y)`, how many points have a first coordinate above `x` and a second one below `y`; by a Fenwick tree over the
/// second coordinates.
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
