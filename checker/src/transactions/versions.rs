//! Registers: which of two versions came first, where no transaction read the one before it wrote the other.
//!
//! A transaction that read one version and wrote another made it the one right after, so that such versions form chains; two chains stand
//! one whole after the other. The chain of the initial state comes before all others. Of the rest, time tells. In any order of the transactions,
//! those that wrote or read a version of a chain ("accesses") stand from its first writer up to, at most, the first writer of the next
//! chain. So if an access of one chain stands before an access of another, then it came before it whole: if it came later, its accesses
//! would all stand no earlier than its first writer, which comes after all accesses of the other. Where order must keep real time, a chain
//! came before another if its first access to end did so before the last access of the other began; where it must keep processes, if one
//! process did the one after the other. Then the last writer of the one (ww) and all who read what it left (rw) come before the first
//! writer of the other.

use histories::{NEVER, Outcome, ValueId};
use rustc_hash::FxHashSet;

use super::{
    facts::Facts,
    graph::{Graph, Kind, NONE, Needs},
    polygraph::Item,
};

/// A register as its reads show it.
pub(super) struct Register {
    pub key: u32,
    /// Readers, and the place of the change that they found.
    pub reads: Vec<(u32, usize)>,
    /// The change of one that read the initial state and replaced it, or [`NONE`].
    pub first: u32,
    /// What stands for the place of the initial state.
    pub initial: usize,
}

/// Versions of which each was replaced by one who had read it.
pub(super) struct Chain {
    /// Who wrote the first of them; [`NONE`] where that is the initial state.
    pub first: u32,
    /// Who wrote the last of them; [`NONE`] as for the first.
    pub last: u32,
    /// Who read the last of them.
    pub readers: Vec<u32>,
    /// The vertex after all of these.
    out: u32,
    /// When the first of all accesses ended, and the last began, as ranks of events.
    ended: u32,
    begun: u32,
}

impl Chain {
    /// Whether it certainly was there for some time.
    fn lasts(&self) -> bool {
        self.ended < self.begun
    }

    fn access(&mut self, facts: &Facts<'_>, transaction: u32) {
        let operation = facts.operation(transaction);
        self.ended = self.ended.min(operation.completed);
        self.begun = self.begun.max(operation.invoked);
    }
}

/// That a transaction wrote or read a version of a chain.
struct Access {
    chain: usize,
    transaction: u32,
}

/// The chains of a register, that of the initial state first, and all accesses but those of that one.
fn chains(facts: &Facts<'_>, register: &Register, next: &[u32]) -> (Vec<Chain>, Vec<Access>) {
    let range = facts.changes.range(register.key);
    let writer = |place: usize| facts.changes.rows[place].transaction;
    // What a value that more than one may have written was replaced by, nobody knows.
    let several: FxHashSet<ValueId> = facts.twice(register.key).collect();
    let mut follows = vec![false; range.len()];
    for place in range.clone().filter(|&place| next[place] != NONE) {
        follows[next[place] as usize - range.start] = true;
    }
    let (mut all, mut accesses, mut chain_of) = (Vec::new(), Vec::new(), vec![usize::MAX; range.len()]);
    // Whether a version is the last of its chain.
    let mut is_last = vec![false; range.len()];
    let mut grow = |all: &mut Vec<Chain>, first: u32, mut place: usize| {
        let mut chain = Chain { first, last: first, readers: Vec::new(), out: NONE, ended: NEVER, begun: 0 };
        while place != NONE as usize && chain_of[place - range.start] == usize::MAX {
            chain_of[place - range.start] = all.len();
            chain.last = writer(place);
            if first != NONE {
                accesses.push(Access { chain: all.len(), transaction: chain.last });
                chain.access(facts, chain.last);
            }
            is_last[place - range.start] = next[place] == NONE;
            place = next[place] as usize;
        }
        all.push(chain);
    };
    grow(&mut all, NONE, register.first as usize);
    for place in range.clone() {
        let is_final = facts.is_final(register.key, u32::try_from(place).expect("it was counted"));
        let begins = !follows[place - range.start] && Some(place) != usize::try_from(register.first).ok();
        let is_known = !several.contains(&facts.changes.rows[place].value);
        if is_final && begins && is_known && facts.happened[writer(place) as usize] {
            grow(&mut all, writer(place), place);
        }
    }
    for &(reader, place) in &register.reads {
        if place == register.initial {
            if register.first == NONE {
                all[0].readers.push(reader);
            }
            continue;
        }
        let chain = chain_of[place - range.start];
        if chain == usize::MAX {
            // It lies on a circle of versions, which is none of the chains.
            continue;
        }
        if is_last[place - range.start] {
            all[chain].readers.push(reader);
        }
        if chain > 0 {
            accesses.push(Access { chain, transaction: reader });
            all[chain].access(facts, reader);
        }
    }
    (all, accesses)
}

