//! Rules of terms (§5.1 and figure 2, "All Servers"): they take precedence over everything else.

use super::*;

/// Figure 2: "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to follower."
#[test]
fn any_message_of_a_later_term_makes_a_follower() {
    let bodies = [
        append((0, 0), &[], 0, 1),
        matched(1, 1),
        vote(false, false),
        vote(true, false),
        vote(false, true),
        request_vote(false, (9, 9)),
        Body::ReadIndex { context: 1 },
        Body::InstallSnapshotResponse { last_included_index: LogIndex(1), received: 1, round: 1 },
    ];
    for body in bodies {
        let mut leader = Node::leader(3, 1, &[1]);
        let output = leader.receive(2, 9, body.clone());
        assert_eq!((leader.role(), leader.term()), (Role::Follower, 9), "{body:?}");
        assert_eq!(output.persist.hard_state.map(|state| state.term), Some(Term(9)), "the term is durable: {body:?}");
    }
}

/// Figure 2, `AppendEntries` step 1 and `RequestVote` step 1; §5.1: "rejects the request", in the receiver's own
/// term.
#[test]
fn a_request_of_a_past_term_is_refused_in_the_own_term() {
    let chunk = Body::InstallSnapshot {
        last_included_index: LogIndex(9),
        last_included_term: Term(1),
        membership: Box::new(members(3)),
        offset: 0,
        data: Bytes::new(),
        done: true,
        round: 5,
        quorum_contact: QuorumContact::Recent,
    };
    for body in [append((0, 0), &[2, 2], 2, 5), chunk] {
        let mut node = Node::with_log(3, 3, &[1]);
        let before = node.raft.deadline();
        let output = node.receive(2, 2, body);
        let answer = only(&output);
        assert_eq!(answer.term, Term(3));
        assert!(
            matches!(answer.body, Body::AppendEntriesResponse { result: AppendResult::Conflict { .. }, .. }),
            "{answer:?}"
        );
        assert_eq!((node.last(), node.commit()), ((1, 1), 0), "nothing was taken over");
        assert_eq!(node.raft.deadline(), before, "the timer runs on: that was no leader (students' guide)");
    }
    let mut node = Node::with_log(3, 3, &[1]);
    let output = node.receive(2, 2, request_vote(false, (9, 2)));
    assert_eq!((only(&output).term, &only(&output).body), (Term(3), &vote(false, false)));
}

/// A refusal may arrive when its recipient leads the very term that it names: a round of a former leadership must not
/// count in this one.
#[test]
fn a_refusal_of_a_past_term_confirms_no_round() {
    let mut node = Node::with_log(3, 3, &[1]);
    let output = node.receive(2, 2, append((0, 0), &[], 0, 50));
    let Body::AppendEntriesResponse { round, .. } = only(&output).body else { panic!("{output:?}") };
    assert_eq!(round, 0);
}

/// §5.1: answers of a past term have no effect in this one.
#[test]
fn an_answer_of_a_past_term_is_dropped() {
    let mut leader = Node::leader(3, 2, &[1]);
    leader.receive(2, 2, matched(2, 1));
    assert_eq!(leader.commit(), 0);
    leader.receive(2, 3, matched(2, 1));
    assert_eq!(leader.commit(), 2, "of this term it counts");
}

/// Figure 2, "Persistent state": term, vote and log are restored after a restart.
#[test]
fn a_restarted_node_knows_its_term_vote_and_log() {
    let mut node = Node::new(config(1, 3), stored(4, Some(2), &[1, 1, 3]));
    node.ms = 1_000;
    assert_eq!((node.role(), node.term(), node.last()), (Role::Follower, 4, (3, 3)));
    let again = node.receive(2, 4, request_vote(false, (3, 3)));
    assert_eq!(only(&again).body, vote(false, true), "the same vote");
    let other = node.receive(3, 4, request_vote(false, (9, 4)));
    assert_eq!(only(&other).body, vote(false, false), "and no second one");
}

