//! Rules of elections (§5.2, §5.4.1).

use super::*;

/// §5.2: "When servers start up, they begin as followers", and a follower that hears nothing campaigns: first with a
/// pre-vote, which changes nobody's term (dissertation §9.6), then in a new term with a vote for itself.
#[test]
fn a_follower_that_hears_nothing_campaigns() {
    let mut node = Node::with_log(3, 2, &[1, 2]);
    assert_eq!(node.role(), Role::Follower);
    let output = node.time_out();
    assert_eq!((node.role(), node.term()), (Role::PreCandidate, 2));
    assert!(output.persist.is_empty(), "a pre-vote has no consequences");
    let to: Vec<_> = sent(&output).iter().map(|message| (message.to.0, message.term.0, message.body.clone())).collect();
    assert_eq!(to, [(2, 3, request_vote(true, (2, 2))), (3, 3, request_vote(true, (2, 2)))]);
    let output = node.receive(2, 3, vote(true, true));
    assert_eq!((node.role(), node.term()), (Role::Candidate, 3));
    assert_eq!(output.persist.hard_state, Some(HardState { term: Term(3), voted_for: Some(NodeId(1)) }));
    assert!(output.early.is_empty(), "votes are asked for once the own vote is durable");
    assert!(
        output.messages.iter().all(|message| message.body == request_vote(false, (2, 2)) && message.term == Term(3))
    );
}

/// §5.2: "a candidate wins an election if it receives votes from a majority of the servers in the full cluster for
/// the same term".
#[test]
fn a_majority_of_all_members_elects() {
    for (members, needed) in [(2, 1), (3, 1), (4, 2), (5, 2)] {
        let mut node = Node::with_log(members, 1, &[1]);
        node.time_out();
        for voter in 2..=members {
            node.step(voter, 2, vote(true, true));
        }
        assert_eq!(node.role(), Role::Candidate);
        for voter in 2..2 + needed {
            assert_eq!(node.role(), Role::Candidate, "{voter} of {members}");
            node.step(voter, 2, vote(false, true));
        }
        assert_eq!(node.role(), Role::Leader, "{members} members");
    }
}

#[test]
fn a_lone_member_elects_itself() {
    let mut node = Node::fresh(1);
    let output = node.time_out();
    assert_eq!((node.role(), node.term(), node.commit()), (Role::Leader, 1, 1));
    assert_eq!(output.committed.len(), 1, "its no-op, once it was durable");
    node.ms += 10_000;
    assert_eq!(node.propose().committed.len(), 1, "and needs nobody, however long it slept");
}

/// Mutants: a repeated vote counted twice; a vote of another term; a pre-vote taken for a vote; a refusal taken for a
/// vote.
#[test]
fn only_different_votes_of_this_election_count() {
    let mut node = Node::with_log(5, 4, &[1]);
    node.time_out();
    node.receive(2, 5, vote(true, true));
    node.receive(2, 5, vote(true, true));
    node.receive(3, 4, vote(false, true));
    assert_eq!(node.role(), Role::PreCandidate, "one pre-vote is not three");
    node.receive(3, 5, vote(true, true));
    assert_eq!(node.role(), Role::Candidate);
    node.receive(2, 5, vote(false, true));
    node.receive(2, 5, vote(false, true));
    node.receive(3, 4, vote(false, true));
    node.receive(3, 5, vote(true, true));
    node.receive(4, 5, vote(false, false));
    assert_eq!((node.role(), node.term()), (Role::Candidate, 5), "one vote is not three");
    node.receive(4, 5, vote(false, true));
    assert_eq!(node.role(), Role::Leader);
}

/// §5.2: "each server will vote for at most one candidate in a given term, on a first-come-first-served basis";
/// figure 2: the vote is durable before the answer leaves.
#[test]
fn one_vote_a_term_first_come_first_served() {
    let mut node = Node::with_log(3, 1, &[1]);
    node.step(2, 5, request_vote(false, (1, 1)));
    let output = node.raft.take_output();
    assert_eq!(output.persist.hard_state, Some(HardState { term: Term(5), voted_for: Some(NodeId(2)) }));
    assert!(output.early.is_empty() && output.messages.len() == 1, "the answer waits for the disk");
    assert_eq!(output.messages[0].body, vote(false, true));
    assert_eq!(only(&node.receive(3, 5, request_vote(false, (9, 4)))).body, vote(false, false));
    assert_eq!(only(&node.receive(2, 5, request_vote(false, (1, 1)))).body, vote(false, true), "asked again");
}

/// §5.4.1: "the voter denies its vote if its own log is more up-to-date than that of the candidate"; the last term
/// takes precedence over the length.
#[test]
fn no_vote_for_a_log_that_is_behind() {
    for (last, granted) in [((3, 2), true), ((4, 2), true), ((1, 3), true), ((2, 2), false), ((9, 1), false)] {
        for pre in [true, false] {
            let mut voter = Node::with_log(3, 2, &[1, 1, 2]);
            let output = voter.receive(2, 3, request_vote(pre, last));
            assert_eq!(only(&output).body, vote(pre, granted), "{last:?}");
            assert_eq!(
                voter.term(),
                if pre { 2 } else { 3 },
                "a later term is adopted even without a vote, but for a pre-vote"
            );
        }
    }
}

