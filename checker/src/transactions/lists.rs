//! Lists: every read of one is a prefix of the longest, which so tells the order of its versions.
//!
//! Elements are unique, so each was added by one transaction. Those of one transaction must stand together in its order ("run"); runs
//! follow one another (ww), whoever read up to a run comes after it (wr) and before the next (rw). Additions that nobody read come after
//! the longest read and after (rw) whoever read all of it; among themselves they may stand in any order. An order of the
//! transactions that keeps all this, and in which no read was intermediate, gives every read what it returned: of what each reader saw, all
//! runs stand before it and no other does. So no anomaly and no cycle is the same as serializable, and with real time as strict serializable.

use histories::{Outcome, ValueId};

use super::{
    facts::{Class, Facts, Read},
    findings::Findings,
    graph::{Graph, Kind, NONE, Needs},
    limit::Limit,
    report::{AnomalyKind, Level},
    words,
};
use crate::UnknownWhy;

/// The longest read of each list, and who added its elements.
#[derive(Debug)]
pub(super) struct Lists {
    /// By key; [`NONE`] where there is no read, or reads contradict each other.
    pub longest: Vec<u32>,
    /// Where the elements of each key's longest read begin in `writers`.
    begins: Vec<usize>,
    /// For each element, the place of its change; [`NONE`] if nobody wrote it.
    writers: Vec<u32>,
    /// For each change, whether it is in the longest read.
    seen: Vec<bool>,
    broken: Vec<bool>,
    /// Whether some list has several additions that happened and that nobody read.
    pub loose_ends: bool,
}

