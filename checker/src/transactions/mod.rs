//! Transactions over lists and registers, in the way of Elle (Kingsbury and Alvaro, VLDB 2020): who must come before whom, and the
//! anomalies that this shows, by name.
//!
//! Of lists the answer is exact from serializable on (`lists`); of registers only anomalies are known for certain (`registers`). Real time
//! takes a chain of vertices, one for each moment at which something had ended before something else began: whoever ended leads into
//! the chain, and the chain to whoever began, so that a million transactions need millions of edges and not their square.
//! A transaction of unknown outcome happened if something of it was read; else nobody can tell, and it is left out, which no answer contradicts.

mod cycles;
mod facts;
mod findings;
mod graph;
mod limit;
mod lists;
mod registers;
mod report;
mod tell;
mod verify;
mod versions;
mod words;

use histories::{History, NEVER, Outcome};
use rustc_hash::FxHashMap;

use crate::{Limits, UnknownWhy};
use facts::{Class, Facts};
use findings::Findings;
use graph::{Graph, Kind, NONE, Needs};
use limit::Limit;
use lists::Lists;
use tell::Teller;

pub use report::{Anomaly, AnomalyKind, Because, Count, Level, LevelReport, Link, Orders, Status, TransactionReport};

/// Which isolation levels a history of transactions keeps, and the anomalies that refute the others.
///
/// Each key is a list (`append` and `r`) or a register (`w` and `r`), with values that are written only once.
/// From serializable on, [`Status::Holds`] comes with an order that was replayed, and each cycle was looked up in the history again.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn check_transactions(history: &History, limits: &Limits<'_>) -> TransactionReport {
    let mut findings = Findings::new(history);
    let found = judge(history, limits, &mut findings);
    let (levels, order, why) = match found {
        Ok((levels, order)) => (levels, order, None),
        Err(why) => (vec![Status::Unknown; Level::ALL.len()], None, Some(why)),
    };
    let levels = Level::ALL.into_iter().zip(levels).map(|(level, status)| LevelReport {
        level,
        // What is refuted stays so, whatever ended the check.
        status: if findings.weakest().is_some_and(|weakest| level >= weakest) { Status::Refuted } else { status },
    });
    let levels = levels.collect();
    let (anomalies, counts) = findings.into_parts();
    TransactionReport { transactions: history.transactions.len(), levels, anomalies, counts, why, order }
}

type Judged = (Vec<Status>, Option<Vec<u32>>);

fn judge<'h>(history: &'h History, limits: &Limits<'_>, findings: &mut Findings<'h>) -> Result<Judged, UnknownWhy> {
    if let Some(other) = (0..history.operations.len()).find(|&at| history.transactions.at(at).is_none()) {
        let name = history.function_name(history.operations[other].function).to_owned();
        return Err(UnknownWhy::Function { name });
    }
    let limit = Limit::new(limits, history.transactions.len());
    let mut facts = Facts::gather(history, findings, &limit)?;
    limit.fits(&facts)?;
    let mut graph = Graph::new(history.transactions.len());
    let mut lists = Lists::resolve(&mut facts, findings, &limit)?;
    registers::relate(&mut facts, findings, &mut graph, &limit)?;
    lists.relate(&facts, findings, &mut graph, &limit)?;
    add_realtime(&facts, &mut graph, &limit)?;
    limit.keep_going()?;
    let exact = facts.classes.iter().all(|class| *class == Class::List);
    let weak = findings.weakest();
    let order = graph.order(Needs::Realtime, &limit)?;
    if weak.is_none()
        && let Ok(order) = &order
    {
        let order = operations_of(&facts, order);
        return settle(history, exact, Level::StrictSerializable, order, &limit);
    }
    if order.is_err() {
        limit.edges(&graph, facts.happened.len())?;
        add_processes(&facts, &mut graph);
        find_cycles(&facts, &lists, findings, &graph, &limit)?;
        if findings.weakest().is_none() {
            bug("a cycle that refutes nothing");
        }
    }
    for (level, needs) in [(Level::StrongSessionSerializable, Needs::Process), (Level::Serializable, Needs::Snapshots)]
    {
        limit.keep_going()?;
        if findings.weakest().is_none_or(|weakest| weakest > level) {
            let order = graph.order(needs, &limit)?.unwrap_or_else(|_| bug("a cycle that refutes nothing"));
            return settle(history, exact, level, operations_of(&facts, &order), &limit);
        }
    }
    // Of weaker levels there is no order; the rules about cycles are exact where all versions are in order.
    let status = |level| match level {
        Level::SnapshotIsolation if !exact || lists.loose_ends => Status::NotRefuted,
        _ if !exact => Status::NotRefuted,
        _ => Status::Holds,
    };
    Ok((Level::ALL.map(status).to_vec(), None))
}

