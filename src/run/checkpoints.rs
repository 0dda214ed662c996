//! Checkpoints of the nodes' states, compared while a run goes on: nodes that applied the same entries of the log must
//! have the same state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::systems::{Checkpoint, Status};

/// Maximum number of log indices that are remembered; of more, the lowest are forgotten.
const MAX_INDICES: usize = 1 << 16;
/// Maximum number of conflicts that are kept, those at the lowest indices.
const MAX_CONFLICTS: usize = 3;

/// State that some nodes had at a log index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateAt {
    /// Term of the entry at this index.
    pub(crate) term: u64,
    pub(crate) digest: String,
    pub(crate) nodes: Vec<u16>,
}

/// Log index at which nodes differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) index: u64,
    /// Terms or digests that differ, in the order in which they were seen.
    pub(crate) states: Vec<StateAt>,
}

/// Result of comparing the nodes' states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateComparison {
    /// Number of log indices at which at least two nodes were compared.
    pub(crate) indices: usize,
    /// Number of nodes that were compared with another.
    pub(crate) nodes: usize,
    /// Log indices at which the last entries have different terms, the lowest first.
    pub(crate) terms: Vec<Conflict>,
    /// Log indices at which the states differ after the same entry, the lowest first.
    pub(crate) digests: Vec<Conflict>,
}

impl StateComparison {
    /// Returns true if nodes differ.
    pub(crate) fn has_conflict(&self) -> bool {
        !(self.terms.is_empty() && self.digests.is_empty())
    }
}

/// Checkpoints of all nodes that were seen so far.
#[derive(Debug, Default)]
pub(crate) struct CheckpointLog(BTreeMap<u64, Vec<StateAt>>);

impl CheckpointLog {
    /// Adds what the nodes say of themselves, in the order of their numbers.
    pub(crate) fn add(&mut self, statuses: &[Option<Status>]) {
        for (node, status) in (1..).zip(statuses) {
            for checkpoint in status.iter().flat_map(|status| &status.checkpoints) {
                self.add_one(node, checkpoint);
            }
        }
        while self.0.len() > MAX_INDICES {
            self.0.pop_first();
        }
    }

    fn add_one(&mut self, node: u16, checkpoint: &Checkpoint) {
        let states = self.0.entry(checkpoint.index).or_default();
        let same = |state: &&mut StateAt| state.term == checkpoint.term && state.digest == checkpoint.digest;
        match states.iter_mut().find(same) {
            Some(state) if state.nodes.contains(&node) => {}
            Some(state) => state.nodes.push(node),
            None => {
                let Checkpoint { term, digest, .. } = checkpoint.clone();
                states.push(StateAt { term, digest, nodes: vec![node] });
            }
        }
    }

    /// Compares what was seen; none if nothing was.
    pub(crate) fn compared(&self) -> Option<StateComparison> {
        let nodes = |states: &[StateAt]| {
            let mut nodes: Vec<u16> = states.iter().flat_map(|state| state.nodes.iter().copied()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        let several: Vec<Vec<u16>> = self.0.values().map(|states| nodes(states)).filter(|all| all.len() > 1).collect();
        let mut compared: Vec<u16> = several.iter().flatten().copied().collect();
        compared.sort_unstable();
        compared.dedup();
        let conflicts = |differ: &dyn Fn(&StateAt, &StateAt) -> bool| {
            let differing = self
                .0
                .iter()
                .filter(|(_, states)| states.iter().any(|state| states.iter().any(|other| differ(state, other))));
            let conflict = |(index, states): (&u64, &Vec<StateAt>)| Conflict { index: *index, states: states.clone() };
            differing.take(MAX_CONFLICTS).map(conflict).collect()
        };
        (!self.0.is_empty()).then(|| StateComparison {
            indices: several.len(),
            nodes: compared.len(),
            terms: conflicts(&|a, b| a.term != b.term),
            digests: conflicts(&|a, b| a.term == b.term && a.digest != b.digest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a node may not answer, these do")]
    fn status(checkpoints: &[(u64, u64, &str)]) -> Option<Status> {
        let checkpoint =
            |&(index, term, digest): &(u64, u64, &str)| Checkpoint { index, term, digest: digest.to_owned() };
        Some(Status { checkpoints: checkpoints.iter().map(checkpoint).collect(), ..Status::default() })
    }

    #[test]
    fn only_equal_indices_are_compared() {
        let mut log = CheckpointLog::default();
        assert_eq!(log.compared(), None, "no node says anything");
        log.add(&[status(&[(32, 1, "a"), (64, 2, "b"), (70, 2, "c")]), None, status(&[(32, 1, "a"), (64, 2, "b")])]);
        log.add(&[None, status(&[(66, 2, "x")]), status(&[(64, 2, "b")])]);
        let expected = StateComparison { indices: 2, nodes: 2, terms: Vec::new(), digests: Vec::new() };
        assert_eq!(log.compared(), Some(expected));
    }

    #[test]
    fn a_node_that_differs_is_named_even_from_itself() {
        let mut log = CheckpointLog::default();
        log.add(&[status(&[(32, 1, "a")]), status(&[(32, 1, "b"), (64, 2, "c")]), status(&[(32, 1, "a")])]);
        log.add(&[None, status(&[(64, 3, "d")])]);
        let StateComparison { terms, digests, .. } = log.compared().unwrap();
        let state =
            |term, digest: &str, nodes: &[u16]| StateAt { term, digest: digest.to_owned(), nodes: nodes.into() };
        assert_eq!(digests, [Conflict { index: 32, states: vec![state(1, "a", &[1, 3]), state(1, "b", &[2])] }]);
        assert_eq!(terms, [Conflict { index: 64, states: vec![state(2, "c", &[2]), state(3, "d", &[2])] }]);
    }

    #[test]
    fn of_too_many_indices_the_last_are_remembered() {
        let mut log = CheckpointLog::default();
        let most = MAX_INDICES as u64;
        let many: Vec<_> = (1..=most + 1).map(|index| (index, 1, "a")).collect();
        log.add(&[status(&many), status(&many)]);
        log.add(&[status(&[(1, 1, "z")])]);
        assert_eq!(log.compared().map(|compared| (compared.indices, compared.digests.len())), Some((MAX_INDICES, 0)));
    }
}
