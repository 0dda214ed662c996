//! What can be broken, as plain data: faults as they are planned, and as they are aimed at named nodes.
//! Nothing here touches a process or a network; `Nemesis` carries a fault out.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::grudge::Grudge;

/// The number of a node, from 1; written `n1`, which is also the name of its host's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("n{}", self.0))
    }
}

/// Whom a fault is meant for; who that is gets decided when the fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The node that leads. Of several that claim to, the one with the highest term: see [`crate::leader_of`].
    Leader,
    /// The node whose clock is already bent; where there is none, the leader.
    Bent,
    /// One healthy node, drawn from the seed.
    Random,
    /// As many healthy nodes as the cluster can lose, drawn from the seed.
    Minority,
    /// Every node, as in a power cut. Asked for by name only.
    All,
    /// This very node. Asked for by name only.
    Node(NodeId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("the leader"),
            Self::Bent => f.write_str("the node with the bent clock"),
            Self::Random => f.write_str("a random node"),
            Self::Minority => f.write_str("a random minority"),
            Self::All => f.write_str("all nodes"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

/// How a partition divides the nodes. Clients keep reaching every node in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The target against all others, in both directions.
    Isolate(Target),
    /// A random half (the smaller one first) against the rest.
    Halves,
    /// One random node either is not heard by the others or does not hear them.
    OneWay,
    /// Two random halves that share one node, which sees both.
    Bridge,
    /// Every node sees a majority, no two see the same one.
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

/// A fault as it is planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL, and a restart with the same data when it is healed.
    Kill {
        /// Whose process ends.
        target: Target,
    },
    /// SIGSTOP, and SIGCONT when it is healed. Connections stay open meanwhile.
    Pause {
        /// Whose process stands still.
        target: Target,
    },
    /// Nodes silently drop the packets of others.
    Partition {
        /// Who no longer hears whom.
        shape: Shape,
    },
    /// The clock that a node reads runs wrong.
    Clock {
        /// Whose clock.
        target: Target,
        /// Seconds that this clock counts in one true second.
        rate: f64,
        /// Nanoseconds added at once.
        jump_ns: i64,
    },
}

impl Fault {
    /// `kill`, `pause`, `partition` or `clock`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Pause { .. } => "pause",
            Self::Partition { .. } => "partition",
            Self::Clock { .. } => "clock",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { target } => write!(f, "kill {target}"),
            Self::Pause { target } => write!(f, "pause {target}"),
            Self::Partition { shape } => shape.fmt(f),
            Self::Clock { target, rate, jump_ns } => write_clock(f, target, *rate, *jump_ns),
        }
    }
}

fn write_clock(f: &mut fmt::Formatter<'_>, whose: &dyn fmt::Display, rate: f64, jump_ns: i64) -> fmt::Result {
    write!(f, "bend the clock of {whose} to {rate} of its speed")?;
    if jump_ns == 0 { Ok(()) } else { write!(f, " and {:+} ms", jump_ns / 1_000_000) }
}

/// A fault aimed at named nodes: what is really done, and what the ledger keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolved {
    /// These processes end.
    Kill {
        /// Not empty.
        nodes: BTreeSet<NodeId>,
    },
    /// These processes stand still.
    Pause {
        /// Not empty.
        nodes: BTreeSet<NodeId>,
    },
    /// These packets are dropped.
    Partition {
        /// As planned.
        shape: Shape,
        /// Who drops whose packets.
        grudge: Grudge,
    },
    /// These clocks are bent.
    Clock {
        /// Not empty.
        nodes: BTreeSet<NodeId>,
        /// Seconds that the clock counts in one true second.
        rate: f64,
        /// Nanoseconds added at once.
        jump_ns: i64,
    },
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { nodes } => write!(f, "kill {}", names(nodes)),
            Self::Pause { nodes } => write!(f, "pause {}", names(nodes)),
            Self::Partition { shape, grudge } => write!(f, "{shape}: {grudge}"),
            Self::Clock { nodes, rate, jump_ns } => write_clock(f, &names(nodes), *rate, *jump_ns),
        }
    }
}

/// The nodes' names with spaces between: `n1 n3`.
pub(crate) fn names(nodes: &BTreeSet<NodeId>) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

/// The number under which a fault in force can be healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

/// What came of injecting a fault. A failure of the harness is none of these, but an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in force.
    Installed {
        /// What to heal it by.
        id: FaultId,
        /// Whom it hit.
        fault: Resolved,
    },
    /// Nothing was done.
    Skipped {
        /// In words, e.g. `no node claims to lead`.
        why: String,
    },
    /// It may be in force, wholly or in part; heal it like one that is.
    Indeterminate {
        /// What to heal it by.
        id: FaultId,
        /// Whom it was meant for.
        fault: Resolved,
        /// In words.
        why: String,
    },
}

impl Outcome {
    /// The number to heal by; none when nothing was done.
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
        assert_eq!(words(clock), "bend the clock of the leader to 0.2 of its speed");
        let nodes = BTreeSet::from([NodeId(1), NodeId(2)]);
        let bent = Resolved::Clock { nodes, rate: 1.0, jump_ns: -1_500_000_000 };
        assert_eq!(bent.to_string(), "bend the clock of n1 n2 to 1 of its speed and -1500 ms");
    }

    #[test]
    fn faults_and_outcomes_survive_json() {
        let fault = Fault::Partition { shape: Shape::Isolate(Target::Node(NodeId(2))) };
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(text, r#"{"partition":{"shape":{"isolate":{"node":2}}}}"#);
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
        let fault = Resolved::Kill { nodes: BTreeSet::from([NodeId(1)]) };
        let outcome = Outcome::Indeterminate { id: FaultId(7), fault, why: "w".into() };
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
    }
}
