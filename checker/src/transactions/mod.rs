//! Transactions over lists and registers, checked like Elle (Kingsbury and Alvaro, VLDB 2020): the dependencies
//! between them, and the anomalies that these show, by name.
//!
//! For lists the answer is exact from serializable on (`lists`). For registers it requires an order of their
//! versions, which is searched for (`polygraph`). A few transactions are always decided by trying all orders
//! (`small`). Read committed and read uncommitted require no order of registers' versions, and so are exact, too. A
//! value that several transactions may have written proves nothing, and the rest is judged without it: then a level
//! holds if an order explains everything, and is refuted if the remaining facts contradict each other. Real time is
//! represented by a chain of vertices, one for each moment at which something had ended before something else began:
//! a transaction that has ended leads into the chain, and the chain leads to each that begins later. So a million
//! transactions need millions of edges and not their square. A transaction of unknown outcome happened if something
//! it wrote was read; otherwise that is unknown, and it is left out, which contradicts no answer.

mod contents;
mod cycles;
mod elements;
mod facts;
mod findings;
mod graph;
mod indices;
mod judge;
mod limit;
mod links;
mod lists;
mod polygraph;
mod registers;
mod report;
mod schedule;
mod small;
mod table;
mod uncommitted;
mod verify;
mod versions;

use histories::{History, NEVER, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{Limits, UnknownWhy, index::OptionalIndex};
use facts::{Facts, Initial};
use findings::Findings;
use graph::{Graph, Kind, Needs};
use indices::TransactionIndex;
use judge::Levels;
use limit::Limit;

pub use report::{
    Anomaly, AnomalyCount, AnomalyKind, Level, LevelReport, Link, LinkEvidence, Orders, Status, TransactionReport,
};

/// Decides which isolation levels a history of transactions satisfies, and finds the anomalies that refute the
/// others. All keys are initially empty.
///
/// Each key is a list (`append` and `r`) or a register (`w` and `r`). From serializable on, [`Status::Holds`] comes
/// with an order that was replayed, and each cycle was confirmed in the history.
pub fn check_transactions(history: &History, limits: &Limits<'_>) -> TransactionReport {
    check_transactions_from(history, &Value::Nil, limits)
}

/// Decides the levels like [`check_transactions`], with the initial content `initial` of every key: if it is a list,
/// every list begins with its elements; otherwise every register holds this value.
pub fn check_transactions_from(history: &History, initial: &Value, limits: &Limits<'_>) -> TransactionReport {
    let history = &*history.with_keys_joined();
    let start = Initial::new(history, initial);
    let mut findings = Findings::new(history);
    let mut levels = Levels::default();
    let why = judge::judge(history, (initial, &start), limits, &mut findings, &mut levels).err();
    // If the checker contradicts itself, none of its results are used.
    let is_internal = matches!(why, Some(UnknownWhy::Internal { .. }));
    let status = |level| match findings.weakest() {
        _ if is_internal => Status::Unknown,
        // A refuted level stays refuted, whatever ended the check.
        Some(weakest) if level >= weakest => Status::Refuted,
        _ => levels.status(level),
    };
    let all = Level::ALL.map(|level| LevelReport { level, status: status(level) }).to_vec();
    let is_open = all.iter().any(|report| report.status == Status::NotRefuted);
    let why =
        why.or_else(|| levels.written_twice.take().filter(|_| is_open).map(|what| UnknownWhy::WrittenTwice { what }));
    let (anomalies, counts) = findings.into_parts();
    let answered = history.operations.iter().filter(|operation| operation.outcome == Outcome::Ok).count();
    TransactionReport {
        transactions: history.transactions.len(),
        answered,
        reads: levels.reads,
        dependencies: levels.dependencies,
        levels: all,
        anomalies,
        counts,
        why,
        order: levels.order,
    }
}

/// Adds a chain of moments: a transaction that has ended before one leads into it, and it leads to each that begins
/// after it.
fn add_realtime(facts: &Facts<'_>, graph: &mut Graph, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
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
fn add_processes(facts: &Facts<'_>, graph: &mut Graph) {
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
