//! Network between the hosts: made, partitioned, healed, removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::capture::{Capture, CaptureCounts};
use crate::error::Error;
use crate::grudge::Grudge;
use crate::links::Links;
use crate::net::command::{Command, FinishedCommand, run};
use crate::net::links::{self, BRIDGE, HOST_END, SWITCH_END, SWITCH_PORT};
use crate::net::packet_socket::finish_frames;
use crate::net::request::{Neighbour, Request};
use crate::net::route_socket::RouteSocket;
use crate::net::{CommandError, Log, PacketSocket, Partitioner, netns};
use crate::node_id::NodeId;
use crate::packet::{PacketCounts, PacketFault, Switch};

/// Number of times that neighbour entries are set until they are as wanted.
const MOST_ATTEMPTS: u32 = 3;

/// Words for the capture and the switch in messages.
const CAPTURE: &str = "writing the frames of the hosts' ports";
const SWITCH: &str = "passing packets on from one host to another";

/// Network namespaces, connected by a bridge.
pub(crate) struct Network {
    bridge: RouteSocket,
    hosts: BTreeMap<NodeId, RouteSocket>,
    /// Means of partitions; none if there can be none.
    partitioner: Option<Partitioner>,
    /// Partition in force by neighbour entries.
    grudge: Grudge,
    /// Switch, while there are faults of packets.
    switch: Option<Switch>,
    /// Capture of frames, where there is one.
    capture: Option<Capture>,
    log: Log,
}

impl Network {
    /// Creates a network of these nodes' hosts, and returns it with their namespaces.
    pub(crate) fn create(
        nodes: &[NodeId],
        partitioner: Option<Partitioner>,
        log: Log,
    ) -> Result<(Self, Vec<File>), Error> {
        let bridge =
            RouteSocket::open(None).map_err(|errno| Error::system("opening a netlink socket")(errno.into()))?;
        bridge.carry_out(&links::create_bridge(nodes), &log)?;
        let floods = partitioner != Some(Partitioner::Neighbours);
        let made = in_parallel(nodes, |node| {
            let name = node.to_string();
            let open = || RouteSocket::open(Some(name.clone())).map_err(io::Error::from);
            Ok(told(&log, &format!("ip netns add {name}"), || netns::create(&name, open))?)
        })?;
        let (namespaces, sockets): (Vec<File>, Vec<RouteSocket>) = made.into_iter().unzip();
        let connect = |(node, netns): (&NodeId, &File)| links::connect(*node, netns.as_raw_fd(), floods);
        let connections: Vec<Request> = nodes.iter().zip(&namespaces).flat_map(connect).collect();
        bridge.carry_out(&connections, &log)?;
        let hosts: BTreeMap<NodeId, RouteSocket> = nodes.iter().copied().zip(sockets).collect();
        in_parallel(nodes, |node| Ok(hosts[node].carry_out(&links::set_up(*node, nodes), &log)?))?;
        let (grudge, switch, capture) = <_>::default();
        Ok((Self { bridge, hosts, partitioner, grudge, switch, capture, log }, namespaces))
    }

    /// Removes the network; processes still running on its hosts continue without it.
    pub(crate) fn remove(mut self) -> Result<(), Error> {
        self.remove_switch()?;
        let nodes: Vec<NodeId> = self.hosts.into_keys().collect();
        self.bridge.carry_out(&links::remove(&nodes), &self.log)?;
        let remove = |name: String| told(&self.log, &format!("ip netns del {name}"), || netns::remove(&name));
        Ok(nodes.iter().map(NodeId::to_string).try_for_each(remove)?)
    }

    /// Starts to write the frames at the port of each host to a file in this folder.
    pub(crate) fn capture(&mut self, folder: &Path) -> Result<(), Error> {
        let open = |node: &NodeId| Ok((*node, PacketSocket::open(&links::port(*node))?));
        let ports = self.hosts.keys().map(open).collect::<io::Result<Vec<_>>>();
        let capture = ports.and_then(|ports| Capture::start(ports, folder));
        self.capture = Some(capture.map_err(Error::system(CAPTURE))?);
        Ok(())
    }

