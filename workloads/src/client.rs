//! What a workload asks for, and who can ask it: one client for each logical process, bound to one node.

use std::future::Future;

use histories::Value;

use crate::Answered;

/// What a client asks of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Which value it has.
    Read,
    /// To have this value.
    Write(i64),
    /// To have the value `to` if it has `from`.
    Cas {
        /// What is expected.
        from: i64,
        /// What is set.
        to: i64,
    },
}

/// One request: what, of which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key's number; see [`Request::key_name`].
    pub key: u32,
    /// What is asked.
    pub action: Action,
}

impl Request {
    /// The key as nodes and histories know it: `k0`, `k1`, …
    pub fn key_name(&self) -> String {
        format!("k{}", self.key)
    }

    /// The name of the function in a history.
    pub(crate) fn f(&self) -> &'static str {
        match self.action {
            Action::Read => "read",
            Action::Write(_) => "write",
            Action::Cas { .. } => "cas",
        }
    }

    /// The argument in a history.
    pub(crate) fn argument(&self) -> Option<Value> {
        match self.action {
            Action::Read => None,
            Action::Write(value) => Some(value.into()),
            Action::Cas { from, to } => Some(Value::List(vec![from.into(), to.into()])),
        }
    }
}

/// Why there is no client: a fault of the harness, not of the system under test.
#[derive(Debug, thiserror::Error)]
#[error("no client for node {node}: {reason}")]
pub struct ClientError {
    /// Which node.
    pub node: u16,
    /// What went wrong.
    pub reason: String,
}

/// Makes clients.
pub trait Connect: Send + Sync + 'static {
    /// What it makes.
    type Client: Client;

    /// The numbers of the nodes, as histories name them.
    fn nodes(&self) -> &[u16];

    /// A client of its own, with connections of its own, for one logical process.
    ///
    /// # Errors
    /// The harness cannot make one. A node that does not answer is no error here: that is found by asking.
    fn open(&self, node: u16) -> Result<Self::Client, ClientError>;
}

/// Asks one node, one request at a time. Dropping it closes its connections.
///
/// It never asks twice: a write that was sent again by itself would look like a defect of the system.
pub trait Client: Send + 'static {
    /// Asks, within a time limit of its own, and says what is certain.
    fn invoke(&mut self, request: &Request) -> impl Future<Output = Answered> + Send;
}
