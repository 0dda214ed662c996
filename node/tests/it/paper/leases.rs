//! Leases (dissertation §6.4.1), and the rule for voters that they depend on (§6, dissertation §4.2.3).

use super::*;

/// Returns a leader for which a quorum has acknowledged round 1 (its election) and the no-op, long after its start.
fn leased() -> Node {
    let mut leader = Node::loyal_leader(3, 1, &[1]);
    leader.receive(2, 2, matched(2, 1));
    leader
}

/// The lease counts from the start of the round, not from the answer (mutant), and ends by the leader's own clock.
#[test]
fn a_lease_counts_from_the_sending_of_the_round() {
    let mut leader = Node::loyal_leader(3, 1, &[1]);
    let elected = leader.ms;
    leader.ms += 15;
    leader.receive(2, 2, matched(2, 1));
    assert_eq!(leader.raft.status().lease_until, Some(Time((elected + 80) * MS)));
    leader.ms = elected + 79;
    assert_eq!(leader.read(LeaderReadMode::Lease), ready(2), "nobody is asked");
    leader.ms = elected + 80;
    assert_eq!(leader.read(LeaderReadMode::Lease), None, "now it waits like a quorum read");
    leader.receive(3, 2, matched(2, 2));
    assert_eq!(leader.outcome(), ready(2));
    assert_eq!(leader.raft.status().lease_until, Some(Time((elected + 160) * MS)));
}

/// Mutant: a lease from the answer of one follower where a quorum needs two.
#[test]
fn a_lease_needs_a_quorum() {
    let mut leader = Node::loyal_leader(5, 1, &[1]);
    leader.receive(2, 2, matched(2, 1));
    assert_eq!(leader.raft.status().lease_until, None);
    leader.receive(3, 2, matched(2, 1));
    assert!(leader.raft.status().lease_until.is_some());
    leader.time_out();
    leader.receive(2, 2, matched(2, 2));
    let first = leader.raft.status().lease_until;
    leader.receive(2, 2, matched(2, 2));
    assert_eq!(leader.raft.status().lease_until, first, "of the round that three of five have");
}

#[test]
fn the_lease_ends_with_the_leadership() {
    let mut leader = leased();
    assert_eq!(leader.read(LeaderReadMode::Lease), ready(2));
    leader.receive(3, 3, append((2, 2), &[], 2, 1));
    assert_eq!(leader.read(LeaderReadMode::Lease), refused(Some(3)));
    assert_eq!(leader.raft.status().lease_until, None);
}

/// §6: "if a server receives a `RequestVote` within the minimum election timeout of hearing from a current leader, it
/// does not update its term or grant its vote."
#[test]
fn a_voter_is_loyal_to_a_living_leader() {
    for pre in [true, false] {
        let mut voter = Node::loyal(3, 2, &[1]);
        voter.receive(3, 2, append((1, 1), &[], 0, 1));
        voter.ms += 99;
        let output = voter.receive(2, 9, request_vote(pre, (9, 9)));
        assert_eq!((only(&output).term, &only(&output).body), (Term(2), &vote(pre, false)));
        assert!(voter.term() == 2 && output.persist.is_empty());
        voter.ms += 1;
        assert_eq!(only(&voter.receive(2, 9, request_vote(pre, (9, 9)))).body, vote(pre, true));
    }
}

/// The promise protects the leader's lease, so it holds even after this node's term and leader have changed.
#[test]
fn loyalty_survives_a_change_of_term() {
    let mut voter = Node::loyal(3, 2, &[1]);
    voter.receive(3, 2, append((1, 1), &[], 0, 1));
    voter.ms += 50;
    voter.receive(2, 4, vote(false, false));
    assert_eq!(voter.term(), 4);
    assert_eq!(only(&voter.receive(2, 5, request_vote(false, (9, 9)))).body, vote(false, false));
}

/// A leader refuses votes while a quorum answers it, and no longer.
#[test]
fn a_leader_refuses_votes_while_a_quorum_answers_it() {
    let mut leader = leased();
    leader.ms += 99;
    assert_eq!(only(&leader.receive(3, 9, request_vote(false, (9, 9)))).body, vote(false, false));
    assert_eq!((leader.role(), leader.term()), (Role::Leader, 2));
    leader.ms += 1;
    leader.step(3, 9, request_vote(false, (9, 9)));
    assert_eq!((leader.role(), leader.term()), (Role::Follower, 9));
}

/// Mutant: a restarted voter forgets that it heard from a leader. It may have, so it neither votes nor campaigns for
/// a whole timeout.
#[test]
fn a_restarted_node_keeps_a_promise_that_it_may_have_made() {
    for pre in [true, false] {
        let mut node = Node::new(loyal_config(1, 3), stored(2, None, &[1]));
        assert!(node.raft.deadline().0 >= 100 * MS);
        node.ms = 99;
        assert_eq!(only(&node.receive(2, 3, request_vote(pre, (9, 9)))).body, vote(pre, false));
        assert_eq!(node.term(), 2);
        node.ms = 100;
        assert_eq!(only(&node.receive(2, 3, request_vote(pre, (9, 9)))).body, vote(pre, true));
    }
}

/// Figure 2: in basic Raft a voter considers terms and logs, and nothing else; leases would not hold then.
#[test]
fn basic_raft_has_no_loyal_voters_and_so_no_leases() {
    for pre in [true, false] {
        let mut voter = Node::with_log(3, 2, &[1]);
        voter.receive(3, 2, append((1, 1), &[], 0, 1));
        assert_eq!(only(&voter.receive(2, 3, request_vote(pre, (9, 9)))).body, vote(pre, true));
    }
    let mut leader = Node::leader(3, 1, &[1]);
    leader.receive(2, 2, matched(2, 1));
    assert_eq!(leader.raft.status().lease_until, None);
    assert_eq!(leader.read(LeaderReadMode::Lease), None, "it waits like a quorum read");
    leader.receive(3, 2, matched(2, 2));
    assert_eq!(leader.outcome(), ready(2));
}

/// A node that never ran has promised nothing.
#[test]
fn a_fresh_node_votes_at_once() {
    let mut node = Node::fresh(3);
    assert_eq!(only(&node.receive(2, 1, request_vote(true, (0, 0)))).body, vote(true, true));
    assert_eq!(only(&node.receive(2, 1, request_vote(false, (0, 0)))).body, vote(false, true));
}

/// Mutant: a lease by a clock that was set back. It ends at once, promises to others start again, and nothing panics.
#[test]
fn a_clock_that_goes_back_ends_the_lease_and_prolongs_loyalty() {
    let mut leader = leased();
    leader.ms -= 500;
    assert_eq!(leader.read(LeaderReadMode::Lease), None);
    assert!(leader.raft.deadline() <= Time((leader.ms + 20) * MS), "heartbeats go on");
    leader.receive(2, 2, matched(2, 1));
    assert_eq!(leader.raft.status().lease_until, None, "an answer to a round of the old time renews nothing");
    leader.receive(2, 2, matched(2, 2));
    assert_eq!(leader.outcome(), ready(2));
    let mut voter = Node::loyal(3, 2, &[1]);
    voter.receive(3, 2, append((1, 1), &[], 0, 1));
    voter.ms -= 500;
    voter.pass(0);
    voter.ms += 99;
    assert_eq!(only(&voter.receive(2, 9, request_vote(false, (9, 9)))).body, vote(false, false));
    assert!(voter.raft.deadline().0 < (voter.ms + 200) * MS, "it still campaigns in time");
}
