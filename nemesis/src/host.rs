//! One host for each node: a network namespace with an address on a bridge in a sandbox, the loopback address
//! otherwise. Hosts go away with the sandbox.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;

use crate::capabilities::{Capabilities, Need};
use crate::error::Error;
use crate::grudge::Grudge;
use crate::net::command::{NETNS_FOLDER, run};
use crate::net::{Command, Firewall, Log, links};
use crate::node_id::NodeId;
use crate::process::{NodeCommand, NodeProcess, Spawner};
use crate::sandbox::Sandbox;

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
    /// Program `ip` that created the hosts, if they are separate.
    ip: Option<String>,
    firewall: Option<Firewall>,
    log: Log,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("list", &self.list).field("firewall", &self.firewall).finish_non_exhaustive()
    }
}

impl Hosts {
    /// Creates hosts `n1` to `n<count>`: separate ones in a sandbox where `ip` exists, otherwise all on 127.0.0.1,
    /// where each node needs ports of its own ([`free_ports`]). Every command is reported to `log`.
    ///
    /// # Errors
    /// Returns an error if `count` is 0 or above 64, or a command fails.
    pub fn create(count: u16, sandbox: &Sandbox, can: &Capabilities, log: Log) -> Result<Self, Error> {
        if !(1..=links::MOST_HOSTS).contains(&count) {
            return Err(Error::HostCount { count, most: links::MOST_HOSTS });
        }
        let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let spawner = Arc::new(Spawner::new().map_err(Error::system("starting the spawner thread"))?);
        let ip = can.ip().filter(|_| *sandbox == Sandbox::Isolated && can.has(Need::Network));
        let ip = ip.map(|path| path.to_string_lossy().into_owned());
        if let Some(ip) = &ip {
            let (bridge, interfaces) = links::create(ip, &nodes);
            run(&bridge, &log)?;
            in_parallel(&interfaces, |interface| run(interface, &log).map(drop).map_err(Error::from))?;
        }
        let host = |node: &NodeId| {
            let path = format!("{NETNS_FOLDER}/{node}");
            let netns =
                ip.as_ref().map(|_| File::open(&path)).transpose().map_err(Error::system(format!("opening {path}")))?;
            let address = if ip.is_some() { links::address(*node) } else { Ipv4Addr::LOCALHOST };
            Ok(Host { node: *node, address: address.into(), netns, spawner: Arc::clone(&spawner) })
        };
        let list = nodes.iter().map(host).collect::<Result<_, Error>>()?;
        let firewall = can.firewall().filter(|_| ip.is_some()).cloned();
        Ok(Self { list, ip, firewall, log })
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
    /// Returns an error if the command fails.
    pub fn remove(&mut self) -> Result<(), Error> {
        self.firewall = None;
        let nodes: Vec<NodeId> = self.list.drain(..).map(|host| host.node).collect();
        match self.ip.take() {
            Some(ip) => Ok(run(&links::remove(&ip, &nodes), &self.log).map(drop)?),
            None => Ok(()),
        }
    }

    /// Returns true if each host has an address, and therefore all ports, for itself.
    pub fn are_separate(&self) -> bool {
        self.list.iter().all(|host| host.netns.is_some())
    }

    /// Returns true if hosts can be partitioned.
    pub fn can_be_partitioned(&self) -> bool {
        self.firewall.is_some()
    }

    /// Makes each node of the grudge drop the packets that it shall not receive; no rules of an earlier partition may
    /// be in force.
    pub(crate) fn drop_packets(&self, grudge: &Grudge) -> Result<(), Error> {
        let Some(firewall) = &self.firewall else { return Ok(()) };
        let mut sequences: Vec<Vec<Command>> = Vec::new();
        for (node, dropped) in &grudge.0 {
            let sources: BTreeSet<Ipv4Addr> = dropped.iter().copied().map(links::address).collect();
            sequences.push(firewall.drop_rules(&node.to_string(), &sources));
        }
        in_parallel(&sequences, |sequence| self.run_all(sequence))
    }

    /// Removes all rules of a partition, if there are any, and checks that they are gone.
    pub(crate) fn remove_rules(&self) -> Result<(), Error> {
        let Some(firewall) = &self.firewall else { return Ok(()) };
        in_parallel(&self.list, |host| {
            let netns = host.node.to_string();
            let removal = || Ok::<_, Error>(firewall.removal(&netns, &run(&firewall.listing(&netns), &self.log)?));
            let ours = removal()?;
            self.run_all(&ours)?;
            let healed = ours.is_empty() || removal()?.is_empty();
            if healed { Ok(()) } else { Err(Error::RulesRemain { node: host.node }) }
        })
    }

    fn run_all(&self, commands: &[Command]) -> Result<(), Error> {
        commands.iter().try_for_each(|command| run(command, &self.log).map(drop).map_err(Error::from))
    }
}

/// Does all of the work in parallel, on one thread per item (there is at most one item per host), and returns the
/// first error.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let work = &work;
    thread::scope(|scope| {
        let begin = |item| {
            // If no further thread can be created, this one does the work.
            let thread = thread::Builder::new().spawn_scoped(scope, move || work(item));
            thread.map_err(|_| work(item))
        };
        let threads: Vec<_> = items.iter().map(begin).collect();
        let join = |thread: Result<thread::ScopedJoinHandle<'_, _>, _>| match thread {
            Ok(thread) => thread.join().expect("commands do not panic"),
            Err(done) => done,
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
    })
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
