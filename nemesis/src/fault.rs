//! Faults as plain data, both as planned and as aimed at named nodes. Nothing here touches a process or a network;
//! `Nemesis` carries a fault out.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::{Clocks, Skew, SkewWay};
use crate::disk::DiskFault;
use crate::fault_kind::FaultKind;
use crate::grudge::Grudge;
use crate::limit::Limit;
use crate::links::Links;
use crate::members::{MemberChange, MemberRequest};
use crate::node_id::{NodeId, names};
use crate::packet::PacketFault;
use crate::shape::Shape;
use crate::spec_options::time_in_words;
use crate::target::Target;

/// Fault as planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL, and a restart with the same data when it is healed.
    Kill {
        /// Target whose process is killed.
        target: Target,
    },
    /// SIGSTOP, and SIGCONT when it is healed. Connections stay open meanwhile.
    Pause {
        /// Target whose process is stopped.
        target: Target,
    },
    /// Request to end, as the system has it, and a restart with the same data when it is healed.
    Restart {
        /// Target whose process is asked to end.
        target: Target,
    },
    /// SIGSTOP and SIGCONT in turn, many times a second.
    Starve {
        /// Target whose process is starved.
        target: Target,
        /// Percentage of the time in which it may run, 1 to 99.
        cpu_percent: u8,
        /// Time from one SIGSTOP to the next, ms.
        period_ms: u64,
    },
    /// Limit of what the processes may have of the host.
    Limit {
        /// Target whose processes are limited.
        target: Target,
        /// The limit.
        limit: Limit,
    },
    /// Partition: nodes silently drop the packets of others.
    Partition {
        /// Shape of the partition.
        shape: Shape,
    },
    /// Clock skew: the clock that a node reads runs at a wrong rate, or jumps.
    Clock {
        /// Target whose clock is skewed.
        target: Target,
        /// Skew of that clock.
        #[serde(flatten)]
        skew: Skew,
    },
    /// Fault of the packets on links.
    Packets {
        /// Shape of a partition, which would cut these links.
        shape: Shape,
        /// Fault of each packet.
        fault: PacketFault,
    },
    /// Fault of a disk.
    Disk {
        /// Target whose disk is at fault.
        target: Target,
        /// Fault of the disk.
        fault: DiskFault,
    },
    /// Changes the members, or the leader among them.
    Members {
        /// Node that is removed or replaced, or becomes the leader; an added one is drawn.
        target: Target,
        /// Kind of change.
        change: MemberChange,
    },
}

impl Fault {
    /// Returns true if somebody must say who leads.
    pub fn needs_leader(&self) -> bool {
        let by_shape = matches!(self, Self::Partition { shape } | Self::Packets { shape, .. } if shape.needs_leader());
        by_shape || self.target().is_some_and(Target::needs_leader)
    }

    /// Returns true if the fault is aimed at a leader that another has replaced.
    pub fn needs_deposed_leader(&self) -> bool {
        self.target() == Some(Target::DeposedLeader)
    }