/// Dissertation §9.6: a pre-vote is granted if a vote would be, and leaves no trace.
#[test]
fn a_pre_vote_changes_nothing_at_the_voter() {
    let mut node = Node::with_log(3, 2, &[1]);
    let deadline = node.raft.deadline();
    let output = node.receive(2, 3, request_vote(true, (1, 1)));
    assert_eq!((only(&output).term, &only(&output).body), (Term(3), &vote(true, true)));
    assert!(output.persist.is_empty() && node.term() == 2 && node.raft.deadline() == deadline);
    assert_eq!(only(&node.receive(3, 3, request_vote(true, (1, 1)))).body, vote(true, true), "nor is it used up");
}

/// §5.2: a candidate that hears from a leader "whose term is at least as large" becomes a follower; from a leader of
/// a smaller term it "rejects the RPC and continues".
#[test]
fn a_candidate_gives_way_to_a_leader_of_its_term_only() {
    for become_candidate in [false, true] {
        let mut node = Node::with_log(3, 2, &[1]);
        node.time_out();
        if become_candidate {
            node.receive(2, 3, vote(true, true));
        }
        let (role, term) = (node.role(), node.term());
        node.receive(3, term - 1, append((1, 1), &[], 0, 1));
        assert_eq!(node.role(), role);
        node.receive(3, term, append((1, 1), &[], 0, 1));
        assert_eq!((node.role(), node.raft.status().leader), (Role::Follower, Some(NodeId(3))));
        assert_eq!(node.term(), term);
    }
}

/// Mutant: a change of the leader in the same term clears the vote.
#[test]
fn following_a_leader_keeps_the_vote_of_the_term() {
    let mut node = Node::with_log(5, 1, &[1]);
    node.receive(2, 2, request_vote(false, (1, 1)));
    node.receive(3, 2, append((1, 1), &[], 0, 1));
    assert_eq!(node.raft.status().voted_for, Some(NodeId(2)));
    node.time_out();
    node.receive(3, 2, append((1, 1), &[], 0, 2));
    assert_eq!(node.raft.status().voted_for, Some(NodeId(2)));
}

/// §5.2: a split vote leads to a new election after another timeout.
#[test]
fn a_split_vote_leads_to_a_new_election() {
    let mut node = Node::with_log(3, 1, &[1]);
    node.time_out();
    node.receive(2, 2, vote(true, true));
    node.receive(2, 2, vote(false, false));
    node.receive(3, 2, vote(false, false));
    assert_eq!((node.role(), node.term()), (Role::Candidate, 2));
    node.time_out();
    assert_eq!(node.role(), Role::PreCandidate);
    node.receive(2, 3, vote(true, true));
    assert_eq!((node.role(), node.term()), (Role::Candidate, 3));
}

/// §5.2: timeouts are "chosen randomly from a fixed interval"; equal seeds on different nodes give different timers.
#[test]
fn timers_are_random_and_differ_between_nodes() {
    let timer = |id, seed, term| {
        let config = Config { seed, ..config(id, 5) };
        Raft::new(config, stored(term, None, &[]), Time(0)).unwrap().deadline().0
    };
    let timers: std::collections::BTreeSet<u64> =
        (1..=5).flat_map(|id| (0..20).map(move |seed| timer(id, seed, 1))).collect();
    assert_eq!(timers.len(), 100);
    assert!(timers.iter().all(|timer| (100 * MS..200 * MS).contains(timer)), "from [t, 2t): {timers:?}");
    assert!(*timers.first().unwrap() < 115 * MS && *timers.last().unwrap() > 185 * MS, "all of it");
    let fresh = (1..=5).map(|id| timer(id, 1, 0));
    assert!(fresh.clone().all(|timer| (12 * MS..50 * MS).contains(&timer)), "a new cluster need not wait: {fresh:?}");
}

/// Figure 2, "Followers": the timer restarts for the current leader and for a granted vote, and for nothing else
/// (students' guide).
#[test]
fn only_a_leader_or_a_granted_vote_restarts_the_timer() {
    let mut node = Node::with_log(3, 2, &[1, 2]);
    let deadline = node.raft.deadline();
    node.receive(2, 3, request_vote(false, (1, 1)));
    assert_eq!(node.raft.deadline(), deadline, "a refused vote, though of a later term");
    node.receive(2, 4, request_vote(false, (2, 2)));
    let granted = node.raft.deadline();
    assert_ne!(granted, deadline, "a granted vote");
    node.ms += 10;
    node.receive(3, 4, append((2, 2), &[], 0, 1));
    assert_ne!(node.raft.deadline(), granted, "the leader");
}

