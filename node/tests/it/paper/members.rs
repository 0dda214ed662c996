//! Rules of changes of the members (§6; dissertation, chapter 4).

use std::net::SocketAddr;

use node::raft::{Change, ChangeRefusal};

use super::*;

pub(super) fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7000))
}

pub(super) fn add(id: u64) -> Change {
    Change::Add { node: NodeId(id), address: address() }
}

pub(super) fn remove(id: u64) -> Change {
    Change::Remove { node: NodeId(id) }
}

pub(super) fn replace(old: u64, new: u64) -> Change {
    Change::Replace { old: NodeId(old), new: NodeId(new), address: address() }
}

impl Node {
    /// Creates a leader of term 2 whose no-op, at index 2, is committed by node 2.
    pub(super) fn established(members: u64, defect: Option<node::Defect>) -> Self {
        let mut leader = Self::new(Config { defect, ..loyal_config(1, members) }, stored(1, None, &[1]));
        leader.ms = 1_000;
        leader.win();
        for follower in 2..=members.max(2) {
            leader.receive(follower, 2, matched(2, 1));
        }
        leader
    }

    pub(super) fn change(&mut self, change: Change) -> (ProposalOutcome, Output) {
        self.raft.change_members(self.now(), 8, change);
        let output = self.settle();
        (output.proposals[0].1, output)
    }

    pub(super) fn transfer(&mut self, to: Option<u64>) -> (ProposalOutcome, Output) {
        self.raft.transfer(self.now(), 9, to.map(NodeId));
        let output = self.settle();
        (output.proposals[0].1, output)
    }

    /// Lets time pass, of which follower 2 answers every heartbeat.
    fn beat(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            let output = self.pass(20);
            let round = output.early.iter().filter_map(|message| match message.body {
                Body::AppendEntries { round, .. } => Some(round),
                _ => None,
            });
            if let Some(round) = round.max() {
                self.receive(2, 2, matched(2, round));
            }
        }
    }

    pub(super) fn voters(&self) -> Vec<u64> {
        self.raft.status().membership.voters.iter().map(|id| id.0).collect()
    }

    fn outgoing(&self) -> Vec<u64> {
        self.raft.status().membership.outgoing.iter().map(|id| id.0).collect()
    }
}

fn appended(index: u64) -> ProposalOutcome {
    ProposalOutcome::Appended { index: LogIndex(index), term: Term(2) }
}

fn refusal(refusal: ChangeRefusal) -> ProposalOutcome {
    ProposalOutcome::Refused(refusal)
}

/// Returns the message with these entries, each of term 2, behind the entry at `prev`.
pub(super) fn append_entries(prev: (u64, u64), payloads: Vec<Payload>, commit: u64) -> Body {
    let entries = (prev.0 + 1..).zip(payloads);
    Body::AppendEntries {
        prev_log_index: LogIndex(prev.0),
        prev_log_term: Term(prev.1),
        entries: entries.map(|(index, payload)| Entry { index: LogIndex(index), term: Term(2), payload }).collect(),
        leader_commit: LogIndex(commit),
        round: 1,
        quorum_contact: QuorumContact::Recent,
    }
}

/// §6: "a server always uses the latest configuration in its log, regardless of whether the entry is committed".
#[test]
fn a_configuration_is_in_force_once_it_is_appended() {
    let mut leader = Node::established(4, None);
    assert_eq!(leader.change(remove(4)).0, appended(3));
    assert_eq!(leader.voters(), [1, 2, 3], "nobody has stored it yet");
    leader.receive(2, 2, matched(3, 2));
    assert_eq!(leader.commit(), 3, "two of three");
    let mut follower = Node::with_log(4, 2, &[1, 2]);
    let removal = || append_entries((2, 2), vec![Payload::Membership(Box::new(members(3)))], 0);
    follower.receive(4, 2, removal());
    assert_eq!((follower.voters().len(), follower.commit()), (3, 0));
}

/// §6: "if a server … removes entries, it must be prepared to fall back to the previous configuration in its log"
/// (dissertation §4.1).
#[test]
fn truncation_takes_the_former_configuration_back() {
    let mut follower = Node::with_log(4, 2, &[1, 2]);
    follower.receive(4, 2, append_entries((2, 2), vec![Payload::Membership(Box::new(members(3))), Payload::Noop], 2));
    assert_eq!(follower.voters().len(), 3);
    follower.receive(2, 3, append((2, 2), &[3], 2, 1));
    assert_eq!(follower.voters().len(), 4);
}

