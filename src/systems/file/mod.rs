//! Systems that a user describes in a file: a folder of this module reads it, the rest of `schism` sees a [`System`].

mod document;
mod node;
mod prepared;
mod roles;
mod shim;
mod trial;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nemesis::NodeNeed;
use serde::{Deserialize, Serialize};
use workloads::{Action, Api, ApiConnector, Connector, ShimProblems};

pub(crate) use self::trial::{TrialStep, response_words};
use self::{
    document::{ClientTable, Document, Millis, NodeTable, ReadModeTable, RoleLines, RunAs},
    node::NodeTexts,
};
use super::{
    ClientSetup, Deployment, LogLines, Ports, ReadModeDescription, StartCommand, Status, StatusPage, StatusRequest,
    System, SystemName, Timing,
};

/// Maximum size of a file, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// File that describes a system: its path as the user gave it, and its text, by which a run that is stored can be
/// judged again without the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SystemFile {
    pub(crate) path: String,
    text: String,
}

/// Systems of the files read so far, which live as long as the process, as systems do.
static LOADED: Mutex<BTreeMap<SystemFile, &'static FileSystem>> = Mutex::new(BTreeMap::new());

impl SystemFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Says why it cannot be read, or what is wrong with its text and in which line.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let size = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
        if size > MAX_BYTES {
            return Err(format!("{shown}: {size} bytes are too many; a system's file has at most {MAX_BYTES}"));
        }
        let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        Self::of_text(path, text)
    }

    /// Returns a file with this text.
    ///
    /// # Errors
    /// Says what is wrong with the text, and in which line.
    pub(crate) fn of_text(path: &Path, text: String) -> Result<Self, String> {
        let file = Self { path: path.display().to_string(), text };
        file.system()?;
        Ok(file)
    }

    /// Returns true if the file is there and says something else.
    pub(crate) fn has_changed(&self) -> bool {
        fs::read(&self.path).is_ok_and(|now| now != self.text.as_bytes())
    }

    /// Returns the system that the file describes.
    ///
    /// # Errors
    /// Says what is wrong with its text, and in which line.
    pub(crate) fn system(&self) -> Result<&'static FileSystem, String> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(system) = loaded.get(self) {
            return Ok(system);
        }
        let document = document::parse(&self.text).map_err(|why| format!("{}: {why}", self.path))?;
        if SystemName::from(&*document.name.0).find().is_ok() {
            return Err(format!("{}: there is another system {:?}; choose a name", self.path, document.name.0));
        }
        let system: &'static FileSystem = Box::leak(Box::new(FileSystem::new(document, &self.path)));
        loaded.insert(self.clone(), system);
        Ok(system)
    }
}

/// System that a file describes.
#[derive(Debug)]
pub(crate) struct FileSystem {
    document: Document<ClientTable>,
    /// Folder of the file.
    here: PathBuf,
    read_modes: Vec<ReadModeDescription>,
    workloads: Vec<&'static str>,
    /// Problems with shims, of all clients of this process.
    shim_problems: Arc<ShimProblems>,
}

