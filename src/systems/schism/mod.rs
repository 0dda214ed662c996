//! Our own Raft server as a system under test: the command line of a node, its read modes and what theory says of them,
//! its status page, and the lines of its log.

mod operator;
mod reads;
mod settings;
mod trace;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use nemesis::{ClusterEvent, MemberRequest, Operator};
use node::raft::NodeId;
use serde::Deserialize;
use serde_json::Value;
use workloads::{Connector, HttpConnector, HttpOptions, Message};

use self::{
    operator::ApiOperator,
    reads::READ_MODES,
    settings::{DEFECT, ELECTIONS, NodeSettings, OPTIONS, SNAPSHOT_AFTER},
};
pub(crate) use self::{
    operator::answer_of,
    reads::{LEADER, LOCAL, QUORUM},
    settings::Elections,
};
use super::{
    Checkpoint, ClientSetup, Conditions, Counters, Deployment, Expectation, LogEvent, LogEventKind, LogLine,
    OptionDescription, Options, PlantedDefect, Ports, ReadMode, ReadModeDescription, Role, RoleStatus, Settings,
    StartCommand, Status, StatusPage, StatusRequest, System, Timing, TraceRecord,
};

/// Port for peers if each node has an address of its own.
const PEER_PORT: u16 = 7000;
/// Port for clients if each node has an address of its own.
const CLIENT_PORT: u16 = 8000;
/// Number of entries after which a simulated node replaces its log by a snapshot unless others are asked for: few, so
/// that short runs have some.
const SIMULATED_SNAPSHOT_AFTER: u64 = 200;
/// Interval between two probes of a node, in heartbeats.
const HEARTBEATS_PER_PROBE: u32 = 2;

/// Option that tells a node that it is new; without it, a node that finds no data refuses to start.
const INIT: &str = "--init";
/// Name of the file in a node's folder that its trace of messages goes to.
const TRACE_FILE: &str = "trace.jsonl";

/// Returns the arguments that start a node. At the first start, [`INIT`] must be added.
fn node_arguments(id: u16, deployment: &Deployment, settings: &NodeSettings) -> Vec<OsString> {
    let (addresses, dir) = (&deployment.addresses, deployment.node_dir(id));
    let mut arguments: Vec<OsString> = vec!["node".into(), "--id".into(), id.to_string().into()];
    for (number, address) in (1..=deployment.members).zip(addresses) {
        arguments.extend(["--peer".into(), format!("{number}={}", address.peer).into()]);
    }
    if id > deployment.members {
        arguments.extend(["--join".into(), addresses[usize::from(id) - 1].peer.to_string().into()]);
    }
    let client = addresses[usize::from(id) - 1].client;
    for (name, value) in [
        ("--client-addr", client.to_string().into()),
        ("--data-dir", deployment.data_dir(id).into()),
        ("--clock-file", deployment.clock_file(id).into()),
        ("--election-timeout", format!("{}ms", settings.election_timeout_ms).into()),
        ("--heartbeat-interval", format!("{}ms", settings.heartbeat_interval_ms).into()),
        ("--elections", settings.elections.name().into()),
        ("--snapshot-after", settings.snapshot_after.to_string().into()),
        ("--request-timeout", format!("{}ms", settings.request_timeout_ms).into()),
    ] {
        let value: OsString = value;
        arguments.extend([name.into(), value]);
    }
    if let Some(defect) = settings.defect {
        arguments.extend(["--defect".into(), defect.name().into()]);
    }
    if settings.trace {
        arguments.extend(["--trace".into(), dir.join(TRACE_FILE).into()]);
    }
    arguments
}

/// Returns the settings of nodes that are simulated, as [`System::settings`] does.
pub(crate) fn simulated_settings(read: &ReadMode, options: &Options) -> Result<Settings, String> {
    let mut settings = NodeSettings::asked(read, options, false)?;
    if options.get(SNAPSHOT_AFTER.name).is_none() {
        settings.snapshot_after = settings.snapshot_after.min(SIMULATED_SNAPSHOT_AFTER);
    }
    Ok(Settings::of(&settings))
}