/// Dissertation §4.2.1: a new member learns without a vote until it has caught up.
#[test]
fn a_learner_votes_once_it_has_caught_up() {
    let mut leader = Node::established(3, None);
    assert_eq!(leader.change(add(4)).0, appended(3));
    assert_eq!(leader.voters(), [1, 2, 3]);
    leader.receive(4, 2, matched(3, 2));
    assert_eq!(leader.commit(), 2, "it does not count yet");
    leader.receive(2, 2, matched(3, 2));
    assert_eq!((leader.commit(), leader.voters(), leader.last()), (3, vec![1, 2, 3, 4], (4, 2)), "now it does");
    leader.receive(4, 2, matched(4, 2));
    assert_eq!(leader.commit(), 3, "two of four are no majority");
    leader.receive(2, 2, matched(4, 2));
    assert_eq!(leader.commit(), 4);
    assert!(!leader.raft.status().membership.is_intermediate() && leader.raft.has_committed_membership());
}

/// §6: in a joint configuration, "agreement (for elections and entry commitment) requires separate majorities from
/// both".
#[test]
fn a_replacement_takes_majorities_of_both() {
    let mut leader = Node::established(3, None);
    leader.change(replace(3, 4));
    leader.receive(2, 2, matched(3, 2));
    leader.receive(4, 2, matched(3, 2));
    assert_eq!((leader.voters(), leader.outgoing()), (vec![1, 2, 4], vec![1, 2, 3]));
    leader.receive(4, 2, matched(4, 2));
    assert_eq!(leader.commit(), 3, "a majority of the new ones only");
    leader.receive(3, 2, matched(4, 2));
    assert_eq!((leader.commit(), leader.voters(), leader.outgoing()), (4, vec![1, 2, 4], vec![]));
    leader.receive(3, 2, matched(5, 2));
    assert_eq!(leader.commit(), 4, "it counts no more");
    let output = leader.receive(4, 2, matched(5, 2));
    assert_eq!(leader.commit(), 5);
    assert!(sent(&output).iter().any(|message| message.to == NodeId(3)), "it is told that it is gone");
    assert!(leader.pass(20).early.iter().all(|message| message.to != NodeId(3)), "and then nothing more");
}

/// Mutant 59, and dissertation §4.1: one change at a time; and mutant 58: none before an entry of the own term is
/// committed.
#[test]
fn one_change_at_a_time_and_none_before_an_own_entry_is_committed() {
    let mut leader = Node::leader(4, 1, &[1]);
    assert_eq!(leader.change(remove(4)).0, refusal(ChangeRefusal::NotYet));
    let mut leader = Node::established(4, None);
    leader.change(remove(4));
    assert_eq!(leader.change(remove(3)).0, refusal(ChangeRefusal::InFlight));
    leader.receive(2, 2, matched(3, 2));
    assert_eq!(leader.change(add(5)).0, appended(4));
    leader.receive(2, 2, matched(4, 2));
    assert_eq!(leader.change(remove(3)).0, refusal(ChangeRefusal::InFlight), "n5 learns");
    assert_eq!(leader.change(remove(5)).0, appended(5), "it need not");
    assert_eq!(leader.change(remove(9)).0, refusal(ChangeRefusal::InFlight));
    leader.receive(2, 2, matched(5, 2));
    assert_eq!(leader.change(remove(9)).0, refusal(ChangeRefusal::NotAMember(NodeId(9))));
}

/// A new leader completes what its predecessor began.
#[test]
fn a_new_leader_carries_a_change_on() {
    let joint = Membership { outgoing: members(3).voters, ..Membership::of([1, 2, 4].map(NodeId)) };
    let mut node = Node::with_log(3, 2, &[1, 2]);
    node.receive(3, 2, append_entries((2, 2), vec![Payload::Membership(Box::new(joint))], 2));
    node.ms += 1_000;
    node.win();
    node.receive(4, 3, matched(4, 1));
    assert_eq!(node.commit(), 2);
    node.receive(3, 3, matched(4, 1));
    assert_eq!((node.commit(), node.voters(), node.outgoing(), node.last()), (4, vec![1, 2, 4], vec![], (5, 3)));
}

/// §6: "the leader steps down … once it has committed the C-new log entry", and "does not include itself in
/// majorities" until then; here it also asks the best of the others to take over.
#[test]
fn a_leader_that_is_removed_steps_down_once_that_is_committed() {
    let mut leader = Node::established(3, None);
    leader.change(remove(1));
    leader.receive(2, 2, matched(3, 2));
    assert_eq!((leader.role(), leader.commit()), (Role::Leader, 2), "n2 and itself are no majority of n2 and n3");
    let output = leader.receive(3, 2, matched(3, 2));
    assert_eq!((leader.role(), leader.commit()), (Role::Follower, 3));
    let asked: Vec<_> = sent(&output).into_iter().filter(|message| message.body == Body::TimeoutNow).collect();
    assert_eq!(asked.len(), 1);
    leader.ms += 1_000;
    assert!(sent(&leader.pass(0)).is_empty(), "nor does it stand for election");
}

