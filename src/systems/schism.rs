//! Our own Raft server as a system under test: the command line of a node, and its status page.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use nemesis::NodeId;
use serde::{Deserialize, Serialize};

/// Port for peers if each node has an address of its own.
const PEER_PORT: u16 = 7000;
/// Port for clients if each node has an address of its own.
const CLIENT_PORT: u16 = 8000;

/// Addresses of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
}

impl Address {
    /// Returns the addresses of a node on a host of its own.
    pub(crate) fn on_host(host: IpAddr) -> Self {
        Self::with_ports(host, PEER_PORT, CLIENT_PORT)
    }

    /// Returns the addresses of a node on a host that it shares with others.
    pub(crate) fn with_ports(host: IpAddr, peer: u16, client: u16) -> Self {
        Self { peer: SocketAddr::new(host, peer), client: SocketAddr::new(host, client) }
    }
}

/// Read mode of a node; see the README for the guarantees of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReadMode {
    /// any node, from its own state; elections: basic, since they change nothing about it
    Local,
    /// whoever believes that it leads; elections: basic, for these are the reads of the paper's figure 2
    Leader,
    /// the leader, while its lease runs by its own clock; elections: check-quorum, for a lease rests on loyal voters
    Lease,
    /// the leader, after a round of heartbeats (`ReadIndex`); elections: basic, where deposed leaders linger that it
    /// must withstand
    Quorum,
    /// as an entry of the log; elections: basic, as for quorum
    Log,
}

/// Election mode: the duties of leaders and voters beyond the votes themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Elections {
    /// figure 2 alone: a leader leads until it hears of a later term, and voters vote whomever they hear
    #[default]
    Basic,
    /// a leader that no majority answers steps down, and voters are loyal to the leader that they hear (as in etcd;
    /// leases need it)
    CheckQuorum,
}

impl Elections {
    /// Returns the name used on the node's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::CheckQuorum => "check-quorum",
        }
    }

    /// Checks that reads of this mode make sense with these elections.
    ///
    /// # Errors
    /// Fails for lease reads with basic elections, as another leader could be elected during the lease.
    pub(crate) fn check(self, read: ReadMode) -> Result<(), String> {
        if (self, read) == (Self::Basic, ReadMode::Lease) {
            let why = "lease reads need loyal voters, which basic Raft has not: another leader could be elected while the lease runs. \
                       Leave `lease` out, or ask for --elections check-quorum";
            return Err(why.to_owned());
        }
        Ok(())
    }
}

impl ReadMode {
    /// Returns the name used in the node's API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Leader => "leader",
            Self::Lease => "lease",
            Self::Quorum => "quorum",
            Self::Log => "log",
        }
    }

    /// Returns the default elections of this read mode; the help of each mode gives the reason.
    pub(crate) fn elections(self) -> Elections {
        match self {
            Self::Lease => Elections::CheckQuorum,
            Self::Local | Self::Leader | Self::Quorum | Self::Log => Elections::Basic,
        }
    }
}

/// Option that tells a node that it is new; without it, a node that finds no data refuses to start.
pub(crate) const INIT: &str = "--init";
/// Name of the file in a node's folder that its trace of messages goes to.
pub(crate) const TRACE_FILE: &str = "trace.jsonl";

/// Options of the nodes that a run may choose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) election_timeout_ms: u64,
    pub(crate) heartbeat_interval_ms: u64,
    #[serde(default)]
    pub(crate) elections: Elections,
    /// True if nodes write a trace of every message.
    #[serde(default)]
    pub(crate) trace: bool,
}

impl Default for Settings {
    /// Returns settings with heartbeats so frequent that even a leader whose clock runs at a fifth of the speed keeps
    /// its followers from standing for election.
    fn default() -> Self {
        Self { election_timeout_ms: 300, heartbeat_interval_ms: 40, elections: Elections::default(), trace: false }
    }
}

/// Returns the arguments that start node `id` (counted from 1) of a cluster with these addresses. At the first start,
/// [`INIT`] must be added.
pub(crate) fn node_arguments(
    id: u16,
    addresses: &[Address],
    node_dir: &Path,
    clock_file: &Path,
    settings: &Settings,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["node".into(), "--id".into(), id.to_string().into()];
    for (number, address) in (1..).zip(addresses) {
        arguments.extend(["--peer".into(), format!("{number}={}", address.peer).into()]);
    }
    let client = addresses[usize::from(id) - 1].client;
    for (name, value) in [
        ("--client-addr", client.to_string().into()),
        ("--data-dir", node_dir.join("data").into()),
        ("--clock-file", clock_file.into()),
        ("--election-timeout", format!("{}ms", settings.election_timeout_ms).into()),
        ("--heartbeat-interval", format!("{}ms", settings.heartbeat_interval_ms).into()),
        ("--elections", settings.elections.name().into()),
    ] {
        let value: OsString = value;
        arguments.extend([name.into(), value]);
    }
    if settings.trace {
        arguments.extend(["--trace".into(), node_dir.join(TRACE_FILE).into()]);
    }
    arguments
}

