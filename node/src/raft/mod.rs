//! Raft as a pure state machine (extended paper; "dissertation" is Ongaro's of 2014).
//!
//! The core has no socket, file, thread, clock or global randomness: [`Raft`] takes inputs and returns [`Output`];
//! the module `io` defines the order in which the caller must carry that out. Each rule of the paper is one function
//! that names its section.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod change;
mod commit;
mod config;
mod election;
mod entry;
mod invariant;
mod io;
mod lease;
mod log;
mod membership;
mod message;
mod node;
mod progress;
mod read;
mod receive;
mod replication;
mod rules;
mod snapshot;
mod status;
mod transfer;
mod types;
mod validity;

pub use config::{Config, ConfigError, Elections, StartError, StoredState};
pub use entry::{Entry, Payload};
pub use io::{LeaderReadMode, Output, Persist, ProposalOutcome, ReadOutcome, Snapshot};
pub use membership::{Change, ChangeRefusal, MAX_VOTERS, Membership};
pub use message::{AppendResult, Body, Message, QuorumContact};
pub use node::Raft;
pub use rules::{Rule, RuleCounts};
pub use status::{Standing, Status};
pub use types::{HardState, LogIndex, NodeId, Role, Term, Time};
pub use validity::InvalidMessage;