/// Dissertation §4.2.2: "a server that is not part of its own latest configuration should still start new elections",
/// as nobody else may have that configuration, and others do not vote for an older log.
#[test]
fn a_node_that_may_have_been_removed_campaigns_until_it_knows() {
    let without_it = || vec![Payload::Membership(Box::new(Membership::of([2, 3].map(NodeId))))];
    let mut node = Node::with_log(3, 2, &[1, 2]);
    node.receive(3, 2, append_entries((2, 2), without_it(), 2));
    node.ms += 1_000;
    assert_eq!(sent(&node.time_out()).len(), 2);
    node.receive(2, 3, vote(true, true));
    assert_eq!(node.role(), Role::PreCandidate, "its own vote does not count");
    let mut node = Node::with_log(3, 2, &[1, 2]);
    node.receive(3, 2, append_entries((2, 2), without_it(), 3));
    node.ms += 1_000;
    assert!(sent(&node.time_out()).is_empty());
}

/// Dissertation §4.2.2 again: after a restart nobody remembers what is committed, so a node that was added later and
/// is removed by the last entry of its log may still be the only one that can be elected.
#[test]
fn a_node_that_was_added_and_removed_campaigns_after_a_restart_until_it_knows() {
    let entries: Vec<Entry> = (1..)
        .zip([vec![1, 2, 3], vec![1, 2, 3, 4], vec![1, 2, 3]])
        .map(|(index, voters)| Entry {
            index: LogIndex(index),
            term: Term(2),
            payload: Payload::Membership(Box::new(Membership::of(voters.into_iter().map(NodeId)))),
        })
        .collect();
    let restarted = || Node::new(config(4, 3), StoredState { entries: entries.clone(), ..stored(2, None, &[]) });
    assert_eq!(sent(&restarted().time_out()).len(), 3);
    let mut informed = restarted();
    informed.receive(1, 2, append_entries((3, 2), vec![], 3));
    informed.ms += 1_000;
    assert!(sent(&informed.time_out()).is_empty());
}

/// Nodes that are not in the configuration follow, and vote if asked (dissertation §4.1), but do not campaign.
#[test]
fn a_node_that_is_no_voter_follows_and_answers_but_never_campaigns() {
    let mut new = Node::new(config(4, 3), StoredState::default());
    assert!(sent(&new.time_out()).is_empty());
    assert_eq!((new.role(), new.term()), (Role::Follower, 0));
    let output = new.receive(7, 2, append_entries((0, 0), vec![Payload::Noop], 0));
    assert_eq!((only(&output).to, new.last()), (NodeId(7), (1, 2)), "n7 may have joined later");
    new.ms += 1_000;
    assert_eq!(only(&new.receive(7, 3, request_vote(false, (1, 2)))).body, vote(false, true));
}

/// §7: a snapshot has the latest configuration "as of last included index"; a restart reads it, and the log's.
#[test]
fn snapshots_and_restarts_keep_the_configuration() {
    let mut node = Node::with_log(4, 2, &[1, 2]);
    let chunk = Body::InstallSnapshot {
        last_included_index: LogIndex(5),
        last_included_term: Term(2),
        membership: Box::new(members(2)),
        offset: 0,
        data: Bytes::from_static(b"s"),
        done: true,
        round: 1,
        quorum_contact: QuorumContact::Recent,
    };
    let output = node.receive(2, 2, chunk);
    assert_eq!(node.voters(), [1, 2]);
    let snapshot = output.persist.snapshot.unwrap();
    assert_eq!(snapshot.membership, members(2));
    let later = Entry { index: LogIndex(6), term: Term(2), payload: Payload::Membership(Box::new(members(3))) };
    let stored =
        |entries: Vec<Entry>| StoredState { snapshot: Some((*snapshot).clone()), entries, ..stored(2, None, &[]) };
    assert_eq!(Node::new(config(1, 4), stored(vec![])).voters(), [1, 2]);
    let again = Node::new(config(1, 4), stored(vec![later]));
    assert_eq!((again.voters(), again.raft.membership_at(LogIndex(5))), (vec![1, 2, 3], &members(2)));
}

