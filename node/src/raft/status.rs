//! Externally visible state of a node: for the status page, for traces and for tests.

use std::{fmt, sync::Arc};

use super::{Elections, LogIndex, Membership, NodeId, Raft, Role, Term, Time, node::State};

/// State of a node at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Identifier of this node.
    pub id: NodeId,
    /// Current role.
    pub role: Role,
    /// Current term.
    pub term: Term,
    /// Candidate that it voted for in that term.
    pub voted_for: Option<NodeId>,
    /// Current leader, as far as it knows; itself while it believes that it leads.
    pub leader: Option<NodeId>,
    /// Configuration in force in its log.
    pub membership: Arc<Membership>,
    /// Last index that it knows to be committed.
    pub commit: LogIndex,
    /// Last index that it has handed out to be applied.
    pub applied: LogIndex,
    /// First index in its log.
    pub first_index: LogIndex,
    /// Last index that its newest snapshot replaces.
    pub snapshot_index: LogIndex,
    /// Last index in its log, or the snapshot's.
    pub last_index: LogIndex,
    /// Term at `last_index`.
    pub last_term: Term,
    /// End of the lease for lease reads, by its own clock; only a leader that a quorum has acknowledged under
    /// `CheckQuorum` has a lease.
    pub lease_until: Option<Time>,
    /// Last index that each follower is known to have; empty unless this node leads.
    pub matched: Vec<(NodeId, LogIndex)>,
}

/// Part of the state of a node that its caller follows from input to input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Current role.
    pub role: Role,
    /// Current term.
    pub term: Term,
    /// Current leader, as far as it knows; itself while it believes that it leads.
    pub leader: Option<NodeId>,
    /// Last index that it knows to be committed.
    pub commit: LogIndex,
}

impl Raft {
    /// Returns the current term, and this node's vote in it.
    pub fn vote(&self) -> (Term, Option<NodeId>) {
        (self.hard_state.term, self.hard_state.voted_for)
    }

    /// Returns the part of the node's state that its caller follows, which costs nothing.
    pub fn standing(&self) -> Standing {
        Standing { role: self.role(), term: self.hard_state.term, leader: self.leader, commit: self.commit }
    }

    /// Returns the term of the entry at `index`; none if there is none, or a snapshot has replaced it.
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.log.term(index)
    }

    /// Returns the last entry that is available only from a snapshot, and the term of the last entry in the log, or of
    /// that one.
    pub fn bounds(&self) -> ((LogIndex, Term), Term) {
        let base = self.log.base_index();
        ((base, self.log.term(base).unwrap_or_default()), self.log.last_term())
    }

    /// Returns true if the log has the entry of `term` at `index`, or a snapshot in its place.
    pub fn holds(&self, index: LogIndex, term: Term) -> bool {
        index < self.log.base_index() || self.log.term(index) == Some(term)
    }

    /// Returns the index of the latest configuration in the log; none if the log has none behind its snapshot.
    pub fn latest_configuration(&self) -> Option<LogIndex> {
        Some(self.memberships.latest_index()).filter(|index| *index > LogIndex(0))
    }

    /// Returns the configurations in the log behind its snapshot, each with the index of its entry.
    pub fn configurations(&self) -> impl Iterator<Item = (LogIndex, &Membership)> {
        self.memberships.later()
    }

    /// Returns the node's externally visible state.
    pub fn status(&self) -> Status {
        let (lease_until, matched) = match &self.state {
            State::Leader(own) => (
                own.rounds
                    .lease_until(self.config.lease)
                    .filter(|_| self.config.elections == Elections::CheckQuorum && !own.has_given_up_lease),
                own.followers.iter().map(|(&peer, progress)| (peer, progress.matched)).collect(),
            ),
            State::Follower | State::PreCandidate(_) | State::Candidate(_) => (None, Vec::new()),
        };
        Status {
            id: self.config.id,
            role: self.role(),
            term: self.hard_state.term,
            voted_for: self.hard_state.voted_for,
            leader: self.leader,
            membership: Arc::clone(self.membership()),
            commit: self.commit,
            applied: self.applied,
            first_index: self.log.first_index(),
            snapshot_index: self.snapshot.as_ref().map_or(LogIndex(0), |snapshot| snapshot.last_index),
            last_index: self.log.last_index(),
            last_term: self.log.last_term(),
            lease_until,
            matched,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self.state {
            State::Follower => Role::Follower,
            State::PreCandidate(_) => Role::PreCandidate,
            State::Candidate(_) => Role::Candidate,
            State::Leader(_) => Role::Leader,
        }
    }
}

impl fmt::Display for Status {
    /// Formats the status as `n2@3 leader last=4@3 commit=2 {n1:0 n3:2}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        };
        write!(
            f,
            "{}@{} {role} last={}@{} commit={}",
            self.id, self.term, self.last_index, self.last_term, self.commit
        )?;
        if let Some(leader) = self.leader.filter(|&leader| leader != self.id) {
            write!(f, " leader={leader}")?;
        }
        let matched: Vec<_> = self.matched.iter().map(|(peer, index)| format!("{peer}:{index}")).collect();
        if !matched.is_empty() {
            write!(f, " {{{}}}", matched.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_like_a_trace() {
        let mut status = Status {
            id: NodeId(2),
            role: Role::Leader,
            term: Term(3),
            voted_for: Some(NodeId(2)),
            leader: Some(NodeId(2)),
            membership: Arc::new(Membership::of([1, 2, 3].map(NodeId))),
            commit: LogIndex(2),
            applied: LogIndex(2),
            first_index: LogIndex(1),
            snapshot_index: LogIndex(0),
            last_index: LogIndex(4),
            last_term: Term(3),
            lease_until: None,
            matched: vec![(NodeId(1), LogIndex(0)), (NodeId(3), LogIndex(2))],
        };
        assert_eq!(status.to_string(), "n2@3 leader last=4@3 commit=2 {n1:0 n3:2}");
        (status.role, status.leader) = (Role::Follower, Some(NodeId(1)));
        status.matched.clear();
        assert_eq!(status.to_string(), "n2@3 follower last=4@3 commit=2 leader=n1");
    }
}
