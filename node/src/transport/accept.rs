//! Incoming links: who may speak, and what it says, handed to the server's loop.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, mpsc::TrySendError},
};

use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{CONNECT_TIMEOUT, Frame, Hello, IDLE_TIMEOUT, MAX_INCOMING, RETRY_INTERVAL, Welcome, codec, tune};
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
}

/// Takes in links from members of the cluster of `peers` to `id`, until dropped. Frames for which the loop has no room are dropped.
pub(crate) async fn accept_links(
    listener: TcpListener,
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    inputs: Inputs,
    log: Log,
) {
    let door = Arc::new(Door { id, peers, inputs, log, refused: Mutex::new(None) });
    let places = Arc::new(Semaphore::new(MAX_INCOMING));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
        let Ok((stream, from)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await; // out of descriptors: some will come back
            continue;
        };
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            door.serve(stream, from).await;
            drop(place);
        });
    }
}

impl Door {
    async fn serve(&self, mut stream: TcpStream, address: SocketAddr) {
        let Ok(Ok(hello)) = timeout(CONNECT_TIMEOUT, greet(&mut stream)).await else { return };
        if let Some(reason) = self.objection(&hello) {
            let last = self.refused.lock().unwrap_or_else(PoisonError::into_inner).replace(hello.clone());
            if last != Some(hello) {
                self.log.write(Event::LinkRefused { from: address, reason });
            }
            return;
        }
        // Every end of a link is an ordinary one here: the peer dials again.
        self.listen(stream, hello.from).await.ok();
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
            let frame: Frame = timeout(IDLE_TIMEOUT, codec::read(&mut reader, &mut buffer)).await??;
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
    codec::read(stream, &mut Vec::new()).await
}
