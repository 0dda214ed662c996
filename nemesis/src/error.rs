//! Errors of the harness itself. None of them says anything about the system under test.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::fault::FaultId;
use crate::net::CommandError;
use crate::node_id::NodeId;

/// Failure of the harness: the run cannot be trusted from here on, but healing still works.
#[derive(Debug, Error)]
pub enum Error {
    /// The number of nodes is zero, or above the number of addresses.
    #[error("a cluster has 1 to {most} nodes, not {count}")]
    HostCount {
        /// Requested number of nodes.
        count: u16,
        /// Maximum number of nodes.
        most: u16,
    },
    /// A command or request of the network failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The rules of a partition are still there after their removal.
    #[error("{node} still drops packets after the partition was healed")]
    RulesRemain {
        /// Node on whose host they are.
        node: NodeId,
    },
    /// The neighbour entries of a host are not those that were set.
    #[error("somebody else changes the neighbour entries on the host of {node}: compare `ip neigh` there with the log")]
    NeighboursChange {
        /// Node on whose host they are.
        node: NodeId,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// Action that failed, with its object.
        what: String,
        /// Error of the system call.
        source: io::Error,
    },
    /// A node's log cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Path of the log.
        path: PathBuf,
        /// Error of the system call.
        source: io::Error,
    },
    /// A node's disk cannot be mounted, or is not served any more.
    #[error("the disk of {node}: {source}")]
    Disk {
        /// Node whose disk it is.
        node: NodeId,
        /// Error of the system call.
        source: io::Error,
    },
    /// The clocks of a node could not be changed.
    #[error("the clocks of {node}: {why}")]
    Clock {
        /// Node whose clocks they are.
        node: NodeId,
        /// Reason.
        why: String,
    },
    /// The node does not exist.
    #[error("there is no {0}")]
    NoNode(NodeId),
    /// The node is already running.
    #[error("{0} runs already")]
    Running(NodeId),
    /// A process outlived SIGKILL for longer than a healthy kernel allows.
    #[error("{0} is still there after SIGKILL")]
    Unkillable(NodeId),
    /// Healing failed for some faults; they stay in the ledger.
    #[error("not healed: {}", failures.iter().map(|(id, error)| format!("fault {}: \
    {error}", id.0)).collect::<Vec<_>>().join("; "))]
    NotHealed {
        /// Faults that stay, each with its error.
        failures: Vec<(FaultId, Error)>,
    },
}

impl Error {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