/// Adds who comes before whom because one version came before another. `next` is the change after each, or [`NONE`].
pub(super) fn relate(facts: &Facts<'_>, graph: &mut Graph, register: &Register, next: &[u32]) {
    let (mut chains, mut accesses) = chains(facts, register, next);
    for chain in &mut chains {
        if chain.last == NONE && chain.readers.is_empty() {
            continue;
        }
        chain.out = graph.between();
        if chain.last != NONE {
            graph.add(chain.last, chain.out, Kind::Ww, Needs::Snapshots, register.key);
        }
        for &reader in &chain.readers {
            graph.add(reader, chain.out, Kind::Rw, Needs::Snapshots, register.key);
        }
    }
    let (initial, others) = chains.split_first().expect("the chain of the initial state is always there");
    if initial.out != NONE {
        for chain in others {
            graph.add(initial.out, chain.first, Kind::Onward, Needs::Snapshots, register.key);
        }
    }
    by_realtime(graph, register.key, others);
    by_processes(facts, graph, register.key, &chains, &mut accesses);
}

/// What is not in order yet: all chains of a register but that of the initial state.
pub(super) fn unordered(facts: &Facts<'_>, register: &Register, next: &[u32]) -> Vec<Item> {
    let (chains, accesses) = chains(facts, register, next);
    let mut all: Vec<Vec<u32>> = vec![Vec::new(); chains.len()];
    for access in accesses {
        all[access.chain].push(access.transaction);
    }
    let items = chains.into_iter().zip(all).skip(1);
    items.map(|(chain, all)| Item::new(chain.first, chain.last, chain.readers, all)).collect()
}

/// A row of moments at which a chain's first access had ended. A chain that lasts would come before itself: it follows the
/// moment before its own, and those that ended since one by one, up to another that lasts: that one contradicts it, which is
/// enough. So each moment is looked at by one chain only, and all stays linear.
fn by_realtime(graph: &mut Graph, key: u32, chains: &[Chain]) {
    let known = (0..chains.len()).filter(|&chain| chains[chain].ended != NEVER);
    let mut entries: Vec<usize> = known.collect();
    entries.sort_unstable_by_key(|&chain| chains[chain].ended);
    let mut place_of = vec![usize::MAX; chains.len()];
    let mut moments: Vec<u32> = Vec::with_capacity(entries.len());
    for (place, &chain) in entries.iter().enumerate() {
        place_of[chain] = place;
        let moment = graph.between();
        graph.add(chains[chain].out, moment, Kind::Onward, Needs::Realtime, key);
        if let Some(&before) = moments.last() {
            graph.add(before, moment, Kind::Onward, Needs::Realtime, key);
        }
        moments.push(moment);
    }
    for (number, chain) in chains.iter().enumerate() {
        let ended = entries.partition_point(|&other| chains[other].ended < chain.begun);
        let before = ended.min(place_of[number]);
        if let Some(moment) = before.checked_sub(1) {
            graph.add(moments[moment], chain.first, Kind::Onward, Needs::Realtime, key);
        }
        for &other in entries.iter().take(ended).skip(before + 1) {
            graph.add(chains[other].out, chain.first, Kind::Onward, Needs::Realtime, key);
            if chains[other].lasts() {
                break;
            }
        }
    }
}

/// Of one process, each access after the one before it.
fn by_processes(facts: &Facts<'_>, graph: &mut Graph, key: u32, chains: &[Chain], accesses: &mut [Access]) {
    let process = |access: &Access| facts.operation(access.transaction).process;
    accesses.sort_unstable_by_key(|access| (process(access), access.transaction));
    for pair in accesses.windows(2).filter(|pair| process(&pair[0]) == process(&pair[1])) {
        let ended = facts.outcome(pair[0].transaction) == Outcome::Ok && pair[0].transaction != pair[1].transaction;
        if ended && pair[0].chain != pair[1].chain {
            let (before, after) = (chains[pair[0].chain].out, chains[pair[1].chain].first);
            graph.add(before, after, Kind::Onward, Needs::Process, key);
        }
    }
}
