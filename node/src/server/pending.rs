//! The requests that wait for something, and what may be said of each when it does not come.
//!
//! The rule that all else serves: "it did not happen" is said only of what no log can hold. A proposal that was appended, or was given
//! to a link, may be committed by anybody at any later time; only another entry, committed at its index, rules that out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use tokio::sync::oneshot;

use crate::{
    raft::{LogIndex, NodeId, Term},
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

/// Whom a node follows, and in which term: what it asked of that leader, no other will answer.
pub(super) type Following = (Term, Option<NodeId>);

/// A request whose answer is due.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) asker: Asker,
    /// What to read and how, if it is a read.
    pub(super) read: Option<(String, Mode)>,
    /// When it is given up, by the host's clock: however the node's own clock is bent, a client does not wait longer.
    pub(super) deadline: Instant,
    /// Whom this node followed when it asked.
    pub(super) asked: Following,
}

impl Waiting {
    pub(super) fn new(asker: Asker, request: &Request, deadline: Instant, asked: Following) -> Self {
        let read = match request {
            Request::Read { key, mode } => Some((key.clone(), *mode)),
            Request::Write(_) => None,
        };
        Self { asker, read, deadline, asked }
    }

    /// Whether it may be asked once more: a read of a client of this node, which has no effect.
    pub(super) fn may_be_asked_again(&self) -> bool {
        self.read.is_some() && matches!(self.asker, Asker::Client(_))
    }

    /// What to say when its outcome is unknown: a read has no effect, so it is as if it had not happened.
    pub(super) fn unresolved(&self, reason: Reason) -> Failure {
        Failure { reason, happened: if self.read.is_none() { Happened::Unknown } else { Happened::No } }
    }
}

/// All requests that wait, by the id under which this node knows them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: HashMap<u64, Waiting>,
    /// Ids by the time at which each is given up.
    deadlines: BTreeSet<(Instant, u64)>,
    /// Those that were passed on to the leader.
    forwarded: BTreeSet<u64>,
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

    pub(super) fn add(&mut self, id: u64, waiting: Waiting) {
        self.deadlines.insert((waiting.deadline, id));
        self.waiting.insert(id, waiting);
    }

    /// Adds a request that was passed on to the leader.
    pub(super) fn add_forwarded(&mut self, id: u64, waiting: Waiting) {
        self.forwarded.insert(id);
        self.add(id, waiting);
    }

    /// Takes a request out, to answer it; `None` if that was done before.
    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.forwarded.remove(&id);
        self.waiting.remove(&id)
    }

    /// Takes out all that was passed on to the leader and has no answer.
    pub(super) fn take_forwarded(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.forwarded).into_iter().filter_map(|id| self.waiting.remove(&id)).collect()
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
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<Waiting> {
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now && self.waiting.contains_key(&id) {
                return None;
            }
            self.deadlines.pop_first();
            if let Some(waiting) = self.take(id) {
                return Some(waiting);
            }
        }
        None
    }

    /// When `next_expired` has something to give at the latest, as things stand.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kv::{Command, Json, Op};

    fn waiting(request: &Request, deadline: Instant) -> Waiting {
        Waiting::new(Asker::Peer(NodeId(2), 0), request, deadline, (Term(1), None))
    }

    fn write(deadline: Instant) -> Waiting {
        let value = Json::new(&serde_json::json!(1)).unwrap();
        let op = Op::Put { key: "k".into(), value };
        waiting(&Request::Write(Command { session: None, op }), deadline)
    }

    fn read(deadline: Instant) -> Waiting {
        waiting(&Request::Read { key: "k".into(), mode: Mode::Quorum }, deadline)
    }

    /// Requests that are given up so many tens of milliseconds after the returned time as their ids say.
    fn timed(ids: std::ops::RangeInclusive<u64>, waiting: fn(Instant) -> Waiting) -> (Pending, Instant) {
        let (mut pending, start) = (Pending::default(), Instant::now());
        ids.for_each(|id| pending.add(id, waiting(start + Duration::from_millis(id * 10))));
        (pending, start)
    }

    fn pending(ids: std::ops::RangeInclusive<u64>, waiting: fn(Instant) -> Waiting) -> Pending {
        timed(ids, waiting).0
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
        assert_eq!(read(Instant::now()).unresolved(Reason::Deadline).happened, Happened::No);
    }

    #[test]
    fn the_deadline_ends_what_was_not_answered() {
        let (mut pending, start) = timed(1..=3, write);
        let at = |ms| start + Duration::from_millis(ms);
        assert!(pending.take(1).is_some());
        assert!(pending.next_expired(at(19)).is_none());
        assert_eq!(pending.next_deadline(), Some(at(20)), "the answered one is forgotten");
        assert!(pending.next_expired(at(20)).is_some());
        assert!(pending.next_expired(at(20)).is_none());
        assert!(pending.take(2).is_none(), "answered once");
    }

    #[test]
    fn only_what_was_passed_on_ends_with_the_leader() {
        let (mut pending, start) = timed(1..=2, write);
        pending.add_forwarded(3, write(start));
        pending.add_forwarded(4, read(start));
        assert!(pending.take(3).is_some(), "the leader had answered");
        assert_eq!(pending.take_forwarded().iter().filter(|waiting| waiting.read.is_some()).count(), 1);
        assert_eq!((pending.take_forwarded().len(), pending.len()), (0, 2));
    }
}
