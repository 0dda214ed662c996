//! Context of a violation: the beliefs of the nodes, and the faults in force.

use std::collections::BTreeSet;

use checker::{Evidence, operation_in_short, wrong_transaction};
use histories::{Function, History, NEVER, Operation, Outcome};
use nemesis::NodeId;

use super::{
    faults::FaultWindow,
    leadership::{DeposedLeader, Reign, deposed},
};
use crate::terminal::words::{named_key, seconds};

/// Describes the moment at which the operation was invoked that the claim is about, and what nodes acknowledged that no
/// majority can have known of. The cluster has as many `nodes`.
pub(crate) fn around(
    history: &History,
    evidence: &Evidence,
    nodes: u16,
    reigns: &[Reign],
    faults: &[FaultWindow],
) -> Vec<String> {
    let Some(subject) = evidence.subject(history) else { return Vec::new() };
    let began_ns = history.times(subject).invoked_ns;
    let is_one_of_many = history.transactions.at(subject).is_some()
        && wrong_transaction(history, &evidence.operations, &evidence.claim).is_none();
    let belief = if is_one_of_many { None } else { belief(history.node(subject), began_ns, reigns) };
    let mut sentences: Vec<String> = belief.into_iter().collect();
    let in_force = faults.iter().filter(|fault| fault.span.contains(began_ns));
    sentences.extend(in_force.map(|fault| {
        let since = seconds(began_ns - fault.span.from_ns);
        format!("A fault had been in force for {since}: {}.", fault.words)
    }));
    sentences
        .extend((evidence.operations.iter()).filter_map(|&index| acknowledged_by_few(history, index, nodes, faults)));
    sentences
}

/// Returns the partition that kept a node from all majorities while it carried out and acknowledged a change; none if
/// the operation is no such change.
pub(crate) fn cut_off<'a>(
    history: &History,
    index: usize,
    nodes: u16,
    faults: &'a [FaultWindow],
) -> Option<&'a FaultWindow> {
    let Operation { function, outcome, completed, .. } = history.operations[index];
    let (node, times) = (history.node(index), history.times(index));
    let lasts = |fault: &&FaultWindow| fault.span.contains(times.invoked_ns) && fault.span.contains(times.completed_ns);
    let hears_few = |fault: &FaultWindow| {
        let unheard = fault.grudge.0.get(&NodeId(node)).map_or(0, BTreeSet::len);
        2 * (usize::from(nodes) - unheard) <= usize::from(nodes)
    };
    let is_change = outcome == Outcome::Ok && completed != NEVER && function != Function::Read;
    faults.iter().filter(lasts).find(|fault| is_change && hears_few(fault))
}

/// Describes an acknowledged change if a partition kept the node that did it from all majorities meanwhile.
fn acknowledged_by_few(history: &History, index: usize, nodes: u16, faults: &[FaultWindow]) -> Option<String> {
    let fault = cut_off(history, index, nodes, faults)?;
    let (node, times) = (history.node(index), history.times(index));
    let of =
        named_key(history.value(history.operations[index].key)).map_or_else(String::new, |key| format!(" on {key}"));
    Some(format!(
        "n{node} acknowledged {}{of} at {}, when it had been cut off from every majority for {}.",
        operation_in_short(history, index),
        seconds(times.completed_ns),
        seconds(times.completed_ns - fault.span.from_ns)
    ))
}

/// Describes the beliefs about leadership of `node` and the others at this time.
fn belief(node: u16, time_ns: u64, reigns: &[Reign]) -> Option<String> {
    let is_deposed = |deposed: &&DeposedLeader| deposed.reign.node == node && deposed.span.contains(time_ns);
    if let Some(DeposedLeader { reign, successor, span }) = deposed(reigns).iter().find(is_deposed) {
        return Some(format!(
            "n{node} still believed that it led term {}, although n{} had led term {} for {}.",
            reign.term,
            successor.node,
            successor.term,
            seconds(time_ns - span.from_ns)
        ));
    }
    let current = reigns.iter().filter(|reign| reign.span.contains(time_ns)).max_by_key(|reign| reign.term)?;
    Some(if current.node == node {
        format!("n{node} led term {}.", current.term)
    } else {
        format!("n{node} did not lead; n{} led term {}.", current.node, current.term)
    })
}

#[cfg(test)]
mod tests {
    use checker::Evidence;
    use histories::{Format, read_bytes};
    use nemesis::{FaultKind, Grudge, NodeId};

    use super::{super::leadership::Span, FaultWindow, Reign, acknowledged_by_few, around};

    #[test]
    fn of_a_cycle_whose_claim_names_no_transaction_the_beliefs_of_no_node_are_told() {
        let line = |time: u64, kind: &str| {
            format!(
                "{{\"time\":{time}000000,\"process\":{time},\"node\":2,\"type\":\"{kind}\",\"f\":\"txn\",\
                \"value\":[[\"append\",\"x\",{time}]]}}\n"
            )
        };
        let calls = [1, 2].map(|time| line(time, "invoke") + &line(time, "ok"));
        let history = read_bytes("test", calls.concat().as_bytes(), None::<Format>).unwrap();
        let reigns = [Reign { node: 1, term: 3, span: Span { from_ns: 0, until_ns: 9_000_000 } }];
        let said = |claim: &str| {
            let evidence = Evidence { operations: vec![0, 1], claim: claim.to_owned(), ..Evidence::default() };
            around(&history, &evidence, 3, &reigns, &[])
        };
        assert_eq!(said("transaction by process 1 at 0.001 s on n2 read x"), ["n2 did not lead; n1 led term 3."]);
        assert_eq!(said("2 transactions must each come before the next"), [""; 0]);
    }

    #[test]
    fn a_write_that_a_minority_acknowledged_is_named_and_one_by_a_majority_is_not() {
        let line = |time: u64, node: u16, kind: &str| {
            format!(
                "{{\"time\":{time}000000,\"process\":{node},\"node\":{node},\"type\":\"{kind}\",\"f\":\"write\",\
                \"value\":90}}\n"
            )
        };
        let calls =
            [(1, 10), (3, 30), (1, 50)].map(|(node, time)| line(time, node, "invoke") + &line(time + 5, node, "ok"));
        let history = read_bytes("test", calls.concat().as_bytes(), None::<Format>).unwrap();
        let [alone, others] = [&[3][..], &[1, 2, 4, 5]].map(|nodes| nodes.iter().map(|&node| NodeId(node)));
        let grudge = others.clone().map(|node| (node, alone.clone().collect())).chain([(NodeId(3), others.collect())]);
        let partition = FaultWindow {
            kind: Some(FaultKind::Partition),
            words: "isolate the leader".to_owned(),
            nodes: Vec::new(),
            grudge: Grudge(grudge.collect()),
            skew: None,
            span: Span { from_ns: 20_000_000, until_ns: 90_000_000 },
        };
        let said = [0, 1, 2].map(|index| acknowledged_by_few(&history, index, 5, std::slice::from_ref(&partition)));
        let expected = "n3 acknowledged the write of 90 by process 3 at 0.035 s, when it had been cut off from every \
            majority for \
            0.015 s.";
        assert_eq!(said, [None, Some(expected.to_owned()), None]);
        assert_eq!(acknowledged_by_few(&history, 1, 9, &[partition]), None, "five of nine still hear each other");
    }
}
