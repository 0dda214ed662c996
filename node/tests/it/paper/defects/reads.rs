//! Defects of reads (dissertation §6.4).

use super::*;

/// Returns a leader of term 2 whose entry of that term, the second of its log, is committed.
fn serving(members: u64, defect: Option<Defect>) -> Node {
    let mut leader = leader(members, 1, &[1], defect);
    for follower in 2..=members {
        leader.receive(follower, 2, matched(2, 1));
    }
    leader
}

#[test]
fn a_quorum_read_that_asks_nobody() {
    assert!(
        Defect::ReadAsksNobody.is_shown_by(|defect| { serving(3, defect).read(LeaderReadMode::Quorum) == ready(2) })
    );
}

#[test]
fn a_leader_that_confirms_itself() {
    assert!(
        Defect::LeaderConfirmsAlone
            .is_shown_by(|defect| { serving(3, defect).read(LeaderReadMode::Quorum) == ready(2) })
    );
}

#[test]
fn two_of_five_confirm() {
    assert!(Defect::OneAnswerConfirms.is_shown_by(|defect| {
        let mut leader = serving(5, defect);
        leader.read(LeaderReadMode::Quorum);
        leader.receive(2, 2, matched(2, 2));
        leader.outcome() == ready(2)
    }));
}

#[test]
fn an_answer_to_an_earlier_round_confirms() {
    assert!(Defect::AnyAnswerConfirms.is_shown_by(|defect| {
        let mut leader = serving(3, defect);
        leader.read(LeaderReadMode::Quorum);
        leader.receive(2, 2, matched(2, 1));
        leader.outcome() == ready(2)
    }));
}

#[test]
fn a_round_that_began_before_the_read_confirms() {
    assert!(Defect::JoinsOpenRound.is_shown_by(|defect| {
        let mut leader = serving(3, defect);
        leader.read(LeaderReadMode::Quorum);
        leader.raft.read(leader.now(), 8, LeaderReadMode::Quorum);
        leader.settle();
        leader.receive(2, 2, matched(2, 2));
        leader.reads.contains(&(8, ReadOutcome::Ready(LogIndex(2))))
    }));
}

#[test]
fn a_read_before_an_entry_of_the_own_term_is_committed() {
    assert!(Defect::ReadsBeforeOwnCommit.is_shown_by(|defect| {
        let mut leader = leader(3, 1, &[1], defect);
        leader.read(LeaderReadMode::Quorum);
        let refusal = AppendResult::Conflict { refused: LogIndex(1), term: None, first: LogIndex(1) };
        leader.receive(2, 2, Body::AppendEntriesResponse { result: refusal, round: 2 });
        leader.outcome() == ready(0)
    }));
}

/// Returns a follower of node 3 that has committed two entries.
fn follower(defect: Option<Defect>) -> Node {
    let mut follower = node(3, 2, &[1, 2], defect);
    follower.receive(3, 2, append((2, 2), &[], 2, 1));
    follower
}

/// Starts a read at a follower, and returns the context under which it asks the leader.
fn ask(follower: &mut Node) -> Option<u64> {
    follower.raft.read(follower.now(), 7, LeaderReadMode::Quorum);
    follower.settle().early.iter().find_map(|message| match message.body {
        Body::ReadIndex { context } => Some(context),
        _ => None,
    })
}

#[test]
fn a_follower_that_asks_nobody() {
    assert!(
        Defect::FollowerReadsOwnCommit
            .is_shown_by(|defect| { follower(defect).read(LeaderReadMode::Quorum) == ready(2) })
    );
}

#[test]
fn a_read_index_of_an_earlier_read() {
    assert!(Defect::ReusesReadIndex.is_shown_by(|defect| {
        let mut follower = follower(defect);
        let context = ask(&mut follower).unwrap();
        follower.receive(3, 2, Body::ReadIndexResponse { context, index: Some(LogIndex(2)) });
        follower.read(LeaderReadMode::Quorum) == ready(2)
    }));
}

#[test]
fn an_answer_to_another_question() {
    assert!(Defect::AnyContextAnswers.is_shown_by(|defect| {
        let mut follower = follower(defect);
        let context = ask(&mut follower).unwrap() ^ 1;
        follower.receive(3, 2, Body::ReadIndexResponse { context, index: Some(LogIndex(1)) });
        follower.outcome() == ready(1)
    }));
}

#[test]
fn a_read_index_from_a_node_that_does_not_lead() {
    assert!(Defect::AnyoneAnswersReadIndex.is_shown_by(|defect| {
        let output = follower(defect).receive(2, 2, Body::ReadIndex { context: 6 });
        only(&output).body == Body::ReadIndexResponse { context: 6, index: Some(LogIndex(2)) }
    }));
}

#[test]
fn the_same_context_after_a_restart() {
    assert!(Defect::ContextsRepeat.is_shown_by(|defect| {
        let first = |life| {
            let mut follower = Node::new(Config { life, defect, ..config(1, 3) }, stored(2, None, &[1]));
            follower.receive(3, 2, append((1, 1), &[], 0, 1));
            ask(&mut follower)
        };
        first(1) == first(2)
    }));
}

#[test]
fn an_entry_applied_before_it_is_committed() {
    assert!(Defect::AppliesUncommitted.is_shown_by(|defect| !serving(3, defect).propose().committed.is_empty()));
}
