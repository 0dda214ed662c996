//! The messages of the paper, with what reads, leases and snapshots add to them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Entry, LogIndex, NodeId, Term};

/// A message between two members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who sent it.
    pub from: NodeId,
    /// Who is to get it.
    pub to: NodeId,
    /// The sender's term; for a pre-vote, the term that the sender would campaign in.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// `RequestVote` (figure 2), or its rehearsal without consequences when `pre` (dissertation §9.6).
    RequestVote {
        /// A pre-vote changes neither term nor vote of the one who grants it.
        pre: bool,
        /// Index of the candidate's last entry.
        last_log_index: LogIndex,
        /// Term of the candidate's last entry.
        last_log_term: Term,
    },
    /// The answer to `RequestVote`.
    Vote {
        /// Whether it answers a pre-vote.
        pre: bool,
        /// Whether the sender's vote is given.
        granted: bool,
    },
    /// `AppendEntries` (figure 2); a heartbeat when `entries` is empty.
    AppendEntries {
        /// Index of the entry right before `entries`.
        prev_log_index: LogIndex,
        /// Term of that entry.
        prev_log_term: Term,
        /// What to append; indexes follow on from `prev_log_index` without a gap.
        entries: Vec<Entry>,
        /// The leader's commit index.
        leader_commit: LogIndex,
        /// The leader's newest heartbeat round when this left. An answer that carries it proves that the sender still had a
        /// follower in this term after that round began: what reads and leases wait for (dissertation §6.4).
        round: u64,
        /// Whether the leader may keep its followers from looking for another.
        standing: Standing,
    },
    /// The answer to `AppendEntries` and to the last chunk of a snapshot.
    Appended {
        /// Success: the log up to here equals the leader's and is durable. Failure: the conflict hint.
        result: AppendResult,
        /// The `round` of the message that this answers.
        round: u64,
    },
    /// `InstallSnapshot` (figure 13), one chunk.
    InstallSnapshot {
        /// The snapshot replaces all entries up to and with this one.
        last_included_index: LogIndex,
        /// Term of that entry.
        last_included_term: Term,
        /// Where the chunk stands in the snapshot, in bytes.
        offset: u64,
        /// The chunk.
        data: Bytes,
        /// Whether it is the last.
        done: bool,
        /// As in `AppendEntries`.
        round: u64,
        /// As in `AppendEntries`.
        standing: Standing,
    },
    /// The answer to a snapshot's chunk that is not the last.
    SnapshotChunk {
        /// Which snapshot.
        last_included_index: LogIndex,
        /// How many bytes of it the follower has: where the next chunk starts.
        received: u64,
        /// The `round` of the message that this answers.
        round: u64,
    },
    /// A follower asks the leader for a read index (dissertation §6.4).
    ReadIndex {
        /// Fresh for each attempt and each life of the sender, so that no late answer confirms a later read.
        context: u64,
    },
    /// The answer to `ReadIndex`.
    ReadIndexed {
        /// The `context` of the question.
        context: u64,
        /// The index to apply before answering; `None` if the sender cannot say (it does not lead).
        index: Option<LogIndex>,
    },
}

/// How a leader stands with its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// A quorum answered it within an election timeout, or it was elected within one.
    Firm,
    /// No quorum answers it: it can commit nothing. Basic Raft leads on.
    Deserted,
}

/// What became of an `AppendEntries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendResult {
    /// The follower's log equals the leader's up to and with this index, durably.
    Matched(LogIndex),
    /// The follower lacks `prev_log_index` or has another term there.
    Conflict {
        /// The `prev_log_index` that was refused, so that a late refusal can be told from a fresh one.
        refused: LogIndex,
        /// The term of the follower's entry at `refused`, if it has one there (§5.3, last paragraphs).
        term: Option<Term>,
        /// The first index that the follower stores for that term, or the one after its last.
        first: LogIndex,
    },
}
