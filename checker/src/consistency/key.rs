//! One key with unique values whose operations have no linearization: its steps, its values, and the session order.
//!
//! A *session* is the sequence of operations of one process. The process of an operation of unknown outcome is never
//! used again: there its session ends.

use crate::{
    index::OptionalIndex,
    prepare::{KeySteps, Step, Val},
    zones::{Clusters, KeyZones, ZoneViolation},
};

/// Key that is not linearizable.
#[derive(Debug)]
pub(super) struct ViolatedKey<'a> {
    pub prepared: &'a KeySteps,
    pub clusters: &'a Clusters,
    pub violation: &'a ZoneViolation,
    /// Chain of each value, if it came about, in the order of the zones, and its position in the chain.
    pub chains: Vec<(OptionalIndex, u32)>,
    /// Steps that took place and can contradict the order of the zones, in the order of their starts.
    pub suspects: Vec<u32>,
}

impl<'a> ViolatedKey<'a> {
    /// Prepares a key for this violation from values that have no order.
    pub(super) fn new(prepared: &'a KeySteps, placed: &'a KeyZones, violation: &'a ZoneViolation) -> Self {
        let KeyZones { clusters, zones, .. } = placed;
        let mut chains = vec![(OptionalIndex::NONE, 0); clusters.len() as usize];
        for (chain, zone) in (0_u32..).zip(zones) {
            for (place, value) in (0..).zip(clusters.chain(zone.origin)) {
                chains[value as usize] = (chain.into(), place);
            }
        }
        let mut key = Self { prepared, clusters, violation, chains, suspects: Vec::new() };
        key.suspects = if clusters.suspects.is_some() {
            let values = clusters.suspects();
            let values = values.iter().flat_map(|&origin| clusters.chain(origin));
            let writer = |value: Val| clusters[value].writer.get();
            let mut steps: Vec<u32> = values.flat_map(|value| clusters.readers(value).chain(writer(value))).collect();
            steps.sort_unstable();
            steps
        } else {
            key.took_place().map(|(index, _)| index).collect()
        };
        key
    }

    /// Returns the reason why no version order exists at all: one in which each value that a cas set comes right
    /// after the value that the cas found.
    pub(super) fn no_versions(&self) -> Option<ZoneViolation> {
        match self.violation {
            ZoneViolation::Meeting { .. } | ZoneViolation::Inversion { .. } => {
                // Only values of a ring belong to no block.
                self.clusters.suspects.is_none().then(|| self.clusters.ring())
            }
            other => Some(other.clone()),
        }
    }

    pub(super) fn step(&self, index: u32) -> &Step {
        &self.prepared.steps[index as usize]
    }

    /// Returns the steps that took place with their numbers, in the order of their starts.
    pub(super) fn took_place(&self) -> impl Iterator<Item = (u32, &Step)> {
        (0..).zip(&self.prepared.steps).filter(|(_, step)| took_place(step, self.clusters))
    }
}

/// Returns true if a step took place: it is certain, or its value was observed.
pub(super) fn took_place(step: &Step, clusters: &Clusters) -> bool {
    step.is_certain() || step.action.installs().is_some_and(|value| clusters[value].included)
}
