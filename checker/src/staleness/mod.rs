//! Staleness of reads, for comparing read modes by how stale their answers are. Only for registers with unique
//! values.
//!
//! Nothing is over-reported: each figure of a single read is a lower bound (`bounds.rs`). A linearizable key has no
//! stale read and needs no shift: its reads count as fresh. A key with a violation other than one of order (a value
//! that was never set, two cas from the same value) is not measured, because it is then open which value is newer.

pub(crate) mod bounds;
mod delta;
mod report;

use std::collections::BTreeMap;

use histories::History;

use crate::{
    Options,
    budget::{Budget, Shortage},
    prepare::{Action, KeySteps, Keys, Val},
    registers::{are_registers, count, each_key, split},
    zones::{Clusters, KeyZones, ZoneViolation},
};
use bounds::Bounds;
pub use report::{Distribution, NodeStaleness, Share, StaleReads, StalenessReport, UnmeasuredKeys};

/// Measures how stale the reads of `history` were, and by how much they would have to begin earlier for it to be
/// linearizable.
///
/// Only the model, the initial value and the limits of `options` matter; it uses one thread. Keys for which a limit
/// was reached are reported as [`UnmeasuredKeys`].
pub fn staleness(history: &History, options: &Options<'_>) -> StalenessReport {
    let keys = split(history, options);
    let mut measure = Measure::new(history);
    let done =
        each_key(history, options, &keys, |_, key, budget| measure.key(key.as_ref().map_err(|&why| why), budget));
    measure.report(options, &keys, done)
}

/// Reads of a node: their number, and for the stale ones by how much, and by how many versions.
#[derive(Debug, Default)]
struct Reads {
    count: usize,
    behind_ns: Vec<u64>,
    versions: Vec<u64>,
}

/// Measurements so far, key by key.
#[derive(Debug)]
pub(crate) struct Measure<'a> {
    history: &'a History,
    keys: usize,
    not_measured: Vec<UnmeasuredKeys>,
    /// Reads by node; 0 if the node is not known.
    nodes: BTreeMap<u16, Reads>,
    flip_flops_ns: Vec<u64>,
    delta_ns: Option<u64>,
}

impl<'a> Measure<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let (not_measured, nodes, flip_flops_ns) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { history, keys: 0, not_measured, nodes, flip_flops_ns, delta_ns: Some(0) }
    }

    fn skip(&mut self, why: &str, keys: usize) {
        match self.not_measured.iter_mut().find(|other| other.why == why) {
            Some(other) => other.keys += keys,
            None => self.not_measured.push(UnmeasuredKeys { why: why.to_owned(), keys }),
        }
    }

    /// Measures a key, or records why it is not measured. Changes nothing if a limit is reached.
    pub(crate) fn key(
        &mut self,
        key: Result<&(KeySteps, KeyZones), &str>,
        budget: &Budget<'_>,
    ) -> Result<(), Shortage> {
        match key {
            Ok((prepared, placed)) => match placed.violation {
                None => self.reads(prepared),
                Some(ZoneViolation::Meeting { .. } | ZoneViolation::Inversion { .. }) => {
                    self.measure(prepared, &placed.clusters, budget)?;
                }
                Some(_) => self.skip("a violation leaves open which value is newer", 1),
            },
            Err(why) => self.skip(why, 1),
        }
        Ok(())
    }

    /// Counts the reads of a key.
    fn reads(&mut self, prepared: &KeySteps) {
        self.keys += 1;
        let mut counts = Vec::new();
        for step in prepared.steps.iter().filter(|step| matches!(step.action, Action::Read(_))) {
            let node = usize::from(self.history.node(step.operation as usize));
            if node >= counts.len() {
                counts.resize(node + 1, 0);
            }
            counts[node] += 1;
        }
        for (node, count) in (0..).zip(counts).filter(|&(_, count)| count > 0) {
            self.nodes.entry(node).or_default().count += count;
        }
    }

    /// Measures a key whose operations have no linearization.
    fn measure(&mut self, prepared: &KeySteps, clusters: &Clusters, budget: &Budget<'_>) -> Result<(), Shortage> {
        let (history, steps) = (self.history, &prepared.steps);
        let times = |step: u32| history.times(steps[step as usize].operation as usize);
        let between_ns = |end: u32, begin: u32| times(begin).invoked_ns.saturating_sub(times(end).completed_ns);
        budget.may_take(clusters.len() as usize * bounds::BYTES + steps.len() * size_of::<(u32, u64)>())?;
        let bounds = Bounds::new(clusters, prepared);
        let mut stale: Vec<(u32, Val, u32)> = Vec::new();
        for (old, (proof, _)) in bounds.replaced() {
            let late = clusters.readers(old).take_while(|&read| steps[read as usize].start >= proof.0);
            stale.extend(late.filter_map(|reader| Some((reader, old, proof.1.get()?))));
        }
        stale.sort_unstable();
        let (stale, proofs): (Vec<(u32, Val)>, Vec<u32>) =
            stale.into_iter().map(|(reader, old, proof)| ((reader, old), proof)).unzip();
        budget.steps(steps.len())?;
        let versions = bounds.versions_behind(&stale);
        let costs = delta::costs(clusters, steps, &between_ns, budget)?;
        self.reads(prepared);
        for ((&(reader, _), proof), versions) in stale.iter().zip(proofs).zip(versions) {
            let operation = steps[reader as usize].operation as usize;
            let node = self.nodes.get_mut(&history.node(operation)).expect("its reads were counted");
            node.behind_ns.push(between_ns(proof, reader));
            node.versions.push(versions as u64);
        }
        self.flip_flops_ns.extend(costs.flip_flops_ns);
        self.delta_ns = self.delta_ns.zip(costs.delta_ns).map(|(a, b)| a.max(b));
        Ok(())
    }

    /// Returns the report. Keys that are left were not measured because of the limit in `done`.
    pub(crate) fn report(
        mut self,
        options: &Options<'_>,
        keys: &Result<Keys, Shortage>,
        done: Result<(), Shortage>,
    ) -> StalenessReport {
        let left = count(keys) - self.keys - self.not_measured.iter().map(|other| other.keys).sum::<usize>();
        if !are_registers(options) {
            self.skip("only registers are measured", left);
        } else if let Err(out) = done {
            self.skip(&out.to_string(), left);
        }
        let has_times = self.history.has_times();
        let mut all = Reads::default();
        let mut nodes = Vec::new();
        for (node, reads) in self.nodes {
            all.count += reads.count;
            all.behind_ns.extend(&reads.behind_ns);
            all.versions.extend(&reads.versions);
            if node != 0 {
                nodes.push(NodeStaleness { node, reads: reads.report(has_times) });
            }
        }
        StalenessReport {
            keys: self.keys,
            not_measured: self.not_measured,
            reads: all.report(has_times),
            nodes,
            flip_flops: Distribution::of(self.flip_flops_ns).filter(|_| has_times),
            delta_ns: self.delta_ns.filter(|_| has_times),
        }
    }
}

impl Reads {
    fn report(self, has_times: bool) -> StaleReads {
        StaleReads {
            reads: self.count,
            stale: Share::new(self.behind_ns.len(), self.count),
            behind_ns: Distribution::of(self.behind_ns).filter(|_| has_times),
            versions: Distribution::of(self.versions),
        }
    }
}
