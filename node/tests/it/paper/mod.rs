//! Rules of the paper, one named test each, with hand-made inputs. Times are in milliseconds; the election timeout is
//! 100.
#![allow(unused_must_use, reason = "the helpers carry an output out before they give it back")]

mod defects;
mod elections;
mod leases;
mod members;
mod reads;
mod replication;
mod snapshots;
mod terms;

use std::time::Duration;

use bytes::Bytes;
use node::raft::{
    AppendResult, Body, Config, Elections, Entry, HardState, LeaderReadMode, LogIndex, Membership, Message, NodeId,
    Output, Payload, ProposalOutcome, QuorumContact, Raft, ReadOutcome, Role, Snapshot, StoredState, Term, Time,
};

const MS: u64 = 1_000_000;

/// Node under test, with its clock.
struct Node {
    raft: Raft,
    ms: u64,
    /// Outcomes of reads in the last output that had any.
    reads: Vec<(u64, ReadOutcome)>,
}

fn config(id: u64, members: u64) -> Config {
    Config {
        id: NodeId(id),
        members: (1..=members).map(NodeId).collect(),
        election_timeout: Duration::from_millis(100),
        heartbeat_interval: Duration::from_millis(20),
        lease: Duration::from_millis(80),
        elections: Elections::Basic,
        max_batch_entries: 100,
        max_batch_bytes: 1000,
        max_inflight: 4,
        max_inflight_bytes: 1_000_000,
        max_uncommitted_bytes: 1_000_000,
        trailing_entries: 0,
        trailing_bytes: 1_000_000,
        snapshot_chunk_bytes: 4,
        seed: 1,
        life: 1,
        defect: None,
    }
}

fn loyal_config(id: u64, members: u64) -> Config {
    Config { elections: Elections::CheckQuorum, ..config(id, members) }
}

fn members(count: u64) -> Membership {
    Membership::of((1..=count).map(NodeId))
}

fn entries(first: u64, terms: &[u64]) -> Vec<Entry> {
    let entry = |(index, &term)| Entry { index: LogIndex(index), term: Term(term), payload: Payload::Noop };
    (first..).zip(terms).map(entry).collect()
}

fn stored(term: u64, voted_for: Option<u64>, log: &[u64]) -> StoredState {
    let hard_state = HardState { term: Term(term), voted_for: voted_for.map(NodeId) };
    StoredState { hard_state, snapshot: None, entries: entries(1, log) }
}

fn append(prev: (u64, u64), terms: &[u64], commit: u64, round: u64) -> Body {
    Body::AppendEntries {
        prev_log_index: LogIndex(prev.0),
        prev_log_term: Term(prev.1),
        entries: entries(prev.0 + 1, terms),
        leader_commit: LogIndex(commit),
        round,
        quorum_contact: QuorumContact::Recent,
    }
}

fn matched(index: u64, round: u64) -> Body {
    Body::AppendEntriesResponse { result: AppendResult::Matched(LogIndex(index)), round }
}

fn request_vote(pre: bool, last: (u64, u64)) -> Body {
    Body::RequestVote { pre, transfer: false, last_log_index: LogIndex(last.0), last_log_term: Term(last.1) }
}

fn vote(pre: bool, granted: bool) -> Body {
    Body::RequestVoteResponse { pre, granted }
}

impl Node {
    fn new(config: Config, stored: StoredState) -> Self {
        Self { raft: Raft::new(config, stored, Time(0)).unwrap(), ms: 0, reads: Vec::new() }
    }

    /// Creates a node of `members` that never ran.
    fn fresh(members: u64) -> Self {
        Self::new(config(1, members), StoredState::default())
    }

    /// Creates a node whose log has these terms, so long after its start that it may vote for anybody.
    fn with_log(members: u64, term: u64, log: &[u64]) -> Self {
        let mut node = Self::new(config(1, members), stored(term, None, log));
        node.ms = 1_000;
        node
    }

    /// Creates the same node under `CheckQuorum`.
    fn loyal(members: u64, term: u64, log: &[u64]) -> Self {
        let mut node = Self::new(loyal_config(1, members), stored(term, None, log));
        node.ms = 1_000;
        node
    }

    /// Creates a leader under `CheckQuorum`.
    fn loyal_leader(members: u64, term: u64, log: &[u64]) -> Self {
        let mut node = Self::loyal(members, term, log);
        node.win();
        node
    }

