//! Configurations of a cluster (§6; dissertation, chapter 4): who votes and who only learns, which quorums decide, and
//! which changes are possible. Roles are unknown here.
//!
//! A change of one voter leads to the new configuration at once, since any two majorities of both overlap
//! (dissertation §4.1); a replacement changes two, and goes through a joint configuration, in which majorities of both
//! must agree (§6). Whoever shall vote is a learner first (dissertation §4.2.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{LogIndex, NodeId, commit::reached_by};

/// Maximum number of voters of a cluster.
pub const MAX_VOTERS: usize = 9;
/// Maximum number of members in one configuration: two sets of voters and a learner.
const MAX_MEMBERS: usize = 2 * MAX_VOTERS + 1;

/// Configuration of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Members of whom a majority decides.
    pub voters: BTreeSet<NodeId>,
    /// Voters of the configuration that is being left, of whom a majority must agree too; empty unless the
    /// configuration is joint.
    pub outgoing: BTreeSet<NodeId>,
    /// Members that get the log and will vote once they have caught up, each with the voter whose place it takes.
    pub learners: BTreeMap<NodeId, Option<NodeId>>,
    /// Addresses of the members that joined later, at which their peers reach them; opaque to Raft.
    pub addresses: BTreeMap<NodeId, SocketAddr>,
}

/// Change of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Addition of a voter.
    Add {
        /// New member.
        node: NodeId,
        /// Address at which its peers reach it.
        address: SocketAddr,
    },
    /// Removal of a voter, or of a learner that did not catch up.
    Remove {
        /// Member to remove.
        node: NodeId,
    },
    /// Replacement of a voter by another.
    Replace {
        /// Voter to remove.
        old: NodeId,
        /// New member.
        new: NodeId,
        /// Address at which its peers reach it.
        address: SocketAddr,
    },
}

/// Reason why a change of the members, or a transfer of the leadership, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum ChangeRefusal {
    /// Another change is not complete: one at a time (dissertation §4.1).
    #[error("another change of the members is not complete yet")]
    InFlight,
    /// The leader does not know yet which configuration is committed.
    #[error("the leader has not committed an entry of its term yet")]
    NotYet,
    /// The node is a member already.
    #[error("{0} is a member already")]
    AlreadyMember(NodeId),
    /// The node is no member.
    #[error("{0} is no member")]
    NotAMember(NodeId),
    /// The node is no voter.
    #[error("{0} is no voter")]
    NotAVoter(NodeId),
    /// Nobody would be left.
    #[error("{0} is the only voter")]
    LastVoter(NodeId),
    /// The cluster is as large as it can be.
    #[error("a cluster has at most {MAX_VOTERS} voters")]
    TooMany,
    /// The node leads already.
    #[error("{0} leads already")]
    LeadsAlready(NodeId),
    /// The leadership is being transferred.
    #[error("the leadership is being transferred")]
    Transferring,
}

impl Membership {
    /// Creates the configuration of a new cluster.
    pub fn of(voters: impl IntoIterator<Item = NodeId>) -> Self {
        Self { voters: voters.into_iter().collect(), ..Self::default() }
    }

    /// Returns all members, learners included.
    pub fn members(&self) -> BTreeSet<NodeId> {
        self.voters.iter().chain(&self.outgoing).chain(self.learners.keys()).copied().collect()
    }

    /// Returns true if `node` is a member, a learner included.
    pub fn has_member(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.learners.contains_key(&node)
    }

