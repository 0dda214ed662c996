//! Incoming links: checks which peer may connect, and hands its frames to the server's loop.

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
    CONNECT_TIMEOUT, Hello, IDLE_TIMEOUT, MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_JOINED, MAX_STRANGERS, RETRY_INTERVAL,
    Welcome, codec, tune,
};
use crate::{
    event::{Event, Log},
    frame::Frame,
    input::{Input, Inputs},
    raft::NodeId,
};

/// Maximum number of log lines about refused links.
const MAX_REFUSALS: usize = 64;

/// State needed to check and serve an incoming link.
struct Acceptor {
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    inputs: Inputs,
    log: Log,
    /// Hellos that were refused: each will come again and again, and is logged once; at most [`MAX_REFUSALS`] are
    /// logged.
    refused: Mutex<Vec<Hello>>,
    /// Link of each peer, which ends when its value is dropped. A peer that dials again has given up its former link,
    /// even if nothing here shows it yet.
    links: Mutex<BTreeMap<NodeId, oneshot::Sender<()>>>,
}

/// Accepts links to `id` from the members in `peers`, and from those that joined their cluster later, until dropped.
/// Frames for which the loop has no room are dropped.
///
/// Connections are not trusted: one that has not identified itself has little time and space to do so, the number of
/// such connections is limited, and each member has one link. At the limit, the oldest unidentified connection is
/// closed, so that a member still gets its turn.
pub(crate) async fn accept_links(
    listener: TcpListener,
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    inputs: Inputs,
    log: Log,
) {
    let (refused, links) = (Mutex::default(), Mutex::default());
    let acceptor = Arc::new(Acceptor { id, peers, inputs, log, refused, links });
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
        let acceptor = Arc::clone(&acceptor);
        tokio::spawn(async move { acceptor.serve(stream, from, displaced).await });
    }
}

impl Acceptor {
    /// Reads the hello of a connection, unless newer ones displace it first, and then receives its frames if it is a
    /// peer.
    async fn serve(&self, mut stream: TcpStream, address: SocketAddr, displaced: oneshot::Receiver<()>) {
        let greeted = tokio::select! {
            greeted = timeout(CONNECT_TIMEOUT, greet(&mut stream)) => greeted,
            _ = displaced => return,
        };
        let Ok(Ok(hello)) = greeted else { return };
        if let Some(reason) = self.objection(&hello) {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if refused.len() < MAX_REFUSALS && !refused.contains(&hello) {
                refused.push(hello);
                self.log.write(Event::LinkRefused { from: address, reason });
            }
            return;
        }
        let joined = hello.address.map(|address| Input::Joined(hello.from, address));
        if joined.is_some_and(|joined| self.inputs.try_send(joined).is_err()) {
            return; // it dials again, when there is room
        }
        let (link, replaced) = oneshot::channel();
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(hello.from, link);
        tokio::select! {
            // Every end of a link is handled alike here: the peer dials again.
            ended = self.listen(stream, hello.from) => drop(ended),
            _ = replaced => {}
        }
    }

    /// Returns the reason why the sender of `hello` may not connect, if there is one.
    fn objection(&self, hello: &Hello) -> Option<String> {
        let expected = Hello { address: hello.address, ..Hello::new(hello.from, self.id, &self.peers) };
        if *hello != expected {
            return Some(format!("says {hello:?}, not {expected:?}"));
        }
        let is_first = self.peers.contains_key(&hello.from);
        if hello.from == self.id || is_first == hello.address.is_some() {
            return Some(format!("{} is no peer of {}", hello.from, self.id));
        }
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = links.keys().filter(|peer| !self.peers.contains_key(peer)).count();
        let too_many = !is_first && !links.contains_key(&hello.from) && joined >= MAX_JOINED;
        too_many.then(|| format!("{} is one too many: {MAX_JOINED} have joined", hello.from))
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
                Frame::Raft { .. } | Frame::Forward { .. } | Frame::ForwardResponse { .. } => {}
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