    fn target(&self) -> Option<Target> {
        match self {
            Self::Kill { target }
            | Self::Pause { target }
            | Self::Restart { target }
            | Self::Starve { target, .. }
            | Self::Limit { target, .. }
            | Self::Clock { target, .. }
            | Self::Disk { target, .. } => Some(*target),
            Self::Members { target, change } => (*change != MemberChange::Add).then_some(*target),
            Self::Partition { shape } | Self::Packets { shape, .. } => shape.target(),
        }
    }

    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Kill { .. } => FaultKind::Kill,
            Self::Pause { .. } => FaultKind::Pause,
            Self::Restart { .. } => FaultKind::Restart,
            Self::Starve { .. } => FaultKind::Starve,
            Self::Limit { limit, .. } => limit.kind(),
            Self::Partition { .. } => FaultKind::Partition,
            Self::Clock { .. } => FaultKind::Clock,
            Self::Packets { fault, .. } => fault.kind(),
            Self::Disk { fault, .. } => fault.kind(),
            Self::Members { change, .. } => change.kind(),
        }
    }

    /// Returns true if a random number decides something even when it is known whom it hits.
    pub fn draws_in_force(&self) -> bool {
        matches!(self, Self::Packets { .. } | Self::Disk { .. })
    }

    /// Returns the fault of a disk, if it is one.
    pub fn of_disk(&self) -> Option<DiskFault> {
        if let Self::Disk { fault, .. } = self { Some(*fault) } else { None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { target } => write!(f, "kill {target}"),
            Self::Pause { target } => write!(f, "pause {target}"),
            Self::Restart { target } => write!(f, "restart {target}"),
            Self::Starve { target, cpu_percent, period_ms } => write_starve(f, target, *cpu_percent, *period_ms),
            Self::Limit { target, limit } => limit.write(f, target),
            Self::Partition { shape } => shape.fmt(f),
            Self::Packets { shape, fault } => write!(f, "{fault} where a partition would {shape}"),
            Self::Clock { target, skew } => write_clock(f, target, *skew),
            Self::Disk { target, fault } => fault.write(f, target),
            Self::Members { target, change } => match change {
                MemberChange::Add => f.write_str("add a node"),
                MemberChange::Remove => write!(f, "remove {target}"),
                MemberChange::Replace => write!(f, "replace {target}"),
                MemberChange::Transfer => write!(f, "transfer the leadership to {target}"),
            },
        }
    }
}

fn write_starve(f: &mut fmt::Formatter<'_>, whom: &dyn fmt::Display, percent: u8, period_ms: u64) -> fmt::Result {
    write!(f, "let {whom} run for {percent} % of each {}", time_in_words(period_ms))
}

fn write_clock(f: &mut fmt::Formatter<'_>, whose: &dyn fmt::Display, skew: Skew) -> fmt::Result {
    write!(f, "skew the clock of {whose} to {} of its speed", skew.rate)?;
    if skew.jump_ns != 0 {
        let sign = if skew.jump_ns < 0 { '-' } else { '+' };
        write!(f, " and {sign}{}", time_in_words(skew.jump_ns.unsigned_abs() / 1_000_000))?;
    }
    if let Some(period_ms) = skew.strobe_ms {
        write!(f, ", there and back every {}", time_in_words(period_ms))?;
    }
    f.write_str(if skew.clocks == Clocks::All { ", monotonic ones too" } else { "" })?;
    f.write_str(if skew.by == Some(SkewWay::Vdso) { ", through the vDSO" } else { "" })
}

/// Fault aimed at named nodes: the effect on the cluster, as kept in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolvedFault {
    /// Kill of these nodes' processes.
    Kill {
        /// Nodes to kill; not empty.
        nodes: BTreeSet<NodeId>,
    },
    /// Pause of these nodes' processes.
    Pause {
        /// Nodes to pause; not empty.
        nodes: BTreeSet<NodeId>,
    },
    /// Restart of these nodes' processes.
    Restart {
        /// Nodes to restart; not empty.
        nodes: BTreeSet<NodeId>,
    },
    /// Starvation of these nodes' processes.
    Starve {
        /// Nodes to starve; not empty.
        nodes: BTreeSet<NodeId>,
        /// Percentage of the time in which they may run.
        cpu_percent: u8,
        /// Time from one SIGSTOP to the next, ms.
        period_ms: u64,
    },
    /// Limit of what these nodes' processes may have of the host.
    Limit {
        /// Nodes whose processes are limited; not empty.
        nodes: BTreeSet<NodeId>,
        /// The limit.
        limit: Limit,
    },
    /// Partition that drops these packets.
    Partition {
        /// Shape, as planned.
        shape: Shape,
        /// Nodes whose packets each node drops.
        grudge: Grudge,
    },
    /// Skew of these nodes' clocks.
    Clock {
        /// Nodes with a skewed clock; not empty.
        nodes: BTreeSet<NodeId>,
        /// Skew of their clocks.
        #[serde(flatten)]
        skew: Skew,
    },
    /// Fault of the packets on these links.
    Packets {
        /// Shape, as planned.
        shape: Shape,
        /// Links; not empty.
        links: Links,
        /// Fault of each packet.
        fault: PacketFault,
    },
    /// Fault of these nodes' disks.
    Disk {
        /// Nodes whose disk is at fault; not empty.
        nodes: BTreeSet<NodeId>,
        /// Fault of each disk.
        fault: DiskFault,
    },
    /// Changes the members, or the leader among them.
    Members {
        /// Change to ask for.
        request: MemberRequest,
    },
}

