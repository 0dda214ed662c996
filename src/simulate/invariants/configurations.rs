//! Configurations of a cluster as they stand in the logs of its nodes, whatever the nodes make of them: who votes, and
//! whether changes follow one another as they must (§6; dissertation, chapter 4).

use std::collections::BTreeMap;

use node::{
    raft::{LogIndex, Membership, NodeId, Term},
    simulation::SimulatedHost,
};

/// All configurations that any log ever had.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    known: BTreeMap<(LogIndex, Term), Membership>,
    /// Latest one in the log of each node, when that was last looked at.
    latest: Vec<Option<(LogIndex, Term)>>,
}

/// Mistake of a leader that changed the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeMistake {
    /// The configuration before this one is not committed.
    Overlaps(LogIndex),
    /// The leader has committed no entry of its own term.
    TooEarly(LogIndex),
}

impl Configurations {
    /// Creates those of a cluster of so many nodes, of which the first ones are members.
    pub(super) fn new(nodes: usize, members: u16) -> Self {
        let first = Membership::of((1..=members).map(|id| NodeId(id.into())));
        Self { known: BTreeMap::from([((LogIndex(0), Term(0)), first)]), latest: vec![None; nodes] }
    }

    /// Takes note of what is new in the log of a node. Returns the first mistake that it has made as the leader of
    /// `leads_in`, with this commit index.
    pub(super) fn look(
        &mut self,
        node: usize,
        host: &SimulatedHost,
        leads_in: Option<Term>,
        commit: LogIndex,
    ) -> Option<ChangeMistake> {
        let latest = host.latest_configuration();
        if self.latest[node] == latest {
            return None;
        }
        self.latest[node] = latest;
        let mut mistake = None;
        for (index, term, membership) in host.configurations() {
            let is_new = self.known.insert((index, term), membership.clone()).is_none();
            if !is_new || leads_in != Some(term) {
                continue;
            }
            let before = host.configurations().map(|(before, _, _)| before).filter(|before| *before < index).last();
            let overlaps = before.is_some_and(|before| before > commit);
            let is_early = host.term_at(commit).is_some_and(|committed| committed < term);
            let made = match () {
                () if overlaps => Some(ChangeMistake::Overlaps(index)),
                () if is_early => Some(ChangeMistake::TooEarly(index)),
                () => None,
            };
            mistake = mistake.or(made);
        }
        mistake
    }

    /// Returns true if these nodes can elect a leader of `term` by the latest configuration that its log had before.
    pub(super) fn elect(
        &self,
        term: Term,
        in_log: impl Fn(LogIndex, Term) -> bool,
        votes: impl Fn(usize) -> bool,
    ) -> bool {
        let before = |(index, of): (LogIndex, Term)| of < term && in_log(index, of);
        let latest = self.known.iter().rev().find(|(at, _)| before(**at));
        latest.is_none_or(|(_, membership)| is_quorum(membership, &votes))
    }

    /// Returns true if these nodes can commit the entry at `index`: by the configuration that the log has there, or by
    /// a later one, which may have been in force already.
    pub(super) fn commit(
        &self,
        index: LogIndex,
        in_log: impl Fn(LogIndex, Term) -> bool,
        have: impl Fn(usize) -> bool,
    ) -> bool {
        let end = (index, Term(u64::MAX));
        let here = self.known.range(..=end).rev().find(|((index, term), _)| in_log(*index, *term));
        let later = self.known.range(end..).map(|(_, membership)| membership);
        here.into_iter().map(|(_, membership)| membership).chain(later).any(|membership| is_quorum(membership, &have))
    }
}

/// Returns true if these nodes, which are numbered from 0, are a majority, in a joint configuration of both sets of
/// voters.
fn is_quorum(membership: &Membership, has: impl Fn(usize) -> bool) -> bool {
    let sets = [&membership.voters, &membership.outgoing];
    sets.into_iter().filter(|voters| !voters.is_empty()).all(|voters| {
        let having = voters.iter().filter(|voter| has(place(**voter))).count();
        having > voters.len() / 2
    })
}

/// Returns the place of a node that the nodes know by this id.
pub(super) fn place(id: NodeId) -> usize {
    usize::try_from(id.0).expect("a cluster has few nodes") - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(voters: &[u64]) -> Membership {
        Membership::of(voters.iter().copied().map(NodeId))
    }

    fn known(all: &[(u64, u64, Membership)]) -> Configurations {
        let mut configurations = Configurations::new(5, 3);
        for (index, term, membership) in all {
            configurations.known.insert((LogIndex(*index), Term(*term)), membership.clone());
        }
        configurations
    }

    #[test]
    fn a_joint_configuration_takes_both_majorities() {
        let joint = Membership { outgoing: [1, 2, 3].map(NodeId).into(), ..of(&[3, 4, 5]) };
        assert!(is_quorum(&joint, |node| [1, 2, 3].contains(&node)));
        assert!(!is_quorum(&joint, |node| [2, 3, 4].contains(&node)), "of the old voters, only one");
    }

    #[test]
    fn a_leader_is_elected_by_the_latest_configuration_of_its_own_log() {
        let configurations = known(&[(7, 2, of(&[1, 2, 3, 4]))]);
        let two = |node: usize| node < 2;
        let elects = |term, has_it: bool| configurations.elect(Term(term), |index, _| has_it || index.0 == 0, two);
        assert!(!elects(3, true) && elects(3, false), "four voters need three");
        assert!(elects(2, true), "it was appended by this leader itself");
    }

    #[test]
    fn an_entry_is_committed_by_the_configuration_there_or_a_later_one() {
        let configurations = known(&[(7, 2, of(&[1, 2, 3, 4, 5])), (9, 2, of(&[1, 2]))]);
        let commits =
            |index, nodes: &[usize]| configurations.commit(LogIndex(index), |_, _| true, |node| nodes.contains(&node));
        assert!(commits(5, &[0, 1]) && commits(8, &[2, 3, 4]) && commits(8, &[0, 1]));
        assert!(!commits(5, &[0]) && !commits(8, &[2, 3]) && !commits(9, &[2, 3, 4]));
    }
}
