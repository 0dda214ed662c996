//! The replicated state machine: a map from keys to JSON values, with retries that take effect once.
//!
//! Commands and results are here; `machine` applies them, `cells` holds the map, `session` remembers which clients there are and what they
//! were answered.

mod cells;
mod machine;
mod session;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::raft::LogIndex;

pub(crate) use machine::{Machine, MachineError};

/// A JSON value in canonical form: compact, object keys sorted, so that equal values have equal text. Never `null`, which stands for
/// "absent" in the API. Integers beyond 64 bits become floating-point numbers, as JSON readers commonly do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json(String);

impl Json {
    /// `None` for `null`.
    pub(crate) fn new(value: &serde_json::Value) -> Option<Self> {
        (!value.is_null()).then(|| Self(value.to_string()))
    }

    /// As JSON text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an entry of the log asks of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// Makes a retry of the same command harmless.
    pub(crate) session: Option<Session>,
    /// What to do.
    pub(crate) op: Op,
}

/// Which command of which client this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The client, by the index of the entry that registered it: no other client ever has that name.
    pub(crate) client: LogIndex,
    /// Ascending; one command at a time. The same number means: the same command once more.
    pub(crate) seq: u64,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// Read through the log.
    Get {
        /// The key.
        key: String,
    },
    /// Write.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: Json,
    },
    /// Write if the key's value is `from`, compared when the command is applied.
    Cas {
        /// The key.
        key: String,
        /// `None`: the key is absent.
        from: Option<Json>,
        /// Its new value.
        to: Json,
    },
    /// Give a client a name, under which its retries take effect once.
    Register,
}

impl Command {
    /// As the payload of an entry.
    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("a command is plain data").into()
    }
}

/// What was found or done at a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// `None`: the key is absent.
    pub(crate) value: Option<Json>,
    /// The log index of the key's last write; 0 if absent.
    pub(crate) revision: LogIndex,
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Applied {
    /// Of a read.
    Got(Found),
    /// Of a write: the key's revision.
    Put(LogIndex),
    /// Of a cas: whether it wrote, what it found, and the key's revision afterwards.
    Cas {
        /// Whether the value was `from`, and is `to` now.
        swapped: bool,
        /// The value before.
        observed: Option<Json>,
        /// After it.
        revision: LogIndex,
    },
    /// The client's number is below its latest, or the same with another command: this took no effect now, but may have earlier.
    OutOfSequence {
        /// The client's latest.
        latest: u64,
    },
    /// Of a registration: the client's name.
    Registered(LogIndex),
    /// The client is not known, or not any more: this took no effect now, but may have earlier.
    Expired,
}
