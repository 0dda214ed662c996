//! Workloads: generators, clients, and the loop that drives them.
//!
//! A [`Workload`] is one row of [`WORKLOADS`]. Its [`Generator`] returns the next request, purely and from a seed; a
//! [`Client`] sends it to one node and returns an [`Answer`]; a [`Connector`] creates clients of whatever kind the
//! system under test needs, such as those of an [`Api`], which is data. [`drive`] keeps many clients busy and records
//! everything; [`final_reads`] reads from every node once more when all faults are healed; [`keep_probing`] measures
//! meanwhile when each node is available. [`Simulation`] needs no nodes: it generates a history, to measure checkers.

mod answers;
mod api;
mod bank;
mod client;
mod comments;
mod composed;
mod connection;
mod connector;
mod counter;
mod driver;
mod error;
mod final_reads;
mod http;
mod kafka;
mod keys;
mod lock;
mod long_fork;
mod mixed;
mod monotonic;
mod multi_register;
mod outcome;
mod pace;
mod probe;
mod progress;
mod queue;
mod random;
mod register;
mod request;
mod sequential;
mod session;
mod set;
mod shim;
mod simulate;
mod succession;
mod transactions;
mod unique_ids;
mod worker;
mod workload;
mod workloads;

pub use api::{
    Api, ApiClient, ApiConnector, AppliedRule, Exchange, Pointer, RequestLine, RevisionPlace, Statuses, Template,
    Variation, Variations,
};
pub use bank::{ACCOUNTS as BANK_ACCOUNTS, BEGINNING as BANK_BEGINNING};
pub use client::{Client, ClientError, Connect};
pub use connection::{Connection, ConnectionLimits, Message};
pub use connector::{AnyClient, Connector};
pub use driver::{Clients, Load, LoadSummary, drive};
pub use error::DriveError;
pub use final_reads::{FinalReads, UnreadKey, final_reads};
pub use http::{HttpClient, HttpConnector, HttpOptions, MAX_TRIES, http_answer, http_message};
pub use outcome::{Answer, Response};
pub use pace::Pace;
pub use probe::{Availability, NodeProbes, ProbeOptions, Probes, keep_probing};
pub use progress::Progress;
pub use random::Random;
pub use request::{Action, MicroAction, MicroOperation, Request, only_reads};
pub use session::Session;
pub use shim::{ShimClient, ShimConnector, ShimNode, ShimOptions, ShimProblem, ShimProblemKind, ShimProblems};
pub use simulate::{SimulatedModel, Simulation, TransactionSimulation, Violation};
pub use succession::{Ending, Succession};
pub use workload::{Generator, Mix, Workload};
pub use workloads::{WORKLOADS, workload, workload_names};
