//! Status of the nodes: who asks for it, who leads by it, and when a cluster is ready or has recovered.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nemesis::{NodeId, NodeLog};
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

use super::{
    Address, Deployment, System,
    log_status::{LogLines, LogReader},
};

/// Time limit for connecting to a node.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
/// Time limit for a program that asks a node, its start included.
const COMMAND_LIMIT: Duration = Duration::from_secs(3);
/// Maximum size of what such a program says that is read.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;

/// Status that a node reports of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// Role of the node, if the system has roles.
    pub(crate) role: Option<RoleStatus>,
    pub(crate) counters: Counters,
}

/// Role of a node, and how far it is.
#[derive(Clone, Debug)]
pub(crate) struct RoleStatus {
    /// Name of the role, for people.
    pub(crate) name: String,
    pub(crate) leads: bool,
    pub(crate) term: u64,
    /// Leader that the node follows.
    pub(crate) leader: Option<u16>,
    pub(crate) applied: u64,
    pub(crate) commit: u64,
}

/// Counters of a node since its process started; 0 where it does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Messages sent to peers.
    pub(crate) messages: u64,
    pub(crate) fsyncs: u64,
}

/// Way in which a node is asked for its status.
#[derive(Clone, Debug)]
pub(crate) enum StatusRequest {
    /// HTTP request to its client port.
    Page { method: String, path: String, body: Option<String> },
    /// Connection to its client port, which need not be answered.
    Port,
    /// Program that asks it: its success is status 200, its output the body.
    Command { program: PathBuf, args: Vec<OsString> },
    /// Its log: status 200 once it is up, the last line about its role the body.
    Log(LogLines),
}

/// Effort of asking the nodes for their status, which says how often and for how long that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Interval at which nodes are asked that are waited for.
    pub(crate) poll: Duration,
    /// Maximum time to look for a leader to aim a fault at.
    pub(crate) aim_within: Duration,
    /// True if nodes can be asked throughout a load, for what they count.
    pub(crate) suits_load: bool,
}

impl Effort {
    /// Effort of a request, or of a look at a log.
    const SMALL: Self = Self { poll: Duration::from_millis(10), aim_within: Duration::from_secs(1), suits_load: true };
    /// Effort of programs, whose start takes time that the nodes need.
    const OF_PROGRAMS: Self =
        Self { poll: Duration::from_millis(100), aim_within: Duration::from_secs(6), suits_load: false };
}

impl StatusRequest {
    pub(crate) fn get(path: &str) -> Self {
        Self::Page { method: "GET".to_owned(), path: path.to_owned(), body: None }
    }
}

/// Answer of a node that was asked for its status; without status and body if it was only connected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusPage {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Client that asks the nodes for their status, with a time limit for each request.
#[derive(Clone, Debug)]
pub(crate) struct StatusClient {
    system: &'static dyn System,
    client: reqwest::Client,
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
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be built.
    pub(crate) fn new(
        system: &'static dyn System,
        deployment: &Deployment,
        logs: Vec<NodeLog>,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(Duration::from_millis(400))
            .pool_max_idle_per_host(0)
            .build()?;
        let node = |((id, address), log): ((u16, &Address), _)| AskedNode {
            address: address.client,
            request: system.status_request(id, deployment),
            log: Arc::new(Mutex::new(LogReader::new(log))),
        };
        let nodes = (1..).zip(&deployment.addresses).zip(logs).map(node).collect();
        Ok(Self { system, client, nodes })
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

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let ask = |node: &AskedNode| tokio::spawn(ask(self.client.clone(), node.clone()));
        let asked: Vec<_> = self.nodes.iter().map(ask).collect();
        let mut pages = Vec::with_capacity(asked.len());
        for answer in asked {
            pages.push(answer.await.ok().flatten());
        }
        self.system.read_statuses(&pages)
    }

    /// Returns the node that claims to lead; of several, the one in the latest term.
    pub(crate) async fn leader(&self) -> Option<u16> {
        leader_of(&self.statuses().await)
    }
}

