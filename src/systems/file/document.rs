//! Text of a system's file: its tables and fields, as TOML, and what is wrong with it.

mod node;
mod states;
mod stop;
mod text;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use workloads::{Api, Template, Variation, Variations};

pub(super) use self::{
    node::{NodeTable, RunAs},
    states::{ReadyTable, RoleLines, RolesTable},
    stop::StopTable,
    text::{CLOCK_FILE, NodeText, OnceText, PeerText},
};
use crate::systems::Guarantee;

/// Maximum length of a system's name, which folders of runs begin with.
const MAX_NAME: usize = 40;
/// Maximum of each time, ms.
const MAX_MS: u64 = 600_000;
/// Minimum of a time limit for the start or the recovery of a cluster, ms.
const MIN_LIMIT_MS: u64 = 100;
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
    /// Time that nodes have to end before they are killed, ms.
    pub(super) stop_within_ms: Option<Millis>,
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
    /// Returns the programs of all commands of nodes, with their fields; none where a command is empty.
    pub(super) fn programs(&self) -> impl Iterator<Item = (&'static str, Option<&Template>)> {
        fn first(command: &[NodeText]) -> Option<&Template> {
            command.first().map(|text| &text.0)
        }
        let Self { node, ready, roles, .. } = self;
        let beside = node.beside.iter().map(|command| ("node.beside", first(command)));
        let once = node.prepare_once.iter().map(|once| ("node.prepare_once", once.first().map(|text| &text.0)));
        let optional = [
            ("node.command", Some(&node.command)),
            ("node.prepare", node.prepare.as_ref()),
            ("node.stop", node.stop.command()),
            ("ready.command", ready.command.as_ref()),
            ("roles.command", roles.as_ref().and_then(|roles| roles.command.as_ref())),
        ];
        let optional = optional.into_iter().filter_map(|(field, command)| Some((field, first(command?))));
        beside.chain(once).chain(optional)
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
    document.node.check()?;
    for (field, program) in document.programs() {
        let Some(program) = program else {
            return Err(format!("`{field}` is empty; it begins with a program"));
        };
        if program.is_empty() {
            return Err(format!("`{field}` begins with an empty text; it begins with a program"));
        }
        if let Some(wrong) = program.names().find(|name| *name != "here") {
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
    states::check(&document.ready, document.roles.as_ref())
}

fn check_numbers(document: &Document<ClientTable>) -> Result<(), String> {
    let PortsTable { client, peer, election } = document.ports;
    let peer = peer.unwrap_or(client.wrapping_add(1));
    let given: Vec<u16> = [Some(client), Some(peer), election].into_iter().flatten().collect();
    if given.contains(&0) || (1..given.len()).any(|at| given[..at].contains(&given[at])) {
        return Err("`ports` are different ports, from 1 to 65535".to_owned());
    }
    if document.most_nodes == Some(0) {
        return Err("`most_nodes` is at least 1, not 0".to_owned());
    }
    let timing = &document.timing;
    for (name, least, given) in [
        ("ready_within_ms", MIN_LIMIT_MS, timing.ready_within_ms),
        ("settled_within_ms", MIN_LIMIT_MS, timing.settled_within_ms),
        ("probe_ms", MIN_PROBE_MS, timing.probe_ms),
        ("fault_ms", MIN_FAULT_MS, timing.fault_ms),
    ] {
        if let Some(Millis(ms)) = given.filter(|Millis(ms)| *ms < least) {
            return Err(format!("`timing.{name}` is at least {least}, not {ms}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
