//! Defects of replication and commitment (§5.3, §5.4.2).

use super::*;

#[test]
fn a_commit_by_the_leader_alone() {
    assert!(Defect::CommitsAlone.is_shown_by(|defect| leader(3, 1, &[1], defect).commit() == 2));
}

#[test]
fn a_commit_by_two_of_five() {
    assert!(Defect::CommitsByMinority.is_shown_by(|defect| {
        let mut leader = leader(5, 1, &[1], defect);
        leader.receive(2, 2, matched(2, 1));
        leader.commit() == 2
    }));
}

/// Figure 8: an entry of an earlier term is on a majority, and can still be replaced.
#[test]
fn a_commit_of_an_earlier_term() {
    assert!(Defect::CommitsEarlierTerms.is_shown_by(|defect| {
        let mut leader = leader(3, 3, &[1, 2], defect);
        leader.receive(2, 4, matched(2, 1));
        leader.commit() == 2
    }));
}

#[test]
fn an_entry_after_one_of_another_term() {
    assert!(Defect::SkipsTermCheck.is_shown_by(|defect| {
        let output = node(3, 3, &[1, 1], defect).receive(2, 3, append((2, 2), &[3], 0, 1));
        only(&output).body == matched(3, 1)
    }));
}

#[test]
fn a_conflicting_entry_that_stays() {
    assert!(Defect::KeepsConflictingTail.is_shown_by(|defect| {
        let mut node = node(3, 3, &[1, 1, 1], defect);
        node.receive(2, 3, append((1, 1), &[3], 0, 1));
        node.last() == (3, 1)
    }));
}

#[test]
fn a_late_message_that_shortens_the_log() {
    assert!(Defect::TruncatesToMessageEnd.is_shown_by(|defect| {
        let mut node = node(3, 2, &[1, 1, 1], defect);
        node.receive(2, 2, append((1, 1), &[1], 0, 1));
        node.last() == (2, 1)
    }));
}

#[test]
fn a_commit_of_entries_that_no_message_has_matched() {
    assert!(Defect::CommitsUnmatched.is_shown_by(|defect| {
        let mut node = node(3, 3, &[1, 1, 2], defect);
        node.receive(2, 3, append((1, 1), &[], 3, 1));
        node.commit() == 3
    }));
}

#[test]
fn entries_dropped_for_one_that_a_snapshot_has_replaced() {
    assert!(Defect::PurgedIsConflict.is_shown_by(|defect| {
        let stored =
            StoredState { snapshot: Some(snapshot(2, 1, b"s")), entries: entries(3, &[2, 2]), ..stored(2, None, &[]) };
        let mut node = Node::new(Config { defect, ..config(1, 3) }, stored);
        node.receive(2, 2, append((1, 1), &[1], 0, 1));
        node.last() == (2, 1)
    }));
}

#[test]
fn a_late_refusal_that_is_believed() {
    assert!(Defect::BelievesLateConflicts.is_shown_by(|defect| {
        let mut leader = leader(3, 1, &[1, 1], defect);
        leader.receive(2, 2, matched(3, 1));
        !leader.receive(2, 2, refusal(2)).early.is_empty()
    }));
}

#[test]
fn entries_that_count_once_they_are_sent() {
    assert!(Defect::SentCountsAsMatched.is_shown_by(|defect| {
        let mut leader = leader(3, 1, &[1], defect);
        leader.receive(2, 2, matched(2, 1));
        leader.propose();
        leader.commit() == 3
    }));
}

#[test]
fn a_refusal_that_counts_as_a_match() {
    assert!(Defect::RefusalCountsAsMatched.is_shown_by(|defect| {
        let mut leader = leader(3, 1, &[1], defect);
        leader.receive(2, 2, refusal(1));
        leader.raft.status().matched.contains(&(NodeId(2), LogIndex(1)))
    }));
}

#[test]
fn a_commit_before_the_leaders_disk() {
    assert!(Defect::CountsUnsyncedTail.is_shown_by(|defect| {
        let mut leader = node(3, 1, &[1], defect);
        leader.time_out();
        leader.receive(2, 2, vote(true, true));
        leader.step(2, 2, vote(false, true));
        let _before_the_disk = leader.raft.take_output();
        leader.step(2, 2, matched(2, 1));
        leader.commit() == 2
    }));
}

#[test]
fn an_answer_before_the_followers_disk() {
    assert!(Defect::SendsBeforeDurable.is_shown_by(|defect| {
        let mut node = node(3, 2, &[1, 2], defect);
        node.step(2, 2, append((2, 2), &[2], 0, 1));
        !node.raft.take_output().early.is_empty()
    }));
}
