//! Trace of the messages between nodes: JSON lines in a file, for diagrams of how a cluster came to its beliefs.
//!
//! A message has one line when it is handed to its link and one when the other node's loop takes it in; `(sender,
//! id)` joins them, and a line without its partner is a message that was lost or is in flight. Lines are written once
//! for each batch of the loop, so that they survive the end of the process, and cost about a microsecond each.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    frame::Frame,
    host_clock::HostClock,
    raft::{AppendResult, Body, LogIndex, NodeId, Term},
};

/// Size of buffered lines, in bytes, at which they are written before the end of the batch.
const BUFFER_BYTES: usize = 1 << 16;
/// Size in bytes beyond which the trace of one start of a node ends.
const MAX_BYTES: u64 = 1 << 28;

/// Line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// Time by the host's `CLOCK_MONOTONIC` (never the skewed clock), in nanoseconds.
    pub mono_ns: u64,
    /// Node that wrote the line.
    pub node: NodeId,
    /// Event that happened.
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// Event in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TraceEvent {
    /// A message was handed to its link.
    Sent {
        /// Recipient of the message.
        to: NodeId,
        /// Identifier of the message, fresh in each start of the sender.
        id: u64,
        /// Content of the message.
        #[serde(flatten)]
        content: Content,
    },
    /// A message was taken in.
    Received {
        /// Sender of the message.
        from: NodeId,
        /// Identifier given by the sender.
        id: u64,
        /// Content of the message.
        #[serde(flatten)]
        content: Content,
    },
    /// The commit index advanced.
    Committed {
        /// Index of the last committed entry.
        commit: LogIndex,
    },
    /// The trace has reached its limit and ends.
    Full,
}

/// Content of a message, as far as a trace records it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Kind of the message.
    pub message: MessageKind,
    /// Term of the sender; `None` for a forwarded request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Last log index that it names: of the entries that it carries, confirms, asks for or offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<LogIndex>,
    /// Number of entries that it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<usize>,
    /// Commit index of the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<LogIndex>,
    /// Set on answers: true if the answer is positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
}

/// Kind of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// `RequestVote` without consequences (dissertation §9.6).
    PreVote,
    /// Answer to a pre-vote.
    #[serde(rename = "pre-voted")]
    PreVoteResponse,
    /// `RequestVote`.
    RequestVote,
    /// Answer to `RequestVote`.
    #[serde(rename = "voted")]
    RequestVoteResponse,
    /// `AppendEntries` without entries.
    #[default]
    Heartbeat,
    /// `AppendEntries`.
    AppendEntries,
    /// Answer to `AppendEntries`.
    #[serde(rename = "appended")]
    AppendEntriesResponse,
    /// Chunk of a snapshot.
    InstallSnapshot,
    /// Answer to a chunk of a snapshot.
    #[serde(rename = "snapshot-chunk")]
    InstallSnapshotResponse,
    /// Request of the leader to take over from it (dissertation §3.10).
    TimeoutNow,
    /// Request of a follower for a read index (dissertation §6.4).
    ReadIndex,
    /// Answer to a request for a read index.
    #[serde(rename = "read-indexed")]
    ReadIndexResponse,
    /// Client's request, forwarded to the leader.
    Forward,
    /// Answer to a forwarded request.
    #[serde(rename = "forwarded")]
    ForwardResponse,
}

