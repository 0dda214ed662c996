//! The requests that wait for something, and what may be said of each when it does not come.
//!
//! The rule that all else serves: "it did not happen" is said only of what no log can hold. A proposal that was appended, or was given
//! to a link, may be committed by anybody at any later time; only another entry, committed at its index, rules that out.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio::sync::oneshot;

use crate::{
    raft::{LogIndex, NodeId, Term, Time},
    request::{Failure, Happened, Mode, Reason, Reply, Request},
};

/// Who waits for the answer.
#[derive(Debug)]
pub(super) enum Asker {
    /// A client of this node.
    Client(oneshot::Sender<Reply>),
    /// A peer that forwarded the request of a client of its own, under its own id.
    Peer(NodeId, u64),
}

/// A request whose answer is due.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) asker: Asker,
    /// The key to read, if it is a read from the state machine.
    pub(super) read: Option<String>,
    /// Whether it changes anything if it happens.
    pub(super) writes: bool,
}

impl Waiting {
    pub(super) fn new(asker: Asker, request: &Request) -> Self {
        let (read, writes) = match request {
            Request::Read { mode: Mode::Log, .. } => (None, false),
            Request::Read { key, .. } => (Some(key.clone()), false),
            Request::Write(_) => (None, true),
        };
        Self { asker, read, writes }
    }

    /// What to say when its outcome is unknown: a read has no effect, so it is as if it had not happened.
    pub(super) fn unresolved(&self, reason: Reason) -> Failure {
        Failure { reason, happened: if self.writes { Happened::Unknown } else { Happened::No } }
    }
}

/// All requests that wait, by the id under which this node knows them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: HashMap<u64, Waiting>,
    /// Ids in the order in which they came, with the time at which each is given up.
    deadlines: VecDeque<(Time, u64)>,
    /// Where appended proposals stand. Two may stand at one index, from different terms of this node.
    proposals: BTreeMap<(LogIndex, Term), u64>,
    /// Reads that may be answered once their index is applied.
    reads: BTreeSet<(LogIndex, u64)>,
}

/// What applying an entry says about the proposals at its index.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// The one that this entry is.
    pub(super) committed: Option<Waiting>,
    /// Those that it rules out for ever.
    pub(super) superseded: Vec<Waiting>,
}

impl Pending {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn add(&mut self, id: u64, waiting: Waiting, deadline: Time) {
        self.waiting.insert(id, waiting);
        self.deadlines.push_back((deadline, id));
    }

