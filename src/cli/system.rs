//! `schism system`: files that describe a system, written and tried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use serde::Serialize;
use workloads::{AnyClient, ApiClient, AppliedRule, Client as _, Connect as _, Exchange, RevisionPlace};

use crate::{
    error::{ExitStatus, Failure},
    run::{Host, plan::Plan},
    store::PrintedJson,
    systems::{
        ClientSetup, Deployment, FileSystem, ReadMode, Settings, StatusClient, System as _, SystemFile, TrialStep,
        response_words,
    },
    terminal::{
        self, sanitize,
        words::{counted, reads_of},
    },
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
        /// Print the trial as JSON.
        #[arg(long)]
        json: bool,
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
        let Action::Check { file: path, json } = self.action else { unreachable!("`new` needs no sandbox") };
        let unreadable = |why| Failure::new(ExitStatus::Unreadable, why);
        let file = SystemFile::read(&path).map_err(unreadable)?;
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
        let trial =
            host.try_out(&plan, async |deployment, observer| Trial::of(system, deployment, observer).await)??;
        let trial = Trial { file: path.display().to_string(), ..trial };
        let status = if trial.as_it_should_be { ExitStatus::Linearizable } else { ExitStatus::Failed };
        let printed =
            if json { terminal::print_json(&PrintedJson::new(trial)) } else { terminal::print(&trial.in_words()) };
        Ok(terminal::beside(status, printed))
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

/// Trial of a file, as printed by `--json`.
#[derive(Debug, Serialize)]
struct Trial {
    file: String,
    system: &'static str,
    read_modes: Vec<&'static str>,
    /// True if nothing is wrong or doubtful.
    as_it_should_be: bool,
    operations: Vec<TriedOperation>,
    /// Problems with the program that is the client.
    client_problems: Option<String>,
    /// Parts of the file that may be mistaken.
    doubts: Vec<String>,
    /// Parts that the file leaves out, and what runs therefore cannot do; and rules that no answer met.
    notes: Vec<String>,
}

/// Operation that was tried out.
#[derive(Debug, Serialize)]
struct TriedOperation {
    /// Operation in words.
    operation: String,
    /// Read mode of a read in another than the default one.
    read: Option<&'static str>,
    sent: String,
    received: String,
    understood: String,
    /// Answer that was due, if another was given.
    mistake: Option<String>,
}

impl Trial {
    /// Tries all operations in the default read mode, and then reads in the others, which must find the same on one
    /// node.
    async fn of(system: &'static FileSystem, deployment: &Deployment, observer: &StatusClient) -> anyhow::Result<Self> {
        let (mut operations, mut revisions, mut met) = (Vec::new(), Revisions::default(), BTreeSet::new());
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
            let read = (number > 0).then_some(&*mode.name);
            for step in if read.is_none() { system.trial_steps() } else { system.trial_reads() } {
                let exchange = client.exchange(&step).await;
                revisions.see(read, &exchange);
                let rule = exchange.rule.as_ref().filter(|_| read.is_none());
                met.extend(rule.map(|(name, rule)| (*name, rule.number)));
                operations.push(TriedOperation::of(read, &step, &exchange));
            }
        }
        let (client_problems, mut doubts) = (system.client_problems(), system.doubts());
        let untried = system.untried_rules(&met).into_iter();
        doubts.extend(revisions.doubts());
        doubts.extend(system.role_doubts(observer.first_page().await.as_ref()));
        let is_right = client_problems.is_none() && operations.iter().all(|operation| operation.mistake.is_none());
        Ok(Self {
            file: String::new(),
            system: system.name(),
            read_modes: system.read_modes().iter().map(|mode| &*mode.name).collect(),
            as_it_should_be: is_right && doubts.is_empty(),
            operations,
            client_problems,
            doubts,
            notes: system.omissions().into_iter().chain(untried).collect(),
        })
    }

    /// Returns what was tried and found, one line of which sums it up.
    fn in_words(&self) -> String {
        let mut text: String = self.operations.iter().map(TriedOperation::in_words).collect();
        if let Some(problems) = &self.client_problems {
            text += &format!("WRONG {}\n", sanitize::line(problems));
        }
        for doubt in &self.doubts {
            text += &format!("doubtful: {doubt}\n");
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        let mistakes = self.operations.iter().filter(|operation| operation.mistake.is_some()).count()
            + usize::from(self.client_problems.is_some());
        let found = match (mistakes, self.doubts.len()) {
            (0, 0) => "all as it should be".to_owned(),
            (mistakes, doubts) => format!("{mistakes} wrong, {doubts} doubtful"),
        };
        let operations = counted(self.operations.len(), "operation");
        let modes = counted(self.read_modes.len(), "read mode");
        text + &format!("{}: {operations}, {modes}: {found}\n", self.system)
    }
}

impl TriedOperation {
    fn of(read: Option<&'static str>, step: &TrialStep, exchange: &Exchange) -> Self {
        Self {
            operation: step.words(),
            read,
            sent: line(&exchange.sent),
            received: line(&exchange.received),
            understood: line(&response_words(&exchange.response)),
            mistake: step.mistake(&exchange.response.answer),
        }
    }

    fn in_words(&self) -> String {
        let Self { operation, read, sent, received, understood, mistake } = self;
        let mode = read.map_or_else(String::new, |mode| format!(" ({})", reads_of(mode)));
        let wrong = mistake.as_ref().map_or_else(String::new, |mistake| format!("  WRONG       {mistake}\n"));
        format!(
            "{operation}{mode}\n  sent        {sent}\n  received    {received}\n  understood  {understood}\n{wrong}"
        )
    }
}

/// Revisions that were looked for in answers, by read mode, operation and rule.
#[derive(Debug, Default)]
struct Revisions(BTreeMap<(Option<&'static str>, &'static str, usize), RevisionPlace>);

impl Revisions {
    fn see(&mut self, read: Option<&'static str>, exchange: &Exchange) {
        let Some((name, AppliedRule { number, revision: Some(place) })) = &exchange.rule else { return };
        let seen = self.0.entry((read, *name, *number)).or_insert_with(|| place.clone());
        seen.is_found |= place.is_found;
    }

    /// Returns those that no answer had, a sentence each.
    fn doubts(self) -> impl Iterator<Item = String> {
        self.0.into_iter().filter(|(_, place)| !place.is_found).map(|((read, name, rule), place)| {
            let mode = read.map_or_else(String::new, |mode| format!(" ({})", reads_of(mode)));
            let pointer = place.pointer;
            format!("rule {rule} of `client.{name}`{mode} has the `revision` {pointer}, where no answer had a number")
        })
    }
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
                Exchange { sent: step.words(), received: "a line of the shim".to_owned(), response, rule: None }
            }
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