    /// Ends the capture, if there is one, and returns its counts.
    pub(crate) fn end_capture(&mut self) -> Result<Vec<CaptureCounts>, Error> {
        self.capture.take().map_or(Ok(Vec::new()), Capture::end).map_err(Error::system(CAPTURE))
    }

    pub(crate) fn can_be_partitioned(&self) -> bool {
        self.partitioner.is_some()
    }

    /// Keeps from each node of the grudge the packets that it shall not receive; no other grudge may be in force.
    pub(crate) fn partition(&mut self, grudge: &Grudge) -> Result<(), Error> {
        let firewall = match &self.partitioner {
            None => return Ok(()),
            Some(Partitioner::Neighbours) => return self.set_grudge(grudge.clone()),
            Some(Partitioner::Rules(firewall)) => firewall,
        };
        let mut sequences: Vec<Vec<Command>> = Vec::new();
        for (node, dropped) in &grudge.0 {
            let sources: BTreeSet<Ipv4Addr> = dropped.iter().copied().map(links::address).collect();
            sequences.push(firewall.drop_rules(&node.to_string(), &sources));
        }
        in_parallel(&sequences, |sequence| self.run_all(sequence)).map(drop)
    }

    /// Lets all packets through again, and checks that nothing of ours is in their way.
    pub(crate) fn heal(&mut self) -> Result<(), Error> {
        let firewall = match &self.partitioner {
            None => return Ok(()),
            Some(Partitioner::Neighbours) => return self.set_grudge(Grudge::default()),
            Some(Partitioner::Rules(firewall)) => firewall,
        };
        let nodes: Vec<NodeId> = self.hosts.keys().copied().collect();
        in_parallel(&nodes, |node| {
            let netns = node.to_string();
            let removal = || Ok::<_, Error>(firewall.removal(&netns, &run(&firewall.listing(&netns), &self.log)?));
            let ours = removal()?;
            self.run_all(&ours)?;
            let healed = ours.is_empty() || removal()?.is_empty();
            if healed { Ok(()) } else { Err(Error::RulesRemain { node: *node }) }
        })
        .map(drop)
    }

    fn set_grudge(&mut self, grudge: Grudge) -> Result<(), Error> {
        if let Some(switch) = &self.switch {
            switch.set_cut(grudge.clone());
        }
        self.grudge = grudge;
        self.set_neighbours(None)
    }

    /// Lets a fault, by its number, decide about the packets on these links, from a seed.
    pub(crate) fn disturb(&mut self, number: u32, fault: PacketFault, links: Links, seed: u64) -> Result<(), Error> {
        if self.switch.is_none() {
            self.connect_switch()?;
        }
        if let Some(switch) = &self.switch {
            switch.set_cut(self.grudge.clone());
            switch.add(number, fault, links, seed);
        }
        self.set_neighbours(None)
    }

    /// Ends a fault of packets, and returns its counts. Without any fault, nothing of the switch stays.
    pub(crate) fn calm(&mut self, number: u32) -> Result<Option<PacketCounts>, Error> {
        self.set_neighbours(Some(number))?;
        let counts = self.switch.as_ref().and_then(|switch| switch.remove(number));
        if self.links_by_switch(None) == Links::default() {
            self.remove_switch()?;
        }
        Ok(counts)
    }

