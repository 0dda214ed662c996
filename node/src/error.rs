//! Errors that keep a node from starting, or stop it.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::raft::{self, NodeId};

/// Error in a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A setting outside the Raft core is wrong.
    #[error("{setting}: {problem}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Problem with it.
        problem: &'static str,
    },
    /// A setting is refused by the core.
    #[error(transparent)]
    Raft(#[from] raft::ConfigError),
}

/// Failure of the storage, with the file. After any of these a node must not continue: it no longer knows what is
/// durable.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A system call failed.
    #[error("{action} {}", path.display())]
    Io {
        /// Action that failed.
        action: &'static str,
        /// File that it was applied to.
        path: PathBuf,
        /// Error of the system call.
        source: io::Error,
    },
    /// The directory is in use by another process.
    #[error("{} is in use by another node", path.display())]
    InUse {
        /// Path of the directory.
        path: PathBuf,
    },
    /// The directory belongs to another node or another cluster.
    #[error("{} belongs to {found}, not to {expected}", path.display())]
    Foreign {
        /// Path of the directory.
        path: PathBuf,
        /// Node and cluster that own it.
        found: String,
        /// Node and cluster that tried to open it.
        expected: String,
    },
    /// The directory holds no state of a node, although the node was not declared new.
    #[error(
        "{} holds no node, and this one was not declared new. If it has run before, its term, vote and log are lost: \
         a cluster that takes it back may elect two leaders or lose what it acknowledged",
        path.display()
    )]
    Empty {
        /// Path of the directory.
        path: PathBuf,
    },
    /// The directory holds the state of a node, although the node was declared new.
    #[error("{} holds a node that has run before, but this one was declared new", path.display())]
    NotEmpty {
        /// Path of the directory.
        path: PathBuf,
    },
    /// The directory of a new node holds something that no node has written.
    #[error("{} holds {name:?}, which is no file of a node: a new node needs a directory of its own", path.display())]
    Occupied {
        /// Path of the directory.
        path: PathBuf,
        /// Name of an entry that is none of a node's.
        name: String,
    },
    /// A record or a snapshot is longer than the length field of its file can express.
    #[error("{} cannot hold a record of {bytes} bytes; the maximum is {limit}", path.display())]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
        /// Length of the record, in bytes.
        bytes: usize,
        /// Maximum length, in bytes.
        limit: usize,
    },
    /// An earlier operation failed: it is not known what is durable.
    #[error("{} is no longer used, since its content is unknown after an earlier failure", path.display())]
    Failed {
        /// Path of the directory.
        path: PathBuf,
    },
    /// A file is damaged in a way that no crash can cause. Cutting it there would lose durable data.
    #[error("{} is damaged at byte {offset}: {problem}", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Offset at which the damage starts.
        offset: u64,
        /// Description of the damage.
        problem: String,
    },
}

/// Formats an error with all its causes, for the log.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Reason why a node could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot work.
    #[error("bad configuration")]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// Address to listen on.
        address: SocketAddr,
        /// Error of the system call.
        source: io::Error,
    },
    /// The threads of the server or the signal handlers could not be set up.
    #[error("starting the server")]
    Runtime(#[source] io::Error),
    /// The storage failed.
    #[error("the disk of {node}")]
    Storage {
        /// Node that the storage belongs to.
        node: NodeId,
        /// Failure of the storage.
        source: StorageError,
    },
    /// The trace file cannot be opened.
    #[error("opening the trace")]
    Trace(#[source] io::Error),
    /// The stored state is inconsistent for the Raft core or the state machine.
    #[error("the stored state of {node} is inconsistent: {problem}")]
    State {
        /// Node that the state belongs to.
        node: NodeId,
        /// Inconsistency in the state.
        problem: String,
    },
    /// The server's thread panicked, which is a bug.
    #[error("the server of {0} panicked")]
    Panicked(NodeId),
}
