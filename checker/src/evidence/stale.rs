//! Which read is certainly stale, and by how much (after Golab, Li and Shah, "Analyzing consistency properties for fun and
//! profit", PODC 2011; here only what is certain).
//!
//! A value is in effect at the latest when somebody who saw it, or who changed it further by cas, is done. A value whose write
//! began after `v` was in effect is newer than `v`, and so is one that cas made of `v`. Who begins to look after a newer value was in
//! effect, and sees `v`, is stale, by at least the time between.

use crate::{
    Staleness,
    prepare::{Action, INITIAL, Step, Val},
    zones::{Clusters, NO_STEP, NO_VALUE},
};

use super::words::Words;

/// A step that saw a value which was certainly replaced before it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale {
    /// Who saw it.
    pub looker: u32,
    /// What it saw.
    pub old: Val,
    /// Who shows that `old` was in effect before the newer value was begun; [`NO_STEP`] of the initial value.
    pub old_proof: u32,
    /// The newer value.
    pub new: Val,
    /// Who shows that it was in effect when the looker began.
    pub new_proof: u32,
    /// How far behind.
    pub staleness: Staleness,
}

/// When something ended, and whose end it was.
type End = (u32, u32);

/// When each value was in effect at the latest; nothing for values that no chain reaches.
struct Effects(Vec<Option<End>>);

impl Effects {
    fn new(clusters: &Clusters, steps: &[Step]) -> Self {
        let mut effects = vec![None; clusters.len() as usize];
        for origin in (0..clusters.len()).filter(|&v| clusters[v].included && clusters[v].from == NO_VALUE) {
            let chain: Vec<Val> = clusters.chain(origin).collect();
            let mut first: End = (u32::MAX, NO_STEP);
            for &value in chain.iter().rev() {
                let cluster = &clusters[value];
                first = first.min(cluster.first_end);
                if cluster.writer == NO_STEP {
                    first = (0, NO_STEP);
                } else if let step = &steps[cluster.writer as usize]
                    && step.is_certain()
                {
                    first = first.min((step.end + 1, cluster.writer));
                }
                effects[value as usize] = Some(first);
            }
        }
        Self(effects)
    }

    fn of(&self, value: Val) -> Option<End> {
        self.0[value as usize].filter(|end| end.0 != u32::MAX)
    }
}

/// The stalest step of all, the first of several.
pub(super) fn stalest(words: &Words<'_>, clusters: &Clusters) -> Option<Stale> {
    let steps = &words.prepared.steps;
    let effects = Effects::new(clusters, steps);
    let newer = by_begin(clusters, steps, &effects);
    let mut worst: Option<(u64, Stale)> = None;
    for old in (0..clusters.len()).filter(|&value| clusters[value].included) {
        let Some(in_effect) = effects.of(old).filter(|end| began(clusters, steps, old) <= end.0) else { continue };
        let after = newer.partition_point(|&(begin, ..)| begin <= in_effect.0);
        let written = newer.get(after).map(|&(_, first)| first);
        let changed = Some(clusters[old].next).filter(|&next| next != NO_VALUE);
        let changed = changed.and_then(|next| effects.of(next).map(|end| (end, next)));
        let Some((proof, new)) = written.into_iter().chain(changed).min() else { continue };
        for looker in lookers(clusters, old) {
            let step = &steps[looker as usize];
            if step.start < proof.0 {
                continue;
            }
            let began = words.times(step.operation).invoked_ns;
            let behind_ns = began.saturating_sub(words.times(steps[proof.1 as usize].operation).completed_ns);
            if worst.is_none_or(|(most, _)| behind_ns > most) {
                let staleness = Staleness { behind_ns, writes: 1 };
                let (old_proof, new_proof) = (in_effect.1, proof.1);
                worst = Some((behind_ns, Stale { looker, old, old_proof, new, new_proof, staleness }));
            }
        }
    }
    let mut stale = worst?.1;
    stale.staleness.writes = count_newer(clusters, steps, &effects, &stale);
    Some(stale)
}

/// Who saw `value` last: the read that began last, and the cas that took it.
fn lookers(clusters: &Clusters, value: Val) -> impl Iterator<Item = u32> {
    let taker = Some(clusters[value].next).filter(|&next| next != NO_VALUE).map(|next| clusters[next].writer);
    [clusters[value].last_begin.1].into_iter().chain(taker).filter(|&step| step != NO_STEP)
}

/// Values by the begin of their writes, each with the first effect among it and all that began later.
fn by_begin(clusters: &Clusters, steps: &[Step], effects: &Effects) -> Vec<(u32, (End, Val))> {
    let mut values: Vec<(u32, (End, Val))> = (0..clusters.len())
        .filter(|&value| value != INITIAL && clusters[value].included)
        .filter_map(|value| {
            let (begin, effect) = (began(clusters, steps, value), effects.of(value)?);
            (begin < effect.0).then_some((begin, (effect, value)))
        })
        .collect();
    values.sort_unstable_by_key(|&(begin, ..)| begin);
    let mut first = None;
    for (_, effect) in values.iter_mut().rev() {
        *effect = first.map_or(*effect, |first| (*effect).min(first));
        first = Some(*effect);
    }
    values
}

/// When the step that set `value` began. One that was seen before that is a violation of its own, and proves nothing more.
fn began(clusters: &Clusters, steps: &[Step], value: Val) -> u32 {
    match clusters[value].writer {
        NO_STEP => 0,
        writer => steps[writer as usize].start + 1,
    }
}

/// How many values were certainly newer than what the looker saw, and certainly in effect when it began.
fn count_newer(clusters: &Clusters, steps: &[Step], effects: &Effects, stale: &Stale) -> usize {
    let begin = steps[stale.looker as usize].start + 1;
    let in_effect = effects.of(stale.old).map_or(0, |end| end.0);
    let mut newer = vec![false; clusters.len() as usize];
    clusters.chain(stale.old).skip(1).for_each(|value| newer[value as usize] = true);
    (0..clusters.len())
        .filter(|&value| value != INITIAL && clusters[value].included)
        .filter(|&value| effects.of(value).is_some_and(|end| end.0 < begin))
        .filter(|&value| newer[value as usize] || began(clusters, steps, value) > in_effect)
        .count()
}

/// The value that a step of a chain stands at.
pub(super) fn level(step: &Step) -> Option<Val> {
    match step.action {
        Action::Read(value) | Action::Write(value) | Action::Cas { to: value, .. } => Some(value),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => None,
    }
}
