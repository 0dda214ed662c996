//! Clients that send requests: one client per logical process, bound to one node.

use std::future::Future;

use crate::{Request, Response};

/// Reason why a client could not be created: a fault of the harness, not of the system under test.
#[derive(Debug, thiserror::Error)]
#[error("no client for node {node}: {reason}")]
pub struct ClientError {
    /// The node.
    pub node: u16,
    /// The error.
    pub reason: String,
}

/// Factory of clients.
pub trait Connect: Send + Sync + 'static {
    /// Type of the clients.
    type Client: Client;

    /// Returns the numbers of the nodes, as histories name them.
    fn nodes(&self) -> &[u16];

    /// Creates a client with connections of its own, for one logical process.
    ///
    /// # Errors
    /// Returns an error if the harness cannot create one. A node that does not answer is no error here; requests will
    /// find that out.
    fn open(&self, node: u16) -> Result<Self::Client, ClientError>;
}

/// Client of one node that sends one request at a time. Dropping it closes its connections.
///
/// It never retries unasked: a write that was silently sent twice would look like a defect of the system.
pub trait Client: Send + 'static {
    /// Waits until the client can take requests, within a time limit of its own; whatever keeps it from that shows in
    /// the answers to its requests. Most clients are ready at once.
    fn ready(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Sends a request, within a time limit of its own, and returns what is certain about it.
    fn invoke(&mut self, request: &Request) -> impl Future<Output = Response> + Send;
}
