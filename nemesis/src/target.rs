//! Targets of faults: their names, as users type them, and their words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::node_id::NodeId;

/// Targets, as a user names them.
pub const TARGETS: &str = "leader, deposed-leader, follower, random, minority, majority, all, or a node such as n1";

/// Target of a fault, resolved to nodes when the fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Current leader. Among several nodes that claim to lead, the one with the highest term: see
    /// [`crate::leader_of`].
    Leader,
    /// Node that another has replaced as the leader, best one that does not know it yet.
    DeposedLeader,
    /// One healthy node that is not the leader, drawn from the seed.
    Follower,
    /// Node whose clock is already skewed; the leader if there is none.
    #[serde(rename = "bent")]
    Skewed,
    /// One healthy node, drawn from the seed.
    Random,
    /// Maximum number of healthy nodes that the cluster can lose, drawn from the seed.
    Minority,
    /// Smallest majority, drawn from the seed. Never drawn itself, only requested by name.
    Majority,
    /// Whole cluster, as in a power cut. Never drawn, only requested by name.
    All,
    /// One given node. Never drawn, only requested by name.
    Node(NodeId),
}

/// Targets that have names of their own.
const NAMED: [(&str, Target); 7] = [
    ("leader", Target::Leader),
    ("deposed-leader", Target::DeposedLeader),
    ("follower", Target::Follower),
    ("random", Target::Random),
    ("minority", Target::Minority),
    ("majority", Target::Majority),
    ("all", Target::All),
];

/// Error for a word that is no target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` cannot be aimed at; there are: {TARGETS}")]
pub struct UnknownTarget(String);

impl Target {
    /// Returns true if somebody must say who leads.
    pub(crate) fn needs_leader(self) -> bool {
        match self {
            Self::Leader | Self::DeposedLeader | Self::Follower | Self::Skewed => true,
            Self::Random | Self::Minority | Self::Majority | Self::All | Self::Node(_) => false,
        }
    }

    /// Returns the name that [`FromStr`] reads.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Node(node) => node.to_string(),
            Self::Skewed => Self::Leader.name(),
            _ => NAMED.iter().find(|(_, target)| *target == self).expect("the others are named").0.to_owned(),
        }
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        if let Some((_, target)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*target);
        }
        match text.strip_prefix('n').and_then(|number| number.parse().ok()) {
            Some(number) if number > 0 => Ok(Self::Node(NodeId(number))),
            _ => Err(UnknownTarget(text.into())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("the leader"),
            Self::DeposedLeader => f.write_str("the deposed leader"),
            Self::Follower => f.write_str("a random follower"),
            Self::Skewed => f.write_str("the node with the skewed clock"),
            Self::Random => f.write_str("a random node"),
            Self::Minority => f.write_str("a random minority"),
            Self::Majority => f.write_str("a random majority"),
            Self::All => f.write_str("all nodes"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_listed_and_read_back() {
        let names: Vec<&str> = TARGETS.split(", ").collect();
        assert_eq!(names[..NAMED.len()], NAMED.map(|(name, _)| name));
        for (name, target) in NAMED {
            assert_eq!((name.parse(), target.name()), (Ok(target), name.to_owned()));
        }
        assert_eq!("n12".parse(), Ok(Target::Node(NodeId(12))));
        for wrong in ["n0", "n", "nobody", "Leader", "n1.5", ""] {
            assert_eq!(wrong.parse::<Target>(), Err(UnknownTarget(wrong.into())));
        }
    }
}
