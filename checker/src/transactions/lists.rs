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
use rustc_hash::FxHashSet;

use super::{
    facts::{Facts, KeyClass, Read, Writer, common_prefix},
    findings::Findings,
    graph::{Graph, Kind, Needs},
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
    pub loose: Vec<Vec<u32>>,
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
        for key in (0..).take(keys) {
            limit.step()?;
            if facts.classes[key as usize] == KeyClass::List {
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
        key: u32,
        slots: &[Writer],
        limit: &Limit<'_>,
    ) -> Result<(), UnknownWhy> {
        self.begins[key as usize] = self.writers.len();
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
            self.agreement[key as usize] = Agreement::Trunk;
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
        self.longest[key as usize] = Some(Read { list: &longest.list[..trunk], ..longest });
        let mut look = ElementInspector { facts, findings, key, slots, several: Vec::new(), duplicates: 0 };
        for place in 0..longest.list[..trunk].len() {
            limit.step()?;
            self.writers.push(look.element(longest, place));
            let Some(writer) = look.writer(longest.list[place]).change() else {
                look.mark_several(longest, place, &mut self.seen);
                continue;
            };
            if std::mem::replace(&mut self.seen[writer as usize], true) {
                // It was added by several operations, one of which may have failed: it is unknown whether an
                // uncommitted write was read.
                self.disagree |= !look.is_twice(longest, place);
                self.agreement[key as usize] = Agreement::Nothing;
            }
            look.is_in_order(longest, place, writer, &self.seen);
        }
        if contradicts.is_some() {
            look.beyond(trunk, limit)?;
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
        for key in (0..).take(facts.keys.len()) {
            limit.key(facts, graph, key)?;
            if facts.classes[key as usize] == KeyClass::List && self.agreement[key as usize] != Agreement::Nothing {
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
        key: u32,
    ) {
        let list: &[ValueId] = self.longest[key as usize].map_or(&[], |longest| longest.list);
        let writers = &self.writers[self.begins[key as usize]..][..list.len()];
        runs(facts, findings, scratch, key, writers);
        for pair in scratch.runs.windows(2) {
            graph.add(pair[0], pair[1], Kind::Ww, Needs::Nothing, key);
        }
        scratch.skip_uncertain(facts, graph, key);
        let range = facts.changes.range(key);
        scratch.loose.clear();
        for place in range {
            let transaction = facts.changes.rows[place].transaction;
            scratch.changed[transaction as usize] = key.into();
            let unread = facts.happened[transaction as usize] && !self.seen[place];
            if unread && scratch.loose.last() != Some(&transaction) && scratch.runs.last() != Some(&transaction) {
                scratch.loose.push(transaction);
                scratch.unread[transaction as usize] = key.into();
            }
        }
        scratch.full.clear();
        scratch.first_change.clear();
        scratch.first_change.resize(list.len() + 1, OptionalIndex::NONE);
        scratch.agrees = self.agreement[key as usize] == Agreement::Whole;
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

/// Maximum number of duplicate elements for which the additions are counted.
const MAX_DUPLICATES: usize = 64;

/// Inspection of the elements of a key's lists, one by one.
struct ElementInspector<'a, 'h> {
    facts: &'a mut Facts<'h>,
    findings: &'a mut Findings<'h>,
    key: u32,
    /// Change that wrote each value.
    slots: &'a [Writer],
    /// Values that several changes may have added, with the number of occurrences in the list.
    several: Vec<(ValueId, usize)>,
    /// Number of duplicate elements so far.
    duplicates: usize,
}

impl<'h> ElementInspector<'_, 'h> {
    /// Returns the change that added this element.
    fn writer(&self, element: ValueId) -> Writer {
        self.slots[element.0 as usize]
    }

    /// Returns the writer of an element of a read, and records that it happened. Reports the element if it was never
    /// added, or by a failed transaction.
    fn element(&mut self, read: Read<'h>, place: usize) -> Writer {
        let element = read.list[place];
        let writer = self.writer(element);
        if writer == Writer::SEVERAL {
            return writer;
        }
        let facts = &*self.facts;
        let first_reader = || facts.all_reads(self.key).copied().find(|other| other.list.get(place) == Some(&element));
        let reader = || first_reader().unwrap_or(read).transaction;
        let found = || format!("T1 read {} in {}", facts.history.value(element), facts.key_name(self.key));
        let Some(change) = writer.change() else {
            let claim = || format!("{}, which nobody ever added", found());
            self.findings.add(AnomalyKind::UnwrittenRead, Level::ReadCommitted, &[reader()], claim);
            return writer;
        };
        let transaction = facts.changes.rows[change as usize].transaction;
        if facts.outcome(transaction) == Outcome::Fail {
            let claim = || format!("{}, which T2 added; but T2 failed: it did not happen", found());
            self.findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[reader(), transaction], claim);
        } else {
            self.facts.happened[transaction as usize] = true;
        }
        writer
    }

    /// Marks all additions of a value with several writers as seen. Reports the value if the list has more
    /// occurrences than were added.
    fn mark_several(&mut self, read: Read<'h>, place: usize, seen: &mut [bool]) {
        let element = read.list[place];
        if self.writer(element) != Writer::SEVERAL {
            return;
        }
        let range = self.facts.changes.range(self.key);
        let same = range.filter(|&change| self.facts.changes.rows[change].value == element);
        let added = same.map(|change| seen[change] = true).count();
        let at = self.several.iter().position(|(value, _)| *value == element).unwrap_or(self.several.len());
        if at == self.several.len() {
            self.several.push((element, 0));
        }
        self.several[at].1 += 1;
        if self.several[at].1 == added + 1 {
            self.is_twice(read, place);
        }
    }

    /// Reports an element that occurs more often than it was added. Returns true if it occurs too often even with the
    /// additions of failed operations, or if several operations may have added it.
    fn is_twice(&mut self, read: Read<'h>, place: usize) -> bool {
        self.duplicates += 1;
        if self.duplicates > MAX_DUPLICATES {
            return false;
        }
        let (facts, element) = (&*self.facts, read.list[place]);
        let added = facts.changes.of(self.key).iter().filter(|change| change.value == element).count();
        let value = facts.history.value(element);
        if read.list.iter().filter(|other| **other == element).count() <= added {
            if self.writer(element) == Writer::SEVERAL {
                return true;
            }
            let claim = || {
                format!(
                    "T1 read {value} in {} more often than it was added by who did not fail",
                    facts.key_name(self.key)
                )
            };
            self.findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[read.transaction], claim);
            return false;
        }
        let claim = || format!("T1 read {value} in {} more often than it was added", facts.key_name(self.key));
        self.findings.add(AnomalyKind::DuplicateElements, Level::ReadUncommitted, &[read.transaction], claim);
        true
    }

    /// Reports an element that comes before an earlier addition of the same transaction.
    fn is_in_order(&mut self, read: Read<'h>, place: usize, writer: u32, seen: &[bool]) {
        let facts = &*self.facts;
        let transaction = facts.changes.rows[writer as usize].transaction;
        let is_first = writer as usize == facts.changes.range(self.key).start
            || facts.changes.rows[writer as usize - 1].transaction != transaction;
        if !is_first && !seen[writer as usize - 1] {
            let (value, name) = (facts.history.value(read.list[place]), || facts.key_name(self.key));
            let claim = || format!("T1 read {value} in {} before what T2 had added there before it", name());
            let both = [read.transaction, transaction];
            self.findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, &both, claim);
        }
    }

    /// Inspects the elements beyond the trunk: these have no order, but they may have been added by no transaction,
    /// or occur too often.
    fn beyond(&mut self, trunk: usize, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
        let mut looked_at = FxHashSet::default();
        let reads: Vec<Read<'h>> =
            self.facts.all_reads(self.key).copied().filter(|read| read.list.len() > trunk).collect();
        for read in reads {
            let mut own = FxHashSet::default();
            limit.steps(read.list.len())?;
            for (place, element) in read.list.iter().enumerate() {
                if !own.insert(*element) && self.writer(*element) != Writer::NOBODY {
                    self.is_twice(read, place);
                }
                if place >= trunk && looked_at.insert(*element) {
                    self.element(read, place);
                }
            }
        }
        Ok(())
    }
}

/// Buffers that are reused for each key.
#[derive(Debug, Default)]
struct Scratch {
    /// Transactions whose runs make up the longest read.
    runs: Vec<u32>,
    /// Number of runs that begin within each prefix, by its length.
    runs_before: Vec<usize>,
    /// Transactions that read the whole list before adding anything.
    full: Vec<u32>,
    /// Transactions with additions that were never read.
    loose: Vec<u32>,
    /// First transaction that read each prefix (by its length) and added to the list.
    first_change: Vec<OptionalIndex>,
    /// Last key to which each transaction added.
    changed: Vec<OptionalIndex>,
    /// Last key of which each transaction is a loose end.
    unread: Vec<OptionalIndex>,
    /// True if all reads of the key show one order.
    agrees: bool,
    /// Last key of which each transaction read the whole list.
    read_all: Vec<OptionalIndex>,
}

/// Computes the runs of the longest read, of those transactions that happened.
fn runs<'h>(facts: &Facts<'h>, findings: &mut Findings<'h>, scratch: &mut Scratch, key: u32, writers: &[Writer]) {
    scratch.runs.clear();
    scratch.runs_before.clear();
    let mut dead = None;
    for &writer in writers {
        scratch.runs_before.push(scratch.runs.len());
        let Some(writer) = writer.change() else { continue };
        let transaction = facts.changes.rows[writer as usize].transaction;
        if !facts.happened[transaction as usize] {
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
    key: u32,
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
        let writer = facts.changes.rows[last as usize].transaction;
        if writer != reader && facts.happened[writer as usize] && !facts.is_final(key, last) {
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
    key: u32,
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
            scratch.read_all[reader as usize] = key.into();
        }
    }
    if scratch.changed[reader as usize].get() == Some(key) {
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
    fn skip_uncertain(&self, facts: &Facts<'_>, graph: &mut Graph, key: u32) {
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
    fn tie_loose_ends(&self, facts: &Facts<'_>, graph: &mut Graph, key: u32) {
        if self.loose.is_empty() || (self.full.is_empty() && self.runs.is_empty()) {
            return;
        }
        let is_loose = |t: &u32| self.unread[*t as usize].get() == Some(key);
        let both: Vec<u32> = self.full.iter().copied().filter(is_loose).collect();
        let only_read = self.full.iter().filter(|t| !is_loose(t));
        for pair in both.windows(2) {
            graph.add(pair[0], pair[1], Kind::Rw, Needs::Nothing, key);
            graph.add(pair[1], pair[0], Kind::Rw, Needs::Nothing, key);
        }
        let last = self.runs.last();
        let is_certain = |t: &&u32| facts.all_certain || facts.outcome(**t) == Outcome::Ok;
        let certain = self.runs.iter().rfind(is_certain).filter(|certain| last != Some(certain));
        for (&certain, &end) in certain.into_iter().flat_map(|one| self.loose.iter().map(move |end| (one, end))) {
            if certain != end {
                graph.add(certain, end, Kind::Ww, Needs::Nothing, key);
            }
        }
        let mut join = |readers: &mut dyn Iterator<Item = u32>, ends: &mut dyn Iterator<Item = u32>| {
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
        let mut rest = self.loose.iter().copied().filter(|&end| self.read_all[end as usize].get() != Some(key));
        join(&mut self.full.iter().copied(), &mut rest);
    }
}
