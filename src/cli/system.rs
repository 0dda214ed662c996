//! `schism system`: files that describe a system, written and tried out.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use workloads::{AnyClient, ApiClient, Client as _, Connect as _, Exchange};

use crate::{
    error::{ExitStatus, Failure},
    run::{Host, plan::Plan},
    systems::{
        ClientSetup, Deployment, FileSystem, ReadMode, Settings, System as _, SystemFile, TrialStep, response_words,
    },
    terminal::{self, sanitize, words::counted},
};

/// File and server of the example, which new files are made from.
const EXAMPLE: &str = include_str!("../../examples/store/store.toml");
const EXAMPLE_SERVER: &str = include_str!("../../examples/store/server.py");
/// Time limits of an operation on a node that nobody disturbs.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const OPERATION_LIMIT: Duration = Duration::from_secs(5);
/// Number of characters shown of what is sent or received.
const MAX_SHOWN: usize = 200;

/// Writes and tries out a file that describes a system of yours, for `schism run --system FILE.toml`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism system new mystore --with-server
  schism system check mystore.toml
  schism run --system mystore.toml --nodes 3 --faults none")]
pub(crate) struct SystemArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Writes NAME.toml, a commented file that works with the example server, to be changed for your system.
    New {
        /// Name of the system: small letters, digits and hyphens; `.toml` may follow.
        name: String,
        /// Write the example server, server.py, too.
        #[arg(long)]
        with_server: bool,
    },
    /// Starts one node, tries each operation, and shows what was sent, received and understood.
    Check {
        /// The file.
        file: PathBuf,
    },
}

impl SystemArgs {
    /// Returns true if nodes are started, which takes a sandbox.
    pub(crate) fn starts_nodes(&self) -> bool {
        matches!(self.action, Action::Check { .. })
    }

    /// Writes a new file.
    pub(crate) fn write(self) -> anyhow::Result<ExitStatus> {
        let Action::New { name, with_server } = self.action else { unreachable!("only `new` needs no sandbox") };
        let name = name.strip_suffix(".toml").unwrap_or(&name);
        let path = PathBuf::from(format!("{name}.toml"));
        let text = EXAMPLE
            .replace("name = \"store\"", &format!("name = {name:?}"))
            .replace("examples/store/store.toml", &path.display().to_string());
        // Nothing but the name can be wrong, and it stands in no file yet.
        let of_name =
            |why: String| Failure::new(ExitStatus::Usage, why.splitn(3, ": ").last().unwrap_or(&why).to_owned());
        SystemFile::of_text(&path, text.clone()).map_err(of_name)?;
        let server = Path::new("server.py");
        let mut files = vec![(&*path, &*text)];
        files.extend(with_server.then_some((server, EXAMPLE_SERVER)));
        // Nothing is written unless all of it can be.
        let missing = files.iter().map(|(path, text)| is_missing(path, text)).collect::<anyhow::Result<Vec<_>>>()?;
        for ((path, text), _) in files.iter().zip(missing).filter(|(_, is_missing)| *is_missing) {
            create(path, text)?;
        }
        let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        let next = if server.exists() {
            format!("schism system check {name}.toml")
        } else {
            format!(
                "change its `command`, which starts a server.py that is not here, for your system; or have that server \
                 too, by schism system new {name} --with-server"
            )
        };
        terminal::print(&format!("{}; next: {next}\n", names.join(" and ")))
    }

