//! Findings: all anomalies are counted, and a few of each name are kept.

use histories::History;

use super::{
    indices::TransactionIndex,
    report::{Anomaly, AnomalyCount, AnomalyKind, Level, Link, Orders},
};
use crate::words::made;

/// Number of anomalies of each name that are kept.
const MAX_EXAMPLES: usize = 8;

#[derive(Debug)]
pub(super) struct Findings<'h> {
    history: &'h History,
    /// Anomalies of each name, the worst first.
    by_name: Vec<NamedAnomalies>,
    weakest: Option<Level>,
}

#[derive(Debug)]
struct NamedAnomalies {
    name: (Orders, AnomalyKind),
    count: usize,
    /// Those that are kept, the ones with the fewest operations first.
    examples: Vec<Anomaly>,
}

impl<'h> Findings<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        Self { history, by_name: Vec::new(), weakest: None }
    }

    /// Adds an anomaly that a few transactions show without a cycle. The claim is made of their names.
    pub(super) fn add(
        &mut self,
        kind: AnomalyKind,
        refutes: Level,
        transactions: &[TransactionIndex],
        claim: &dyn Fn(&[String]) -> String,
    ) {
        let history = self.history;
        self.add_with(kind, Orders::Data, refutes, &mut || {
            let operations: Vec<usize> =
                transactions.iter().map(|t| history.transactions.operation(t.index())).collect();
            let names = operations.iter().map(|&index| made(history, "transaction", index)).collect::<Vec<_>>();
            let claim = claim(&names);
            (operations, claim, Vec::new())
        });
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
        let name = (orders, kind);
        let place = self.by_name.binary_search_by_key(&name, |of_name| of_name.name).unwrap_or_else(|place| {
            self.by_name.insert(place, NamedAnomalies { name, count: 0, examples: Vec::new() });
            place
        });
        let NamedAnomalies { count, examples, .. } = &mut self.by_name[place];
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            let (operations, claim, links) = describe();
            let name = Anomaly::named(kind, orders);
            let size = |operations: &[usize]| (operations.len(), operations.iter().max().copied());
            let place = examples.partition_point(|other| size(&other.operations) <= size(&operations));
            examples.insert(place, Anomaly { name, kind, orders, refutes, operations, claim, links });
        }
    }

    /// Returns the weakest level that is refuted.
    pub(super) fn weakest(&self) -> Option<Level> {
        self.weakest
    }

    /// Returns all anomalies that were kept, the clearest first (the worst kind, and of one name those with the
    /// fewest operations), and the counts.
    pub(super) fn into_parts(self) -> (Vec<Anomaly>, Vec<AnomalyCount>) {
        let name = |(orders, kind): (Orders, AnomalyKind)| Anomaly::named(kind, orders);
        let counts = self.by_name.iter().map(|it| AnomalyCount { name: name(it.name), count: it.count }).collect();
        let (mut all, mut rest): (Vec<Anomaly>, Vec<Anomaly>) = (Vec::new(), Vec::new());
        for of_name in self.by_name {
            let mut examples = of_name.examples.into_iter();
            all.extend(examples.next());
            rest.extend(examples);
        }
        all.extend(rest);
        (all, counts)
    }
}
