//! One key whose values are all different but whose operations have no order: its steps, its values, and who did what after what.
//!
//! A *session* is what one process does. The process of an operation of unknown outcome never comes back: there its session ends.

use crate::{
    prepare::{Action, Prepared, Step, Val},
    zones::{Clusters, NO_STEP, Placed, Violation, Zone},
};

/// No block: a value that did not come about.
pub(super) const NOWHERE: u32 = u32::MAX;

/// How a step touches a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// It finds it.
    Look,
    /// It sets it.
    Set,
}

/// A key that is not linearizable.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub prepared: &'a Prepared,
    pub clusters: &'a Clusters,
    pub violation: &'a Violation,
    /// Where its values stand; nothing where cas contradict each other.
    pub chains: Chains,
    /// The steps that can contradict the order of the zones, in the order of their starts: of those that took place.
    pub suspects: Vec<u32>,
}

impl<'a> Key<'a> {
    /// Of values that are placed in no order, for this violation.
    pub(super) fn new(prepared: &'a Prepared, placed: &'a Placed, violation: &'a Violation) -> Self {
        let Placed { clusters, zones, .. } = placed;
        let mut key =
            Self { prepared, clusters, violation, chains: Chains::new(clusters, zones), suspects: Vec::new() };
        key.suspects = if clusters.suspects.is_some() {
            let values = clusters.suspects();
            let values = values.iter().flat_map(|&origin| clusters.chain(origin));
            let writer = |value: Val| Some(clusters[value].writer).filter(|&writer| writer != NO_STEP);
            let mut steps: Vec<u32> = values.flat_map(|value| clusters.readers(value).chain(writer(value))).collect();
            steps.sort_unstable();
            steps
        } else {
            key.took_place().map(|(index, _)| index).collect()
        };
        key
    }

    /// Why there is no order of its values at all in which each that a cas set comes right after the one that it found.
    pub(super) fn no_versions(&self) -> Option<Violation> {
        match self.violation {
            Violation::Meeting { .. } | Violation::Inversion { .. } => {
                (!self.chains.ring.is_empty()).then(|| Violation::Ring { values: self.chains.ring.clone() })
            }
            other => Some(other.clone()),
        }
    }

    pub(super) fn step(&self, index: u32) -> &Step {
        &self.prepared.steps[index as usize]
    }

    /// Its steps that took place, in the order of their starts, with their numbers.
    pub(super) fn took_place(&self) -> impl Iterator<Item = (u32, &Step)> {
        (0..).zip(&self.prepared.steps).filter(|(_, step)| took_place(step, self.clusters))
    }
}

/// Chains of values that cas link, in the order of their zones.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The chain of each value, and its place there.
    pub places: Vec<(u32, u32)>,
    /// Values that cas set in a circle.
    pub ring: Vec<Val>,
}

impl Chains {
    fn new(clusters: &Clusters, zones: &[Zone]) -> Self {
        let mut chains = Self { places: vec![(NOWHERE, 0); clusters.len() as usize], ..Self::default() };
        for (chain, zone) in (0..).zip(zones) {
            for (place, value) in (0..).zip(clusters.chain(zone.origin)) {
                chains.places[value as usize] = (chain, place);
            }
        }
        if clusters.suspects.is_some() {
            return chains;
        }
        let is_lost = |&value: &Val| clusters[value].included && chains.places[value as usize].0 == NOWHERE;
        if let Some(first) = (0..clusters.len()).find(is_lost) {
            let others = clusters.chain(first).skip(1).take_while(|&value| value != first);
            chains.ring = std::iter::once(first).chain(others).collect();
        }
        chains
    }
}

/// The values that a step touches, in order.
pub(super) fn touches(step: &Step) -> impl Iterator<Item = (Val, Touch)> {
    let (look, set) = match step.action {
        Action::Read(value) => (Some(value), None),
        Action::Write(value) => (None, Some(value)),
        Action::Cas { from, to } => (Some(from), Some(to)),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => (None, None),
    };
    look.map(|value| (value, Touch::Look)).into_iter().chain(set.map(|value| (value, Touch::Set)))
}

/// Whether a step took place: it is certain, or somebody saw what it set.
pub(super) fn took_place(step: &Step, clusters: &Clusters) -> bool {
    step.is_certain() || step.action.installs().is_some_and(|value| clusters[value].included)
}
