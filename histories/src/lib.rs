//! What happened, exactly: events as they are recorded, operations as they are checked, files as they are kept.
//!
//! Knows nobody. An [`Event`] is a line of a history; a [`History`] pairs invocations with completions and is what a checker reads.

mod event;
mod history;
mod operation;
mod pairing;
mod value;

pub use event::{Event, EventType, Process};
pub use history::History;
pub use operation::{Function, NEVER, Operation, Outcome, ValueId};
pub use pairing::{HistoryBuilder, PairingError};
pub use value::{Value, Values};
