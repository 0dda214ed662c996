//! Requests of clients, and their results.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    kv::{Command, CommandResult, Digest, Query},
    raft::{Change, ChangeRefusal, Elections, LogIndex, Membership, NodeId, Role, Term},
};

/// Method by which a read is protected against staleness, if at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReadMode {
    /// Read of any node's own state, at once.
    Local,
    /// Read of the own state of a node that believes it leads.
    Leader,
    /// Read of the leader's state while its lease runs.
    Lease,
    /// Read on any node, after it has applied everything up to a read index that the leader confirmed with a quorum.
    #[default]
    Quorum,
    /// Read by the leader, as an entry of the log.
    Log,
}

impl ReadMode {
    pub(crate) const ALL: [Self; 5] = [Self::Local, Self::Leader, Self::Lease, Self::Quorum, Self::Log];

    /// Returns a description of the guarantee of this mode.
    pub(crate) fn promise(self, elections: Elections) -> &'static str {
        match (self, elections) {
            (Self::Local, _) => "from this node's own state, which may be old",
            (Self::Leader, Elections::Basic) => {
                "from a node that believes it leads; stale while a deposed leader is cut off"
            }
            (Self::Leader, Elections::CheckQuorum) => {
                "from a node that believes it leads; stale until a deposed leader steps down, an election timeout \
                later"
            }
            (Self::Lease, Elections::Basic) => {
                "refused: voters that are not loyal can elect another while the lease runs"
            }
            (Self::Lease, Elections::CheckQuorum) => {
                "linearizable while no voter's clock outruns the leader's by too much"
            }
            (Self::Quorum | Self::Log, _) => "linearizable",
        }
    }
}

/// Request that the loop carries out, here or at the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Question about the state.
    Read {
        /// Question to answer.
        query: Query,
        /// Method of the read.
        mode: ReadMode,
    },
    /// Command that changes the state.
    Write(Command),
    /// Change of the members.
    Change(Change),
    /// Transfer of the leadership, to this node if one is named.
    Transfer(Option<NodeId>),
}

/// Effect of a failed request, past or still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// Certainly none, now and for ever: no log can hold the request.
    No,
    /// Unknown effect.
    Unknown,
}

/// Reason why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reason {
    /// Lack of a known leader; or this node was asked as the leader without being it.
    NoLeader,
    /// Leadership without answers from a majority.
    NoQuorum,
    /// The leader is known, but there is no working link to it.
    Unreachable(NodeId),
    /// Too many requests wait already.
    Overloaded,
    /// Deadline passed without an answer.
    Deadline,
    /// Entry of another leader committed in its place.
    Superseded,
    /// The request was forwarded, and not answered when this node's leader or term changed.
    LeaderChanged,
    /// Leases do not hold under basic elections, where voters may elect another leader at any time.
    NoLeases,
    /// The session is unknown or expired.
    SessionExpired,
    /// The client's sequence number was used before.
    OutOfSequence { latest: u64 },
    /// The members cannot be changed so, or the leadership is being transferred.
    Change(ChangeRefusal),
    /// The node is stopping.
    Stopping,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => f.write_str("no leader"),
            Self::NoQuorum => f.write_str("no majority answers the leader"),
            Self::Unreachable(leader) => write!(f, "the leader {leader} cannot be reached"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Deadline => f.write_str("no answer in time"),
            Self::Superseded => f.write_str("another leader's entry took the place of this one"),
            Self::LeaderChanged => f.write_str("the leader changed before it answered"),
            Self::NoLeases => f.write_str(
                "lease reads need loyal voters, which basic Raft does not have: start every node with --elections \
                check-quorum, or use another read mode",
            ),
            Self::SessionExpired => {
                f.write_str("the session has expired, or never was: begin another with POST /v1/sessions")
            }
            Self::OutOfSequence { latest } => {
                write!(f, "the client's latest command has number {latest}, and is a different one")
            }
            Self::Change(refusal) => refusal.fmt(f),
            Self::Stopping => f.write_str("the node is stopping"),
        }
    }
}

/// Failure of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) effect: Effect,
}

/// Result of a request, with the node that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// Node that carried the request out; for a read, the one whose state was read.
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) result: Result<CommandResult, Failure>,
}

/// Status of a node; the body of `GET /v1/status`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatusReport {
    pub(crate) id: NodeId,
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) leader: Option<NodeId>,
    pub(crate) commit: LogIndex,
    pub(crate) applied: LogIndex,
    pub(crate) first_index: LogIndex,
    pub(crate) last_index: LogIndex,
    pub(crate) members: BTreeSet<NodeId>,
    /// Configuration in force, which may not be committed yet.
    pub(crate) membership: MembershipReport,
    /// Obligations between leaders and voters in this cluster.
    pub(crate) elections: Elections,
    /// Name of the planted defect, if the node has one.
    pub(crate) defect: Option<&'static str>,
    /// Guarantee of each mode under these elections.
    pub(crate) read_modes: BTreeMap<ReadMode, &'static str>,
    /// Remaining time, by the node's own clock, in which it may answer `lease` reads without asking.
    pub(crate) lease_remaining_ms: Option<u64>,
    pub(crate) counters: Counters,
    /// State at some indices that all nodes share, and as it is now.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// State of a node right after it applied an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Checkpoint {
    pub(crate) index: LogIndex,
    /// Term of that entry.
    pub(crate) term: Term,
    /// Digest of the replicated state, which is the same on all nodes.
    pub(crate) digest: Digest,
}

/// Configuration that is in force on a node; the body of `GET /v1/members`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MembershipReport {
    voters: BTreeSet<NodeId>,
    /// Voters that are being left; empty unless the configuration is joint.
    outgoing: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    /// True if no change is under way, as far as this node knows.
    is_complete: bool,
}

impl MembershipReport {
    /// Describes a configuration, whose entry may be committed or not.
    pub(crate) fn new(membership: &Membership, is_committed: bool) -> Self {
        Self {
            voters: membership.voters.clone(),
            outgoing: membership.outgoing.clone(),
            learners: membership.learners.keys().copied().collect(),
            is_complete: is_committed && !membership.is_intermediate(),
        }
    }
}

/// Counts since the node started.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counters {
    /// Frames for peers: Raft messages, forwarded requests and their answers.
    pub(crate) messages_sent: u64,
    pub(crate) fsyncs: u64,
    /// Snapshots of its own state that it began to make.
    pub(crate) snapshots_begun: u64,
    /// Writes; reads through the log are counted as reads.
    pub(crate) proposals: u64,
    pub(crate) reads: ReadCounters,
}

/// Reads that this node answered or tried to answer itself, by mode.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ReadCounters {
    pub(crate) local: u64,
    pub(crate) leader: u64,
    pub(crate) lease: u64,
    pub(crate) quorum: u64,
    pub(crate) log: u64,
}
