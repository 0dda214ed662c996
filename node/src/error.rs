//! Why a node cannot start, or had to stop.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::raft::{self, NodeId};

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One that has to do with the world around the Raft core.
    #[error("{setting}: {problem}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// One that the core refuses.
    #[error(transparent)]
    Raft(#[from] raft::ConfigError),
}

/// What went wrong on the disk, on which file. After any of these a node must not go on: it no longer knows what is durable.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A system call failed.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error("{} is in use by another node", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory belongs to another node or another cluster.
    #[error("{} belongs to {found}, not to {expected}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who wanted it.
        expected: String,
    },
    /// The directory holds nothing of a node, though its node is not said to be new.
    #[error(
        "{} holds no node, and this one was not said to be new. If it has run before, its term, vote and log are lost: \
         a cluster that takes it back may elect two leaders or lose what it acknowledged",
        path.display()
    )]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds a node, though its node is said to be new.
    #[error("{} holds a node that has run before, but this one was said to be new", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A record or a snapshot is longer than its file can tell.
    #[error("{} cannot hold a record of {bytes} bytes; the most is {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Something failed before: it is not known what is durable.
    #[error("{} is not used any more, since an earlier failure left unknown what it holds", path.display())]
    Failed {
        /// The directory.
        path: PathBuf,
    },
    /// A file is damaged where no crash can have done it. Cutting it there would lose what was promised.
    #[error("{} is damaged at byte {offset}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage starts.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
}

/// An error with all its causes, for the log.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Why a node could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot work.
    #[error("bad configuration")]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The threads of the server or the signal handlers could not be set up.
    #[error("starting the server")]
    Runtime(#[source] io::Error),
    /// The disk.
    #[error("the disk of {node}")]
    Storage {
        /// Whose disk.
        node: NodeId,
        /// What went wrong.
        source: StorageError,
    },
    /// The file for the trace cannot be opened.
    #[error("opening the trace")]
    Trace(#[source] io::Error),
    /// What the disk holds makes no sense to the Raft core or the state machine.
    #[error("the stored state of {node} makes no sense: {problem}")]
    State {
        /// Whose state.
        node: NodeId,
        /// What is wrong with it.
        problem: String,
    },
    /// The server's thread panicked: a bug.
    #[error("the server of {0} panicked")]
    Panicked(NodeId),
}
