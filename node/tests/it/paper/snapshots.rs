//! Rules of compaction and `InstallSnapshot` (§7, figure 13).

use super::*;

pub(super) fn chunk(last: (u64, u64), offset: u64, data: &'static [u8], done: bool) -> Body {
    Body::InstallSnapshot {
        last_included_index: LogIndex(last.0),
        last_included_term: Term(last.1),
        membership: Box::new(members(3)),
        offset,
        data: Bytes::from_static(data),
        done,
        round: 3,
        quorum_contact: QuorumContact::Recent,
    }
}

fn received(index: u64, received: u64) -> Body {
    Body::InstallSnapshotResponse { last_included_index: LogIndex(index), received, round: 3 }
}

/// Returns a leader of term 2 with entries 1 to 3 committed, of which a snapshot has replaced 1 and 2.
fn compacted_leader() -> Node {
    let mut leader = Node::leader(3, 1, &[1, 1]);
    leader.receive(2, 2, matched(3, 1));
    leader.raft.compact(snapshot(2, 1, b"0123456789"));
    leader
}

/// Figure 13, steps 2 to 5 and 8: chunks arrive in order, then the state is replaced; the last answer waits for the
/// disk.
#[test]
fn a_snapshot_arrives_in_chunks_and_replaces_the_state() {
    let mut node = Node::with_log(3, 2, &[1]);
    assert_eq!(only(&node.receive(2, 2, chunk((5, 2), 0, b"abc", false))).body, received(5, 3));
    node.step(2, 2, chunk((5, 2), 3, b"de", true));
    let output = node.raft.take_output();
    let whole = snapshot(5, 2, b"abcde");
    assert_eq!(output.persist.snapshot.as_deref(), Some(&whole));
    assert_eq!(output.restore.as_deref(), Some(&whole));
    assert_eq!(output.messages[0].body, matched(5, 3));
    assert!(output.early.is_empty());
    assert_eq!((node.last(), node.commit()), ((5, 2), 5));
    let output = node.receive(2, 2, append((5, 2), &[2], 6, 4));
    assert_eq!(output.committed, entries(6, &[2]), "goes on after it");
}

/// Figure 13, step 6: "If existing log entry has same index and term as snapshot's last included entry, retain log
/// entries following it."
#[test]
fn a_snapshot_keeps_the_entries_after_an_equal_one() {
    let mut node = Node::with_log(3, 2, &[1, 1, 2]);
    let output = node.receive(2, 2, chunk((2, 1), 0, b"s", true));
    assert_eq!((node.last(), node.commit()), ((3, 2), 2));
    assert_eq!(output.persist.truncate_from, None);
    assert!(output.restore.is_some(), "step 8: the state is behind it");
}

/// Figure 13, step 7: "Discard the entire log".
#[test]
fn a_snapshot_discards_a_log_that_differs() {
    let mut node = Node::with_log(3, 3, &[1, 1, 2, 2]);
    let output = node.receive(2, 3, chunk((3, 3), 0, b"s", true));
    assert_eq!((node.last(), node.commit()), ((3, 3), 3));
    assert_eq!(output.persist.truncate_from, Some(LogIndex(4)));
}

/// Mutant: an old snapshot takes the state back.
#[test]
fn an_older_snapshot_changes_nothing() {
    let mut node = Node::with_log(3, 2, &[1, 1, 2]);
    node.receive(2, 2, append((3, 2), &[], 3, 1));
    let output = node.receive(2, 2, chunk((2, 1), 0, b"old", true));
    assert!(output.persist.is_empty() && output.restore.is_none());
    assert_eq!(only(&output).body, matched(3, 3), "it says how far it is");
    assert_eq!((node.last(), node.commit()), ((3, 2), 3));
}

