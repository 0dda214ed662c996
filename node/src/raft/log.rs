//! The log in memory: all entries after the newest snapshot, and some before its end, for followers that lag a little
//! (§5.3, §7). Roles are unknown here.

use std::collections::VecDeque;

use super::{Entry, LogIndex, Payload, Term};

/// Bytes that an entry costs in memory and messages, besides its command.
const ENTRY_OVERHEAD_BYTES: u64 = 64;

/// Entries after a base index, without a gap, with terms that never fall.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Last index that is available only from a snapshot.
    base_index: LogIndex,
    base_term: Term,
    entries: VecDeque<Entry>,
    /// Cumulative bytes up to and including each entry, so that the bytes of any range are a subtraction.
    totals: VecDeque<u64>,
    /// Cumulative bytes at the base.
    base_total: u64,
}

/// Refusal of an `AppendEntries`, with the hint that lets the leader skip a whole term (§5.3, end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// Term of the entry at the refused index, if there is one.
    pub(super) term: Option<Term>,
    /// First index with that term, or the one after the last entry.
    pub(super) first: LogIndex,
}

impl Log {
    pub(super) fn new(base_index: LogIndex, base_term: Term) -> Self {
        Self { base_index, base_term, ..Self::default() }
    }

    pub(super) fn base_index(&self) -> LogIndex {
        self.base_index
    }

    pub(super) fn first_index(&self) -> LogIndex {
        LogIndex(self.base_index.0 + 1)
    }

    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.base_index.0 + self.entries.len() as u64)
    }

    pub(super) fn last_term(&self) -> Term {
        self.entries.back().map_or(self.base_term, |entry| entry.term)
    }

    /// Returns the term at `index`; `None` if the log has no entry there, or has compacted it.
    pub(super) fn term(&self, index: LogIndex) -> Option<Term> {
        if index == self.base_index { Some(self.base_term) } else { self.get(index).map(|entry| entry.term) }
    }

    fn get(&self, index: LogIndex) -> Option<&Entry> {
        self.entries.get(self.position(index)?)
    }

    fn position(&self, index: LogIndex) -> Option<usize> {
        usize::try_from(index.0.checked_sub(self.base_index.0 + 1)?).ok()
    }

    /// Returns the entries from `first` to `last`, both included.
    pub(super) fn range(&self, first: LogIndex, last: LogIndex) -> impl Iterator<Item = &Entry> {
        let start = self.position(first).unwrap_or(0).min(self.entries.len());
        let end = self.position(LogIndex(last.0 + 1)).unwrap_or(0).clamp(start, self.entries.len());
        self.entries.range(start..end)
    }

    pub(super) fn append(&mut self, entry: Entry) {
        assert_eq!(entry.index.0, self.last_index().0 + 1, "the log has no gap");
        self.totals.push_back(self.total_at(self.last_index()) + weight(&entry));
        self.entries.push_back(entry);
    }

    /// Returns the bytes of the entries after `first` up to and including `last`, as far as the log has them.
    pub(super) fn bytes_between(&self, first: LogIndex, last: LogIndex) -> u64 {
        self.total_at(last).saturating_sub(self.total_at(first))
    }

    fn total_at(&self, index: LogIndex) -> u64 {
        let at = |position: usize| self.totals.get(position).or(self.totals.back()).copied();
        self.position(index).and_then(at).unwrap_or(self.base_total)
    }

    /// Removes the entries from `index` on.
    pub(super) fn truncate_from(&mut self, index: LogIndex) {
        if let Some(position) = self.position(index) {
            self.entries.truncate(position);
            self.totals.truncate(position);
        }
    }

    /// Drops the entries up to and including `index`, which a snapshot now replaces (§7); drops the whole log if it
    /// does not have `term` there (figure 13, steps 6 and 7). Returns true if a suffix may have been kept.
    pub(super) fn compact(&mut self, index: LogIndex, term: Term) -> bool {
        let retained = self.term(index) == Some(term);
        self.base_total = self.total_at(index);
        match self.position(index) {
            Some(position) if retained => {
                self.entries.drain(..=position);
                self.totals.drain(..=position);
            }
            _ => {
                self.entries.clear();
                self.totals.clear();
            }
        }
        self.base_index = index;
        self.base_term = term;
        retained
    }

    /// Drops the entries that a snapshot ending at `index` replaces, except for the last ones: at most `entries` of
    /// them, with at most `bytes` in all.
    pub(super) fn compact_but(&mut self, index: LogIndex, entries: u64, bytes: u64) {
        let mut base = LogIndex(index.0.saturating_sub(entries).max(self.base_index.0));
        while base < index && self.bytes_between(base, index) > bytes {
            base.0 += 1;
        }
        if let Some(term) = self.term(base).filter(|_| base > self.base_index) {
            self.compact(base, term);
        }
    }

    /// Checks that this log has `prev_term` at `prev_index`, the consistency check of `AppendEntries` (§5.3). Entries
    /// below the base are committed and therefore equal.
    pub(super) fn check_consistency(&self, prev_index: LogIndex, prev_term: Term) -> Result<(), Conflict> {
        if prev_index < self.base_index {
            return Ok(());
        }
        match self.term(prev_index) {
            Some(term) if term == prev_term => Ok(()),
            Some(term) => Err(Conflict { term: Some(term), first: self.first_index_of_term(term) }),
            None => Err(Conflict { term: None, first: LogIndex(self.last_index().0 + 1) }),
        }
    }

    fn first_index_of_term(&self, term: Term) -> LogIndex {
        let before = self.entries.partition_point(|entry| entry.term < term);
        LogIndex(self.base_index.0 + 1 + before as u64)
    }

    /// Returns the first index at which one of `entries` has another term than this log (§5.3). Returns `None` if
    /// there is no conflict, however short or old the message is: such a message must not shorten the log (figure 2,
    /// step 3).
    pub(super) fn first_conflict(&self, entries: &[Entry]) -> Option<LogIndex> {
        entries
            .iter()
            .find(|entry| self.get(entry.index).is_some_and(|own| own.term != entry.term))
            .map(|entry| entry.index)
    }

    /// Returns the index that a leader tries next after a refusal at `refused`: one round for each term in which the
    /// two logs differ (§5.3, end). The result is at most `refused`.
    pub(super) fn next_after_conflict(&self, refused: LogIndex, conflict: Conflict) -> LogIndex {
        let Some(term) = conflict.term else { return conflict.first.min(refused) };
        // Last own entry below `refused` whose term is at most the follower's.
        let up_to_term = self.entries.partition_point(|entry| entry.term <= term) as u64;
        let candidate = LogIndex((self.base_index.0 + up_to_term).min(refused.0.saturating_sub(1)));
        let after = LogIndex(candidate.0 + 1);
        let next = if self.term(candidate) == Some(term) { after } else { after.min(conflict.first) };
        next.min(refused)
    }
}

