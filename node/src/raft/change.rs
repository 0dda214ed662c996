//! Changes of the members (§6; dissertation, chapter 4): begun for an operator, carried on by whoever leads, one at a
//! time. A configuration is an entry of the log and in force from the moment on at which it is appended.

use super::{
    Change, ChangeRefusal, LogIndex, Membership, NodeId, Payload, ProposalOutcome, QuorumContact, Raft, Time,
    node::State, progress::Progress, rules::Rule,
};
use crate::defect::Defect;

impl Raft {
    /// Begins a change of the members for an operator; `id` is returned with the outcome. The leader carries it on, or
    /// its successor does; it is complete once a configuration that is not intermediate is committed.
    pub fn change_members(&mut self, now: Time, id: u64, change: Change) {
        self.input(now, |raft| {
            let outcome = match (&raft.state, raft.quorum_contact()) {
                (State::Leader(_), QuorumContact::Lost) => ProposalOutcome::NoQuorum,
                (State::Leader(_), QuorumContact::Recent) => match raft.begin_change(change) {
                    Ok(index) => ProposalOutcome::Appended { index, term: raft.hard_state.term },
                    Err(refusal) => ProposalOutcome::Refused(refusal),
                },
                _ => ProposalOutcome::NotLeader { leader: raft.leader },
            };
            raft.out.proposals.push((id, outcome));
        });
    }

    fn begin_change(&mut self, change: Change) -> Result<LogIndex, ChangeRefusal> {
        self.check_may_change()?;
        if self.membership().is_intermediate()
            && !self.membership().can_be_cut_short_by(change)
            && !self.config.has(Defect::ChangesOverlap)
        {
            return Err(ChangeRefusal::InFlight);
        }
        let next = self.membership().with(change)?;
        Ok(self.append_membership(next))
    }

    /// Checks that this leader may append another configuration: the last one is committed (dissertation §4.1), and so
    /// is an entry of the leader's own term, without which it cannot know that (Ongaro, raft-dev, 2015).
    fn check_may_change(&self) -> Result<(), ChangeRefusal> {
        if matches!(&self.state, State::Leader(own) if own.transfer.is_some()) {
            return Err(ChangeRefusal::Transferring);
        }
        let has_committed = self.log.term(self.commit) == Some(self.hard_state.term);
        if !has_committed && !self.config.has(Defect::ChangesBeforeOwnCommit) {
            return Err(ChangeRefusal::NotYet);
        }
        if !self.has_committed_membership() && !self.config.has(Defect::ChangesOverlap) {
            return Err(ChangeRefusal::InFlight);
        }
        Ok(())
    }

    /// Appends a configuration, which is in force at once (§6), and sends the log to its new members.
    fn append_membership(&mut self, membership: Membership) -> LogIndex {
        self.rules.count(Rule::MembershipChange);
        let (own_id, next) = (self.config.id, self.log.last_index());
        if let State::Leader(own) = &mut self.state {
            for member in membership.members().into_iter().filter(|&member| member != own_id) {
                own.followers.entry(member).or_insert_with(|| Progress::new(next));
            }
        }
        self.append_own(Payload::Membership(Box::new(membership)))
    }

    /// Returns true if this node may stand for election: it is a voter, or it was one and does not know yet that a
    /// configuration without it is committed. It may be the only one that has it (dissertation §4.2.2). After a restart
    /// it knows little of what is committed, so each configuration that its log still has counts.
    pub(super) fn may_campaign(&self) -> bool {
        let id = self.config.id;
        self.memberships.since(self.commit).any(|membership| membership.is_voter(id))
    }

    /// Carries a change on: takes the next step once the last is committed, takes leave of members that are gone, and
    /// steps down if this leader is one of them (§6).
    pub(super) fn advance_membership(&mut self) {
        let State::Leader(own) = &self.state else { return };
        let membership = self.membership();
        let has_own_voters_only =
            membership.voters.contains(&self.config.id) && membership.voters.len() == own.followers.len() + 1;
        if !self.has_committed_membership() || has_own_voters_only && !membership.is_intermediate() {
            return; // as most of the time
        }
        self.take_leave();
        if !self.membership().is_voter(self.config.id) {
            return self.resign();
        }
        if !self.membership().is_intermediate() || self.check_may_change().is_err() {
            return;
        }
        if let Some(next) = self.membership().successor(|learner| self.has_caught_up(learner)) {
            self.append_membership(next);
        }
    }

    /// Returns true if a learner lacks no more of what is committed than one message holds (dissertation §4.2.1).
    fn has_caught_up(&self, learner: NodeId) -> bool {
        let State::Leader(own) = &self.state else { return false };
        let within = self.config.max_batch_entries as u64;
        let lacks_little =
            |progress: &Progress| progress.matched > LogIndex(0) && progress.matched.0 + within > self.commit.0;
        own.followers.get(&learner).is_some_and(lacks_little)
    }

    /// Tells the nodes that are no members any more that this is committed, as far as they have got there, and sends
    /// them nothing further.
    fn take_leave(&mut self) {
        let membership = self.membership().clone();
        let State::Leader(own) = &self.state else { return };
        if own.followers.keys().all(|&follower| membership.has_member(follower)) {
            return;
        }
        self.announce_commit();
        if let State::Leader(own) = &mut self.state {
            own.followers.retain(|&follower, _| membership.has_member(follower));
        }
    }

    /// Tells all followers at once what is committed, by a round of heartbeats.
    fn announce_commit(&mut self) {
        self.begin_round();
        self.replicate();
    }

    /// Steps down as a leader that is no member of the committed configuration (§6), and asks the voter with the
    /// longest log to take over.
    fn resign(&mut self) {
        self.rules.count(Rule::RemovedLeader);
        self.announce_commit();
        if let Some(successor) = self.best_successor() {
            self.ask_to_take_over(successor);
        }
        self.become_follower(self.hard_state.term, None);
    }
}
