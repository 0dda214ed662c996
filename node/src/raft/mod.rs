//! Raft as a pure state machine.

mod io;
mod message;
mod types;

pub use io::{Output, Persist, ProposalOutcome, ReadMode, ReadOutcome, Snapshot};
pub use message::{AppendResult, Body, Message};
pub use types::{Entry, HardState, LogIndex, NodeId, Payload, Role, Term, Time};
