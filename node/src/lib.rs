//! A Raft key-value server that can answer reads in five ways.
//!
//! `raft` is the pure state machine; the code that uses sockets, the disk or the clock is around it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "banned in `raft` alone, which denies them again"
)]

mod clock;
mod config;
mod defect;
mod error;
mod event;
mod frame;
mod host_clock;
mod http;
mod input;
mod kv;
pub mod raft;
mod request;
mod server;
pub mod simulation;
mod storage;
mod trace;
mod transport;

pub use clock::clock_line;
pub use config::{Config, MAX_MEMBERS};
pub use defect::{Defect, DefectDescription, Load, Sign, UnknownDefect};
pub use error::{ConfigError, Error, StorageError};
pub use event::{Event, LogLine};
pub use server::{Handle, run, start};
pub use trace::{Content, MessageKind, TraceEvent, TraceLine};
