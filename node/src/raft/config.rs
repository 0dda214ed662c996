//! What the core is told when it starts: its settings, and what a former life of the node left on disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Entry, HardState, LogIndex, NodeId, Snapshot};

/// What a leader and its voters owe each other, beyond the votes themselves. A cluster has one of the two: loyal voters with a leader that
/// clings to its office would keep each other from ever electing anybody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elections {
    /// Figure 2 and no more: a leader leads until it hears of a later term, and voters vote whomever they hear. A leader that no quorum
    /// answers says so, and its followers look for another one.
    Basic,
    /// A leader that no quorum answers steps down (dissertation §6.2), and who hears a leader votes for nobody else (§6, dissertation
    /// §4.2.3). Leases rest on this.
    #[default]
    CheckQuorum,
}

/// The core's settings; the same on every member but for `id`, `seed` and `life`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// All members, this node among them, each once.
    pub members: Vec<NodeId>,
    /// The shortest time without a leader after which a node campaigns: the timer is drawn from `[t, 2t)` (§5.2). A leader that no quorum
    /// has answered for this long is deserted; a loyal voter that heard from a leader votes for nobody else for this long.
    pub election_timeout: Duration,
    /// How often a leader makes itself heard; well below `election_timeout`.
    pub heartbeat_interval: Duration,
    /// How long a leader may answer reads from the moment at which a round left that a quorum acknowledged. Below
    /// `election_timeout`; the quotient is how much faster than the leader's a voter's clock may run.
    pub lease: Duration,
    /// What leaders and voters owe each other.
    pub elections: Elections,
    /// The most entries in one message.
    pub max_batch_entries: usize,
    /// The most bytes of entries in one message; a single larger entry still goes, alone.
    pub max_batch_bytes: u64,
    /// The most messages with entries that may be under way to one follower.
    pub max_inflight: usize,
    /// The bytes of entries under way to one follower at which no further message follows.
    pub max_inflight_bytes: u64,
    /// The most bytes of entries that a leader takes while they are not committed; a single larger one still goes, alone.
    pub max_uncommitted_bytes: u64,
    /// How many entries before the end of the node's own snapshot stay in memory, for followers that lag a little.
    pub trailing_entries: u64,
    /// The most bytes of these.
    pub trailing_bytes: u64,
    /// The most bytes of a snapshot in one message.
    pub snapshot_chunk_bytes: usize,
    /// Decides the timers. The same seed and the same inputs give the same ones.
    pub seed: u64,
    /// Fresh for each start of the process, whatever the seed is: what this life asks others, no answer to another life may confirm.
    pub life: u64,
}

/// What is wrong with a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// `id` is not in `members`.
    #[error("{0} is not among the members")]
    NotAMember(NodeId),
    /// A member is listed twice.
    #[error("member {0} is listed twice")]
    DuplicateMember(NodeId),
    /// A setting that must be positive is zero.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// A duration that must be shorter than `election_timeout` is not.
    #[error("{name} ({value:?}) must be shorter than election_timeout ({election_timeout:?})")]
    NotBelowElectionTimeout {
        /// Which setting.
        name: &'static str,
        /// What it was set to.
        value: Duration,
        /// The bound.
        election_timeout: Duration,
    },
}

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.members.contains(&self.id) {
            return Err(ConfigError::NotAMember(self.id));
        }
        let mut sorted = self.members.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ConfigError::DuplicateMember(twice[0]));
        }
        let positive = [
            ("heartbeat_interval", self.heartbeat_interval.is_zero()),
            ("lease", self.lease.is_zero()),
            ("max_batch_entries", self.max_batch_entries == 0),
            ("max_batch_bytes", self.max_batch_bytes == 0),
            ("max_inflight", self.max_inflight == 0),
            ("max_inflight_bytes", self.max_inflight_bytes == 0),
            ("max_uncommitted_bytes", self.max_uncommitted_bytes == 0),
            ("snapshot_chunk_bytes", self.snapshot_chunk_bytes == 0),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, zero)| *zero) {
            return Err(ConfigError::Zero(name));
        }
        for (name, value) in [("heartbeat_interval", self.heartbeat_interval), ("lease", self.lease)] {
            if value >= self.election_timeout {
                return Err(ConfigError::NotBelowElectionTimeout {
                    name,
                    value,
                    election_timeout: self.election_timeout,
                });
            }
        }
        Ok(())
    }

    /// The other members.
    pub(super) fn peers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.iter().copied().filter(|&member| member != self.id)
    }

    /// How many members make a majority.
    pub(super) fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }
}

/// What was durable when the node started; the default is a node that never ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Term and vote.
    pub hard_state: HardState,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The log after the snapshot, without a gap.
    pub entries: Vec<Entry>,
}

/// Why a node cannot start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The stored log has a gap, or does not begin right after the snapshot.
    #[error("the stored log has entry {found} where {expected} belongs")]
    Gap {
        /// The index that should come next.
        expected: LogIndex,
        /// The index that came.
        found: LogIndex,
    },
    /// A stored entry's, or the snapshot's, term is below the one before it, or above the stored term.
    #[error("the stored entry {0} has a term that its neighbours or the stored term rule out")]
    Term(LogIndex),
}