    /// Takes a request out, to answer it; `None` if that was done before.
    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.waiting.remove(&id)
    }

    /// The proposal was appended there.
    pub(super) fn appended(&mut self, id: u64, index: LogIndex, term: Term) {
        self.proposals.insert((index, term), id);
    }

    /// The read may be answered once `index` is applied.
    pub(super) fn readable_at(&mut self, id: u64, index: LogIndex) {
        self.reads.insert((index, id));
    }

    /// The entry of `term` was applied at `index`.
    pub(super) fn applied(&mut self, index: LogIndex, term: Term) -> Decided {
        let mut decided = Decided::default();
        while let Some(first) = self.proposals.first_entry().filter(|first| first.key().0 <= index) {
            let ((_, proposed_in), id) = first.remove_entry();
            match self.waiting.remove(&id) {
                Some(waiting) if proposed_in == term => decided.committed = Some(waiting),
                Some(waiting) => decided.superseded.push(waiting),
                None => {}
            }
        }
        decided
    }

    /// A snapshot replaced the log up to `index`: which entries it stood for is not to be known.
    pub(super) fn restored(&mut self, index: LogIndex) -> Vec<Waiting> {
        let later = self.proposals.split_off(&(LogIndex(index.0 + 1), Term(0)));
        let gone = std::mem::replace(&mut self.proposals, later);
        gone.into_values().filter_map(|id| self.waiting.remove(&id)).collect()
    }

    /// The next read that may be answered now that `applied` is.
    pub(super) fn next_readable(&mut self, applied: LogIndex) -> Option<Waiting> {
        while let Some((_, id)) = self.reads.first().filter(|(index, _)| *index <= applied).copied() {
            self.reads.pop_first();
            if let Some(waiting) = self.waiting.remove(&id) {
                return Some(waiting);
            }
        }
        None
    }

    /// The next request that is given up at `now`.
    pub(super) fn next_expired(&mut self, now: Time) -> Option<Waiting> {
        while let Some(&(deadline, id)) = self.deadlines.front() {
            if deadline > now && self.waiting.contains_key(&id) {
                return None;
            }
            self.deadlines.pop_front();
            if let Some(waiting) = self.waiting.remove(&id) {
                return Some(waiting);
            }
        }
        None
    }

    /// When `next_expired` has something to give at the latest, as things stand.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Command, Json, Op};

    fn write() -> Waiting {
        let value = Json::new(&serde_json::json!(1)).unwrap();
        let op = Op::Put { key: "k".into(), value };
        Waiting::new(Asker::Peer(NodeId(2), 0), &Request::Write(Command { session: None, op }))
    }

    fn read() -> Waiting {
        Waiting::new(Asker::Peer(NodeId(2), 0), &Request::Read { key: "k".into(), mode: Mode::Quorum })
    }

    fn pending(ids: std::ops::RangeInclusive<u64>, waiting: fn() -> Waiting) -> Pending {
        let mut pending = Pending::default();
        ids.for_each(|id| pending.add(id, waiting(), Time(id * 10)));
        pending
    }

    #[test]
    fn a_proposal_is_decided_by_the_entry_at_its_index_alone() {
        let mut pending = pending(1..=3, write);
        pending.appended(1, LogIndex(5), Term(2));
        pending.appended(2, LogIndex(6), Term(2));
        pending.appended(3, LogIndex(6), Term(4));
        let before = pending.applied(LogIndex(4), Term(1));
        assert!(before.committed.is_none() && before.superseded.is_empty());
        let own = pending.applied(LogIndex(5), Term(2));
        assert!(own.committed.is_some() && own.superseded.is_empty());
        let other = pending.applied(LogIndex(6), Term(4));
        assert!(other.committed.is_some());
        assert_eq!(other.superseded.len(), 1, "the same index in an earlier term can never be committed");
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn after_a_snapshot_nobody_knows() {
        let mut pending = pending(1..=2, write);
        pending.appended(1, LogIndex(5), Term(2));
        pending.appended(2, LogIndex(6), Term(2));
        let lost = pending.restored(LogIndex(5));
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].unresolved(Reason::Deadline).happened, Happened::Unknown);
        assert!(pending.applied(LogIndex(6), Term(2)).committed.is_some());
    }

    #[test]
    fn a_read_waits_for_its_index() {
        let mut pending = pending(1..=3, read);
        pending.readable_at(1, LogIndex(7));
        pending.readable_at(2, LogIndex(5));
        assert!(pending.next_readable(LogIndex(4)).is_none());
        assert!(pending.next_readable(LogIndex(6)).is_some());
        assert!(pending.next_readable(LogIndex(6)).is_none());
        assert_eq!(pending.len(), 2);
        assert_eq!(read().unresolved(Reason::Deadline).happened, Happened::No);
    }

    #[test]
    fn the_deadline_ends_what_was_not_answered() {
        let mut pending = pending(1..=3, write);
        assert!(pending.take(1).is_some());
        assert!(pending.next_expired(Time(19)).is_none());
        assert_eq!(pending.next_deadline(), Some(Time(20)), "the answered one is forgotten");
        assert!(pending.next_expired(Time(20)).is_some());
        assert!(pending.next_expired(Time(20)).is_none());
        assert!(pending.take(2).is_none(), "answered once");
    }
}
