//! Order of versions of a register, where no transaction read one version before it wrote the other.
//!
//! A transaction that read one version and wrote another made it the one right after, so that such versions form
//! chains, and of two chains, one comes completely before the other. The chain of the initial state comes before all
//! others. For the rest, time decides. In any order of the transactions, those that wrote or read a version of a
//! chain ("accesses") lie between its first writer and, at most, the first writer of the next chain. So if an access
//! of one chain comes before an access of another, the whole chain came before the other: if it came later, all its
//! accesses would come no earlier than its first writer, which comes after all accesses of the other. If the order
//! must respect real time, a chain came before another if its first access to end did so before the last access of
//! the other began. If it must respect process order, it did so if one process accessed the one after the other. Then
//! the last writer of the first chain (ww) and all readers of what it left (rw) come before the first writer of the
//! second chain.

use histories::{NEVER, Outcome, ValueId};
use rustc_hash::FxHashSet;

use super::{
    facts::Facts,
    graph::{Graph, Kind, Needs},
    indices::{ChangeIndex, KeyIndex, TransactionIndex, Vertex},
    polygraph::VersionRun,
};
use crate::index::OptionalIndex;

/// Register with the changes that its reads found.
pub(super) struct RegisterVersions {
    pub key: KeyIndex,
    /// Readers, with the place of the change that each found.
    pub reads: Vec<(TransactionIndex, ChangeIndex)>,
    /// Change by a transaction that read the initial state and replaced it.
    pub first: OptionalIndex<ChangeIndex>,
}

/// Chain of versions, each replaced by a transaction that had read it.
struct Chain {
    /// Writer of the first version; none for the initial state.
    first: Option<TransactionIndex>,
    /// Writer of the last version; none for the initial state.
    last: Option<TransactionIndex>,
    /// Readers of the last version.
    readers: Vec<TransactionIndex>,
    /// Vertex after all of these.
    out: Option<Vertex>,
    /// First end and last start of all accesses, as ranks of events.
    ended: u32,
    begun: u32,
}

impl Chain {
    /// Returns the writer of the first version of a chain other than that of the initial state.
    fn first(&self) -> TransactionIndex {
        self.first.expect("only the initial state has no writer")
    }

    /// Returns the vertex after a chain other than that of the initial state.
    fn out(&self) -> Vertex {
        self.out.expect("each chain with a writer has one")
    }

    /// Returns true if it certainly existed for some time.
    fn lasts(&self) -> bool {
        self.ended < self.begun
    }

    fn access(&mut self, facts: &Facts<'_>, transaction: TransactionIndex) {
        let operation = facts.operation(transaction);
        self.ended = self.ended.min(operation.completed);
        self.begun = self.begun.max(operation.invoked);
    }
}

/// Access of a transaction to a chain: it wrote or read one of its versions.
struct ChainAccess {
    chain: usize,
    transaction: TransactionIndex,
}

/// Returns the chains of a register, that of the initial state first, and all accesses to the others.
fn chains(
    facts: &Facts<'_>,
    register: &RegisterVersions,
    next: &[OptionalIndex<ChangeIndex>],
) -> (Vec<Chain>, Vec<ChainAccess>) {
    let range = facts.changes.range(register.key);
    let writer = |place: usize| facts.changes.rows[place].transaction;
    // It is unknown what replaced a value that several changes may have written.
    let several: FxHashSet<ValueId> = facts.twice(register.key).collect();
    let mut follows = vec![false; range.len()];
    for after in range.clone().filter_map(|place| next[place].get()) {
        follows[after.index() - range.start] = true;
    }
    let (mut all, mut accesses, mut chain_of) = (Vec::new(), Vec::new(), vec![None; range.len()]);
    // True if a version is the last of its chain.
    let mut is_last = vec![false; range.len()];
    let mut grow = |all: &mut Vec<Chain>, first: Option<TransactionIndex>, mut place: OptionalIndex<ChangeIndex>| {
        let mut chain = Chain { first, last: first, readers: Vec::new(), out: None, ended: NEVER, begun: 0 };
        while let Some(at) = place.get().map(ChangeIndex::index)
            && chain_of[at - range.start].is_none()
        {
            chain_of[at - range.start] = Some(all.len());
            chain.last = Some(writer(at));
            if first.is_some() {
                accesses.push(ChainAccess { chain: all.len(), transaction: writer(at) });
                chain.access(facts, writer(at));
            }
            is_last[at - range.start] = next[at].get().is_none();
            place = next[at];
        }
        all.push(chain);
    };
    grow(&mut all, None, register.first);
    for place in range.clone() {
        let number = ChangeIndex::from(place);
        let is_final = facts.is_final(register.key, number);
        let begins = !follows[place - range.start] && register.first.get() != Some(number);
        let is_known = !several.contains(&facts.changes.rows[place].value);
        if is_final && begins && is_known && facts.happened[writer(place).index()] {
            grow(&mut all, Some(writer(place)), number.into());
        }
    }
    for &(reader, place) in &register.reads {
        if place == facts.initial_version() {
            if register.first.get().is_none() {
                all[0].readers.push(reader);
            }
            continue;
        }
        // If it has none, it lies on a cycle of versions.
        let place = place.index() - range.start;
        let Some(chain) = chain_of[place] else { continue };
        if is_last[place] {
            all[chain].readers.push(reader);
        }
        if chain > 0 {
            accesses.push(ChainAccess { chain, transaction: reader });
            all[chain].access(facts, reader);
        }
    }
    (all, accesses)
}