/// §5.2: a new leader announces itself at once, and at each interval (figure 2, "Leaders"); §8: with a no-op of its
/// own term.
#[test]
fn a_leader_announces_itself_with_a_noop_and_heartbeats() {
    let mut node = Node::with_log(3, 2, &[1, 2]);
    let output = node.win();
    let first: Vec<_> = output.early.iter().map(|message| (message.to.0, message.body.clone())).collect();
    assert_eq!(first, [(2, append((2, 2), &[3], 0, 1)), (3, append((2, 2), &[3], 0, 1))]);
    for round in 2..4 {
        let output = node.time_out();
        let rounds = output.early.iter().map(|message| match message.body {
            Body::AppendEntries { round, .. } => (message.to.0, round),
            _ => panic!("{message:?}"),
        });
        assert_eq!(rounds.collect::<Vec<_>>(), [(2, round), (3, round)]);
    }
    assert!(node.raft.deadline().0 - node.now().0 <= 20 * MS);
}

/// Dissertation §6.2: with check-quorum, a leader that no quorum answers steps down. In basic Raft it keeps leading,
/// but announces that it has lost its quorum.
#[test]
fn a_deserted_leader_steps_down_or_says_that_it_is_deserted() {
    for elections in [Elections::Basic, Elections::CheckQuorum] {
        let mut node = Node::new(Config { elections, ..config(1, 3) }, stored(1, None, &[]));
        node.ms = 1_000;
        node.win();
        let mut standings = Vec::new();
        for _ in 0..8 {
            let output = node.pass(20);
            standings.extend(output.early.iter().filter_map(|message| match message.body {
                Body::AppendEntries { quorum_contact, .. } if message.to == NodeId(2) => Some(quorum_contact),
                _ => None,
            }));
            let newest = 1 + (node.ms - 1_000) / 20;
            node.receive(2, 2, matched(1, newest.min(3)));
        }
        let expected = if elections == Elections::CheckQuorum { Role::Follower } else { Role::Leader };
        assert_eq!((node.role(), node.term()), (expected, 2));
        let firm = standings.iter().take_while(|quorum_contact| **quorum_contact == QuorumContact::Recent).count();
        assert!((5..=7).contains(&firm), "an election timeout from the round that a quorum answered: {standings:?}");
        let rest = if elections == Elections::CheckQuorum { 0 } else { 8 - firm };
        assert_eq!(standings.len() - firm, rest, "{standings:?}");
    }
}

/// A leader that can send but not receive would silence its followers for ever (figure 2 does not cover this case). A
/// heartbeat of such a leader therefore restarts no timer and ends no search for another leader, while its
/// entries are accepted.
#[test]
fn a_leader_without_a_quorum_keeps_nobody_from_looking_for_another() {
    let without_quorum = |prev: (u64, u64), terms: &[u64]| {
        let Body::AppendEntries { prev_log_index, prev_log_term, entries, leader_commit, round, .. } =
            append(prev, terms, 0, 9)
        else {
            unreachable!("it is one")
        };
        let quorum_contact = QuorumContact::Lost;
        Body::AppendEntries { prev_log_index, prev_log_term, entries, leader_commit, round, quorum_contact }
    };
    let mut node = Node::with_log(3, 2, &[1]);
    node.receive(3, 2, append((1, 1), &[], 0, 1));
    let deadline = node.raft.deadline();
    node.ms += 50;
    let output = node.receive(3, 2, without_quorum((1, 1), &[2]));
    assert_eq!(only(&output).body, matched(2, 9));
    assert_eq!((node.raft.deadline(), node.raft.status().leader), (deadline, Some(NodeId(3))));
    node.time_out();
    assert_eq!(only(&node.receive(3, 2, without_quorum((2, 2), &[2]))).body, matched(3, 9));
    assert_eq!((node.role(), node.last()), (Role::PreCandidate, (3, 2)));
    node.receive(3, 2, append((3, 2), &[], 0, 10));
    assert_eq!(node.role(), Role::Follower, "a quorum answers it again");
}

/// Figure 2, persistent state: a vote counts once it is on the disk, a candidate's own as well. Else a node that needs
/// no other's could lead, send entries, crash, and lead in the same term again with others.
#[test]
fn a_node_that_elects_itself_leads_once_its_vote_is_durable() {
    let mut only = Node::fresh(1);
    only.ms = 1_000;
    only.raft.tick(only.now());
    let output = only.raft.take_output();
    let vote = HardState { term: Term(1), voted_for: Some(NodeId(1)) };
    assert_eq!((only.role(), output.persist.hard_state), (Role::Candidate, Some(vote)));
    assert!(output.early.is_empty() && output.persist.entries.is_empty());
    only.raft.persisted();
    assert_eq!(only.role(), Role::Leader);
    assert_eq!(only.settle().committed, entries(1, &[1]));
}