impl ResolvedFault {
    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Kill { .. } => FaultKind::Kill,
            Self::Pause { .. } => FaultKind::Pause,
            Self::Restart { .. } => FaultKind::Restart,
            Self::Starve { .. } => FaultKind::Starve,
            Self::Limit { limit, .. } => limit.kind(),
            Self::Partition { .. } => FaultKind::Partition,
            Self::Clock { .. } => FaultKind::Clock,
            Self::Packets { fault, .. } => fault.kind(),
            Self::Disk { fault, .. } => fault.kind(),
            Self::Members { request } => request.change().kind(),
        }
    }

    /// Returns the nodes that are themselves at fault: hit in their processes, or with a skewed clock or a faulty disk;
    /// none for a partition or a fault of packets, which lie between nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let nodes = match self {
            Self::Kill { nodes }
            | Self::Pause { nodes }
            | Self::Restart { nodes }
            | Self::Starve { nodes, .. }
            | Self::Limit { nodes, .. }
            | Self::Clock { nodes, .. }
            | Self::Disk { nodes, .. } => Some(nodes),
            Self::Partition { .. } | Self::Packets { .. } | Self::Members { .. } => None,
        };
        let named = if let Self::Members { request } = self { Some(request.nodes()) } else { None };
        nodes.into_iter().flatten().copied().chain(named.into_iter().flatten())
    }
}

impl fmt::Display for ResolvedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { nodes } => write!(f, "kill {}", names(nodes)),
            Self::Pause { nodes } => write!(f, "pause {}", names(nodes)),
            Self::Restart { nodes } => write!(f, "restart {}", names(nodes)),
            Self::Starve { nodes, cpu_percent, period_ms } => write_starve(f, &names(nodes), *cpu_percent, *period_ms),
            Self::Limit { nodes, limit } => limit.write(f, &names(nodes)),
            Self::Partition { shape, grudge } => write!(f, "{shape}: {grudge}"),
            Self::Packets { links, fault, .. } => write!(f, "{fault} {links}"),
            Self::Clock { nodes, skew } => write_clock(f, &names(nodes), *skew),
            Self::Disk { nodes, fault } => fault.write(f, &names(nodes)),
            Self::Members { request } => request.fmt(f),
        }
    }
}

/// Identifier under which a fault in force can be healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

/// Outcome of injecting a fault. A failure of the harness is not an outcome, but an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The fault is in force.
    Installed {
        /// Identifier for healing.
        id: FaultId,
        /// Fault, with the nodes that it hit.
        fault: ResolvedFault,
    },
    /// The fault was skipped without effect.
    Skipped {
        /// Reason in words, e.g. `no node claims to lead`.
        why: String,
    },
    /// The fault may be in force, wholly or in part; it must be healed like one that is.
    Indeterminate {
        /// Identifier for healing.
        id: FaultId,
        /// Fault, with the nodes that it was aimed at.
        fault: ResolvedFault,
        /// Reason in words.
        why: String,
    },
}

impl Outcome {
    /// Returns the identifier for healing; `None` if nothing was done.
    pub fn id(&self) -> Option<FaultId> {
        match self {
            Self::Installed { id, .. } | Self::Indeterminate { id, .. } => Some(*id),
            Self::Skipped { .. } => None,
        }
    }

