//! Inputs of the server's loop, from clients and from peers.

use std::{net::SocketAddr, sync::mpsc::SyncSender};

use tokio::sync::oneshot;

use crate::{
    frame::Frame,
    raft::NodeId,
    request::{Reply, Request, StatusReport},
};

/// Input of the server's loop; `C` is the way back to a client.
#[derive(Debug)]
pub(crate) enum Input<C = oneshot::Sender<Reply>> {
    /// Request of a client of this node.
    Client(Request, C),
    /// Frame from a peer.
    Peer(NodeId, Frame),
    /// Link from a peer that joined later, with the address at which it can be reached.
    Joined(NodeId, SocketAddr),
    /// Request for the node's status.
    Status(oneshot::Sender<StatusReport>),
    /// Request to stop.
    Stop,
}

/// Bounded queue into the loop. A sender that finds it full drops its input, or reports an overload.
pub(crate) type Inputs = SyncSender<Input>;
