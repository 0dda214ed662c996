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
use workloads::{Connection, ConnectionLimits};

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
}

impl StatusClient {
    /// Creates a client for the nodes of a cluster, with their logs in the same order.
    pub(crate) fn new(system: &'static dyn System, deployment: &Deployment, logs: Vec<NodeLog>) -> Self {
        let node = |((id, address), log): ((u16, &Address), _)| AskedNode {
            address: address.client,
            request: system.status_request(id, deployment),
            log: Arc::new(Mutex::new(LogReader::new(log))),
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

    /// Returns what each node is asked, in order of their ids, as an object of "does not answer".
    pub(crate) fn questions(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().map(|AskedNode { address, request, .. }| match request {
            StatusRequest::Page(page) => format!("{} {} at {address} as it should", page.method, page.path),
            StatusRequest::Port => format!("at {address}"),
            StatusRequest::Command { program, .. } => format!("to {}", program.display()),
            StatusRequest::Log(_) => "by a line of its log".to_owned(),
        })
    }

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let ask = |node: &AskedNode| tokio::spawn(ask(node.clone()));
        let asked: Vec<_> = self.nodes.iter().map(ask).collect();
        let mut pages = Vec::with_capacity(asked.len());
        for answer in asked {
            pages.push(answer.await.ok().flatten());
        }
        self.system.read_statuses(&pages)
    }

    /// Returns the answer of the first node; none if it does not answer in time.
    pub(crate) async fn first_page(&self) -> Option<StatusPage> {
        ask(self.nodes.first()?.clone()).await
    }

    /// Returns the node that claims to lead, of several the one in the latest term, and the next below as deposed.
    pub(crate) async fn leaders(&self) -> Leaders {
        leaders_of(&self.statuses().await)
    }
}

/// Asks a node for its status; none if it does not answer in time.
async fn ask(node: AskedNode) -> Option<StatusPage> {
    let AskedNode { address, request, log } = node;
    match request {
        StatusRequest::Page(request) => {
            let (status, body) = Connection::new(address, LIMITS).ok()?.exchange(request).await.ok()?;
            Some(StatusPage { status, body })
        }
        StatusRequest::Port => takes_connections(address).await.then(StatusPage::default),
        StatusRequest::Log(lines) => {
            let by_port = lines.up.is_none();
            let read = move || log.lock().unwrap_or_else(PoisonError::into_inner).read(&lines);
            let state = tokio::task::spawn_blocking(read).await.ok()??;
            let is_up = if by_port { takes_connections(address).await } else { state.is_up };
            is_up.then_some(StatusPage { status: 200, body: state.role })
        }
        StatusRequest::Command { program, args } => {
            let mut command = Command::new(program);
            command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.process_group(0).kill_on_drop(true).spawn().ok()?;
            let answer = timeout(COMMAND_LIMIT, answer(&mut child)).await;
            if let Some(group) = child.id() {
                // It is not reaped, so the number still refers to it and its children.
                killpg(Pid::from_raw(group.try_into().ok()?), Signal::SIGKILL).ok();
            }
            answer.ok()?
        }
    }
}

async fn takes_connections(address: SocketAddr) -> bool {
    timeout(CONNECT_LIMIT, TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}

/// Returns the output of a program that succeeds.
async fn answer(child: &mut Child) -> Option<StatusPage> {
    let mut body = Vec::new();
    child.stdout.take()?.take(MAX_OUTPUT_BYTES).read_to_end(&mut body).await.ok()?;
    child.wait().await.ok()?.success().then_some(StatusPage { status: 200, body })
}
