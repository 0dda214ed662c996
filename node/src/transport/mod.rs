//! Links between members: each node dials each peer and only writes there; what it hears comes in on the links that others dialled.
//!
//! A link may lose what was given to it, never repeats it, and never blocks the server's loop: what finds no working link or a
//! full queue is dropped, as Raft allows. A link that a partition cut silently must work again soon after the partition heals, so
//! no connection outlives its usefulness: data that nobody acknowledges or makes room for ends it (`TCP_USER_TIMEOUT`; a ping flows
//! when nothing else does). What was queued on a dead connection is never sent on the next one.

mod accept;
mod codec;
mod dial;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, runtime};

use crate::{
    event::Log,
    kv::{Applied, Json, Op},
    raft::{Body, Entry, Message, NodeId, Payload},
    request::{Reply, Request},
};

pub(crate) use accept::accept_links;
use dial::Link;

/// Raised when frames change.
const VERSION: u32 = 3;
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// How long to wait before dialling again. With the time above, a healed link is back within 300 ms.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// How long data may stay unacknowledged, or wait for the peer to read.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// How often something is written, so that a dead link shows even when there is nothing to say.
const PING_INTERVAL: Duration = Duration::from_millis(100);
/// How long an incoming link may be silent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Frames that wait for one peer.
const QUEUE_FRAMES: usize = 1024;
/// Bytes of entries and snapshots that wait for one peer; one larger frame may wait alone.
const QUEUE_BYTES: usize = 32 << 20;
/// Frames in one write.
const BATCH_FRAMES: usize = 64;
/// Largest frame. An entry holds at most two bodies of 1 MiB, whose numbers may grow fivefold when they are written out.
const MAX_FRAME_BYTES: usize = 16 << 20;
/// Largest first frame, either way.
const MAX_HELLO_BYTES: usize = 64;
/// Incoming connections that have not said yet who they are; the oldest is closed when another comes.
const MAX_STRANGERS: usize = 32;

/// What peers tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// Nothing: the link is alive.
    Ping,
    /// Raft's own.
    Raft {
        /// Fresh in each life of the sender: joins what its trace tells to what the receiver's does.
        id: u64,
        /// What it says.
        message: Message,
    },
    /// A request that only a leader can answer, with an id that is fresh in each life of the sender.
    Forward {
        /// Names the request in the answer.
        id: u64,
        /// What is asked.
        request: Request,
    },
    /// The answer to it.
    Forwarded {
        /// That of the request.
        id: u64,
        /// What became of it.
        reply: Reply,
    },
}

impl Frame {
    /// About how much memory it holds besides itself.
    fn weight(&self) -> usize {
        match self {
            Self::Raft { message, .. } => match &message.body {
                Body::AppendEntries { entries, .. } => entries.iter().map(entry_weight).sum(),
                Body::InstallSnapshot { data, .. } => data.len(),
                _ => 0,
            },
            Self::Forward { request: Request::Write(command), .. } => match &command.op {
                Op::Get { .. } | Op::Register => 0,
                Op::Put { value, .. } => value.as_str().len(),
                Op::Cas { from, to, .. } => value_weight(from.as_ref()) + to.as_str().len(),
            },
            Self::Forwarded { reply, .. } => match &reply.result {
                Ok(Applied::Got(found)) => value_weight(found.value.as_ref()),
                Ok(Applied::Cas { observed, .. }) => value_weight(observed.as_ref()),
                _ => 0,
            },
            Self::Ping | Self::Forward { .. } => 0,
        }
    }
}

fn entry_weight(entry: &Entry) -> usize {
    let command = if let Payload::Command(command) = &entry.payload { command.len() } else { 0 };
    size_of::<Entry>() + command
}

fn value_weight(value: Option<&Json>) -> usize {
    value.map_or(0, |value| value.as_str().len())
}

/// The first thing on a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    version: u32,
    /// Checksum of all members and their addresses: two clusters on one host often have the same ids.
    cluster: u32,
    from: NodeId,
    to: NodeId,
}

impl Hello {
    /// What `from` says to `to` in the cluster of `peers`.
    pub(crate) fn new(from: NodeId, to: NodeId, peers: &BTreeMap<NodeId, SocketAddr>) -> Self {
        let members = postcard::to_stdvec(peers).expect("ids and addresses are plain data");
        Self { version: VERSION, cluster: crc32c::crc32c(&members), from, to }
    }
}

/// The answer to a [`Hello`] that is welcome; any other is answered by closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Welcome;

/// The outgoing links of a node.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<NodeId, Link>,
    sent: u64,
}

impl Links {
    /// Dials every peer but `id`, for as long as this value lives.
    pub(crate) fn dial(runtime: &runtime::Handle, id: NodeId, peers: &BTreeMap<NodeId, SocketAddr>, log: &Log) -> Self {
        let others = peers.iter().filter(|(peer, _)| **peer != id);
        let dial = |(peer, address): (&NodeId, &SocketAddr)| {
            (*peer, Link::dial(runtime, *address, Hello::new(id, *peer, peers), log.clone()))
        };
        Self { links: others.map(dial).collect(), sent: 0 }
    }

    /// Queues a frame; false if it was certainly not sent and never will be.
    pub(crate) fn send(&mut self, to: NodeId, frame: Frame) -> bool {
        let queued = self.links.get(&to).is_some_and(|link| link.send(frame));
        self.sent += u64::from(queued);
        queued
    }

    /// Frames queued so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }
}

/// Sets what every link needs: no waiting for more to send, and an end to connections whose other side is gone.
fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let timeout_ms = u32::try_from(STALL_TIMEOUT.as_millis()).expect("half a second");
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpUserTimeout, &timeout_ms)?;
    Ok(())
}

#[cfg(test)]
mod tests;
