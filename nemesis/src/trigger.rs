//! Events of a cluster that a planned fault can wait for.

use serde::{Deserialize, Serialize};

/// Occurrence of an event since the start of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Event that is waited for.
    pub event: ClusterEvent,
    /// Number of the occurrence, from 1.
    pub nth: u32,
}

/// Event of a cluster, as its nodes say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterEvent {
    /// A node leads that did not lead before, or leads again after none did.
    LeaderElected,
    /// No node says any more that it leads.
    LeaderLost,
    /// A node begins to make a snapshot of its state.
    SnapshotBegun,
    /// The leader says that a change of the members is under way, which it did not say before.
    MembersChanging,
}

impl ClusterEvent {
    /// All events.
    pub const ALL: [Self; 4] = [Self::LeaderElected, Self::LeaderLost, Self::SnapshotBegun, Self::MembersChanging];

    /// Returns the name, as in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeaderElected => "leader-elected",
            Self::LeaderLost => "leader-lost",
            Self::SnapshotBegun => "snapshot-begun",
            Self::MembersChanging => "members-changing",
        }
    }

    /// Returns the event of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}
