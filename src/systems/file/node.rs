//! Nodes of a system that a file describes: commands, environment and files, with their placeholders filled.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use nemesis::{OwnView, Stop};

use super::document::{CLOCK_FILE, ClientTable, Document, NodeTable, NodeText, OnceText, PeerText, RunAs, StopTable};
use super::prepared;
use crate::systems::{Address, Deployment, StartCommand};

/// Time limit of the command that prepares a node.
const PREPARE_LIMIT: Duration = Duration::from_mins(2);
/// Maximum number of characters of the last line of a preparation that failed.
const MAX_LAST_WORDS: usize = 300;
/// Folder within that of a node for the files that are bound over others.
const BOUND_FILES: &str = "bound";
/// Maximum length of a host name, as Linux has it.
const MAX_HOST_NAME: usize = 64;
const POLL: Duration = Duration::from_millis(10);

fn prepare(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy);
    let words = words.collect::<Vec<_>>().join(" ");
    let out = File::create(log).with_context(|| format!("making {}", log.display()))?;
    command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
    let mut child = command.spawn().with_context(|| format!("starting `{words}`"))?;
    let end = Instant::now() + PREPARE_LIMIT;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{words}` ended with {status}{}; see {}", last_words(log), log.display()),
            None if Instant::now() > end => {
                child.kill()?;
                child.wait()?;
                bail!("`{words}` did not end within {PREPARE_LIMIT:?}; see {}", log.display());
            }
            None => thread::sleep(POLL),
        }
    }
}

/// Returns the last line of a log, after a colon; nothing if it is empty.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| format!(": {}", line.trim().chars().take(MAX_LAST_WORDS).collect::<String>()))
}

/// Returns the name of a program that this host lacks, of those that a node needs.
pub(super) fn missing_program(document: &Document<ClientTable>, here: &Path) -> Option<String> {
    let named = document.programs().filter_map(|(_, program)| program);
    let mut named = named.map(|program| program.fill(|_| here.display().to_string()));
    named.find(|program| find(program, here).is_none())
}

/// Returns a text with the folder of the system's file in place of `{here}`.
pub(super) fn fill_here(text: &str, here: &Path) -> String {
    text.replace("{here}", &here.display().to_string())
}

/// Finds a program: on the `PATH`, or, if its name has a slash, relative to the folder of the system's file.
pub(super) fn find(program: &str, here: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(here.join(program)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Node whose texts are filled.
#[derive(Clone, Copy)]
pub(super) struct NodeTexts<'a> {
    /// Name of the system.
    pub(super) name: &'a str,
    pub(super) table: &'a NodeTable,
    pub(super) here: &'a Path,
    pub(super) id: u16,
    pub(super) deployment: &'a Deployment,
}

impl NodeTexts<'_> {
    /// Prepares the folder of the node, and returns the command that starts it.
    pub(super) fn start_command(&self) -> anyhow::Result<StartCommand> {
        let dir = self.deployment.node_dir(self.id);
        let data = self.deployment.data_dir(self.id);
        fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
        let view = self.write_files(&dir)?;
        let ordinary = self.table.run_as == RunAs::Ordinary;
        if let Some(command) = &self.table.prepare_once {
            let make = |data: &Path, log: &Path| prepare(&mut self.prepare_once(command, data), log);
            let made = prepared::prepared(&self.deployment.prepared, self.name, make)?;
            prepared::copy(&made, &data).with_context(|| format!("copying {}", made.display()))?;
        }
        let env: Vec<_> = self.table.env.iter().map(|(name, text)| (name.into(), self.fill(text).into())).collect();
        if let Some(command) = &self.table.prepare {
            let (program, args) = self.command(command);
            let mut command = self.program(program, args);
            command.envs(env.iter().cloned());
            prepare(&mut command, &dir.join("prepare.log"))?;
        }
        let (program, args) = self.command(&self.table.command);
        let first_args = self.table.first_arguments.iter().map(|text| self.fill(text).into()).collect();
        let beside = self.table.beside.iter().map(|command| self.command(command)).collect();
        let stop = match &self.table.stop {
            StopTable::Signal(signal) => Stop::Signal(*signal),
            StopTable::Command(command) => {
                let (program, args) = self.command(command);
                Stop::Command(program, args)
            }
        };
        Ok(StartCommand { program, args, first_args, beside, stop, ordinary, view, env })
    }

    /// Returns the command that prepares the data of all nodes in a folder.
    fn prepare_once(&self, command: &[OnceText], data: &Path) -> Command {
        let fill = |name: &str| if name == "here" { self.here } else { data }.display().to_string();
        let mut words = command.iter().map(|text| text.0.fill(fill));
        let program = words.next().and_then(|program| find(&program, self.here)).unwrap_or_default();
        self.program(program, words.map(Into::into).collect())
    }

    /// Returns a program with its arguments, as the user of the node.
    fn program(&self, program: PathBuf, args: Vec<OsString>) -> Command {
        let mut command = Command::new(program);
        command.args(args);
        if self.table.run_as == RunAs::Ordinary {
            nemesis::run_as_ordinary(&mut command);
        }
        command
    }

    /// Writes the files of the node, and returns the view in which they are bound over others.
    fn write_files(&self, dir: &Path) -> anyhow::Result<OwnView> {
        let mut view = OwnView::default();
        for file in &self.table.files {
            let over = Path::new(&file.path.0);
            let path = match over.strip_prefix("/") {
                Ok(within) => dir.join(BOUND_FILES).join(within),
                Err(_) => dir.join(over),
            };
            let write = || {
                fs::create_dir_all(path.parent().unwrap_or(dir))?;
                fs::write(&path, self.fill_in(&file.text, file.peers.as_ref(), file.separator.as_deref()))
            };
            write().with_context(|| format!("writing {}", path.display()))?;
            if file.path.is_absolute() {
                ensure!(over.is_file(), "{} is no file on this host that another can be bound over", over.display());
                view.files.push((path, over.to_owned()));
            }
        }
        view.host_name = self.table.host_name.as_ref().map(|name| self.fill(name));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        if let Some(name) = view
            .host_name
            .as_ref()
            .filter(|name| name.is_empty() || name.len() > MAX_HOST_NAME || !name.chars().all(is_allowed))
        {
            bail!("a host name has up to {MAX_HOST_NAME} letters, digits, dots and hyphens, not {name:?}");
        }
        Ok(view)
    }

    /// Returns program and arguments; an empty program if this host lacks it.
    pub(super) fn command(&self, command: &[NodeText]) -> (PathBuf, Vec<OsString>) {
        let mut words = command.iter().map(|text| self.fill(text));
        let program = words.next().and_then(|program| find(&program, self.here)).unwrap_or_default();
        (program, words.map(Into::into).collect())
    }

    /// Returns the text with its placeholders filled.
    pub(super) fn fill(&self, text: &NodeText) -> String {
        self.fill_in(text, None, None)
    }

    /// Returns the text with its placeholders filled, in which nodes have a form and a separator of their own.
    fn fill_in(&self, text: &NodeText, form: Option<&PeerText>, separator: Option<&str>) -> String {
        let (form, separator) = (form.unwrap_or(&self.table.peers), separator.unwrap_or(&self.table.separator));
        let dir = self.deployment.node_dir(self.id);
        text.0.fill(|name| match name {
            "nodes" => self.deployment.addresses.len().to_string(),
            "peers" => self.peers(form, separator, |_| true),
            "others" => self.peers(form, separator, |id| id != self.id),
            "read_mode" => self.deployment.read.name().to_owned(),
            CLOCK_FILE => self.deployment.clock_file(self.id).display().to_string(),
            "data_dir" => self.deployment.data_dir(self.id).display().to_string(),
            "node_dir" => dir.display().to_string(),
            "here" => self.here.display().to_string(),
            name => address(name, self.id, &self.deployment.addresses[usize::from(self.id) - 1]),
        })
    }

    fn peers(&self, form: &PeerText, separator: &str, is_named: impl Fn(u16) -> bool) -> String {
        let all = (1..).zip(&self.deployment.addresses).filter(|(id, _)| is_named(*id));
        let all = all.map(|(id, of_peer)| form.0.fill(|name| address(name, id, of_peer)));
        all.collect::<Vec<_>>().join(separator)
    }
}

/// Returns the value of a placeholder about the address of a node.
fn address(name: &str, id: u16, address: &Address) -> String {
    match name {
        "node" => id.to_string(),
        "ip" => address.client.ip().to_string(),
        "client_port" => address.client.port().to_string(),
        "peer_port" => address.peer.port().to_string(),
        "election_port" => address.election.port().to_string(),
        other => unreachable!("a template was checked, and has no placeholder {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::document, *};
    use crate::systems::{Ports, Settings};

    fn table(text: &str) -> NodeTable {
        toml::from_str(text).unwrap()
    }

    fn deployment(dir: &Path) -> Deployment {
        let ports = Ports { peer: 2380, client: 2379, election: 2381 };
        let host = |last: u8| Address::with_ports([10, 0, 0, last].into(), ports);
        let addresses = vec![host(1), host(2)];
        let prepared = dir.join("prepared");
        let members = u16::try_from(addresses.len()).unwrap();
        Deployment {
            addresses,
            members,
            read: "lease".into(),
            settings: Settings::default(),
            dir: dir.to_owned(),
            prepared,
        }
    }

    fn texts<'a>(table: &'a NodeTable, id: u16, deployment: &'a Deployment) -> NodeTexts<'a> {
        NodeTexts { name: "store", table, here: Path::new("/"), id, deployment }
    }

    #[test]
    fn a_node_is_started_with_its_own_address_and_those_of_its_peers() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(
            r#"
            command = [
              "sh", "--name", "n{node}", "--listen", "{ip}:{client_port}", "{peers}", "{others}", "{clock_file}",
            ]
            first_arguments = ["--new"]
            prepare_once = ["sh", "-c", "echo one >>{data_dir}/../once; echo made >{data_dir}/made; test $(id -u) != 0"]
            prepare = ["sh", "-c", "echo {node} >>{data_dir}/made; test $(id -u) != 0"]
            run_as = "ordinary"
            stop = ["sh", "-c", "kill {node}"]
            beside = [["sh", "{client_port} {election_port}"]]
            peers = "n{node}=http://{ip}:{peer_port}"
            env = { NODES = "{nodes}", READS = "{read_mode}" }
            host_name = "n{node}"
            files = [
              { path = "etc/conf", text = "{\"id\": {node}}" },
              { path = "/etc/passwd", text = "{peers}", peers = "{ip} n{node}", separator = ";" },
            ]
            "#,
        );
        texts(&table, 1, &deployment(folder.path())).start_command().unwrap();
        let start = texts(&table, 2, &deployment(folder.path())).start_command().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("prepared/once")).unwrap(), "one\n");
        let peers = "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380";
        let clock = folder.path().join("nodes/2/clock").display().to_string();
        let arguments = ["--name", "n2", "--listen", "10.0.0.2:2379", peers, "n1=http://10.0.0.1:2380", &clock];
        assert!(start.program.ends_with("sh") && start.program.is_absolute(), "{start:?}");
        assert_eq!((&start.args[..], &start.first_args[..]), (&arguments.map(Into::into)[..], &["--new".into()][..]));
        assert_eq!(start.env, [("NODES".into(), "2".into()), ("READS".into(), "lease".into())]);
        assert_eq!(start.beside, [(start.program.clone(), vec!["2379 2381".into()])]);
        assert_eq!(start.stop, Stop::Command(start.program, ["-c", "kill 2"].map(Into::into).into()));
        assert!(start.ordinary);
        let read = |name: &str| fs::read_to_string(folder.path().join("nodes/2").join(name)).unwrap();
        let bound = folder.path().join("nodes/2/bound/etc/passwd");
        let (files, host_name) = (vec![(bound, "/etc/passwd".into())], Some("n2".to_owned()));
        assert_eq!(start.view, OwnView { files, host_name });
        assert_eq!(read("bound/etc/passwd"), "10.0.0.1 n1;10.0.0.2 n2");
        assert_eq!((read("etc/conf").as_str(), read("data/made").as_str()), ("{\"id\": 2}", "made\n2\n"));
    }

    #[test]
    fn a_failed_preparation_and_a_missing_program_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let fails = table("command = ['sh']\nprepare = ['sh', '-c', 'echo no space; exit 3']");
        let error = texts(&fails, 1, &deployment(folder.path())).start_command().unwrap_err();
        assert!(format!("{error:#}").contains("exit 3` ended with exit status: 3: no space; see "), "{error:#}");
        let text = include_str!("../../../examples/store/store.toml");
        let missing = |command: &str| {
            let ready = format!("[ready]\ncommand = [{command:?}]\n");
            let document = document::parse(&text.replace("[ready]\nrequest = \"GET /\"\nstatus = 200\n", &ready));
            missing_program(&document.unwrap(), Path::new("/nowhere"))
        };
        assert_eq!(missing("sh"), None);
        for (command, named) in [("no-such-program", "no-such-program"), ("{here}/server", "/nowhere/server")] {
            assert_eq!(missing(command).as_deref(), Some(named));
        }
    }
}
