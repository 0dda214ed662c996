//! What went on around a violation: who believed what, and which faults were in force.

use checker::Evidence;
use histories::{History, Operation};

use super::{
    beliefs::{Deposed, Reign, deposed},
    faults::FaultWindow,
};
use crate::ui::verdict::seconds;

/// Sentences on the moment at which the evidence's last operation began: that is the one which should have known better.
pub(crate) fn around(history: &History, evidence: &Evidence, reigns: &[Reign], faults: &[FaultWindow]) -> Vec<String> {
    let operations = evidence.operations.iter().map(|place| &history.operations[*place]);
    let Some(last) = operations.max_by_key(|operation| operation.invoke_time) else { return Vec::new() };
    let mut sentences: Vec<String> = belief(last, reigns).into_iter().collect();
    let in_force = faults.iter().filter(|fault| fault.span.contains(last.invoke_time));
    sentences.extend(in_force.map(|fault| {
        let since = seconds(last.invoke_time - fault.span.from_ns);
        format!("A fault had been in force for {since}: {}.", fault.words)
    }));
    sentences
}

fn belief(operation: &Operation, reigns: &[Reign]) -> Option<String> {
    let (node, time_ns) = (operation.node, operation.invoke_time);
    let is_deposed = |deposed: &&Deposed| deposed.reign.node == node && deposed.span.contains(time_ns);
    if let Some(Deposed { reign, successor, span }) = deposed(reigns).iter().find(is_deposed) {
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
