//! Registers replicated by `TiKV`'s crate raft, as a system for schism to test: `systems/raft-rs.toml`.
//!
//! Beyond the arguments that every server has, it takes `--clock FILE`, `--reads MODE`, where `lease` is
//! `ReadOnlyOption::LeaseBased`, and `--min-election-tick N`.

mod clock;
mod log;
mod node;
mod peers;
mod storage;

use std::{path::PathBuf, process, sync::mpsc, thread, time::Duration};

use raft::{Config, RawNode, ReadOnlyOption};
use register::Arguments;
use tokio::net::TcpListener;

use self::{
    clock::Ticks,
    node::{Inputs, Node},
    peers::Peers,
    storage::Disk,
};

/// Period of the ticks, of which elections come after [`ELECTION_TICKS`]: 300 ms.
const TICK: Duration = Duration::from_millis(10);
const ELECTION_TICKS: usize = 30;
/// Ticks between two heartbeats, a tenth of an election timeout, as the library suggests.
const HEARTBEAT_TICKS: usize = 3;
/// Maximum number of inputs that wait.
const MAX_INPUTS: usize = 4096;

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
    register::end_on_panic();
    let mut arguments = Arguments::read()?;
    let members = arguments.take_members()?;
    let clock = arguments.take("clock").map(PathBuf::from);
    let reads = arguments.take("reads");
    if let Some(unknown) = reads.as_deref().filter(|mode| !["local", "lease", "safe", "log"].contains(mode)) {
        anyhow::bail!("there are no reads {unknown:?}; there are: local, lease, safe, log");
    }
    let min_election_tick = arguments.take("min-election-tick").map_or(Ok(0), |ticks| ticks.parse())?;
    arguments.end()?;

    let config = config(members.id, reads.as_deref(), min_election_tick);
    config.validate()?;
    let (disk, memory) = Disk::open(members.data(), members.addresses.keys().copied().collect())?;
    let raft = RawNode::new(&config, memory, &log::logger())?;
    let (send, inputs) = mpsc::sync_channel(MAX_INPUTS);
    let listener = TcpListener::bind(members.own()).await?;
    let node = Node::new(raft, disk, Peers::connect(members.others()))?;
    thread::spawn(move || {
        if let Err(error) = node.run(&inputs, Ticks::new(TICK, clock)) {
            eprintln!("{error:#}");
        }
        // A node whose disk fails must not go on.
        process::exit(1);
    });
    tokio::spawn(peers::receive(listener, members.id, send.clone()));
    axum::serve(TcpListener::bind(members.client).await?, register::router(Inputs(send))).await?;
    Ok(())
}
