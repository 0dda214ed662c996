//! Precedence of transactions in time: real time, and the order of each process.

use histories::{NEVER, Outcome};
use rustc_hash::FxHashMap;

use super::{
    facts::Facts,
    graph::{Graph, Kind, Needs},
    indices::TransactionIndex,
    limit::Limit,
};
use crate::{UnknownWhy, index::OptionalIndex};

/// Adds a chain of moments: a transaction that has ended before one leads into it, and it leads to each that begins
/// after it.
pub(super) fn add_realtime(facts: &Facts<'_>, graph: &mut Graph, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
    let happened = || facts.transactions();
    let ended = happened().map(|t| (facts.operation(t).completed, t)).filter(|(rank, _)| *rank != NEVER);
    limit.may_take(facts.happened.len() * 2 * size_of::<(u32, TransactionIndex)>())?;
    let mut ended: Vec<(u32, TransactionIndex)> = ended.collect();
    ended.sort_unstable();
    let mut ended = ended.into_iter().peekable();
    let mut moment = None;
    for transaction in happened() {
        limit.step()?;
        limit.edges(graph, 4)?;
        let begun = facts.operation(transaction).invoked;
        let mut fresh = None;
        while let Some((_, before)) = ended.next_if(|(rank, _)| *rank < begun) {
            let fresh = *fresh.get_or_insert_with(|| graph.between());
            graph.add(before, fresh, Kind::Realtime, Needs::Realtime, OptionalIndex::NONE);
        }
        if let Some((before, after)) = moment.zip(fresh) {
            graph.add(before, after, Kind::Onward, Needs::Realtime, OptionalIndex::NONE);
        }
        moment = fresh.or(moment);
        if let Some(moment) = moment {
            graph.add(moment, transaction, Kind::Onward, Needs::Realtime, OptionalIndex::NONE);
        }
    }
    Ok(())
}

/// Adds process order: each process's transactions, one after the other. Real time implies it, so it is added only to
/// name the anomalies.
pub(super) fn add_processes(facts: &Facts<'_>, graph: &mut Graph) {
    let mut last: FxHashMap<u32, TransactionIndex> = FxHashMap::default();
    for transaction in facts.transactions() {
        let operation = facts.operation(transaction);
        if let Some(&before) = last.get(&operation.process) {
            graph.add(before, transaction, Kind::Process, Needs::Process, OptionalIndex::NONE);
        }
        if operation.outcome == Outcome::Ok {
            last.insert(operation.process, transaction);
        }
    }
}