impl Lists {
    /// Finds the longest reads, who wrote what they contain, and so which transactions of unknown outcome happened.
    pub(super) fn resolve<'h>(
        facts: &mut Facts<'h>,
        findings: &mut Findings<'h>,
        limit: &Limit<'_>,
    ) -> Result<Self, UnknownWhy> {
        let keys = facts.keys.len();
        let bytes = keys * (2 * size_of::<u32>() + 1) + facts.changes.rows.len();
        limit.room(bytes + facts.history.values.len() * size_of::<u32>())?;
        let mut lists = Self {
            longest: vec![NONE; keys],
            begins: vec![0; keys],
            writers: Vec::new(),
            seen: vec![false; facts.changes.rows.len()],
            broken: vec![false; keys],
            loose_ends: false,
        };
        let mut slots = vec![NONE; facts.history.values.len()];
        for key in (0..).take(keys) {
            limit.step()?;
            if facts.classes[key as usize] == Class::List {
                facts.writers(key, &mut slots)?;
                lists.resolve_key(facts, findings, key, &slots, limit)?;
                facts.forget(key, &mut slots);
            }
        }
        Ok(lists)
    }

    fn resolve_key<'h>(
        &mut self,
        facts: &mut Facts<'h>,
        findings: &mut Findings<'h>,
        key: u32,
        slots: &[u32],
        limit: &Limit<'_>,
    ) -> Result<(), UnknownWhy> {
        self.begins[key as usize] = self.writers.len();
        let reads = facts.reads.of(key);
        let Some(longest) = (0..reads.len()).rev().max_by_key(|&place| reads[place].list.len()) else { return Ok(()) };
        let name = || words::key(facts.history.value(facts.keys[key as usize]));
        let mut contradicts = None;
        for read in reads {
            limit.steps(1 + read.list.len() / 16)?;
            if !reads[longest].list.starts_with(read.list) {
                contradicts = Some(read);
                break;
            }
        }
        if let Some(other) = contradicts {
            let both = [reads[longest].transaction, other.transaction];
            let claim = || format!("T1 and T2 read {} in two orders: neither list continues the other", name());
            findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, &both, claim);
            self.broken[key as usize] = true;
            return Ok(());
        }
        self.longest[key as usize] =
            u32::try_from(facts.reads.range(key).start + longest).expect("there are fewer reads than micro-operations");
        let list = reads[longest].list;
        for (place, element) in list.iter().enumerate() {
            limit.step()?;
            let (writer, value) = (slots[element.0 as usize], || facts.history.value(*element));
            self.writers.push(writer);
            let first_reader = || reads.iter().find(|read| read.list.len() > place).map_or(0, |read| read.transaction);
            if writer == NONE {
                let claim = || format!("T1 read {} in {}, which nobody ever added", value(), name());
                findings.add(AnomalyKind::UnwrittenRead, Level::ReadCommitted, &[first_reader()], claim);
                continue;
            }
            if std::mem::replace(&mut self.seen[writer as usize], true) {
                let claim = || format!("T1 read {} twice in {}, though it was added once", value(), name());
                let reader = [reads[longest].transaction];
                findings.add(AnomalyKind::DuplicateElements, Level::ReadUncommitted, &reader, claim);
                self.broken[key as usize] = true;
            }
            let transaction = facts.changes.rows[writer as usize].transaction;
            if facts.outcome(transaction) == Outcome::Fail {
                let claim =
                    || format!("T1 read {} in {}, which T2 added; but T2 failed: it did not happen", value(), name());
                findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[first_reader(), transaction], claim);
            } else {
                facts.happened[transaction as usize] = true;
            }
            let is_first = writer as usize == facts.changes.range(key).start
                || facts.changes.rows[writer as usize - 1].transaction != transaction;
            if !is_first && !self.seen[writer as usize - 1] {
                let claim = || format!("T1 read {} in {} before what T2 had added there before it", value(), name());
                let both = [reads[longest].transaction, transaction];
                findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, &both, claim);
            }
        }
        Ok(())
    }

    /// Adds what each list says about who comes before whom.
    pub(super) fn relate<'h>(
        &mut self,
        facts: &Facts<'h>,
        findings: &mut Findings<'h>,
        graph: &mut Graph,
        limit: &Limit<'_>,
    ) -> Result<(), UnknownWhy> {
        limit.room(3 * facts.happened.len() * size_of::<u32>())?;
        let mut scratch = Scratch {
            changed: vec![NONE; facts.happened.len()],
            unread: vec![NONE; facts.happened.len()],
            read_all: vec![NONE; facts.happened.len()],
            ..Scratch::default()
        };
        for key in (0..).take(facts.keys.len()) {
            limit.key(facts, graph, key)?;
            if facts.classes[key as usize] == Class::List && !self.broken[key as usize] {
                self.relate_key(facts, findings, graph, &mut scratch, key);
            }
        }
        Ok(())
    }

    fn relate_key<'h>(
        &mut self,
        facts: &Facts<'h>,
        findings: &mut Findings<'h>,
        graph: &mut Graph,
        scratch: &mut Scratch,
        key: u32,
    ) {
        let read = self.longest[key as usize];
        let list: &[ValueId] = if read == NONE { &[] } else { facts.reads.rows[read as usize].list };
        let writers = &self.writers[self.begins[key as usize]..][..list.len()];
        runs(facts, findings, scratch, key, writers);
        for pair in scratch.runs.windows(2) {
            graph.add(pair[0], pair[1], Kind::Ww, Needs::Nothing, key);
        }
        let range = facts.changes.range(key);
        scratch.loose.clear();
        for place in range {
            let transaction = facts.changes.rows[place].transaction;
            scratch.changed[transaction as usize] = key;
            let unread = facts.happened[transaction as usize] && !self.seen[place];
            if unread && scratch.loose.last() != Some(&transaction) && scratch.runs.last() != Some(&transaction) {
                scratch.loose.push(transaction);
                scratch.unread[transaction as usize] = key;
            }
        }
        scratch.full.clear();
        scratch.first_change.clear();
        scratch.first_change.resize(list.len() + 1, NONE);
        for read in facts.reads.of(key) {
            relate_read(facts, findings, graph, scratch, key, read, writers);
        }
        self.loose_ends |= scratch.loose.len() > 1;
        scratch.tie_loose_ends(graph, key);
    }
}

/// What is used anew for each key.
#[derive(Debug, Default)]
struct Scratch {
    /// Who added what the longest read contains.
    runs: Vec<u32>,
    /// For each length of a prefix, how many runs begin in it.
    runs_before: Vec<usize>,
    /// Who read all of it, before adding anything.
    full: Vec<u32>,
    /// Who added what nobody read.
    loose: Vec<u32>,
    /// For each length of a prefix, who read it first and added to the list.
    first_change: Vec<u32>,
    /// For each transaction, the last key to which it added.
    changed: Vec<u32>,
    /// For each transaction, the last key that it is a loose end of.
    unread: Vec<u32>,
    /// For each transaction, the last key of which it read all.
    read_all: Vec<u32>,
}

