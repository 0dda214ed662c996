//! Defects of snapshots (§7, figure 13).

use super::{super::snapshots::chunk, *};

#[test]
fn a_snapshot_that_takes_the_state_back() {
    assert!(Defect::OldSnapshotInstalled.is_shown_by(|defect| {
        let mut node = node(3, 2, &[1, 1, 2], defect);
        node.receive(2, 2, append((3, 2), &[], 3, 1));
        node.receive(2, 2, chunk((2, 1), 0, b"old", true)).restore.is_some()
    }));
}

#[test]
fn entries_behind_a_snapshot_that_contradicts_them() {
    assert!(Defect::KeepsLogBehindSnapshot.is_shown_by(|defect| {
        let mut node = node(3, 3, &[1, 1, 2, 2], defect);
        node.receive(2, 3, chunk((3, 3), 0, b"s", true));
        node.last() == (4, 2)
    }));
}

/// Returns the term of the last entry of the snapshot that a leader of term 2 sends to a follower which needs it: one
/// that ends with an entry of term 1.
fn term_of_sent_snapshot(defect: Option<Defect>) -> Option<Term> {
    let mut leader = leader(3, 1, &[1, 1], defect);
    leader.receive(2, 2, matched(3, 1));
    leader.raft.compact(snapshot(2, 1, b"s"));
    leader.receive(3, 2, refusal(2)).early.iter().find_map(|message| match message.body {
        Body::InstallSnapshot { last_included_term, .. } => Some(last_included_term),
        _ => None,
    })
}

#[test]
fn a_follower_that_is_not_sent_the_snapshot_it_needs() {
    assert!(Defect::SendsNoSnapshot.is_shown_by(|defect| term_of_sent_snapshot(defect).is_none()));
}

#[test]
fn a_snapshot_with_the_term_of_the_leader() {
    assert!(Defect::SnapshotNamesWrongTerm.is_shown_by(|defect| term_of_sent_snapshot(defect) == Some(Term(2))));
}
