//! Hosts, processes, networks and clocks, and everything that can be broken about them.

mod clock;
mod fault;
pub mod grudge;
mod ledger;
mod random;
mod resolve;
mod schedule;
mod spec;

pub use clock::ClockFile;
pub use fault::{Fault, FaultId, NodeId, Outcome, Resolved, Shape, Target};
pub use grudge::Grudge;
pub use resolve::leader_of;
pub use schedule::{Planned, ScheduleOptions, plan};
pub use spec::{FaultSpec, FaultSpecs, SpecError};
