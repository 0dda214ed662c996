//! Steps that show a violation of the zones: those that it names, and those that give these their meaning.

use super::stale::{Stale, level};
use crate::{
    prepare::{Action, Step, Steps, Val},
    sorted::sorted,
    zones::{Clusters, ZoneViolation},
};

/// Invariant: clusters and violations name only steps that count.
const COUNTS: &str = "a step that counts";

/// Returns the steps that show a stale read, and those among them that the claim is about.
pub(super) fn of_stale(steps: &dyn Steps, clusters: &Clusters, stale: &Stale) -> (Vec<u32>, Vec<u32>) {
    let mut gathered = GatheredSteps::new(steps, clusters, vec![stale.reader]);
    gathered.effect(stale.old, stale.old_proof);
    gathered.effect(stale.new, Some(stale.new_proof));
    gathered.chain(stale.old, stale.new);
    (gathered.complete(), vec![stale.reader, stale.new_proof])
}

/// Returns the steps that show a violation, and those among them that the claim is about: none in particular.
pub(super) fn of_violation(steps: &dyn Steps, clusters: &Clusters, violation: &ZoneViolation) -> (Vec<u32>, Vec<u32>) {
    let step = |index: u32| steps.step(index).expect(COUNTS);
    let mut gathered = GatheredSteps::new(steps, clusters, Vec::new());
    match *violation {
        ZoneViolation::Contradiction { step } => gathered.gathered.push(step),
        ZoneViolation::NeverSet { observer, .. } => gathered.gathered.push(observer),
        ZoneViolation::TwoCas { from, to } => [from, to[0], to[1]].into_iter().for_each(|value| gathered.writer(value)),
        ZoneViolation::Ring { ref values } => {
            for &value in values {
                gathered.writer(value);
            }
            // Cas of unknown outcome alone do not prove that any of them took place.
            if !gathered.gathered.iter().any(|&index| step(index).is_certain()) {
                gathered.gathered.extend(values.iter().find_map(|&value| clusters[value].first_end.1.get()));
            }
        }
        ZoneViolation::Inversion { later, earlier } => {
            gathered.gathered.extend([later, earlier]);
            if let (Some(from), Some(to)) = (level(&step(earlier)), level(&step(later))) {
                gathered.writer(from);
                gathered.chain(from, to);
            }
        }
        ZoneViolation::Meeting { first_ends, last_begins, origins } => {
            for side in 0..2 {
                gathered.effect(origins[side], first_ends[side]);
                gathered.effect(origins[side], Some(last_begins[side]));
            }
        }
    }
    (gathered.complete(), Vec::new())
}

/// Steps gathered so far, and how to find what else they need.
pub(crate) struct GatheredSteps<'a> {
    steps: &'a dyn Steps,
    clusters: &'a Clusters,
    gathered: Vec<u32>,
}

impl<'a> GatheredSteps<'a> {
    pub(crate) fn new(steps: &'a dyn Steps, clusters: &'a Clusters, gathered: Vec<u32>) -> Self {
        Self { steps, clusters, gathered }
    }

    fn step(&self, index: u32) -> Step {
        self.steps.step(index).expect(COUNTS)
    }

    /// Keeps a step, if there is one.
    pub(crate) fn keep(&mut self, step: impl Into<Option<u32>>) {
        self.gathered.extend(step.into().filter(|step| !self.gathered.contains(step)));
    }

    /// Keeps the step that sets `value`.
    pub(crate) fn writer(&mut self, value: Val) {
        self.gathered.extend(self.clusters[value].writer.get());
    }

    /// Keeps the cas that lead from one value to a later one of its chain.
    pub(crate) fn chain(&mut self, from: Val, to: Val) {
        if from != to {
            self.clusters.between(from, to).into_iter().for_each(|value| self.writer(value));
        }
    }

    /// Keeps the setter of `value`, the step `proof` that shows that it was set, and the cas between the two.
    fn effect(&mut self, value: Val, proof: Option<u32>) {
        self.writer(value);
        if let Some(proof) = proof {
            self.gathered.push(proof);
            if let Some(reached) = level(&self.step(proof)) {
                self.chain(value, reached);
            }
        }
    }

    /// Adds the setter of each value that was read, and an observer of each change of unknown outcome. Returns the
    /// steps in order.
    pub(crate) fn complete(mut self) -> Vec<u32> {
        let mut at = 0;
        while at < self.gathered.len() {
            let index = self.gathered[at];
            let step = self.step(index);
            at += 1;
            match step.action {
                Action::Read(value) => self.keep(self.clusters[value].writer.get()),
                Action::Write(value) | Action::Cas { to: value, .. } if !step.is_certain() => {
                    let cluster = &self.clusters[value];
                    let seen = |&step: &u32| match self.step(step).action {
                        Action::Read(seen) | Action::Cas { from: seen, .. } => seen == value,
                        _ => false,
                    };
                    if !self.gathered.iter().any(|step| *step != index && seen(step)) {
                        let taker = cluster.next.get().and_then(|next| self.clusters[next].writer.get());
                        self.keep(cluster.first_end.1.get().or(taker));
                    }
                }
                _ => {}
            }
        }
        sorted(self.gathered)
    }
}
