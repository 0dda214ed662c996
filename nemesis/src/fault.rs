//! Faults as plain data, both as planned and as aimed at named nodes. Nothing here touches a process or a network;
//! `Nemesis` carries a fault out.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::disk::DiskFault;
use crate::fault_kind::FaultKind;
use crate::grudge::Grudge;
use crate::node_id::{NodeId, names};

/// Target of a fault, resolved to nodes when the fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Current leader. Among several nodes that claim to lead, the one with the highest term: see
    /// [`crate::leader_of`].
    Leader,
    /// Node whose clock is already skewed; the leader if there is none.
    #[serde(rename = "bent")]
    Skewed,
    /// One healthy node, drawn from the seed.
    Random,
    /// Maximum number of healthy nodes that the cluster can lose, drawn from the seed.
    Minority,
    /// Whole cluster, as in a power cut. Never drawn, only requested by name.
    All,
    /// One given node. Never drawn, only requested by name.
    Node(NodeId),
}

impl Target {
    fn needs_leader(self) -> bool {
        match self {
            Self::Leader | Self::Skewed => true,
            Self::Random | Self::Minority | Self::All | Self::Node(_) => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("the leader"),
            Self::Skewed => f.write_str("the node with the skewed clock"),
            Self::Random => f.write_str("a random node"),
            Self::Minority => f.write_str("a random minority"),
            Self::All => f.write_str("all nodes"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// Division of the nodes by a partition. Clients can always reach every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Target against all other nodes, in both directions.
    Isolate(Target),
    /// Random half (the smaller one if they differ) against the rest.
    Halves,
    /// Random node that either is not heard by the others or does not hear them.
    OneWay,
    /// Two random halves that share one node, which sees both.
    Bridge,
    /// Majorities ring: every node sees a majority, and no two see the same one.
    Ring,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolate(target) => write!(f, "isolate {target}"),
            Self::Halves => f.write_str("split the nodes into halves"),
            Self::OneWay => f.write_str("cut one direction of a random node"),
            Self::Bridge => f.write_str("split the nodes into halves that share one node"),
            Self::Ring => f.write_str("let every node see a different majority"),
        }
    }
}

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
    /// Partition: nodes silently drop the packets of others.
    Partition {
        /// Shape of the partition.
        shape: Shape,
    },
    /// Clock skew: the clock that a node reads runs at a wrong rate, or jumps.
    Clock {
        /// Target whose clock is skewed.
        target: Target,
        /// Seconds that this clock advances in one true second.
        rate: f64,
        /// Nanoseconds added at once.
        jump_ns: i64,
    },
    /// Fault of a disk.
    Disk {
        /// Target whose disk is at fault.
        target: Target,
        /// Fault of the disk.
        fault: DiskFault,
    },
}

impl Fault {
    /// Returns true if the fault is aimed at the leader, now or where nothing else is known.
    pub fn needs_leader(&self) -> bool {
        match self {
            Self::Kill { target } | Self::Pause { target } | Self::Clock { target, .. } | Self::Disk { target, .. } => {
                target.needs_leader()
            }
            Self::Partition { shape } => match shape {
                Shape::Isolate(target) => target.needs_leader(),
                Shape::Halves | Shape::OneWay | Shape::Bridge | Shape::Ring => false,
            },
        }
    }

    /// Returns the kind of fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Kill { .. } => FaultKind::Kill,
            Self::Pause { .. } => FaultKind::Pause,
            Self::Partition { .. } => FaultKind::Partition,
            Self::Clock { .. } => FaultKind::Clock,
            Self::Disk { fault, .. } => fault.kind(),
        }
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
            Self::Partition { shape } => shape.fmt(f),
            Self::Clock { target, rate, jump_ns } => write_clock(f, target, *rate, *jump_ns),
            Self::Disk { target, fault } => fault.write(f, target),
        }
    }
}

fn write_clock(f: &mut fmt::Formatter<'_>, whose: &dyn fmt::Display, rate: f64, jump_ns: i64) -> fmt::Result {
    write!(f, "skew the clock of {whose} to {rate} of its speed")?;
    if jump_ns == 0 { Ok(()) } else { write!(f, " and {:+} ms", jump_ns / 1_000_000) }
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
        /// Seconds that the clock advances in one true second.
        rate: f64,
        /// Nanoseconds added at once.
        jump_ns: i64,
    },
    /// Fault of these nodes' disks.
    Disk {
        /// Nodes whose disk is at fault; not empty.
        nodes: BTreeSet<NodeId>,
        /// Fault of each disk.
        fault: DiskFault,
    },
}

impl ResolvedFault {
    /// Returns the nodes that are themselves at fault: killed, paused, or with a skewed clock or a faulty disk; none
    /// for a partition, which lies between nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let nodes = match self {
            Self::Kill { nodes } | Self::Pause { nodes } | Self::Clock { nodes, .. } | Self::Disk { nodes, .. } => {
                Some(nodes)
            }
            Self::Partition { .. } => None,
        };
        nodes.into_iter().flatten().copied()
    }
}

impl fmt::Display for ResolvedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { nodes } => write!(f, "kill {}", names(nodes)),
            Self::Pause { nodes } => write!(f, "pause {}", names(nodes)),
            Self::Partition { shape, grudge } => write!(f, "{shape}: {grudge}"),
            Self::Clock { nodes, rate, jump_ns } => write_clock(f, &names(nodes), *rate, *jump_ns),
            Self::Disk { nodes, fault } => fault.write(f, &names(nodes)),
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
        let clock = Fault::Clock { target: Target::Leader, rate: 0.2, jump_ns: 0 };
        assert_eq!(words(clock), "skew the clock of the leader to 0.2 of its speed");
        let nodes = BTreeSet::from([NodeId(1), NodeId(2)]);
        let skewed = ResolvedFault::Clock { nodes, rate: 1.0, jump_ns: -1_500_000_000 };
        assert_eq!(skewed.to_string(), "skew the clock of n1 n2 to 1 of its speed and -1500 ms");
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
