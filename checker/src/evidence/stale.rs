//! The read that is certainly the most out of date, and what proves it.

use histories::History;

use crate::{
    Staleness,
    prepare::{Action, Step, Steps, Val},
    staleness::bounds::Bounds,
    zones::{Clusters, NO_STEP, NO_VALUE},
};

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

/// The stalest step of all, the first of several.
pub(super) fn stalest(history: &History, steps: &impl Steps, clusters: &Clusters) -> Option<Stale> {
    let operation = |step: u32| steps.step(step).map(|step| step.operation as usize);
    let bounds = Bounds::new(clusters, steps);
    let mut worst: Option<(u64, Stale)> = None;
    for (old, (proof, new)) in bounds.replaced() {
        let Some(in_effect) = bounds.sound_effect(old) else { continue };
        for looker in lookers(clusters, old) {
            if steps.span(looker).0 < proof.0 {
                continue;
            }
            let (Some(look), Some(shown)) = (operation(looker), operation(proof.1)) else { continue };
            let behind_ns = history.times(look).invoked_ns.saturating_sub(history.times(shown).completed_ns);
            if worst.is_none_or(|(most, _)| behind_ns > most) {
                let staleness = Staleness { behind_ns, writes: 1 };
                let (old_proof, new_proof) = (in_effect.1, proof.1);
                worst = Some((behind_ns, Stale { looker, old, old_proof, new, new_proof, staleness }));
            }
        }
    }
    let mut stale = worst?.1;
    stale.staleness.writes = bounds.versions_behind(&[(stale.looker, stale.old)])[0];
    Some(stale)
}

/// Who saw `value` last: the read that began last, and the cas that took it.
fn lookers(clusters: &Clusters, value: Val) -> impl Iterator<Item = u32> {
    let taker = Some(clusters[value].next).filter(|&next| next != NO_VALUE).map(|next| clusters[next].writer);
    [clusters[value].last_begin.1].into_iter().chain(taker).filter(|&step| step != NO_STEP)
}

/// The value that a step of a chain stands at.
pub(super) fn level(step: &Step) -> Option<Val> {
    match step.action {
        Action::Read(value) | Action::Write(value) | Action::Cas { to: value, .. } => Some(value),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => None,
    }
}
