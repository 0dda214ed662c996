//! Clients that are programs of the user's, in any language: shims. Each client has a process of its own, which reads
//! requests as lines of JSON and writes answers as such; `docs/reference/shims.md` describes the protocol.

mod problems;
mod process;
mod protocol;
mod stderr;

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

pub use problems::{ShimProblem, ShimProblemKind, ShimProblems};
use process::{Limits, ShimProcess, Start};
use protocol::{Failure, request_line};
use stderr::StderrFile;
use tokio::{process::Command, time::Instant};

use crate::{Answer, Client, ClientError, Connect, Request, Response};

/// Node as shims see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimNode {
    /// Its number, in `SCHISM_NODE`.
    pub number: u16,
    /// Its address in whatever form the shim expects, in `SCHISM_ADDRESS`.
    pub address: String,
    /// Further environment variables of the shims of this node.
    pub env: Vec<(OsString, OsString)>,
}

/// Options of the shims of a run.
#[derive(Clone, Debug)]
pub struct ShimOptions {
    /// Program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables beyond those of this process.
    pub env: Vec<(OsString, OsString)>,
    /// The nodes.
    pub nodes: Vec<ShimNode>,
    /// Read mode, which every request names, and `SCHISM_READ`; none if the system has no such modes.
    pub read_mode: Option<String>,
    /// Time limit for the `ready` line, from the start of a process. Requests that come before it end, within
    /// `operation_timeout`, as certainly not done. None if there is no such line: then the first request is sent at
    /// once.
    pub start_timeout: Option<Duration>,
    /// Time limit for an operation, which is also in `SCHISM_TIMEOUT_MS`.
    pub operation_timeout: Duration,
    /// Maximum length of a line that a shim writes, bytes; see [`ShimOptions::MAX_LINE_BYTES`].
    pub max_line_bytes: usize,
    /// File that keeps the first megabytes of what shims write to stderr, if they write any; it is appended to. Its
    /// folder must exist.
    pub stderr: Option<PathBuf>,
}

impl ShimOptions {
    /// Maximum length of a line that is right for most: 1 MiB.
    pub const MAX_LINE_BYTES: usize = 1 << 20;
}

/// Factory of clients that are shims. Clones share the file for stderr and its limit.
///
/// ```no_run
/// use std::{sync::Arc, time::Duration};
/// use workloads::{Connector, ShimConnector, ShimNode, ShimOptions, ShimProblems};
///
/// let problems = Arc::new(ShimProblems::default()); // one for all connectors of a run
/// let options = ShimOptions {
///     program: "python3".into(),
///     args: vec!["examples/shims/register.py".into()],
///     env: vec![],
///     nodes: vec![ShimNode { number: 1, address: "127.0.0.1:8001".to_owned(), env: vec![] }],
///     read_mode: Some("quorum".to_owned()),
///     start_timeout: Some(Duration::from_secs(10)),
///     operation_timeout: Duration::from_secs(1),
///     max_line_bytes: ShimOptions::MAX_LINE_BYTES,
///     stderr: Some("store/latest/shims.log".into()),
/// };
/// let connector = Connector::new(ShimConnector::new(options, Arc::clone(&problems)));
/// // … drive a load with it …
/// if !problems.list().is_empty() {
///     println!("{problems}");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ShimConnector(Arc<ShimState>);

/// State shared by all clients of a connector.
#[derive(Debug)]
struct ShimState {
    options: ShimOptions,
    numbers: Vec<u16>,
    stderr: Arc<StderrFile>,
    problems: Arc<ShimProblems>,
}

impl ShimConnector {
    /// Returns a factory of clients, which report to `problems`. Nothing is started before a client is opened, which
    /// must be within a Tokio runtime.
    pub fn new(options: ShimOptions, problems: Arc<ShimProblems>) -> Self {
        let numbers = options.nodes.iter().map(|node| node.number).collect();
        let stderr = Arc::new(StderrFile::new(options.stderr.clone(), Arc::clone(&problems)));
        Self(Arc::new(ShimState { options, numbers, stderr, problems }))
    }
}

impl Connect for ShimConnector {
    type Client = ShimClient;

    fn nodes(&self) -> &[u16] {
        &self.0.numbers
    }

    fn open(&self, node: u16) -> Result<ShimClient, ClientError> {
        let shared = Arc::clone(&self.0);
        let found = shared.options.nodes.iter().position(|one| one.number == node);
        let node_index = found.ok_or_else(|| ClientError { node, reason: "it has no address".to_owned() })?;
        let mut client = ShimClient { shared, node_index, process: None, last_id: 0 };
        client.process = Some(client.start().map_err(|reason| ClientError { node, reason })?);
        Ok(client)
    }
}