    /// Checks that the switch works, if there must be one.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        self.switch.as_mut().map_or(Ok(()), |switch| switch.check().map_err(Error::system(SWITCH)))
    }

    fn connect_switch(&mut self) -> Result<(), Error> {
        let nodes: Vec<NodeId> = self.hosts.keys().copied().collect();
        let connected = self.bridge.carry_out(&links::connect_switch(&nodes), &self.log).and_then(|()| {
            let finish = || finish_frames(&SWITCH_PORT);
            told(&self.log, &format!("ethtool -K {} tx off", SWITCH_PORT.name), finish)
        });
        let open = |interface| PacketSocket::open(&interface);
        let start = || {
            let switch = open(BRIDGE).and_then(|bridge| Switch::start(open(SWITCH_END)?, &bridge));
            switch.map_err(Error::system(SWITCH))
        };
        match connected.map_err(Error::from).and_then(|()| start()) {
            Ok(switch) => self.switch = Some(switch),
            Err(error) => {
                // The first error is the one to report.
                self.bridge.carry_out(&[Request::Remove(SWITCH_PORT)], &self.log).ok();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Removes the switch, if there is one, after packets that have arrived.
    fn remove_switch(&mut self) -> Result<(), Error> {
        let Some(switch) = &mut self.switch else { return Ok(()) };
        let stopped = switch.stop();
        self.bridge.carry_out(&[Request::Remove(SWITCH_PORT)], &self.log)?;
        self.switch = None;
        stopped.map_err(Error::system(SWITCH))
    }

    fn links_by_switch(&self, without: Option<u32>) -> Links {
        self.switch.as_ref().map(|switch| switch.links_without(without)).unwrap_or_default()
    }

    /// Makes the neighbour entries between the hosts those of the grudge and of the faults of packets, except for one,
    /// whatever they are, and checks that they are. Goes on with the other hosts after an error on one.
    fn set_neighbours(&self, without: Option<u32>) -> Result<(), Error> {
        let nodes: Vec<NodeId> = self.hosts.keys().copied().collect();
        let set = |(node, wanted): (&NodeId, &Vec<Neighbour>)| {
            let (socket, interface) = self.hosts.get(node).map_or((&self.bridge, BRIDGE), |host| (host, HOST_END));
            for _ in 0..MOST_ATTEMPTS {
                let found = socket.neighbours(&interface)?;
                let wrong = wanted.iter().filter(|entry| !found.contains(entry));
                let requests: Vec<Request> =
                    wrong.map(|entry| Request::SetNeighbour(interface.clone(), *entry)).collect();
                if requests.is_empty() {
                    return Ok(());
                }
                socket.carry_out(&requests, &self.log)?;
            }
            Err(Error::NeighboursChange { node: *node })
        };
        let wanted = links::neighbours_under(&self.grudge, &self.links_by_switch(without), &nodes);
        wanted.iter().map(set).collect::<Vec<_>>().into_iter().collect()
    }

    fn run_all(&self, commands: &[Command]) -> Result<(), Error> {
        commands.iter().try_for_each(|command| run(command, &self.log).map(drop).map_err(Error::from))
    }
}

/// Does the work of a command, and reports it to the log.
fn told<T>(log: &Log, command: &str, work: impl FnOnce() -> io::Result<T>) -> Result<T, CommandError> {
    let started = Instant::now();
    let result = work().map_err(|source| CommandError::refused(command.to_owned(), source));
    log(&FinishedCommand { command: &command, took: started.elapsed(), error: result.as_ref().err() });
    result
}

/// Does all of the work in parallel, on one thread per item (there is at most one item per host), and returns the
/// results, or the first error.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R, Error> + Sync) -> Result<Vec<R>, Error> {
    let work = &work;
    thread::scope(|scope| {
        let begin = |item| {
            // If no further thread can be created, this one does the work.
            let thread = thread::Builder::new().spawn_scoped(scope, move || work(item));
            thread.map_err(|_| work(item))
        };
        let threads: Vec<_> = items.iter().map(begin).collect();
        let join = |thread: Result<thread::ScopedJoinHandle<'_, _>, _>| match thread {
            Ok(thread) => thread.join().expect("neither commands nor requests panic"),
            Err(done) => done,
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
    })
}
