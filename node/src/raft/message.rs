//! Messages of the paper, with additions for reads, leases and snapshots.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Entry, LogIndex, Membership, NodeId, Term};

/// A message between two members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Sender of the message.
    pub from: NodeId,
    /// Recipient of the message.
    pub to: NodeId,
    /// Term of the sender; for a pre-vote, the term that the sender would campaign in.
    pub term: Term,
    /// Content of the message.
    pub body: Body,
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// `RequestVote` (figure 2), or a pre-vote without consequences if `pre` (dissertation §9.6).
    RequestVote {
        /// True for a pre-vote, which changes neither term nor vote of the node that grants it.
        pre: bool,
        /// True if the leader has asked the candidate to take over, so that voters need not be loyal to it
        /// (dissertation §4.2.3).
        transfer: bool,
        /// Index of the candidate's last entry.
        last_log_index: LogIndex,
        /// Term of the candidate's last entry.
        last_log_term: Term,
    },
    /// The answer to `RequestVote`.
    RequestVoteResponse {
        /// True if this answers a pre-vote.
        pre: bool,
        /// True if the sender grants its vote.
        granted: bool,
    },
    /// `AppendEntries` (figure 2); a heartbeat when `entries` is empty.
    AppendEntries {
        /// Index of the entry right before `entries`.
        prev_log_index: LogIndex,
        /// Term of that entry.
        prev_log_term: Term,
        /// Entries to append; their indexes continue from `prev_log_index` without a gap.
        entries: Vec<Entry>,
        /// Commit index of the leader.
        leader_commit: LogIndex,
        /// Newest heartbeat round of the leader when it sent this. An answer that carries it proves that the leader
        /// still had this follower in its term after that round began; reads and leases wait for such answers
        /// (dissertation §6.4).
        round: u64,
        /// Contact of the leader with its quorum, which decides whether it may keep its followers from looking for
        /// another leader.
        quorum_contact: QuorumContact,
    },
    /// The answer to `AppendEntries` and to the last chunk of a snapshot.
    AppendEntriesResponse {
        /// Result: on success, the last index up to which the log equals the leader's and is durable; on failure, the
        /// conflict hint.
        result: AppendResult,
        /// Round of the message that this answers.
        round: u64,
    },
    /// `InstallSnapshot` (figure 13), one chunk.
    InstallSnapshot {
        /// Index of the last entry that the snapshot replaces.
        last_included_index: LogIndex,
        /// Term of that entry.
        last_included_term: Term,
        /// Configuration in force at that entry (§7).
        membership: Box<Membership>,
        /// Position of the chunk in the snapshot, in bytes.
        offset: u64,
        /// Bytes of the chunk.
        data: Bytes,
        /// True for the last chunk.
        done: bool,
        /// Round, as in `AppendEntries`.
        round: u64,
        /// Contact with the quorum, as in `AppendEntries`.
        quorum_contact: QuorumContact,
    },
    /// The answer to a snapshot's chunk that is not the last.
    InstallSnapshotResponse {
        /// Index of the last entry that the snapshot replaces.
        last_included_index: LogIndex,
        /// Number of bytes of it that the follower has: the offset of the next chunk.
        received: u64,
        /// Round of the message that this answers.
        round: u64,
    },
    /// Request of the leader to an up-to-date voter to be its successor, without waiting (dissertation §3.10).
    TimeoutNow,
    /// Request of a follower to the leader for a read index (dissertation §6.4).
    ReadIndex {
        /// Identifier of the request, fresh for each attempt and each start of the sender, so that no late answer
        /// confirms a later read.
        context: u64,
    },
    /// The answer to `ReadIndex`.
    ReadIndexResponse {
        /// Context of the request.
        context: u64,
        /// Index to apply before answering; `None` if the sender does not lead and cannot say.
        index: Option<LogIndex>,
    },
}

/// Contact of a leader with its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuorumContact {
    /// Leader that a quorum answered within an election timeout, or that was elected within one.
    Recent,
    /// Leader without answers from a quorum: it can commit nothing. In basic Raft it keeps leading.
    Lost,
}

/// Outcome of an `AppendEntries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendResult {
    /// The follower's log equals the leader's up to and including this index, durably.
    Matched(LogIndex),
    /// The follower lacks `prev_log_index` or has another term there.
    Conflict {
        /// Refused `prev_log_index`, so that a late refusal can be told from a fresh one.
        refused: LogIndex,
        /// Term of the follower's entry at `refused`, if it has one there (§5.3, last paragraphs).
        term: Option<Term>,
        /// First index that the follower stores for that term, or the one after its last.
        first: LogIndex,
    },
}