    /// Returns true if the vote of `node` counts, in one of the two configurations if this one is joint.
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.outgoing.contains(&node)
    }

    /// Returns true if the configuration is an intermediate one, which the leader will replace.
    pub fn is_intermediate(&self) -> bool {
        !(self.outgoing.is_empty() && self.learners.is_empty())
    }

    /// Returns true if `node` is a majority by itself.
    pub(super) fn is_sole_voter(&self, node: NodeId) -> bool {
        self.outgoing.is_empty() && self.voters.len() == 1 && self.voters.contains(&node)
    }

    /// Returns true if somebody votes, nobody both votes and learns, and there are not too many: others may have made
    /// this configuration.
    pub(super) fn is_sound(&self) -> bool {
        let voting_learner = self.learners.keys().any(|&node| self.is_voter(node));
        !self.voters.is_empty() && !voting_learner && self.members().len().max(self.addresses.len()) <= MAX_MEMBERS
    }

    /// Returns the sets of voters, of each of which a majority must agree (§6).
    fn voter_sets(&self) -> impl Iterator<Item = &BTreeSet<NodeId>> {
        [&self.voters].into_iter().chain(Some(&self.outgoing).filter(|outgoing| !outgoing.is_empty()))
    }

    /// Returns the greatest value that a quorum has reached: in a joint configuration, a majority of both sets of
    /// voters (§6). `needed` is the number of nodes for a majority, which is the number itself in a sound node; the
    /// values of `beyond` count too, as they do in none.
    pub(super) fn reached<T: Ord + Copy>(
        &self,
        needed: impl Fn(usize) -> usize,
        of: impl Fn(NodeId) -> T,
        beyond: &[NodeId],
    ) -> T {
        let reached = self.voter_sets().map(|voters| {
            let mut values = [None; MAX_MEMBERS];
            let values = &mut values[..voters.len() + beyond.len()];
            for (value, &node) in values.iter_mut().zip(voters.iter().chain(beyond)) {
                *value = Some(of(node));
            }
            reached_by(needed(voters.len() / 2 + 1), values)
        });
        reached.min().flatten().expect("a cluster has voters")
    }

    /// Returns true if these votes elect: a majority of the voters, and in a joint configuration of both sets (§6).
    /// Each voter counts as often as it stands there, which is once in a sound node.
    pub(super) fn elects(&self, votes: &BTreeMap<NodeId, usize>) -> bool {
        let count = |voters: &BTreeSet<NodeId>| -> usize { voters.iter().filter_map(|voter| votes.get(voter)).sum() };
        self.voter_sets().all(|voters| count(voters) > voters.len() / 2)
    }

    /// Returns the configuration with which a change begins.
    ///
    /// # Errors
    /// Returns the reason why this change is impossible.
    pub(super) fn with(&self, change: Change) -> Result<Self, ChangeRefusal> {
        let mut next = self.clone();
        match change {
            Change::Add { node, address } => next.learn(node, address, None)?,
            Change::Replace { old, .. } if !self.voters.contains(&old) => return Err(ChangeRefusal::NotAVoter(old)),
            Change::Replace { old, new, address } => next.learn(new, address, Some(old))?,
            Change::Remove { node } if self.is_sole_voter(node) => return Err(ChangeRefusal::LastVoter(node)),
            Change::Remove { node } => {
                if next.learners.remove(&node).is_none() && !next.voters.remove(&node) {
                    return Err(ChangeRefusal::NotAMember(node));
                }
                next.forget_addresses();
            }
        }
        Ok(next)
    }

    fn learn(&mut self, node: NodeId, address: SocketAddr, place: Option<NodeId>) -> Result<(), ChangeRefusal> {
        if self.members().contains(&node) {
            return Err(ChangeRefusal::AlreadyMember(node));
        }
        if place.is_none() && self.voters.len() + self.learners.len() >= MAX_VOTERS {
            return Err(ChangeRefusal::TooMany);
        }
        self.learners.insert(node, place);
        self.addresses.insert(node, address);
        Ok(())
    }

    /// Returns true if the change may begin although this configuration is an intermediate one: a learner that does
    /// not catch up is given up, so that it is in nobody's way.
    pub(super) fn can_be_cut_short_by(&self, change: Change) -> bool {
        matches!(change, Change::Remove { node } if self.learners.contains_key(&node))
    }

    /// Returns the configuration that follows this intermediate one; none if there is nothing to do yet. A joint one is
    /// left, and a learner that has caught up becomes a voter.
    pub(super) fn successor(&self, has_caught_up: impl Fn(NodeId) -> bool) -> Option<Self> {
        let mut next = self.clone();
        if self.outgoing.is_empty() {
            let (&learner, &place) = self.learners.iter().find(|(learner, _)| has_caught_up(**learner))?;
            next.learners.remove(&learner);
            next.voters.insert(learner);
            if let Some(old) = place.filter(|old| next.voters.remove(old)) {
                next.outgoing.clone_from(&self.voters);
                debug_assert!(next.outgoing.contains(&old));
            }
        } else {
            next.outgoing.clear();
            next.forget_addresses();
        }
        Some(next)
    }

    fn forget_addresses(&mut self) {
        let members = self.members();
        self.addresses.retain(|node, _| members.contains(node));
    }
}

