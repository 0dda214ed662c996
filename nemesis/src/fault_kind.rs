//! Kinds of faults, and what everybody who must tell them apart asks of one. Each answer is a match without a default,
//! so that a new kind does not compile before it has them all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Targets, as a user names them.
pub const TARGETS: &str = "leader, random, minority, all, or a node such as n1";
/// Shapes of partitions, as a user names them.
pub const SHAPES: &str = "isolate-leader, isolate-random, halves, one-way, bridge, ring";

/// Defines the kinds, and the list of all of them.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident,)+) => {
        /// Kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultKind {
            $($(#[$about])* $kind,)+
        }

        impl FaultKind {
            /// All kinds, in the order in which users see them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
        }
    };
}

kinds! {
    /// A process ends, and starts again when it is healed.
    Kill,
    /// A process stands still.
    Pause,
    /// Nodes do not hear each other.
    Partition,
    /// A clock is skewed.
    Clock,
}

/// Parameter of a fault, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Name, or the placeholder of one that is given by its value alone.
    pub name: &'static str,
    /// Possible values, with their units.
    pub values: &'static str,
    /// Value, or what decides, where it is left out.
    pub default: &'static str,
}

/// Target that the schedule draws where none is given.
const TARGET: Parameter = Parameter { name: "TARGET", values: TARGETS, default: "drawn: leader, random or minority" };

impl FaultKind {
    /// Returns the name, as in `--faults` and in the events of a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Clock => "clock",
        }
    }

    /// Returns the form in which a user asks for it, with its options in brackets.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Kill => "kill[:TARGET]",
            Self::Pause => "pause[:TARGET]",
            Self::Partition => "partition[:SHAPE]",
            Self::Clock => "clock[:rate=R,jump=TIME,target=TARGET]",
        }
    }

    /// Returns its effect in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL, and a restart after a while",
            Self::Pause => "SIGSTOP, and SIGCONT after a while",
            Self::Partition => "nodes drop the packets of others",
            Self::Clock => "skews a node's clock; before a partition, it is the isolated node's",
        }
    }

    /// Returns what a user can set.
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Kill | Self::Pause => &[TARGET],
            Self::Partition => &[Parameter { name: "SHAPE", values: SHAPES, default: "drawn" }],
            Self::Clock => &[
                Parameter { name: "rate", values: "clock seconds per second, 0 to 1000", default: "0.2" },
                Parameter { name: "jump", values: "time, -1d to 1d, such as 500ms", default: "0s" },
                Parameter { name: "target", values: TARGETS, default: "leader" },
            ],
        }
    }

    /// Returns what it needs of the system under test, if anything.
    pub fn needs_of_system(self) -> Option<&'static str> {
        match self {
            Self::Clock => Some("nodes that read a clock file"),
            Self::Kill | Self::Pause | Self::Partition => None,
        }
    }

    /// Returns the kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Returns true if the processes of the nodes end: their roles and clocks are lost with them.
    pub fn ends_processes(self) -> bool {
        match self {
            Self::Kill => true,
            Self::Pause | Self::Partition | Self::Clock => false,
        }
    }

    /// Returns true if the processes of the nodes live on, but answer nobody.
    pub fn silences_processes(self) -> bool {
        match self {
            Self::Pause => true,
            Self::Kill | Self::Partition | Self::Clock => false,
        }
    }

    /// Returns true if it can hide from a running node that the others go on without it.
    pub fn cuts_nodes_off(self) -> bool {
        match self {
            Self::Pause | Self::Partition => true,
            Self::Kill | Self::Clock => false,
        }
    }

    /// Returns true if it changes the clocks of nodes.
    pub fn skews_clocks(self) -> bool {
        match self {
            Self::Clock => true,
            Self::Kill | Self::Pause | Self::Partition => false,
        }
    }

    /// Returns true if each node must have a network of its own, as in a sandbox.
    pub fn needs_separate_networks(self) -> bool {
        match self {
            Self::Partition => true,
            Self::Kill | Self::Pause | Self::Clock => false,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::FaultKind;

    #[test]
    fn each_kind_has_one_name() {
        for &kind in FaultKind::ALL {
            assert_eq!(FaultKind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
            assert_eq!(kind.usage().split('[').next(), Some(kind.name()));
        }
        assert_eq!(FaultKind::from_name("none"), None);
    }
}