/// Returns the configuration of a node that is simulated, as [`node_arguments`] would have it; its addresses only tell
/// the members apart. A node beyond the `members` with which the cluster begins waits until it is added.
pub(crate) fn node_config(id: u16, members: u16, settings: &Settings, seed: u64) -> node::Config {
    let settings = NodeSettings::of(settings);
    let peers = (1..=members).map(|id| (NodeId(id.into()), simulated_peer(id)));
    let client = SocketAddr::from((simulated_host(id), CLIENT_PORT));
    let mut config = node::Config::new(NodeId(id.into()), peers.collect(), client, "simulated");
    config.join = (id > members).then(|| simulated_peer(id));
    config.election_timeout = settings.election_timeout();
    config.heartbeat_interval = settings.heartbeat_interval();
    config.lease = node::Config::default_lease(config.election_timeout);
    config.elections = match settings.elections {
        Elections::Basic => node::raft::Elections::Basic,
        Elections::CheckQuorum => node::raft::Elections::CheckQuorum,
    };
    config.snapshot_after_entries = settings.snapshot_after;
    config.request_timeout = settings.request_timeout();
    config.defect = settings.defect;
    config.seed = Some(seed);
    config
}

fn simulated_host(id: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(id))
}

fn simulated_peer(id: u16) -> SocketAddr {
    SocketAddr::from((simulated_host(id), PEER_PORT))
}

/// Returns the message that asks a simulated node for a change of the members.
pub(crate) fn member_message(request: MemberRequest) -> Message {
    operator::message(request, |node| Some(simulated_peer(node.0)))
}

/// Status page of a node.
#[derive(Clone, Debug, Deserialize)]
struct NodeStatus {
    role: String,
    term: u64,
    leader: Option<u16>,
    applied: u64,
    commit: u64,
    members: BTreeSet<u16>,
    membership: StatusMembership,
    counters: StatusCounters,
    checkpoints: Vec<Checkpoint>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct StatusMembership {
    is_complete: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct StatusCounters {
    messages_sent: u64,
    fsyncs: u64,
    snapshots_begun: u64,
}

/// The relevant fields of a line in a node's log.
#[derive(Debug, Deserialize)]
struct LogRecord<'a> {
    mono_ns: u64,
    event: &'a str,
    role: Option<&'a str>,
    term: Option<u64>,
    voted_for: Option<u16>,
}

/// Our own Raft server.
#[derive(Debug)]
pub(crate) struct Schism;

impl System for Schism {
    fn name(&self) -> &'static str {
        "schism"
    }

