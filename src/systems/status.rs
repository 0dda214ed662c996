//! Status of the nodes: who asks for it, who leads by it, and when a cluster is ready or has recovered.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use nemesis::NodeId;
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
use workloads::{Connection, ConnectionLimits, Message};

use super::{Deployment, System};

/// Time limit for connecting to a node.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
/// Time limits for an answer over HTTP.
const LIMITS: ConnectionLimits = ConnectionLimits { connect: CONNECT_LIMIT, operation: Duration::from_millis(400) };
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
    Page(Message),
    /// Connection to its client port, which need not be answered.
    Port,
    /// Program that asks it: its success is status 200, its output the body.
    Command { program: PathBuf, args: Vec<OsString> },
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
    /// Address of each node, and the way in which it is asked.
    nodes: Vec<(SocketAddr, StatusRequest)>,
}

impl StatusClient {
    /// Creates a client for the nodes of a cluster.
    pub(crate) fn new(system: &'static dyn System, deployment: &Deployment) -> Self {
        let nodes = (1..).zip(&deployment.addresses);
        let nodes = nodes.map(|(id, address)| (address.client, system.status_request(id, deployment))).collect();
        Self { system, nodes }
    }

    /// Returns true if nodes say who leads.
    pub(crate) fn has_roles(&self) -> bool {
        self.system.has_roles()
    }

    /// Returns true if asking a node starts a program, which is not to be done too often.
    pub(crate) fn starts_programs(&self) -> bool {
        self.nodes.iter().any(|(_, request)| matches!(request, StatusRequest::Command { .. }))
    }

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let ask = |(address, request): &(SocketAddr, StatusRequest)| tokio::spawn(ask(*address, request.clone()));
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
async fn ask(address: SocketAddr, request: StatusRequest) -> Option<StatusPage> {
    match request {
        StatusRequest::Page(request) => {
            let (status, body) = Connection::new(address, LIMITS).ok()?.exchange(request).await.ok()?;
            Some(StatusPage { status, body })
        }
        StatusRequest::Port => {
            let connected = timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
            connected.ok()?.ok().map(|_| StatusPage::default())
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
