//! Logs and traces of nodes, as far as runs understand them, whatever the system writes.

/// Line of a node's log, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Time on the host's monotonic clock.
    pub(crate) mono_ns: u64,
    pub(crate) text: String,
}

/// Event in a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    /// Time on the host's monotonic clock.
    pub(crate) mono_ns: u64,
    pub(crate) kind: LogEventKind,
}

/// Kind of an event in a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogEventKind {
    /// Change of the node's role.
    Role(Role),
    /// Start of its process, with the term that it remembers, if it says so, and its vote there.
    Start { term: Option<u64>, vote: Option<u16> },
    /// End of its process in good order.
    End,
    /// Term that it will remember, and its vote there.
    Stored { term: Option<u64>, vote: Option<u16> },
}

/// Role that a node takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Leader { term: Option<u64> },
    Follower,
    Candidate,
    Other,
}

/// Record of a node's trace of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceRecord {
    /// Time on the host's monotonic clock.
    pub(crate) mono_ns: u64,
    /// Node that wrote the record.
    pub(crate) node: u16,
    pub(crate) event: TraceEvent,
}

/// Event in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceEvent {
    /// A message was sent. Sender, receiver and `id` identify it.
    Sent { to: u16, id: u64, content: MessageContent },
    /// A message was taken in.
    Received { from: u16, id: u64 },
    /// The node learnt that the log is committed up to this index.
    Committed { index: u64 },
    /// Nothing that matters here.
    Other,
}

/// Content of a message, as far as it is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageContent {
    pub(crate) kind: &'static MessageKind,
    /// Set on answers: true if the answer is positive.
    pub(crate) agrees: Option<bool>,
    pub(crate) term: Option<u64>,
    pub(crate) log_index: Option<u64>,
    pub(crate) commit: Option<u64>,
    /// Number of entries of the log in it.
    pub(crate) entries: Option<usize>,
}

/// Kind of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MessageKind {
    /// Name for people.
    pub(crate) words: &'static str,
    pub(crate) purpose: Purpose,
    /// True if such messages are so frequent that one that arrived tells little.
    pub(crate) is_routine: bool,
}

/// Purpose of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Election of a leader.
    Vote,
    /// Confirmation that a node may answer a read.
    Read,
    /// Request of a client, on its way between nodes.
    Forward,
    /// Replication of the log.
    Log,
}

impl Purpose {
    /// Returns the name of the CSS class of such messages.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Vote => "vote",
            Self::Read => "read",
            Self::Forward => "forward",
            Self::Log => "log",
        }
    }
}
