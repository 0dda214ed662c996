//! Requests that wait for something, and the answer to each if it does not come.
//!
//! The rule behind all of this: a request is answered with "it did not happen" only if no log can hold it. A proposal
//! that was appended, or was handed to a link, may be committed by any leader at any later time; only another entry,
//! committed at its index, rules that out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    defect::Defect,
    host_clock::HostTime,
    kv::Query,
    raft::{LogIndex, NodeId, Term},
    request::{Effect, Failure, ReadMode, Reason, Request},
};

/// Recipient of the answer.
#[derive(Debug)]
pub(super) enum Requester<C> {
    /// Client of this node.
    Client(C),
    /// Peer that forwarded a request of its own client, under its own id.
    Peer(NodeId, u64),
}

/// Term and leader that a node follows: no other leader will answer a request sent to this one.
pub(super) type LeaderView = (Term, Option<NodeId>);

/// Request that has not been answered yet.
#[derive(Debug)]
pub(super) struct PendingRequest<C> {
    pub(super) requester: Requester<C>,
    /// Question and mode, if it is a read.
    pub(super) read: Option<(Query, ReadMode)>,
    /// Deadline by the host's clock: whatever happens to the node's own clock, a client does not wait longer.
    pub(super) deadline: HostTime,
    /// Leader that this node followed when it asked.
    pub(super) asked: LeaderView,
    /// Planted defect.
    defect: Option<Defect>,
}

impl<C> PendingRequest<C> {
    pub(super) fn new(requester: Requester<C>, request: &Request, deadline: HostTime, asked: LeaderView) -> Self {
        let read = match request {
            Request::Read { query, mode } => Some((query.clone(), *mode)),
            Request::Write(_) | Request::Change(_) | Request::Transfer(_) => None,
        };
        Self { requester, read, deadline, asked, defect: None }
    }

    /// Returns true if the request may be asked once more: a read of a client of this node, which has no effect.
    pub(super) fn can_retry(&self) -> bool {
        self.read.is_some() && matches!(self.requester, Requester::Client(_))
    }

    /// Returns the answer to a request with an unknown outcome: a read has no effect, so it counts as not having
    /// happened.
    pub(super) fn unresolved(&self, reason: Reason) -> Failure {
        let claims_none = match self.defect {
            Some(Defect::DeadlineSaysNo) => reason == Reason::Deadline,
            Some(Defect::LeaderChangeSaysNo) => reason == Reason::LeaderChanged,
            Some(Defect::SnapshotSaysNo) => reason == Reason::NoLeader,
            _ => false,
        };
        Failure { reason, effect: if self.read.is_none() && !claims_none { Effect::Unknown } else { Effect::No } }
    }
}

/// Waiting requests, by the id under which this node knows them.
#[derive(Debug)]
pub(super) struct PendingRequests<C> {
    waiting: BTreeMap<u64, PendingRequest<C>>,
    /// Ids by deadline.
    deadlines: BTreeSet<(HostTime, u64)>,
    /// Requests that were forwarded to the leader.
    forwarded: BTreeSet<u64>,
    /// Appended proposals by index and term. One index may have two of them, from different terms of this node.
    proposals: BTreeMap<(LogIndex, Term), u64>,
    /// Reads that may be answered once their index is applied.
    reads: BTreeSet<(LogIndex, u64)>,
    /// Planted defect.
    defect: Option<Defect>,
}

/// Proposals decided by applying an entry at their index.
#[derive(Debug)]
pub(super) struct DecidedProposals<C> {
    /// Proposal that this entry is.
    pub(super) committed: Option<PendingRequest<C>>,
    /// Proposals that this entry rules out for ever.
    pub(super) superseded: Vec<PendingRequest<C>>,
}

impl<C> PendingRequests<C> {
    /// Creates an empty list, with a planted defect if one is given.
    pub(super) fn new(defect: Option<Defect>) -> Self {
        Self {
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            forwarded: BTreeSet::new(),
            proposals: BTreeMap::new(),
            reads: BTreeSet::new(),
            defect,
        }
    }

