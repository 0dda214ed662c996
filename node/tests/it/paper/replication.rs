//! Rules of replication and commitment (§5.3 to §5.5).

use super::*;

/// Passes messages between leader and follower until the leader sends no more; counts the messages that the follower
/// refused.
fn replicate(leader: &mut Node, follower: &mut Node, mut output: Output) -> usize {
    let to = follower.raft.status().id;
    let mut refusals = 0;
    for _ in 0..50 {
        let messages: Vec<_> = output.early.into_iter().filter(|message| message.to == to).collect();
        if messages.is_empty() {
            return refusals;
        }
        output = Output::default();
        for message in messages {
            follower.raft.step(follower.now(), message).unwrap();
            for answer in follower.settle().messages {
                let refused =
                    matches!(answer.body, Body::AppendEntriesResponse { result: AppendResult::Conflict { .. }, .. });
                refusals += usize::from(refused);
                leader.raft.step(leader.now(), answer).unwrap();
            }
        }
        output.early = leader.settle().early;
    }
    panic!("does not converge");
}

/// §5.3: "The leader appends the command to its log as a new entry, then issues `AppendEntries` RPCs in parallel"; it
/// does not wait for its own disk (dissertation §10.2.1).
#[test]
fn a_proposal_goes_to_the_log_and_to_all_followers_at_once() {
    let mut leader = Node::leader(3, 1, &[1]);
    leader.receive(2, 2, matched(2, 1));
    leader.receive(3, 2, matched(2, 1));
    leader.raft.propose(leader.now(), 5, Bytes::from_static(b"x"));
    let output = leader.raft.take_output();
    let entry = Entry { index: LogIndex(3), term: Term(2), payload: Payload::Command(Bytes::from_static(b"x")) };
    assert_eq!(output.persist.entries, std::slice::from_ref(&entry));
    let appended = ProposalOutcome::Appended { index: LogIndex(3), term: Term(2) };
    assert_eq!(output.proposals, [(5, appended)]);
    let body = Body::AppendEntries {
        prev_log_index: LogIndex(2),
        prev_log_term: Term(2),
        entries: vec![entry],
        leader_commit: LogIndex(2),
        round: 1,
        quorum_contact: QuorumContact::Recent,
    };
    let to: Vec<_> = output.early.iter().map(|message| (message.to.0, message.body.clone())).collect();
    assert_eq!(to, [(2, body.clone()), (3, body)]);
}

/// Proposals are accepted by the leader only.
#[test]
fn who_does_not_lead_takes_no_proposal() {
    let mut node = Node::with_log(3, 2, &[1]);
    node.receive(3, 2, append((1, 1), &[], 0, 1));
    let outcome = ProposalOutcome::NotLeader { leader: Some(NodeId(3)) };
    assert_eq!(node.propose().proposals, [(0, outcome)]);
    assert_eq!(node.last(), (1, 1));
}

/// §5.3: "A log entry is committed once the leader that created the entry has replicated it on a majority of the
/// servers"; the leader counts only once its own disk has it.
#[test]
fn an_entry_is_committed_once_a_majority_has_it_durably() {
    let mut leader = Node::with_log(3, 1, &[1]);
    leader.time_out();
    leader.receive(2, 2, vote(true, true));
    leader.step(2, 2, vote(false, true));
    let _before_the_disk = leader.raft.take_output();
    leader.step(2, 2, matched(2, 1));
    assert_eq!(leader.commit(), 0, "one disk of three");
    leader.raft.persisted();
    assert_eq!(leader.commit(), 2, "two of three");
    let output = leader.settle();
    let indexes: Vec<_> = output.committed.iter().map(|entry| entry.index.0).collect();
    assert_eq!(indexes, [1, 2], "with all before it, in order (§5.3)");
    assert!(leader.settle().committed.is_empty(), "each once");

    let mut by_followers = Node::with_log(3, 1, &[1]);
    by_followers.time_out();
    by_followers.receive(2, 2, vote(true, true));
    by_followers.step(2, 2, vote(false, true));
    let _before_the_disk = by_followers.raft.take_output();
    by_followers.step(2, 2, matched(2, 1));
    by_followers.step(3, 2, matched(2, 1));
    assert_eq!(
        by_followers.commit(),
        2,
        "two followers are a majority without the leader's disk (dissertation §10.2.1)"
    );
}

