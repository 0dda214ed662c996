//! Errors of the harness.

use histories::RecordError;
use tokio::task::JoinError;

use crate::ClientError;

/// Reason why a load could not be carried out: a fault of the harness, not of the system under test.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// An event could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A client could not be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The load has no nodes or no clients.
    #[error("a load needs at least one node and one client")]
    Nobody,
    /// A task panicked.
    #[error("a client's task ended in a panic: {0}")]
    Panic(JoinError),
}
