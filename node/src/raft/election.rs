//! Elections (§5.2, §5.4.1), with pre-votes, which avoid disruption (dissertation §9.6), and the rule that nobody
//! votes while a leader is alive (§6, dissertation §4.2.3).

use std::{collections::BTreeMap, time::Duration};

use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};

use super::{
    Body, Config, Elections, Entry, HardState, LogIndex, Message, NodeId, Payload, Raft, Term,
    node::{Leadership, State},
    rules::Rule,
};
use crate::defect::Defect;

/// Request for a vote, as received.
#[derive(Clone, Copy, Debug)]
pub(super) struct VoteRequest {
    pub(super) candidate: NodeId,
    pub(super) term: Term,
    /// True for a pre-vote.
    pub(super) pre: bool,
    /// True if the leader asked the candidate to take over.
    pub(super) transfer: bool,
    /// Last term and index of the candidate's log.
    pub(super) last: (Term, LogIndex),
}

/// Returns true if a candidate's log is at least as up to date as the voter's: the later last term wins, then the
/// greater index (§5.4.1).
pub(super) fn is_up_to_date(candidate: (Term, LogIndex), voter: (Term, LogIndex)) -> bool {
    candidate >= voter
}

/// Returns true if a vote in `term` may go to `candidate`: one vote per term, first come, first served; a repeated
/// request gets the same answer (§5.2, figure 2 `RequestVote`). For a pre-vote, returns true if a vote would be
/// given.
pub(super) fn has_vote_for(voter: HardState, term: Term, candidate: NodeId) -> bool {
    term > voter.term || (term == voter.term && voter.voted_for.is_none_or(|vote| vote == candidate))
}

/// Returns the shortest election timer and the width of the random part, for a draw from `[t, 2t)` (§5.2). Before the
/// first term no promises can have been made, so a new cluster need not wait: the draw is from `[t/8, t/2)`.
pub(super) fn timer_span(term: Term, election_timeout: Duration) -> (Duration, Duration) {
    if term == Term(0) {
        (election_timeout / 8, election_timeout * 3 / 8)
    } else {
        (election_timeout, election_timeout)
    }
}

