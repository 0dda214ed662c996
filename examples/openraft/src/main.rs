//! Registers replicated by the crate openraft, as a system for schism to test: `systems/openraft.toml`.

mod network;
mod storage;

use std::{collections::BTreeMap, io::Cursor, net::SocketAddr, sync::Arc, time::Duration};

use openraft::{
    BasicNode, Config, LogId, SnapshotPolicy,
    error::{InitializeError, RaftError},
};
use register::{Answer, Arguments, Ask, Command, Outcome, Read, Replica, Status};
use tokio::net::TcpListener;

use self::{
    network::{Network, Peer},
    storage::{Log, Machine},
};

openraft::declare_raft_types!(
    /// Types of the library.
    pub Types: D = Command, R = Outcome
);

pub type Raft = openraft::Raft<Types>;

/// Times of elections, as the node of schism has them, ms.
const ELECTION_MS: std::ops::Range<u64> = 300..600;
const HEARTBEAT_MS: u64 = 40;
/// Time limit of a follower that asks its leader, or waits for entries.
const PATIENCE: Duration = Duration::from_millis(200);

/// Node of a cluster.
#[derive(Clone)]
struct Node {
    id: u64,
    raft: Raft,
    machine: Machine,
    addresses: BTreeMap<u64, SocketAddr>,
}

impl Node {
    fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow().current_leader
    }

    fn status(&self) -> Status {
        let metrics = self.raft.metrics().borrow().clone();
        Status {
            id: self.id,
            leader: metrics.current_leader.unwrap_or_default(),
            role: if metrics.current_leader == Some(self.id) { "leader" } else { "follower" },
            term: metrics.current_term,
        }
    }

    /// Carries a command out, if this node leads. An error may come after the command is in the log, even one that
    /// names another leader: what becomes of it is then unknown.
    async fn command(&self, command: Command) -> Answer {
        if self.leader() != Some(self.id) {
            return Answer::Refused("not the leader");
        }
        match self.raft.client_write(command).await {
            Ok(response) => Answer::Outcome(response.data),
            Err(_) => Answer::Unknown("no longer the leader"),
        }
    }

    /// Waits until a read of this node's own state is linearizable; false if that cannot be.
    async fn ensure_linearizable(&self) -> bool {
        match self.leader() {
            Some(leader) if leader == self.id => self.raft.ensure_linearizable().await.is_ok(),
            Some(leader) => {
                let mut peer = Peer::new(leader, self.addresses[&leader].to_string());
                match peer.read_index(PATIENCE).await {
                    Some(index) => self.applied(index).await,
                    None => false,
                }
            }
            None => false,
        }
    }

    async fn applied(&self, log_id: Option<LogId<u64>>) -> bool {
        let wait = self.raft.wait(Some(PATIENCE));
        wait.applied_index_at_least(log_id.map(|log_id| log_id.index), "a read waits").await.is_ok()
    }
}

impl Replica for Node {
    async fn ask(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Status => Answer::Status(self.status()),
            Ask::Command(command) => self.command(command).await,
            Ask::Read(Read::Log, key) => self.command(Command::Read { key }).await,
            Ask::Read(Read::Index, _) if !self.ensure_linearizable().await => Answer::Refused("not confirmed in time"),
            Ask::Read(Read::Index | Read::Local, key) => Answer::Outcome(self.machine.read(&key)),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    register::end_on_panic();
    let mut arguments = Arguments::read()?;
    let members = arguments.take_members()?;
    arguments.end()?;

    let config = Config {
        election_timeout_min: ELECTION_MS.start,
        election_timeout_max: ELECTION_MS.end,
        heartbeat_interval: HEARTBEAT_MS,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    };
    let machine = Machine::default();
    let (log, config) = (Log::open(members.data())?, Arc::new(config.validate()?));
    let raft = Raft::new(members.id, config, Network, log, machine.clone()).await?;
    tokio::spawn(network::serve(TcpListener::bind(members.own()).await?, raft.clone()));
    if members.id == 1 {
        let nodes = members.addresses.iter().map(|(id, address)| (*id, BasicNode::new(address)));
        match raft.initialize(nodes.collect::<BTreeMap<_, _>>()).await {
            // It was formed in an earlier start.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let node = Node { id: members.id, raft, machine, addresses: members.addresses };
    axum::serve(TcpListener::bind(members.client).await?, register::router(node)).await?;
    Ok(())
}
