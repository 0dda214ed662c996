//! Elements of lists that were read: the change that added each, and those that nobody can have added like that.

use histories::{Outcome, ValueId};
use rustc_hash::FxHashSet;

use super::{
    facts::{Facts, Read, Writer},
    findings::Findings,
    indices::{ChangeIndex, KeyIndex},
    limit::Limit,
    report::{AnomalyKind, Level},
};
use crate::{UnknownWhy, words::brief};

/// Maximum number of duplicate elements for which the additions are counted.
const MAX_DUPLICATES: usize = 64;

/// Inspection of the elements of a key's lists, one by one.
pub(super) struct ElementInspector<'a, 'h> {
    facts: &'a mut Facts<'h>,
    findings: &'a mut Findings<'h>,
    key: KeyIndex,
    /// Change that wrote each value.
    slots: &'a [Writer],
    /// Values that several changes may have added, with the number of occurrences in the list.
    several: Vec<(ValueId, usize)>,
    /// Number of duplicate elements so far.
    duplicates: usize,
}

impl<'a, 'h> ElementInspector<'a, 'h> {
    pub(super) fn new(
        facts: &'a mut Facts<'h>,
        findings: &'a mut Findings<'h>,
        key: KeyIndex,
        slots: &'a [Writer],
    ) -> Self {
        Self { facts, findings, key, slots, several: Vec::new(), duplicates: 0 }
    }

    /// Returns the change that added this element.
    pub(super) fn writer(&self, element: ValueId) -> Writer {
        self.slots[element.0 as usize]
    }

    /// Returns the writer of an element of a read, and records that it happened. Reports the element if it was never
    /// added, or by a failed transaction.
    pub(super) fn inspect(&mut self, read: Read<'h>, place: usize) -> Writer {
        let element = read.list[place];
        let writer = self.writer(element);
        if writer == Writer::SEVERAL {
            return writer;
        }
        let facts = &*self.facts;
        let first_reader = || facts.all_reads(self.key).copied().find(|other| other.list.get(place) == Some(&element));
        let reader = || first_reader().unwrap_or(read).transaction;
        let found =
            |who: &str| format!("{who} read {} in {}", brief(facts.history.value(element)), facts.key_name(self.key));
        let Some(change) = writer.change() else {
            let claim = |names: &[String]| format!("{}, which nobody ever added", found(&names[0]));
            self.findings.add(AnomalyKind::UnwrittenRead, Level::ReadCommitted, &[reader()], &claim);
            return writer;
        };
        let transaction = facts.changes.rows[change.index()].transaction;
        if facts.outcome(transaction) == Outcome::Fail {
            let claim =
                |names: &[String]| format!("{}, although {}, which added it, failed", found(&names[0]), names[1]);
            self.findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[reader(), transaction], &claim);
        } else {
            self.facts.happened[transaction.index()] = true;
        }
        writer
    }

    /// Marks all additions of a value with several writers as seen. Reports the value if the list has more
    /// occurrences than were added.
    pub(super) fn mark_several(&mut self, read: Read<'h>, place: usize, seen: &mut [bool]) {
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
            self.report_duplicate(read, place);
        }
    }

    /// Reports an element that occurs more often than it was added. Returns true if it occurs too often even with the
    /// additions of failed operations, or if several operations may have added it.
    pub(super) fn report_duplicate(&mut self, read: Read<'h>, place: usize) -> bool {
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
            let claim = |names: &[String]| {
                let (who, name) = (&names[0], facts.key_name(self.key));
                format!("{who} read {value} in {name} more often than those that did not fail added it")
            };
            self.findings.add(AnomalyKind::G1a, Level::ReadCommitted, &[read.transaction], &claim);
            return false;
        }
        let claim = |names: &[String]| {
            format!("{} read {value} in {} more often than it was added", names[0], facts.key_name(self.key))
        };
        self.findings.add(AnomalyKind::DuplicateElements, Level::ReadUncommitted, &[read.transaction], &claim);
        true
    }

    /// Reports an element that comes before one that its writer had added earlier.
    pub(super) fn check_order(&mut self, read: Read<'h>, place: usize, writer: ChangeIndex, seen: &[bool]) {
        let facts = &*self.facts;
        let transaction = facts.changes.rows[writer.index()].transaction;
        let is_first = writer.index() == facts.changes.range(self.key).start
            || facts.changes.rows[writer.index() - 1].transaction != transaction;
        if !is_first && !seen[writer.index() - 1] {
            let (value, name) = (facts.history.value(read.list[place]), || facts.key_name(self.key));
            let claim = |names: &[String]| {
                format!("{} read {value} in {} before what {} had added there before it", names[0], name(), names[1])
            };
            let both = [read.transaction, transaction];
            self.findings.add(AnomalyKind::IncompatibleOrder, Level::ReadCommitted, &both, &claim);
        }
    }

    /// Inspects the elements beyond the trunk: these have no order, but they may have been added by no transaction,
    /// or occur too often.
    pub(super) fn inspect_beyond(&mut self, trunk: usize, limit: &Limit<'_>) -> Result<(), UnknownWhy> {
        let mut looked_at = FxHashSet::default();
        let reads: Vec<Read<'h>> =
            self.facts.all_reads(self.key).copied().filter(|read| read.list.len() > trunk).collect();
        for read in reads {
            let mut own = FxHashSet::default();
            limit.steps(read.list.len())?;
            for (place, element) in read.list.iter().enumerate() {
                if !own.insert(*element) && self.writer(*element) != Writer::NOBODY {
                    self.report_duplicate(read, place);
                }
                if place >= trunk && looked_at.insert(*element) {
                    self.inspect(read, place);
                }
            }
        }
        Ok(())
    }
}