impl FileSystem {
    fn new(document: Document<ClientTable>, path: &str) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let describe = |mode: &ReadModeTable| ReadModeDescription {
            name: mode.name.0.clone().into(),
            about: mode.about.clone().into(),
            guarantee: mode.guarantee.into(),
        };
        Self {
            here: path.parent().map(Path::to_owned).unwrap_or_default(),
            read_modes: document.read_modes.iter().map(describe).collect(),
            workloads: match &document.client {
                ClientTable::Http(api) => api.workloads(),
                ClientTable::Shim(shim) => shim.workloads(),
            },
            shim_problems: Arc::default(),
            document,
        }
    }

    /// Returns what is probably wrong with the rules for answers, a sentence each.
    pub(crate) fn doubts(&self) -> Vec<String> {
        match &self.document.client {
            ClientTable::Http(api) => api.doubts(),
            ClientTable::Shim(_) => Vec::new(),
        }
    }

    /// Returns what answers that met these rules leave untried of the others, a sentence each.
    pub(crate) fn untried_rules(&self, met: &BTreeSet<(&'static str, usize)>) -> Vec<String> {
        match &self.document.client {
            ClientTable::Http(api) => api.untried(met),
            ClientTable::Shim(_) => Vec::new(),
        }
    }

    /// Returns what is probably wrong with the places of roles, by the answer of the only node, if it gave one.
    pub(crate) fn role_doubts(&self, page: Option<&StatusPage>) -> Vec<String> {
        let Some((roles, page)) = self.document.roles.as_ref().zip(page) else { return Vec::new() };
        roles::doubts(roles, page)
    }

    /// Returns what the file leaves out that runs could have used, a sentence each.
    pub(crate) fn omissions(&self) -> Vec<String> {
        let Some(roles) = &self.document.roles else { return Vec::new() };
        let has_term = match &roles.log {
            Some(lines) => lines.can_name_term(),
            None => roles.term.is_some(),
        };
        let what = if roles.log.is_some() { "a group `term` in `roles.log.leads`" } else { "`roles.term`" };
        let why =
            format!("without {what}, of two nodes that say that they lead nobody knows which is the later leader");
        if has_term { Vec::new() } else { vec![why] }
    }

    /// Returns true if clients can do this.
    pub(crate) fn has(&self, action: &Action) -> bool {
        match &self.document.client {
            ClientTable::Http(api) => api.has(action),
            ClientTable::Shim(shim) => shim.has(action),
        }
    }

    /// Creates clients that show what goes over the wire, if they speak HTTP.
    pub(crate) fn api_connector(&self, clients: &ClientSetup<'_>) -> Option<ApiConnector> {
        match &self.document.client {
            ClientTable::Http(api) => Some(self.connector_to(api, clients)),
            ClientTable::Shim(_) => None,
        }
    }

    fn texts<'a>(&'a self, id: u16, deployment: &'a Deployment) -> NodeTexts<'a> {
        NodeTexts { name: self.name(), table: &self.document.node, here: &self.here, id, deployment }
    }

    fn connector_to(&self, api: &Api, clients: &ClientSetup<'_>) -> ApiConnector {
        let mode = self.document.read_modes.iter().find(|mode| mode.name.0 == clients.read.name());
        let variations = mode.map(ReadModeTable::variations).unwrap_or_default();
        let api = api.clone().vary(&variations).expect("the read modes were checked");
        let nodes = clients.deployment.addresses.iter().map(|address| address.client).collect();
        ApiConnector::new(api, clients.read.name(), nodes, clients.connect_timeout, clients.operation_timeout)
    }
}

impl System for FileSystem {
    fn name(&self) -> &str {
        &self.document.name.0
    }

    fn read_modes(&self) -> &[ReadModeDescription] {
        &self.read_modes
    }

    fn workloads(&self) -> &[&str] {
        &self.workloads
    }

    fn most_nodes(&self) -> Option<u16> {
        self.document.most_nodes
    }

    fn has_cas(&self) -> bool {
        self.has(&Action::Cas { from: 0, to: 1 })
    }

    fn missing_program(&self) -> Option<(String, String)> {
        let of_clients = match &self.document.client {
            ClientTable::Http(_) => None,
            ClientTable::Shim(shim) => shim.missing_program(&self.here),
        };
        let program = node::missing_program(&self.document, &self.here).or(of_clients)?;
        let install = self.document.install.clone();
        Some((program, install.unwrap_or_else(|| "install it, or correct the command".to_owned())))
    }

    fn node_needs(&self) -> Vec<NodeNeed> {
        let NodeTable { run_as, host_name, files, .. } = &self.document.node;
        let ordinary = (*run_as == RunAs::Ordinary).then_some(NodeNeed::OrdinaryUser);
        let own_files = files.iter().any(|file| file.path.is_absolute()).then_some(NodeNeed::OwnFiles);
        let own_name = host_name.is_some().then_some(NodeNeed::OwnHostName);
        [ordinary, own_files, own_name].into_iter().flatten().collect()
    }

