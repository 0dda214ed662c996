//! Frames: everything that one node sends to another over a link.

use serde::{Deserialize, Serialize};

use crate::{
    kv::{CommandResult, Json, MicroOperation, Op, Query},
    raft::{Body, Entry, Message, Payload},
    request::{Reply, Request},
};

/// Message between peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// Empty frame that shows that the link is alive.
    Ping,
    /// Message of the Raft core.
    Raft {
        /// Identifier, fresh in each start of the sender: matches the line in its trace with the receiver's.
        id: u64,
        /// Content of the message.
        message: Message,
    },
    /// Request that only a leader can answer.
    Forward {
        /// Identifier of the request, repeated in the answer, and fresh in each start of the sender.
        id: u64,
        /// Content of the request.
        request: Request,
    },
    /// Answer to a forwarded request.
    ForwardResponse {
        /// Identifier of the request.
        id: u64,
        /// Result of the request.
        reply: Reply,
    },
}

impl Frame {
    /// Returns the approximate heap memory that the frame holds, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Raft { message, .. } => match &message.body {
                Body::AppendEntries { entries, .. } => entries.iter().map(entry_weight).sum(),
                Body::InstallSnapshot { data, .. } => data.len(),
                _ => 0,
            },
            Self::Forward { request: Request::Write(command), .. } => match &command.op {
                Op::Get { .. } | Op::First { .. } | Op::Dequeue { .. } | Op::Increment { .. } | Op::Register => 0,
                Op::Delete { from, .. } => value_weight(from.as_ref()),
                Op::Put { value, .. } | Op::Add { value, .. } | Op::Enqueue { value, .. } => value.as_str().len(),
                Op::Cas { from, to, .. } => value_weight(from.as_ref()) + to.as_str().len(),
                Op::Transaction { micro_operations } => micro_operations.iter().map(micro_operation_weight).sum(),
            },
            Self::Forward { request: Request::Read { query: Query::Values(keys), .. }, .. } => {
                keys.iter().map(String::len).sum()
            }
            Self::ForwardResponse { reply, .. } => match &reply.result {
                Ok(CommandResult::Got(found)) => value_weight(found.value.as_ref()),
                Ok(CommandResult::Cas { observed, .. }) => value_weight(observed.as_ref()),
                Ok(CommandResult::Transaction { found, .. }) => {
                    found.iter().map(|value| value_weight(value.as_ref())).sum()
                }
                _ => 0,
            },
            Self::Ping | Self::Forward { .. } => 0,
        }
    }
}

fn entry_weight(entry: &Entry) -> usize {
    let command = if let Payload::Command(command) = &entry.payload { command.len() } else { 0 };
    size_of::<Entry>() + command
}

fn micro_operation_weight(micro_operation: &MicroOperation) -> usize {
    match micro_operation {
        MicroOperation::Append { key, value } | MicroOperation::Write { key, value } => {
            key.len() + value.as_str().len()
        }
        MicroOperation::Read { key }
        | MicroOperation::Add { key, .. }
        | MicroOperation::AtLeast { key, .. }
        | MicroOperation::Insert { key } => key.len(),
    }
}

fn value_weight(value: Option<&Json>) -> usize {
    value.map_or(0, |value| value.as_str().len())
}
