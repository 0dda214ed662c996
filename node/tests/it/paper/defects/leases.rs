//! Defects of leases (dissertation §6.4.1), and of the loyalty of voters that they depend on.

use super::*;

/// Creates a node under `CheckQuorum` that has just started.
fn loyal(members: u64, defect: Option<Defect>) -> Node {
    Node::new(Config { defect, ..loyal_config(1, members) }, stored(1, None, &[1]))
}

/// Returns a leader of term 2, elected just now, under `CheckQuorum`.
fn loyal_leader(members: u64, defect: Option<Defect>) -> Node {
    let mut leader = loyal(members, defect);
    leader.ms = 1_000;
    leader.win();
    leader
}

#[test]
fn a_lease_beyond_the_promise_of_the_voters() {
    assert!(Defect::LongLease.is_shown_by(|defect| {
        let mut leader = loyal_leader(3, defect);
        leader.receive(2, 2, matched(2, 1));
        leader.ms += 110;
        leader.read(LeaderReadMode::Lease) == ready(2)
    }));
}

#[test]
fn a_lease_that_counts_from_the_answer() {
    assert!(Defect::LeaseFromReceipt.is_shown_by(|defect| {
        let mut leader = loyal_leader(3, defect);
        leader.ms += 15;
        leader.receive(2, 2, matched(2, 1));
        leader.ms += 70;
        leader.read(LeaderReadMode::Lease) == ready(2)
    }));
}

#[test]
fn a_lease_by_two_of_five() {
    assert!(Defect::LeaseByOneAnswer.is_shown_by(|defect| {
        let mut leader = loyal_leader(5, defect);
        leader.receive(2, 2, matched(2, 1));
        leader.raft.status().lease_until.is_some()
    }));
}

#[test]
fn a_lease_by_a_clock_that_went_back() {
    assert!(Defect::LeaseSurvivesClockJump.is_shown_by(|defect| {
        let mut leader = loyal_leader(3, defect);
        leader.receive(2, 2, matched(2, 1));
        leader.ms -= 500;
        leader.read(LeaderReadMode::Lease) == ready(2)
    }));
}

#[test]
fn a_vote_against_a_living_leader() {
    assert!(Defect::DisloyalVoters.is_shown_by(|defect| {
        let mut voter = loyal(3, defect);
        voter.ms = 1_000;
        voter.receive(3, 2, append((1, 1), &[], 0, 1));
        only(&voter.receive(2, 3, request_vote(false, (9, 9)))).body == vote(false, true)
    }));
}

#[test]
fn a_vote_right_after_a_restart() {
    assert!(Defect::RestartForgetsLoyalty.is_shown_by(|defect| {
        only(&loyal(3, defect).receive(2, 2, request_vote(false, (9, 9)))).body == vote(false, true)
    }));
}
