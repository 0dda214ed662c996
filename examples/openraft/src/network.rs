//! Calls between nodes: a TCP connection for each client of a peer, with one call at a time; frames are a length and
//! JSON. A call that fails or is given up takes its connection with it.

use std::{io, iter, time::Duration};

use openraft::{
    BasicNode, LogId, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
        VoteResponse,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{Raft, Types};

/// Maximum size of a frame, bytes.
const MAX_FRAME: u32 = 16 << 20;
/// Time after a failed call or connection until the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Call of a node to another.
#[derive(Serialize, Deserialize)]
enum Call {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<u64>),
    /// Question up to which entry a read must wait, which only the leader answers.
    ReadIndex,
}

/// Connections to peers.
#[derive(Debug)]
pub struct Network;

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        Peer::new(target, node.addr.clone())
    }
}

/// Client of a peer.
#[derive(Debug)]
pub struct Peer {
    id: u64,
    address: String,
    stream: Option<TcpStream>,
}

type Failure<E> = RPCError<u64, BasicNode, RaftError<u64, E>>;

impl Peer {
    pub fn new(id: u64, address: String) -> Self {
        Self { id, address, stream: None }
    }

    /// Asks the peer, if it leads, up to which entry a read must wait; the outer option is none if it cannot say.
    pub async fn read_index(&mut self, within: Duration) -> Option<Option<LogId<u64>>> {
        self.call(&Call::ReadIndex, within).await.ok()?
    }

    async fn call<R: DeserializeOwned>(&mut self, call: &Call, within: Duration) -> io::Result<R> {
        let exchange = async {
            // Whoever drops this future drops the connection too, on which an answer may still come.
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => TcpStream::connect(&self.address).await?,
            };
            stream.set_nodelay(true)?;
            write_frame(&mut stream, call).await?;
            let answer = serde_json::from_slice(&read_frame(&mut stream).await?)?;
            self.stream = Some(stream);
            Ok(answer)
        };
        timeout(within, exchange).await?
    }

    async fn remote<R: DeserializeOwned, E: DeserializeOwned + std::error::Error + 'static>(
        &mut self,
        call: &Call,
        option: &RPCOption,
    ) -> Result<R, Failure<E>> {
        let id = self.id;
        let answer: Result<R, RaftError<u64, E>> = self
            .call(call, option.hard_ttl())
            .await
            .map_err(|error| RPCError::Unreachable(Unreachable::new(&error)))?;
        answer.map_err(|error| RPCError::RemoteError(RemoteError::new(id, error)))
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.remote(&Call::Append(request), &option).await
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failure<InstallSnapshotError>> {
        unreachable!("nobody makes snapshots")
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.remote(&Call::Vote(request), &option).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(iter::repeat(PAUSE))
    }
}

/// Answers the calls of peers. Does not return.
pub async fn serve(listener: TcpListener, raft: Raft) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // An error is that of one connection, or passes, as when there are too many files. A node must not go deaf.
            sleep(PAUSE).await;
            continue;
        };
        let raft = raft.clone();
        tokio::spawn(async move { answer_all(stream, &raft).await });
    }
}

async fn answer_all(mut stream: TcpStream, raft: &Raft) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        match serde_json::from_slice(&read_frame(&mut stream).await?)? {
            Call::Append(request) => write_frame(&mut stream, &raft.append_entries(request).await).await?,
            Call::Vote(request) => write_frame(&mut stream, &raft.vote(request).await).await?,
            Call::ReadIndex => {
                let index = raft.get_read_log_id().await.ok().map(|(index, _)| index);
                write_frame(&mut stream, &index).await?;
            }
        }
    }
}

async fn write_frame(stream: &mut TcpStream, content: &impl Serialize) -> io::Result<()> {
    let content = serde_json::to_vec(content)?;
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &content].concat()).await
}

async fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}
