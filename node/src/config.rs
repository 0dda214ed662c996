//! Settings of a node, with units, defaults and bounds. Nothing here reads a command line or a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use crate::{
    defect::Defect,
    error::ConfigError,
    raft::{self, Elections, NodeId},
};

/// Maximum number of members of a cluster.
pub const MAX_MEMBERS: usize = raft::MAX_VOTERS;
/// Maximum number of entries in one message.
const MAX_BATCH_ENTRIES: usize = 512;
/// Maximum bytes of entries in one message, unless its first entry alone is larger.
const MAX_BATCH_BYTES: u64 = 1 << 20;
/// Maximum number of messages with entries in flight to one follower.
const MAX_INFLIGHT: usize = 64;
/// Bytes of entries in flight to one follower at which the leader stops sending more.
const MAX_INFLIGHT_BYTES: u64 = 8 << 20;
/// Maximum bytes of entries that a leader accepts before they are committed.
const MAX_UNCOMMITTED_BYTES: u64 = 32 << 20;
/// Maximum bytes of entries that stay in memory before the end of a snapshot, for followers that lag a little; the
/// number of such entries is at most half of those between two snapshots.
const TRAILING_BYTES: u64 = 16 << 20;
/// Size of one chunk of a snapshot sent to a follower.
const SNAPSHOT_CHUNK_BYTES: usize = 1 << 18;
/// Maximum value of `max_body_bytes`: an entry has to fit into one message with room to spare.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Maximum value of a timeout.
const MAX_TIMEOUT: Duration = Duration::from_mins(1);

/// Settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Identifier of this member of the cluster.
    pub id: NodeId,
    /// Address at which each member with which the cluster began listens for its peers. Every node must be given the
    /// same map, also one that joins later.
    pub peers: BTreeMap<NodeId, SocketAddr>,
    /// Address at which this node listens for its peers if it is none of these, but joins later: it waits until the
    /// cluster is asked to add it.
    pub join: Option<SocketAddr>,
    /// Address at which this node serves clients.
    pub client_addr: SocketAddr,
    /// Directory of the state that must survive a restart. It must not be shared between nodes.
    pub data_dir: PathBuf,
    /// True if the node is new: `data_dir` is created if missing, and must be empty. Otherwise it must hold the
    /// node's state.
    pub init: bool,
    /// File that skews this node's clock from outside, written with [`clock_line`](crate::clock_line). Without
    /// it the clock runs correctly.
    pub clock_file: Option<PathBuf>,
    /// File to which every message, sent and received, is traced; `None` for no trace.
    pub trace_file: Option<PathBuf>,
    /// Shortest time without a leader after which a node may campaign; the actual time is drawn from this to twice as
    /// long, each time.
    pub election_timeout: Duration,
    /// Interval between a leader's heartbeats.
    pub heartbeat_interval: Duration,
    /// Time after the start of a confirmed round of heartbeats for which a leader may answer `lease` reads without a
    /// new round.
    pub lease: Duration,
    /// Obligations between leaders and voters; the same on every member. Lease reads are refused in basic Raft.
    pub elections: Elections,
    /// Number of applied entries after which the log is replaced by a snapshot.
    pub snapshot_after_entries: u64,
    /// Time after which an unfinished request is answered with 504.
    pub request_timeout: Duration,
    /// Maximum size of a request's body, in bytes.
    pub max_body_bytes: usize,
    /// Seed of the randomised timeouts, and of nothing else; drawn at each start if not given.
    pub seed: Option<u64>,
    /// Planted defect; `None` for a sound node.
    pub defect: Option<Defect>,
}

impl Config {
    /// Returns the defaults: elections after 300 ms, with check-quorum; heartbeats every 40 ms; a lease of 90 % of
    /// the election timeout; snapshots every 10,000 entries; requests that end after 2 s; bodies up to 64 KiB.
    pub fn new(
        id: NodeId,
        peers: BTreeMap<NodeId, SocketAddr>,
        client_addr: SocketAddr,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        let election_timeout = Duration::from_millis(300);
        Self {
            id,
            peers,
            join: None,
            client_addr,
            data_dir: data_dir.into(),
            init: false,
            clock_file: None,
            trace_file: None,
            election_timeout,
            heartbeat_interval: Duration::from_millis(40),
            lease: Self::default_lease(election_timeout),
            elections: Elections::default(),
            snapshot_after_entries: 10_000,
            request_timeout: Duration::from_secs(2),
            max_body_bytes: 64 << 10,
            seed: None,
            defect: None,
        }
    }

    /// Returns the default lease, which leaves some room for clocks that differ: 90 % of the election timeout.
    pub fn default_lease(election_timeout: Duration) -> Duration {
        election_timeout * 9 / 10
    }

