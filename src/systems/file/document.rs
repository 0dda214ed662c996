//! Text of a system's file: its tables and fields, as TOML, and what is wrong with it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;
use workloads::{Api, Pointer, RequestLine, Statuses, Template, Variation, Variations};

use crate::systems::Guarantee;

/// Placeholders in commands, environment variables and files of a node.
const NODE_PLACEHOLDERS: [&str; 13] = [
    "node",
    "nodes",
    "ip",
    "client_port",
    "peer_port",
    "election_port",
    "peers",
    "others",
    "read_mode",
    "data_dir",
    "node_dir",
    CLOCK_FILE,
    "here",
];
/// Placeholder of the file by which a node's clock is skewed.
pub(super) const CLOCK_FILE: &str = "clock_file";
/// Placeholders in the form in which a node is told of one of its peers.
const PEER_PLACEHOLDERS: [&str; 5] = ["node", "ip", "client_port", "peer_port", "election_port"];
/// Maximum length of a system's name, which folders of runs begin with.
const MAX_NAME: usize = 40;
/// Maximum of each time, ms.
const MAX_MS: u64 = 600_000;
/// Minimum of the interval between two probes, ms.
const MIN_PROBE_MS: u64 = 10;
/// Minimum of the duration of a fault, ms.
const MIN_FAULT_MS: u64 = 1000;

/// Content of a file, whose clients are of kind `C`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<C> {
    pub(super) name: Name,
    /// Hint for a host that lacks a program.
    pub(super) install: Option<String>,
    /// Maximum number of nodes.
    pub(super) most_nodes: Option<u16>,
    pub(super) ports: PortsTable,
    pub(super) node: NodeTable,
    #[serde(default)]
    pub(super) ready: ReadyTable,
    pub(super) roles: Option<RolesTable>,
    #[serde(default)]
    pub(super) timing: TimingTable,
    pub(super) read_modes: Vec<ReadModeTable>,
    pub(super) client: C,
}

/// Clients of a system, of a kind that `client.kind` names.
#[derive(Clone, Debug)]
pub(super) enum ClientTable {
    Http(Box<Api>),
    Shim(ShimTable),
}

/// Program that carries out requests, one process for each client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShimTable {
    /// Kind of the clients, which is always `shim`.
    #[expect(dead_code, reason = "it chose this type")]
    kind: ClientKind,
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, NodeText>,
    /// Workloads whose operations it knows.
    pub(super) workloads: Vec<String>,
    /// True if it knows cas, which the workload `register` can do without.
    #[serde(default)]
    pub(super) cas: bool,
    /// Time limit for its `ready` line, ms; none if it writes no such line.
    pub(super) ready_within_ms: Option<Millis>,
}

/// The field of a document that says which kind of clients it has.
#[derive(Deserialize)]
struct KindOnly {
    client: KindOfClient,
}

#[derive(Deserialize)]
struct KindOfClient {
    kind: ClientKind,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ClientKind {
    Http,
    Shim,
}

/// Name of a system: small letters, digits and hyphens.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Name(pub(super) String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.len() <= MAX_NAME
            && name.chars().all(is_allowed)
        {
            return Ok(Self(name));
        }
        Err(format!("a name has up to {MAX_NAME} small letters, digits and hyphens, a letter first; not {name:?}"))
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortsTable {
    pub(super) client: u16,
    pub(super) peer: Option<u16>,
    /// Second port for other nodes.
    pub(super) election: Option<u16>,
}

/// Start of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeTable {
    pub(super) command: Vec<NodeText>,
    /// Arguments that only the first start takes.
    #[serde(default)]
    pub(super) first_arguments: Vec<NodeText>,
    /// Commands that run beside it, as one node with it.
    #[serde(default)]
    pub(super) beside: Vec<Vec<NodeText>>,
    /// User that commands run as.
    #[serde(default)]
    pub(super) run_as: RunAs,
    /// Command that is carried out once for each node, before its first start.
    pub(super) prepare: Option<Vec<NodeText>>,
    /// Form in which `{peers}` and `{others}` name a node.
    #[serde(default)]
    pub(super) peers: PeerText,
    /// Text between two nodes in `{peers}` and `{others}`.
    #[serde(default = "comma")]
    pub(super) separator: String,
    #[serde(default)]
    pub(super) env: BTreeMap<String, NodeText>,
    #[serde(default)]
    pub(super) files: Vec<FileTable>,
}

impl NodeTable {
    /// Returns true if a node is told of the file by which its clock is skewed.
    pub(super) fn has_clock_file(&self) -> bool {
        let Self { command, first_arguments, beside, env, files, .. } = self;
        let texts = command.iter().chain(first_arguments).chain(beside.iter().flatten()).chain(env.values());
        texts.chain(files.iter().map(|file| &file.text)).any(|text| text.0.names().any(|name| name == CLOCK_FILE))
    }
}