/// Chunks may be lost, repeated, and sent again from the start; those of another snapshot or term never mix.
#[test]
fn chunks_are_put_together_by_their_offsets() {
    let mut node = Node::with_log(3, 2, &[1]);
    let mut answer = |term, body| only(&node.receive(2, term, body)).body.clone();
    assert_eq!(answer(2, chunk((5, 2), 3, b"de", true)), received(5, 0), "the beginning is missing");
    assert_eq!(answer(2, chunk((5, 2), 0, b"abc", false)), received(5, 3));
    assert_eq!(answer(2, chunk((5, 2), 0, b"abc", false)), received(5, 3), "repeated");
    assert_eq!(answer(2, chunk((5, 2), 7, b"x", true)), received(5, 3), "a gap");
    assert_eq!(answer(2, chunk((6, 2), 3, b"x", true)), received(6, 0), "of another snapshot");
    assert_eq!(answer(3, chunk((5, 2), 3, b"de", true)), received(5, 0), "another leader may encode it otherwise");
    assert_eq!(answer(3, chunk((5, 2), 0, b"", false)), received(5, 0));
    assert_eq!(answer(3, chunk((5, 2), 0, b"abcde", true)), matched(5, 3));
}

/// §7: "the leader must occasionally send snapshots to followers that lag behind", when it "has already discarded the
/// next log entry that it needs to send"; chunk by chunk, and then the log continues.
#[test]
fn a_leader_sends_a_snapshot_where_its_log_does_not_reach() {
    let mut leader = compacted_leader();
    let behind = AppendResult::Conflict { refused: LogIndex(2), term: None, first: LogIndex(1) };
    let output = leader.receive(3, 2, Body::AppendEntriesResponse { result: behind, round: 1 });
    let sent_chunk = |output: &Output| match &only(output).body {
        Body::InstallSnapshot { offset, data, done, .. } => (*offset, data.clone(), *done),
        other => panic!("a chunk, not {other:?}"),
    };
    assert_eq!(sent_chunk(&output), (0, Bytes::from_static(b"0123"), false));
    let answer = |received| Body::InstallSnapshotResponse { last_included_index: LogIndex(2), received, round: 1 };
    let output = leader.receive(3, 2, answer(4));
    assert_eq!(sent_chunk(&output), (4, Bytes::from_static(b"4567"), false));
    assert!(sent(&leader.receive(3, 2, answer(4))).is_empty(), "a repeated answer sends nothing");
    let output = leader.receive(3, 2, answer(8));
    assert_eq!(sent_chunk(&output), (8, Bytes::from_static(b"89"), true));
    let output = leader.receive(3, 2, matched(2, 1));
    assert_eq!(only(&output).body, append((2, 1), &[2], 3, 1));
}

/// A lost chunk is sent again after a heartbeat interval without progress; heartbeats continue meanwhile.
#[test]
fn a_lost_chunk_is_sent_again() {
    let mut leader = compacted_leader();
    let behind = AppendResult::Conflict { refused: LogIndex(2), term: None, first: LogIndex(1) };
    leader.receive(3, 2, Body::AppendEntriesResponse { result: behind, round: 1 });
    let to_three = |output: &Output| -> Vec<bool> {
        let bodies = output.early.iter().filter(|message| message.to == NodeId(3));
        bodies.map(|message| matches!(message.body, Body::InstallSnapshot { offset: 0, .. })).collect()
    };
    assert_eq!(to_three(&leader.time_out()), [false], "a heartbeat");
    assert_eq!(to_three(&leader.time_out()), [true], "the chunk");
}

/// A transfer continues with the snapshot that it began with, although the leader has compacted again; otherwise it
/// might never end.
#[test]
fn a_transfer_outlives_the_next_compaction() {
    let mut leader = compacted_leader();
    let behind = AppendResult::Conflict { refused: LogIndex(2), term: None, first: LogIndex(1) };
    leader.receive(3, 2, Body::AppendEntriesResponse { result: behind, round: 1 });
    leader.raft.compact(snapshot(3, 2, b"newer"));
    let output =
        leader.receive(3, 2, Body::InstallSnapshotResponse { last_included_index: LogIndex(2), received: 4, round: 1 });
    assert!(matches!(only(&output).body, Body::InstallSnapshot { last_included_index: LogIndex(2), offset: 4, .. }));
    let output = leader.receive(3, 2, matched(2, 1));
    assert!(matches!(only(&output).body, Body::InstallSnapshot { last_included_index: LogIndex(3), offset: 0, .. }));
}