    /// Returns the fault with the nodes that it was aimed at; `None` if nothing was done.
    pub fn fault(&self) -> Option<&ResolvedFault> {
        match self {
            Self::Installed { fault, .. } | Self::Indeterminate { fault, .. } => Some(fault),
            Self::Skipped { .. } => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { fault, .. } => write!(f, "installed: {fault}"),
            Self::Skipped { why } => write!(f, "skipped: {why}"),
            Self::Indeterminate { fault, why, .. } => write!(f, "indeterminate: {fault}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_a_sentence() {
        let words = |fault: Fault| fault.to_string();
        assert_eq!(words(Fault::Kill { target: Target::Node(NodeId(3)) }), "kill n3");
        assert_eq!(words(Fault::Pause { target: Target::Minority }), "pause a random minority");
        assert_eq!(words(Fault::Partition { shape: Shape::Isolate(Target::Leader) }), "isolate the leader");
        let starve = Fault::Starve { target: Target::Leader, cpu_percent: 20, period_ms: 25 };
        assert_eq!(words(starve), "let the leader run for 20 % of each 25 ms");
        let slow = Skew { rate: 0.2, ..Skew::NONE };
        let clock = Fault::Clock { target: Target::Leader, skew: slow };
        assert_eq!(words(clock), "skew the clock of the leader to 0.2 of its speed");
        let nodes = BTreeSet::from([NodeId(1), NodeId(2)]);
        let skew = Skew { jump_ns: -1_500_000_000, ..Skew::NONE };
        let skewed = ResolvedFault::Clock { nodes: nodes.clone(), skew };
        assert_eq!(skewed.to_string(), "skew the clock of n1 n2 to 1 of its speed and -1.5 s");
        let skew = Skew { strobe_ms: Some(200), clocks: Clocks::All, by: Some(SkewWay::Vdso), ..skew };
        let told = "skew the clock of n1 n2 to 1 of its speed and -1.5 s, there and back every 200 ms, \
                    monotonic ones too, through the vDSO";
        assert_eq!(ResolvedFault::Clock { nodes, skew }.to_string(), told);
    }

    #[test]
    fn a_clock_of_earlier_versions_is_read_and_written_as_it_was() {
        let kept = r#"{"clock":{"target":"leader","rate":0.2,"jump_ns":-5}}"#;
        let fault = Fault::Clock { target: Target::Leader, skew: Skew { rate: 0.2, jump_ns: -5, ..Skew::NONE } };
        assert_eq!(serde_json::from_str::<Fault>(kept).unwrap(), fault);
        assert_eq!(serde_json::to_string(&fault).unwrap(), kept);
    }

    #[test]
    fn a_fault_knows_whether_somebody_must_say_who_leads() {
        for (shape, leader, deposed) in [
            (Shape::Halves, false, false),
            (Shape::LeaderInMinority, true, false),
            (Shape::Mute(Target::Follower), true, false),
            (Shape::Clients(Target::DeposedLeader), true, true),
            (Shape::Isolate(Target::Random), false, false),
        ] {
            let fault = Fault::Partition { shape };
            assert_eq!((fault.needs_leader(), fault.needs_deposed_leader()), (leader, deposed), "{fault}");
        }
    }

    #[test]
    fn faults_and_outcomes_survive_json() {
        let fault = Fault::Partition { shape: Shape::Isolate(Target::Node(NodeId(2))) };
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(text, r#"{"partition":{"shape":{"isolate":{"node":2}}}}"#);
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
        assert_eq!(serde_json::to_string(&Target::Skewed).unwrap(), r#""bent""#, "plans of old can be read");
        let fault = ResolvedFault::Kill { nodes: BTreeSet::from([NodeId(1)]) };
        let outcome = Outcome::Indeterminate { id: FaultId(7), fault, why: "w".into() };
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
    }
}
