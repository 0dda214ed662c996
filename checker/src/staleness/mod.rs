//! How stale reads were: for modes of reading to be compared by how wrong they are. Only for registers whose values are all different.
//!
//! Nothing is over-reported: each figure of a single read is a lower bound (`bounds.rs`). A key that is linearizable has no stale read and needs no
//! shift: it counts with its reads. A key with a violation that is not one of order (a value that nobody set, two cas
//! that took the same one) is not measured: what is newer than what is then open.

pub(crate) mod bounds;
mod delta;
mod report;

use std::collections::BTreeMap;

use histories::History;

use crate::{
    Model, Options,
    consistency::{REPEATS, UNKNOWN_FUNCTION},
    patience::{OutOf, Patience},
    prepare::{Action, Keys, Prepared, Preparer, Val},
    zones::{Clusters, Violation, Zones, zones},
};
use bounds::Bounds;
pub use report::{Distribution, NodeStaleness, NotMeasured, Share, StaleReads, StalenessReport};

/// How stale the reads of `history` were, and what would make it linearizable.
///
/// Only the model, the initial value and the limit in time of `options` matter; it takes one thread. What there is no time for is
/// [`NotMeasured`].
pub fn staleness(history: &History, options: &Options<'_>) -> StalenessReport {
    let patience = Patience::new(&options.limits);
    let mut tally = Tally { delta_ns: Some(0), ..Tally::default() };
    let keys = match Keys::split(history, &patience) {
        Ok(keys) => keys,
        Err(out) => {
            tally.skip(&out.to_string(), 0);
            return tally.report();
        }
    };
    if !matches!(options.model, Model::Register | Model::KeyValue) {
        tally.skip("only registers are measured", keys.len());
        return tally.report();
    }
    let mut preparer = Preparer::new(history, options.model, &options.initial);
    for place in 0..keys.len() {
        if let Err(out) = tally.key(history, &mut preparer, keys.operations(place), &patience) {
            tally.skip(&out.to_string(), keys.len() - place);
            break;
        }
    }
    tally.report()
}

/// The reads of a node, and those of them that were stale: by how much, and by how many versions.
#[derive(Debug, Default)]
struct Reads {
    count: usize,
    behind_ns: Vec<u64>,
    versions: Vec<u64>,
}

/// What is known so far.
#[derive(Debug, Default)]
struct Tally {
    keys: usize,
    not_measured: Vec<NotMeasured>,
    /// By node; 0 where it is not known.
    nodes: BTreeMap<u16, Reads>,
    flip_flops_ns: Vec<u64>,
    delta_ns: Option<u64>,
}

impl Tally {
    fn skip(&mut self, why: &str, keys: usize) {
        match self.not_measured.iter_mut().find(|other| other.why == why) {
            Some(other) => other.keys += keys,
            None => self.not_measured.push(NotMeasured { why: why.to_owned(), keys }),
        }
    }

    /// Measures a key, or says why not; changes nothing where there is no time.
    fn key(
        &mut self,
        history: &History,
        preparer: &mut Preparer<'_>,
        operations: &[u32],
        patience: &Patience<'_>,
    ) -> Result<(), OutOf> {
        let Ok(prepared) = preparer.prepare(operations, patience)? else {
            self.skip(UNKNOWN_FUNCTION, 1);
            return Ok(());
        };
        match zones(&prepared, patience)? {
            Some(Zones::Order(_) | Zones::Undecided) => self.reads(history, &prepared),
            Some(Zones::Violation(Violation::Meeting { .. } | Violation::Inversion { .. }, clusters)) => {
                self.measure(history, &prepared, &clusters, patience)?;
            }
            Some(Zones::Violation(..)) => self.skip("a violation leaves open which value is newer", 1),
            None => self.skip(REPEATS, 1),
        }
        Ok(())
    }

    /// Counts the reads of a key.
    fn reads(&mut self, history: &History, prepared: &Prepared) {
        self.keys += 1;
        for step in prepared.steps.iter().filter(|step| matches!(step.action, Action::Read(_))) {
            self.nodes.entry(history.node(step.operation as usize)).or_default().count += 1;
        }
    }

    /// Measures a key whose operations have no order.
    fn measure(
        &mut self,
        history: &History,
        prepared: &Prepared,
        clusters: &Clusters,
        patience: &Patience<'_>,
    ) -> Result<(), OutOf> {
        let steps = &prepared.steps;
        let times = |step: u32| history.times(steps[step as usize].operation as usize);
        let between_ns = |end: u32, begin: u32| times(begin).invoked_ns.saturating_sub(times(end).completed_ns);
        patience.room(clusters.len() as usize * bounds::BYTES + steps.len() * size_of::<(u32, u64)>())?;
        let bounds = Bounds::new(clusters, prepared);
        let replaced: Vec<_> = (0..clusters.len()).map(|value| bounds.replaced(value)).collect();
        let stale = (0..).zip(steps).filter_map(|(index, step)| match step.action {
            Action::Read(old) => {
                let (proof, _) = replaced[old as usize].filter(|(proof, _)| proof.0 <= step.start)?;
                Some(((index, old), proof.1))
            }
            _ => None,
        });
        let (stale, proofs): (Vec<(u32, Val)>, Vec<u32>) = stale.unzip();
        patience.steps(steps.len())?;
        let versions = bounds.versions_behind(&stale);
        let costs = delta::costs(clusters, steps, &between_ns, patience)?;
        self.reads(history, prepared);
        for ((&(looker, _), proof), versions) in stale.iter().zip(proofs).zip(versions) {
            let operation = steps[looker as usize].operation as usize;
            let node = self.nodes.get_mut(&history.node(operation)).expect("its reads were counted");
            node.behind_ns.push(between_ns(proof, looker));
            node.versions.push(versions as u64);
        }
        self.flip_flops_ns.extend(costs.flip_flops_ns);
        self.delta_ns = self.delta_ns.zip(costs.delta_ns).map(|(a, b)| a.max(b));
        Ok(())
    }

    fn report(self) -> StalenessReport {
        let mut all = Reads::default();
        let mut nodes = Vec::new();
        for (node, reads) in self.nodes {
            all.count += reads.count;
            all.behind_ns.extend(&reads.behind_ns);
            all.versions.extend(&reads.versions);
            if node != 0 {
                nodes.push(NodeStaleness { node, reads: reads.report() });
            }
        }
        StalenessReport {
            keys: self.keys,
            not_measured: self.not_measured,
            reads: all.report(),
            nodes,
            flip_flops: Distribution::of(self.flip_flops_ns),
            delta_ns: self.delta_ns,
        }
    }
}

impl Reads {
    fn report(self) -> StaleReads {
        StaleReads {
            reads: self.count,
            stale: Share::new(self.behind_ns.len(), self.count),
            behind_ns: Distribution::of(self.behind_ns),
            versions: Distribution::of(self.versions),
        }
    }
}
