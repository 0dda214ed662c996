//! Lists: every read of a list is a prefix of the longest one, which therefore shows the order of its versions.
//!
//! Elements are unique, so each was added by one transaction. Those of one transaction must be adjacent, in its order
//! (a "run"). Runs follow one another (ww); a transaction that read up to a run comes after it (wr) and before the
//! next (rw). Additions that were never read come after the longest read and after (rw) every transaction that read
//! all of it; among themselves they may have any order. An order of the transactions that respects all this, and in
//! which no read was intermediate, gives every read what it returned: among all runs, exactly those that the reader
//! saw come before it. So the absence of anomalies and cycles is equivalent to serializable, and with real time to
//! strict serializable.
//!
//! Reads that contradict their own transaction ("strays") still observed other transactions, and still show an order.
//! If two reads show two orders, only the part on which all agree counts: their common prefix (the "trunk"), and that
//! everything else came after it. A value that several transactions may have added has a place in the order, but no
//! known writer.

use histories::{Outcome, ValueId};

use super::{
    elements::ElementInspector,
    facts::{Facts, KeyClass, Read, Writer, common_prefix},
    findings::Findings,
    graph::{Graph, Kind, Needs},
    indices::{KeyIndex, TransactionIndex},
    limit::Limit,
    report::{AnomalyKind, Level},
};
use crate::{UnknownWhy, index::OptionalIndex};

/// Longest read of each list, with the writers of its elements.
#[derive(Debug)]
pub(super) struct Lists<'h> {
    /// Longest read of each key, or `None` if there is no read. If reads contradict each other, their common prefix.
    pub longest: Vec<Option<Read<'h>>>,
    /// Start of each key's longest read in `writers`.
    begins: Vec<usize>,
    /// Change that added each element.
    writers: Vec<Writer>,
    /// True for each change that is in the longest read.
    seen: Vec<bool>,
    agreement: Vec<Agreement>,
    /// True if some list has several additions that happened and were never read.
    pub loose_ends: bool,
    /// Transactions with such additions, list by list.
    pub loose: Vec<Vec<TransactionIndex>>,
    /// True if some list was read in two orders.
    pub disagree: bool,
}

/// Agreement among the reads of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    Whole,
    /// Agreement on the trunk only.
    Trunk,
    /// Disagreement: an element occurs twice, so nothing follows.
    Nothing,
}

