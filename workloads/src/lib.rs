//! Workloads: generators, clients, and the loop that drives them.
//!
//! A generator returns the next request, purely and from a seed; a [`Client`] sends it to one node and returns an
//! [`Answer`]; [`drive`] keeps many clients busy and records everything; [`final_reads`] reads from every node once
//! more when all faults are healed; [`keep_probing`] measures meanwhile when each node is available. [`Simulation`]
//! needs no nodes: it generates a history, to measure checkers.

mod client;
mod driver;
mod final_reads;
mod http;
mod outcome;
mod pace;
mod probe;
mod random;
mod register;
mod simulate;
mod worker;

pub use client::{Action, Client, ClientError, Connect, Request};
pub use driver::{DriveError, Driven, Load, Progress, drive};
pub use final_reads::{FinalReads, Unread, final_reads};
pub use http::{HttpClient, HttpConnector, HttpOptions};
pub use outcome::{Answer, Answered};
pub use probe::{Availability, NodeProbes, Probes, Probing, keep_probing};
pub use register::{Register, RegisterOptions};
pub use simulate::{SimulatedModel, Simulation, TransactionSimulation, Violation};
