//! One host for each node: a network namespace with an address on a bridge in a sandbox, the loopback address
//! otherwise. Hosts go away with the sandbox.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use crate::capabilities::{Capabilities, Need};
use crate::capture::CaptureCounts;
use crate::error::Error;
use crate::grudge::Grudge;
use crate::links::Links;
use crate::net::{Log, MOST_HOSTS, links};
use crate::network::Network;
use crate::node_id::NodeId;
use crate::packet::{PacketCounts, PacketFault};
use crate::process::{NodeCommand, NodeProcess};
use crate::sandbox::Sandbox;
use crate::spawner::Spawner;

/// Host of one node.
#[derive(Debug)]
pub struct Host {
    /// Node that runs on it.
    pub node: NodeId,
    /// Address at which clients and other nodes reach it.
    pub address: IpAddr,
    netns: Option<File>,
    spawner: Arc<Spawner>,
}

impl Host {
    /// Starts a process on this host.
    ///
    /// # Errors
    /// Returns an error if the log cannot be written or the program cannot be started.
    pub fn start(&self, what: &NodeCommand) -> Result<NodeProcess, Error> {
        NodeProcess::start(self.node, what, self.netns.as_ref(), &self.spawner)
    }
}

/// Hosts of a cluster.
pub struct Hosts {
    list: Vec<Host>,
    /// Network between them, if they are separate.
    network: Option<Network>,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("list", &self.list).finish_non_exhaustive()
    }
}

impl Hosts {
    /// Creates hosts `n1` to `n<count>`: separate ones in a sandbox with networks, otherwise all on 127.0.0.1, where
    /// each node needs ports of its own ([`free_ports`]). Everything done to the network is reported to `log`.
    ///
    /// # Errors
    /// Returns an error if `count` is 0 or above 64, or the kernel refuses a request.
    pub fn create(count: u16, sandbox: &Sandbox, can: &Capabilities, log: Log) -> Result<Self, Error> {
        if !(1..=MOST_HOSTS).contains(&count) {
            return Err(Error::HostCount { count, most: MOST_HOSTS });
        }
        let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let spawner = Arc::new(Spawner::new().map_err(Error::system("starting the spawner thread"))?);
        let host = |(node, netns): (NodeId, Option<File>)| {
            let address = if netns.is_some() { links::address(node) } else { Ipv4Addr::LOCALHOST };
            Host { node, address: address.into(), netns, spawner: Arc::clone(&spawner) }
        };
        if *sandbox != Sandbox::Isolated || !can.has(Need::Network) || !can.has(Need::Links) {
            return Ok(Self { list: nodes.into_iter().map(|node| host((node, None))).collect(), network: None });
        }
        let (network, namespaces) = Network::create(&nodes, can.partitioner().cloned(), log)?;
        let list = nodes.into_iter().zip(namespaces.into_iter().map(Some)).map(host).collect();
        Ok(Self { list, network: Some(network) })
    }

    /// Returns the hosts in the order of their nodes.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.list.iter()
    }

    /// Returns the host of one node.
    ///
    /// # Errors
    /// Returns an error if there is no such node.
    pub fn get(&self, node: NodeId) -> Result<&Host, Error> {
        self.list.iter().find(|host| host.node == node).ok_or(Error::NoNode(node))
    }

    /// Removes all hosts; processes still running on them continue without a network. Hosts that are not removed stay
    /// until the sandbox ends.
    ///
    /// # Errors
    /// Returns an error if the kernel refuses it.
    pub fn remove(&mut self) -> Result<(), Error> {
        self.list.clear();
        self.network.take().map_or(Ok(()), Network::remove)
    }

    /// Returns true if each host has an address, and therefore all ports, for itself.
    pub fn are_separate(&self) -> bool {
        self.list.iter().all(|host| host.netns.is_some())
    }

    /// Returns true if hosts can be partitioned.
    pub fn can_be_partitioned(&self) -> bool {
        self.network.as_ref().is_some_and(Network::can_be_partitioned)
    }

    /// Keeps from each node of the grudge the packets that it shall not receive; no other grudge may be in force.
    pub(crate) fn drop_packets(&mut self, grudge: &Grudge) -> Result<(), Error> {
        self.network.as_mut().map_or(Ok(()), |network| network.partition(grudge))
    }

    /// Lets all packets through again, and checks that nothing of ours is in their way.
    pub(crate) fn let_packets_through(&mut self) -> Result<(), Error> {
        self.network.as_mut().map_or(Ok(()), Network::heal)
    }

    /// Lets a fault, by its number, decide about the packets on these links, from a seed.
    pub(crate) fn disturb(&mut self, number: u32, fault: PacketFault, links: Links, seed: u64) -> Result<(), Error> {
        self.network.as_mut().map_or(Ok(()), |network| network.disturb(number, fault, links, seed))
    }

    /// Ends a fault of packets, and returns its counts.
    pub(crate) fn calm(&mut self, number: u32) -> Result<Option<PacketCounts>, Error> {
        self.network.as_mut().map_or(Ok(None), |network| network.calm(number))
    }

    /// Starts to write the frames at the port of each host to `n1.pcap` and so on in this folder, each of at most 64
    /// MiB with frames of at most 65,535 bytes.
    ///
    /// # Errors
    /// Returns an error if the hosts are not separate, or a file or a socket cannot be opened.
    pub fn capture(&mut self, folder: &Path) -> Result<(), Error> {
        let network = self.network.as_mut().ok_or_else(|| io::Error::other("these hosts share one network"));
        network.map_err(Error::system("capturing frames"))?.capture(folder)
    }

    /// Ends the capture, if there is one, and returns its counts.
    pub(crate) fn end_capture(&mut self) -> Result<Vec<CaptureCounts>, Error> {
        self.network.as_mut().map_or(Ok(Vec::new()), Network::end_capture)
    }

    /// Checks that all that the faults in force need still works.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        self.network.as_mut().map_or(Ok(()), Network::check)
    }
}

/// Returns TCP ports of 127.0.0.1 that are unused now, all different: for hosts that are not separate.
///
/// # Errors
/// Returns an error if there are not enough.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    // All listeners are held until the last port is found; otherwise one could be returned twice.
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<_>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
