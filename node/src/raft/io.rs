//! Inputs and outputs of the core, and the order in which the caller must carry the outputs out.
//!
//! The caller's loop:
//! 1. gives inputs: `step(now, message)`, `propose(now, id, command)`, `change_members(now, id, change)`,
//!    `transfer(now, id, to)`, `read(now, id, mode)`, `tick(now)`; any number of them;
//! 2. takes the accumulated output: `take_output() -> Output`, or `swap_output(&mut spent)`;
//! 3. sends `early` messages;
//! 4. makes `persist` durable, if there is anything (one fsync for all of it);
//! 5. then calls `persisted()`, which tells the core that everything it ever put into a `Persist` is durable (only now
//!    does a leader count itself, or a candidate its own vote);
//! 6. sends `messages`;
//! 7. restores `restore` and then applies `committed`, in order;
//! 8. answers `proposals` and `reads`; a read is answered once the state machine has applied up to its index;
//! 9. takes output again if `has_output()`, else waits for input or for `deadline()`.
//!
//! A crash may come between any two steps. Messages may be lost, delayed, reordered and repeated.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ChangeRefusal, Entry, HardState, LogIndex, Membership, Message, NodeId, Term};

/// Method by which the leader makes sure that a read is not stale. `local` reads and reads through the log need none
/// of these: the first involve no other node, the second are proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaderReadMode {
    /// The leader answers because it believes that it leads: basic Raft.
    Leader,
    /// The leader answers while its lease runs by its own clock; otherwise, and under basic elections, it waits as in
    /// `Quorum`.
    Lease,
    /// `ReadIndex`: the leader answers after a round of heartbeats that began after the read arrived (dissertation
    /// §6.4). A follower asks the leader.
    Quorum,
}

/// Work for the caller; see the module documentation for the order.
#[derive(Debug, Default)]
#[must_use = "an output that is not carried out breaks the promises that were made to peers"]
pub struct Output {
    /// Messages that may be sent before `persist` is durable: they promise nothing about this node's disk (a leader's
    /// entries and heartbeats; read indexes and requests for them).
    pub early: Vec<Message>,
    /// State to be made durable.
    pub persist: Persist,
    /// Messages that may be sent only once `persist` is durable.
    pub messages: Vec<Message>,
    /// Snapshot that replaces the whole state machine before `committed` is applied: one from the leader or, in the
    /// first output of a restarted node, the stored one.
    pub restore: Option<Box<Snapshot>>,
    /// Newly committed entries, in log order, each exactly once between two restarts of the node.
    pub committed: Vec<Entry>,
    /// Outcomes of proposals, by the id of the proposal.
    pub proposals: Vec<(u64, ProposalOutcome)>,
    /// Outcomes of reads, by the id of the read.
    pub reads: Vec<(u64, ReadOutcome)>,
}

/// State to be made durable, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persist {
    /// Term and vote, if they changed.
    pub hard_state: Option<HardState>,
    /// Snapshot from the leader, which replaces the stored one and the log up to its last index; later entries stay
    /// only if the entry at the snapshot's index has the snapshot's term.
    pub snapshot: Option<Box<Snapshot>>,
    /// First index of a conflicting suffix of the log, to be removed (§5.3).
    pub truncate_from: Option<LogIndex>,
    /// Entries to append after the removal.
    pub entries: Vec<Entry>,
}

impl Persist {
    /// Returns true if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.snapshot.is_none() && self.truncate_from.is_none() && self.entries.is_empty()
    }
}

/// State of the state machine at one point of the log (§7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Index of the last entry that it replaces.
    pub last_index: LogIndex,
    /// Term of that entry.
    pub last_term: Term,
    /// Configuration in force at that entry.
    pub membership: Membership,
    /// State in the state machine's own encoding.
    pub data: Bytes,
}

/// Outcome of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalOutcome {
    /// The command is in this node's log. It takes effect if the entry that is later committed at `index` has this
    /// `term`, and does not if another entry is committed there. Until then, and if this node stops leading, the
    /// outcome is unknown.
    Appended {
        /// Index of the entry.
        index: LogIndex,
        /// Term of the entry.
        term: Term,
    },
    /// The command is in no log, because too many bytes wait to be committed already. It may be proposed again later.
    Overloaded,
    /// The command is in no log, because this node does not lead. It may be proposed elsewhere.
    NotLeader {
        /// Current leader, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// The command is in no log: this node leads, but no quorum has answered it for an election timeout, so it could
    /// not commit anything.
    NoQuorum,
    /// The change, transfer or command is in no log, for this reason.
    Refused(ChangeRefusal),
    /// The transfer has begun. It succeeds once another node leads, and is given up after an election timeout.
    Begun,
}

/// Outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// The read may be answered from the state machine once this index is applied.
    Ready(LogIndex),
    /// The read cannot be answered here; it is safe to ask elsewhere.
    NotLeader {
        /// Current leader, as far as this node knows.
        leader: Option<NodeId>,
    },
}
