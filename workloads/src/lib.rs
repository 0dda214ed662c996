//! What clients do: generators, clients, and the loop that drives them.
//!
//! A generator says what to ask next, purely and from a seed; a [`Client`] asks one node and says what came of it as an [`Answer`];
//! [`drive`] keeps many of them busy and records everything; [`final_reads`] asks every node once more when all is healed;
//! [`keep_probing`] tells meanwhile when each node could be used.
//! [`Simulation`] does without nodes: it makes up a history, for those who measure checkers.

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
