//! Registers replicated by `TiKV`'s crate raft, as a system for schism to test: `systems/raft-rs.toml`.
//!
//! `raft-rs-register --id N --peers ADDRESS,ADDRESS,… --client ADDRESS --data FOLDER [--clock FILE] [--reads lease]
//! [--min-election-tick N]`; the addresses of all nodes, in the order of their ids from 1.

mod api;
mod clock;
mod log;
mod node;
mod peers;
mod registers;
mod storage;

use std::{collections::BTreeMap, env, net::SocketAddr, path::PathBuf, process, sync::mpsc, thread, time::Duration};

use anyhow::{Context as _, bail};
use raft::{Config, RawNode, ReadOnlyOption};
use tokio::net::TcpListener;

use self::{clock::Ticks, node::Node, peers::Peers, storage::Disk};

/// Period of the ticks, of which elections come after [`ELECTION_TICKS`]: 300 ms.
const TICK: Duration = Duration::from_millis(10);
const ELECTION_TICKS: usize = 30;
/// Ticks between two heartbeats, a tenth of an election timeout, as the library suggests.
const HEARTBEAT_TICKS: usize = 3;
/// Maximum number of inputs that wait.
const MAX_INPUTS: usize = 4096;

/// Arguments, each a name and a value.
struct Arguments(BTreeMap<String, String>);

impl Arguments {
    fn read() -> anyhow::Result<Self> {
        let all: Vec<String> = env::args().skip(1).collect();
        let pair = |pair: &[String]| match pair {
            [name, value] if name.starts_with("--") => Ok((name[2..].to_owned(), value.clone())),
            other => bail!("not an argument and its value: {}", other.join(" ")),
        };
        Ok(Self(all.chunks(2).map(pair).collect::<Result<_, _>>()?))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn need(&mut self, name: &str) -> anyhow::Result<String> {
        self.take(name).with_context(|| format!("--{name} is missing"))
    }

    fn end(self) -> anyhow::Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(unknown) => bail!("there is no argument --{unknown}"),
        }
    }
}

/// Returns the library's settings: its defaults where nothing else is said, with what it asks for to read by leases.
fn config(id: u64, reads: Option<&str>, min_election_tick: usize) -> Config {
    Config {
        id,
        election_tick: ELECTION_TICKS,
        heartbeat_tick: HEARTBEAT_TICKS,
        min_election_tick,
        max_election_tick: min_election_tick.max(ELECTION_TICKS) + ELECTION_TICKS,
        max_size_per_msg: 1 << 20,
        check_quorum: true,
        pre_vote: true,
        read_only_option: if reads == Some("lease") { ReadOnlyOption::LeaseBased } else { ReadOnlyOption::Safe },
        ..Config::default()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::read()?;
    let id: u64 = arguments.need("id")?.parse()?;
    let peers: Vec<SocketAddr> = arguments.need("peers")?.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let client: SocketAddr = arguments.need("client")?.parse()?;
    let data = PathBuf::from(arguments.need("data")?);
    let clock = arguments.take("clock").map(PathBuf::from);
    let reads = arguments.take("reads");
    let min_election_tick = arguments.take("min-election-tick").map_or(Ok(0), |ticks| ticks.parse())?;
    arguments.end()?;

    let config = config(id, reads.as_deref(), min_election_tick);
    config.validate()?;
    let voters: Vec<u64> = (1..).take(peers.len()).collect();
    let own = voters.iter().position(|voter| *voter == id).context("--id is not that of a peer")?;
    let (disk, memory) = Disk::open(&data, voters)?;
    let raft = RawNode::new(&config, memory, &log::logger())?;
    let (send, inputs) = mpsc::sync_channel(MAX_INPUTS);
    let listener = TcpListener::bind(peers[own]).await?;
    let others = (1..).zip(peers).filter(|(peer, _)| *peer != id);
    let node = Node::new(raft, disk, Peers::connect(others))?;
    thread::spawn(move || {
        if let Err(error) = node.run(&inputs, Ticks::new(TICK, clock)) {
            eprintln!("{error:#}");
        }
        // A node whose disk fails must not go on.
        process::exit(1);
    });
    tokio::spawn(peers::receive(listener, id, send.clone()));
    axum::serve(TcpListener::bind(client).await?, api::router(send)).await?;
    Ok(())
}