/// Configurations in the log: the one that its base or the snapshot has, and the later ones, each from its entry on.
#[derive(Clone, Debug)]
pub(super) struct Memberships {
    base: Arc<Membership>,
    later: Vec<(LogIndex, Arc<Membership>)>,
}

impl Memberships {
    pub(super) fn new(base: Membership) -> Self {
        Self { base: Arc::new(base), later: Vec::new() }
    }

    /// Returns the configuration that the log has up to `index`.
    pub(super) fn at(&self, index: LogIndex) -> &Arc<Membership> {
        self.later.iter().rev().find(|(at, _)| *at <= index).map_or(&self.base, |(_, membership)| membership)
    }

    /// Returns the configuration that the log has up to `index`, and those of later entries.
    pub(super) fn since(&self, index: LogIndex) -> impl Iterator<Item = &Membership> {
        let later = self.later.iter().filter(move |(at, _)| *at > index).map(|(_, membership)| &**membership);
        std::iter::once(&**self.at(index)).chain(later)
    }

    /// Returns the latest configuration, which is in force whether or not it is committed (§6).
    pub(super) fn latest(&self) -> &Arc<Membership> {
        self.later.last().map_or(&self.base, |(_, membership)| membership)
    }

    /// Returns the index of the latest configuration; 0 if the log has none.
    pub(super) fn latest_index(&self) -> LogIndex {
        self.later.last().map_or(LogIndex(0), |(index, _)| *index)
    }

    /// Returns the configurations of the entries in the log, in order.
    pub(super) fn later(&self) -> impl Iterator<Item = (LogIndex, &Membership)> {
        self.later.iter().map(|(index, membership)| (*index, &**membership))
    }

    pub(super) fn append(&mut self, index: LogIndex, membership: Membership) {
        self.later.push((index, Arc::new(membership)));
    }

    /// Returns to the configuration before `index`, from where on the log is removed.
    pub(super) fn truncate_from(&mut self, index: LogIndex) {
        self.later.retain(|(at, _)| *at < index);
    }

    /// Takes the configuration of a snapshot that ends at `index`; later ones stay if the log does.
    pub(super) fn restore(&mut self, index: LogIndex, membership: &Membership, retained: bool) {
        self.base = Arc::new(membership.clone());
        self.later.retain(|(at, _)| retained && *at > index);
    }

