//! Entries of the log, and what they are for.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{LogIndex, Membership, Term};

/// Entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Index of the entry.
    pub index: LogIndex,
    /// Term of the leader that appended it.
    pub term: Term,
    /// Effect on the state machine.
    pub payload: Payload,
}

/// Effect of an entry on the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Entry without effect: a new leader's first entry, which lets it commit in its own term (§8).
    Noop,
    /// Command to the state machine; opaque to Raft.
    Command(Bytes),
    /// Configuration of the cluster from this entry on (§6); without effect on the state machine.
    Membership(Box<Membership>),
}