#[test]
fn a_stored_log_that_cannot_be_is_refused() {
    let start = |stored| Raft::new(config(1, 3), stored, Time(0)).map(drop).unwrap_err().to_string();
    let mut gap = stored(2, None, &[1, 1]);
    gap.entries.remove(0);
    assert_eq!(start(gap), "the stored log has entry 2 where 1 belongs");
    let impossible = "the stored entry 2 has a term that its neighbours or the stored term rule out";
    assert_eq!(start(stored(2, None, &[2, 1])), impossible);
    assert_eq!(start(stored(2, None, &[2, 3])), impossible);
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let error = |change: fn(&mut Config)| {
        let mut config = config(1, 3);
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(error(|c| c.members.clear()), "a cluster has members");
    assert_eq!(error(|c| c.members.push(NodeId(2))), "member n2 is listed twice");
    assert_eq!(error(|c| c.max_inflight = 0), "max_inflight must be more than zero");
    let lease = "lease (100ms) must be shorter than election_timeout (100ms)";
    assert_eq!(error(|c| c.lease = c.election_timeout), lease);
}

/// Messages for others, and from the node itself, change nothing.
#[test]
fn what_is_for_others_is_not_heard() {
    let mut node = Node::with_log(3, 1, &[1]);
    node.step(1, 7, request_vote(false, (9, 9)));
    let misdirected = Message { from: NodeId(2), to: NodeId(3), term: Term(7), body: vote(false, true) };
    assert_eq!(node.raft.step(node.now(), misdirected), Ok(()));
    assert!(node.term() == 1 && !node.raft.has_output());
}

/// A term is durable and takes precedence over everything else, so an absurd one would end all elections for good:
/// such a message is treated as lost.
#[test]
fn an_absurd_term_is_refused_and_leaves_no_trace() {
    let refuse = |term: u64, body: Body| {
        let mut node = Node::leader(3, 1, &[1]);
        let message = Message { from: NodeId(2), to: NodeId(1), term: Term(term), body };
        let refused = node.raft.step(node.now(), message).unwrap_err();
        assert_eq!((node.role(), node.term(), node.raft.has_output()), (Role::Leader, 2, false), "{refused}");
        refused.to_string()
    };
    let bodies = [
        append((0, 0), &[], 0, 1),
        matched(1, 1),
        vote(false, false),
        vote(true, true),
        request_vote(false, (9, 9)),
        request_vote(true, (9, 9)),
        Body::ReadIndex { context: 1 },
    ];
    for body in bodies {
        for term in [u64::MAX, u64::MAX - 1, 1 << 40, (1 << 32) + 3] {
            let why = refuse(term, body.clone());
            assert!(why.starts_with(&format!("n2 sends term {term}, which is more than")), "{why}");
        }
    }
    let mut node = Node::leader(3, 1, &[1]);
    node.receive(2, (1 << 32) + 2, append((0, 0), &[], 0, 1));
    assert_eq!(node.term(), (1 << 32) + 2, "a node may have slept through many elections");
}

/// A leader's log has no gap, its terms never fall, and none is later than the message's: a node that accepted other
/// entries would have to stop.
#[test]
fn entries_that_cannot_stand_in_a_log_are_refused() {
    let far = LogIndex(u64::MAX);
    let conflict = AppendResult::Conflict { refused: far, term: None, first: far };
    let chunk = |index, term| Body::InstallSnapshot {
        last_included_index: LogIndex(index),
        last_included_term: Term(term),
        membership: Box::new(members(3)),
        offset: 0,
        data: Bytes::new(),
        done: true,
        round: 5,
        quorum_contact: QuorumContact::Recent,
    };
    for body in [
        append((1, 1), &[2, 1], 0, 1),
        append((1, 1), &[9], 0, 1),
        append((1, 9), &[], 0, 1),
        append((1 << 63, 1), &[], 0, 1),
        append((1, 1), &[], u64::MAX, 1),
        request_vote(true, (u64::MAX, 1)),
        matched(u64::MAX, 1),
        Body::AppendEntriesResponse { result: conflict, round: 1 },
        Body::ReadIndexResponse { context: 1, index: Some(far) },
        chunk(u64::MAX, 2),
        chunk(5, 3),
    ] {
        let mut node = Node::with_log(3, 2, &[1]);
        let message = Message { from: NodeId(2), to: NodeId(1), term: Term(2), body };
        assert!(node.raft.step(node.now(), message.clone()).is_err(), "{message:?}");
        assert_eq!((node.last(), node.commit(), node.raft.has_output()), ((1, 1), 0, false));
    }
}

/// The greatest term has no next election; nothing panics, and no vote is requested.
#[test]
fn the_last_term_has_no_next_election() {
    for members in [1, 3] {
        let mut node = Node::new(config(1, members), stored(u64::MAX, None, &[1]));
        node.ms = 1_000;
        assert!(sent(&node.time_out()).is_empty());
        assert_eq!(node.term(), u64::MAX);
    }
}
