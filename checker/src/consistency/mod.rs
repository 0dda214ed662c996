//! Hierarchy of consistency models: the weaker ones that hold of a history of registers that is not linearizable, and
//! evidence against those that fail.
//!
//! Only keys with unique values are checked; elsewhere most of this is NP-complete, and nothing is guessed.
//! Sequential consistency over several keys is NP-complete even with unique values (Gibbons and Korach 1997). What is
//! checked instead is sequential consistency of each key by itself, and causal consistency over all keys. A model
//! that holds of each key need not hold of all together: only linearizability is local.
//!
//! Most histories that are not linearizable nearly are: the order of the zones explains all but a few of the answers.
//! So the tests look only where that order can be contradicted (`zones/mod.rs`, `conflict_ranges.rs`, `candidates.rs`).

mod candidates;
mod converged;
mod graph;
mod hierarchy;
mod key;
mod regular;
#[cfg(test)]
mod tests;
mod versions;
mod witness;

use histories::{History, Value};
use rustc_hash::FxHashSet;

use crate::{
    Options,
    budget::{Budget, Shortage},
    causal::{AccessEvents, CausalViolation, causal_claim, find_causal_violation},
    prepare::{KeySteps, Keys},
    registers::{are_registers, count, each_key, split},
    zones::{KeyZones, order},
};
use candidates::CausalCandidates;
pub use hierarchy::{Consistency, Hierarchy, HierarchyLevel, ModelStatus, Witness};
use key::ViolatedKey;
use witness::WitnessBuilder;

const UNSAID: &str = "some cas did not match and did not say what they found";

/// Decides which consistency models hold of `history`.
///
/// Only the model, the initial value and the limits of `options` matter; it uses one thread. A model for which a
/// limit was reached is [`ModelStatus::NotChecked`].
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn consistency(history: &History, options: &Options<'_>) -> Hierarchy {
    let keys = split(history, options);
    let mut evaluation = Evaluation::new(history, options);
    let done = each_key(history, options, &keys, |name, key, budget| evaluation.key(name, key, budget));
    evaluation.hierarchy(&keys, done)
}

/// Result for one level so far.
#[derive(Clone, Debug, Default)]
struct LevelResult {
    failing: usize,
    witness: Option<Witness>,
    why: Option<String>,
}

impl LevelResult {
    /// Returns the result: a failure outweighs a reason why something was not checked.
    fn status(self) -> ModelStatus {
        match (self.witness, self.why) {
            (Some(witness), _) => ModelStatus::Fails { witness, keys: self.failing },
            (None, Some(why)) => ModelStatus::NotChecked { why },
            (None, None) => ModelStatus::Holds,
        }
    }

    /// Counts a failing key. Among several witnesses, the one with the fewest operations is kept.
    fn fail(&mut self, witness: Witness) {
        self.failing += 1;
        if self.witness.as_ref().is_none_or(|other| witness.operations.len() < other.operations.len()) {
            self.witness = Some(witness);
        }
    }
}