    /// Tries out a file.
    pub(crate) fn check(self, host: &Host) -> anyhow::Result<ExitStatus> {
        let Action::Check { file } = self.action else { unreachable!("`new` needs no sandbox") };
        let unreadable = |why| Failure::new(ExitStatus::Unreadable, why);
        let file = SystemFile::read(&file).map_err(unreadable)?;
        let system = file.system().map_err(unreadable)?;
        let plan = Plan {
            system: system.name().into(),
            nodes: 1,
            read: system.default_read(),
            workload: system.workloads()[0].to_owned(),
            settings: Settings::default(),
            system_file: Some(file),
            ..Plan::default()
        };
        let tried = host.try_out(&plan, async |deployment| try_all(system, deployment).await)??;
        let mut text = tried.text;
        let doubts = system.doubts();
        for doubt in &doubts {
            text += &format!("doubtful: {doubt}\n");
        }
        let modes = system.read_modes().len();
        let status =
            if tried.mistakes == 0 && doubts.is_empty() { ExitStatus::Linearizable } else { ExitStatus::Failed };
        let found = match (tried.mistakes, doubts.len()) {
            (0, 0) => "all as it should be".to_owned(),
            (mistakes, doubts) => format!("{mistakes} wrong, {doubts} doubtful"),
        };
        let [operations, modes] = [counted(tried.operations, "operation"), counted(modes, "read mode")];
        text += &format!("{}: {operations}, {modes}: {found}\n", system.name());
        Ok(terminal::beside(status, terminal::print(&text)))
    }
}

/// Returns true if there is no such file, and false if it is there with this text already.
///
/// # Errors
/// Refuses a file with another text.
fn is_missing(path: &Path, text: &str) -> anyhow::Result<bool> {
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        _ => {
            let what = format!("{} is there already, and not as it would be written", path.display());
            Err(Failure::new(ExitStatus::Failed, what).hint("move it away, or work in another folder").into())
        }
    }
}

fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    Ok(write().map_err(|error| Failure::new(ExitStatus::Failed, format!("making {}: {error}", path.display())))?)
}

/// Operations that were tried out.
#[derive(Debug, Default)]
struct TrialReport {
    text: String,
    operations: usize,
    mistakes: usize,
}

/// Tries all operations in the default read mode, and then reads in the others, which must find the same on one node.
async fn try_all(system: &'static FileSystem, deployment: &Deployment) -> anyhow::Result<TrialReport> {
    let mut tried = TrialReport::default();
    for (number, mode) in system.read_modes().iter().enumerate() {
        let read = ReadMode::from(&*mode.name);
        let clients = ClientSetup {
            deployment,
            read: &read,
            connect_timeout: CONNECT_LIMIT,
            operation_timeout: OPERATION_LIMIT,
            retry: false,
            are_probes: false,
        };
        let mut client = if let Some(connector) = system.api_connector(&clients) {
            TrialClient::Http(connector.open(1)?)
        } else {
            let mut client = system.connector(&clients)?.open(1)?;
            client.ready().await;
            TrialClient::Other(client)
        };
        if number == 0 {
            for step in system.trial_steps() {
                let exchange = client.exchange(&step).await;
                tried.add(&step.words(), &step, &exchange);
            }
            continue;
        }
        for step in system.trial_reads() {
            let exchange = client.exchange(&step).await;
            tried.add(&format!("{} ({} reads)", step.words(), mode.name), &step, &exchange);
        }
    }
    if let Some(problems) = system.client_problems() {
        tried.mistakes += 1;
        tried.text += &format!("WRONG {}\n", sanitize::line(&problems));
    }
    Ok(tried)
}

/// Client of a trial: one that shows what goes over the wire, or any other.
enum TrialClient {
    Http(ApiClient),
    Other(AnyClient),
}

impl TrialClient {
    async fn exchange(&mut self, step: &TrialStep) -> Exchange {
        match self {
            Self::Http(client) => client.exchange(&step.request).await,
            Self::Other(client) => {
                let response = client.invoke(&step.request).await;
                Exchange { sent: step.words(), received: "a line of the shim".to_owned(), response }
            }
        }
    }
}

impl TrialReport {
    fn add(&mut self, words: &str, step: &TrialStep, exchange: &Exchange) {
        self.operations += 1;
        self.text += &format!("{words}\n  sent        {}\n", line(&exchange.sent));
        self.text += &format!("  received    {}\n", line(&exchange.received));
        self.text += &format!("  understood  {}\n", line(&response_words(&exchange.response)));
        if let Some(mistake) = step.mistake(&exchange.response.answer) {
            self.mistakes += 1;
            self.text += &format!("  WRONG       {mistake}\n");
        }
    }
}

/// Returns the beginning of a text, on one line.
fn line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().take(MAX_SHOWN).collect();
    let more = if shown.len() < words.len() { "…" } else { "" };
    format!("{}{more}", sanitize::line(&shown))
}
