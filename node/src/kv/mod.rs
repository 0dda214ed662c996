//! Replicated state machine: a map from keys to JSON values, with retries that take effect once.
//!
//! Commands and results are here; `machine` applies them, `cells` holds the map, `list` changes values that are lists,
//! `integer` those that are integers, `rows` those that are lists of numbered rows, `session` remembers the registered
//! clients and the answers they got, and `digest` tells states apart.

mod cells;
mod digest;
mod integer;
mod list;
mod machine;
mod rows;
mod session;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::raft::LogIndex;

pub(crate) use digest::Digest;
pub(crate) use list::MAX_LIST_BYTES;
pub(crate) use machine::{Machine, MachineError};

/// Maximum number of micro-operations in a transaction.
pub(crate) const MAX_MICRO_OPERATIONS: usize = 16;

/// JSON value in canonical form: compact, object keys sorted, so that equal values have equal text. Never `null`,
/// which stands for "absent" in the API. Integers beyond 64 bits become floating-point numbers, as in most JSON
/// readers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json(String);

impl Json {
    /// Converts a value; returns `None` for `null`.
    pub(crate) fn new(value: &serde_json::Value) -> Option<Self> {
        (!value.is_null()).then(|| Self(value.to_string()))
    }

    /// Returns the JSON text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Command of a log entry to the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// Client and sequence number, which make a retry of the same command harmless.
    pub(crate) session: Option<Session>,
    /// Operation to perform.
    pub(crate) op: Op,
}

/// Identity of a command: its client, and its number among the client's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Client, by the index of the entry that registered it: no other client ever has that name.
    pub(crate) client: LogIndex,
    /// Sequence number, ascending; one command at a time. A repeated number marks a retry of the same command.
    pub(crate) seq: u64,
}

/// Operation on a key, or registration of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// Read through the log.
    Get {
        /// Key to read.
        key: String,
    },
    /// Write.
    Put {
        /// Key to write.
        key: String,
        /// New value.
        value: Json,
    },
    /// Write if the value of the key is `from`, compared when the command is applied.
    Cas {
        /// Key to write.
        key: String,
        /// Expected value; `None` if the key is expected to be absent.
        from: Option<Json>,
        /// New value.
        to: Json,
    },
    /// Registration of a client, under whose name retries take effect once.
    Register,
    /// Addition of a value to a list that has it not yet.
    Add {
        /// Key of the list.
        key: String,
        /// Value to add.
        value: Json,
    },
    /// Addition of a value at the end of a list.
    Enqueue {
        /// Key of the list.
        key: String,
        /// Value to add.
        value: Json,
    },
    /// Removal of the first element of a list.
    Dequeue {
        /// Key of the list.
        key: String,
    },
    /// Read through the log of the first element of a list.
    First {
        /// Key of the list.
        key: String,
    },
    /// Transaction: all of its micro-operations, or none if one of them is refused.
    Transaction {
        /// Micro-operations, in the order in which they take effect.
        micro_operations: Vec<MicroOperation>,
    },
    /// Addition of a number to an integer; an absent one counts as 0.
    Increment {
        /// Key of the integer.
        key: String,
        /// Number to add.
        by: i64,
    },
    /// Removal of the key if its value is `from`, compared when the command is applied.
    Delete {
        /// Key to remove.
        key: String,
        /// Expected value; `None` if the key is expected to be absent already.
        from: Option<Json>,
    },
}

/// Part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MicroOperation {
    /// Addition of a value at the end of a list.
    Append {
        /// Key of the list.
        key: String,
        /// Value to add.
        value: Json,
    },
    /// Read of a value, which shows the earlier changes by the same transaction.
    Read {
        /// Key to read.
        key: String,
    },
    /// Write of a value.
    Write {
        /// Key to write.
        key: String,
        /// New value.
        value: Json,
    },
    /// Addition of a number, which may be negative, to a whole number; an absent one is 0.
    Add {
        /// Key to change.
        key: String,
        /// Number to add.
        number: i64,
    },
    /// Condition without which the whole transaction is refused: a whole number that is at least so large.
    AtLeast {
        /// Key to look at.
        key: String,
        /// Smallest value.
        number: i64,
    },
    /// Insertion of a row with the next number, which is read, at the end of a list of rows.
    Insert {
        /// Key of the list.
        key: String,
    },
}

/// Question about the state, which changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Query {
    /// Value of a key.
    Value(String),
    /// First element of the list at a key.
    First(String),
    /// Values of several keys at the same moment.
    Values(Vec<String>),
}

impl Query {
    /// Returns the operation that answers the question through the log.
    pub(crate) fn into_op(self) -> Op {
        match self {
            Self::Value(key) => Op::Get { key },
            Self::First(key) => Op::First { key },
            Self::Values(keys) => {
                let micro_operations = keys.into_iter().map(|key| MicroOperation::Read { key }).collect();
                Op::Transaction { micro_operations }
            }
        }
    }
}

impl Command {
    /// Encodes the command as the payload of an entry.
    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("a command is plain data").into()
    }
}

/// Value found at a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct VersionedValue {
    /// Value; `None` if the key is absent.
    pub(crate) value: Option<Json>,
    /// Log index of the key's last write; 0 if absent.
    pub(crate) revision: LogIndex,
}

/// Result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum CommandResult {
    /// Result of a read, or of an operation that answers with the value that it made or took out.
    Got(VersionedValue),
    /// Result of a write: the key's revision.
    Put(LogIndex),
    /// Result of a compare-and-set, also of one that removes the key.
    Cas {
        /// True if the value was `from`, and is `to` now, or absent.
        swapped: bool,
        /// Value before the operation.
        observed: Option<Json>,
        /// Revision of the key after the operation.
        revision: LogIndex,
    },
    /// Refusal of a number below the client's latest, or of the latest number with another command. The command took
    /// no effect now, but may have earlier.
    OutOfSequence {
        /// Latest sequence number of the client.
        latest: u64,
    },
    /// Result of a registration: the client's name.
    Registered(LogIndex),
    /// Refusal of a client that is unknown or forgotten. The command took no effect now, but may have earlier.
    Expired,
    /// Result of an addition to a list that has each value once.
    Added {
        /// True if the value was not there before.
        added: bool,
        /// Revision of the key after the operation.
        revision: LogIndex,
    },
    /// Result of a transaction.
    Transaction {
        /// Value that each micro-operation read, or row that it inserted; `None` for other changes and an absent key.
        found: Vec<Option<Json>>,
        /// Log index of the state that was read or made.
        revision: LogIndex,
    },
    /// Refusal of an operation that does not fit the values. It took no effect.
    Refused(Refusal),
    /// Beginning of something that has no entry and is not over: a transfer of the leadership.
    Begun,
}

/// Reason why an operation does not fit the values that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Refusal {
    /// The value is no list.
    #[error("the value of the key is no list")]
    NotAList,
    /// The list would exceed its maximum size.
    #[error("the list would have more than {MAX_LIST_BYTES} bytes")]
    ListFull,
    /// The values that a transaction reads exceed the maximum size of its answer.
    #[error("what the transaction reads has more than {MAX_LIST_BYTES} bytes")]
    TooMuchRead,
    /// The value is no integer of 64 bits.
    #[error("the value of the key is no integer of 64 bits")]
    NotAnInteger,
    /// The sum is no integer of 64 bits.
    #[error("the sum is beyond 64 bits")]
    SumTooLarge,
    /// The value is no list of rows.
    #[error("the value of the key is no list of rows")]
    NotRows,
    /// A value is smaller than the transaction demands.
    #[error("the value of the key is smaller than it must be")]
    TooSmall,
}
