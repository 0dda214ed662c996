//! Invariants that hold after every input, asserted in release builds too: a node that broke one must stop rather
//! than answer.

use super::{HardState, LogIndex, Raft, Role, node::State};

/// State of a node before an input, for comparison with the state after it.
pub(super) struct StateBefore {
    hard_state: HardState,
    role: Role,
    commit: LogIndex,
    applied: LogIndex,
    last_index: LogIndex,
}

impl StateBefore {
    pub(super) fn of(raft: &Raft) -> Self {
        Self {
            hard_state: raft.hard_state,
            role: raft.role(),
            commit: raft.commit,
            applied: raft.applied,
            last_index: raft.log.last_index(),
        }
    }

    /// Panics if one input took the node from `self` to a state that the paper rules out.
    pub(super) fn assert_kept_by(&self, raft: &Raft) {
        let (before, now) = (self.hard_state, raft.hard_state);
        assert!(now.term >= before.term, "the term never falls (figure 2)");
        if now.term == before.term && before.voted_for.is_some() {
            assert_eq!(now.voted_for, before.voted_for, "one vote a term (§5.2)");
        }
        assert!(raft.commit >= self.commit, "the commit index never falls (figure 2)");
        assert!(raft.applied >= self.applied, "nothing is applied twice");
        let last = raft.log.last_index();
        assert!(raft.log.base_index() <= raft.applied, "only applied state is in the snapshot (§7)");
        assert!(raft.applied <= raft.commit, "only what is committed is applied (figure 2)");
        assert!(raft.commit <= last, "what is committed is in the log (figure 2)");
        assert!(raft.durable <= last, "what is durable is in the log");
        assert!(raft.log.last_term() <= now.term, "no entry is of a term to come");
        if let State::Leader(own) = &raft.state {
            assert_eq!(now.voted_for, Some(raft.config.id), "a leader voted for itself (§5.2)");
            assert_eq!(raft.leader, Some(raft.config.id), "a leader follows nobody");
            for (peer, progress) in &own.followers {
                assert!(progress.matched <= last, "{peer} cannot match what this log has not got");
                assert!(progress.next > progress.matched, "what matches is not sent to {peer} again");
                assert!(
                    progress.acknowledged_round <= own.rounds.newest(),
                    "{peer} acknowledged a round that never began"
                );
            }
            if self.role == Role::Leader && before.term == now.term {
                assert!(last >= self.last_index, "a leader's log only grows (leader append-only, §5.3)");
            }
        }
    }
}