    fn read_modes(&self) -> &'static [ReadModeDescription] {
        &READ_MODES
    }

    fn default_read(&self) -> ReadMode {
        QUORUM.into()
    }

    fn workloads(&self) -> &'static [&'static str] {
        workloads::workload_names()
    }

    fn options(&self) -> &'static [OptionDescription] {
        &OPTIONS
    }

    fn settings(&self, read: &ReadMode, options: &Options, trace: bool) -> Result<Settings, String> {
        NodeSettings::asked(read, options, trace).map(|settings| Settings::of(&settings))
    }

    fn check_settings(&self, settings: &Settings) -> Result<(), String> {
        settings.read::<NodeSettings>().map(drop)
    }

    fn options_of(&self, read: &ReadMode, settings: &Settings) -> Options {
        NodeSettings::of(settings).options(read)
    }

    fn defect(&self, settings: &Settings) -> Option<PlantedDefect> {
        let defect = NodeSettings::of(settings).defect?;
        Some(PlantedDefect { name: defect.name().to_owned(), about: defect.description().about().to_owned() })
    }

    fn writes_trace(&self, settings: &Settings) -> bool {
        NodeSettings::of(settings).trace
    }

    /// Returns the expectation by Ongaro's dissertation, §6.4; of a node with a defect, theory says nothing.
    fn expected(&self, conditions: &Conditions<'_>) -> Expectation {
        if conditions.options.get(DEFECT.name).is_some() {
            return Expectation::MayFail;
        }
        let checks_quorum = conditions.options.get(ELECTIONS.name) == Some(Elections::CheckQuorum.name());
        match conditions.read.name() {
            LOCAL => Expectation::Fails,
            // A leader that checks its quorum steps down at about the time another can be elected.
            LEADER if !checks_quorum && conditions.desert_a_leader() => Expectation::Fails,
            name => {
                let known = READ_MODES.iter().find(|known| known.name == name);
                known.map_or(Expectation::MayFail, |known| known.guarantee.expected(conditions))
            }
        }
    }

    fn timing(&self, settings: &Settings) -> Timing {
        let settings = NodeSettings::of(settings);
        Timing {
            probe: settings.heartbeat_interval() * HEARTBEATS_PER_PROBE,
            outage_within: settings.election_timeout(),
            ..Timing::default()
        }
    }

    fn ports(&self) -> Ports {
        Ports { peer: PEER_PORT, client: CLIENT_PORT, election: PEER_PORT }
    }

    fn start_command(&self, id: u16, deployment: &Deployment) -> anyhow::Result<StartCommand> {
        Ok(StartCommand {
            program: "/proc/self/exe".into(),
            args: node_arguments(id, deployment, &NodeSettings::of(&deployment.settings)),
            first_args: vec![INIT.into()],
            beside: Vec::new(),
            stop: nemesis::Stop::default(),
            ordinary: false,
            view: nemesis::OwnView::default(),
            env: Vec::new(),
        })
    }

    fn status_request(&self, _id: u16, _deployment: &Deployment) -> StatusRequest {
        StatusRequest::Page(Message::get("/v1/status".to_owned()))
    }

    fn read_status(&self, page: &StatusPage) -> Option<Status> {
        let NodeStatus { role, term, leader, applied, commit, members, membership, counters, checkpoints } =
            serde_json::from_slice(&page.body).ok()?;
        let (leads, members, members_change) = (role == "leader", Some(members), !membership.is_complete);
        let role = RoleStatus { leads, name: role, term, leader, applied, commit, members, members_change };
        let StatusCounters { messages_sent: messages, fsyncs, snapshots_begun } = counters;
        let counters = Counters { messages, fsyncs, snapshots_begun };
        Some(Status { role: Some(role), counters, checkpoints })
    }

    fn connector(&self, clients: &ClientSetup<'_>) -> anyhow::Result<Connector> {
        Ok(connector(clients, clients.read.name()))
    }

    fn has_roles(&self) -> bool {
        true
    }

    fn deposed_leaders_linger(&self, settings: &Settings) -> bool {
        NodeSettings::of(settings).elections == Elections::Basic
    }

    fn elects_once_a_term(&self) -> bool {
        true
    }

    /// Returns ten election timeouts: an election takes one or two, and a busy host some more.
    fn recovers_within(&self, settings: &Settings) -> Option<Duration> {
        Some(NodeSettings::of(settings).election_timeout() * 10)
    }

    fn tells(&self, _event: ClusterEvent) -> bool {
        true
    }

    fn reads_clock_file(&self) -> bool {
        true
    }

    fn has_sessions(&self) -> bool {
        true
    }

    fn can_change_members(&self) -> bool {
        true
    }

    fn operator(&self, deployment: &Deployment) -> Option<Box<dyn Operator>> {
        Some(Box::new(ApiOperator::new(deployment)))
    }

    fn trace_file(&self) -> Option<&'static str> {
        Some(TRACE_FILE)
    }

    fn read_trace(&self, line: &str, from_mono_ns: u64) -> Option<TraceRecord> {
        trace::read(line, from_mono_ns)
    }

    fn read_log(&self, log: &str) -> Vec<LogEvent> {
        let event = |line: &str| {
            let LogRecord { mono_ns, event, role, term, voted_for: vote } = serde_json::from_str(line).ok()?;
            let kind = match (event, role) {
                ("role-changed", Some("leader")) => LogEventKind::Role(Role::Leader { term }),
                ("role-changed", Some("follower")) => LogEventKind::Role(Role::Follower),
                ("role-changed", Some("pre-candidate" | "candidate")) => LogEventKind::Role(Role::Candidate),
                ("role-changed", _) => LogEventKind::Role(Role::Other),
                ("started", _) => LogEventKind::Start { term, vote },
                ("stopped", _) => LogEventKind::End,
                ("term-stored", _) => LogEventKind::Stored { term, vote },
                _ => return None,
            };
            Some(LogEvent { mono_ns, kind })
        };
        log.lines().filter_map(event).collect()
    }

    fn read_lines(&self, log: &str) -> Vec<LogLine> {
        let read = |line: &str| {
            let Ok(Value::Object(mut said)) = serde_json::from_str(line) else { return None };
            let mono_ns = said.remove("mono_ns").and_then(|time| time.as_u64()).unwrap_or_default();
            said.remove("node");
            let words: Vec<String> = said.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Some(LogLine { mono_ns, text: words.join(" ").replace('"', "") })
        };
        log.lines().filter_map(read).collect()
    }

    /// Returns what a panic or an error printed, without the events, which are lines of JSON.
    fn last_words(&self, log: &str) -> String {
        let words: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).map(str::trim).collect();
        words.join(" ").trim().to_owned()
    }
}