/// Returns the approximate bytes that an entry takes.
pub(super) fn weight(entry: &Entry) -> u64 {
    ENTRY_OVERHEAD_BYTES + command_bytes(&entry.payload)
}

/// Returns the same for an entry that is yet to be made.
pub(super) fn weight_of_command(command: &[u8]) -> u64 {
    ENTRY_OVERHEAD_BYTES + command.len() as u64
}

fn command_bytes(payload: &Payload) -> u64 {
    match payload {
        Payload::Noop => 0,
        Payload::Command(command) => command.len() as u64,
        Payload::Membership(_) => ENTRY_OVERHEAD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for &term in terms {
            log.append(entry(log.last_index().0 + 1, term));
        }
        log
    }

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index: LogIndex(index), term: Term(term), payload: Payload::Noop }
    }

    #[test]
    fn terms_are_known_from_the_snapshot_on() {
        let mut log = log(&[1, 1, 2, 3]);
        assert!(log.compact(LogIndex(2), Term(1)));
        let known: Vec<_> = (0..6).map(|index| log.term(LogIndex(index)).map(|term| term.0)).collect();
        assert_eq!(known, [None, None, Some(1), Some(2), Some(3), None]);
        assert_eq!((log.first_index(), log.last_index(), log.last_term()), (LogIndex(3), LogIndex(4), Term(3)));
    }

    #[test]
    fn a_range_includes_both_ends_and_stays_inside() {
        let indexes = |log: &Log, first, last| -> Vec<u64> {
            log.range(LogIndex(first), LogIndex(last)).map(|entry| entry.index.0).collect()
        };
        let mut log = log(&[1, 1, 1, 1]);
        assert_eq!(indexes(&log, 2, 3), [2, 3]);
        assert_eq!(indexes(&log, 3, 9), [3, 4]);
        assert_eq!(indexes(&log, 5, 4), [0; 0]);
        log.compact(LogIndex(2), Term(1));
        assert_eq!(indexes(&log, 1, 3), [3]);
    }

    #[test]
    fn a_snapshot_keeps_the_suffix_only_after_an_entry_of_its_own_term() {
        let mut kept = log(&[1, 2, 2]);
        assert!(kept.compact(LogIndex(2), Term(2)));
        assert_eq!(kept.last_index(), LogIndex(3));
        let mut other_term = log(&[1, 2, 2]);
        assert!(!other_term.compact(LogIndex(2), Term(3)));
        assert_eq!((other_term.last_index(), other_term.last_term()), (LogIndex(2), Term(3)));
        let mut short = log(&[1]);
        assert!(!short.compact(LogIndex(5), Term(2)));
        assert_eq!(short.last_index(), LogIndex(5));
    }

    fn of_length(index: u64, bytes: usize) -> Entry {
        Entry { payload: Payload::Command(vec![7; bytes].into()), ..entry(index, 1) }
    }

    #[test]
    fn the_bytes_of_any_range_are_known_whatever_was_cut_off() {
        let mut log = Log::default();
        (1..=5).for_each(|index| log.append(of_length(index, usize::try_from(index * 100).unwrap())));
        let bytes = |log: &Log, first, last| log.bytes_between(LogIndex(first), LogIndex(last));
        assert_eq!(bytes(&log, 0, 5), 5 * 64 + 1500);
        assert_eq!((bytes(&log, 2, 3), bytes(&log, 3, 3), bytes(&log, 4, 9)), (64 + 300, 0, 64 + 500));
        log.truncate_from(LogIndex(4));
        log.append(of_length(4, 7));
        assert_eq!(bytes(&log, 3, 4), 64 + 7);
        assert!(log.compact(LogIndex(2), Term(1)));
        assert_eq!(bytes(&log, 2, 4), 2 * 64 + 307);
        assert_eq!(bytes(&log, 0, 4), 2 * 64 + 307, "what is gone does not count");
        assert!(!log.compact(LogIndex(9), Term(3)));
        log.append(Entry { term: Term(3), ..of_length(10, 1) });
        assert_eq!(bytes(&log, 9, 10), 64 + 1);
    }

    #[test]
    fn some_entries_stay_behind_a_snapshot_as_far_as_both_limits_allow() {
        let kept = |entries, bytes| {
            let mut log = Log::default();
            (1..=9).for_each(|index| log.append(of_length(index, 100)));
            log.compact_but(LogIndex(7), entries, bytes);
            assert_eq!(log.last_index(), LogIndex(9));
            log.first_index().0
        };
        assert_eq!(kept(0, 1000), 8);
        assert_eq!(kept(3, 1000), 5);
        assert_eq!(kept(3, 2 * 164), 6);
        assert_eq!(kept(3, 100), 8);
        assert_eq!(kept(100, 10_000), 1);
    }

    #[test]
    fn consistency_needs_the_term_as_well_as_the_index() {
        let log = log(&[1, 1, 4, 4, 5]);
        let check = |index, term| log.check_consistency(LogIndex(index), Term(term));
        assert_eq!(check(0, 0), Ok(()));
        assert_eq!(check(5, 5), Ok(()));
        assert_eq!(check(4, 5), Err(Conflict { term: Some(Term(4)), first: LogIndex(3) }));
        assert_eq!(check(2, 2), Err(Conflict { term: Some(Term(1)), first: LogIndex(1) }));
        assert_eq!(check(8, 5), Err(Conflict { term: None, first: LogIndex(6) }));
    }

    #[test]
    fn what_a_snapshot_covers_is_no_conflict() {
        let mut log = log(&[1, 1, 2]);
        log.compact(LogIndex(3), Term(2));
        assert_eq!(log.check_consistency(LogIndex(1), Term(1)), Ok(()));
        assert_eq!(log.first_conflict(&[entry(2, 1), entry(3, 2), entry(4, 2)]), None);
    }

    #[test]
    fn only_a_differing_term_is_a_conflict() {
        let log = log(&[1, 1, 2, 2]);
        assert_eq!(log.first_conflict(&[]), None);
        assert_eq!(log.first_conflict(&[entry(2, 1), entry(3, 2)]), None, "an old message");
        assert_eq!(log.first_conflict(&[entry(5, 2)]), None, "beyond the end");
        assert_eq!(log.first_conflict(&[entry(2, 1), entry(3, 3), entry(4, 3)]), Some(LogIndex(3)));
    }

    #[test]
    fn a_refusal_skips_a_term_at_a_time() {
        let log = log(&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
        let next = |refused, term: Option<u64>, first| {
            log.next_after_conflict(LogIndex(refused), Conflict { term: term.map(Term), first: LogIndex(first) }).0
        };
        assert_eq!(next(10, None, 5), 5, "the follower is short");
        assert_eq!(next(10, Some(4), 4), 6, "both have term 4: try its end here");
        assert_eq!(next(10, Some(2), 4), 4, "the leader has no entry of term 2");
        assert_eq!(next(10, Some(3), 7), 4, "nor of term 3, and its term 1 ends before that");
        assert_eq!(next(3, Some(9), 1), 1, "a term that this leader has only later");
        assert_eq!(next(3, None, 9), 3, "never beyond what was refused");
    }
}
