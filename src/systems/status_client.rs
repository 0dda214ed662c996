//! Client that asks the nodes for their status.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nemesis::{Leaders, NodeLog};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use workloads::{Answer, Connection, ConnectionLimits};

use super::{
    cluster::{Address, Deployment},
    log_status::LogReader,
    status::{Effort, Status, StatusPage, StatusRequest, leaders_of},
    system::System,
};

/// Time limit for connecting to a node.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
/// Time limits for an answer over HTTP.
const LIMITS: ConnectionLimits = ConnectionLimits { connect: CONNECT_LIMIT, operation: Duration::from_millis(400) };
/// Time limit for a program that asks a node, its start included.
const COMMAND_LIMIT: Duration = Duration::from_secs(3);
/// Maximum size of what such a program says that is read.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;
/// Maximum number of characters of an answer that a message shows.
const MAX_SHOWN: usize = 200;

/// Client that asks the nodes for their status, with a time limit for each request.
#[derive(Clone, Debug)]
pub(crate) struct StatusClient {
    system: &'static dyn System,
    nodes: Vec<AskedNode>,
}

/// Node that is asked for its status.
#[derive(Clone, Debug)]
struct AskedNode {
    address: SocketAddr,
    request: StatusRequest,
    log: Arc<Mutex<LogReader>>,
    /// Last answer in words, or why there was none; empty if there is nothing to say.
    said: Arc<Mutex<String>>,
}

impl StatusClient {
    /// Creates a client for the nodes of a cluster, with their logs in the same order.
    pub(crate) fn new(system: &'static dyn System, deployment: &Deployment, logs: Vec<NodeLog>) -> Self {
        let node = |((id, address), log): ((u16, &Address), _)| AskedNode {
            address: address.client,
            request: system.status_request(id, deployment),
            log: Arc::new(Mutex::new(LogReader::new(log))),
            said: Arc::default(),
        };
        let nodes = (1..).zip(&deployment.addresses).zip(logs).map(node).collect();
        Self { system, nodes }
    }

    /// Returns true if nodes say who leads.
    pub(crate) fn has_roles(&self) -> bool {
        self.system.has_roles()
    }

    /// Returns the effort of asking all nodes.
    pub(crate) fn effort(&self) -> Effort {
        let starts_programs = |node: &AskedNode| matches!(node.request, StatusRequest::Command { .. });
        if self.nodes.iter().any(starts_programs) { Effort::OF_PROGRAMS } else { Effort::SMALL }
    }

    /// Returns what each node is asked, in order of their ids, as an object of "does not answer", and what it last
    /// answered.
    pub(crate) fn questions(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().map(|AskedNode { address, request, said, .. }| {
            let question = match request {
                StatusRequest::Page(page) => format!("{} {} at {address} as it should", page.method, page.path),
                StatusRequest::Port => format!("at {address}"),
                StatusRequest::Command { program, .. } => format!("to {} as it should", program.display()),
                StatusRequest::Log(_) => "by a line of its log".to_owned(),
            };
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_empty() { question } else { format!("{question}: {said}") }
        })
    }

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let ask = |node: &AskedNode| tokio::spawn(ask(node.clone()));
        let asked: Vec<_> = self.nodes.iter().map(ask).collect();
        let mut pages = Vec::with_capacity(asked.len());
        for (answer, node) in asked.into_iter().zip(&self.nodes) {
            let answer = answer.await.unwrap_or_else(|_| Err(String::new()));
            *node.said.lock().unwrap_or_else(PoisonError::into_inner) = in_words(&node.request, &answer);
            pages.push(answer.ok());
        }
        self.system.read_statuses(&pages)
    }

    /// Returns the answer of the first node; none if it does not answer in time.
    pub(crate) async fn first_page(&self) -> Option<StatusPage> {
        ask(self.nodes.first()?.clone()).await.ok()
    }

    /// Returns the node that claims to lead, of several the one in the latest term, and the next below as deposed.
    pub(crate) async fn leaders(&self) -> Leaders {
        leaders_of(&self.statuses().await)
    }
}

/// Asks a node for its status; the error says why there is none, and is empty if the question says it all.
async fn ask(node: AskedNode) -> Result<StatusPage, String> {
    let AskedNode { address, request, log, .. } = node;
    let nothing = String::new;
    match request {
        StatusRequest::Page(request) => {
            let mut connection = Connection::new(address, LIMITS)?;
            match connection.exchange(request).await {
                Ok((status, body)) => Ok(StatusPage { status, body }),
                Err(Answer::NotDone(why) | Answer::Unknown(why)) => Err(why),
                Err(_) => Err(nothing()),
            }
        }
        StatusRequest::Port => takes_connections(address).await.then(StatusPage::default).ok_or_else(nothing),
        StatusRequest::Log(lines) => {
            let by_port = lines.up.is_none();
            let read = move || log.lock().unwrap_or_else(PoisonError::into_inner).read(&lines);
            let state = tokio::task::spawn_blocking(read).await.ok().flatten().ok_or_else(nothing)?;
            let is_up = if by_port { takes_connections(address).await } else { state.is_up };
            is_up.then_some(StatusPage { status: 200, body: state.role }).ok_or_else(nothing)
        }
        StatusRequest::Command { program, args } => {
            let mut command = Command::new(program);
            command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| error.to_string())?;
            let answer = timeout(COMMAND_LIMIT, answer(&mut child)).await;
            if let Some(group) = child.id().and_then(|id| id.try_into().ok()) {
                // It is not reaped, so the number still refers to it and its children.
                killpg(Pid::from_raw(group), Signal::SIGKILL).ok();
            }
            answer.unwrap_or_else(|_| Err(format!("it took longer than {COMMAND_LIMIT:?}")))
        }
    }
}

/// Describes an answer, or why there is none, in a few words.
fn in_words(request: &StatusRequest, answer: &Result<StatusPage, String>) -> String {
    let beginning = |body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        let shown: String = text.trim().chars().take(MAX_SHOWN).collect();
        let more = if shown.len() < text.trim().len() { "…" } else { "" };
        format!("{shown:?}{more}")
    };
    match (request, answer) {
        (_, Err(why)) => why.clone(),
        (StatusRequest::Page(_), Ok(page)) => format!("it answers {} with {}", page.status, beginning(&page.body)),
        (StatusRequest::Command { .. }, Ok(page)) => format!("its output is {}", beginning(&page.body)),
        (StatusRequest::Port | StatusRequest::Log(_), Ok(_)) => String::new(),
    }
}

async fn takes_connections(address: SocketAddr) -> bool {
    timeout(CONNECT_LIMIT, TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}

/// Returns the output of a program that succeeds.
async fn answer(child: &mut Child) -> Result<StatusPage, String> {
    let mut body = Vec::new();
    let output = child.stdout.take().ok_or_else(String::new)?;
    output.take(MAX_OUTPUT_BYTES).read_to_end(&mut body).await.map_err(|error| error.to_string())?;
    let ended = child.wait().await.map_err(|error| error.to_string())?;
    if ended.success() { Ok(StatusPage { status: 200, body }) } else { Err(format!("it ended with {ended}")) }
}