/// Asks a node for its status; none if it does not answer in time.
async fn ask(client: reqwest::Client, node: AskedNode) -> Option<StatusPage> {
    let AskedNode { address, request, log } = node;
    match request {
        StatusRequest::Page { method, path, body } => {
            let method = reqwest::Method::from_bytes(method.as_bytes()).ok()?;
            let mut request = client.request(method, format!("http://{address}{path}"));
            if let Some(body) = body {
                request = request.body(body);
            }
            let answer = request.send().await.ok()?;
            Some(StatusPage { status: answer.status().as_u16(), body: answer.bytes().await.ok()?.to_vec() })
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

/// Returns the node that claims to lead; of several, the one in the latest term.
fn leader_of(statuses: &[Option<Status>]) -> Option<u16> {
    let roles = (1..).zip(statuses).filter_map(|(id, status)| Some((NodeId(id), status.as_ref()?.role.as_ref()?)));
    let leading: Vec<_> = roles.filter(|(_, role)| role.leads).map(|(id, role)| (id, role.term)).collect();
    nemesis::leader_of(&leading).map(|leader| leader.0)
}

/// Returns true if every node answers, and, if the system has roles, a majority follows one leader. A node that is
/// killed before it has any data would not start again, so all have to answer.
pub(crate) fn is_ready(has_roles: bool, statuses: &[Option<Status>]) -> bool {
    let is_led = || {
        let Some(leader) = leader_of(statuses) else { return false };
        let roles = statuses.iter().flatten().filter_map(|status| status.role.as_ref());
        roles.filter(|role| role.leader == Some(leader)).count() > statuses.len() / 2
    };
    statuses.iter().all(Option::is_some) && (!has_roles || is_led())
}

/// Returns true if every node answers, and, if the system has roles, all follow the same leader in the same term and
/// have applied everything that it knows to be committed.
pub(crate) fn is_settled(has_roles: bool, statuses: &[Option<Status>]) -> bool {
    if !has_roles {
        return is_ready(has_roles, statuses);
    }
    let role = |status: &'_ Option<Status>| status.as_ref().and_then(|status| status.role.clone());
    let Some(leader) = leader_of(statuses) else { return false };
    let Some(head) = role(&statuses[usize::from(leader) - 1]) else { return false };
    let agrees =
        |role: RoleStatus| role.leader == Some(leader) && role.term == head.term && role.applied >= head.commit;
    statuses.iter().all(|status| role(status).is_some_and(agrees))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{System as _, roleless::Roleless},
        RoleStatus, Status, StatusPage, is_ready, is_settled, leader_of,
    };

    fn status(name: &str, term: u64, leader: Option<u16>, applied: u64) -> Status {
        let role =
            RoleStatus { name: name.to_owned(), leads: name == "leader", term, leader, applied, commit: applied };
        Status { role: Some(role), ..Status::default() }
    }

    #[test]
    fn of_two_claims_the_later_term_leads() {
        let statuses = [Some(status("leader", 2, Some(1), 5)), None, Some(status("leader", 3, Some(3), 5))];
        assert_eq!(leader_of(&statuses), Some(3));
        assert_eq!(leader_of(&[None, Some(status("follower", 3, None, 5))]), None);
    }

    #[test]
    fn a_cluster_is_settled_when_all_follow_one_leader_and_have_caught_up() {
        let follower = |applied| Some(status("follower", 3, Some(2), applied));
        let leader = |term| Some(status("leader", term, Some(2), 5));
        assert!(is_settled(true, &[follower(5), leader(3), follower(6)]));
        assert!(!is_settled(true, &[None, leader(3), follower(5)]));
        assert!(!is_settled(true, &[follower(4), leader(3), follower(5)]));
        assert!(!is_settled(true, &[Some(status("leader", 2, Some(1), 5)), leader(3), follower(5)]));
        assert!(!is_settled(true, &[follower(5), follower(5), follower(5)]));
    }

    #[test]
    fn a_cluster_without_roles_is_ready_and_settled_when_all_nodes_are_up() {
        let page = |body: &[u8]| StatusPage { status: 200, body: body.to_vec() };
        let up = Roleless.read_status(&page(b"{}"));
        assert!(up.is_some() && Roleless.read_status(&page(b"starting")).is_none());
        for is_reached in [is_ready, is_settled] {
            assert!(is_reached(Roleless.has_roles(), &[up.clone(), up.clone()]));
            assert!(!is_reached(Roleless.has_roles(), &[up.clone(), None]));
            assert!(!is_reached(true, &[up.clone(), up.clone()]), "nobody leads");
        }
        assert!(Roleless.read_log("anything").is_empty() && Roleless.trace_file().is_none());
    }
}
