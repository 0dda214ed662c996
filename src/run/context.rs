//! Context of a violation: the beliefs of the nodes, and the faults in force.

use checker::Evidence;
use histories::History;

use super::{
    faults::FaultWindow,
    leadership::{DeposedLeader, Reign, deposed},
};
use crate::terminal::words::seconds;

/// Describes the moment at which the last operation of the evidence was invoked, which is presented as the wrong one.
pub(crate) fn around(history: &History, evidence: &Evidence, reigns: &[Reign], faults: &[FaultWindow]) -> Vec<String> {
    let began = |index: usize| history.times(index).invoked_ns;
    let Some(last) = evidence.operations.iter().copied().max_by_key(|&index| began(index)) else { return Vec::new() };
    let began_ns = began(last);
    let mut sentences: Vec<String> = belief(history.node(last), began_ns, reigns).into_iter().collect();
    let in_force = faults.iter().filter(|fault| fault.span.contains(began_ns));
    sentences.extend(in_force.map(|fault| {
        let since = seconds(began_ns - fault.span.from_ns);
        format!("A fault had been in force for {since}: {}.", fault.words)
    }));
    sentences
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
