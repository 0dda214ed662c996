//! Hosts, processes, networks, clocks and disks, and all faults that can be injected into them.
//!
//! A run enters a sandbox first ([`enter`]), determines what the host can do ([`probe`]), creates [`Hosts`], starts
//! nodes through [`Nemesis`], and lets it inject and heal the faults that [`plan`] has drawn from the seed. Faults
//! are plain data; nothing here knows what the nodes are, who their clients are, or how a run is recorded.
//!
//! ```no_run
//! use std::{sync::Arc, thread, time::{Duration, Instant}};
//! use nemesis::{Entry, Hosts, Leaders, Nemesis, NodeCommand, NodeId, NodeLog, ScheduleOptions};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = match nemesis::enter()? {
//!         Entry::Over { exit_code } => std::process::exit(exit_code.into()),
//!         Entry::Inside(sandbox) => sandbox,
//!     };
//!     let can = nemesis::probe(nemesis::PartitionBy::Netlink);
//!     let plan = nemesis::plan(7, &ScheduleOptions { nodes: 3, ..ScheduleOptions::default() });
//!     plan.iter().try_for_each(|planned| can.supports(&planned.fault, true))?;
//!     let hosts = Hosts::create(3, &sandbox, &can, Arc::new(|ran| eprintln!("{}", ran.command)))?;
//!     let mut nemesis = Nemesis::new(hosts);
//!     for node in [1, 2, 3].map(NodeId) {
//!         let address = nemesis.hosts().get(node)?.address;
//!         nemesis.start(node, NodeCommand {
//!             program: "/proc/self/exe".into(),
//!             args: vec!["node".into(), format!("{address}:7000").into()],
//!             first_args: vec![],
//!             beside: vec![],
//!             ordinary: false,
//!             view: nemesis::OwnView::default(),
//!             env: vec![],
//!             stop: nemesis::Stop::default(),
//!             stop_within: Duration::from_secs(5),
//!             log: NodeLog::new(format!("store/{node}.log")),
//!             clock: Some(format!("store/{node}.clock").into()),
//!         })?;
//!     }
//!     let began = Instant::now();
//!     for planned in &plan {
//!         thread::sleep(planned.at.saturating_sub(began.elapsed()));
//!         let current = nemesis::leader_of(&[(NodeId(1), 4), (NodeId(2), 5)]);
//!         let outcome = nemesis.inject(planned, Leaders { current, deposed: None })?;
//!         thread::sleep(planned.until().saturating_sub(began.elapsed()));
//!         if let Some(id) = outcome.id() {
//!             nemesis.heal(id)?;
//!         }
//!     }
//!     nemesis.heal_all()?;
//!     nemesis.stop_all()?;
//!     Ok(())
//! }
//! ```

mod capabilities;
mod capture;
mod clock;
mod disk;
mod doctor;
mod error;
mod fault;
mod fault_kind;
pub mod grudge;
mod host;
mod ledger;
mod limit;
mod links;
mod members;
mod memory;
mod nemesis;
mod net;
mod network;
mod node_id;
mod node_log;
mod ordinary;
mod own_view;
mod packet;
mod parent;
mod partition_by;
mod pinned;
mod planned;
mod possible;
mod process;
mod process_group;
mod random;
mod resolve;
mod sandbox;
mod schedule;
mod sequence;
mod shape;
mod spawner;
mod spec;
mod spec_options;
mod starvation;
mod strays;
mod target;
mod timing;
mod trigger;
mod turns;

pub use capabilities::{Capabilities, Capability, Need, NodeNeed, Unsupported};
pub use capture::CaptureCounts;
pub use clock::{ClockFile, Clocks, Skew, SkewWay};
pub use disk::{Damage, DiskFault, EntryRule, LossMode};
pub use doctor::probe;
pub use error::Error;
pub use fault::{Fault, FaultId, Outcome, ResolvedFault};
pub use fault_kind::{FaultKind, Parameter};
pub use grudge::Grudge;
pub use host::{Host, Hosts, free_ports};
pub use ledger::Ledger;
pub use limit::Limit;
pub use links::Links;
pub use members::{Answer, MemberChange, MemberRequest, Operator};
pub use memory::HostMemory;
pub use nemesis::Nemesis;
pub use net::{CommandError, FinishedCommand, Firewall, Log, Partitioner, quoted};
pub use node_id::NodeId;
pub use node_log::NodeLog;
pub use ordinary::run_as_ordinary;
pub use own_view::OwnView;
pub use packet::{AfterReset, Checksum, PacketCounts, PacketFault};
pub use partition_by::PartitionBy;
pub use pinned::Hit;
pub use planned::{Aim, PlannedFault};
pub use possible::ImpossibleFault;
pub use process::{NodeCommand, NodeProcess, Stop};
pub use resolve::{Leaders, leader_of};
pub use sandbox::{Entry, Sandbox, SandboxError, end_with, enter, outer_process};
pub use schedule::{ScheduleOptions, ScriptedTurn, plan, plan_script};
pub use shape::{SHAPES, Shape, UnknownShape};
pub use spec::{FaultSpec, SpecError};
pub use spec_options::OptionError;
pub use target::{TARGETS, Target, UnknownTarget};
pub use timing::{FaultTiming, Spread};
pub use trigger::{ClusterEvent, Trigger};
pub use turns::{FaultSpecs, Turn};
