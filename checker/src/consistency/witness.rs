//! Witness against a model: the few operations that violate it, and the sentence about them.

use histories::{History, Value};

use super::{key::ViolatedKey, regular::RegularityViolation, versions::Pair};
use crate::{
    Evidence, Options, UnknownWhy, Witness,
    causal::{self, AccessEvent, touches},
    evidence::{self, GatheredSteps, saw},
    index::OptionalIndex,
    objects::register::Problem,
    prepare::{Action, Step, Val},
    words::Words,
    zones::ZoneViolation,
};

/// Describes the violations of one key.
pub(super) struct WitnessBuilder<'a> {
    pub history: &'a History,
    pub options: &'a Options<'a>,
    pub key: &'a ViolatedKey<'a>,
    pub name: &'a Value,
}

impl WitnessBuilder<'_> {
    fn words(&self) -> Words<'_> {
        Words { history: self.history, initial: &self.options.initial, prepared: self.key.prepared }
    }

    fn witness(&self, gathered: GatheredSteps<'_>, claim: String) -> Witness {
        let gathered = gathered.complete();
        let mut operations: Vec<u32> = gathered.iter().map(|&index| self.key.step(index).operation).collect();
        if gathered.iter().any(|&index| !self.key.step(index).is_certain()) {
            let events = self.key.took_place().flat_map(|(_, step)| AccessEvent::of(self.history, step, 0));
            causal::show(&events.collect::<Vec<_>>(), &mut operations);
        }
        let mut operations: Vec<usize> = operations.into_iter().map(|index| index as usize).collect();
        operations.sort_unstable();
        Witness { operations, key: Some(self.name.clone()), claim }
    }

    /// Returns the witness for a violation of the zones.
    pub(super) fn of_zones(&self) -> Witness {
        let &ViolatedKey { prepared, clusters, violation, .. } = self.key;
        self.of_evidence(evidence::of_zones(self.history, self.options, prepared, violation, clusters))
    }

    /// Returns the witness for a key without any version order.
    pub(super) fn of_no_versions(&self, violation: &ZoneViolation) -> Witness {
        let &ViolatedKey { prepared, clusters, .. } = self.key;
        let problem = Problem::new(self.history, &self.options.initial, prepared, &self.options.limits);
        self.of_evidence(evidence::whole(&problem, violation, clusters))
    }

    fn of_evidence(&self, evidence: Result<Evidence, UnknownWhy>) -> Witness {
        let (operations, claim) = match evidence {
            Ok(evidence) => (evidence.operations, evidence.claim),
            Err(why) => (Vec::new(), why.to_string()),
        };
        Witness { operations, key: Some(self.name.clone()), claim }
    }

    /// Returns the witness for a look that is not regular.
    pub(super) fn of_irregular(&self, found: RegularityViolation) -> Witness {
        let words = self.words();
        let (RegularityViolation::Unset { reader }
        | RegularityViolation::Early { reader, .. }
        | RegularityViolation::Replaced { reader, .. }) = found;
        let step = self.key.step(reader);
        let (who, saw) = (words.who(step), saw(&words, step));
        let mut gathered = GatheredSteps::new(self.key.prepared, self.key.clusters, vec![reader]);
        let claim = match found {
            RegularityViolation::Unset { .. } => format!("{who} {saw}, which nobody had set"),
            RegularityViolation::Early { writer, .. } => {
                gathered.keep(writer);
                let writer = self.key.step(writer);
                format!("{who} {saw}, although {} only began at {}", words.short(writer), words.began(writer))
            }
            RegularityViolation::Replaced { writer, newer, .. } => {
                gathered.keep(writer);
                gathered.keep(newer);
                let newer = self.key.step(newer);
                let after = writer.map_or_else(String::new, |writer| {
                    format!(", which had begun after {}", words.was_done(self.key.step(writer)))
                });
                format!("{who} {saw}, although {}{after}", words.was_done(newer))
            }
        };
        self.witness(gathered, claim)
    }

    /// Returns the witness for pairs of touches that no version order allows together.
    pub(super) fn of_pairs(&self, pairs: &[Pair]) -> Witness {
        let words = self.words();
        let key = self.key;
        let mut gathered = GatheredSteps::new(key.prepared, key.clusters, Vec::new());
        let steps: Vec<u32> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        let mut values: Vec<((OptionalIndex, u32), Val)> = Vec::new();
        for &index in &steps {
            gathered.keep(index);
            for (value, _) in touches(key.step(index)) {
                gathered.writer(value);
                values.push((key.chains[value as usize], value));
            }
        }
        // Keep also the steps that link the values of one chain, and the initial value to them.
        values.push((key.chains[0], 0));
        values.sort_unstable();
        for both in values.windows(2).filter(|both| both[0].0.0 == both[1].0.0) {
            gathered.chain(both[0].1, both[1].1);
        }
        let claims = pairs.iter().map(|&(a, b)| {
            let (a, b) = (key.step(a), key.step(b));
            let process = words.process(a);
            format!("process {process} {} and later {}", did(&words, a), did(&words, b))
        });
        let claims = claims.collect::<Vec<_>>().join(", but ");
        let why = if pairs.len() == 1 {
            "in every order of its values the first comes after the second"
        } else {
            "no order of its values fits all of this"
        };
        let claim = format!("{}: {claims}; {why}", words.key(key.step(steps[0])));
        self.witness(gathered, claim)
    }

    /// Returns the witness for final reads that differ.
    pub(super) fn of_final(&self, reads: &[u32]) -> Witness {
        let words = self.words();
        let mut gathered = GatheredSteps::new(self.key.prepared, self.key.clusters, reads.to_vec());
        let mut claims: Vec<String> = Vec::new();
        for &index in reads {
            let step = self.key.step(index);
            if let Action::Read(value) = step.action {
                gathered.writer(value);
            }
            let claim = format!("{} {}", words.who(step), saw(&words, step));
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        let claim = format!("after the last change, {}", claims.join(", but "));
        self.witness(gathered, claim)
    }
}

/// Formats an access: `found 57 at 4.120 s`.
fn did(words: &Words<'_>, step: &Step) -> String {
    let at = words.began(step);
    match step.action {
        Action::Read(value) => format!("found {} at {at}", words.value(value)),
        Action::Cas { from, to } => format!("set {} in place of {} at {at}", words.value(to), words.value(from)),
        Action::Write(value) => format!("set {} at {at}", words.value(value)),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => format!("looked at {at}"),
    }
}