    fn timing(&self, _settings: &super::Settings) -> Timing {
        let table = &self.document.timing;
        let or = |ms: Option<Millis>, other: Duration| ms.map_or(other, Duration::from);
        let usual = Timing::default();
        Timing {
            ready_within: or(table.ready_within_ms, usual.ready_within),
            settled_within: or(table.settled_within_ms, usual.settled_within),
            settle: or(table.settle_ms, usual.settle),
            stop_within: or(table.stop_within_ms, usual.stop_within),
            probe: or(table.probe_ms, usual.probe),
            fault: or(table.fault_ms, usual.fault),
            ..usual
        }
    }

    fn ports(&self) -> Ports {
        let ports = self.document.ports;
        let peer = ports.peer.unwrap_or_else(|| ports.client.wrapping_add(1).max(1));
        Ports { client: ports.client, peer, election: ports.election.unwrap_or(peer) }
    }

    fn start_command(&self, id: u16, deployment: &Deployment) -> anyhow::Result<StartCommand> {
        self.texts(id, deployment).start_command()
    }

    fn status_request(&self, id: u16, deployment: &Deployment) -> StatusRequest {
        let Document { roles, ready, .. } = &self.document;
        let role_lines = roles.as_ref().and_then(|roles| roles.log.as_ref());
        if ready.log.is_some() || role_lines.is_some() {
            let roles = role_lines.map(|RoleLines { leads, follows }| [leads, follows]);
            let roles = roles.into_iter().flatten().map(|line| line.0.clone()).collect();
            return StatusRequest::Log(LogLines { up: ready.log.as_ref().map(|line| line.0.clone()), roles });
        }
        let (command, request, body) = match roles {
            Some(roles) => (&roles.command, &roles.request, &roles.body),
            None => (&ready.command, &ready.request, &None),
        };
        match (command, request) {
            (Some(command), _) => {
                let (program, args) = self.texts(id, deployment).command(command);
                StatusRequest::Command { program, args }
            }
            (None, Some(request)) => StatusRequest::Page(request.with_body(body.clone())),
            (None, None) => StatusRequest::Port,
        }
    }

    fn read_status(&self, page: &StatusPage) -> Option<Status> {
        self.read_statuses(std::slice::from_ref(&Some(page.clone()))).pop()?
    }

    fn read_statuses(&self, pages: &[Option<StatusPage>]) -> Vec<Option<Status>> {
        if let Some(roles) = &self.document.roles {
            return roles::read_statuses(roles, pages);
        }
        let is_up = |page: &StatusPage| match (&self.document.ready.request, &self.document.ready.status) {
            (None, _) => true,
            (Some(_), Some(wanted)) => wanted.contains(page.status),
            (Some(_), None) => (200..300).contains(&page.status),
        };
        pages.iter().map(|page| page.as_ref().filter(|page| is_up(page)).map(|_| Status::default())).collect()
    }

    fn connector(&self, clients: &ClientSetup<'_>) -> anyhow::Result<Connector> {
        Ok(match &self.document.client {
            ClientTable::Http(api) => Connector::new(self.connector_to(api, clients)),
            ClientTable::Shim(shim) => {
                let texts = |id| self.texts(id, clients.deployment);
                let problems = if clients.are_probes { Arc::default() } else { Arc::clone(&self.shim_problems) };
                Connector::new(shim.connector(texts, clients, problems))
            }
        })
    }

    fn client_problems(&self) -> Option<String> {
        (!self.shim_problems.list().is_empty()).then(|| self.shim_problems.to_string())
    }

    fn has_roles(&self) -> bool {
        self.document.roles.is_some()
    }

    fn reads_clock_file(&self) -> bool {
        self.document.node.has_clock_file()
    }

    /// Nobody reads the logs of these nodes.
    fn logs_roles(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Ports, SystemFile, SystemName};
    use crate::systems::{Address, Deployment, Settings, Status, StatusPage, StatusRequest, System as _};

