//! Linearizable reads (dissertation §6.4). A leader may answer once it is sure that it still led after the read
//! arrived; a follower, once the leader has confirmed this.

use std::{collections::VecDeque, time::Duration};

use rand_pcg::rand_core::Rng;

use super::{
    Body, Elections, LeaderReadMode, LogIndex, NodeId, Raft, ReadOutcome, Time,
    node::{Leadership, State},
    rules::Rule,
};
use crate::defect::Defect;

/// Maximum number of waiting reads; further ones are refused.
const MAX_WAITING: usize = 65_536;

/// Requester of a read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// A client of this node.
    Client(u64),
    /// A follower, for a client of its own.
    Follower { node: NodeId, context: u64 },
}

#[derive(Debug)]
struct WaitingRead {
    origin: Origin,
    arrived: Time,
}

/// Reads that are answered together, by one round or by one request to the leader.
#[derive(Debug)]
struct ReadBatch {
    /// Round at the leader, context at a follower.
    ticket: u64,
    /// Commit index of the leader when the round began; unused at a follower.
    index: LogIndex,
    requests: Vec<WaitingRead>,
}

/// Waiting reads, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Reads that wait for a round to begin, or for the leader to be asked.
    arrived: Vec<WaitingRead>,
    /// Reads that wait for their round's acknowledgement, or for the leader's answer.
    asked: VecDeque<ReadBatch>,
    /// Read index that the leader gave for earlier reads, and that a follower with a defect uses for later ones.
    reusable: Option<LogIndex>,
}

impl Reads {
    fn len(&self) -> usize {
        self.arrived.len() + self.asked.iter().map(|batch| batch.requests.len()).sum::<usize>()
    }

    /// Returns the arrival time of the read that has waited longest.
    fn oldest(&self) -> Option<Time> {
        let request = self.asked.front().and_then(|batch| batch.requests.first()).or_else(|| self.arrived.first());
        request.map(|request| request.arrived)
    }

    /// Returns the time at which the oldest read has waited for `limit`.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Time> {
        self.oldest().map(|arrived| arrived.after(limit))
    }

    fn ask(&mut self, ticket: u64, index: LogIndex) {
        if !self.arrived.is_empty() {
            let requests = std::mem::take(&mut self.arrived);
            self.asked.push_back(ReadBatch { ticket, index, requests });
        }
    }

    /// Restarts all waiting times after the clock went backwards.
    pub(super) fn restart_clock(&mut self, now: Time) {
        for request in self.asked.iter_mut().flat_map(|batch| &mut batch.requests).chain(&mut self.arrived) {
            request.arrived = now;
        }
    }
}

impl Leadership {
    /// Returns true if the leader's commit index is sure to cover everything acknowledged before its term: only once
    /// an entry of its own term is committed, even in a cluster of one (dissertation §6.4, step 1; §8).
    fn has_committed_in_own_term(&self, commit: LogIndex) -> bool {
        commit >= self.first_own
    }
}

impl Raft {
    /// Starts a read for a client of this node.
    pub(super) fn begin_read(&mut self, id: u64, mode: LeaderReadMode) {
        let ready = ReadOutcome::Ready(self.commit);
        match (&self.state, mode) {
            // Basic Raft: no check at all. A deposed leader answers too.
            (State::Leader(_), LeaderReadMode::Leader) => self.out.reads.push((id, ready)),
            (State::Leader(own), LeaderReadMode::Lease)
                if self.config.elections == Elections::CheckQuorum
                    && !own.has_given_up_lease
                    && own.has_committed_in_own_term(self.commit)
                    && own.rounds.acknowledged_within(self.config.trusted(self.config.lease), self.now) =>
            {
                self.rules.count(Rule::Lease);
                self.out.reads.push((id, ready));
            }
            (State::Leader(_), LeaderReadMode::Quorum) if self.config.has(Defect::ReadAsksNobody) => {
                self.out.reads.push((id, ready));
            }
            (State::Follower, LeaderReadMode::Quorum) if self.config.has(Defect::FollowerReadsOwnCommit) => {
                self.out.reads.push((id, ready));
            }
            (State::Follower, LeaderReadMode::Quorum)
                if self.config.has(Defect::RemovedNodeReads) && !self.membership().is_voter(self.config.id) =>
            {
                self.out.reads.push((id, ready));
            }
            (State::Follower, LeaderReadMode::Quorum) if let Some(index) = self.reads.reusable => {
                self.out.reads.push((id, ReadOutcome::Ready(index)));
            }
            (State::Leader(_), LeaderReadMode::Lease | LeaderReadMode::Quorum) => self.await_read(Origin::Client(id)),
            (State::Follower, LeaderReadMode::Quorum) if self.leader.is_some() => self.await_read(Origin::Client(id)),
            (State::Follower | State::PreCandidate(_) | State::Candidate(_), _) => {
                self.refuse_read(Origin::Client(id), self.leader);
            }
        }
    }

    fn await_read(&mut self, origin: Origin) {
        if self.reads.len() >= MAX_WAITING {
            return self.refuse_read(origin, None);
        }
        let read = WaitingRead { origin, arrived: self.now };
        match self.reads.asked.back_mut() {
            Some(open) if self.config.has(Defect::JoinsOpenRound) => open.requests.push(read),
            _ => self.reads.arrived.push(read),
        }
        self.unsent = true;
    }

