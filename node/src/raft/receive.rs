//! Messages: terms first, then each kind of message by its own rule, and the follower that a node becomes by them.

use super::{
    AppendResult, Body, HardState, InvalidMessage, LogIndex, Message, NodeId, QuorumContact, Raft, Term, Time,
    election::VoteRequest, node::State, replication::AppendEntries, rules::Rule, snapshot::Chunk,
};
use crate::defect::Defect;

impl Raft {
    /// Handles a message. A message that is not for this node, or from itself, is ignored. Others need not be in this
    /// node's configuration, which may be older than theirs (§6).
    ///
    /// # Errors
    /// Returns an error if no correct member can have sent the message; the node then behaves as if it had been lost.
    pub fn step(&mut self, now: Time, message: Message) -> Result<(), InvalidMessage> {
        if message.to == self.config.id && message.from != self.config.id {
            if self.config.defect.is_none() {
                message.check(self.hard_state.term)?;
            }
            self.input(now, |raft| raft.handle(message));
        }
        Ok(())
    }

    /// Handles the term of a message first, as it takes precedence (§5.1), then the message itself.
    fn handle(&mut self, message: Message) {
        let Message { from, term, body, .. } = message;
        self.go_back(term, &body);
        let own = self.hard_state.term;
        let is_counted = matches!(body, Body::RequestVoteResponse { .. }) && self.config.has(Defect::OldVotesCount);
        if term < own && !is_counted {
            return self.refuse_stale(from, &body);
        }
        let leads = matches!(self.state, State::Leader(_));
        if term > own && leads && self.config.has(Defect::LeaderIgnoresLaterTerms) {
            return;
        }
        // Pre-votes have no consequences; for a vote request, `on_request_vote` decides.
        let consequential =
            !matches!(body, Body::RequestVote { .. } | Body::RequestVoteResponse { pre: true, granted: true });
        if term > own && consequential {
            self.become_follower(term, None);
        }
        match body {
            Body::RequestVote { pre, transfer, last_log_index, last_log_term } => {
                let last = (last_log_term, last_log_index);
                self.on_request_vote(VoteRequest { candidate: from, term, pre, transfer, last });
            }
            Body::RequestVoteResponse { pre, granted } => self.on_request_vote_response(from, term, pre, granted),
            Body::AppendEntries { prev_log_index, prev_log_term, entries, leader_commit, round, quorum_contact } => {
                self.hear_from(from, quorum_contact);
                let prev = (prev_log_index, prev_log_term);
                self.on_append_entries(from, AppendEntries { prev, entries, leader_commit, round });
            }
            Body::AppendEntriesResponse { result, round } => self.on_append_entries_response(from, result, round),
            Body::InstallSnapshot {
                last_included_index,
                last_included_term,
                membership,
                offset,
                data,
                done,
                round,
                quorum_contact,
            } => {
                self.hear_from(from, quorum_contact);
                let (last, membership) = ((last_included_index, last_included_term), *membership);
                self.on_install_snapshot(from, &Chunk { last, membership, offset, data, done, round });
            }
            Body::InstallSnapshotResponse { last_included_index, received, round } => {
                if let State::Leader(leadership) = &mut self.state
                    && let Some(progress) = leadership.followers.get_mut(&from)
                {
                    self.unsent |= progress.on_chunk(last_included_index, received);
                }
                self.on_acknowledged(from, round);
            }
            Body::TimeoutNow => self.on_timeout_now(from),
            Body::ReadIndex { context } => self.on_read_index(from, context),
            Body::ReadIndexResponse { context, index } => self.on_read_index_response(context, index),
        }
    }

    /// Returns to the term of a past leader that sends entries, which only a node with a defect does.
    fn go_back(&mut self, term: Term, body: &Body) {
        let from_past_leader = term < self.hard_state.term && matches!(body, Body::AppendEntries { .. });
        if from_past_leader && self.config.has(Defect::TermGoesBack) && !matches!(self.state, State::Leader(_)) {
            self.set_hard_state(HardState { term, voted_for: None });
        }
    }

    /// Refuses a request of a past term in this node's term, which deposes its sender (§5.1); an answer of a past
    /// term is dropped. The refusal names round 0: by the time it arrives, its recipient may lead this very term,
    /// with rounds counted from the start again.
    fn refuse_stale(&mut self, from: NodeId, body: &Body) {
        self.rules.count(Rule::PastTerm);
        match body {
            &Body::RequestVote { pre, .. } => self.answer_vote(from, self.hard_state.term, pre, false),
            Body::AppendEntries { .. } | Body::InstallSnapshot { .. } => {
                if self.config.has(Defect::OldLeaderRestartsTimer) {
                    self.reset_election_timer();
                }
                let result = AppendResult::Conflict { refused: LogIndex(0), term: None, first: LogIndex(0) };
                self.send(from, Body::AppendEntriesResponse { result, round: 0 });
            }
            &Body::ReadIndex { context } => self.send(from, Body::ReadIndexResponse { context, index: None }),
            Body::RequestVoteResponse { .. }
            | Body::TimeoutNow
            | Body::AppendEntriesResponse { .. }
            | Body::InstallSnapshotResponse { .. }
            | Body::ReadIndexResponse { .. } => {}
        }
    }

    /// Becomes a follower in `term` (§5.1). The vote is cleared only if the term changes; the election timer keeps
    /// running, except in a former leader.
    pub(super) fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        if term > self.hard_state.term {
            self.rules.count(Rule::LaterTerm);
            self.set_hard_state(HardState { term, voted_for: None });
            self.incoming = None;
        } else if self.config.has(if leader.is_some() {
            Defect::LeaderUpdateClearsVote
        } else {
            Defect::StepDownClearsVote
        }) {
            self.set_hard_state(HardState { voted_for: None, ..self.hard_state });
        }
        if matches!(self.state, State::Leader(_)) {
            self.reset_election_timer();
        }
        self.leave_leader(leader);
        self.state = State::Follower;
    }

    /// Changes the leader that this node follows, and refuses the reads that waited for the old one's answer.
    pub(super) fn leave_leader(&mut self, leader: Option<NodeId>) {
        self.refuse_reads(leader);
        self.leader = leader;
    }

    /// Handles contact from the leader of this term: other candidates give way to it (§5.2), and nobody else gets this
    /// node's vote for a while. A leader without a quorum can commit nothing: it is followed, but does not keep this
    /// node from looking for another. Otherwise a leader that can send but not receive would silence the cluster for
    /// ever.
    fn hear_from(&mut self, leader: NodeId, quorum_contact: QuorumContact) {
        assert!(
            !matches!(self.state, State::Leader(_)) || self.config.defect.is_some(),
            "two leaders in one term (§5.2): {leader} and {}",
            self.config.id
        );
        let quorum_contact =
            if self.config.has(Defect::DesertedLeaderSilences) { QuorumContact::Recent } else { quorum_contact };
        let looks_for_another = matches!(self.state, State::PreCandidate(_)) && quorum_contact == QuorumContact::Lost;
        if self.leader != Some(leader) && !looks_for_another {
            self.become_follower(self.hard_state.term, Some(leader));
        }
        if quorum_contact == QuorumContact::Recent {
            self.last_heard = Some(self.now);
            self.reset_election_timer();
        }
    }
}