impl<'h> Lists<'h> {
    /// Finds the longest reads and the writers of their elements, and thus the transactions of unknown outcome that
    /// happened.
    pub(super) fn resolve(
        facts: &mut Facts<'h>,
        findings: &mut Findings<'h>,
        limit: &Limit<'_>,
    ) -> Result<Self, UnknownWhy> {
        let keys = facts.keys.len();
        let bytes = keys * (size_of::<Option<Read<'_>>>() + size_of::<usize>() + 1) + facts.changes.rows.len();
        limit.may_take(bytes + facts.history.values.len() * size_of::<u32>())?;
        let mut lists = Self {
            longest: vec![None; keys],
            begins: vec![0; keys],
            writers: Vec::new(),
            seen: vec![false; facts.changes.rows.len()],
            agreement: vec![Agreement::Whole; keys],
            loose_ends: false,
            loose: Vec::new(),
            disagree: false,
        };
        let mut slots = vec![Writer::NOBODY; facts.history.values.len()];
        for key in (0_u32..).take(keys).map(KeyIndex::from) {
            limit.step()?;
            if facts.classes[key.index()] == KeyClass::List {
                facts.writers(key, &mut slots);
                lists.resolve_key(facts, findings, key, &slots, limit)?;
                facts.forget(key, &mut slots);
            }
        }
        Ok(lists)
    }

    fn resolve_key(
        &mut self,
        facts: &mut Facts<'h>,
        findings: &mut Findings<'h>,
        key: KeyIndex,
        slots: &[Writer],
        limit: &Limit<'_>,
    ) -> Result<(), UnknownWhy> {
        self.begins[key.index()] = self.writers.len();
        let all = || facts.all_reads(key).copied();
        let Some(longest) = all().reduce(|best, next| if next.list.len() > best.list.len() { next } else { best })
        else {
            return Ok(());
        };
        let mut trunk = longest.list.len();
        let mut contradicts = None;
        for read in all() {
            limit.steps(1 + read.list.len() / 16)?;
            if !longest.list.starts_with(read.list) {
                contradicts = contradicts.or(Some(read.transaction));
                trunk = trunk.min(common_prefix(longest.list, read.list));
            }
        }
        if let Some(other) = contradicts {
            self.agreement[key.index()] = Agreement::Trunk;
            self.disagree = true;
            let claim = || {
                let name = facts.key_name(key);
                if other == longest.transaction {
                    return format!("T1 read {name} in two orders: neither list continues the other");
                }
                format!("T1 and T2 read {name} in two orders: neither list continues the other")
            };
            let both = [longest.transaction, other];
            let both = if other == longest.transaction { &both[..1] } else { &both };
            findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, both, claim);
        }
        self.longest[key.index()] = Some(Read { list: &longest.list[..trunk], ..longest });
        let mut look = ElementInspector::new(facts, findings, key, slots);
        for place in 0..longest.list[..trunk].len() {
            limit.step()?;
            self.writers.push(look.inspect(longest, place));
            let Some(writer) = look.writer(longest.list[place]).change() else {
                look.mark_several(longest, place, &mut self.seen);
                continue;
            };
            if std::mem::replace(&mut self.seen[writer.index()], true) {
                // It was added by several operations, one of which may have failed: it is unknown whether an
                // uncommitted write was read.
                self.disagree |= !look.report_duplicate(longest, place);
                self.agreement[key.index()] = Agreement::Nothing;
            }
            look.check_order(longest, place, writer, &self.seen);
        }
        if contradicts.is_some() {
            look.inspect_beyond(trunk, limit)?;
        }
        Ok(())
    }

    /// Adds the dependencies that each list implies.
    pub(super) fn relate(
        &mut self,
        facts: &Facts<'h>,
        findings: &mut Findings<'h>,
        graph: &mut Graph,
        limit: &Limit<'_>,
    ) -> Result<(), UnknownWhy> {
        limit.may_take(3 * facts.happened.len() * size_of::<u32>())?;
        let mut scratch = Scratch {
            changed: vec![OptionalIndex::NONE; facts.happened.len()],
            unread: vec![OptionalIndex::NONE; facts.happened.len()],
            read_all: vec![OptionalIndex::NONE; facts.happened.len()],
            ..Scratch::default()
        };
        for key in (0_u32..).take(facts.keys.len()).map(KeyIndex::from) {
            limit.key(facts, graph, key)?;
            if facts.classes[key.index()] == KeyClass::List && self.agreement[key.index()] != Agreement::Nothing {
                self.relate_key(facts, findings, graph, &mut scratch, key);
            }
        }
        Ok(())
    }

    fn relate_key(
        &mut self,
        facts: &Facts<'h>,
        findings: &mut Findings<'h>,
        graph: &mut Graph,
        scratch: &mut Scratch,
        key: KeyIndex,
    ) {
        let list: &[ValueId] = self.longest[key.index()].map_or(&[], |longest| longest.list);
        let writers = &self.writers[self.begins[key.index()]..][..list.len()];
        runs(facts, findings, scratch, key, writers);
        for pair in scratch.runs.windows(2) {
            graph.add(pair[0], pair[1], Kind::Ww, Needs::Nothing, key);
        }
        scratch.skip_uncertain(facts, graph, key);
        let range = facts.changes.range(key);
        scratch.loose.clear();
        for place in range {
            let transaction = facts.changes.rows[place].transaction;
            scratch.changed[transaction.index()] = key.into();
            let unread = facts.happened[transaction.index()] && !self.seen[place];
            if unread && scratch.loose.last() != Some(&transaction) && scratch.runs.last() != Some(&transaction) {
                scratch.loose.push(transaction);
                scratch.unread[transaction.index()] = key.into();
            }
        }
        scratch.full.clear();
        scratch.first_change.clear();
        scratch.first_change.resize(list.len() + 1, OptionalIndex::NONE);
        scratch.agrees = self.agreement[key.index()] == Agreement::Whole;
        for read in facts.reads.of(key) {
            relate_read(facts, findings, graph, scratch, key, read, writers);
        }
        for stray in facts.strays.of(key) {
            relate_source(facts, findings, graph, scratch, key, stray, writers);
        }
        if scratch.loose.len() > 1 {
            self.loose_ends = true;
            self.loose.push(scratch.loose.clone());
        }
        scratch.tie_loose_ends(facts, graph, key);
    }
}

