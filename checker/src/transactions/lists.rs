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
            let claim = |names: &[String]| {
                let (who, name) = (names.join(" and "), facts.key_name(key));
                format!("{who} read {name} in two orders: neither list continues the other")
            };
            let both = [longest.transaction, other];
            let both = if other == longest.transaction { &both[..1] } else { &both };
            findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, both, &claim);
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
        let of_transactions = || vec![OptionalIndex::NONE; facts.happened.len()];
        let mut relator = ListRelator {
            facts,
            findings,
            graph,
            key: KeyIndex::from(0_u32),
            runs: Vec::new(),
            runs_before: Vec::new(),
            full: Vec::new(),
            loose: Vec::new(),
            first_change: Vec::new(),
            changed: of_transactions(),
            unread: of_transactions(),
            agrees: true,
            read_all: of_transactions(),
        };
        for key in (0_u32..).take(facts.keys.len()).map(KeyIndex::from) {
            limit.key(facts, relator.graph, key)?;
            if facts.classes[key.index()] == KeyClass::List && self.agreement[key.index()] != Agreement::Nothing {
                relator.key = key;
                self.relate_key(&mut relator);
            }
        }
        Ok(())
    }

    fn relate_key(&mut self, relator: &mut ListRelator<'_, 'h>) {
        let (facts, key) = (relator.facts, relator.key);
        let list: &[ValueId] = self.longest[key.index()].map_or(&[], |longest| longest.list);
        let writers = &self.writers[self.begins[key.index()]..][..list.len()];
        relator.find_runs(writers);
        for pair in relator.runs.windows(2) {
            relator.graph.add(pair[0], pair[1], Kind::Ww, Needs::Nothing, key);
        }
        relator.skip_uncertain();
        relator.loose.clear();
        for place in facts.changes.range(key) {
            let transaction = facts.changes.rows[place].transaction;
            relator.changed[transaction.index()] = key.into();
            let unread = facts.happened[transaction.index()] && !self.seen[place];
            if unread && relator.loose.last() != Some(&transaction) && relator.runs.last() != Some(&transaction) {
                relator.loose.push(transaction);
                relator.unread[transaction.index()] = key.into();
            }
        }
        relator.full.clear();
        relator.first_change.clear();
        relator.first_change.resize(list.len() + 1, OptionalIndex::NONE);
        relator.agrees = self.agreement[key.index()] == Agreement::Whole;
        for read in facts.reads.of(key) {
            relator.relate_read(read, writers);
        }
        for stray in facts.strays.of(key) {
            relator.relate_source(stray, writers);
        }
        if relator.loose.len() > 1 {
            self.loose_ends = true;
            self.loose.push(relator.loose.clone());
        }
        relator.tie_loose_ends();
    }
}

/// Dependencies that the lists imply, key by key, with buffers that are reused for each.
struct ListRelator<'a, 'h> {
    facts: &'a Facts<'h>,
    findings: &'a mut Findings<'h>,
    graph: &'a mut Graph,
    key: KeyIndex,
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

impl<'h> ListRelator<'_, 'h> {
    /// Computes the runs of the longest read, of those transactions that happened.
    fn find_runs(&mut self, writers: &[Writer]) {
        self.runs.clear();
        self.runs_before.clear();
        let mut dead = None;
        for &writer in writers {
            self.runs_before.push(self.runs.len());
            let Some(writer) = writer.change() else { continue };
            let transaction = self.facts.changes.rows[writer.index()].transaction;
            if !self.facts.happened[transaction.index()] {
                dead = Some(transaction);
                continue;
            }
            if let Some(dead) = dead.take() {
                let name = self.facts.key_name(self.key);
                let claim = |names: &[String]| {
                    format!(
                        "{} added to {name} after what {} had added there, although that failed",
                        names[0], names[1]
                    )
                };
                self.findings.add(AnomalyKind::DirtyUpdate, Level::ReadCommitted, &[transaction, dead], &claim);
            }
            if self.runs.last() != Some(&transaction) {
                self.runs.push(transaction);
            }
        }
        self.runs_before.push(self.runs.len());
    }

    /// Adds the dependency of a reader on the transactions that wrote what it read, without what it had added itself.
    /// Returns the length of that.
    fn relate_source(&mut self, read: &Read<'h>, writers: &[Writer]) -> usize {
        let (facts, key) = (self.facts, self.key);
        let (reader, base) = (read.transaction, writers.len().min(read.base as usize));
        let name = || facts.key_name(key);
        let before = self.runs_before[base];
        if let Some(&writer) = before.checked_sub(1).map(|run| &self.runs[run]) {
            if writer == reader {
                let claim =
                    |names: &[String]| format!("{} read in {} what it added there only later", names[0], name());
                self.findings.add(AnomalyKind::Internal, Level::ReadCommitted, &[reader], &claim);
            } else {
                self.graph.add(writer, reader, Kind::Wr, Needs::Nothing, key);
            }
        }
        if let Some(last) = base.checked_sub(1).and_then(|last| writers[last].change()) {
            let writer = facts.changes.rows[last.index()].transaction;
            if writer != reader && facts.happened[writer.index()] && !facts.is_final(key, last) {
                let claim =
                    |names: &[String]| format!("{} read {} between two additions of {}", names[0], name(), names[1]);
                self.findings.add(AnomalyKind::G1b, Level::ReadCommitted, &[reader, writer], &claim);
            }
        }
        base
    }

    fn relate_read(&mut self, read: &Read<'h>, writers: &[Writer]) {
        let (facts, key, reader) = (self.facts, self.key, read.transaction);
        let base = self.relate_source(read, writers);
        if !self.agrees {
            return;
        }
        match self.runs.get(self.runs_before[base]) {
            Some(&next) if next != reader => self.graph.add(reader, next, Kind::Rw, Needs::Nothing, key),
            Some(_) => {}
            None => {
                self.full.push(reader);
                self.read_all[reader.index()] = key.into();
            }
        }
        if self.changed[reader.index()].get() == Some(key) {
            let first = &mut self.first_change[base];
            let Some(first) = first.get() else {
                *first = reader.into();
                return;
            };
            let claim = |names: &[String]| {
                let (who, name) = (names.join(" and "), facts.key_name(key));
                format!("{who} read the same version of {name} and both added to it")
            };
            self.findings.add(AnomalyKind::LostUpdate, Level::SnapshotIsolation, &[first, reader], &claim);
        }
    }

    /// Adds edges between certain transactions, which are in order whatever happened to uncertain ones in between.
    fn skip_uncertain(&mut self) {
        if self.facts.all_certain {
            return;
        }
        let mut last = None;
        for (place, &run) in self.runs.iter().enumerate() {
            if self.facts.outcome(run) != Outcome::Ok {
                continue;
            }
            let before = last.replace((place, run)).filter(|(before, _)| before + 1 < place);
            if let Some((_, one)) = before.filter(|(_, one)| *one != run) {
                self.graph.add(one, run, Kind::Ww, Needs::Nothing, self.key);
            }
        }
    }

    /// Adds edges from every transaction that read the whole list to all other loose ends. Intermediate vertices keep
    /// their number linear. Transactions that are both have a vertex of their own, so that they do not come before
    /// themselves.
    fn tie_loose_ends(&mut self) {
        let (facts, graph, key) = (self.facts, &mut *self.graph, self.key);
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
