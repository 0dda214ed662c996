//! Systems under test, one file each: how a node is started, when it is ready, what it says of itself, how clients
//! talk to it, and what it writes. A plan names one; what carries it out knows only [`System`].

pub(crate) mod schism;

use std::{
    ffi::OsString,
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use nemesis::NodeId;
use workloads::{HttpConnector, HttpOptions};

use self::schism::Settings;

/// Systems that a plan can name.
const SYSTEMS: [&dyn System; 1] = [&schism::Schism];

/// Returns the system of this name.
pub(crate) fn system(name: &str) -> Option<&'static dyn System> {
    SYSTEMS.into_iter().find(|system| system.name() == name)
}

/// Checks that there is a system of this name.
///
/// # Errors
/// Fails with the names of those that there are.
pub(crate) fn check_system(name: &str) -> Result<(), String> {
    if system(name).is_some() {
        return Ok(());
    }
    let known: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    Err(format!("there is no system {name:?}; there is: {}", known.join(", ")))
}

/// Returns the names of the files in a node's folder that traces of messages go to, of all systems.
pub(crate) fn trace_files() -> impl Iterator<Item = &'static str> + Clone {
    SYSTEMS.into_iter().filter_map(System::trace_file)
}

/// A system under test. Roles, logs and traces are optional: without them a run shows less, and nothing else changes.
pub(crate) trait System: fmt::Debug + Sync {
    /// Returns the name by which plans know the system.
    fn name(&self) -> &'static str;

    /// Returns the ports of a node on a host of its own.
    fn ports(&self) -> Ports;

    /// Returns the command that starts a node.
    fn start_command(&self, node: &NodeSetup<'_>) -> StartCommand;

    /// Returns the path at which a node tells of itself by HTTP. A node that answers there is up.
    fn status_path(&self) -> &'static str;

    /// Reads the answer of a node that was asked for its status; none if it is not one.
    fn read_status(&self, page: &[u8]) -> Option<Status>;

    /// Returns true if nodes say who leads. Otherwise no fault can be aimed at the leader, and nobody knows how often
    /// the leader changed.
    fn has_roles(&self) -> bool {
        false
    }

    /// Creates the clients of a load.
    fn connector(&self, options: HttpOptions) -> HttpConnector {
        HttpConnector::new(options)
    }

    /// Returns the name of the file in a node's folder that its trace of messages goes to, if it can write one.
    fn trace_file(&self) -> Option<&'static str> {
        None
    }

    /// Reads what a node's log says about roles and processes. Other lines are skipped, as is a last line that a
    /// killed node left unfinished.
    fn read_log(&self, _log: &str) -> Vec<LogEvent> {
        Vec::new()
    }
}

/// Ports of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) peer: u16,
    pub(crate) client: u16,
}

/// Addresses of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
}

impl Address {
    /// Returns the addresses of a node on a host that it shares with others.
    pub(crate) fn with_ports(host: IpAddr, peer: u16, client: u16) -> Self {
        Self { peer: SocketAddr::new(host, peer), client: SocketAddr::new(host, client) }
    }
}

/// Parameters of the command that starts a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeSetup<'a> {
    /// Number of the node, from 1.
    pub(crate) id: u16,
    /// Addresses of all nodes, in order of their numbers.
    pub(crate) addresses: &'a [Address],
    /// Folder of the node, for its data, its log and its trace.
    pub(crate) dir: &'a Path,
    /// File by which the node's clock is skewed.
    pub(crate) clock_file: &'a Path,
    pub(crate) settings: &'a Settings,
}

/// Command that starts a node.
#[derive(Clone, Debug)]
pub(crate) struct StartCommand {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Arguments that only the first start takes, before a node has any data.
    pub(crate) first_args: Vec<OsString>,
}

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

/// Event in a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEvent {
    /// Time on the host's monotonic clock.
    pub(crate) mono_ns: u64,
    pub(crate) kind: LogEventKind,
}

/// Kind of an event in a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogEventKind {
    /// Change of the node's role.
    Role(Role),
    /// Start or end of its process.
    Process,
}

/// Role that a node takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Leader { term: Option<u64> },
    Follower,
    Candidate,
    Other,
}

/// Client that asks the nodes for their status, with a time limit for each request.
#[derive(Clone, Debug)]
pub(crate) struct StatusClient {
    system: &'static dyn System,
    client: reqwest::Client,
    urls: Vec<String>,
}

impl StatusClient {
    /// Creates a client for the nodes at these addresses.
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be built.
    pub(crate) fn new(system: &'static dyn System, addresses: &[Address]) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_millis(200))
            .timeout(Duration::from_millis(400))
            .pool_max_idle_per_host(0)
            .build()?;
        let url = |address: &Address| format!("http://{}{}", address.client, system.status_path());
        Ok(Self { system, client, urls: addresses.iter().map(url).collect() })
    }

    /// Returns true if nodes say who leads.
    pub(crate) fn has_roles(&self) -> bool {
        self.system.has_roles()
    }

    /// Returns the status of each node, in order of their ids; `None` for a node that does not answer in time.
    pub(crate) async fn statuses(&self) -> Vec<Option<Status>> {
        let system = self.system;
        let asked: Vec<_> = self
            .urls
            .iter()
            .map(|url| {
                let request = self.client.get(url).send();
                tokio::spawn(async move { system.read_status(&request.await.ok()?.bytes().await.ok()?) })
            })
            .collect();
        let mut statuses = Vec::with_capacity(asked.len());
        for answer in asked {
            statuses.push(answer.await.ok().flatten());
        }
        statuses
    }

    /// Returns the node that claims to lead; of several, the one in the latest term.
    pub(crate) async fn leader(&self) -> Option<u16> {
        leader_of(&self.statuses().await)
    }
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
pub(crate) mod tests {
    use super::{NodeSetup, Ports, RoleStatus, StartCommand, Status, System, is_ready, is_settled, leader_of, system};

    /// A system whose nodes only say that they are up.
    #[derive(Debug)]
    pub(crate) struct Roleless;

    impl System for Roleless {
        fn name(&self) -> &'static str {
            "roleless"
        }

        fn ports(&self) -> Ports {
            Ports { peer: 1, client: 2 }
        }

        fn start_command(&self, node: &NodeSetup<'_>) -> StartCommand {
            StartCommand { program: "server".into(), args: vec![node.id.to_string().into()], first_args: Vec::new() }
        }

        fn status_path(&self) -> &'static str {
            "/health"
        }

        fn read_status(&self, page: &[u8]) -> Option<Status> {
            (page == b"ok").then(Status::default)
        }
    }

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
        let up = Roleless.read_status(b"ok");
        assert!(up.is_some() && Roleless.read_status(b"starting").is_none());
        for is_reached in [is_ready, is_settled] {
            assert!(is_reached(Roleless.has_roles(), &[up.clone(), up.clone()]));
            assert!(!is_reached(Roleless.has_roles(), &[up.clone(), None]));
            assert!(!is_reached(true, &[up.clone(), up.clone()]), "nobody leads");
        }
        assert!(Roleless.read_log("anything").is_empty() && Roleless.trace_file().is_none());
    }

    #[test]
    fn systems_are_found_by_name() {
        assert_eq!(system("schism").map(System::name), Some("schism"));
        assert!(system("roleless").is_none());
    }
}