    /// Checks these settings.
    ///
    /// # Errors
    /// Returns the first setting that cannot work, by name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.raft(0).validate()?;
        let check = |ok, setting, problem| if ok { Ok(()) } else { Err(ConfigError::Setting { setting, problem }) };
        let addresses: BTreeSet<_> = self.peers.values().collect();
        let own = self.peers.get(&self.id).or(self.join.as_ref());
        let is_first = self.peers.contains_key(&self.id);
        check(is_first || self.join.is_some(), "join", "a node that is not among the peers needs an address")?;
        check(!is_first || self.join.is_none(), "join", "this node is among the peers already")?;
        check(self.join.is_none_or(|own| !addresses.contains(&own)), "join", "is a peer's address")?;
        check(self.id.0 > 0, "id", "ids start at 1")?;
        check(self.peers.len() <= MAX_MEMBERS, "peers", "at most 9 members")?;
        check(self.peers.keys().all(|id| id.0 > 0), "peers", "ids start at 1")?;
        check(addresses.len() == self.peers.len(), "peers", "two members have the same address")?;
        check(own != Some(&self.client_addr), "client_addr", "is this node's peer address")?;
        check(
            self.heartbeat_interval * 2 <= self.election_timeout,
            "heartbeat_interval",
            "at most half the election timeout, or followers campaign against a healthy leader",
        )?;
        check(self.election_timeout <= MAX_TIMEOUT, "election_timeout", "at most 60 s")?;
        check(self.snapshot_after_entries > 0, "snapshot_after_entries", "at least 1")?;
        check(!self.request_timeout.is_zero(), "request_timeout", "more than nothing")?;
        check(self.request_timeout <= MAX_TIMEOUT, "request_timeout", "at most 60 s")?;
        check((1..=MAX_BODY_BYTES).contains(&self.max_body_bytes), "max_body_bytes", "from 1 byte to 1 MiB")
    }

    /// Returns the address at which this node listens for its peers; the settings must be valid.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.join.unwrap_or_else(|| self.peers[&self.id])
    }

    /// Returns the ids of the members with which the cluster began, in ascending order.
    pub(crate) fn members(&self) -> Vec<NodeId> {
        self.peers.keys().copied().collect()
    }

    /// Returns the configuration of the Raft core. `life` is fresh in each start of the process; it is also the seed
    /// if this configuration has none.
    pub(crate) fn raft(&self, life: u64) -> raft::Config {
        raft::Config {
            id: self.id,
            members: self.members(),
            election_timeout: self.election_timeout,
            heartbeat_interval: self.heartbeat_interval,
            lease: self.lease,
            elections: self.elections,
            max_batch_entries: MAX_BATCH_ENTRIES,
            max_batch_bytes: MAX_BATCH_BYTES,
            max_inflight: MAX_INFLIGHT,
            max_inflight_bytes: MAX_INFLIGHT_BYTES,
            max_uncommitted_bytes: MAX_UNCOMMITTED_BYTES,
            trailing_entries: self.snapshot_after_entries / 2,
            trailing_bytes: TRAILING_BYTES,
            snapshot_chunk_bytes: SNAPSHOT_CHUNK_BYTES,
            seed: self.seed.unwrap_or(life),
            life,
            defect: self.defect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let peers =
            (1..=3).map(|id| (NodeId(id), SocketAddr::from(([127, 0, 0, 1], 7000 + u16::try_from(id).unwrap()))));
        Config::new(NodeId(1), peers.collect(), SocketAddr::from(([127, 0, 0, 1], 8001)), "data")
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(config().validate(), Ok(()));
        assert_eq!(config().lease, Duration::from_millis(270));
    }

    #[test]
    fn each_mistake_is_named() {
        type Spoil = fn(&mut Config);
        let spoil: [(&str, Spoil); 12] = [
            ("join: a node that is not among the peers needs", |config| config.id = NodeId(9)),
            ("join: this node is among the peers", |config| config.join = Some(config.client_addr)),
            ("join: is a peer's address", |config| {
                (config.id, config.join) = (NodeId(9), Some(config.peers[&NodeId(1)]));
            }),
            ("peers: ids start at 1", |config| {
                config.peers.insert(NodeId(0), SocketAddr::from(([127, 0, 0, 1], 7000)));
            }),
            ("peers: two members have the same address", |config| {
                config.peers.insert(NodeId(4), config.peers[&NodeId(1)]);
            }),
            ("client_addr: is this node's peer address", |config| config.client_addr = config.peers[&NodeId(1)]),
            ("heartbeat_interval: at most half", |config| config.heartbeat_interval = config.election_timeout * 2 / 3),
            ("election_timeout: at most 60 s", |config| config.election_timeout = Duration::from_secs(61)),
            ("lease (300ms) must be shorter", |config| config.lease = config.election_timeout),
            ("snapshot_after_entries: at least 1", |config| config.snapshot_after_entries = 0),
            ("request_timeout: more than nothing", |config| config.request_timeout = Duration::ZERO),
            ("max_body_bytes: from 1 byte to 1 MiB", |config| config.max_body_bytes = 2 << 20),
        ];
        for (problem, spoil) in spoil {
            let mut config = config();
            spoil(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
