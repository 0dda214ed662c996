//! Rules of reads (dissertation §6.4): the node that may answer, and the conditions.

use super::*;

/// Returns a leader that has committed its no-op, so that reads may be answered.
fn serving(members: u64) -> Node {
    let mut leader = Node::leader(members, 1, &[1]);
    for follower in 2..=members {
        leader.receive(follower, 2, matched(2, 1));
    }
    assert_eq!(leader.commit(), 2);
    leader
}

/// Basic Raft: any node that believes it leads answers.
#[test]
fn leader_mode_asks_nobody() {
    let mut leader = Node::leader(3, 1, &[1]);
    assert_eq!(leader.read(LeaderReadMode::Leader), ready(0));
    assert_eq!(Node::with_log(3, 1, &[1]).read(LeaderReadMode::Leader), refused(None));
}

/// §6.4 steps 1 and 2: a new leader does not know the commit index of its predecessors.
#[test]
fn no_read_before_an_entry_of_the_own_term_is_committed() {
    for mode in [LeaderReadMode::Quorum, LeaderReadMode::Lease] {
        let mut leader = Node::leader(3, 1, &[1]);
        let refusal = AppendResult::Conflict { refused: LogIndex(0), term: None, first: LogIndex(0) };
        leader.receive(2, 2, Body::AppendEntriesResponse { result: refusal, round: 1 });
        assert_eq!(leader.read(mode), None, "a quorum answered, but nothing is committed");
        leader.receive(2, 2, matched(2, 1));
        assert_eq!((leader.commit(), leader.outcome()), (2, None), "now it wants a round of its own");
        leader.receive(2, 2, matched(2, 2));
        assert_eq!(leader.outcome(), ready(2));
    }
}

/// §6.4 step 3: the heartbeats must be sent after the read arrived; a round in progress confirms only earlier reads.
#[test]
fn a_round_confirms_only_reads_that_came_before_it() {
    let mut leader = serving(3);
    assert_eq!(leader.read(LeaderReadMode::Quorum), None);
    leader.raft.read(leader.now(), 8, LeaderReadMode::Quorum);
    assert!(sent(&leader.settle()).is_empty(), "the second read shares the next round");
    let output = leader.receive(2, 2, matched(2, 2));
    assert_eq!(leader.reads, [(7, ReadOutcome::Ready(LogIndex(2)))]);
    assert_eq!(output.early.len(), 2, "which begins at once");
    leader.receive(2, 2, matched(2, 2));
    leader.receive(3, 2, matched(2, 2));
    assert_eq!(leader.reads.len(), 1, "late answers of the earlier round");
    leader.receive(3, 2, matched(2, 3));
    assert_eq!(leader.reads[1], (8, ReadOutcome::Ready(LogIndex(2))));
}

/// Mutants: one less than a majority; one follower's answers counted twice; an answer to a round that never began.
#[test]
fn a_read_needs_a_majority_of_members() {
    let mut leader = serving(5);
    assert_eq!(leader.read(LeaderReadMode::Quorum), None);
    leader.receive(2, 2, matched(2, 2));
    leader.receive(2, 2, matched(2, 2));
    leader.receive(3, 2, matched(2, 99));
    assert_eq!(leader.outcome(), None, "two of five");
    leader.receive(3, 2, matched(2, 2));
    assert_eq!(leader.outcome(), ready(2));
}

/// A refusal also shows that its sender still follows in this term.
#[test]
fn any_answer_of_the_term_confirms_the_leader() {
    let conflict = AppendResult::Conflict { refused: LogIndex(2), term: None, first: LogIndex(1) };
    let chunk = Body::InstallSnapshotResponse { last_included_index: LogIndex(1), received: 4, round: 2 };
    for answer in [Body::AppendEntriesResponse { result: conflict, round: 2 }, chunk] {
        let mut leader = serving(3);
        assert_eq!(leader.read(LeaderReadMode::Quorum), None);
        leader.receive(2, 2, answer);
        assert_eq!(leader.outcome(), ready(2));
    }
}

/// The read index is the commit index at the start of the round, not the end of the log; the next heartbeat makes up
/// for a lost round.
#[test]
fn the_read_index_is_the_commit_index_and_a_later_round_confirms_as_well() {
    let mut leader = serving(3);
    leader.propose();
    assert_eq!(leader.read(LeaderReadMode::Quorum), None);
    leader.time_out();
    leader.receive(3, 2, matched(2, 3));
    assert_eq!(leader.outcome(), ready(2));
}

/// A leader without peers is its own quorum, but waits for its term's first commit like any other.
#[test]
fn a_lone_leader_answers_once_its_noop_is_committed() {
    let mut node = Node::fresh(1);
    node.ms = node.raft.deadline().0.div_ceil(MS);
    node.raft.tick(node.now());
    node.raft.take_output();
    node.raft.persisted(); // its vote
    node.raft.read(node.now(), 7, LeaderReadMode::Quorum);
    let output = node.raft.take_output();
    assert_eq!((node.role(), output.reads), (Role::Leader, Vec::new()));
    node.raft.persisted();
    node.settle();
    assert_eq!(node.outcome(), ready(1));
    assert_eq!(node.read(LeaderReadMode::Lease), ready(1));
}

