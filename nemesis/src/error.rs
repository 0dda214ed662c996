//! What can go wrong with the harness itself. None of these says anything about the system under test.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::fault::{FaultId, NodeId};
use crate::net::CommandError;

/// The harness failed: the run cannot be trusted from here on, but healing still works.
#[derive(Debug, Error)]
pub enum Error {
    /// More hosts than addresses, or none.
    #[error("a cluster has 1 to {most} nodes, not {count}")]
    HostCount {
        /// Asked for.
        count: u16,
        /// The most there can be.
        most: u16,
    },
    /// A command of the network failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Rules of ours are still there after their removal.
    #[error("{node} still drops packets after the partition was healed")]
    RulesRemain {
        /// On whose host.
        node: NodeId,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done, and to whom.
        what: String,
        /// As the system has it.
        source: io::Error,
    },
    /// A node's log cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// As the system has it.
        source: io::Error,
    },
    /// There is no such node.
    #[error("there is no {0}")]
    NoNode(NodeId),
    /// It runs already.
    #[error("{0} runs already")]
    Running(NodeId),
    /// A process outlived SIGKILL for longer than a healthy kernel lets it.
    #[error("{0} is still there after SIGKILL")]
    Unkillable(NodeId),
    /// Some faults could not be healed; they stay in the ledger.
    #[error("not healed: {}", failures.iter().map(|(id, error)| format!("fault {}: {error}", id.0)).collect::<Vec<_>>().join("; "))]
    NotHealed {
        /// Each with its reason.
        failures: Vec<(FaultId, Error)>,
    },
}

impl Error {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
