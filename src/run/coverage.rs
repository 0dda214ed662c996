//! What a run could have caught: a green verdict of a run in which nothing dangerous happened is worth little, and says so.

use histories::{Function, History, Operation, Outcome};
use serde::Serialize;

use super::{
    beliefs::{Reign, Span, deposed},
    faults::FaultWindow,
};

/// What happened in a run that a wrong server could have tripped over.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Coverage {
    /// How often another node took the lead.
    pub(crate) leader_changes: usize,
    pub(crate) deposed: DeposedCoverage,
    pub(crate) faults: Vec<FaultCoverage>,
    /// Acknowledged writes, those by cas among them.
    pub(crate) writes: usize,
    /// The longest time in which no operation succeeded.
    pub(crate) longest_gap_ms: u64,
    /// Why a green verdict of this run would be weak; empty if it would not.
    pub(crate) weak: Vec<&'static str>,
}

/// Deposed leaders: nodes that still believed that they led while another node led a later term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DeposedCoverage {
    pub(crate) times: usize,
    /// How long they ran and could be reached by their clients, all together.
    pub(crate) reachable_ms: u64,
    pub(crate) reads_asked: usize,
    pub(crate) reads_answered: usize,
    /// Writes that clients of other nodes got acknowledged meanwhile.
    pub(crate) writes_elsewhere: usize,
}

/// One fault and what clients got done while it was in force.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FaultCoverage {
    pub(crate) fault: String,
    #[serde(flatten)]
    pub(crate) span: Span,
    pub(crate) ok: usize,
    pub(crate) fail: usize,
    pub(crate) info: usize,
}

/// Measures a run from what is kept of it. `load` is the time in which clients were busy.
pub(crate) fn measure(history: &History, reigns: &[Reign], faults: &[FaultWindow], load: Span) -> Coverage {
    let operations = &history.operations;
    let mut coverage = Coverage {
        leader_changes: leader_changes(reigns),
        deposed: deposed_coverage(operations, reigns, faults),
        faults: faults.iter().map(|window| fault_coverage(operations, window)).collect(),
        writes: operations.iter().filter(|operation| is_acknowledged_write(operation)).count(),
        longest_gap_ms: longest_gap_ns(operations, load) / 1_000_000,
        weak: Vec::new(),
    };
    coverage.weak = weaknesses(&coverage);
    coverage
}

fn weaknesses(coverage: &Coverage) -> Vec<&'static str> {
    let mut why = Vec::new();
    if coverage.writes == 0 {
        why.push("nothing was written");
    }
    if coverage.leader_changes == 0 {
        why.push("the leader never changed");
    }
    if coverage.deposed.reads_asked == 0 {
        why.push("no deposed leader was asked for a read");
    } else if coverage.deposed.writes_elsewhere == 0 {
        why.push("nothing was written elsewhere while a deposed leader was asked");
    }
    why
}

fn leader_changes(reigns: &[Reign]) -> usize {
    let mut in_order: Vec<&Reign> = reigns.iter().collect();
    in_order.sort_by_key(|reign| reign.term);
    in_order.windows(2).filter(|pair| pair[0].node != pair[1].node).count()
}

fn deposed_coverage(operations: &[Operation], reigns: &[Reign], faults: &[FaultWindow]) -> DeposedCoverage {
    let mut sum = DeposedCoverage::default();
    for deposed in deposed(reigns) {
        let node = deposed.reign.node;
        let mut reachable = vec![deposed.span];
        for pause in faults.iter().filter(|fault| fault.kind == "pause" && fault.nodes.contains(&node)) {
            reachable = reachable.into_iter().flat_map(|span| span.without(pause.span)).collect();
        }
        let within = |time_ns| reachable.iter().any(|span| span.contains(time_ns));
        let is_read = |operation: &&Operation| operation.function == Function::Read && operation.node == node;
        let reads = operations.iter().filter(is_read);
        sum.times += 1;
        sum.reachable_ms += reachable.iter().map(|span| span.length_ns()).sum::<u64>() / 1_000_000;
        sum.reads_asked += reads.clone().filter(|read| within(read.invoke_time)).count();
        sum.reads_answered += reads.filter(|read| read.outcome == Outcome::Ok && within(read.complete_time)).count();
        sum.writes_elsewhere += operations
            .iter()
            .filter(|write| {
                is_acknowledged_write(write) && write.node != node && deposed.span.contains(write.complete_time)
            })
            .count();
    }
    sum
}

fn is_acknowledged_write(operation: &Operation) -> bool {
    operation.outcome == Outcome::Ok && operation.function != Function::Read
}

fn fault_coverage(operations: &[Operation], window: &FaultWindow) -> FaultCoverage {
    let during = operations.iter().filter(|operation| window.span.contains(operation.invoke_time));
    let count = |wanted: &[Outcome]| during.clone().filter(|operation| wanted.contains(&operation.outcome)).count();
    FaultCoverage {
        fault: window.words.clone(),
        span: window.span,
        ok: count(&[Outcome::Ok]),
        fail: count(&[Outcome::Fail, Outcome::Mismatch]),
        info: count(&[Outcome::Info]),
    }
}

fn longest_gap_ns(operations: &[Operation], load: Span) -> u64 {
    let mut successes: Vec<u64> = operations
        .iter()
        .filter(|operation| matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch))
        .map(|operation| operation.complete_time)
        .filter(|time_ns| load.contains(*time_ns))
        .chain([load.from_ns, load.until_ns])
        .collect();
    successes.sort_unstable();
    successes.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}