    /// Handles a follower's request for a read index.
    pub(super) fn on_read_index(&mut self, node: NodeId, context: u64) {
        let origin = Origin::Follower { node, context };
        if matches!(self.state, State::Leader(_)) {
            self.await_read(origin);
        } else {
            let index = self.config.has(Defect::AnyoneAnswersReadIndex).then_some(self.commit);
            self.answer_read(origin, index);
        }
    }

    /// Handles the leader's answer. Only a request that still waits counts, by its context, which no other attempt or
    /// start has used.
    pub(super) fn on_read_index_response(&mut self, context: u64, index: Option<LogIndex>) {
        if !matches!(self.state, State::Follower) {
            return;
        }
        // The index is the leader's commit index: its next heartbeat would say so too, but the read waits for it.
        if let Some(index) = index {
            self.follow_commit(index);
        }
        let is_asked = |batch: &ReadBatch| batch.ticket == context || self.config.has(Defect::AnyContextAnswers);
        let Some(position) = self.reads.asked.iter().position(is_asked) else { return };
        self.reads.reusable = index.filter(|_| self.config.has(Defect::ReusesReadIndex));
        let batch = self.reads.asked.remove(position).expect("the position was just found");
        for request in batch.requests {
            self.answer_read(request.origin, index);
        }
    }

    /// Starts a round or asks the leader for the reads that have arrived, if possible now.
    pub(super) fn advance_reads(&mut self) {
        if self.reads.arrived.is_empty() {
            return;
        }
        match &self.state {
            // Reads that arrive while a round is out must not use it, because it began before them; they share the
            // next one.
            State::Leader(own) if own.has_committed_in_own_term(self.commit) && self.reads.asked.is_empty() => {
                self.begin_round();
            }
            State::Follower => self.ask_leader(),
            State::Leader(_) | State::PreCandidate(_) | State::Candidate(_) => {}
        }
    }

    fn ask_leader(&mut self) {
        let Some(leader) = self.leader else { return self.refuse_reads(None) };
        let context = self.contexts.next_u64();
        self.reads.ask(context, LogIndex(0));
        self.send_early(leader, Body::ReadIndex { context });
    }

    /// Begins a heartbeat round, which the reads that have arrived so far join (dissertation §6.4, steps 2 and 3).
    pub(super) fn begin_round(&mut self) {
        let State::Leader(own) = &mut self.state else { return };
        own.rounds.begin(self.now);
        if own.has_committed_in_own_term(self.commit) {
            self.reads.ask(own.rounds.newest(), self.commit);
        }
        self.unsent = true;
        self.count_acknowledgements();
    }

    /// Answers the reads whose round a quorum has acknowledged.
    pub(super) fn confirm_reads(&mut self, acknowledged: u64) {
        while self.reads.asked.front().is_some_and(|batch| batch.ticket <= acknowledged) {
            let batch = self.reads.asked.pop_front().expect("there is a front");
            self.rules.count(Rule::ReadIndex);
            for request in batch.requests {
                self.answer_read(request.origin, Some(batch.index));
            }
        }
        // Reads that waited for this round to end now need a round of their own.
        self.unsent |= !self.reads.arrived.is_empty();
    }

    fn answer_read(&mut self, origin: Origin, index: Option<LogIndex>) {
        match (origin, index) {
            (Origin::Client(id), Some(index)) => self.out.reads.push((id, ReadOutcome::Ready(index))),
            (Origin::Client(id), None) => self.out.reads.push((id, ReadOutcome::NotLeader { leader: None })),
            (Origin::Follower { node, context }, index) => {
                self.send_early(node, Body::ReadIndexResponse { context, index });
            }
        }
    }

    fn refuse_read(&mut self, origin: Origin, leader: Option<NodeId>) {
        match origin {
            Origin::Client(id) => self.out.reads.push((id, ReadOutcome::NotLeader { leader })),
            Origin::Follower { .. } => self.answer_read(origin, None),
        }
    }

    /// Refuses all waiting reads because this node's role or leader has changed.
    pub(super) fn refuse_reads(&mut self, leader: Option<NodeId>) {
        let reads = std::mem::take(&mut self.reads);
        for request in reads.asked.into_iter().flat_map(|batch| batch.requests).chain(reads.arrived) {
            self.refuse_read(request.origin, leader);
        }
    }

    /// Refuses reads that have waited for an election timeout: the request or the answer was lost, or no quorum can
    /// be reached.
    pub(super) fn expire_reads(&mut self) {
        let (now, limit) = (self.now, self.config.election_timeout);
        while self.reads.oldest().is_some_and(|arrived| now.since(arrived) >= limit) {
            let requests = if let Some(batch) = self.reads.asked.pop_front() {
                batch.requests
            } else {
                let expired = self.reads.arrived.partition_point(|request| now.since(request.arrived) >= limit);
                self.reads.arrived.drain(..expired).collect()
            };
            for request in requests {
                self.refuse_read(request.origin, None);
            }
        }
    }
}