#[test]
fn a_deposed_leader_refuses_what_waits() {
    let mut leader = serving(3);
    assert_eq!(leader.read(LeaderReadMode::Quorum), None);
    let output = leader.receive(3, 2, Body::ReadIndex { context: 5 });
    assert!(output.early.is_empty(), "it shares the next round");
    let output = leader.receive(2, 3, append((2, 2), &[], 0, 1));
    assert_eq!(leader.outcome(), refused(None));
    let answer = output.early.iter().find(|message| message.to == NodeId(3)).unwrap();
    assert_eq!(answer.body, Body::ReadIndexResponse { context: 5, index: None });
    leader.receive(2, 2, matched(2, 2));
    assert_eq!(leader.reads.len(), 1, "answered once");
}

/// §6.4: a follower asks its leader for the index.
#[test]
fn a_follower_asks_the_leader() {
    let mut follower = Node::with_log(3, 2, &[1, 2]);
    assert_eq!(follower.read(LeaderReadMode::Quorum), refused(None), "it knows no leader");
    follower.receive(3, 2, append((2, 2), &[], 2, 1));
    assert_eq!(follower.read(LeaderReadMode::Lease), refused(Some(3)), "it has no lease");
    follower.reads.clear();
    follower.raft.read(follower.now(), 7, LeaderReadMode::Quorum);
    follower.raft.read(follower.now(), 8, LeaderReadMode::Quorum);
    let output = follower.settle();
    let &Body::ReadIndex { context } = &only(&output).body else { panic!("{output:?}") };
    assert_eq!(only(&output).to, NodeId(3));
    follower.receive(3, 2, Body::ReadIndexResponse { context: context ^ 1, index: Some(LogIndex(1)) });
    assert_eq!(follower.outcome(), None, "an answer to another question");
    follower.receive(3, 2, Body::ReadIndexResponse { context, index: Some(LogIndex(9)) });
    let both = [(7, ReadOutcome::Ready(LogIndex(9))), (8, ReadOutcome::Ready(LogIndex(9)))];
    assert_eq!(follower.reads, both, "even if it has not that much yet: whoever answers waits");
    follower.receive(3, 2, Body::ReadIndexResponse { context, index: Some(LogIndex(9)) });
    assert_eq!(follower.reads.len(), 2, "answered once");
}

/// Mutant: a context that is used again, so that a late answer confirms a later read.
#[test]
fn contexts_differ_between_attempts_and_lives() {
    let contexts = |life| -> Vec<u64> {
        // Both starts have the same timers, as with `--seed`.
        let mut follower = Node::new(Config { life, ..config(1, 3) }, stored(2, None, &[1]));
        follower.ms = 10;
        follower.receive(3, 2, append((1, 1), &[], 0, 1));
        let ask = |follower: &mut Node| {
            follower.raft.read(follower.now(), 7, LeaderReadMode::Quorum);
            match only(&follower.settle()).body {
                Body::ReadIndex { context } => context,
                ref other => panic!("{other:?}"),
            }
        };
        (0..50).map(|_| ask(&mut follower)).collect()
    };
    let all: std::collections::BTreeSet<u64> = [contexts(1), contexts(2)].concat().into_iter().collect();
    assert_eq!(all.len(), 100);
}

/// The leader treats a follower's request as a read like any other; a node that does not lead refuses it.
#[test]
fn the_leader_answers_a_follower_after_a_round() {
    let mut leader = serving(3);
    let output = leader.receive(3, 2, Body::ReadIndex { context: 5 });
    assert_eq!(output.early.len(), 2, "a round");
    let output = leader.receive(2, 2, matched(2, 2));
    assert_eq!(only(&output).body, Body::ReadIndexResponse { context: 5, index: Some(LogIndex(2)) });
    let mut follower = Node::with_log(3, 2, &[1]);
    let output = follower.receive(3, 2, Body::ReadIndex { context: 6 });
    assert_eq!(only(&output).body, Body::ReadIndexResponse { context: 6, index: None });
}

/// A waiting read ends when the leader that was asked changes, or after an election timeout.
#[test]
fn a_read_that_waits_is_refused_in_the_end() {
    let follower = || {
        let mut follower = Node::with_log(3, 2, &[1, 2]);
        follower.receive(3, 2, append((2, 2), &[], 2, 1));
        assert_eq!(follower.read(LeaderReadMode::Quorum), None);
        follower
    };
    let mut led_by_another = follower();
    led_by_another.receive(2, 3, append((2, 2), &[], 2, 1));
    assert!(led_by_another.outcome().is_some());
    let mut kept = follower();
    kept.pass(60);
    kept.receive(3, 2, append((2, 2), &[], 2, 1));
    assert_eq!(kept.outcome(), None);
    kept.pass(40);
    assert_eq!(kept.outcome(), refused(None));
    let mut lonely_leader = serving(3);
    assert_eq!(lonely_leader.read(LeaderReadMode::Quorum), None);
    for _ in 0..5 {
        lonely_leader.pass(20);
    }
    assert_eq!((lonely_leader.role(), lonely_leader.outcome()), (Role::Leader, refused(None)));
}

/// The queue is bounded: beyond its limit, reads are refused at once.
#[test]
fn waiting_reads_are_bounded() {
    let mut leader = serving(3);
    leader.reads.clear();
    for id in 0..70_000 {
        leader.raft.read(leader.now(), id, LeaderReadMode::Quorum);
    }
    leader.settle();
    assert_eq!(leader.reads.len(), 70_000 - 65_536);
    assert!(leader.reads.iter().all(|(id, outcome)| *id >= 65_536 && Some(*outcome) == refused(None)));
}