    /// Forgets the configurations before the one that is in force at `index`.
    pub(super) fn compact(&mut self, index: LogIndex) {
        self.base = Arc::clone(self.at(index));
        self.later.retain(|(at, _)| *at > index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(voters: impl IntoIterator<Item = u64>) -> Membership {
        Membership::of(voters.into_iter().map(NodeId))
    }

    fn address(id: u64) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 7000 + u16::try_from(id).unwrap()))
    }

    fn joint() -> Membership {
        Membership { outgoing: [1, 2, 3].map(NodeId).into(), ..of([1, 2, 4]) }
    }

    fn add(id: u64) -> Change {
        Change::Add { node: NodeId(id), address: address(id) }
    }

    fn remove(id: u64) -> Change {
        Change::Remove { node: NodeId(id) }
    }

    fn replace(old: u64, new: u64) -> Change {
        Change::Replace { old: NodeId(old), new: NodeId(new), address: address(new) }
    }

    #[test]
    fn a_joint_configuration_needs_a_majority_of_both() {
        let elects = |membership: &Membership, votes: &[u64]| {
            membership.elects(&votes.iter().map(|&vote| (NodeId(vote), 1)).collect())
        };
        assert!(elects(&of([1, 2, 3]), &[1, 3]) && !elects(&of([1, 2, 3]), &[1, 4]));
        assert!(elects(&joint(), &[1, 2]), "both majorities have these");
        assert!(elects(&joint(), &[1, 3, 4]));
        assert!(!elects(&joint(), &[1, 4]) && !elects(&joint(), &[2, 3]));
        let reached = |values: [u64; 4]| {
            joint().reached(|quorum| quorum, |node| values[usize::try_from(node.0).unwrap() - 1], &[])
        };
        assert_eq!(reached([9, 5, 0, 9]), 5, "of the old ones, two have 5");
        assert_eq!(reached([9, 5, 9, 0]), 5, "and so of the new ones");
        assert_eq!(reached([9, 0, 0, 9]), 0);
    }

    #[test]
    fn a_node_learns_before_it_votes() {
        let learning = of([1, 2, 3]).with(add(4)).unwrap();
        assert_eq!(learning.voters, of([1, 2, 3]).voters);
        assert!(learning.is_intermediate() && learning.members().len() == 4 && !learning.is_voter(NodeId(4)));
        assert_eq!(learning.addresses, BTreeMap::from([(NodeId(4), address(4))]));
        assert_eq!(learning.successor(|_| false), None);
        let voting = learning.successor(|node| node == NodeId(4)).unwrap();
        assert_eq!((voting.voters.clone(), voting.is_intermediate()), (of([1, 2, 3, 4]).voters, false));
        assert_eq!(voting.with(remove(4)), Ok(of([1, 2, 3])), "its address goes with it");
    }

    #[test]
    fn a_replacement_goes_through_a_joint_configuration() {
        let learning = of([1, 2, 3]).with(replace(3, 4)).unwrap();
        let both = learning.successor(|_| true).unwrap();
        assert_eq!((&both.voters, &both.outgoing), (&joint().voters, &joint().outgoing));
        let new = both.successor(|_| false).unwrap();
        assert_eq!((new.voters.clone(), new.is_intermediate()), (of([1, 2, 4]).voters, false));
        assert_eq!(new.addresses.len(), 1);
    }

    #[test]
    fn impossible_changes_are_refused_by_name() {
        let three = of([1, 2, 3]);
        for (change, refusal) in [
            (add(2), ChangeRefusal::AlreadyMember(NodeId(2))),
            (replace(1, 2), ChangeRefusal::AlreadyMember(NodeId(2))),
            (replace(4, 5), ChangeRefusal::NotAVoter(NodeId(4))),
            (remove(4), ChangeRefusal::NotAMember(NodeId(4))),
        ] {
            assert_eq!(three.with(change), Err(refusal));
        }
        assert_eq!(of([1]).with(remove(1)), Err(ChangeRefusal::LastVoter(NodeId(1))));
        assert_eq!(of(1..=9).with(add(10)), Err(ChangeRefusal::TooMany));
        assert!(of(1..=9).with(replace(9, 10)).is_ok());
    }

    #[test]
    fn a_learner_that_does_not_catch_up_is_given_up() {
        let learning = of([1, 2, 3]).with(add(4)).unwrap();
        assert!(learning.can_be_cut_short_by(remove(4)));
        assert!(!learning.can_be_cut_short_by(remove(3)) && !learning.can_be_cut_short_by(add(5)));
        assert_eq!(learning.with(remove(4)), Ok(of([1, 2, 3])));
    }

    #[test]
    fn senseless_configurations_are_recognised() {
        assert!(of([1]).is_sound() && joint().is_sound());
        assert!(!Membership::default().is_sound());
        assert!(!Membership { learners: [(NodeId(2), None)].into(), ..of([1, 2]) }.is_sound());
        assert!(!of(1..=20).is_sound());
    }

    #[test]
    fn what_is_cut_off_takes_its_configuration_along() {
        let mut memberships = Memberships::new(of([1]));
        memberships.append(LogIndex(5), of([1, 2]));
        memberships.append(LogIndex(8), of([1, 2, 3]));
        let sizes = |memberships: &Memberships| [4, 5, 7, 8].map(|index| memberships.at(LogIndex(index)).voters.len());
        assert_eq!((sizes(&memberships), memberships.latest_index()), ([1, 2, 2, 3], LogIndex(8)));
        let mut compacted = memberships.clone();
        compacted.compact(LogIndex(6));
        assert_eq!(sizes(&compacted), [2, 2, 2, 3]);
        compacted.restore(LogIndex(7), &of([7]), true);
        assert_eq!(sizes(&compacted), [1, 1, 1, 3]);
        compacted.restore(LogIndex(7), &of([7]), false);
        assert_eq!(compacted.latest().voters.len(), 1);
        memberships.truncate_from(LogIndex(8));
        assert_eq!((memberships.latest().voters.len(), memberships.latest_index()), (2, LogIndex(5)));
    }
}