impl Raft {
    /// Draws a new election timer.
    pub(super) fn reset_election_timer(&mut self) {
        let (shortest, spread) = timer_span(self.hard_state.term, self.config.election_timeout);
        let spread = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX).max(1);
        let drawn = if self.config.has(Defect::EqualTimers) { 0 } else { self.rng.next_u64() };
        let extra = Duration::from_nanos(share(drawn, spread));
        self.election_deadline = self.now.after(shortest + extra);
    }

    /// Returns true if this node must not vote because a leader is alive: it heard from one within
    /// `election_timeout`, or it is a leader that a quorum answered within that time (§6, dissertation §4.2.3).
    /// Leases depend on this, so a restarted node counts as having heard from a leader when it started. In basic Raft
    /// the rule does not apply.
    fn must_withhold_vote(&self) -> bool {
        if self.config.elections == Elections::Basic || self.config.has(Defect::DisloyalVoters) {
            return false;
        }
        let timeout = self.config.election_timeout;
        self.last_heard.is_some_and(|heard| self.now.since(heard) < timeout)
            || matches!(&self.state, State::Leader(own) if own.rounds.acknowledged_within(timeout, self.now))
    }

    /// Returns the term of the next election; `None` after the greatest representable term.
    fn next_term(&self) -> Option<Term> {
        self.hard_state.term.0.checked_add(1).map(Term)
    }

    /// Starts a pre-vote after the election timer ran out: asks whether an election could be won (dissertation §9.6). A
    /// node that may not campaign only gives up its leader: it is new, or was removed.
    pub(super) fn begin_pre_vote(&mut self) {
        self.leave_leader(None);
        self.reset_election_timer();
        let may_campaign = self.may_campaign();
        let Some(term) = self.next_term().filter(|_| may_campaign) else {
            self.state = State::Follower;
            return;
        };
        self.rules.count(Rule::PreVote);
        let votes = BTreeMap::from([(self.config.id, 1)]);
        let is_won = self.membership().elects(&votes) || self.config.has(Defect::NoPreVote);
        self.state = State::PreCandidate(votes);
        if is_won { self.begin_election(term, false) } else { self.ask_for_votes(true, false, term) }
    }

    /// Becomes a candidate in a new term and votes for itself (§5.2); `transfer` if the leader asked for it.
    pub(super) fn begin_election(&mut self, term: Term, transfer: bool) {
        self.rules.count(Rule::Candidacy);
        self.set_hard_state(HardState { term, voted_for: Some(self.config.id) });
        self.state = State::Candidate(BTreeMap::from([(self.config.id, 1)]));
        self.reset_election_timer();
        self.ask_for_votes(false, transfer, term);
    }

    /// Leads if this node's own vote, which is durable by now, is enough. Earlier it does not count: the node could
    /// crash, forget its term, and lead in it a second time (figure 2, persistent state).
    pub(super) fn count_own_vote(&mut self) {
        if matches!(&self.state, State::Candidate(votes) if self.membership().elects(votes)) {
            self.become_leader();
        }
    }

    /// Stands for election in the next term without a pre-vote, because the leader asked for it.
    pub(super) fn stand_for_election(&mut self) {
        if let Some(term) = self.next_term() {
            self.begin_election(term, true);
        }
    }

    fn ask_for_votes(&mut self, pre: bool, transfer: bool, term: Term) {
        let (last_log_index, last_log_term) = (self.log.last_index(), self.log.last_term());
        let body = Body::RequestVote { pre, transfer, last_log_index, last_log_term };
        let (from, membership) = (self.config.id, self.membership().clone());
        for to in membership.members().into_iter().filter(|&to| to != from && membership.is_voter(to)) {
            self.out.messages.push(Message { from, to, term, body: body.clone() });
        }
    }

    /// Answers a request for a vote or pre-vote. A refusal because a leader is alive leaves this node's term alone:
    /// the candidate must not be able to depose a working leader, unless that asked for it.
    pub(super) fn on_request_vote(&mut self, request: VoteRequest) {
        let VoteRequest { candidate, term, pre, transfer, last } = request;
        let own_last = (self.log.last_term(), self.log.last_index());
        if self.config.has(Defect::VoteRequestRestartsTimer) {
            self.reset_election_timer();
        }
        if self.must_withhold_vote() && !transfer {
            self.rules.count(Rule::LeaderAlive);
            return self.answer_vote(candidate, self.hard_state.term, pre, false);
        }
        if !pre && term > self.hard_state.term {
            self.become_follower(term, None);
        }
        let may_have_vote = has_vote_for(self.hard_state, term, candidate) || self.config.has(Defect::VotesTwice);
        let is_up_to_date = match self.config.defect {
            Some(Defect::VotesForAnyLog) => true,
            Some(Defect::ComparesLengthFirst) => (last.1, last.0) >= (own_last.1, own_last.0),
            _ => is_up_to_date(last, own_last),
        };
        let granted = may_have_vote && is_up_to_date;
        if !is_up_to_date {
            self.rules.count(Rule::OutdatedLog);
        }
        if granted && !pre {
            self.rules.count(Rule::Vote);
            self.set_hard_state(HardState { term, voted_for: Some(candidate) });
            self.reset_election_timer();
        }
        // A granted pre-vote carries the term it is for; a refusal informs the candidate of a later term than its
        // own.
        let answer_term = if granted { term } else { self.hard_state.term };
        self.answer_vote(candidate, answer_term, pre, granted);
    }

    pub(super) fn answer_vote(&mut self, to: NodeId, term: Term, pre: bool, granted: bool) {
        self.out.messages.push(Message {
            from: self.config.id,
            to,
            term,
            body: Body::RequestVoteResponse { pre, granted },
        });
    }

    /// Counts a vote: each voter once, only for the current election, in its own term (§5.2).
    pub(super) fn on_request_vote_response(&mut self, voter: NodeId, term: Term, pre: bool, granted: bool) {
        let own = self.hard_state.term;
        let (next, membership) = (self.next_term(), self.membership().clone());
        let votes = match &mut self.state {
            State::PreCandidate(votes) if pre && Some(term) == next => votes,
            State::Candidate(votes)
                if (!pre || self.config.has(Defect::PreVotesCount))
                    && (term == own || self.config.has(Defect::OldVotesCount)) =>
            {
                votes
            }
            State::Follower | State::PreCandidate(_) | State::Candidate(_) | State::Leader(_) => return,
        };
        if granted {
            let count = votes.entry(voter).or_default();
            *count = if self.config.has(Defect::RepeatedVotesCount) { *count + 1 } else { 1 };
        }
        if !membership.elects(votes) {
            return;
        }
        if matches!(self.state, State::PreCandidate(_)) {
            self.begin_election(term, false);
        } else {
            self.become_leader();
        }
    }

    /// Becomes leader and announces itself at once, with an entry of its own term, without which it may neither
    /// commit nor serve reads (§5.2, §8).
    fn become_leader(&mut self) {
        self.rules.count(Rule::Leader);
        self.leader = Some(self.config.id);
        let own = Leadership::new(&self.config, self.membership(), self.log.last_index(), self.now);
        self.state = State::Leader(own);
        if !self.config.has(Defect::NoEntryOfOwnTerm) {
            self.append_own(Payload::Noop);
        }
        self.begin_round();
    }

    pub(super) fn append_own(&mut self, payload: Payload) -> LogIndex {
        let index = LogIndex(self.log.last_index().0 + 1);
        self.append(Entry { index, term: self.hard_state.term, payload });
        self.unsent = true;
        index
    }
}

