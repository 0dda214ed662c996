//! Clusters as a system sees them: addresses, folders, settings, and the commands and clients that follow from these.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use nemesis::{OwnView, Stop};

use super::{ReadMode, Settings};

/// Ports of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) peer: u16,
    pub(crate) client: u16,
    /// A second port for other nodes, for systems that need one for elections.
    pub(crate) election: u16,
}

impl Ports {
    /// Number of ports of a node.
    pub(crate) const COUNT: usize = 3;
}

/// Addresses of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
    pub(crate) election: SocketAddr,
}

impl Address {
    /// Returns the addresses of a node with these ports.
    pub(crate) fn with_ports(host: IpAddr, Ports { peer, client, election }: Ports) -> Self {
        let [peer, client, election] = [peer, client, election].map(|port| SocketAddr::new(host, port));
        Self { peer, client, election }
    }
}

/// Cluster of a run, before and while it is up.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    /// Addresses of all nodes, in order of their numbers, from 1.
    pub(crate) addresses: Vec<Address>,
    /// Number of the nodes with which the cluster begins, the first ones; the others wait until they are added.
    pub(crate) members: u16,
    /// Read mode that the nodes are started for.
    pub(crate) read: ReadMode,
    pub(crate) settings: Settings,
    /// Folder of the run.
    pub(crate) dir: PathBuf,
    /// Folder of what is prepared once: for the run, or for all runs of a campaign.
    pub(crate) prepared: PathBuf,
}

impl Deployment {
    /// Returns the folder of a node, for its log and its trace, and for `data`, which is removed after the run.
    pub(crate) fn node_dir(&self, id: u16) -> PathBuf {
        self.dir.join("nodes").join(id.to_string())
    }

    /// Returns the folder of the data of a node, which a disk of ours is mounted over if its faults shall be injected.
    pub(crate) fn data_dir(&self, id: u16) -> PathBuf {
        self.node_dir(id).join("data")
    }

    /// Returns the file by which the clock of a node is skewed.
    pub(crate) fn clock_file(&self, id: u16) -> PathBuf {
        self.node_dir(id).join("clock")
    }
}

/// Command that starts a node.
#[derive(Clone, Debug)]
pub(crate) struct StartCommand {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Arguments that only the first start takes, before a node has any data.
    pub(crate) first_args: Vec<OsString>,
    /// Programs with their arguments that run beside it, as one node with it.
    pub(crate) beside: Vec<(PathBuf, Vec<OsString>)>,
    /// Way in which it is asked to end.
    pub(crate) stop: Stop,
    /// True if the programs refuse to run as root.
    pub(crate) ordinary: bool,
    /// Files and host name that they see instead of those of the host.
    pub(crate) view: OwnView,
    /// Environment variables beyond those of this process.
    pub(crate) env: Vec<(OsString, OsString)>,
}

/// Parameters of the clients of a load, or of probes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientSetup<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) read: &'a ReadMode,
    /// Time limit for establishing a connection; less than that of an operation.
    pub(crate) connect_timeout: Duration,
    /// Time limit of an operation, after which the client gives up.
    pub(crate) operation_timeout: Duration,
    /// True if writes that were not answered are sent again, in sessions.
    pub(crate) retry: bool,
    /// True for probes, which give up early on purpose: that is no problem of the client's.
    pub(crate) are_probes: bool,
}

/// Times that are typical of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// Interval between two probes of a node, and time limit of each.
    pub(crate) probe: Duration,
    /// Minimum duration of a fault; at most, one lasts a third longer.
    pub(crate) fault: Duration,
    /// Time after the beginning of a fault within which its outages begin.
    pub(crate) outage_within: Duration,
    /// Time before and after a change of leaders within which reads are dangerous.
    pub(crate) around_change: Duration,
    /// Time limit from the start of the nodes until the cluster can be used.
    pub(crate) ready_within: Duration,
    /// Time limit from the end of the last fault until the cluster has recovered.
    pub(crate) settled_within: Duration,
    /// Time that the cluster is then left alone, in both cases, because nobody can see that it is ready.
    pub(crate) settle: Duration,
    /// Time that nodes have to end once they are asked, before they are killed.
    pub(crate) stop_within: Duration,
}

impl Default for Timing {
    /// Returns times that suit a system of which nothing else is known.
    fn default() -> Self {
        Self {
            probe: Duration::from_millis(100),
            fault: Duration::from_secs(3),
            outage_within: Duration::from_secs(1),
            around_change: Duration::from_millis(500),
            ready_within: Duration::from_secs(15),
            settled_within: Duration::from_secs(20),
            settle: Duration::ZERO,
            stop_within: Duration::from_secs(2),
        }
    }
}