    /// Creates a leader in the term after `term`, before anybody has answered; its first messages are discarded.
    fn leader(members: u64, term: u64, log: &[u64]) -> Self {
        let mut node = Self::with_log(members, term, log);
        node.win();
        node
    }

    fn now(&self) -> Time {
        Time(self.ms * MS)
    }

    /// Carries out all outputs according to the contract; returns all of them merged into one.
    fn settle(&mut self) -> Output {
        let mut all = Output::default();
        while self.raft.has_output() {
            let mut output = self.raft.take_output();
            self.raft.persisted();
            all.early.append(&mut output.early);
            all.messages.append(&mut output.messages);
            all.committed.append(&mut output.committed);
            all.proposals.append(&mut output.proposals);
            self.reads.extend(&output.reads);
            all.reads.append(&mut output.reads);
            all.restore = output.restore.or(all.restore);
            all.persist.hard_state = output.persist.hard_state.or(all.persist.hard_state);
            all.persist.snapshot = output.persist.snapshot.or(all.persist.snapshot);
            all.persist.truncate_from = output.persist.truncate_from.or(all.persist.truncate_from);
            all.persist.entries.append(&mut output.persist.entries);
        }
        all
    }

    fn step(&mut self, from: u64, term: u64, body: Body) {
        let message = Message { from: NodeId(from), to: self.raft.status().id, term: Term(term), body };
        self.raft.step(self.now(), message).unwrap();
    }

    /// Delivers a message and carries out all that follows.
    fn receive(&mut self, from: u64, term: u64, body: Body) -> Output {
        self.step(from, term, body);
        self.settle()
    }

    /// Advances the clock by `ms`, ticks, and carries out all that follows.
    fn pass(&mut self, ms: u64) -> Output {
        self.ms += ms;
        self.raft.tick(self.now());
        self.settle()
    }

    /// Advances the clock until the node's timer runs out.
    fn time_out(&mut self) -> Output {
        self.ms = self.ms.max(self.raft.deadline().0.div_ceil(MS));
        self.pass(0)
    }

    /// Times out and gets all votes.
    fn win(&mut self) -> Output {
        self.time_out();
        let next = self.term() + 1;
        let own = self.raft.status().id.0;
        let mut output = Output::default();
        for pre in [true, false] {
            for peer in (1..=5).filter(|&peer| peer != own) {
                output.early.append(&mut self.receive(peer, next, vote(pre, true)).early);
            }
        }
        assert_eq!((self.role(), self.term()), (Role::Leader, next));
        output
    }

    fn propose(&mut self) -> Output {
        self.raft.propose(self.now(), 0, Bytes::from_static(b"command"));
        self.settle()
    }

    fn read(&mut self, mode: LeaderReadMode) -> Option<ReadOutcome> {
        self.reads.clear();
        self.raft.read(self.now(), 7, mode);
        self.settle();
        self.outcome()
    }

    /// Returns the outcome of the last read.
    fn outcome(&self) -> Option<ReadOutcome> {
        self.reads.first().map(|&(_, outcome)| outcome)
    }

    fn role(&self) -> Role {
        self.raft.status().role
    }

    fn term(&self) -> u64 {
        self.raft.status().term.0
    }

    fn commit(&self) -> u64 {
        self.raft.status().commit.0
    }

    fn last(&self) -> (u64, u64) {
        let status = self.raft.status();
        (status.last_index.0, status.last_term.0)
    }
}

/// Returns all messages of an output, early ones first.
fn sent(output: &Output) -> Vec<&Message> {
    output.early.iter().chain(&output.messages).collect()
}

/// Returns the only message of an output.
fn only(output: &Output) -> &Message {
    match sent(output)[..] {
        [message] => message,
        ref other => panic!("one message, not {other:?}"),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "compared with an outcome that may be missing")]
fn ready(index: u64) -> Option<ReadOutcome> {
    Some(ReadOutcome::Ready(LogIndex(index)))
}

#[allow(clippy::unnecessary_wraps, reason = "compared with an outcome that may be missing")]
fn refused(leader: Option<u64>) -> Option<ReadOutcome> {
    Some(ReadOutcome::NotLeader { leader: leader.map(NodeId) })
}

fn snapshot(index: u64, term: u64, data: &'static [u8]) -> Snapshot {
    let membership = members(3);
    Snapshot { last_index: LogIndex(index), last_term: Term(term), membership, data: Bytes::from_static(data) }
}
