//! Our own Raft server as a system under test: the command line of a node, its read modes, its status page, and the
//! lines of its log.

use std::{ffi::OsString, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    Address, Counters, LogEvent, LogEventKind, NodeSetup, Ports, Role, RoleStatus, StartCommand, Status, System,
};

/// Port for peers if each node has an address of its own.
const PEER_PORT: u16 = 7000;
/// Port for clients if each node has an address of its own.
const CLIENT_PORT: u16 = 8000;

/// Read mode of a node; see the README for the guarantees of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReadMode {
    /// any node answers from its own state; elections: basic, as they make no difference to it
    Local,
    /// a node that believes it leads answers from its own state; elections: basic, as in the paper's figure 2
    Leader,
    /// the leader answers while its lease runs by its own clock; elections: check-quorum, as a lease relies on loyal
    /// voters
    Lease,
    /// the leader answers after a round of heartbeats (`ReadIndex`); elections: basic, which leaves deposed leaders
    /// about, a harder test
    Quorum,
    /// the read is an entry of the log; elections: basic, as for quorum
    Log,
}

/// Election mode: the duties of leaders and voters beyond the votes themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Elections {
    /// figure 2 alone: a leader leads until it hears of a later term, and voters vote for anyone
    #[default]
    Basic,
    /// a leader without answers from a majority steps down, and voters are loyal to the leader that they hear (as in
    /// etcd; leases need it)
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
            let why = "lease reads need loyal voters, which basic Raft has not: another leader could be elected while \
            the lease runs. \
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
const INIT: &str = "--init";
/// Name of the file in a node's folder that its trace of messages goes to.
const TRACE_FILE: &str = "trace.jsonl";

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
fn node_arguments(
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

/// Status page of a node.
#[derive(Clone, Debug, Deserialize)]
struct StatusPage {
    role: String,
    term: u64,
    leader: Option<u16>,
    applied: u64,
    commit: u64,
    counters: StatusCounters,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct StatusCounters {
    messages_sent: u64,
    fsyncs: u64,
}

/// The relevant fields of a line in a node's log.
#[derive(Debug, Deserialize)]
struct LogLine<'a> {
    mono_ns: u64,
    event: &'a str,
    role: Option<&'a str>,
    term: Option<u64>,
}

/// Our own Raft server.
#[derive(Debug)]
pub(crate) struct Schism;

impl System for Schism {
    fn name(&self) -> &'static str {
        "schism"
    }

    fn ports(&self) -> Ports {
        Ports { peer: PEER_PORT, client: CLIENT_PORT }
    }

    fn start_command(&self, node: &NodeSetup<'_>) -> StartCommand {
        StartCommand {
            program: "/proc/self/exe".into(),
            args: node_arguments(node.id, node.addresses, node.dir, node.clock_file, node.settings),
            first_args: vec![INIT.into()],
        }
    }

    fn status_path(&self) -> &'static str {
        "/v1/status"
    }

    fn read_status(&self, page: &[u8]) -> Option<Status> {
        let StatusPage { role, term, leader, applied, commit, counters } = serde_json::from_slice(page).ok()?;
        let role = RoleStatus { leads: role == "leader", name: role, term, leader, applied, commit };
        let counters = Counters { messages: counters.messages_sent, fsyncs: counters.fsyncs };
        Some(Status { role: Some(role), counters })
    }

    fn has_roles(&self) -> bool {
        true
    }

    fn trace_file(&self) -> Option<&'static str> {
        Some(TRACE_FILE)
    }

    fn read_log(&self, log: &str) -> Vec<LogEvent> {
        let event = |line: &str| {
            let LogLine { mono_ns, event, role, term } = serde_json::from_str(line).ok()?;
            let kind = match (event, role) {
                ("role-changed", Some("leader")) => LogEventKind::Role(Role::Leader { term }),
                ("role-changed", Some("follower")) => LogEventKind::Role(Role::Follower),
                ("role-changed", Some("pre-candidate" | "candidate")) => LogEventKind::Role(Role::Candidate),
                ("role-changed", _) => LogEventKind::Role(Role::Other),
                ("started" | "stopped", _) => LogEventKind::Process,
                _ => return None,
            };
            Some(LogEvent { mono_ns, kind })
        };
        log.lines().filter_map(event).collect()
    }
}