/// Returns clients that read in a mode that the nodes know by this name.
pub(super) fn connector(clients: &ClientSetup<'_>, read: &str) -> Connector {
    let ClientSetup { deployment, connect_timeout, operation_timeout, retry, .. } = *clients;
    let nodes = (1..).zip(deployment.addresses.iter().map(|address| address.client)).collect();
    let read_mode = read.to_owned();
    Connector::new(HttpConnector::new(HttpOptions { nodes, read_mode, connect_timeout, operation_timeout, retry }))
}

#[cfg(test)]
mod tests {
    use nemesis::FaultSpecs;

    use super::{
        Elections, LEADER, LOCAL, QUORUM, Schism,
        reads::{LEASE, LOG},
    };
    use crate::systems::{Conditions, Expectation, Options, System as _};

    fn check_quorum() -> Options {
        Options::default().with("elections", Some(Elections::CheckQuorum.name()))
    }

    #[test]
    fn theory_knows_which_modes_hold() {
        let expected = |read: &str, faults: &str, options: &Options| {
            let faults: FaultSpecs = faults.parse().unwrap();
            let read = &read.into();
            Schism.expected(&Conditions { read, workload: "register", options, faults: &faults })
        };
        let none = Options::default();
        for (read, faults, options, wanted) in [
            (QUORUM, "kill,pause,partition,clock", &none, Expectation::Holds),
            (LOG, "kill,pause,partition,clock", &none, Expectation::Holds),
            (LEASE, "partition", &none, Expectation::Holds),
            (LEASE, "clock", &none, Expectation::MayFail),
            (LOCAL, "none", &none, Expectation::Fails),
            (LEADER, "partition:isolate-leader", &none, Expectation::Fails),
            (LEADER, "kill,partition:leader-in-minority", &none, Expectation::Fails),
            (LEADER, "pause:leader", &none, Expectation::MayFail),
            (LEADER, "starve:leader", &none, Expectation::MayFail),
            (LEADER, "partition", &none, Expectation::MayFail),
            (LEADER, "partition:isolate-follower", &none, Expectation::MayFail),
            (LEADER, "partition:isolate-leader", &check_quorum(), Expectation::MayFail),
            (LEADER, "none", &none, Expectation::MayFail),
        ] {
            assert_eq!(expected(read, faults, options), wanted, "{read} under {faults}, {options:?}");
        }
    }

    #[test]
    fn settings_follow_from_the_read_mode_and_say_which_options_differ() {
        for (read, options, linger) in
            [(QUORUM, Options::default(), true), (LEASE, Options::default(), false), (QUORUM, check_quorum(), false)]
        {
            let settings = Schism.settings(&read.into(), &options, false).unwrap();
            assert_eq!(Schism.options_of(&read.into(), &settings), options, "{read}");
            assert_eq!(Schism.deposed_leaders_linger(&settings), linger, "{read}");
            assert!(Schism.check_settings(&settings).is_ok() && !Schism.writes_trace(&settings));
        }
        let basic = Options::default().with("elections", Some("basic"));
        let refused = Schism.settings(&LEASE.into(), &basic, false).unwrap_err();
        assert!(refused.contains("lease reads need loyal voters"), "{refused}");
        assert!(Schism.writes_trace(&Schism.settings(&LOG.into(), &basic, true).unwrap()));
        assert!(Schism.check_settings(&super::Settings::default()).unwrap_err().contains("election_timeout_ms"));
    }
}