/// User that the commands of a node run as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RunAs {
    /// The user of the sandbox, which is root in it.
    #[default]
    Root,
    /// A user who is not root, for programs that refuse to run as root.
    Ordinary,
}

fn comma() -> String {
    ",".to_owned()
}

/// File that is written into a node's folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    pub(super) path: RelativePath,
    pub(super) text: NodeText,
}

/// Path that stays within the folder that it starts from.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RelativePath(pub(super) String);

impl TryFrom<String> for RelativePath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        if !path.is_empty() && path.split('/').all(|part| !["", ".", ".."].contains(&part)) {
            return Ok(Self(path));
        }
        Err(format!("{path:?} does not stay in the node's folder; a path is such as \"etc/store.conf\""))
    }
}

/// Text about a node, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct NodeText(pub(super) Template);

impl TryFrom<String> for NodeText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &NODE_PLACEHOLDERS).map(Self)
    }
}

/// Text about a peer, with placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PeerText(pub(super) Template);

impl TryFrom<String> for PeerText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text, &PEER_PLACEHOLDERS).map(Self)
    }
}

impl Default for PeerText {
    fn default() -> Self {
        "{ip}:{peer_port}".to_owned().try_into().expect("it has only placeholders of peers")
    }
}

/// State in which a node is up: its client port takes connections, a request is answered with a certain status, or a
/// command succeeds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyTable {
    pub(super) command: Option<Vec<NodeText>>,
    pub(super) request: Option<RequestLine>,
    pub(super) status: Option<Statuses>,
}

/// Request whose answer, or command whose output, says who leads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesTable {
    pub(super) request: Option<RequestLine>,
    pub(super) command: Option<Vec<NodeText>>,
    pub(super) body: Option<String>,
    /// Values in the answer of a node that leads.
    #[serde(default)]
    pub(super) leads: BTreeMap<Pointer, Json>,
    /// Place of the node's own name, which that of the leader is compared with.
    pub(super) id: Option<Pointer>,
    /// Place of the leader's name.
    pub(super) leader: Option<Pointer>,
    /// Place of the term.
    pub(super) term: Option<Pointer>,
}

/// Time, ms.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Millis(u64);

impl TryFrom<u64> for Millis {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, String> {
        if ms <= MAX_MS { Ok(Self(ms)) } else { Err(format!("a time is at most {MAX_MS} ms, not {ms}")) }
    }
}

impl From<Millis> for Duration {
    fn from(Millis(ms): Millis) -> Self {
        Self::from_millis(ms)
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimingTable {
    /// Time limit from the start of the nodes until the cluster can be used, ms.
    pub(super) ready_within_ms: Option<Millis>,
    /// Time limit from the end of the last fault until the cluster has recovered, ms.
    pub(super) settled_within_ms: Option<Millis>,
    /// Time that a cluster is left alone once it is up, ms.
    pub(super) settle_ms: Option<Millis>,
    /// Minimum duration of a fault, ms.
    pub(super) fault_ms: Option<Millis>,
    /// Interval between two probes of a node, and time limit of each, ms.
    pub(super) probe_ms: Option<Millis>,
}

/// Read mode, and its differences from the operations of `client`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadModeTable {
    pub(super) name: Name,
    #[serde(default)]
    pub(super) about: String,
    pub(super) guarantee: GuaranteeName,
    pub(super) read: Option<Variation>,
    pub(super) elements: Option<Variation>,
    pub(super) peek: Option<Variation>,
    pub(super) count: Option<Variation>,
}

impl ReadModeTable {
    pub(super) fn variations(&self) -> Variations {
        let Self { read, elements, peek, count, .. } = self.clone();
        Variations { read, elements, peek, count }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum GuaranteeName {
    Linearizable,
    LinearizableByClocks,
    Weaker,
}

impl From<GuaranteeName> for Guarantee {
    fn from(name: GuaranteeName) -> Self {
        match name {
            GuaranteeName::Linearizable => Self::Linearizable,
            GuaranteeName::LinearizableByClocks => Self::LinearizableByClocks,
            GuaranteeName::Weaker => Self::Weaker,
        }
    }
}

impl<C> Document<C> {
    /// Returns the commands of nodes, with their fields.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&'static str, &Vec<NodeText>)> {
        let beside = self.node.beside.iter().map(|command| ("node.beside", command));
        let optional = [
            ("node.command", Some(&self.node.command)),
            ("node.prepare", self.node.prepare.as_ref()),
            ("ready.command", self.ready.command.as_ref()),
            ("roles.command", self.roles.as_ref().and_then(|roles| roles.command.as_ref())),
        ];
        beside.chain(optional.into_iter().filter_map(|(field, command)| Some((field, command?))))
    }
}

/// Reads the text of a file.
///
/// # Errors
/// Says what is wrong, in which line, and what is allowed.
pub(super) fn parse(text: &str) -> Result<Document<ClientTable>, String> {
    // The kind is read first, so that whatever is wrong with the rest is said with its line.
    let document = match typed::<KindOnly>(text)?.client.kind {
        ClientKind::Http => with_client(typed(text)?, |api| ClientTable::Http(Box::new(api))),
        ClientKind::Shim => with_client(typed(text)?, ClientTable::Shim),
    };
    check(&document)?;
    Ok(document)
}

fn typed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].lines().count().max(1);
            let at_start = text[..span.start.min(text.len())].ends_with('\n');
            format!("line {}: {}", line + usize::from(at_start), error.message())
        }
        None => error.message().to_owned(),
    })
}

