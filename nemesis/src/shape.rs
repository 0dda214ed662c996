//! Shapes of partitions: their names, as users type them, and their words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::target::{Target, UnknownTarget};

/// Shapes, as a user names them.
pub const SHAPES: &str = "isolate-TARGET, cut-off-TARGET, clients-TARGET, mute-TARGET, deaf-TARGET, halves, \
    leader-in-minority, one-way, pair, bridge, ring, random-directed, all-links";

/// Division of the nodes by a partition. Unless the shape says so, clients can reach every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Target against all other nodes, in both directions.
    Isolate(Target),
    /// Target against all other nodes, and out of reach of clients.
    CutOff(Target),
    /// Target out of reach of clients alone.
    Clients(Target),
    /// Target that the others do not hear, but that hears them.
    Mute(Target),
    /// Target that does not hear the others, but that they hear.
    Deaf(Target),
    /// Random half (the smaller one if they differ) against the rest.
    Halves,
    /// Leader with as many followers as make a minority, against a majority.
    LeaderInMinority,
    /// Random node that either is not heard by the others or does not hear them.
    OneWay,
    /// Two random nodes that do not hear each other.
    Pair,
    /// Two random halves that share one node, which sees both.
    Bridge,
    /// Majorities ring: every node sees a majority, and no two see the same one.
    Ring,
    /// Random directions between random nodes, each with a chance of one half, but at least one.
    RandomDirected,
    /// All nodes from each other.
    AllLinks,
}

/// Shapes without a target.
const FIXED: [(&str, Shape); 8] = [
    ("halves", Shape::Halves),
    ("leader-in-minority", Shape::LeaderInMinority),
    ("one-way", Shape::OneWay),
    ("pair", Shape::Pair),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
    ("random-directed", Shape::RandomDirected),
    ("all-links", Shape::AllLinks),
];

/// Makes the shape of a target.
type OfTarget = fn(Target) -> Shape;

/// Shapes of a target, by what precedes its name.
const AIMED: [(&str, OfTarget); 5] = [
    ("isolate-", Shape::Isolate),
    ("cut-off-", Shape::CutOff),
    ("clients-", Shape::Clients),
    ("mute-", Shape::Mute),
    ("deaf-", Shape::Deaf),
];

/// Error for a word that is no shape.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownShape {
    /// The word begins like none.
    #[error("there is no partition `{0}`; there are: {SHAPES}")]
    Name(String),
    /// It ends in no target.
    #[error(transparent)]
    Target(#[from] UnknownTarget),
}

impl Shape {
    /// Returns the target, if it has one.
    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Self::Isolate(target)
            | Self::CutOff(target)
            | Self::Clients(target)
            | Self::Mute(target)
            | Self::Deaf(target) => Some(target),
            Self::Halves
            | Self::LeaderInMinority
            | Self::OneWay
            | Self::Pair
            | Self::Bridge
            | Self::Ring
            | Self::RandomDirected
            | Self::AllLinks => None,
        }
    }

    /// Returns true if somebody must say who leads.
    pub(crate) fn needs_leader(self) -> bool {
        self == Self::LeaderInMinority || self.target().is_some_and(Target::needs_leader)
    }

    /// Returns the name that [`FromStr`] reads.
    pub(crate) fn name(self) -> String {
        if let Some((name, _)) = FIXED.iter().find(|(_, shape)| *shape == self) {
            return (*name).to_owned();
        }
        let target = self.target().expect("a shape without a target is named");
        let (prefix, _) = AIMED.iter().find(|(_, of)| of(target) == self).expect("a shape with a target is listed");
        format!("{prefix}{}", target.name())
    }
}

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(text: &str) -> Result<Self, UnknownShape> {
        if let Some((_, shape)) = FIXED.iter().find(|(name, _)| *name == text) {
            return Ok(*shape);
        }
        let aimed = AIMED.iter().find_map(|(prefix, of)| Some((text.strip_prefix(prefix)?, of)));
        let (target, of) = aimed.ok_or_else(|| UnknownShape::Name(text.into()))?;
        Ok(of(target.parse()?))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolate(target) => write!(f, "isolate {target}"),
            Self::CutOff(target) => write!(f, "cut {target} off from peers and clients"),
            Self::Clients(target) => write!(f, "cut {target} off from clients"),
            Self::Mute(target) => write!(f, "keep the others from hearing {target}"),
            Self::Deaf(target) => write!(f, "keep {target} from hearing the others"),
            Self::Halves => f.write_str("split the nodes into halves"),
            Self::LeaderInMinority => f.write_str("leave the leader in a minority"),
            Self::OneWay => f.write_str("cut one direction of a random node"),
            Self::Pair => f.write_str("cut two random nodes off from each other"),
            Self::Bridge => f.write_str("split the nodes into halves that share one node"),
            Self::Ring => f.write_str("let every node see a different majority"),
            Self::RandomDirected => f.write_str("cut random directions"),
            Self::AllLinks => f.write_str("cut all nodes off from each other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_listed_and_read_back() {
        let listed: Vec<&str> = SHAPES.split(", ").collect();
        let aimed = AIMED.map(|(prefix, _)| format!("{prefix}TARGET"));
        let names: Vec<&str> = aimed.iter().map(String::as_str).chain(FIXED.map(|(name, _)| name)).collect();
        assert_eq!(listed, names);
        for name in listed {
            for target in ["leader", "deposed-leader", "n3", "majority"] {
                let name = name.replace("TARGET", target);
                assert_eq!(name.parse::<Shape>().unwrap().name(), name);
            }
        }
    }

    #[test]
    fn what_is_no_shape_is_named() {
        for (wrong, expected) in [
            ("half", format!("there is no partition `half`; there are: {SHAPES}")),
            ("isolate", format!("there is no partition `isolate`; there are: {SHAPES}")),
            ("isolate-x", "`x` cannot be aimed at; there are: leader, ".to_owned()),
        ] {
            let said = wrong.parse::<Shape>().unwrap_err().to_string();
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}