/// Buffers that are reused for each key.
#[derive(Debug, Default)]
struct Scratch {
    /// Transactions whose runs make up the longest read.
    runs: Vec<TransactionIndex>,
    /// Number of runs that begin within each prefix, by its length.
    runs_before: Vec<usize>,
    /// Transactions that read the whole list before adding anything.
    full: Vec<TransactionIndex>,
    /// Transactions with additions that were never read.
    loose: Vec<TransactionIndex>,
    /// First transaction that read each prefix (by its length) and added to the list.
    first_change: Vec<OptionalIndex<TransactionIndex>>,
    /// Last key to which each transaction added.
    changed: Vec<OptionalIndex<KeyIndex>>,
    /// Last key of which each transaction is a loose end.
    unread: Vec<OptionalIndex<KeyIndex>>,
    /// True if all reads of the key show one order.
    agrees: bool,
    /// Last key of which each transaction read the whole list.
    read_all: Vec<OptionalIndex<KeyIndex>>,
}

/// Computes the runs of the longest read, of those transactions that happened.
fn runs<'h>(facts: &Facts<'h>, findings: &mut Findings<'h>, scratch: &mut Scratch, key: KeyIndex, writers: &[Writer]) {
    scratch.runs.clear();
    scratch.runs_before.clear();
    let mut dead = None;
    for &writer in writers {
        scratch.runs_before.push(scratch.runs.len());
        let Some(writer) = writer.change() else { continue };
        let transaction = facts.changes.rows[writer.index()].transaction;
        if !facts.happened[transaction.index()] {
            dead = Some(transaction);
            continue;
        }
        if let Some(dead) = dead.take() {
            let name = facts.key_name(key);
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

/// Adds the dependency of a reader on the transactions that wrote what it read, without what it had added itself.
/// Returns the length of that.
fn relate_source<'h>(
    facts: &Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    scratch: &Scratch,
    key: KeyIndex,
    read: &Read<'h>,
    writers: &[Writer],
) -> usize {
    let (reader, base) = (read.transaction, writers.len().min(read.base as usize));
    let name = || facts.key_name(key);
    let before = scratch.runs_before[base];
    if let Some(&writer) = before.checked_sub(1).map(|run| &scratch.runs[run]) {
        if writer == reader {
            let claim = || format!("T1 read in {} what it added there only later", name());
            findings.add(AnomalyKind::Internal, Level::ReadCommitted, &[reader], claim);
        } else {
            graph.add(writer, reader, Kind::Wr, Needs::Nothing, key);
        }
    }
    if let Some(last) = base.checked_sub(1).and_then(|last| writers[last].change()) {
        let writer = facts.changes.rows[last.index()].transaction;
        if writer != reader && facts.happened[writer.index()] && !facts.is_final(key, last) {
            let claim = || format!("T1 read {} between two additions of T2", name());
            findings.add(AnomalyKind::G1b, Level::ReadCommitted, &[reader, writer], claim);
        }
    }
    base
}

fn relate_read<'h>(
    facts: &Facts<'h>,
    findings: &mut Findings<'h>,
    graph: &mut Graph,
    scratch: &mut Scratch,
    key: KeyIndex,
    read: &Read<'h>,
    writers: &[Writer],
) {
    let reader = read.transaction;
    let base = relate_source(facts, findings, graph, scratch, key, read, writers);
    if !scratch.agrees {
        return;
    }
    match scratch.runs.get(scratch.runs_before[base]) {
        Some(&next) if next != reader => graph.add(reader, next, Kind::Rw, Needs::Nothing, key),
        Some(_) => {}
        None => {
            scratch.full.push(reader);
            scratch.read_all[reader.index()] = key.into();
        }
    }
    if scratch.changed[reader.index()].get() == Some(key) {
        let first = &mut scratch.first_change[base];
        let Some(first) = first.get() else {
            *first = reader.into();
            return;
        };
        let claim = || format!("T1 and T2 read the same version of {} and both added to it", facts.key_name(key));
        findings.add(AnomalyKind::LostUpdate, Level::SnapshotIsolation, &[first, reader], claim);
    }
}