/// Returns a number below `limit`, for a drawn number of 64 bits; without a division, as each heartbeat draws a timer.
fn share(drawn: u64, limit: u64) -> u64 {
    u64::try_from((u128::from(drawn) * u128::from(limit)) >> 64).expect("it is below the limit")
}

/// Returns the generator of a node's timers: two nodes with the same seed must not draw the same timers (§5.2).
pub(super) fn timers(config: &Config, term: Term) -> Pcg64 {
    Pcg64::seed_from_u64(config.seed ^ config.id.0.rotate_left(48) ^ term.0.rotate_left(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_term_is_more_up_to_date_than_the_longer_log() {
        let log = |term, index| (Term(term), LogIndex(index));
        assert!(is_up_to_date(log(3, 2), log(2, 9)));
        assert!(!is_up_to_date(log(2, 9), log(3, 2)));
        assert!(is_up_to_date(log(3, 5), log(3, 4)));
        assert!(is_up_to_date(log(3, 4), log(3, 4)), "equal is enough");
        assert!(!is_up_to_date(log(3, 3), log(3, 4)));
    }

    #[test]
    fn one_vote_a_term_and_the_same_one_again() {
        let voter = HardState { term: Term(3), voted_for: Some(NodeId(2)) };
        assert!(has_vote_for(voter, Term(3), NodeId(2)));
        assert!(!has_vote_for(voter, Term(3), NodeId(1)));
        assert!(!has_vote_for(voter, Term(2), NodeId(2)), "a past term");
        assert!(has_vote_for(voter, Term(4), NodeId(1)));
        assert!(has_vote_for(HardState { voted_for: None, ..voter }, Term(3), NodeId(1)));
    }

    #[test]
    fn timers_lie_between_t_and_2t_and_are_short_before_the_first_term() {
        let timeout = Duration::from_millis(160);
        assert_eq!(timer_span(Term(1), timeout), (timeout, timeout));
        assert_eq!(timer_span(Term(0), timeout), (Duration::from_millis(20), Duration::from_millis(60)));
    }
}
