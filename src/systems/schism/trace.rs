//! Traces of our own nodes, as neutral records.

use node::{Content, MessageKind as Kind, TraceEvent as Event, TraceLine};
use serde::Deserialize;

use super::super::{MessageContent, MessageKind, Purpose, TraceEvent, TraceRecord};

/// Time of a line, which is faster to parse than the whole line; most lines are outside the span.
#[derive(Deserialize)]
struct Stamp {
    mono_ns: u64,
}

/// Reads a line of a trace. Before `from_mono_ns`, only commits are of interest: what a node knows, it knows from then
/// on.
pub(super) fn read(line: &str, from_mono_ns: u64) -> Option<TraceRecord> {
    let Stamp { mono_ns } = serde_json::from_str(line).ok()?;
    if mono_ns < from_mono_ns && !line.contains(r#""committed""#) {
        return Some(TraceRecord { mono_ns, node: 0, event: TraceEvent::Other });
    }
    let TraceLine { node, event, .. } = serde_json::from_str(line).ok()?;
    let event = match event {
        Event::Sent { to, id, content } => TraceEvent::Sent { to: number(to), id, content: neutral(&content) },
        Event::Received { from, id, .. } => TraceEvent::Received { from: number(from), id },
        Event::Committed { commit } => TraceEvent::Committed { index: commit.0 },
        Event::Full => TraceEvent::Other,
    };
    Some(TraceRecord { mono_ns, node: number(node), event })
}

fn number(of: node::raft::NodeId) -> u16 {
    u16::try_from(of.0).unwrap_or(u16::MAX)
}

fn neutral(content: &Content) -> MessageContent {
    MessageContent {
        kind: kind(content.message),
        agrees: content.agrees,
        term: content.term.map(|term| term.0),
        log_index: content.index.map(|index| index.0),
        commit: content.commit.map(|index| index.0),
        entries: content.entries,
    }
}

fn kind(of: Kind) -> &'static MessageKind {
    const fn known(words: &'static str, purpose: Purpose) -> MessageKind {
        MessageKind { words, purpose, is_routine: false }
    }
    match of {
        Kind::PreVote => &const { known("would you vote for me?", Purpose::Vote) },
        Kind::PreVoteResponse => &const { known("answer: would vote", Purpose::Vote) },
        Kind::RequestVote => &const { known("RequestVote", Purpose::Vote) },
        Kind::RequestVoteResponse => &const { known("answer to RequestVote", Purpose::Vote) },
        Kind::Heartbeat => &const { MessageKind { is_routine: true, ..known("heartbeat", Purpose::Log) } },
        Kind::AppendEntries => &const { known("AppendEntries", Purpose::Log) },
        Kind::AppendEntriesResponse => &const { known("answer to AppendEntries", Purpose::Log) },
        Kind::InstallSnapshot => &const { known("InstallSnapshot", Purpose::Log) },
        Kind::InstallSnapshotResponse => &const { known("answer to InstallSnapshot", Purpose::Log) },
        Kind::TimeoutNow => &const { known("TimeoutNow: take over", Purpose::Vote) },
        Kind::ReadIndex => &const { known("may I read?", Purpose::Read) },
        Kind::ReadIndexResponse => &const { known("answer: read index", Purpose::Read) },
        Kind::Forward => &const { known("a client's request", Purpose::Forward) },
        Kind::ForwardResponse => &const { known("answer to a client's request", Purpose::Forward) },
    }
}
