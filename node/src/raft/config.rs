//! Configuration of the core, and the durable state that it starts from.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Entry, HardState, LogIndex, NodeId, Snapshot};
use crate::defect::Defect;

/// Obligations between a leader and its voters, beyond the votes themselves. The two variants must not be mixed in
/// one cluster: voters that wait for a live leader, together with a leader that never steps down, could prevent any
/// further election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elections {
    /// Figure 2 and no more: a leader leads until it hears of a later term, and voters vote for any candidate that
    /// qualifies. A leader that no quorum answers announces it, and its followers look for another one.
    Basic,
    /// A leader that no quorum answers steps down (dissertation §6.2), and a node that hears from a leader votes for
    /// nobody else (§6, dissertation §4.2.3). Leases depend on this.
    #[default]
    CheckQuorum,
}

/// Settings of the core; the same on every member except for `id`, `seed` and `life`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Identifier of this node.
    pub id: NodeId,
    /// Identifiers of the members with which the cluster began, each once; the log knows those of later.
    pub members: Vec<NodeId>,
    /// Shortest time without a leader after which a node campaigns: the timer is drawn from `[t, 2t)` (§5.2). A leader
    /// that no quorum has answered for this long has lost its quorum; under `CheckQuorum`, a voter that heard from a
    /// leader votes for nobody else for this long.
    pub election_timeout: Duration,
    /// Interval between heartbeats of a leader; well below `election_timeout`.
    pub heartbeat_interval: Duration,
    /// Time for which a leader may answer reads, counted from the start of a round that a quorum acknowledged. Below
    /// `election_timeout`; the quotient is how much faster than the leader's clock a voter's clock may run.
    pub lease: Duration,
    /// Obligations between leaders and voters.
    pub elections: Elections,
    /// Maximum number of entries in one message.
    pub max_batch_entries: usize,
    /// Maximum bytes of entries in one message; a single larger entry is still sent, alone.
    pub max_batch_bytes: u64,
    /// Maximum number of messages with entries in flight to one follower.
    pub max_inflight: usize,
    /// Bytes of entries in flight to one follower at which the leader stops sending more.
    pub max_inflight_bytes: u64,
    /// Maximum bytes of uncommitted entries that a leader accepts; a single larger entry is still accepted, alone.
    pub max_uncommitted_bytes: u64,
    /// Number of entries before the end of the node's own snapshot that stay in memory, for followers that lag a
    /// little.
    pub trailing_entries: u64,
    /// Maximum bytes of these entries.
    pub trailing_bytes: u64,
    /// Maximum bytes of a snapshot in one message.
    pub snapshot_chunk_bytes: usize,
    /// Seed of the timers. The same seed and the same inputs give the same timers.
    pub seed: u64,
    /// Seed of the read contexts, fresh for each start of the process whatever `seed` is, so that an answer to a
    /// question from an earlier start never confirms a later one.
    pub life: u64,
    /// Planted defect; `None` for a sound node.
    pub defect: Option<Defect>,
}

/// Error in a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// There are no members.
    #[error("a cluster has members")]
    NoMembers,
    /// A member is listed twice.
    #[error("member {0} is listed twice")]
    DuplicateMember(NodeId),
    /// A setting that must be positive is zero.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// A duration that must be shorter than `election_timeout` is not.
    #[error("{name} ({value:?}) must be shorter than election_timeout ({election_timeout:?})")]
    NotBelowElectionTimeout {
        /// Name of the setting.
        name: &'static str,
        /// Value it was set to.
        value: Duration,
        /// Election timeout that it must stay below.
        election_timeout: Duration,
    },
}

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// Returns the first error found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.members.is_empty() {
            return Err(ConfigError::NoMembers);
        }
        let mut sorted = self.members.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ConfigError::DuplicateMember(twice[0]));
        }
        let positive = [
            ("election_timeout", self.election_timeout.is_zero()),
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

    /// Returns true if the node has this planted defect.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Returns the time for which a leader trusts the answers of a quorum if the rule says `span`.
    pub(super) fn trusted(&self, span: Duration) -> Duration {
        if self.has(Defect::LongLease) { span * 4 } else { span }
    }
}

/// Durable state at the start of the node; the default is a node that never ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    /// Current term, and the vote in it.
    pub hard_state: HardState,
    /// Newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// Log after the snapshot, without a gap.
    pub entries: Vec<Entry>,
}

/// Reason why a node cannot start.
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
    /// A term that is below the term of the entry before it, or above the stored current term. It may be the
    /// snapshot's.
    #[error("the stored entry {0} has a term that its neighbours or the stored term rule out")]
    Term(LogIndex),
    /// A configuration that no leader can have made.
    #[error("the stored entry {0} has a configuration without voters")]
    Membership(LogIndex),
}