fn bug(what: &str) -> ! {
    panic!("this is a bug in schism: {what}")
}

/// What holds where nothing refutes `level`, and `order` keeps all that is known.
fn settle(
    history: &History,
    exact: bool,
    level: Level,
    order: Vec<u32>,
    limit: &Limit<'_>,
) -> Result<Judged, UnknownWhy> {
    Ok(match verify::replay(history, &order, level, |steps| limit.steps(steps))? {
        Ok(()) => (vec![Status::Holds; Level::ALL.len()], Some(order)),
        Err(why) if exact => bug(&format!("an order of transactions that is none: {why}")),
        Err(_) => (vec![Status::NotRefuted; Level::ALL.len()], None),
    })
}

fn operations_of(facts: &Facts<'_>, order: &[u32]) -> Vec<u32> {
    let happened =
        order.iter().filter(|&&vertex| facts.happened.get(vertex as usize).is_some_and(|happened| *happened));
    let operation = |&vertex: &u32| facts.history.transactions.operation(vertex as usize);
    happened.map(|vertex| u32::try_from(operation(vertex)).expect("operations are counted so")).collect()
}

fn find_cycles<'h>(
    facts: &Facts<'h>,
    lists: &Lists,
    findings: &mut Findings<'h>,
    graph: &Graph,
    limit: &Limit<'_>,
) -> Result<(), UnknownWhy> {
    let alive = graph.order(Needs::Realtime, limit)?.err().unwrap_or_default();
    limit.keep_going()?;
    let teller = Teller { facts, lists };
    for component in cycles::components(graph, &alive) {
        limit.keep_going()?;
        for cycle in cycles::worst(graph.transactions, &component, limit)? {
            findings.add_with(cycle.kind, cycle.orders, cycle.refutes, || {
                let told = teller.cycle(&cycle);
                for link in &told.2 {
                    if let Err(why) = verify::confirm(facts.history, link) {
                        bug(&format!("a link of a cycle that the history does not show: {why}"));
                    }
                }
                told
            });
        }
    }
    Ok(())
}

/// A chain of moments: whoever has ended before one leads into it, and it leads to whoever begins after it.
fn add_realtime(facts: &Facts<'_>, graph: &mut Graph, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
    let happened = || (0..graph_len(facts)).filter(|&t| facts.happened[t as usize]);
    let ended = happened().map(|t| (facts.operation(t).completed, t)).filter(|(rank, _)| *rank != NEVER);
    limit.room(facts.happened.len() * 2 * size_of::<(u32, u32)>())?;
    let mut ended: Vec<(u32, u32)> = ended.collect();
    ended.sort_unstable();
    let mut ended = ended.into_iter().peekable();
    let mut moment = NONE;
    for transaction in happened() {
        limit.step()?;
        limit.edges(graph, 4)?;
        let begun = facts.operation(transaction).invoked;
        let mut fresh = NONE;
        while let Some((_, before)) = ended.next_if(|(rank, _)| *rank < begun) {
            if fresh == NONE {
                fresh = graph.between();
            }
            graph.add(before, fresh, Kind::Realtime, Needs::Realtime, NONE);
        }
        if fresh != NONE {
            if moment != NONE {
                graph.add(moment, fresh, Kind::Onward, Needs::Realtime, NONE);
            }
            moment = fresh;
        }
        if moment != NONE {
            graph.add(moment, transaction, Kind::Onward, Needs::Realtime, NONE);
        }
    }
    Ok(())
}

fn graph_len(facts: &Facts<'_>) -> u32 {
    u32::try_from(facts.happened.len()).expect("there are fewer transactions than events")
}

/// Each process's transactions, one after the other. Real time implies it, so it is added only to name what it refutes.
fn add_processes(facts: &Facts<'_>, graph: &mut Graph) {
    let mut last: FxHashMap<u32, u32> = FxHashMap::default();
    for transaction in (0..graph_len(facts)).filter(|&t| facts.happened[t as usize]) {
        let operation = facts.operation(transaction);
        if let Some(&before) = last.get(&operation.process) {
            graph.add(before, transaction, Kind::Process, Needs::Process, NONE);
        }
        if operation.outcome == Outcome::Ok {
            last.insert(operation.process, transaction);
        }
    }
}
