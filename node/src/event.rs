//! The node's log: JSON lines on stderr, rare ones, each written at once.
//!
//! An evaluation joins them to a history by `mono_ns`, above all to know when each node believed that it led which
//! term. There are no lines for single requests.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    host_clock::HostClock,
    raft::{LogIndex, NodeId, Role, Term},
};

/// Event in a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The process has read its disk.
    Started {
        /// Stored term.
        term: Term,
        /// Stored vote in it.
        voted_for: Option<NodeId>,
        /// Index of the last stored entry.
        last_index: LogIndex,
    },
    /// The node has a planted defect: it breaks a rule on purpose.
    DefectPlanted {
        /// Name of the defect.
        name: String,
        /// Broken rule, in a sentence or two.
        about: String,
    },
    /// The node accepts clients.
    Ready {
        /// Address at which clients are served.
        client_addr: SocketAddr,
    },
    /// Role, term or the known leader changed.
    RoleChanged {
        /// Role from now on.
        role: Role,
        /// Term from now on.
        term: Term,
        /// Node that it believes to be the leader.
        leader: Option<NodeId>,
    },
    /// The term or the vote in it changed, which is on the disk by now. Changes of the role may be told before that.
    TermStored {
        /// Term from now on.
        term: Term,
        /// Candidate that got the node's vote in it.
        voted_for: Option<NodeId>,
    },
    /// Another configuration is in force, committed or not.
    MembersChanged {
        /// Members of whom a majority decides.
        voters: BTreeSet<NodeId>,
        /// Voters of the configuration that is being left.
        outgoing: BTreeSet<NodeId>,
        /// Members that do not vote yet.
        learners: BTreeSet<NodeId>,
    },
    /// The log up to `last_index` was replaced by a snapshot of the node's own.
    SnapshotMade {
        /// Index of the last entry that it replaces.
        last_index: LogIndex,
        /// Size of the snapshot, in bytes.
        bytes: usize,
    },
    /// The state was replaced by a snapshot: the leader's, or the node's own when it starts.
    SnapshotInstalled {
        /// Index of the last entry that it replaces.
        last_index: LogIndex,
        /// Size of the snapshot, in bytes.
        bytes: usize,
    },
    /// The outgoing link to a peer works.
    PeerUp {
        /// Peer at the other end.
        peer: NodeId,
    },
    /// The outgoing link to a peer does not work any more.
    PeerDown {
        /// Peer at the other end.
        peer: NodeId,
        /// Reason of the failure.
        reason: String,
    },
    /// A connection that does not come from this cluster was closed.
    LinkRefused {
        /// Address that it came from.
        from: SocketAddr,
        /// Reason of the refusal.
        reason: String,
    },
    /// A message was refused because no correct member can have sent it. The first is logged, then fewer and fewer.
    MessageRefused {
        /// Peer that sent it.
        peer: NodeId,
        /// Reason of the refusal.
        reason: String,
        /// Number of messages refused since the node started, including this one.
        count: u64,
    },
    /// The disk failed or holds inconsistent data; the node stops.
    StorageError {
        /// Failure, with the file.
        error: String,
    },
    /// The node stopped regularly.
    Stopped,
}

/// Line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Time by the host's `CLOCK_MONOTONIC` (never the skewed clock), in nanoseconds.
    pub mono_ns: u64,
    /// Node that wrote the line.
    pub node: NodeId,
    /// Event that happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Destination of a node's events.
#[derive(Clone)]
pub(crate) struct Log {
    node: NodeId,
    clock: HostClock,
    sink: Arc<Mutex<dyn Write + Send>>,
}

impl Log {
    /// Creates a log that writes to file descriptor 2, unbuffered.
    pub(crate) fn to_stderr(node: NodeId) -> Self {
        Self::to(node, io::stderr())
    }

    /// Creates a log that writes to `sink`, one `write_all` per line.
    pub(crate) fn to(node: NodeId, sink: impl Write + Send + 'static) -> Self {
        Self { node, clock: HostClock::Real, sink: Arc::new(Mutex::new(sink)) }
    }

    /// Returns this log with times from another clock.
    pub(crate) fn by(self, clock: HostClock) -> Self {
        Self { clock, ..self }
    }

    /// Writes one line. A log that cannot be written must not stop the node, and there is nowhere left to report the
    /// error.
    pub(crate) fn write(&self, event: Event) {
        let line = LogLine { mono_ns: self.clock.now().0, node: self.node, event };
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

/// Log output kept in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    #[cfg(test)]
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let bytes = self.0.lock().unwrap();
        bytes.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// Takes everything written so far.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
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
