//! Registers: which of two versions came first, where no transaction read the one before it wrote the other.
//!
//! The initial state comes before all versions: whoever read it comes before every other writer. Of the rest, time tells. In any
//! order of the transactions, those that wrote or read version v ("accesses") stand from v's writer up to, at most, the writer of the next
//! version (which may have read v itself). So if an access of u stands before an access of another version v, then u came before v: if v
//! came first, its accesses would all stand no later than u's writer, and u's no earlier. Where order must keep real time, u came before v
//! if the first access of u to end did so before the last access of v began; where it must keep processes, if one process did the one
//! after the other. Then u's writer (ww) and all its readers (rw) come before v's writer. Where a transaction replaced u that had read
//! it, these already come before that transaction, and nothing is added for u.

use histories::{NEVER, Outcome};

use super::{
    facts::Facts,
    graph::{Graph, Kind, NONE, Needs},
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

/// A version that happened and that its writer left behind.
struct Version {
    writer: u32,
    /// The vertex after its writer and all its readers; [`NONE`] where one of them replaced it.
    out: u32,
    /// When the first of its accesses ended, and the last began, as ranks of events.
    ended: u32,
    begun: u32,
}

impl Version {
    /// Whether it certainly was there for some time.
    fn lasts(&self) -> bool {
        self.ended < self.begun
    }
}

struct Access {
    version: usize,
    transaction: u32,
}

/// Adds who comes before whom because one version came before another. `next` is the change after each, or [`NONE`].
pub(super) fn relate(facts: &Facts<'_>, graph: &mut Graph, register: &Register, next: &[u32]) {
    let range = facts.changes.range(register.key);
    let (mut versions, mut accesses, mut number) = (Vec::new(), Vec::new(), vec![usize::MAX; range.len()]);
    for place in range.clone() {
        let writer = facts.changes.rows[place].transaction;
        let is_final = facts.is_final(register.key, u32::try_from(place).expect("it was counted"));
        if is_final && facts.happened[writer as usize] {
            let out = if next[place] == NONE { graph.between() } else { NONE };
            number[place - range.start] = versions.len();
            accesses.push(Access { version: versions.len(), transaction: writer });
            versions.push(Version { writer, out, ended: NEVER, begun: 0 });
            if out != NONE {
                graph.add(writer, out, Kind::Ww, Needs::Snapshots, register.key);
            }
        }
    }
    for &(reader, place) in register.reads.iter().filter(|(_, place)| *place != register.initial) {
        let version = number[place - range.start];
        accesses.push(Access { version, transaction: reader });
        if versions[version].out != NONE {
            graph.add(reader, versions[version].out, Kind::Rw, Needs::Snapshots, register.key);
        }
    }
    for access in &accesses {
        let operation = facts.operation(access.transaction);
        let version = &mut versions[access.version];
        version.ended = version.ended.min(operation.completed);
        version.begun = version.begun.max(operation.invoked);
    }
    initial_first(facts, graph, register, &versions);
    by_realtime(graph, register.key, &versions);
    by_processes(facts, graph, register.key, &versions, &mut accesses);
}

fn initial_first(facts: &Facts<'_>, graph: &mut Graph, register: &Register, versions: &[Version]) {
    let first = facts.changes.rows.get(register.first as usize).map(|change| change.transaction);
    // All others who read the initial state already come before the one that replaced it.
    let of_initial = register.reads.iter().filter(|(_, place)| *place == register.initial);
    let readers: Vec<u32> = first.map_or_else(|| of_initial.map(|(reader, _)| *reader).collect(), |first| vec![first]);
    if readers.is_empty() {
        return;
    }
    let between = graph.between();
    for reader in readers {
        graph.add(reader, between, Kind::Rw, Needs::Snapshots, register.key);
    }
    for version in versions.iter().filter(|version| Some(version.writer) != first) {
        graph.add(between, version.writer, Kind::Onward, Needs::Snapshots, register.key);
    }
}

/// A chain of moments at which a version's first access had ended. A version that lasts would come before itself: it follows the
/// moment before its own, and those that ended since one by one, up to another that lasts: that one contradicts it, which is
/// enough. So each moment is looked at by one version only, and all stays linear.
fn by_realtime(graph: &mut Graph, key: u32, versions: &[Version]) {
    let known = (0..versions.len()).filter(|&v| versions[v].out != NONE && versions[v].ended != NEVER);
    let mut entries: Vec<usize> = known.collect();
    entries.sort_unstable_by_key(|&v| versions[v].ended);
    let mut place_of = vec![usize::MAX; versions.len()];
    let mut moments: Vec<u32> = Vec::with_capacity(entries.len());
    for (place, &version) in entries.iter().enumerate() {
        place_of[version] = place;
        let moment = graph.between();
        graph.add(versions[version].out, moment, Kind::Onward, Needs::Realtime, key);
        if let Some(&before) = moments.last() {
            graph.add(before, moment, Kind::Onward, Needs::Realtime, key);
        }
        moments.push(moment);
    }
    for (number, version) in versions.iter().enumerate() {
        let ended = entries.partition_point(|&v| versions[v].ended < version.begun);
        let before = ended.min(place_of[number]);
        if let Some(moment) = before.checked_sub(1) {
            graph.add(moments[moment], version.writer, Kind::Onward, Needs::Realtime, key);
        }
        for &other in entries.iter().take(ended).skip(before + 1) {
            graph.add(versions[other].out, version.writer, Kind::Onward, Needs::Realtime, key);
            if versions[other].lasts() {
                break;
            }
        }
    }
}

/// Of one process, each access after the one before it.
fn by_processes(facts: &Facts<'_>, graph: &mut Graph, key: u32, versions: &[Version], accesses: &mut [Access]) {
    let process = |access: &Access| facts.operation(access.transaction).process;
    // What a transaction read comes before what it wrote.
    let writes = |access: &Access| versions[access.version].writer == access.transaction;
    accesses.sort_unstable_by_key(|access| (process(access), access.transaction, writes(access)));
    for pair in accesses.windows(2).filter(|pair| process(&pair[0]) == process(&pair[1])) {
        let [before, after] = [&pair[0], &pair[1]].map(|access| &versions[access.version]);
        let ended = facts.outcome(pair[0].transaction) == Outcome::Ok && pair[0].transaction != pair[1].transaction;
        if ended && pair[0].version != pair[1].version && before.out != NONE {
            graph.add(before.out, after.writer, Kind::Onward, Needs::Process, key);
        }
    }
}
