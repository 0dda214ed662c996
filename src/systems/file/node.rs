//! Nodes of a system that a file describes: commands, environment and files, with their placeholders filled.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::document::{CLOCK_FILE, NodeTable, NodeText};
use crate::systems::{Address, Deployment, StartCommand};

/// Time limit of the command that prepares a node.
const PREPARE_LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(10);

/// Prepares the folder of a node, and returns the command that starts it.
pub(super) fn start_command(
    table: &NodeTable,
    here: &Path,
    id: u16,
    deployment: &Deployment,
) -> anyhow::Result<StartCommand> {
    let node = Node { table, here, id, deployment };
    let dir = deployment.node_dir(id);
    fs::create_dir_all(dir.join("data")).with_context(|| format!("making {}", dir.display()))?;
    for file in &table.files {
        let path = dir.join(&file.path.0);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&dir))?;
            fs::write(&path, node.fill(&file.text))
        };
        write().with_context(|| format!("writing {}", path.display()))?;
    }
    let env: Vec<_> = table.env.iter().map(|(name, text)| (name.into(), node.fill(text).into())).collect();
    if let Some(command) = &table.prepare {
        let command: Vec<String> = command.iter().map(|text| node.fill(text)).collect();
        prepare(&command, here, &env, &dir)?;
    }
    let [program, arguments @ ..] = &table.command[..] else { bail!("the command is empty") };
    let fill = |texts: &[NodeText]| texts.iter().map(|text| node.fill(text).into()).collect();
    Ok(StartCommand {
        program: find(&node.fill(program), here).unwrap_or_default(),
        args: fill(arguments),
        first_args: fill(&table.first_arguments),
        env,
    })
}

fn prepare(
    command: &[String],
    here: &Path,
    env: &[(std::ffi::OsString, std::ffi::OsString)],
    dir: &Path,
) -> anyhow::Result<()> {
    let log = dir.join("prepare.log");
    let out = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let program = find(&command[0], here).with_context(|| format!("there is no program {}", command[0]))?;
    let mut child = Command::new(program)
        .args(&command[1..])
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stderr(out.try_clone()?)
        .stdout(out)
        .spawn()
        .with_context(|| format!("starting {}", command[0]))?;
    let end = Instant::now() + PREPARE_LIMIT;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{}` ended with {status}; see {}", command.join(" "), log.display()),
            None if Instant::now() > end => {
                child.kill()?;
                child.wait()?;
                bail!("`{}` did not end within {PREPARE_LIMIT:?}; see {}", command.join(" "), log.display());
            }
            None => thread::sleep(POLL),
        }
    }
}

/// Returns the name of a program that this host lacks, of those that a node needs.
pub(super) fn missing_program(table: &NodeTable, here: &Path) -> Option<String> {
    let named = table.command.first().into_iter().chain(table.prepare.as_ref().and_then(|command| command.first()));
    let named = named.map(|text| text.0.fill(|_| here.display().to_string()));
    named.into_iter().find(|program| find(program, here).is_none())
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
struct Node<'a> {
    table: &'a NodeTable,
    here: &'a Path,
    id: u16,
    deployment: &'a Deployment,
}

impl Node<'_> {
    fn fill(&self, text: &NodeText) -> String {
        let dir = self.deployment.node_dir(self.id);
        text.0.fill(|name| match name {
            "nodes" => self.deployment.addresses.len().to_string(),
            "peers" => self.peers(|_| true),
            "others" => self.peers(|id| id != self.id),
            "read_mode" => self.deployment.read.name().to_owned(),
            CLOCK_FILE => self.deployment.clock_file(self.id).display().to_string(),
            "data_dir" => dir.join("data").display().to_string(),
            "node_dir" => dir.display().to_string(),
            "here" => self.here.display().to_string(),
            name => address(name, self.id, &self.deployment.addresses[usize::from(self.id) - 1]),
        })
    }

    fn peers(&self, is_named: impl Fn(u16) -> bool) -> String {
        let all = (1..).zip(&self.deployment.addresses).filter(|(id, _)| is_named(*id));
        let all = all.map(|(id, of_peer)| self.table.peers.0.fill(|name| address(name, id, of_peer)));
        all.collect::<Vec<_>>().join(&self.table.separator)
    }
}

/// Returns the value of a placeholder about the address of a node.
fn address(name: &str, id: u16, address: &Address) -> String {
    match name {
        "node" => id.to_string(),
        "ip" => address.client.ip().to_string(),
        "client_port" => address.client.port().to_string(),
        "peer_port" => address.peer.port().to_string(),
        other => unreachable!("a template was checked, and has no placeholder {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::Settings;

    fn table(text: &str) -> NodeTable {
        toml::from_str(text).unwrap()
    }

    fn deployment(dir: &Path) -> Deployment {
        let host = |last: u8| Address::with_ports([10, 0, 0, last].into(), 2380, 2379);
        let addresses = vec![host(1), host(2)];
        Deployment { addresses, read: "lease".into(), settings: Settings::default(), dir: dir.to_owned() }
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
            prepare = ["sh", "-c", "echo made >{data_dir}/made"]
            peers = "n{node}=http://{ip}:{peer_port}"
            env = { NODES = "{nodes}", READS = "{read_mode}" }
            files = [{ path = "etc/conf", text = "{\"id\": {node}}" }]
            "#,
        );
        let start = start_command(&table, Path::new("/"), 2, &deployment(folder.path())).unwrap();
        let peers = "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380";
        let clock = folder.path().join("nodes/2/clock").display().to_string();
        let arguments = ["--name", "n2", "--listen", "10.0.0.2:2379", peers, "n1=http://10.0.0.1:2380", &clock];
        assert!(start.program.ends_with("sh") && start.program.is_absolute(), "{start:?}");
        assert_eq!((&start.args[..], &start.first_args[..]), (&arguments.map(Into::into)[..], &["--new".into()][..]));
        assert_eq!(start.env, [("NODES".into(), "2".into()), ("READS".into(), "lease".into())]);
        let read = |name: &str| fs::read_to_string(folder.path().join("nodes/2").join(name)).unwrap();
        assert_eq!((read("etc/conf").as_str(), read("data/made").as_str()), ("{\"id\": 2}", "made\n"));
    }

    #[test]
    fn a_failed_preparation_and_a_missing_program_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let fails =
            table(r#"command = ["sh"] prepare = ["sh", "-c", "exit 3"]"#.replace(" prepare", "\nprepare").as_str());
        let error = start_command(&fails, Path::new("/"), 1, &deployment(folder.path())).unwrap_err();
        assert!(format!("{error:#}").contains("`sh -c exit 3` ended with exit status: 3"), "{error:#}");
        assert_eq!(missing_program(&fails, Path::new("/")), None);
        for (command, missing) in [("no-such-program", "no-such-program"), ("{here}/server", "/nowhere/server")] {
            let table = table(&format!("command = [{command:?}]"));
            assert_eq!(missing_program(&table, Path::new("/nowhere")).as_deref(), Some(missing));
        }
    }
}