impl Content {
    /// Returns the message's id and its traced content; `None` for pings.
    fn of(frame: &Frame) -> Option<(u64, Self)> {
        let (id, message) = match frame {
            Frame::Ping => return None,
            Frame::Forward { id, .. } => return Some((*id, Self { message: MessageKind::Forward, ..Self::default() })),
            Frame::ForwardResponse { id, reply } => {
                let agrees = Some(reply.result.is_ok());
                return Some((
                    *id,
                    Self { message: MessageKind::ForwardResponse, term: Some(reply.term), agrees, ..Self::default() },
                ));
            }
            Frame::Raft { id, message } => (*id, message),
        };
        let content = Self { term: Some(message.term), ..Self::default() };
        let content = match &message.body {
            Body::RequestVote { pre, last_log_index, .. } => {
                let message = if *pre { MessageKind::PreVote } else { MessageKind::RequestVote };
                Self { message, index: Some(*last_log_index), ..content }
            }
            Body::RequestVoteResponse { pre, granted } => {
                let message = if *pre { MessageKind::PreVoteResponse } else { MessageKind::RequestVoteResponse };
                Self { message, agrees: Some(*granted), ..content }
            }
            Body::AppendEntries { prev_log_index, entries, leader_commit, .. } => {
                let message = if entries.is_empty() { MessageKind::Heartbeat } else { MessageKind::AppendEntries };
                let index = Some(entries.last().map_or(*prev_log_index, |entry| entry.index));
                Self { message, index, entries: Some(entries.len()), commit: Some(*leader_commit), ..content }
            }
            Body::AppendEntriesResponse { result, .. } => {
                let (index, agrees) = match *result {
                    AppendResult::Matched(index) => (index, true),
                    AppendResult::Conflict { refused, .. } => (refused, false),
                };
                Self {
                    message: MessageKind::AppendEntriesResponse,
                    index: Some(index),
                    agrees: Some(agrees),
                    ..content
                }
            }
            Body::InstallSnapshot { last_included_index, .. } => {
                Self { message: MessageKind::InstallSnapshot, index: Some(*last_included_index), ..content }
            }
            Body::InstallSnapshotResponse { last_included_index, .. } => {
                Self { message: MessageKind::InstallSnapshotResponse, index: Some(*last_included_index), ..content }
            }
            Body::TimeoutNow => Self { message: MessageKind::TimeoutNow, ..content },
            Body::ReadIndex { .. } => Self { message: MessageKind::ReadIndex, ..content },
            Body::ReadIndexResponse { index, .. } => Self {
                message: MessageKind::ReadIndexResponse,
                index: *index,
                agrees: Some(index.is_some()),
                ..content
            },
        };
        Some((id, content))
    }
}

/// Destination of a node's trace; none unless configured.
pub(crate) struct Trace {
    node: NodeId,
    sink: Option<Box<dyn Write + Send>>,
    buffer: Vec<u8>,
    written: u64,
}

impl Trace {
    /// Opens the file at `path` for appending, so that each start of a node continues the trace; without a path,
    /// nothing is traced.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened.
    pub(crate) fn open(node: NodeId, path: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let file: Option<File> = path.map(open).transpose()?;
        Ok(Self::to(node, file.map(|file| Box::new(file) as _)))
    }

    fn to(node: NodeId, sink: Option<Box<dyn Write + Send>>) -> Self {
        Self { node, sink, buffer: Vec::new(), written: 0 }
    }

    /// Records a message that was handed to its link.
    pub(crate) fn sent(&mut self, to: NodeId, frame: &Frame) {
        if self.sink.is_some()
            && let Some((id, content)) = Content::of(frame)
        {
            self.write(TraceEvent::Sent { to, id, content });
        }
    }

    /// Records a message that was taken in.
    pub(crate) fn received(&mut self, from: NodeId, frame: &Frame) {
        if self.sink.is_some()
            && let Some((id, content)) = Content::of(frame)
        {
            self.write(TraceEvent::Received { from, id, content });
        }
    }

    /// Records that all entries up to `commit` are known to be committed.
    pub(crate) fn committed(&mut self, commit: LogIndex) {
        if self.sink.is_some() {
            self.write(TraceEvent::Committed { commit });
        }
    }