/// Adds edges for the versions of which one came before another. `next` is the change after each.
pub(super) fn relate(
    facts: &Facts<'_>,
    graph: &mut Graph,
    register: &RegisterVersions,
    next: &[OptionalIndex<ChangeIndex>],
) {
    let (mut chains, mut accesses) = chains(facts, register, next);
    for chain in &mut chains {
        if chain.last.is_none() && chain.readers.is_empty() {
            continue;
        }
        let out = *chain.out.insert(graph.between());
        if let Some(last) = chain.last {
            graph.add(last, out, Kind::Ww, Needs::Snapshots, register.key);
        }
        for &reader in &chain.readers {
            graph.add(reader, out, Kind::Rw, Needs::Snapshots, register.key);
        }
    }
    let (initial, others) = chains.split_first().expect("the chain of the initial state is always there");
    if let Some(out) = initial.out {
        for chain in others {
            graph.add(out, chain.first(), Kind::Onward, Needs::Snapshots, register.key);
        }
    }
    by_realtime(graph, register.key, others);
    by_processes(facts, graph, register.key, &chains, &mut accesses);
}

/// Returns the chains that are not in order yet: all but that of the initial state.
pub(super) fn unordered(
    facts: &Facts<'_>,
    register: &RegisterVersions,
    next: &[OptionalIndex<ChangeIndex>],
) -> Vec<VersionRun> {
    let (chains, accesses) = chains(facts, register, next);
    let mut all: Vec<Vec<TransactionIndex>> = vec![Vec::new(); chains.len()];
    for access in accesses {
        all[access.chain].push(access.transaction);
    }
    let items = chains.into_iter().zip(all).skip(1);
    items
        .map(|(chain, all)| VersionRun::new(chain.first(), chain.last.unwrap_or(chain.first()), chain.readers, all))
        .collect()
}

/// Adds a row of moments at which a chain's first access had ended. A chain that lasts would come before itself if it
/// followed such a moment. So it follows the moment before its own, and one by one the chains that ended since then,
/// up to another one that lasts: that one contradicts it, which is enough. So each moment is looked at by one chain
/// only, and the number of edges stays linear.
fn by_realtime(graph: &mut Graph, key: KeyIndex, chains: &[Chain]) {
    let known = (0..chains.len()).filter(|&chain| chains[chain].ended != NEVER);
    let mut entries: Vec<usize> = known.collect();
    entries.sort_unstable_by_key(|&chain| chains[chain].ended);
    let mut place_of = vec![entries.len(); chains.len()];
    let mut moments: Vec<Vertex> = Vec::with_capacity(entries.len());
    for (place, &chain) in entries.iter().enumerate() {
        place_of[chain] = place;
        let moment = graph.between();
        graph.add(chains[chain].out(), moment, Kind::Onward, Needs::Realtime, key);
        if let Some(&before) = moments.last() {
            graph.add(before, moment, Kind::Onward, Needs::Realtime, key);
        }
        moments.push(moment);
    }
    for (number, chain) in chains.iter().enumerate() {
        let ended = entries.partition_point(|&other| chains[other].ended < chain.begun);
        let before = ended.min(place_of[number]);
        if let Some(moment) = before.checked_sub(1) {
            graph.add(moments[moment], chain.first(), Kind::Onward, Needs::Realtime, key);
        }
        for &other in entries.iter().take(ended).skip(before + 1) {
            graph.add(chains[other].out(), chain.first(), Kind::Onward, Needs::Realtime, key);
            if chains[other].lasts() {
                break;
            }
        }
    }
}

/// Adds process order: from each access of a process to the next one.
fn by_processes(facts: &Facts<'_>, graph: &mut Graph, key: KeyIndex, chains: &[Chain], accesses: &mut [ChainAccess]) {
    let process = |access: &ChainAccess| facts.operation(access.transaction).process;
    accesses.sort_unstable_by_key(|access| (process(access), access.transaction));
    for pair in accesses.windows(2).filter(|pair| process(&pair[0]) == process(&pair[1])) {
        let ended = facts.outcome(pair[0].transaction) == Outcome::Ok && pair[0].transaction != pair[1].transaction;
        if ended && pair[0].chain != pair[1].chain {
            let (before, after) = (chains[pair[0].chain].out(), chains[pair[1].chain].first());
            graph.add(before, after, Kind::Onward, Needs::Process, key);
        }
    }
}