/// §5.3: "The leader keeps track of the highest index it knows to be committed, and it includes that index in future
/// `AppendEntries` RPCs (including heartbeats) so that the other servers eventually find out."
#[test]
fn followers_learn_what_is_committed() {
    let mut leader = Node::leader(3, 1, &[1]);
    let output = leader.receive(2, 2, matched(2, 1));
    assert_eq!((leader.commit(), output.early), (2, Vec::new()), "it is no news that nobody waits for");
    let to: Vec<_> = leader.pass(20).early.iter().map(|message| (message.to.0, message.body.clone())).collect();
    assert_eq!(to, [(2, append((2, 2), &[], 2, 2)), (3, append((1, 1), &[], 2, 2))]);
    let mut follower = Node::with_log(3, 2, &[1, 2]);
    let output = follower.receive(3, 2, append((2, 2), &[], 2, 1));
    assert_eq!(output.committed, entries(1, &[1, 2]));
}

/// §6.4: a read index is a commit index of this term's leader; so it commits what is known to match that leader's log,
/// and a read right after a write needs not wait for a heartbeat.
#[test]
fn a_read_index_tells_a_follower_what_is_committed() {
    let mut follower = Node::with_log(3, 2, &[1, 2]);
    follower.receive(3, 2, append((2, 2), &[2], 1, 1));
    let index = |index| Body::ReadIndexResponse { context: 7, index: Some(LogIndex(index)) };
    let output = follower.receive(3, 2, index(3));
    assert_eq!((follower.commit(), output.committed), (3, entries(2, &[2, 2])));
    follower.receive(3, 2, append((1, 1), &[], 1, 1));
    assert_eq!(follower.commit(), 3, "and never falls");
    follower.receive(3, 2, index(9));
    assert_eq!(follower.commit(), 3, "no further than what matches");
    let mut other = Node::with_log(3, 2, &[1, 2]);
    other.receive(3, 2, append((1, 1), &[], 0, 1));
    other.receive(3, 2, index(2));
    assert_eq!(other.commit(), 1, "entry 2 may be left over from another leader");
    other.receive(2, 3, index(2));
    assert_eq!(other.commit(), 1, "and what matched the log of one leader tells nothing of the next one's");
}

/// Figure 2, `AppendEntries` steps 2 and 4; the answer waits for the disk.
#[test]
fn a_follower_appends_what_follows_on_and_answers_once_it_is_durable() {
    let mut node = Node::with_log(3, 2, &[1, 2]);
    node.step(2, 2, append((2, 2), &[2, 2], 0, 7));
    let output = node.raft.take_output();
    assert!(output.early.is_empty());
    assert_eq!(output.persist.entries, entries(3, &[2, 2]));
    assert_eq!(output.messages[0].body, matched(4, 7));
    for (prev, hint) in [((9, 2), (None, 5)), ((2, 1), (Some(2), 2))] {
        let refusal = only(&node.receive(2, 2, append(prev, &[2], 0, 8))).body.clone();
        let result =
            AppendResult::Conflict { refused: LogIndex(prev.0), term: hint.0.map(Term), first: LogIndex(hint.1) };
        assert_eq!(refusal, Body::AppendEntriesResponse { result, round: 8 });
        assert_eq!(node.last(), (4, 2));
    }
}

/// Figure 2, `AppendEntries` step 3: "If an existing entry conflicts with a new one, delete the existing entry and
/// all that follow it."
#[test]
fn a_conflicting_suffix_is_replaced() {
    let mut node = Node::with_log(3, 4, &[1, 2, 2, 2]);
    let output = node.receive(2, 4, append((1, 1), &[2, 4], 0, 1));
    assert_eq!(output.persist.truncate_from, Some(LogIndex(3)));
    assert_eq!(output.persist.entries, entries(3, &[4]), "what agrees stays");
    assert_eq!(node.last(), (3, 4));
    assert_eq!(only(&output).body, matched(3, 1));
}

/// Mutants: an old, a repeated or an empty message shortens the log.
#[test]
fn only_a_conflict_shortens_the_log() {
    let mut node = Node::with_log(3, 2, &[1, 2, 2, 2]);
    for (body, answer) in [
        (append((1, 1), &[2], 0, 1), 2),
        (append((4, 2), &[], 0, 1), 4),
        (append((0, 0), &[], 0, 1), 0),
        (append((0, 0), &[1, 2, 2, 2], 0, 1), 4),
    ] {
        let output = node.receive(2, 2, body);
        assert!(output.persist.is_empty() && node.last() == (4, 2), "{output:?}");
        assert_eq!(only(&output).body, matched(answer, 1));
    }
}

/// Figure 2, `AppendEntries` step 5: "set commitIndex = min(leaderCommit, index of last new entry)"; entries after
/// the last one that was compared may be left over from another leader.
#[test]
fn a_follower_commits_no_further_than_it_was_compared() {
    let mut node = Node::with_log(3, 4, &[1, 2, 2, 2]);
    node.receive(2, 4, append((1, 1), &[2], 4, 1));
    assert_eq!(node.commit(), 2);
    node.receive(2, 4, append((1, 1), &[], 4, 2));
    assert_eq!(node.commit(), 2, "and never falls");
    node.receive(2, 4, append((2, 2), &[4, 4], 3, 3));
    assert_eq!(node.commit(), 3, "nor further than the leader");
}

