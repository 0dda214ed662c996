//! Transfer of the leadership (dissertation §3.10): the leader takes no proposals until the chosen voter has its whole
//! log, then asks it to stand for election at once. Voters need not be loyal to a leader that asks for this; so it
//! gives up its lease first, and for good, since the request may arrive at any later time.

use super::{
    Body, ChangeRefusal, LogIndex, NodeId, ProposalOutcome, Raft, Time,
    node::{State, Transfer},
    progress::Progress,
    rules::Rule,
};
use crate::defect::Defect;

impl Raft {
    /// Begins to transfer the leadership to a voter, or to the one with the longest log; `id` is returned with the
    /// outcome.
    pub fn transfer(&mut self, now: Time, id: u64, to: Option<NodeId>) {
        self.input(now, |raft| {
            let outcome = if matches!(raft.state, State::Leader(_)) {
                raft.begin_transfer(to).map_or_else(ProposalOutcome::Refused, |()| ProposalOutcome::Begun)
            } else {
                ProposalOutcome::NotLeader { leader: raft.leader }
            };
            raft.out.proposals.push((id, outcome));
        });
    }

    fn begin_transfer(&mut self, to: Option<NodeId>) -> Result<(), ChangeRefusal> {
        let own_id = self.config.id;
        let to = to.or_else(|| self.best_successor()).ok_or(ChangeRefusal::LastVoter(own_id))?;
        if to == own_id {
            return Err(ChangeRefusal::LeadsAlready(to));
        }
        if !self.membership().voters.contains(&to) {
            return Err(ChangeRefusal::NotAVoter(to));
        }
        let deadline = self.now.after(self.config.election_timeout);
        let State::Leader(own) = &mut self.state else { return Ok(()) };
        if own.transfer.is_some() {
            return Err(ChangeRefusal::Transferring);
        }
        own.transfer = Some(Transfer { to, deadline, asked: false });
        self.advance_transfer();
        Ok(())
    }

    /// Asks the successor to take over once it has the whole log.
    pub(super) fn advance_transfer(&mut self) {
        let last = self.log.last_index();
        let State::Leader(own) = &mut self.state else { return };
        let Some(transfer) = &mut own.transfer else { return };
        let has_all = own.followers.get(&transfer.to).is_some_and(|progress| progress.matched == last);
        if has_all && !transfer.asked {
            transfer.asked = true;
            let to = transfer.to;
            self.ask_to_take_over(to);
        }
    }

    pub(super) fn ask_to_take_over(&mut self, successor: NodeId) {
        let keeps_lease = self.config.has(Defect::TransferKeepsLease);
        if let State::Leader(own) = &mut self.state {
            self.rules.count(Rule::Transfer);
            own.has_given_up_lease = !keeps_lease;
            self.send_early(successor, Body::TimeoutNow);
        }
    }

    /// Gives up a transfer that takes longer than an election timeout, and takes proposals again.
    pub(super) fn expire_transfer(&mut self) {
        if let State::Leader(own) = &mut self.state
            && own.transfer.is_some_and(|transfer| self.now >= transfer.deadline)
        {
            own.transfer = None;
        }
    }

    /// Returns the other voter with the longest log, if there is one.
    pub(super) fn best_successor(&self) -> Option<NodeId> {
        let State::Leader(own) = &self.state else { return None };
        let matched =
            |node: &NodeId| own.followers.get(node).map_or(LogIndex(0), |progress: &Progress| progress.matched);
        let others = self.membership().voters.iter().copied().filter(|&node| node != self.config.id);
        others.max_by_key(matched)
    }

    /// Stands for election at once, as the leader asks for (dissertation §3.10).
    pub(super) fn on_timeout_now(&mut self, leader: NodeId) {
        let follows = matches!(self.state, State::Follower) && self.leader == Some(leader);
        if follows && self.membership().is_voter(self.config.id) {
            self.leave_leader(None);
            self.stand_for_election();
        }
    }
}