    /// Text of the example, with one change.
    fn changed(from: &str, to: &str) -> Result<&'static super::FileSystem, String> {
        let text = include_str!("../../../examples/store/store.toml");
        assert!(text.contains(from), "{from}");
        SystemFile::of_text(Path::new("store.toml"), text.replacen(from, to, 1))?.system()
    }

    #[test]
    fn the_files_of_this_repository_are_right_and_without_doubts() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for folder in ["systems", "examples/store"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    let system = SystemFile::read(&path).unwrap().system().unwrap();
                    assert_eq!(system.doubts(), Vec::<String>::new());
                    seen += 1;
                }
            }
        }
        assert!(seen >= 2, "{seen}");
    }

    #[test]
    fn a_file_is_read_once_and_takes_no_name_of_ours() {
        let twice = [(); 2].map(|()| changed("/value", "/found").unwrap());
        assert!(std::ptr::eq(twice[0], twice[1]));
        let ours = SystemName::default().to_string();
        let refused = changed("\"store\"", &format!("{ours:?}")).unwrap_err();
        assert!(refused.contains("there is another system"), "{refused}");
    }

    #[test]
    fn what_a_file_leaves_out_a_run_does_without() {
        let system = changed("[client.cas]", "[client.dequeue]").unwrap_err();
        assert!(system.contains("`client.dequeue`: it has no placeholder {from}"), "{system}");
        let system = changed("status = 200\n", "").unwrap();
        assert!(!system.has_roles() && !system.reads_clock_file() && !system.logs_roles() && system.has_cas());
        assert_eq!(system.workloads(), ["register", "cas", "causal"]);
    }

    #[test]
    fn clocks_can_be_skewed_if_a_node_is_told_of_its_clock_file() {
        let system = changed("[node]\n", "[node]\nenv = { CLOCK = \"{clock_file}\" }\n").unwrap();
        assert!(system.reads_clock_file());
        let system = changed("\"{client_port}\"", "\"{client_port}\", \"--clock={clock_file}\"").unwrap();
        assert!(system.reads_clock_file());
    }

    #[test]
    fn a_node_is_up_when_its_page_has_the_status_or_its_port_is_open() {
        let page = |status| StatusPage { status, body: Vec::new() };
        let is_up = |system: &super::FileSystem, status| {
            system.read_status(&page(status)).is_some_and(|Status { role, .. }| role.is_none())
        };
        let by_page = changed("status = 200\n", "status = 204\n").unwrap();
        let deployment = Deployment {
            addresses: vec![Address::with_ports([10, 0, 0, 1].into(), Ports { peer: 2, client: 1, election: 3 })],
            members: 1,
            read: "read".into(),
            settings: Settings::default(),
            dir: "run".into(),
            prepared: "prepared".into(),
        };
        let request = |system: &super::FileSystem| system.status_request(1, &deployment);
        assert!(matches!(request(by_page), StatusRequest::Page(page) if page.path == "/"));
        assert!(is_up(by_page, 204) && !is_up(by_page, 200));
        let ready = "request = \"GET /\"\nstatus = 200\n";
        let by_port = changed(ready, "").unwrap();
        assert!(matches!(request(by_port), StatusRequest::Port) && is_up(by_port, 0));
        let by_command = changed(ready, "command = [\"sh\", \"{ip}:{client_port}\"]\n").unwrap();
        let StatusRequest::Command { program, args } = request(by_command) else { panic!("it is a command") };
        assert!(program.ends_with("sh") && args == ["10.0.0.1:1"] && is_up(by_command, 200), "{args:?}");
        let by_log = changed(ready, "log = 'serving on \\d+'\n").unwrap();
        let StatusRequest::Log(lines) = request(by_log) else { panic!("it is the log") };
        assert!(lines.up.unwrap().is_match(b"serving on 80") && lines.roles.is_empty() && is_up(by_log, 200));
    }
}