/// Mutant: an entry that was compacted counts as a conflict, which would remove committed entries.
#[test]
fn a_compacted_entry_is_no_conflict() {
    let mut node = Node::with_log(3, 2, &[1, 1, 2]);
    node.receive(2, 2, append((3, 2), &[], 3, 1));
    node.raft.compact(snapshot(3, 2, b"s"));
    let output = node.receive(2, 2, append((1, 1), &[1, 2, 2], 3, 2));
    assert_eq!(output.persist.entries, entries(4, &[2]));
    assert_eq!((output.persist.truncate_from, &only(&output).body), (None, &matched(4, 2)));
}

/// An older or equal own snapshot is ignored; one beyond the applied index is the caller's mistake.
#[test]
fn compaction_only_goes_forward() {
    let mut leader = compacted_leader();
    leader.raft.compact(snapshot(1, 1, b"old"));
    assert_eq!(leader.raft.status().first_index, LogIndex(3));
    let beyond = std::panic::AssertUnwindSafe(|| leader.raft.compact(snapshot(4, 2, b"beyond")));
    assert!(std::panic::catch_unwind(beyond).is_err());
}

/// Entries before the end of a leader's own snapshot stay for a while, so that a follower that lags a little gets
/// them from the log.
#[test]
fn a_follower_that_lags_a_little_needs_no_snapshot() {
    let config = Config { trailing_entries: 2, ..config(1, 3) };
    let mut leader = Node::new(config, stored(1, None, &[1, 1, 1, 1]));
    leader.ms = 1_000;
    leader.win();
    leader.receive(2, 2, matched(5, 1));
    leader.raft.compact(snapshot(5, 2, b"0123456789"));
    let status = leader.raft.status();
    assert_eq!((status.first_index, status.snapshot_index, status.last_index), (LogIndex(4), LogIndex(5), LogIndex(5)));
    let behind = |first| {
        let result = AppendResult::Conflict { refused: LogIndex(4), term: None, first: LogIndex(first) };
        Body::AppendEntriesResponse { result, round: 1 }
    };
    assert_eq!(only(&leader.receive(3, 2, behind(4))).body, append((3, 1), &[1, 2], 5, 1));
    leader.raft.compact(snapshot(5, 2, b"again"));
    assert_eq!(leader.raft.status().first_index, LogIndex(4), "the same snapshot is no news");
}

/// A restart restores the state first, and applies the entries after the snapshot as they are found committed.
#[test]
fn a_restarted_node_begins_with_its_snapshot() {
    let kept =
        StoredState { snapshot: Some(snapshot(2, 1, b"state")), entries: entries(3, &[2, 2]), ..stored(2, None, &[]) };
    let mut node = Node::new(config(1, 3), kept);
    let output = node.settle();
    assert_eq!((output.restore, output.committed), (Some(Box::new(snapshot(2, 1, b"state"))), Vec::new()));
    let output = node.receive(2, 2, append((4, 2), &[], 3, 1));
    assert_eq!(output.committed, entries(3, &[2]));
}

/// A snapshot's last index and term count in elections when the log is empty (§5.4.1).
#[test]
fn a_snapshot_counts_as_log() {
    let kept = StoredState { snapshot: Some(snapshot(5, 2, b"state")), ..stored(2, None, &[]) };
    let mut node = Node::new(config(1, 3), kept);
    node.settle();
    node.ms = 1_000;
    assert_eq!(only(&node.receive(2, 3, request_vote(false, (4, 2)))).body, vote(false, false));
    assert_eq!(only(&node.receive(2, 3, request_vote(false, (5, 2)))).body, vote(false, true));
}
