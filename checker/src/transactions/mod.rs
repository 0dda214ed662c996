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

mod cycles;
mod elements;
mod facts;
mod findings;
mod graph;
mod indices;
mod judge;
mod levels;
mod limit;
mod links;
mod lists;
mod polygraph;
mod registers;
mod report;
mod room;
mod small;
mod time_order;
mod verify;
mod versions;

use histories::{History, Outcome, Value};

use crate::{Limits, UnknownWhy};
use facts::Initial;
use findings::Findings;
use levels::Levels;

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
    let written_twice = levels.written_twice.take();
    let why = why.or_else(|| written_twice.clone().filter(|_| is_open).map(|what| UnknownWhy::WrittenTwice { what }));
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
        written_twice,
        order: levels.order,
    }
}
