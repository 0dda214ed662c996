//! What a client can ask of a node, what it is told, and what the server's loop takes in.

use std::{collections::BTreeMap, fmt, sync::mpsc::SyncSender};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    kv::{Applied, Command},
    raft::{Elections, LogIndex, NodeId, Role, Term},
    transport::Frame,
};

/// How a read is made sure of, if at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Any node, from its own state, at once.
    Local,
    /// Whoever believes it leads, from its own state.
    Leader,
    /// The leader while its lease runs.
    Lease,
    /// Any node, after it has applied what the leader of a majority has committed.
    #[default]
    Quorum,
    /// The leader, as an entry of the log.
    Log,
}

impl Mode {
    pub(crate) const ALL: [Self; 5] = [Self::Local, Self::Leader, Self::Lease, Self::Quorum, Self::Log];

    /// What a client may expect of it.
    pub(crate) fn promise(self, elections: Elections) -> &'static str {
        match (self, elections) {
            (Self::Local, _) => "from this node's own state, which may be old",
            (Self::Leader, Elections::Basic) => {
                "from whoever believes that it leads; stale while a deposed leader is cut off"
            }
            (Self::Leader, Elections::CheckQuorum) => {
                "from whoever believes that it leads; stale until a deposed leader steps down, an election timeout later"
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

/// A request that the loop carries out, here or where the leader is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Reads a key.
    Read {
        /// The key.
        key: String,
        /// How.
        mode: Mode,
    },
    /// Changes something.
    Write(Command),
}

/// Whether a request that failed may have taken effect, or may still do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Happened {
    /// Certainly not, and never will: no log can hold it.
    No,
    /// Nobody knows.
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reason {
    /// This node knows no leader, or was taken for one and is none.
    NoLeader,
    /// This node leads, but no majority answers it.
    Deserted,
    /// The leader is known, but no link to it works.
    Unreachable(NodeId),
    /// Too many requests wait already.
    Overloaded,
    /// No answer in time.
    Deadline,
    /// Another leader's entry was committed in its place.
    Superseded,
    /// What was asked elsewhere had no answer when this node's leader or term changed.
    LeaderChanged,
    /// A lease is worth nothing where voters are not loyal to the one that holds it.
    NoLeases,
    /// The session is not known, or not any more.
    SessionExpired,
    /// The client's sequence number was used before.
    OutOfSequence { latest: u64 },
    /// The node is stopping.
    Stopping,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => f.write_str("no leader"),
            Self::Deserted => f.write_str("no majority answers the leader"),
            Self::Unreachable(leader) => write!(f, "the leader {leader} cannot be reached"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Deadline => f.write_str("no answer in time"),
            Self::Superseded => f.write_str("another leader's entry took the place of this one"),
            Self::LeaderChanged => f.write_str("the leader changed before it answered"),
            Self::NoLeases => f.write_str(
                "lease reads need loyal voters, which basic Raft has not: start every node with --elections check-quorum, or read otherwise",
            ),
            Self::SessionExpired => {
                f.write_str("the session has expired, or never was: begin another with POST /v1/sessions")
            }
            Self::OutOfSequence { latest } => {
                write!(f, "the client's latest command has number {latest}, and is another one")
            }
            Self::Stopping => f.write_str("the node is stopping"),
        }
    }
}

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) happened: Happened,
}

/// What became of a request, and which node says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The node that carried it out; of a read, the one whose state was read.
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) result: Result<Applied, Failure>,
}

/// What a node says of itself; `GET /v1/status`.
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
    pub(crate) members: Vec<NodeId>,
    /// What leaders and voters owe each other here.
    pub(crate) elections: Elections,
    /// What each mode promises under these elections.
    pub(crate) read_modes: BTreeMap<Mode, &'static str>,
    /// How long the node may still answer `lease` reads without asking, by its own clock.
    pub(crate) lease_remaining_ms: Option<u64>,
    pub(crate) counters: Counters,
}

/// Counts since the node started.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counters {
    /// Frames for peers: Raft's messages, forwarded requests and their answers.
    pub(crate) messages_sent: u64,
    pub(crate) fsyncs: u64,
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

/// What the server's loop takes in.
#[derive(Debug)]
pub(crate) enum Input {
    /// From a client of this node.
    Client(Request, oneshot::Sender<Reply>),
    /// From a peer.
    Peer(NodeId, Frame),
    /// Somebody wants to know how things are.
    Status(oneshot::Sender<StatusReport>),
    /// To end.
    Stop,
}

/// The bounded way into the loop. Whoever finds it full drops what it has, or says so.
pub(crate) type Inputs = SyncSender<Input>;
