//! What goes in and what comes out, and in which order the caller must carry it out.
//!
//! The caller's loop:
//! 1. gives inputs: `step(now, message)`, `propose(now, id, command)`, `read(now, id, mode)`, `tick(now)`; any number of them;
//! 2. takes what has gathered: `take_output() -> Output`;
//! 3. sends `early` messages;
//! 4. makes `persist` durable (one fsync for all of it);
//! 5. calls `persisted()`, which tells the core that all it ever put into a `Persist` is durable (a leader counts itself only now);
//! 6. sends `messages`;
//! 7. restores `restore` and then applies `committed`, in order;
//! 8. answers `proposals` and `reads`; a read is answered once the state machine has applied up to its index;
//! 9. takes output again if `has_output()`, else waits for input or for `deadline()`.
//!
//! A crash may come between any two steps. Messages may be lost, delayed, reordered and repeated.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Entry, HardState, LogIndex, Message, NodeId, Term};

/// How the leader makes sure that a read is not stale. `local` reads and reads through the log need nothing of this: the first asks
/// nobody, the second is a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadMode {
    /// The leader answers because it believes that it leads: basic Raft.
    Leader,
    /// The leader answers while its lease runs by its own clock; otherwise, and where voters are not loyal, it waits as in `Quorum`.
    Lease,
    /// `ReadIndex`: after a round of heartbeats that began after the read arrived (dissertation §6.4). A follower asks the leader.
    Quorum,
}

/// What the core wants done; see the module's contract for the order.
#[derive(Debug, Default)]
#[must_use = "an output that is not carried out breaks the promises that were made to peers"]
pub struct Output {
    /// May leave before `persist` is durable: they promise nothing about this node's disk (a leader's entries and heartbeats, read
    /// indexes and questions for them).
    pub early: Vec<Message>,
    /// To be made durable.
    pub persist: Persist,
    /// May leave only once `persist` is durable.
    pub messages: Vec<Message>,
    /// Replaces the whole state machine before `committed` is applied: a snapshot from the leader, or, in the first output of a
    /// restarted node, the stored one.
    pub restore: Option<Snapshot>,
    /// Newly committed entries, in log order, each exactly once in this life of the node.
    pub committed: Vec<Entry>,
    /// What became of proposals.
    pub proposals: Vec<(u64, ProposalOutcome)>,
    /// What became of reads.
    pub reads: Vec<(u64, ReadOutcome)>,
}

/// What must be durable, to be carried out in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persist {
    /// Term and vote, if they changed.
    pub hard_state: Option<HardState>,
    /// A snapshot from the leader, which replaces the stored one and the log up to its last index; entries after that stay only if the
    /// entry at the snapshot's index had the snapshot's term.
    pub snapshot: Option<Snapshot>,
    /// The log entries from this index on are void (§5.3: a conflicting suffix).
    pub truncate_from: Option<LogIndex>,
    /// Entries to append after that.
    pub entries: Vec<Entry>,
}

impl Persist {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.snapshot.is_none() && self.truncate_from.is_none() && self.entries.is_empty()
    }
}

/// The state machine at one point of the log (§7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry that it replaces.
    pub last_index: LogIndex,
    /// That entry's term.
    pub last_term: Term,
    /// The state machine's own encoding.
    pub data: Bytes,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalOutcome {
    /// In this node's log. It happened if the entry that is later committed at `index` has this `term`; if another entry is
    /// committed there it did not; until then, and if this node stops leading, nobody knows.
    Appended {
        /// Where it stands.
        index: LogIndex,
        /// In which term.
        term: Term,
    },
    /// No log holds it: too much waits to be committed already. It may be proposed again later.
    Overloaded,
    /// No log holds it: this node does not lead. It may be proposed elsewhere.
    NotLeader {
        /// Who leads, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// No log holds it: this node leads, but no quorum has answered it for an election timeout, so that nothing could come of it here.
    Deserted,
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// May be answered from the state machine once it has applied this index.
    Ready(LogIndex),
    /// Cannot be answered here; safe to ask elsewhere.
    NotLeader {
        /// Who leads, as far as this node knows.
        leader: Option<NodeId>,
    },
}
