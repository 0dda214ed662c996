//! Incoming links: who may speak, and what it says, handed to the server's loop.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, mpsc::TrySendError},
};

use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    CONNECT_TIMEOUT, Frame, Hello, IDLE_TIMEOUT, MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_STRANGERS, RETRY_INTERVAL,
    Welcome, codec, tune,
};
use crate::{
    event::{Event, Log},
    raft::NodeId,
    request::{Input, Inputs},
};

/// What is needed to judge and serve an incoming link.
struct Door {
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    inputs: Inputs,
    log: Log,
    /// The last one who was refused: it will come again and again, and is told of once.
    refused: Mutex<Option<Hello>>,
    /// The link of each peer, which ends when its value is dropped. A peer that dials again has given up its former link, even if nothing
    /// here shows it yet.
    links: Mutex<BTreeMap<NodeId, oneshot::Sender<()>>>,
}

/// Takes in links from members of the cluster of `peers` to `id`, until dropped. Frames for which the loop has no room are dropped.
///
/// Nothing is taken on trust: a stranger has little time and room to say who it is, there are few at a time, and each member has one
/// link. Where strangers crowd in, the one that has been here longest goes, so that a member still gets its turn.
pub(crate) async fn accept_links(
    listener: TcpListener,
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    inputs: Inputs,
    log: Log,
) {
    let (refused, links) = (Mutex::new(None), Mutex::new(BTreeMap::new()));
    let door = Arc::new(Door { id, peers, inputs, log, refused, links });
    let mut strangers: VecDeque<oneshot::Sender<()>> = VecDeque::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await; // out of descriptors: some will come back
            continue;
        };
        strangers.retain(|stranger| !stranger.is_closed());
        if strangers.len() >= MAX_STRANGERS {
            strangers.pop_front();
        }
        let (stranger, displaced) = oneshot::channel();
        strangers.push_back(stranger);
        let door = Arc::clone(&door);
        tokio::spawn(async move { door.serve(stream, from, displaced).await });
    }
}

impl Door {
    /// Greets whoever came, until it is displaced by others, and hears it out if it is a peer.
    async fn serve(&self, mut stream: TcpStream, address: SocketAddr, displaced: oneshot::Receiver<()>) {
        let greeted = tokio::select! {
            greeted = timeout(CONNECT_TIMEOUT, greet(&mut stream)) => greeted,
            _ = displaced => return,
        };
        let Ok(Ok(hello)) = greeted else { return };
        if let Some(reason) = self.objection(&hello) {
            let last = self.refused.lock().unwrap_or_else(PoisonError::into_inner).replace(hello.clone());
            if last != Some(hello) {
                self.log.write(Event::LinkRefused { from: address, reason });
            }
            return;
        }
        let (link, replaced) = oneshot::channel();
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(hello.from, link);
        tokio::select! {
            // Every end of a link is an ordinary one here: the peer dials again.
            ended = self.listen(stream, hello.from) => drop(ended),
            _ = replaced => {}
        }
    }

    /// Why whoever says `hello` may not speak here.
    fn objection(&self, hello: &Hello) -> Option<String> {
        let expected = Hello::new(hello.from, self.id, &self.peers);
        if *hello != expected {
            return Some(format!("says {hello:?}, not {expected:?}"));
        }
        let stranger = hello.from == self.id || !self.peers.contains_key(&hello.from);
        stranger.then(|| format!("{} is no peer of {}", hello.from, self.id))
    }

    async fn listen(&self, mut stream: TcpStream, from: NodeId) -> io::Result<()> {
        let mut buffer = Vec::new();
        codec::append(&mut buffer, &Welcome);
        stream.write_all(&buffer).await?;
        let mut reader = BufReader::with_capacity(1 << 16, stream);
        loop {
            let frame: Frame = timeout(IDLE_TIMEOUT, codec::read(&mut reader, &mut buffer, MAX_FRAME_BYTES)).await??;
            match &frame {
                Frame::Ping => continue,
                Frame::Raft { message, .. } if message.from != from || message.to != self.id => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                Frame::Raft { .. } | Frame::Forward { .. } | Frame::Forwarded { .. } => {}
            }
            if let Err(TrySendError::Disconnected(_)) = self.inputs.try_send(Input::Peer(from, frame)) {
                return Ok(());
            }
        }
    }
}

async fn greet(stream: &mut TcpStream) -> io::Result<Hello> {
    tune(stream)?;
    codec::read(stream, &mut Vec::new(), MAX_HELLO_BYTES).await
}
