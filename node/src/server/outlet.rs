//! Everything that leaves a node: frames to peers, and answers to clients.

use std::{fmt::Debug, net::SocketAddr};

use tokio::sync::oneshot;

use crate::{
    frame::Frame,
    raft::{Entry, NodeId},
    request::Reply,
    transport::Links,
};

/// Way out of a node.
pub(crate) trait Outlet: Debug {
    /// Way back to a client that asked this node.
    type Client: Debug;

    /// Hands a frame to the link to a peer; returns false if it was certainly not sent and never will be.
    fn send(&mut self, to: NodeId, frame: Frame) -> bool;

    /// Returns the number of frames handed over so far.
    fn sent(&self) -> u64;

    /// Makes a link to a peer that joined later, unless there is one.
    fn connect(&mut self, peer: NodeId, address: SocketAddr);

    /// Answers a client, which may be gone.
    fn answer(&mut self, client: Self::Client, reply: Reply);

    /// Takes note of an entry that the state machine has applied, if anybody outside wants to know.
    fn applied(&mut self, _entry: &Entry) {}
}

impl Outlet for Links {
    type Client = oneshot::Sender<Reply>;

    fn send(&mut self, to: NodeId, frame: Frame) -> bool {
        Self::send(self, to, frame)
    }

    fn sent(&self) -> u64 {
        Self::sent(self)
    }

    fn connect(&mut self, peer: NodeId, address: SocketAddr) {
        Self::connect(self, peer, address);
    }

    fn answer(&mut self, client: Self::Client, reply: Reply) {
        client.send(reply).ok(); // an error means that the client is gone
    }
}
