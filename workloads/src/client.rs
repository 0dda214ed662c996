//! Requests of a workload, and the clients that send them: one client per logical process, bound to one node.

use std::future::Future;

use histories::Value;

use crate::Answered;

/// Function of a request, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Returns the value.
    Read,
    /// Sets the value.
    Write(i64),
    /// Sets the value to `to` if it is `from`.
    Cas {
        /// The expected value.
        from: i64,
        /// The new value.
        to: i64,
    },
}

/// Request of a client: an action on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of the key; see [`Request::key_name`].
    pub key: u32,
    /// The action.
    pub action: Action,
}

impl Request {
    /// Returns the name of the key in nodes and histories: `k0`, `k1`, …
    pub fn key_name(&self) -> String {
        format!("k{}", self.key)
    }

    /// Returns the name of the function in a history.
    pub(crate) fn f(&self) -> &'static str {
        match self.action {
            Action::Read => "read",
            Action::Write(_) => "write",
            Action::Cas { .. } => "cas",
        }
    }

    /// Returns the argument in a history.
    pub(crate) fn argument(&self) -> Option<Value> {
        match self.action {
            Action::Read => None,
            Action::Write(value) => Some(value.into()),
            Action::Cas { from, to } => Some(Value::List(vec![from.into(), to.into()])),
        }
    }
}

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
/// It never retries: a write that was silently sent twice would look like a defect of the system.
pub trait Client: Send + 'static {
    /// Sends a request, within a time limit of its own, and returns what is certain about it.
    fn invoke(&mut self, request: &Request) -> impl Future<Output = Answered> + Send;
}
