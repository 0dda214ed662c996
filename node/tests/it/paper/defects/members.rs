//! Defects of changes of the members and of transfers.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::paper::members::{add, append_entries, remove};

/// Nodes that exchange messages, but for those that are lost.
struct Net {
    nodes: BTreeMap<u64, Node>,
    /// Term of each committed entry.
    committed: BTreeMap<LogIndex, Term>,
    /// True once two nodes have committed different entries.
    is_split: bool,
}

impl Net {
    /// Creates a cluster of four.
    fn new(defect: Option<Defect>) -> Self {
        let node = |id| {
            let mut node = Node::new(Config { defect, ..config(id, 4) }, stored(1, None, &[1]));
            node.ms = 1_000;
            (id, node)
        };
        Self { nodes: (1..=4).map(node).collect(), committed: BTreeMap::new(), is_split: false }
    }

    /// Lets a node do something, and delivers all messages that follow from it and are not lost.
    fn run(&mut self, id: u64, act: impl FnOnce(&mut Node) -> Output, is_lost: impl Fn(&Message) -> bool) {
        let mut outputs = VecDeque::from([act(self.nodes.get_mut(&id).unwrap())]);
        while let Some(output) = outputs.pop_front() {
            for entry in &output.committed {
                self.is_split |= *self.committed.entry(entry.index).or_insert(entry.term) != entry.term;
            }
            for message in sent(&output).into_iter().filter(|message| !is_lost(message)) {
                let to = self.nodes.get_mut(&message.to.0).unwrap();
                outputs.push_back(to.receive(message.from.0, message.term.0, message.body.clone()));
            }
        }
    }

    /// Lets a node stand for election until it leads, among these nodes.
    fn elect(&mut self, id: u64, among: &[u64]) {
        for _ in 0..5 {
            if self.nodes[&id].role() != Role::Leader {
                self.run(id, Node::time_out, |message| leaves(message, among));
            }
        }
    }

    fn change(&mut self, id: u64, change: node::raft::Change, among: &[u64]) {
        self.run(id, |node| node.change(change).1, |message| leaves(message, among));
    }
}

/// Returns true if a message does not stay among these nodes.
fn leaves(message: &Message, among: &[u64]) -> bool {
    ![message.from, message.to].iter().all(|node| among.contains(&node.0))
}

/// The history of Ongaro's message to raft-dev, with removals: a leader has its last change alone, the next one removes
/// it without having committed anything, and the majorities of the two configurations do not overlap.
#[test]
fn two_leaders_that_change_before_an_own_commit_commit_apart() {
    assert!(Defect::ChangesBeforeOwnCommit.is_shown_by(|defect| {
        let mut net = Net::new(defect);
        net.elect(1, &[1, 2, 3, 4]);
        net.change(1, remove(2), &[1]);
        let entries_to_4 =
            |message: &Message| message.to == NodeId(4) && matches!(message.body, Body::AppendEntries { .. });
        while net.nodes[&2].role() != Role::Leader {
            net.run(2, Node::time_out, |message| leaves(message, &[2, 3, 4]) || entries_to_4(message));
        }
        net.change(2, remove(1), &[2, 3]);
        net.run(1, |node| node.pass(20), |message| leaves(message, &[1, 4]));
        net.elect(1, &[1, 4]);
        net.is_split
    }));
}

#[test]
fn a_leader_whose_changes_overlap_is_left_alone_and_commits_alone() {
    assert!(Defect::ChangesOverlap.is_shown_by(|defect| {
        let mut net = Net::new(defect);
        net.elect(1, &[1, 2, 3, 4]);
        (2..=4).for_each(|id| net.change(1, remove(id), &[1]));
        net.elect(2, &[2, 3, 4]);
        net.is_split
    }));
}

#[test]
fn a_change_before_an_entry_of_the_own_term_is_committed() {
    assert!(Defect::ChangesBeforeOwnCommit.is_shown_by(|defect| {
        matches!(leader(4, 1, &[1], defect).change(remove(4)).0, ProposalOutcome::Appended { .. })
    }));
}

#[test]
fn two_changes_at_once() {
    assert!(Defect::ChangesOverlap.is_shown_by(|defect| {
        let mut leader = Node::established(4, defect);
        leader.change(remove(4));
        leader.change(remove(3));
        leader.voters() == [1, 2]
    }));
}

#[test]
fn a_change_that_waits_until_it_is_committed() {
    assert!(Defect::ChangesWaitForCommit.is_shown_by(|defect| {
        let mut leader = Node::established(4, defect);
        leader.change(remove(4));
        leader.voters().len() == 4
    }));
}

#[test]
fn members_forgotten_in_a_restart() {
    assert!(Defect::RestartForgetsMembers.is_shown_by(|defect| {
        let entry = Entry { index: LogIndex(1), term: Term(1), payload: Payload::Membership(Box::new(members(3))) };
        let stored = StoredState { entries: vec![entry], ..stored(1, None, &[]) };
        Node::new(Config { defect, ..config(1, 4) }, stored).voters().len() == 4
    }));
}

#[test]
fn a_learner_counted_as_a_voter() {
    assert!(Defect::LearnersCount.is_shown_by(|defect| {
        let mut leader = Node::established(3, defect);
        leader.change(add(4));
        leader.receive(4, 2, matched(3, 2));
        leader.commit() >= 3
    }));
}

#[test]
fn reads_on_a_node_that_was_removed() {
    assert!(Defect::RemovedNodeReads.is_shown_by(|defect| {
        let mut node = Node::new(Config { defect, ..config(4, 4) }, stored(2, None, &[1, 2]));
        node.receive(1, 2, append_entries((2, 2), vec![Payload::Membership(Box::new(members(3)))], 3));
        node.read(LeaderReadMode::Quorum) == ready(3)
    }));
}

#[test]
fn a_lease_that_outlives_a_transfer() {
    assert!(Defect::TransferKeepsLease.is_shown_by(|defect| {
        let mut leader = Node::established(3, defect);
        leader.transfer(Some(3));
        leader.read(LeaderReadMode::Lease) == ready(2)
    }));
}