    /// Returns the number of waiting requests.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn add(&mut self, id: u64, waiting: PendingRequest<C>) {
        self.deadlines.insert((waiting.deadline, id));
        self.waiting.insert(id, PendingRequest { defect: self.defect, ..waiting });
    }

    /// Adds a request that was forwarded to the leader.
    pub(super) fn add_forwarded(&mut self, id: u64, waiting: PendingRequest<C>) {
        self.forwarded.insert(id);
        self.add(id, waiting);
    }

    /// Removes a request, to answer it; `None` if it was already answered.
    pub(super) fn take(&mut self, id: u64) -> Option<PendingRequest<C>> {
        self.forwarded.remove(&id);
        self.waiting.remove(&id)
    }

    /// Removes all forwarded requests without an answer.
    pub(super) fn take_forwarded(&mut self) -> Vec<PendingRequest<C>> {
        std::mem::take(&mut self.forwarded).into_iter().filter_map(|id| self.waiting.remove(&id)).collect()
    }

    /// Records that the proposal was appended at `index` in `term`.
    pub(super) fn record_appended(&mut self, id: u64, index: LogIndex, term: Term) {
        self.proposals.insert((index, term), id);
    }

    /// Records that the read may be answered once `index` is applied.
    pub(super) fn record_readable(&mut self, id: u64, index: LogIndex) {
        self.reads.insert((index, id));
    }

    /// Decides the proposals at `index`, where the entry of `term` was applied.
    pub(super) fn applied(&mut self, index: LogIndex, term: Term) -> DecidedProposals<C> {
        let mut decisions = DecidedProposals { committed: None, superseded: Vec::new() };
        while let Some(first) = self.proposals.first_entry().filter(|first| first.key().0 <= index) {
            let ((_, proposed_in), id) = first.remove_entry();
            match self.waiting.remove(&id) {
                Some(waiting) if proposed_in == term || self.defect == Some(Defect::AnswersByIndex) => {
                    decisions.committed = Some(waiting);
                }
                Some(waiting) => decisions.superseded.push(waiting),
                None => {}
            }
        }
        decisions
    }

    /// Removes the proposals up to `index`, where a snapshot replaced the log: which entries it replaced is unknown.
    pub(super) fn restored(&mut self, index: LogIndex) -> Vec<PendingRequest<C>> {
        let later = self.proposals.split_off(&(LogIndex(index.0 + 1), Term(0)));
        let gone = std::mem::replace(&mut self.proposals, later);
        gone.into_values().filter_map(|id| self.waiting.remove(&id)).collect()
    }

    /// Removes the next read that may be answered now that `applied` is applied.
    pub(super) fn next_readable(&mut self, applied: LogIndex) -> Option<PendingRequest<C>> {
        let early = self.defect == Some(Defect::ReadsBeforeApply);
        while let Some((_, id)) = self.reads.first().filter(|(index, _)| early || *index <= applied).copied() {
            self.reads.pop_first();
            if let Some(waiting) = self.waiting.remove(&id) {
                return Some(waiting);
            }
        }
        None
    }

    /// Removes the next request whose deadline has passed at `now`.
    pub(super) fn next_expired(&mut self, now: HostTime) -> Option<PendingRequest<C>> {
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

    /// Returns the time by which `next_expired` must be called again.
    pub(super) fn next_deadline(&self) -> Option<HostTime> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kv::{Command, Json, Op};

    fn waiting(request: &Request, deadline: HostTime) -> PendingRequest<()> {
        PendingRequest::new(Requester::Peer(NodeId(2), 0), request, deadline, (Term(1), None))
    }

    fn write(deadline: HostTime) -> PendingRequest<()> {
        let value = Json::new(&serde_json::json!(1)).unwrap();
        let op = Op::Put { key: "k".into(), value };
        waiting(&Request::Write(Command { session: None, op }), deadline)
    }

    fn read(deadline: HostTime) -> PendingRequest<()> {
        waiting(&Request::Read { query: Query::Value("k".into()), mode: ReadMode::Quorum }, deadline)
    }

    /// Adds requests whose deadlines lie `id` × 10 ms after the returned time.
    fn timed(
        ids: std::ops::RangeInclusive<u64>,
        waiting: fn(HostTime) -> PendingRequest<()>,
    ) -> (PendingRequests<()>, HostTime) {
        let (mut pending, start) = (PendingRequests::new(None), HostTime(1));
        ids.for_each(|id| pending.add(id, waiting(start + Duration::from_millis(id * 10))));
        (pending, start)
    }

    fn pending(ids: std::ops::RangeInclusive<u64>, waiting: fn(HostTime) -> PendingRequest<()>) -> PendingRequests<()> {
        timed(ids, waiting).0
    }

    #[test]
    fn a_proposal_is_decided_by_the_entry_at_its_index_alone() {
        let mut pending = pending(1..=3, write);
        pending.record_appended(1, LogIndex(5), Term(2));
        pending.record_appended(2, LogIndex(6), Term(2));
        pending.record_appended(3, LogIndex(6), Term(4));
        let before = pending.applied(LogIndex(4), Term(1));
        assert!(before.committed.is_none() && before.superseded.is_empty());
        let own = pending.applied(LogIndex(5), Term(2));
        assert!(own.committed.is_some() && own.superseded.is_empty());
        let other = pending.applied(LogIndex(6), Term(4));
        assert!(other.committed.is_some());
        assert_eq!(other.superseded.len(), 1, "the same index in an earlier term can never be committed");
        assert_eq!(pending.len(), 0);
    }

    /// Returns a list with one proposal of term 2, recorded at index 5.
    fn proposed(defect: Option<Defect>) -> PendingRequests<()> {
        let mut pending = PendingRequests::new(defect);
        pending.add(1, write(HostTime(1)));
        pending.record_appended(1, LogIndex(5), Term(2));
        pending
    }

    #[test]
    fn a_replaced_write_answered_as_done() {
        assert!(
            Defect::AnswersByIndex
                .is_shown_by(|defect| proposed(defect).applied(LogIndex(5), Term(3)).committed.is_some())
        );
    }

    #[test]
    fn an_unknown_outcome_answered_with_no() {
        for (defect, reason) in [
            (Defect::DeadlineSaysNo, Reason::Deadline),
            (Defect::LeaderChangeSaysNo, Reason::LeaderChanged),
            (Defect::SnapshotSaysNo, Reason::NoLeader),
        ] {
            assert!(defect.is_shown_by(|defect| {
                let gone = proposed(defect).restored(LogIndex(5));
                gone[0].unresolved(reason.clone()).effect == Effect::No
            }));
        }
    }

    #[test]
    fn a_read_answered_before_its_index_is_applied() {
        assert!(Defect::ReadsBeforeApply.is_shown_by(|defect| {
            let mut pending = PendingRequests::new(defect);
            pending.add(1, read(HostTime(1)));
            pending.record_readable(1, LogIndex(7));
            pending.next_readable(LogIndex(6)).is_some()
        }));
    }

    #[test]
    fn after_a_snapshot_nobody_knows() {
        let mut pending = pending(1..=2, write);
        pending.record_appended(1, LogIndex(5), Term(2));
        pending.record_appended(2, LogIndex(6), Term(2));
        let lost = pending.restored(LogIndex(5));
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].unresolved(Reason::Deadline).effect, Effect::Unknown);
        assert!(pending.applied(LogIndex(6), Term(2)).committed.is_some());
    }

    #[test]
    fn a_read_waits_for_its_index() {
        let mut pending = pending(1..=3, read);
        pending.record_readable(1, LogIndex(7));
        pending.record_readable(2, LogIndex(5));
        assert!(pending.next_readable(LogIndex(4)).is_none());
        assert!(pending.next_readable(LogIndex(6)).is_some());
        assert!(pending.next_readable(LogIndex(6)).is_none());
        assert_eq!(pending.len(), 2);
        assert_eq!(read(HostTime(1)).unresolved(Reason::Deadline).effect, Effect::No);
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
