//! Stalest read, and the proof that it is stale.

use histories::History;

use crate::{
    Staleness,
    index::OptionalIndex,
    prepare::{Action, Step, Steps, Val},
    staleness::bounds::Bounds,
    zones::Clusters,
};

/// Step that observed a value which was certainly replaced before it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale {
    /// Step that observed the value.
    pub reader: u32,
    /// Value that it observed.
    pub old: Val,
    /// Step that proves that `old` was in effect before the setter of the newer value began; none for the initial
    /// value.
    pub old_proof: Option<u32>,
    /// Newer value.
    pub new: Val,
    /// Step that proves that the newer value was in effect when the reader began.
    pub new_proof: u32,
    /// Bounds on the staleness.
    pub staleness: Staleness,
}

/// Returns the stalest step, the first of several.
pub(super) fn stalest(history: &History, steps: &dyn Steps, clusters: &Clusters) -> Option<Stale> {
    let operation = |step: u32| steps.step(step).map(|step| step.operation as usize);
    let bounds = Bounds::new(clusters, steps);
    let mut worst: Option<(u64, Stale)> = None;
    for (old, (proof, new)) in bounds.replaced() {
        let (Some(in_effect), Some(new_proof)) = (bounds.sound_effect(old), proof.1.get()) else { continue };
        for reader in last_readers(clusters, old) {
            if steps.span(reader).0 < proof.0 {
                continue;
            }
            let (Some(look), Some(shown)) = (operation(reader), operation(new_proof)) else { continue };
            let behind_ns = history.times(look).invoked_ns.saturating_sub(history.times(shown).completed_ns);
            if worst.is_none_or(|(most, _)| behind_ns > most) {
                let staleness = Staleness { behind_ns, writes: 1 };
                let old_proof = in_effect.1.get();
                worst = Some((behind_ns, Stale { reader, old, old_proof, new, new_proof, staleness }));
            }
        }
    }
    let mut stale = worst?.1;
    stale.staleness.writes = bounds.versions_behind(&[(stale.reader, stale.old)])[0];
    Some(stale)
}

/// Returns the last observers of `value`: the read that began last, and the cas that replaced it.
fn last_readers(clusters: &Clusters, value: Val) -> impl Iterator<Item = u32> {
    let taker = clusters[value].next.get().map(|next| clusters[next].writer);
    [clusters[value].last_begin.1].into_iter().chain(taker).filter_map(OptionalIndex::get)
}

/// Returns the value of the chain that a step belongs to.
pub(super) fn level(step: &Step) -> Option<Val> {
    match step.action {
        Action::Read(value) | Action::Write(value) | Action::Cas { to: value, .. } => Some(value),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => None,
    }
}