/// Evaluation of the hierarchy, key by key.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    history: &'a History,
    options: &'a Options<'a>,
    /// Results so far, in the order of [`Consistency::ALL`].
    levels: [LevelResult; Consistency::ALL.len()],
    /// Keys that can be checked.
    keys: Vec<(KeySteps, KeyZones)>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(history: &'a History, options: &'a Options<'a>) -> Self {
        Self { history, options, levels: Default::default(), keys: Vec::new() }
    }

    fn of(&mut self, model: Consistency) -> &mut LevelResult {
        &mut self.levels[model as usize]
    }

    /// Marks all models as not completely checked because of a key about which nothing is known.
    fn skip(&mut self, why: &str) {
        self.levels.iter_mut().for_each(|level| {
            level.why.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Tests every model but the causal one on a key.
    pub(crate) fn key(
        &mut self,
        name: &Value,
        key: Result<(KeySteps, KeyZones), &str>,
        budget: &Budget<'_>,
    ) -> Result<(), Shortage> {
        match key {
            Ok((prepared, placed)) => {
                if let Some(violation) = &placed.violation {
                    let key = &ViolatedKey::new(&prepared, &placed, violation);
                    let (history, options) = (self.history, self.options);
                    self.evaluation(&WitnessBuilder { history, options, key, name }, budget)?;
                } else if placed.clusters.has_looks && order(&prepared, &placed, budget)?.is_none() {
                    self.skip(UNSAID);
                }
                self.keys.push((prepared, placed));
            }
            Err(why) => self.skip(why),
        }
        Ok(())
    }

    /// Returns the hierarchy from all keys together, given the result of processing them.
    pub(crate) fn hierarchy(mut self, keys: &Result<Keys, Shortage>, done: Result<(), Shortage>) -> Hierarchy {
        if !are_registers(self.options) {
            self.skip("only registers have weaker models");
        } else if let Err(out) = done.and_then(|()| self.causal(&Budget::new(&self.options.limits))) {
            self.skip(&out.to_string());
        }
        // One by one, because collecting would reserve room for as many as there are operations.
        let mut processes: FxHashSet<u32> = FxHashSet::default();
        for operation in &self.history.operations {
            processes.insert(operation.process);
        }
        let levels = Consistency::ALL.into_iter().zip(self.levels);
        let levels = levels.map(|(model, level)| HierarchyLevel { model, status: level.status() }).collect();
        Hierarchy { levels, keys: count(keys), sessions: processes.len() }
    }

    /// Tests every model but the causal one on a key that is not linearizable.
    fn evaluation(&mut self, builder: &WitnessBuilder<'_>, budget: &Budget<'_>) -> Result<(), Shortage> {
        let key = builder.key;
        self.of(Consistency::Linearizable).fail(builder.of_zones());
        let mut open = Vec::new();
        match regular::irregular(key, budget)? {
            Some(found) => self.of(Consistency::Regular).fail(builder.of_irregular(found)),
            None => open.push(Consistency::Regular),
        }
        match self.final_reads(builder) {
            Some(witness) => self.of(Consistency::Converged).fail(witness),
            None => open.push(Consistency::Converged),
        }
        let no_versions = key.no_versions();
        let suspects = match no_versions {
            Some(_) => Default::default(),
            None => versions::suspects(builder.history, key, budget)?,
        };
        for (model, suspects) in versions::VERSION_MODELS.into_iter().zip(suspects) {
            let found = match &no_versions {
                Some(violation) => Some(builder.of_no_versions(violation)),
                None => versions::refute(builder.history, key, model, &suspects, budget)?
                    .map(|pairs| builder.of_pairs(&pairs)),
            };
            match found {
                Some(witness) => self.of(model).fail(witness),
                None => open.push(model),
            }
            if model == Consistency::SequentialPerKey && open.contains(&model) {
                open.extend(&versions::VERSION_MODELS[1..]);
                break;
            }
        }
        if key.clusters.has_looks {
            for model in open {
                self.of(model).why.get_or_insert_with(|| UNSAID.to_owned());
            }
        }
        Ok(())
    }

    /// Returns the evidence against convergence, if there is any.
    fn final_reads(&mut self, builder: &WitnessBuilder<'_>) -> Option<Witness> {
        let reads = converged::final_reads(builder.history, builder.key);
        if reads.is_empty() {
            let why = "nobody read after the last change of a key";
            self.of(Consistency::Converged).why.get_or_insert_with(|| why.to_owned());
        }
        regular::irregular_final(builder.key, &reads)
            .map(|found| builder.of_irregular(found))
            .or_else(|| converged::differing(builder.key, &reads).map(|reads| builder.of_final(&reads)))
    }

    /// Tests the causal model, unless the history is linearizable.
    fn causal(&mut self, budget: &Budget<'_>) -> Result<(), Shortage> {
        if self.of(Consistency::Linearizable).failing == 0 {
            return Ok(());
        }
        let (history, options) = (self.history, self.options);
        let steps = self.keys.iter().map(|(prepared, _)| prepared.steps.len()).sum();
        budget.may_take(steps * CausalCandidates::BYTES)?;
        let (mut moments, mut unsaid) = (CausalCandidates::with_capacity(steps), false);
        for (prepared, placed) in self.keys.drain(..) {
            unsaid |= placed.clusters.has_looks || placed.clusters.contradiction.is_some();
            moments.add(history, prepared, placed, budget)?;
        }
        let events = moments.suspects(budget)?;
        let AccessEvents { events: all, keys, initial } = moments.events;
        let found = find_causal_violation(&AccessEvents { events, keys, initial }, options.limits.memory, budget)?;
        let level = self.of(Consistency::Causal);
        match &found {
            Some(CausalViolation::TooMany { bytes }) => {
                level.why = Some(format!("its vector clocks would take {} MiB", bytes >> 20));
            }
            Some(found) => {
                if let Some((operations, claim)) = causal_claim(history, &options.initial, &all, found) {
                    level.fail(Witness { operations, key: None, claim });
                }
            }
            None if unsaid => {
                level.why.get_or_insert_with(|| UNSAID.to_owned());
            }
            None => {}
        }
        Ok(())
    }
}