/// The runs of the longest read, of those that happened.
fn runs<'h>(facts: &Facts<'h>, findings: &mut Findings<'h>, scratch: &mut Scratch, key: u32, writers: &[u32]) {
    scratch.runs.clear();
    scratch.runs_before.clear();
    let mut dead = None;
    for &writer in writers {
        scratch.runs_before.push(scratch.runs.len());
        if writer == NONE {
            continue;
        }
        let transaction = facts.changes.rows[writer as usize].transaction;
        if !facts.happened[transaction as usize] {
            dead = Some(transaction);
            continue;
        }
        if let Some(dead) = dead.take() {
            let name = words::key(facts.history.value(facts.keys[key as usize]));
            let claim =
                || format!("T1 added to {name} after what T2 had added there; but T2 failed: it did not happen");
            findings.add(AnomalyKind::DirtyUpdate, Level::ReadCommitted, &[transaction, dead], claim);
        }
        if scratch.runs.last() != Some(&transaction) {
            scratch.runs.push(transaction);
        }
    }
    scratch.runs_before.push(scratch.runs.len());
}

fn relate_read<'h>(
    facts: &Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    scratch: &mut Scratch,
    key: u32,
    read: &Read<'h>,
    writers: &[u32],
) {
    let (reader, base) = (read.transaction, read.base as usize);
    let name = || words::key(facts.history.value(facts.keys[key as usize]));
    let before = scratch.runs_before[base];
    if let Some(&writer) = before.checked_sub(1).map(|run| &scratch.runs[run]) {
        if writer == reader {
            let claim = || format!("T1 read in {} what it added there only later", name());
            findings.add(AnomalyKind::Internal, Level::ReadCommitted, &[reader], claim);
        } else {
            graph.add(writer, reader, Kind::Wr, Needs::Nothing, key);
        }
    }
    if let Some(&last) = base.checked_sub(1).map(|last| &writers[last]).filter(|&&last| last != NONE) {
        let writer = facts.changes.rows[last as usize].transaction;
        if writer != reader && facts.happened[writer as usize] && !facts.is_final(key, last) {
            let claim = || format!("T1 read {} between two additions of T2", name());
            findings.add(AnomalyKind::G1b, Level::ReadCommitted, &[reader, writer], claim);
        }
    }
    match scratch.runs.get(before) {
        Some(&next) if next != reader => graph.add(reader, next, Kind::Rw, Needs::Nothing, key),
        Some(_) => {}
        None => {
            scratch.full.push(reader);
            scratch.read_all[reader as usize] = key;
        }
    }
    if scratch.changed[reader as usize] == key {
        let first = &mut scratch.first_change[base];
        if *first == NONE {
            *first = reader;
        } else {
            let claim = || format!("T1 and T2 read the same version of {} and both added to it", name());
            findings.add(AnomalyKind::LostUpdate, Level::SnapshotIsolation, &[*first, reader], claim);
        }
    }
}

impl Scratch {
    /// Whoever read all of the list comes before all other loose ends. Vertices between keep that linear; those who both read all and
    /// are loose ends have a vertex of their own, so as not to come before themselves.
    fn tie_loose_ends(&self, graph: &mut Graph, key: u32) {
        if self.loose.is_empty() || (self.full.is_empty() && self.runs.is_empty()) {
            return;
        }
        let is_loose = |t: &u32| self.unread[*t as usize] == key;
        let both: Vec<u32> = self.full.iter().copied().filter(is_loose).collect();
        let only_read = self.full.iter().filter(|t| !is_loose(t));
        for pair in both.windows(2) {
            graph.add(pair[0], pair[1], Kind::Rw, Needs::Nothing, key);
            graph.add(pair[1], pair[0], Kind::Rw, Needs::Nothing, key);
        }
        let mut join = |readers: &mut dyn Iterator<Item = u32>, ends: &mut dyn Iterator<Item = u32>| {
            let between = graph.between();
            if let Some(&last) = self.runs.last() {
                graph.add(last, between, Kind::Ww, Needs::Nothing, key);
            }
            readers.for_each(|reader| graph.add(reader, between, Kind::Rw, Needs::Nothing, key));
            ends.for_each(|end| graph.add(between, end, Kind::Onward, Needs::Nothing, key));
        };
        if !both.is_empty() {
            join(&mut only_read.copied(), &mut both.iter().copied());
        }
        let mut rest = self.loose.iter().copied().filter(|&end| self.read_all[end as usize] != key);
        join(&mut self.full.iter().copied(), &mut rest);
    }
}
