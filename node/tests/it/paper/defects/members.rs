//! Defects of changes of the members and of transfers.

use super::*;
use crate::paper::members::{add, append_entries, remove};

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
        let entry = Entry { index: LogIndex(1), term: Term(1), payload: Payload::Membership(members(3)) };
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
        node.receive(1, 2, append_entries((2, 2), vec![Payload::Membership(members(3))], 3));
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