impl Scratch {
    /// Adds edges between certain transactions, which are in order whatever happened to uncertain ones in between.
    fn skip_uncertain(&self, facts: &Facts<'_>, graph: &mut Graph, key: KeyIndex) {
        if facts.all_certain {
            return;
        }
        let mut last = None;
        for (place, &run) in self.runs.iter().enumerate() {
            if facts.outcome(run) != Outcome::Ok {
                continue;
            }
            let before = last.replace((place, run)).filter(|(before, _)| before + 1 < place);
            if let Some((_, one)) = before.filter(|(_, one)| *one != run) {
                graph.add(one, run, Kind::Ww, Needs::Nothing, key);
            }
        }
    }

    /// Adds edges from every transaction that read the whole list to all other loose ends. Intermediate vertices keep
    /// their number linear. Transactions that are both have a vertex of their own, so that they do not come before
    /// themselves.
    fn tie_loose_ends(&self, facts: &Facts<'_>, graph: &mut Graph, key: KeyIndex) {
        if self.loose.is_empty() || (self.full.is_empty() && self.runs.is_empty()) {
            return;
        }
        let is_loose = |t: &TransactionIndex| self.unread[t.index()].get() == Some(key);
        let both: Vec<TransactionIndex> = self.full.iter().copied().filter(is_loose).collect();
        let only_read = self.full.iter().filter(|t| !is_loose(t));
        for pair in both.windows(2) {
            graph.add(pair[0], pair[1], Kind::Rw, Needs::Nothing, key);
            graph.add(pair[1], pair[0], Kind::Rw, Needs::Nothing, key);
        }
        let last = self.runs.last();
        let is_certain = |t: &&TransactionIndex| facts.all_certain || facts.outcome(**t) == Outcome::Ok;
        let certain = self.runs.iter().rfind(is_certain).filter(|certain| last != Some(certain));
        for (&certain, &end) in certain.into_iter().flat_map(|one| self.loose.iter().map(move |end| (one, end))) {
            if certain != end {
                graph.add(certain, end, Kind::Ww, Needs::Nothing, key);
            }
        }
        let mut join = |readers: &mut dyn Iterator<Item = TransactionIndex>,
                        ends: &mut dyn Iterator<Item = TransactionIndex>| {
            let between = graph.between();
            if let Some(&last) = last {
                graph.add(last, between, Kind::Ww, Needs::Nothing, key);
            }
            readers.for_each(|reader| graph.add(reader, between, Kind::Rw, Needs::Nothing, key));
            ends.for_each(|end| graph.add(between, end, Kind::Onward, Needs::Nothing, key));
        };
        if !both.is_empty() {
            join(&mut only_read.copied(), &mut both.iter().copied());
        }
        let mut rest = self.loose.iter().copied().filter(|&end| self.read_all[end.index()].get() != Some(key));
        join(&mut self.full.iter().copied(), &mut rest);
    }
}
