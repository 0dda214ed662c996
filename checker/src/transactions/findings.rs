//! Findings: all anomalies are counted, and a few of each name are kept.

use std::collections::BTreeMap;

use histories::History;

use super::{
    indices::TransactionIndex,
    report::{Anomaly, AnomalyCount, AnomalyKind, Level, Link, Orders},
};

/// Number of anomalies of each name that are kept.
const MAX_EXAMPLES: usize = 8;

#[derive(Debug)]
pub(super) struct Findings<'h> {
    history: &'h History,
    by_name: BTreeMap<(Orders, AnomalyKind), (usize, Vec<Anomaly>)>,
    weakest: Option<Level>,
}

impl<'h> Findings<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        Self { history, by_name: BTreeMap::new(), weakest: None }
    }

    /// Adds an anomaly that a few transactions show without a cycle.
    pub(super) fn add(
        &mut self,
        kind: AnomalyKind,
        refutes: Level,
        transactions: &[TransactionIndex],
        claim: &dyn Fn() -> String,
    ) {
        let all = &self.history.transactions;
        let operations = || transactions.iter().map(|t| all.operation(t.index())).collect();
        self.add_with(kind, Orders::Data, refutes, &mut || (operations(), claim(), Vec::new()));
    }

    /// Adds an anomaly. Its operations, claim and links are computed only if it is kept.
    pub(super) fn add_with(
        &mut self,
        kind: AnomalyKind,
        orders: Orders,
        refutes: Level,
        describe: &mut dyn FnMut() -> (Vec<usize>, String, Vec<Link>),
    ) {
        self.weakest = Some(self.weakest.map_or(refutes, |weakest| weakest.min(refutes)));
        let (count, examples) = self.by_name.entry((orders, kind)).or_default();
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            let (operations, claim, links) = describe();
            examples.push(Anomaly {
                name: Anomaly::named(kind, orders),
                kind,
                orders,
                refutes,
                operations,
                claim,
                links,
            });
        }
    }

    /// Returns the weakest level that is refuted.
    pub(super) fn weakest(&self) -> Option<Level> {
        self.weakest
    }

    /// Returns all anomalies that were kept, the clearest first (the worst kind, and of one name those with the
    /// fewest operations), and the counts.
    pub(super) fn into_parts(self) -> (Vec<Anomaly>, Vec<AnomalyCount>) {
        let counts = self.by_name.iter();
        let counts = counts
            .map(|((orders, kind), (count, _))| AnomalyCount { name: Anomaly::named(*kind, *orders), count: *count });
        let counts = counts.collect();
        let mut all: Vec<Anomaly> = Vec::new();
        let mut rest: Vec<Anomaly> = Vec::new();
        for (_, mut examples) in self.by_name.into_values() {
            examples.sort_by_key(|anomaly| (anomaly.operations.len(), anomaly.operations.iter().max().copied()));
            let mut examples = examples.into_iter();
            all.extend(examples.next());
            rest.extend(examples);
        }
        all.extend(rest);
        (all, counts)
    }
}
