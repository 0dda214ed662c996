//! Hosts, processes, networks and clocks, and everything that can be broken about them.
//!
//! A run enters a sandbox first ([`enter`]), asks what the host can do ([`probe`]), makes [`Hosts`], starts nodes through
//! [`Nemesis`], and lets it inject and heal what [`plan`] has drawn from the seed. Faults are plain data; nothing here
//! knows what the nodes are, who their clients are, or how a run is recorded.

mod capabilities;
mod clock;
mod doctor;
mod error;
mod fault;
pub mod grudge;
mod host;
mod ledger;
mod nemesis;
mod net;
mod process;
mod random;
mod resolve;
mod sandbox;
mod schedule;
mod spec;

pub use capabilities::{Capabilities, Capability, Need, Unsupported};
pub use clock::ClockFile;
pub use doctor::probe;
pub use error::Error;
pub use fault::{Fault, FaultId, NodeId, Outcome, Resolved, Shape, Target};
pub use grudge::Grudge;
pub use host::{Host, Hosts, free_ports};
pub use nemesis::Nemesis;
pub use net::{Command, CommandError, Firewall, Log, Ran};
pub use process::{NodeCommand, NodeProcess};
pub use resolve::leader_of;
pub use sandbox::{Entry, Sandbox, SandboxError, enter};
pub use schedule::{Planned, ScheduleOptions, plan};
pub use spec::{FaultSpec, FaultSpecs, SpecError};