fn with_client<C, D>(document: Document<C>, wrap: impl FnOnce(C) -> D) -> Document<D> {
    let Document { name, install, most_nodes, ports, node, ready, roles, timing, read_modes, client } = document;
    Document { name, install, most_nodes, ports, node, ready, roles, timing, read_modes, client: wrap(client) }
}

/// Checks what no single field can be wrong with.
fn check(document: &Document<ClientTable>) -> Result<(), String> {
    match &document.client {
        ClientTable::Shim(shim) => shim.check()?,
        ClientTable::Http(api) => {
            api.check()?;
            for mode in &document.read_modes {
                let varied = (**api).clone().vary(&mode.variations()).and_then(|varied| varied.check());
                varied.map_err(|why| format!("the read mode {:?}: {why}", mode.name.0))?;
            }
        }
    }
    check_numbers(document)?;
    for (field, command) in document.commands() {
        let Some(program) = command.first() else {
            return Err(format!("`{field}` is empty; it begins with a program"));
        };
        if let Some(wrong) = program.0.names().find(|name| *name != "here") {
            return Err(format!("the program in `{field}` has no placeholder {{{wrong}}}; it has: {{here}}"));
        }
    }
    let modes = &document.read_modes;
    if modes.is_empty() {
        return Err("`read_modes` is empty; there is at least one, such as name = \"read\"".to_owned());
    }
    if let Some((_, twice)) = (0..).zip(modes).find(|(at, mode)| modes[..*at].iter().any(|m| m.name.0 == mode.name.0)) {
        return Err(format!("the read mode {:?} is there twice", twice.name.0));
    }
    if document.ready.request.is_none() && document.ready.status.is_some() {
        return Err("`ready.status` is that of an answer; it needs `ready.request`".to_owned());
    }
    if document.ready.request.is_some() && document.ready.command.is_some() {
        return Err("`ready` has either `request` or `command`".to_owned());
    }
    if document.roles.as_ref().is_some_and(|roles| roles.request.is_some() == roles.command.is_some()) {
        return Err("`roles` has either `request` or `command`".to_owned());
    }
    if document.roles.as_ref().is_some_and(|roles| roles.command.is_some() && roles.body.is_some()) {
        return Err("`roles.body` is that of a request; it needs `roles.request`".to_owned());
    }
    if document
        .roles
        .as_ref()
        .is_some_and(|roles| roles.leads.is_empty() && !(roles.id.is_some() && roles.leader.is_some()))
    {
        return Err("`roles` needs `leads`, values in the answer of a leader, or both `id` and `leader`".to_owned());
    }
    if document.roles.is_some() && (document.ready.request.is_some() || document.ready.command.is_some()) {
        return Err("with `roles`, a node is up when it answers what they ask: leave `ready` out".to_owned());
    }
    Ok(())
}

fn check_numbers(document: &Document<ClientTable>) -> Result<(), String> {
    let PortsTable { client, peer, election } = document.ports;
    let peer = peer.unwrap_or(client.wrapping_add(1));
    let given: Vec<u16> = [Some(client), Some(peer), election].into_iter().flatten().collect();
    if given.contains(&0) || (1..given.len()).any(|at| given[..at].contains(&given[at])) {
        return Err("`ports` are different ports, from 1 to 65535".to_owned());
    }
    let timing = &document.timing;
    for (name, least, given) in
        [("probe_ms", MIN_PROBE_MS, timing.probe_ms), ("fault_ms", MIN_FAULT_MS, timing.fault_ms)]
    {
        if let Some(Millis(ms)) = given.filter(|Millis(ms)| *ms < least) {
            return Err(format!("`timing.{name}` is at least {least}, not {ms}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