/// Client of one logical process: a shim, which is replaced whenever it fails. Dropping it kills the shim with all
/// processes of its group.
#[derive(Debug)]
pub struct ShimClient {
    shared: Arc<ShimState>,
    node_index: usize,
    /// Shim that has answered all its requests; none if the next request needs a new one.
    process: Option<ShimProcess>,
    last_id: u64,
}

impl Client for ShimClient {
    async fn ready(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let deadline = Instant::now() + self.shared.options.start_timeout.unwrap_or_default();
        match process.wait_until_ready(deadline).await {
            Ok(_) => self.process = Some(process),
            Err(failure) => drop(self.report(process, failure, None, deadline).await),
        }
    }

    async fn invoke(&mut self, request: &Request) -> Response {
        let deadline = Instant::now() + self.shared.options.operation_timeout;
        // If this future is dropped, so is the process: nobody knows what it is about to answer.
        let mut process = match self.ready_process(request, deadline).await {
            Ok(process) => process,
            Err(why) => return Answer::NotDone(why).into(),
        };
        self.last_id += 1;
        let line = request_line(self.last_id, request, self.shared.options.read_mode.as_deref());
        match process.ask(self.last_id, &line, request, deadline).await {
            Ok(response) => {
                // What a request of unknown outcome waits for may still be under way in the shim.
                if !matches!(response.answer, Answer::Unknown(_)) {
                    self.process = Some(process);
                }
                response
            }
            Err(error) => {
                let why = self.report(process, error.failure, Some(request), deadline).await;
                if error.sent { Answer::Unknown(why) } else { Answer::NotDone(why) }.into()
            }
        }
    }
}

impl ShimClient {
    fn start(&self) -> Result<ShimProcess, String> {
        let ShimState { options, stderr, .. } = &*self.shared;
        let ShimNode { number, address, env } = &options.nodes[self.node_index];
        let mut command = Command::new(&options.program);
        let variables = options.env.iter().chain(env).map(|(name, value)| (name, value));
        command.args(&options.args).envs(variables).env("SCHISM_NODE", number.to_string());
        command.env("SCHISM_ADDRESS", address);
        command.env("SCHISM_TIMEOUT_MS", options.operation_timeout.as_millis().to_string());
        if let Some(read_mode) = &options.read_mode {
            command.env("SCHISM_READ", read_mode);
        }
        let limits = Limits { start: options.start_timeout, line_bytes: options.max_line_bytes };
        ShimProcess::start(command, *number, limits, stderr).map_err(|error| {
            let words = [options.program.as_os_str()].into_iter().chain(options.args.iter().map(OsString::as_os_str));
            let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
            format!("the shim `{}` cannot be started: {error}", words.join(" "))
        })
    }

    /// Returns the process if it is as it should be, or a new one; or why there is none that takes requests.
    async fn ready_process(&mut self, request: &Request, deadline: Instant) -> Result<ShimProcess, String> {
        let process = match self.process.take() {
            Some(process) => match process.unasked() {
                None => Some(process),
                Some(failure) => {
                    self.report(process, failure, None, deadline).await;
                    None
                }
            },
            None => None,
        };
        let mut process = match process {
            Some(process) => process,
            None => {
                self.start().inspect_err(|why| self.shared.problems.add(ShimProblemKind::NotStarted, why.clone()))?
            }
        };
        match process.wait_until_ready(deadline).await {
            Ok(Start::Ready) => Ok(process),
            Ok(Start::UnderWay) => {
                self.process = Some(process);
                Err("the shim is still starting".to_owned())
            }
            Err(failure) => Err(self.report(process, failure, Some(request), deadline).await),
        }
    }

    /// Enters a failure in the list of problems, and ends the process. Returns a sentence about it.
    async fn report(
        &self,
        mut process: ShimProcess,
        Failure { kind, what }: Failure,
        request: Option<&Request>,
        deadline: Instant,
    ) -> String {
        let words = process.last_words(kind, deadline).await;
        let node = self.shared.options.nodes[self.node_index].number;
        let about = request.map(|request| {
            let key = request.key_name().map(|key| format!(" of {key}")).unwrap_or_default();
            format!(", {}{key}", request.f())
        });
        self.shared.problems.add(kind, format!("node {node}{}: {what}{words}", about.unwrap_or_default()));
        format!("the shim failed: {what}{words}")
    }
}

impl Drop for ShimClient {
    fn drop(&mut self) {
        if let Some(failure) = self.process.as_ref().and_then(ShimProcess::unasked) {
            let node = self.shared.options.nodes[self.node_index].number;
            self.shared.problems.add(failure.kind, format!("node {node}: {}", failure.what));
        }
    }
}
