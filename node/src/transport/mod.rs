//! Links between members: each node dials each peer and only writes on that connection; it receives on the
//! connections that the peers dialled. The peers are those with which the cluster began, and those that joined later,
//! whose addresses come with a configuration, or with their own first frame.
//!
//! A link may lose frames, never repeats one, and never blocks the server's loop: frames for a broken link or a full
//! queue are dropped, as Raft allows. A link that a partition cut silently must work again soon after the partition
//! heals, so a connection is closed once it is useless: data that is not acknowledged, or for which the peer makes no
//! room, ends it (`TCP_USER_TIMEOUT`; a ping flows when nothing else does). Frames queued for a dead connection are
//! never sent on the next one.

mod accept;
mod codec;
mod dial;
mod links;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::raft::NodeId;

pub(crate) use accept::accept_links;
pub(crate) use links::Links;

/// Version of the frame format, incremented when frames change.
const VERSION: u32 = 4;
/// Time that a connection may take to be established.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// Wait before dialling again. With the time above, a healed link is back within 300 ms.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Time that data may stay unacknowledged, or wait for the peer to read.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// Interval between pings, so that a dead link is noticed even when there is nothing to send.
const PING_INTERVAL: Duration = Duration::from_millis(100);
/// Time that an incoming link may be silent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of frames queued for one peer.
const QUEUE_FRAMES: usize = 1024;
/// Maximum bytes of entries and snapshots queued for one peer; one larger frame may be queued alone.
const QUEUE_BYTES: usize = 32 << 20;
/// Maximum number of frames in one write.
const BATCH_FRAMES: usize = 64;
/// Maximum size of a frame. An entry holds at most two bodies of 1 MiB, whose numbers may grow fivefold when they are
/// written out.
const MAX_FRAME_BYTES: usize = 16 << 20;
/// Maximum size of the first frame, in either direction.
const MAX_HELLO_BYTES: usize = 64;
/// Maximum number of incoming connections that have not identified themselves yet; the oldest is closed when another
/// arrives.
const MAX_STRANGERS: usize = 32;
/// Maximum number of nodes that joined later and are linked in the life of a process.
const MAX_JOINED: usize = 64;

/// First frame on a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    version: u32,
    /// Checksum of the members with which the cluster began and their addresses: two clusters on one host often have
    /// the same ids.
    cluster: u32,
    from: NodeId,
    to: NodeId,
    /// Address of the sender for its peers, if it joined later.
    address: Option<SocketAddr>,
}

impl Hello {
    /// Creates the hello from `from` to `to` in the cluster that began with `peers`.
    pub(crate) fn new(from: NodeId, to: NodeId, peers: &BTreeMap<NodeId, SocketAddr>) -> Self {
        let members = postcard::to_stdvec(peers).expect("ids and addresses are plain data");
        Self { version: VERSION, cluster: crc32c::crc32c(&members), from, to, address: None }
    }
}

/// Answer to an accepted [`Hello`]; a refused one is answered by closing the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Welcome;

/// Sets the options of every link: no delay for small writes, and an end to connections whose other side is gone.
fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let timeout_ms = u32::try_from(STALL_TIMEOUT.as_millis()).expect("half a second");
    nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpUserTimeout, &timeout_ms)?;
    Ok(())
}

#[cfg(test)]
mod tests;
