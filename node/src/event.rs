//! What the node tells about itself: JSON lines on stderr, rare ones, each written at once.
//!
//! Whoever judges a run joins them to a history by `mono_ns`, above all to know when each node believed that it led which term. There
//! are no lines for single requests.

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    clock::host_monotonic_ns,
    raft::{LogIndex, NodeId, Role, Term},
};

/// Something that happened in a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The process has read its disk.
    Started {
        /// The term that it remembers.
        term: Term,
        /// The last entry on its disk.
        last_index: LogIndex,
    },
    /// Clients may come.
    Ready {
        /// Where clients are served.
        client_addr: SocketAddr,
    },
    /// Role, term or the known leader changed.
    RoleChanged {
        /// What the node is from now on.
        role: Role,
        /// In which term.
        term: Term,
        /// Whom it believes to lead.
        leader: Option<NodeId>,
    },
    /// The log up to `last_index` was replaced by a snapshot of the node's own.
    SnapshotMade {
        /// The last entry that it replaces.
        last_index: LogIndex,
        /// Its size.
        bytes: usize,
    },
    /// The state was replaced by a snapshot: the leader's, or the node's own when it starts.
    SnapshotInstalled {
        /// The last entry that it replaces.
        last_index: LogIndex,
        /// Its size.
        bytes: usize,
    },
    /// The outgoing link to a peer works.
    PeerUp {
        /// The peer.
        peer: NodeId,
    },
    /// The outgoing link to a peer does not work any more.
    PeerDown {
        /// The peer.
        peer: NodeId,
        /// Why.
        reason: String,
    },
    /// A connection that does not come from this cluster was closed.
    LinkRefused {
        /// Where it came from.
        from: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A peer sent what no member that keeps to the protocol can have sent; it was refused. The first is told, then ever fewer.
    MessageRefused {
        /// The peer.
        peer: NodeId,
        /// Why.
        reason: String,
        /// How many were refused since the node started, this one too.
        count: u64,
    },
    /// The disk failed or holds what it must not hold; the node stops.
    StorageError {
        /// What failed, on which file.
        error: String,
    },
    /// The node ended in order.
    Stopped,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The host's `CLOCK_MONOTONIC` (never the bent clock), in nanoseconds.
    pub mono_ns: u64,
    /// Who says it.
    pub node: NodeId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Where a node writes its events.
#[derive(Clone)]
pub(crate) struct Log {
    node: NodeId,
    sink: Arc<Mutex<dyn Write + Send>>,
}

impl Log {
    /// Lines go to fd 2, unbuffered.
    pub(crate) fn to_stderr(node: NodeId) -> Self {
        Self::to(node, io::stderr())
    }

    /// Lines go to `sink`, one `write_all` each.
    pub(crate) fn to(node: NodeId, sink: impl Write + Send + 'static) -> Self {
        Self { node, sink: Arc::new(Mutex::new(sink)) }
    }

    /// Writes one line. A log that cannot be written must not stop the node: there is nobody left to tell.
    pub(crate) fn write(&self, event: Event) {
        let line = LogLine { mono_ns: host_monotonic_ns(), node: self.node, event };
        let mut text = serde_json::to_string(&line).expect("an event is plain data");
        text.push('\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write_all(text.as_bytes()).ok();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Keeps what a node logs, for tests.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let bytes = self.0.lock().unwrap();
        bytes.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_json_that_reads_back() {
        let line = LogLine {
            mono_ns: 5,
            node: NodeId(2),
            event: Event::RoleChanged { role: Role::Leader, term: Term(3), leader: Some(NodeId(2)) },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"mono_ns":5,"node":2,"event":"role-changed","role":"leader","term":3,"leader":2}"#);
        assert_eq!(serde_json::from_str::<LogLine>(&text).unwrap(), line);
    }
}