    fn write(&mut self, event: TraceEvent) {
        let line = TraceLine { mono_ns: HostClock::Real.now().0, node: self.node, event };
        serde_json::to_writer(&mut self.buffer, &line).expect("a line is plain data");
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Writes the buffered lines to the file. A trace that cannot be written or has grown too long ends; the node
    /// continues.
    pub(crate) fn flush(&mut self) {
        let Some(sink) = &mut self.sink else { return };
        self.written += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        let written = sink.write_all(&self.buffer);
        self.buffer.clear();
        if written.is_err() {
            self.sink = None;
        } else if self.written > MAX_BYTES {
            self.write(TraceEvent::Full);
            if let Some(mut sink) = self.sink.take() {
                sink.write_all(&self.buffer).ok(); // it ends here in any case
            }
            self.buffer = Vec::new();
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("node", &self.node).field("written", &self.written).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::raft::Message;

    fn heartbeat(term: u64) -> Frame {
        let body = Body::AppendEntries {
            prev_log_index: LogIndex(7),
            prev_log_term: Term(2),
            entries: Vec::new(),
            leader_commit: LogIndex(5),
            round: 1,
            quorum_contact: crate::raft::QuorumContact::Recent,
        };
        Frame::Raft { id: 9, message: Message { from: NodeId(1), to: NodeId(2), term: Term(term), body } }
    }

    fn lines(path: &Path) -> Vec<TraceLine> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_flat_json_that_reads_back() {
        let (id, content) = Content::of(&heartbeat(3)).unwrap();
        let line = TraceLine { mono_ns: 5, node: NodeId(1), event: TraceEvent::Sent { to: NodeId(2), id, content } };
        let text = serde_json::to_string(&line).unwrap();
        let expected = r#"{"mono_ns":5,"node":1,"event":"sent","to":2,"id":9,"message":"heartbeat","term":3,"index":7,"entries":0,"commit":5}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<TraceLine>(&text).unwrap(), line);
    }

    /// Traces of older versions stay readable: their names of responses differ from those in the code.
    #[test]
    fn each_kind_has_its_name_of_old() {
        let names = serde_json::to_value([
            MessageKind::PreVoteResponse,
            MessageKind::RequestVoteResponse,
            MessageKind::AppendEntriesResponse,
            MessageKind::InstallSnapshotResponse,
            MessageKind::ReadIndexResponse,
            MessageKind::ForwardResponse,
        ]);
        let expected = ["pre-voted", "voted", "appended", "snapshot-chunk", "read-indexed", "forwarded"];
        assert_eq!(names.unwrap(), serde_json::json!(expected));
    }

    #[test]
    fn each_life_of_a_node_continues_the_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.jsonl");
        for term in 1..=2 {
            let mut trace = Trace::open(NodeId(1), Some(&path)).unwrap();
            trace.sent(NodeId(2), &heartbeat(term));
            trace.received(NodeId(2), &Frame::Ping);
            trace.flush();
        }
        let terms = lines(&path).into_iter().map(|line| match line.event {
            TraceEvent::Sent { content, .. } => content.term,
            other => panic!("{other:?}"),
        });
        assert_eq!(terms.collect::<Vec<_>>(), [Some(Term(1)), Some(Term(2))]);
    }

    #[test]
    fn a_trace_ends_at_its_limit_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.jsonl");
        let mut trace = Trace::open(NodeId(1), Some(&path)).unwrap();
        trace.written = MAX_BYTES;
        trace.committed(LogIndex(1));
        trace.flush();
        trace.committed(LogIndex(2));
        trace.flush();
        let events: Vec<_> = lines(&path).into_iter().map(|line| line.event).collect();
        assert_eq!(events, [TraceEvent::Committed { commit: LogIndex(1) }, TraceEvent::Full]);
    }

    #[test]
    fn without_a_file_nothing_gathers() {
        let mut trace = Trace::open(NodeId(1), None).unwrap();
        trace.sent(NodeId(2), &heartbeat(1));
        trace.committed(LogIndex(1));
        assert!(trace.buffer.is_empty());
    }
}