/// §5.3, figure 7: followers that lack entries (a, b), have extra ones (c, d), or both (e, f), all become equal to
/// the leader of term 8, with at most one refusal for each of their terms.
#[test]
fn figure_7_every_follower_is_repaired() {
    let leader_log = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let followers: [(&str, &[u64]); 6] = [
        ("a", &[1, 1, 1, 4, 4, 5, 5, 6, 6]),
        ("b", &[1, 1, 1, 4]),
        ("c", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
        ("d", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
        ("e", &[1, 1, 1, 4, 4, 4, 4]),
        ("f", &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
    ];
    for (name, log) in followers {
        let mut leader = Node::with_log(3, 7, &leader_log);
        let mut follower = Node::new(config(2, 3), stored(7, None, log));
        follower.ms = 1_000;
        let announced = leader.win();
        let refusals = replicate(&mut leader, &mut follower, announced);
        let heartbeat = leader.pass(20);
        replicate(&mut leader, &mut follower, heartbeat);
        let terms: std::collections::BTreeSet<_> = log.iter().collect();
        assert!(refusals <= terms.len(), "{name}: {refusals} refusals");
        assert_eq!((follower.last(), follower.commit()), ((11, 8), 11), "{name}");
        let status = leader.raft.status();
        assert_eq!(status.matched, [(NodeId(2), LogIndex(11)), (NodeId(3), LogIndex(0))], "{name}");
    }
}

/// §5.4.2, figure 8: the leader of term 4 finds its entry of term 2 on a majority and must not commit it, because a
/// node with a later term in its log (S5) could still win and overwrite it (c, d); with an entry of its own term on a
/// majority, both are safe (e).
#[test]
fn figure_8_an_older_term_is_not_committed_by_counting() {
    let mut s1 = Node::leader(5, 3, &[1, 2]);
    assert_eq!(s1.term(), 4);
    for follower in [2, 3] {
        s1.receive(follower, 4, matched(2, 1));
    }
    assert_eq!(s1.commit(), 0, "on three of five, and not committed");
    let mut s3 = Node::with_log(5, 4, &[1, 2]);
    assert_eq!(only(&s3.receive(5, 5, request_vote(false, (2, 3)))).body, vote(false, true), "S5 can win with term 3");
    let output = s3.receive(5, 5, append((1, 1), &[3], 0, 1));
    assert_eq!(output.persist.truncate_from, Some(LogIndex(2)), "and overwrite it");
    for follower in [2, 3] {
        assert!(s1.commit() < 3);
        s1.receive(follower, 4, matched(3, 1));
    }
    assert_eq!(s1.commit(), 3, "its own term commits all before it");
    let mut s3 = Node::with_log(5, 4, &[1, 2, 4]);
    assert_eq!(only(&s3.receive(5, 5, request_vote(false, (2, 3)))).body, vote(false, false), "now S5 cannot win");
}

/// §5.3: match indexes never fall within a term, and grow only by acknowledged entries (mutants: by sent entries;
/// back after a late refusal).
#[test]
fn a_late_or_repeated_answer_moves_no_index_back() {
    let mut leader = Node::leader(3, 1, &[1, 1, 1]);
    let refusal = |refused, first, round| Body::AppendEntriesResponse {
        result: AppendResult::Conflict { refused: LogIndex(refused), term: None, first: LogIndex(first) },
        round,
    };
    let probe = leader.receive(2, 2, refusal(3, 1, 1));
    assert_eq!(only(&probe).body, append((0, 0), &[1, 1, 1, 2], 0, 1));
    assert!(sent(&leader.receive(2, 2, refusal(3, 1, 1))).is_empty(), "a repeated refusal sends nothing again");
    leader.receive(2, 2, matched(4, 1));
    assert_eq!((leader.raft.status().matched[0].1.0, leader.commit()), (4, 4));
    for late in [refusal(3, 1, 1), matched(1, 1), refusal(4, 2, 1)] {
        assert!(sent(&leader.receive(2, 2, late)).is_empty());
        assert_eq!(leader.raft.status().matched[0].1.0, 4);
    }
}

/// §5.5: a lost message is sent again once the next heartbeat shows the gap.
#[test]
fn what_was_lost_is_sent_again() {
    let mut leader = Node::leader(3, 1, &[]);
    leader.receive(2, 2, matched(1, 1));
    leader.propose();
    leader.propose();
    let heartbeat = leader.time_out();
    let to_two = heartbeat.early.iter().find(|message| message.to == NodeId(2)).unwrap();
    let Body::AppendEntries { prev_log_index: LogIndex(3), round, .. } = to_two.body else { panic!("{to_two:?}") };
    let result = AppendResult::Conflict { refused: LogIndex(3), term: None, first: LogIndex(2) };
    let output = leader.receive(2, 2, Body::AppendEntriesResponse { result, round });
    let Body::AppendEntries { prev_log_index, ref entries, .. } = only(&output).body else { panic!("{output:?}") };
    assert_eq!((prev_log_index.0, entries.len()), (1, 2));
}

/// Pipelining: several messages are in flight, never more than `max_inflight`; batches end at either limit.
#[test]
fn the_window_and_the_batches_are_bounded() {
    let config = Config { max_inflight: 2, max_batch_entries: 3, max_batch_bytes: 2 * 71, ..config(1, 3) };
    let mut leader = Node::new(config, stored(1, None, &[]));
    leader.ms = 1_000;
    leader.win();
    leader.receive(2, 2, matched(1, 1));
    for _ in 0..8 {
        leader.raft.propose(leader.now(), 0, Bytes::from_static(b"command"));
    }
    let lengths = |output: &Output| -> Vec<usize> {
        let bodies = output.early.iter().filter(|message| message.to == NodeId(2)).map(|message| &message.body);
        bodies.map(|body| if let Body::AppendEntries { entries, .. } = body { entries.len() } else { 0 }).collect()
    };
    assert_eq!(
        lengths(&leader.settle()),
        [2, 2],
        "two messages of two commands, seven bytes each and 64 for the entry"
    );
    assert_eq!(lengths(&leader.receive(2, 2, matched(3, 1))), [2], "one answered, one more");
    let large = Bytes::from_static(&[7; 200]);
    leader.raft.propose(leader.now(), 0, large);
    leader.settle();
    assert_eq!(lengths(&leader.receive(2, 2, matched(9, 1))), [1], "too large for a batch, and sent nevertheless");
}

/// Flow control: the bytes in flight to a follower without answers are bounded.
#[test]
fn the_window_is_bounded_in_bytes_too() {
    let config = Config { max_batch_entries: 1, max_inflight: 100, max_inflight_bytes: 300, ..config(1, 3) };
    let mut leader = Node::new(config, stored(1, None, &[]));
    leader.ms = 1_000;
    leader.win();
    leader.receive(2, 2, matched(1, 1));
    for _ in 0..20 {
        leader.raft.propose(leader.now(), 0, Bytes::from_static(&[7; 36]));
    }
    let sent_to = |output: &Output, peer| {
        let carries =
            |message: &&Message| matches!(&message.body, Body::AppendEntries { entries, .. } if !entries.is_empty());
        output.early.iter().filter(|message| message.to == NodeId(peer)).filter(carries).count()
    };
    assert_eq!(sent_to(&leader.settle(), 2), 3, "the third reaches 300 bytes");
    assert_eq!(sent_to(&leader.receive(2, 2, matched(2, 1)), 2), 1, "one answered, one more");
}

/// A leader that nobody answers accepts a bounded number of bytes: what it refuses is in no log, and it accepts more
/// once it has committed.
#[test]
fn what_is_not_committed_is_bounded_in_bytes() {
    let config = Config { max_uncommitted_bytes: 500, ..config(1, 3) };
    let mut leader = Node::new(config, stored(1, None, &[]));
    leader.ms = 1_000;
    leader.win();
    let propose = |leader: &mut Node, bytes: usize| {
        leader.raft.propose(leader.now(), 5, vec![7; bytes].into());
        let proposals = leader.settle().proposals;
        let [(5, outcome)] = proposals[..] else { panic!("one outcome, not {proposals:?}") };
        outcome
    };
    let taken = |index| ProposalOutcome::Appended { index: LogIndex(index), term: Term(2) };
    assert_eq!(propose(&mut leader, 300), taken(2), "with the leader's first entry, 64 + 364 bytes");
    assert_eq!(propose(&mut leader, 100), ProposalOutcome::Overloaded);
    assert_eq!((leader.last(), propose(&mut leader, 8)), ((2, 2), taken(3)), "what fits is still taken");
    assert_eq!(propose(&mut leader, 0), ProposalOutcome::Overloaded);
    leader.receive(2, 2, matched(3, 1));
    assert_eq!(leader.commit(), 3);
    assert_eq!(propose(&mut leader, 9_000), taken(4), "alone, the largest is taken");
    assert_eq!(propose(&mut leader, 0), ProposalOutcome::Overloaded);
}