/// Status that a node reports of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) role: String,
    pub(crate) term: u64,
    pub(crate) leader: Option<u16>,
    pub(crate) applied: u64,
    pub(crate) commit: u64,
    pub(crate) counters: Counters,
}

/// Counters of a node since its process started.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Counters {
    /// Messages sent to peers.
    pub(crate) messages_sent: u64,
    pub(crate) fsyncs: u64,
}

/// Client that asks the nodes for their status, with a time limit for each request.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    client: reqwest::Client,
    urls: Vec<String>,
}

impl Observer {
    /// Creates an observer of the nodes at these addresses.
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be built.
    pub(crate) fn new(addresses: &[Address]) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_millis(200))
            .timeout(Duration::from_millis(400))
            .pool_max_idle_per_host(0)
            .build()?;
        let urls = addresses.iter().map(|address| format!("http://{}/v1/status", address.client)).collect();
        Ok(Self { client, urls })
    }

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let asked: Vec<_> = self
            .urls
            .iter()
            .map(|url| {
                let request = self.client.get(url).send();
                tokio::spawn(async move { request.await.ok()?.json::<Status>().await.ok() })
            })
            .collect();
        let mut statuses = Vec::with_capacity(asked.len());
        for answer in asked {
            statuses.push(answer.await.ok().flatten());
        }
        statuses
    }

    /// Returns the node that claims to lead; of several, the one in the latest term.
    pub(crate) async fn leader(&self) -> Option<u16> {
        leader_of(&self.statuses().await)
    }
}

/// Returns the node that claims to lead; of several, the one in the latest term.
pub(crate) fn leader_of(statuses: &[Option<Status>]) -> Option<u16> {
    let claims = (1..).zip(statuses).filter_map(|(id, status)| status.as_ref().map(|status| (NodeId(id), status)));
    let leading: Vec<_> =
        claims.filter(|(_, status)| status.role == "leader").map(|(id, status)| (id, status.term)).collect();
    nemesis::leader_of(&leading).map(|leader| leader.0)
}

/// Returns true if all nodes answer, follow the same leader in the same term, and have applied everything that it
/// knows to be committed.
pub(crate) fn is_settled(statuses: &[Option<Status>]) -> bool {
    let Some(leader) = leader_of(statuses) else { return false };
    let Some(head) = &statuses[usize::from(leader) - 1] else { return false };
    let agrees =
        |status: &Status| status.leader == Some(leader) && status.term == head.term && status.applied >= head.commit;
    statuses.iter().all(|status| status.as_ref().is_some_and(agrees))
}

#[cfg(test)]
mod tests {
    use super::{Counters, Status, is_settled, leader_of};

    fn status(role: &str, term: u64, leader: Option<u16>, applied: u64) -> Status {
        Status { role: role.to_owned(), term, leader, applied, commit: applied, counters: Counters::default() }
    }

    #[test]
    fn of_two_claims_the_later_term_leads() {
        let statuses = [Some(status("leader", 2, Some(1), 5)), None, Some(status("leader", 3, Some(3), 5))];
        assert_eq!(leader_of(&statuses), Some(3));
        assert_eq!(leader_of(&[None, Some(status("follower", 3, None, 5))]), None);
    }

    #[test]
    fn a_cluster_is_settled_when_all_follow_one_leader_and_have_caught_up() {
        let follower = |applied| Some(status("follower", 3, Some(2), applied));
        let leader = |term| Some(status("leader", term, Some(2), 5));
        assert!(is_settled(&[follower(5), leader(3), follower(6)]));
        assert!(!is_settled(&[None, leader(3), follower(5)]));
        assert!(!is_settled(&[follower(4), leader(3), follower(5)]));
        assert!(!is_settled(&[Some(status("leader", 2, Some(1), 5)), leader(3), follower(5)]));
        assert!(!is_settled(&[follower(5), follower(5), follower(5)]));
    }
}
