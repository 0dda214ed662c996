//! `schism node`: one node of the cluster under test, usually started by `schism run`.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use node::{
    ConfigError, Defect, StorageError,
    raft::{self, NodeId},
};

use super::{defects::parse_defect, elections::ElectionArgs};
use crate::{
    error::{ExitStatus, Failure},
    systems::schism::Elections,
    terminal::words::parse_time,
};

/// Runs one node of the Raft key-value store (`schism run` starts nodes by itself).
#[derive(Debug, Args)]
#[command(
    override_usage = "schism node [OPTIONS] --id <ID> --peer <ID=ADDR>... --client-addr <ADDR>\n                   \
--data-dir <DIR>",
    after_help = "Example, the first of three nodes by hand:
  schism node --id 1 --client-addr 127.0.0.1:8001 --data-dir n1 --init \\
      --peer 1=127.0.0.1:7001 --peer 2=127.0.0.1:7002 --peer 3=127.0.0.1:7003
  curl -X PUT localhost:8001/v1/kv/k -d '{\"value\": 5}'
  curl 'localhost:8002/v1/kv/k?read=quorum'
A fourth that joins later, with the same --peer options, and the request that adds it:
  schism node --id 4 --client-addr 127.0.0.1:8004 --data-dir n4 --init \\
      --peer ... --join 127.0.0.1:7004
  curl -X POST localhost:8001/v1/members -d '{\"add\": 4, \"address\": \"127.0.0.1:7004\"}'
--init is for the very first start. A node that was started before finds its vote and log in its directory; \
it must not come back without them, and refuses to."
)]
pub(crate) struct NodeArgs {
    /// Id of this node.
    #[arg(long)]
    id: u64,
    /// Address at which each member of the cluster listened for its peers when that began: ID=ADDRESS:PORT. The same
    /// for every node.
    #[arg(long = "peer", value_name = "ID=ADDR", required = true, value_parser = parse_peer)]
    peers: Vec<(NodeId, SocketAddr)>,
    /// Address at which this node listens for its peers if it is none of these: it waits until the cluster is asked to
    /// add it (POST /v1/members).
    #[arg(long, value_name = "ADDR")]
    join: Option<SocketAddr>,
    /// Address at which this node serves clients.
    #[arg(long, value_name = "ADDR")]
    client_addr: SocketAddr,
    /// Folder for the log, the vote and the snapshot of this node.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Create the folder of a new node; it must be empty or absent. Leave this out whenever the node has run before.
    #[arg(long)]
    init: bool,
    /// File that skews this node's clock from outside.
    #[arg(long, value_name = "FILE")]
    clock_file: Option<PathBuf>,
    /// File for a trace: a line of JSON for each message sent or received.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Minimum time without a leader before an election; each timeout is drawn between this and twice as long.
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = parse_time)]
    election_timeout: Duration,
    /// Interval between the heartbeats of a leader.
    #[arg(long, value_name = "TIME", default_value = "40ms", value_parser = parse_time)]
    heartbeat_interval: Duration,
    /// Duration of a leader's lease after a confirmed heartbeat, for lease reads [default: 90 % of the election
    /// timeout].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    lease: Option<Duration>,
    #[command(flatten)]
    elections: ElectionArgs,
    /// Number of log entries after which a snapshot replaces the log.
    #[arg(long, value_name = "ENTRIES", default_value_t = 10_000)]
    snapshot_after: u64,
    /// Time after which an unfinished request is answered with an error.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_time)]
    request_timeout: Duration,
    /// Defect to plant: a rule that the node breaks on purpose; `schism defects` lists them.
    #[arg(long, value_name = "NAME", value_parser = parse_defect)]
    defect: Option<Defect>,
    /// Seed of the randomised timeouts, and of nothing else [default: drawn].
    #[arg(long)]
    seed: Option<u64>,
}

impl NodeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let mut peers = BTreeMap::new();
        for (id, address) in self.peers {
            if peers.insert(id, address).is_some() {
                let what = format!("--peer: {id} has two addresses");
                return Err(Failure::new(ExitStatus::Usage, what).hint("name each member once").into());
            }
        }
        let mut config = node::Config::new(NodeId(self.id), peers, self.client_addr, self.data_dir);
        config.join = self.join;
        config.init = self.init;
        config.clock_file = self.clock_file;
        config.trace_file = self.trace;
        config.election_timeout = self.election_timeout;
        config.heartbeat_interval = self.heartbeat_interval;
        config.lease = self.lease.unwrap_or_else(|| node::Config::default_lease(self.election_timeout));
        config.elections = match self.elections.requested() {
            Some(Elections::Basic) => raft::Elections::Basic,
            // It serves all read modes, and lease reads need it.
            Some(Elections::CheckQuorum) | None => raft::Elections::CheckQuorum,
        };
        config.snapshot_after_entries = self.snapshot_after;
        config.request_timeout = self.request_timeout;
        config.defect = self.defect;
        config.seed = self.seed;
        node::run(&config).map_err(|error| explain(self.id, error))?;
        Ok(ExitStatus::Linearizable)
    }
}

/// Adds the next step to an error, if there is one.
fn explain(id: u64, error: node::Error) -> anyhow::Error {
    let hint = match &error {
        node::Error::Config(wrong) => return Failure::new(ExitStatus::Usage, in_options(wrong)).into(),
        node::Error::Storage { source: StorageError::Occupied { .. }, .. } => {
            "give --data-dir a directory that is empty or absent"
        }
        node::Error::Storage { source: StorageError::Empty { .. }, .. } => {
            "start it with --init if it has never run before; otherwise give --data-dir the directory that it had"
        }
        node::Error::Storage { source: StorageError::NotEmpty { .. }, .. } => "start it without --init",
        node::Error::Storage { source: StorageError::Damaged { .. }, .. } => {
            "keep the directory for an investigation, and do not start the node on an empty one: the others continue \
            without it"
        }
        _ => return anyhow::Error::new(error).context("running the node"),
    };
    let what = format!("n{id} cannot start: {:#}", anyhow::Error::new(error));
    Failure::new(ExitStatus::Failed, what).hint(hint).into()
}

/// Describes a wrong setting by the option that gives it.
fn in_options(error: &ConfigError) -> String {
    let option = |setting: &str| match setting {
        "peers" => "--peer".to_owned(),
        "snapshot_after_entries" => "--snapshot-after".to_owned(),
        _ => format!("--{}", setting.replace('_', "-")),
    };
    match error {
        ConfigError::Setting { setting, problem } => format!("{}: {problem}", option(setting)),
        ConfigError::Raft(raft::ConfigError::Zero(name)) => format!("{} must be more than zero", option(name)),
        ConfigError::Raft(raft::ConfigError::NotBelowElectionTimeout { name, value, election_timeout }) => {
            format!("{} {value:?} must be shorter than --election-timeout {election_timeout:?}", option(name))
        }
        ConfigError::Raft(other) => other.to_string(),
    }
}

fn parse_peer(text: &str) -> Result<(NodeId, SocketAddr), String> {
    let (id, address) = text.split_once('=').ok_or("expected ID=ADDRESS:PORT, such as 1=127.0.0.1:7001")?;
    let id = id.parse().map_err(|_| format!("{id:?} is not a node's number"))?;
    let address = address.parse().map_err(|_| format!("{address:?} is not ADDRESS:PORT"))?;
    Ok((NodeId(id), address))
}
