//! Availability of each node for reads and writes, measured by probes that wait for a short time that the system sets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use workloads::{Connector, ProbeOptions, Probes};

use super::{cluster::Cluster, leadership::Span};
use crate::{run::plan::Plan, systems::ClientSetup};

/// Key of the probes. The keys of a load are counted from 0 and never reach it.
const KEY: u32 = u32::MAX;

/// Results of the probes of one kind at one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers {
    pub(crate) probes: u64,
    pub(crate) answered: u64,
    /// Times without an answer; the last may extend beyond the end of the load.
    pub(crate) outages: Vec<Span>,
}

/// Availability of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeAvailability {
    pub(crate) node: u16,
    pub(crate) reads: Answers,
    pub(crate) writes: Answers,
}

/// Client that probes the nodes.
#[derive(Debug)]
pub(crate) struct Prober {
    probing: ProbeOptions,
    connector: Connector,
    found: Arc<workloads::Availability>,
    /// Time 0 of the history.
    origin: Instant,
}

/// Returns the time of a moment in the history, whose time 0 is `origin`, ns.
pub(super) fn time_ns(origin: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(origin).as_nanos()).unwrap_or(u64::MAX)
}

impl Prober {
    pub(crate) fn new(plan: &Plan, cluster: &Cluster, origin: std::time::Instant) -> anyhow::Result<Self> {
        let wait = plan.system().timing(&plan.settings).probe;
        let clients = ClientSetup {
            deployment: &cluster.deployment,
            read: &plan.read,
            connect_timeout: wait / 2,
            operation_timeout: wait,
            retry: false,
            are_probes: true,
        };
        let connector = plan.system().connector(&clients)?;
        let probing = ProbeOptions { workload: plan.workload(), every: wait, limit: wait, key: KEY };
        Ok(Self { probing, connector, found: Arc::default(), origin: Instant::from_std(origin) })
    }

    /// Probes until dropped.
    ///
    /// # Errors
    /// Returns the failure of the harness that ended the probing.
    pub(crate) async fn keep_probing(&self) -> anyhow::Error {
        match workloads::keep_probing(self.probing, self.connector.clone(), Arc::clone(&self.found)).await {
            Err(error) => error.into(),
            Ok(never) => match never {},
        }
    }

    /// Returns the results so far; outages that still last end at `until_ns`.
    pub(crate) fn found(&self, until_ns: u64) -> Vec<NodeAvailability> {
        let time_ns = |at| time_ns(self.origin, at);
        let answers = |probes: Probes| {
            let span = |(from, until): (Instant, Option<Instant>)| {
                let from_ns = time_ns(from);
                Span { from_ns, until_ns: until.map_or(until_ns, time_ns).max(from_ns) }
            };
            let outages = probes.outages.into_iter().map(span).collect();
            Answers { probes: probes.all, answered: probes.answered, outages }
        };
        let by_node = self.found.by_node().into_iter();
        by_node
            .map(|(node, found)| NodeAvailability { node, reads: answers(found.reads), writes: answers(found.writes) })
            .collect()
    }
}

/// Returns the time from the beginning of a fault until all nodes that recovered while it lasted could be written
/// again, in nanoseconds; none if no node did. A node that comes back only when the fault is over was cut off by the
/// fault itself, and an outage that begins more than `late_ns` after the fault was not caused by it: neither tells how
/// the system recovers.
pub(crate) fn recovery_ns(nodes: &[NodeAvailability], fault: Span, late_ns: u64) -> Option<u64> {
    let beginning = Span { until_ns: fault.from_ns.saturating_add(late_ns), ..fault };
    let came_back = nodes.iter().filter_map(|node| {
        let of_the_fault = |outage: &&Span| beginning.overlaps(outage.from_ns, outage.until_ns);
        let until_ns = node.writes.outages.iter().filter(of_the_fault).map(|outage| outage.until_ns).max()?;
        fault.contains(until_ns).then(|| until_ns - fault.from_ns)
    });
    came_back.max()
}

/// Returns the longest time in which no node answered, neither reads nor writes; none without probes.
pub(crate) fn longest_gap_ns(nodes: &[NodeAvailability]) -> Option<u64> {
    Some(common_outages(nodes)?.iter().map(|span| span.length_ns()).max().unwrap_or(0))
}

/// Returns the times in which no node answered, neither reads nor writes; none without probes.
pub(crate) fn common_outages(nodes: &[NodeAvailability]) -> Option<Vec<Span>> {
    let mut kinds = nodes.iter().flat_map(|node| [&node.reads, &node.writes]).filter(|answers| answers.probes > 0);
    let first = kinds.next()?.outages.clone();
    Some(kinds.fold(first, |common, answers| in_both(&common, &answers.outages)))
}

/// Returns the intersection of two lists of spans, each sorted and without overlaps.
fn in_both(some: &[Span], others: &[Span]) -> Vec<Span> {
    let (mut common, mut a, mut b) = (Vec::new(), some.iter().peekable(), others.iter().peekable());
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let span = Span { from_ns: one.from_ns.max(other.from_ns), until_ns: one.until_ns.min(other.until_ns) };
        if span.from_ns < span.until_ns {
            common.push(span);
        }
        if one.until_ns <= other.until_ns {
            a.next()
        } else {
            b.next()
        };
    }
    common
}

#[cfg(test)]
mod tests {
    use super::{Answers, NodeAvailability, longest_gap_ns, recovery_ns};
    use crate::run::leadership::Span;

    const LATE: u64 = 300;

    fn answers(outages: &[(u64, u64)]) -> Answers {
        let outages = outages.iter().map(|&(from_ns, until_ns)| Span { from_ns, until_ns }).collect();
        Answers { probes: 9, answered: 5, outages }
    }

    fn node(reads: &[(u64, u64)], writes: &[(u64, u64)]) -> NodeAvailability {
        NodeAvailability { node: 1, reads: answers(reads), writes: answers(writes) }
    }

    #[test]
    fn recovery_is_that_of_the_nodes_that_came_back_under_the_fault() {
        let fault = Span { from_ns: 1000, until_ns: 4000 };
        let cut_off = node(&[], &[(1010, 4100)]);
        let nodes = [cut_off.clone(), node(&[], &[(10, 90), (1020, 1400), (2900, 3900)]), node(&[], &[(950, 1450)])];
        assert_eq!(recovery_ns(&nodes, fault, LATE), Some(450), "the slower of those that came back");
        assert_eq!(recovery_ns(&[cut_off], fault, LATE), None, "the fault itself kept it away");
        assert_eq!(
            recovery_ns(&[node(&[], &[(10, 90), (2900, 3900)])], fault, LATE),
            None,
            "not of the fault's making"
        );
        assert_eq!(recovery_ns(&[], fault, LATE), None);
    }

    #[test]
    fn there_is_a_gap_while_no_node_answers_anything() {
        let nodes = [node(&[(0, 100), (200, 300)], &[(50, 400)]), node(&[(60, 250)], &[(0, 500)])];
        assert_eq!(longest_gap_ns(&nodes), Some(50), "from 200 to 250; from 60 to 100 is less");
        assert_eq!(longest_gap_ns(&[node(&[], &[(0, 500)])]), Some(0), "it could be read");
        assert_eq!(longest_gap_ns(&[]), None);
    }
}
