//! Messages between nodes: a TCP connection to each peer, redialled at once; frames are a length and a message. What
//! cannot be sent now is dropped, as Raft allows.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::mpsc::SyncSender, time::Duration};

use protobuf::Message as _;
use raft::eraftpb::Message;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time,
};

use crate::node::Input;

/// Maximum number of messages that wait for one peer.
const MAX_WAITING: usize = 1024;
/// Maximum size of a message, bytes; the library is told to make none of more than half of that.
const MAX_FRAME: u32 = 2 << 20;
/// Time limit for a connection, and for what was sent to be acknowledged, so that TCP does not outlive a partition.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time after a connection failed until the next.
const REDIAL: Duration = Duration::from_millis(20);

/// Connections to all peers.
#[derive(Debug)]
pub struct Peers(BTreeMap<u64, mpsc::Sender<Vec<u8>>>);

impl Peers {
    /// Starts to connect to these peers.
    pub fn connect(addresses: BTreeMap<u64, SocketAddr>) -> Self {
        Self(addresses.into_iter().map(|(id, address)| (id, connect_to(address))).collect())
    }

    /// Sends messages, each to the node that it is for.
    pub fn send(&self, messages: Vec<Message>) {
        for message in messages {
            let Some(peer) = self.0.get(&message.to) else { continue };
            let Ok(bytes) = message.write_to_bytes() else { continue };
            // A full queue drops the message.
            drop(peer.try_send(bytes));
        }
    }
}

fn connect_to(address: SocketAddr) -> mpsc::Sender<Vec<u8>> {
    let (to_send, mut waiting) = mpsc::channel(MAX_WAITING);
    tokio::spawn(async move {
        while !waiting.is_closed() {
            if let Ok(Ok(stream)) = time::timeout(PATIENCE, TcpStream::connect(address)).await {
                // Whatever ends a connection, the next one follows.
                drop(send_all(stream, &mut waiting).await);
            }
            while waiting.try_recv().is_ok() {}
            time::sleep(REDIAL).await;
        }
    });
    to_send
}

async fn send_all(mut stream: TcpStream, waiting: &mut mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_user_timeout(Some(PATIENCE))?;
    while let Some(message) = waiting.recv().await {
        let length = u32::try_from(message.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &message].concat()).await?;
    }
    Ok(())
}

/// Takes connections of peers, and hands their messages for the node `id` on. Does not return.
pub async fn receive(listener: TcpListener, id: u64, inputs: SyncSender<Input>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // An error is that of one connection, or passes, as when there are too many files. A node must not go deaf.
            time::sleep(REDIAL).await;
            continue;
        };
        let inputs = inputs.clone();
        tokio::spawn(async move { receive_all(stream, id, &inputs).await });
    }
}

async fn receive_all(mut stream: TcpStream, id: u64, inputs: &SyncSender<Input>) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await?;
        if length > MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut frame = vec![0; length as usize];
        stream.read_exact(&mut frame).await?;
        let message = Message::parse_from_bytes(&frame)?;
        if message.to == id {
            // A node that is too busy drops the message.
            drop(inputs.try_send(Input::Message(Box::new(message))));
        }
    }
}