#[test]
fn configurations_without_voters_are_refused() {
    let mut node = Node::with_log(3, 2, &[1, 2]);
    let body = append_entries((2, 2), vec![Payload::Membership(Box::default())], 0);
    let message = Message { from: NodeId(2), to: NodeId(1), term: Term(2), body };
    assert!(node.raft.step(node.now(), message).is_err());
    let entry = Entry { index: LogIndex(1), term: Term(1), payload: Payload::Membership(Box::default()) };
    let damaged = StoredState { entries: vec![entry], ..stored(1, None, &[]) };
    assert!(Raft::new(config(1, 3), damaged, Time(0)).is_err());
}

/// Dissertation §3.10: the leader stops taking requests, brings the successor up to date, and asks it to campaign.
#[test]
fn a_transfer_waits_for_the_log_and_takes_no_proposals_meanwhile() {
    let mut leader = Node::established(3, None);
    leader.propose();
    let (outcome, output) = leader.transfer(Some(3));
    assert_eq!(outcome, ProposalOutcome::Begun);
    assert!(sent(&output).iter().all(|message| message.body != Body::TimeoutNow), "n3 lacks entry 3");
    assert_eq!(leader.propose().proposals[0].1, refusal(ChangeRefusal::Transferring));
    assert_eq!(leader.change(remove(2)).0, refusal(ChangeRefusal::Transferring));
    let output = leader.receive(3, 2, matched(3, 2));
    let asked: Vec<_> = sent(&output).into_iter().filter(|message| message.body == Body::TimeoutNow).collect();
    assert_eq!(asked.iter().map(|message| message.to).collect::<Vec<_>>(), [NodeId(3)]);
    leader.beat(100);
    assert!(matches!(leader.propose().proposals[0].1, ProposalOutcome::Appended { .. }), "it took too long");
}

#[test]
fn only_another_voter_can_take_over() {
    let mut leader = Node::established(3, None);
    assert_eq!(leader.transfer(Some(1)).0, refusal(ChangeRefusal::LeadsAlready(NodeId(1))));
    assert_eq!(leader.transfer(Some(9)).0, refusal(ChangeRefusal::NotAVoter(NodeId(9))));
    assert_eq!(leader.transfer(None).0, ProposalOutcome::Begun);
    assert_eq!(leader.transfer(Some(2)).0, refusal(ChangeRefusal::Transferring));
    assert_eq!(Node::with_log(3, 1, &[1]).transfer(None).0, ProposalOutcome::NotLeader { leader: None });
}

/// Dissertation §4.2.3: voters are not loyal to a leader that asks another to take over. It may be elected however late
/// the request arrives, so that the leader never again relies on a lease in this term.
#[test]
fn a_transfer_ends_the_lease_for_good() {
    let mut leader = Node::established(3, None);
    assert_eq!(leader.read(LeaderReadMode::Lease), ready(2));
    leader.transfer(Some(3));
    assert_eq!(leader.read(LeaderReadMode::Lease), None, "it asks for a round");
    assert_eq!(leader.raft.status().lease_until, None);
    leader.beat(200);
    assert_eq!(leader.role(), Role::Leader);
    assert_eq!(leader.read(LeaderReadMode::Lease), None, "though the transfer was given up");
    let mut voter = Node::loyal(3, 2, &[1, 2]);
    voter.receive(2, 2, append((2, 2), &[], 2, 1));
    assert_eq!(only(&voter.receive(3, 3, request_vote(false, (2, 2)))).body, vote(false, false));
    let asked = Body::RequestVote { pre: false, transfer: true, last_log_index: LogIndex(2), last_log_term: Term(2) };
    assert_eq!(only(&voter.receive(3, 3, asked)).body, vote(false, true));
}

#[test]
fn the_successor_stands_for_election_at_once_and_only_for_its_leader() {
    let mut successor = Node::loyal(3, 2, &[1, 2]);
    successor.receive(2, 2, append((2, 2), &[], 2, 1));
    assert!(sent(&successor.receive(3, 2, Body::TimeoutNow)).is_empty(), "n3 does not lead");
    assert!(sent(&successor.receive(2, 1, Body::TimeoutNow)).is_empty(), "of a past term");
    let output = successor.receive(2, 2, Body::TimeoutNow);
    assert_eq!((successor.role(), successor.term()), (Role::Candidate, 3));
    assert!(
        sent(&output)
            .iter()
            .all(|message| matches!(message.body, Body::RequestVote { pre: false, transfer: true, .. }))
    );
    let mut learner = Node::new(loyal_config(4, 3), stored(2, None, &[1, 2]));
    learner.receive(2, 2, append((2, 2), &[], 2, 1));
    assert!(sent(&learner.receive(2, 2, Body::TimeoutNow)).is_empty(), "it may not lead");
}
