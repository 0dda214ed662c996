//! Defects of elections (§5.2, §5.4.1) and of what they must remember.

use super::*;

#[test]
fn a_second_vote_in_one_term() {
    assert!(Defect::VotesTwice.is_shown_by(|defect| {
        let mut voter = node(3, 1, &[1], defect);
        voter.receive(2, 5, request_vote(false, (1, 1)));
        only(&voter.receive(3, 5, request_vote(false, (1, 1)))).body == vote(false, true)
    }));
}

#[test]
fn a_vote_that_is_not_on_the_disk() {
    assert!(Defect::VoteNotDurable.is_shown_by(|defect| {
        let output = node(3, 1, &[1], defect).receive(2, 5, request_vote(false, (1, 1)));
        output.persist.hard_state == Some(HardState { term: Term(5), voted_for: None })
    }));
}

#[test]
fn a_vote_for_oneself_that_is_not_on_the_disk() {
    assert!(Defect::OwnVoteNotDurable.is_shown_by(|defect| {
        let mut candidate = node(3, 1, &[1], defect);
        candidate.time_out();
        let output = candidate.receive(2, 2, vote(true, true));
        output.persist.hard_state == Some(HardState { term: Term(2), voted_for: None })
    }));
}

#[test]
fn a_term_that_is_not_on_the_disk() {
    assert!(Defect::TermNotDurable.is_shown_by(|defect| {
        let output = node(3, 1, &[1], defect).receive(2, 7, vote(false, false));
        output.persist.hard_state.is_none()
    }));
}

#[test]
fn a_term_that_falls() {
    assert!(Defect::TermGoesBack.is_shown_by(|defect| {
        let mut node = node(3, 3, &[1], defect);
        node.receive(2, 2, append((1, 1), &[], 0, 1));
        node.term() == 2
    }));
}

#[test]
fn a_vote_forgotten_for_a_leader() {
    assert!(Defect::LeaderUpdateClearsVote.is_shown_by(|defect| {
        let mut node = node(5, 1, &[1], defect);
        node.receive(2, 2, request_vote(false, (1, 1)));
        node.receive(3, 2, append((1, 1), &[], 0, 1));
        node.raft.status().voted_for.is_none()
    }));
}

#[test]
fn a_vote_forgotten_when_stepping_down() {
    assert!(Defect::StepDownClearsVote.is_shown_by(|defect| {
        let mut leader = Node::new(Config { defect, ..loyal_config(1, 3) }, stored(1, None, &[1]));
        leader.win();
        leader.pass(100);
        leader.role() == Role::Follower && leader.raft.status().voted_for.is_none()
    }));
}

/// Returns true if a voter whose log ends with entry 3 of term 2 votes for a candidate whose log ends so.
fn votes_for(last: (u64, u64), defect: Option<Defect>) -> bool {
    let output = node(3, 2, &[1, 1, 2], defect).receive(2, 3, request_vote(false, last));
    only(&output).body == vote(false, true)
}

#[test]
fn a_vote_for_a_log_that_lacks_entries() {
    assert!(Defect::VotesForAnyLog.is_shown_by(|defect| votes_for((1, 1), defect)));
}

#[test]
fn a_vote_for_the_longer_log_of_an_earlier_term() {
    assert!(Defect::ComparesLengthFirst.is_shown_by(|defect| votes_for((9, 1), defect)));
}

/// Returns true if a candidate of term 5 among five nodes, which has only its own vote, leads once it has received
/// these two answers.
fn wins_with(answers: [(u64, u64, Body); 2], defect: Option<Defect>) -> bool {
    let mut candidate = node(5, 4, &[1], defect);
    candidate.time_out();
    candidate.receive(2, 5, vote(true, true));
    candidate.receive(3, 5, vote(true, true));
    assert_eq!(candidate.role(), Role::Candidate);
    for (voter, term, answer) in answers {
        candidate.receive(voter, term, answer);
    }
    candidate.role() == Role::Leader
}

#[test]
fn one_vote_counted_twice() {
    let answers = || [(2, 5, vote(false, true)), (2, 5, vote(false, true))];
    assert!(Defect::RepeatedVotesCount.is_shown_by(|defect| wins_with(answers(), defect)));
}

#[test]
fn votes_of_an_earlier_term() {
    let answers = || [(2, 4, vote(false, true)), (3, 4, vote(false, true))];
    assert!(Defect::OldVotesCount.is_shown_by(|defect| wins_with(answers(), defect)));
}

#[test]
fn pre_votes_counted_as_votes() {
    let answers = || [(4, 5, vote(true, true)), (5, 5, vote(true, true))];
    assert!(Defect::PreVotesCount.is_shown_by(|defect| wins_with(answers(), defect)));
}

#[test]
fn a_leader_that_leads_on_after_a_later_term() {
    assert!(Defect::LeaderIgnoresLaterTerms.is_shown_by(|defect| {
        let mut leader = leader(3, 1, &[1], defect);
        leader.receive(2, 9, append((1, 1), &[], 0, 1));
        leader.role() == Role::Leader
    }));
}

#[test]
fn timers_that_end_together() {
    assert!(Defect::EqualTimers.is_shown_by(|defect| {
        let timer = |id| {
            let node = Node::new(Config { defect, ..config(id, 3) }, stored(1, None, &[1]));
            node.raft.deadline()
        };
        timer(1) == timer(2)
    }));
}

/// Returns true if a message restarts the election timer of a node whose log ends with entry 2 of term 2.
fn restarts_timer(from: u64, term: u64, body: Body, defect: Option<Defect>) -> bool {
    let mut node = node(3, 2, &[1, 2], defect);
    let before = node.raft.deadline();
    node.receive(from, term, body);
    node.raft.deadline() != before
}

#[test]
fn a_timer_restarted_by_a_candidate_that_gets_no_vote() {
    assert!(
        Defect::VoteRequestRestartsTimer
            .is_shown_by(|defect| { restarts_timer(2, 3, request_vote(false, (1, 1)), defect) })
    );
}

#[test]
fn a_timer_restarted_by_a_past_leader() {
    assert!(
        Defect::OldLeaderRestartsTimer
            .is_shown_by(|defect| { restarts_timer(3, 1, append((1, 1), &[], 0, 1), defect) })
    );
}

#[test]
fn a_timer_restarted_by_a_leader_without_a_quorum() {
    let deserted = || Body::AppendEntries {
        prev_log_index: LogIndex(2),
        prev_log_term: Term(2),
        entries: Vec::new(),
        leader_commit: LogIndex(0),
        round: 1,
        quorum_contact: QuorumContact::Lost,
    };
    assert!(Defect::DesertedLeaderSilences.is_shown_by(|defect| restarts_timer(3, 2, deserted(), defect)));
}

#[test]
fn a_new_term_without_a_pre_vote() {
    assert!(Defect::NoPreVote.is_shown_by(|defect| {
        let mut node = node(3, 1, &[1], defect);
        node.time_out();
        node.term() == 2
    }));
}

#[test]
fn a_leader_without_an_entry_of_its_own() {
    assert!(Defect::NoEntryOfOwnTerm.is_shown_by(|defect| leader(3, 1, &[1], defect).last() == (1, 1)));
}
