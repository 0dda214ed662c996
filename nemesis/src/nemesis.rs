//! The nemesis: owns the hosts, the processes on them and the ledger of faults in force, with one function each to
//! inject and to heal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use crate::capture::CaptureCounts;
use crate::clock::{ClockError, ClockFile, Course, Skew, SkewWay};
use crate::disk::{Damage, Disk, DiskFault, EntryRule};
use crate::error::Error;
use crate::fault::{FaultId, Outcome, ResolvedFault};
use crate::host::Hosts;
use crate::ledger::Ledger;
use crate::members::{Answer, MemberRequest, Operator};
use crate::net::CommandError;
use crate::node_id::NodeId;
use crate::packet::PacketCounts;
use crate::planned::PlannedFault;
use crate::process::{NodeCommand, NodeProcess};
use crate::resolve::Leaders;

#[derive(Debug)]
struct Node {
    command: NodeCommand,
    process: NodeProcess,
    clock: Option<ClockFile>,
    /// Course of its clocks while they are skewed through vDSOs.
    course: Option<Course>,
}

/// Injects faults into a cluster and heals them. Calls take some milliseconds, at most the few seconds of their
/// limits: from async code, make them on a thread that may block.
#[derive(Debug)]
pub struct Nemesis {
    // Declared before the hosts, so that processes end before the hosts that they run on.
    nodes: BTreeMap<NodeId, Node>,
    disks: BTreeMap<NodeId, Disk>,
    /// Nodes that were refused something by their disk or their limits and ran on: they may end later for it, once.
    excused: BTreeSet<NodeId>,
    ledger: Ledger,
    /// Members of the cluster, of all its nodes; none if all are.
    members: Option<BTreeSet<NodeId>>,
    operator: Option<Box<dyn Operator>>,
    hosts: Hosts,
}

impl Nemesis {
    /// Creates a nemesis without running nodes or faults.
    pub fn new(hosts: Hosts) -> Self {
        let (nodes, disks, excused, ledger) = <_>::default();
        Self { nodes, disks, excused, ledger, members: None, operator: None, hosts }
    }

    /// Lets the members be changed through this operator.
    pub fn set_operator(&mut self, operator: Box<dyn Operator>) {
        self.operator = Some(operator);
    }

    /// Takes note of who is a member of the cluster; the other nodes are spare ones.
    pub fn set_members(&mut self, members: BTreeSet<NodeId>) {
        self.members = Some(members);
    }

    /// Returns the hosts of the nodes.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Mounts a disk of ours over the data directory of a node, before the node's first start, so that faults of disks
    /// can be injected. It is empty; what is written before the start is durable.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be made, or if this host has no FUSE.
    pub fn mount_disk(&mut self, node: NodeId, data: &Path, rule: EntryRule) -> Result<(), Error> {
        let disk = Disk::mount(data, rule).map_err(|source| Error::Disk { node, source })?;
        self.disks.insert(node, disk);
        Ok(())
    }

    /// Starts a node on its host, with a correct clock. A killed node is restarted by the same command, without the
    /// arguments for the first start.
    ///
    /// # Errors
    /// Returns an error if there is no such host, the node is already running, or it cannot be started.
    pub fn start(&mut self, node: NodeId, command: NodeCommand) -> Result<(), Error> {
        if let Some(known) = self.nodes.get_mut(&node)
            && known.process.is_running()?
        {
            return Err(Error::Running(node));
        }
        let create = |path| ClockFile::create(path).map_err(Error::system(format!("making the clock of {node}")));
        let clock = command.clock.as_deref().map(create).transpose()?;
        if let (Some(disk), None) = (self.disks.get(&node), self.nodes.get(&node)) {
            disk.sync_all();
        }
        let mut first = command.clone();
        first.args.extend_from_slice(if self.nodes.contains_key(&node) { &[] } else { &command.first_args });
        let process = self.hosts.get(node)?.start(&first)?;
        self.nodes.insert(node, Node { command, process, clock, course: None });
        Ok(())
    }

    /// Injects a fault, aimed by what is known of leaders. Every outcome except [`Outcome::Skipped`] has to be healed.
    ///
    /// # Errors
    /// Returns an error if the harness failed. The part of the fault that was done is undone, or else stays in the
    /// ledger for [`Self::heal_all`].
    pub fn inject(&mut self, planned: &PlannedFault, leaders: Leaders) -> Result<Outcome, Error> {
        let is_member = |node: &NodeId| self.members.as_ref().is_none_or(|members| members.contains(node));
        let (nodes, spares): (Vec<NodeId>, Vec<NodeId>) = self.nodes.keys().copied().partition(is_member);
        let fault = match self.ledger.aim(planned, (&nodes, &spares), leaders) {
            Ok(fault) => fault,
            Err(why) => return Ok(Outcome::Skipped { why }),
        };
        let fault = self.with_way(fault);
        if let Some(why) = self.cannot(&fault)? {
            return Ok(Outcome::Skipped { why });
        }
        if let (ResolvedFault::Members { request }, Some(operator)) = (&fault, &self.operator) {
            let answer = operator.ask(*request);
            return Ok(self.outcome_of_change(*request, answer));
        }
        let id = self.ledger.enter(fault.clone());
        match self.install(id, &fault, planned.draw) {
            Ok(None) => Ok(Outcome::Installed { id, fault }),
            Ok(Some(why)) => Ok(Outcome::Indeterminate { id, fault, why }),
            Err(Error::Command(timed_out @ CommandError::TimedOut { .. })) => {
                Ok(Outcome::Indeterminate { id, fault, why: timed_out.to_string() })
            }
            Err(error) => {
                // If this fails as well, the ledger keeps the fault; the first error is the one to report.
                self.heal(id).ok();
                Err(error)
            }
        }
    }

    /// Returns the outcome of a change of the members. There is nothing to heal: its entry in the ledger is for its end
    /// in the history.
    fn outcome_of_change(&mut self, request: MemberRequest, answer: Answer) -> Outcome {
        let fault = ResolvedFault::Members { request };
        match answer {
            Answer::Refused(why) => Outcome::Skipped { why },
            Answer::Begun => Outcome::Installed { id: self.ledger.enter(fault.clone()), fault },
            Answer::Unknown(why) => Outcome::Indeterminate { id: self.ledger.enter(fault.clone()), fault, why },
        }
    }

    /// Adds to a skew of clocks by which way it is done, unless that is their file.
    fn with_way(&self, mut fault: ResolvedFault) -> ResolvedFault {
        if let ResolvedFault::Clock { nodes, skew } = &mut fault {
            let mut ways = self.nodes.iter().filter(|(id, _)| nodes.contains(id)).map(|(_, node)| node.way(*skew));
            skew.by = ways.find(|way| *way == SkewWay::Vdso).or(skew.by);
        }
        fault
    }

    /// Returns the reason why this fault cannot be injected in addition to those in force, on these hosts, if there
    /// is one. Clocks that can be skewed are prepared for that.
    fn cannot(&mut self, fault: &ResolvedFault) -> Result<Option<String>, Error> {
        let mut why = None;
        match fault {
            ResolvedFault::Partition { .. } if !self.hosts.can_be_partitioned() => {
                why = Some("these hosts cannot be partitioned".into());
            }
            ResolvedFault::Packets { .. } if !self.hosts.are_separate() => {
                why = Some("these hosts share one network".into());
            }
            ResolvedFault::Members { .. } if self.operator.is_none() => {
                why = Some("nobody can change the members".into());
            }
            ResolvedFault::Partition { .. } | ResolvedFault::Packets { .. } | ResolvedFault::Members { .. } => {}
            ResolvedFault::Clock { nodes, skew } => self.each(nodes, |id, node| {
                if node.way(*skew) == SkewWay::Vdso {
                    why = why.take().or(node
                        .process
                        .prepare_clocks()
                        .err()
                        .map(|error| clock_error(id)(error).to_string()));
                } else if node.clock.is_none() {
                    why = Some(format!("{id} reads no clock file"));
                }
                Ok(())
            })?,
            ResolvedFault::Disk { nodes, .. } if nodes.iter().any(|node| !self.disks.contains_key(node)) => {
                why = Some("the data is not on a disk of ours".into());
            }
            ResolvedFault::Kill { nodes }
            | ResolvedFault::Pause { nodes }
            | ResolvedFault::Restart { nodes }
            | ResolvedFault::Starve { nodes, .. }
            | ResolvedFault::Limit { nodes, .. }
            | ResolvedFault::Disk { nodes, .. } => self.each(nodes, |id, node| {
                if !node.process.is_running()? {
                    why = Some(format!("{id} has ended by itself"));
                } else if let ResolvedFault::Limit { limit, .. } = fault
                    && let Err(error) = node.process.check_limit(*limit)
                {
                    why = Some(format!("the kernel lets nobody but root limit {id}: {error}"));
                }
                Ok(())
            })?,
        }
        Ok(why)
    }

    /// Carries the fault out; returns the reason if it is not known to be in force.
    fn install(&mut self, id: FaultId, fault: &ResolvedFault, draw: u64) -> Result<Option<String>, Error> {
        let mut why = None;
        match fault {
            ResolvedFault::Kill { nodes } => self.each(nodes, |_, node| node.process.kill().map(drop))?,
            ResolvedFault::Pause { nodes } => self.each(nodes, |id, node| {
                if !node.process.pause()? {
                    why = Some(format!("{id} is not known to have stopped"));
                }
                Ok(())
            })?,
            ResolvedFault::Restart { nodes } => {
                self.each(nodes, |_, node| node.process.ask_to_end())?;
                let since = Instant::now();
                self.each(nodes, |_, node| node.end(since).map(drop))?;
            }
            ResolvedFault::Starve { nodes, cpu_percent, period_ms } => {
                self.each(nodes, |_, node| node.process.starve(*cpu_percent, *period_ms))?;
            }
            ResolvedFault::Limit { nodes, limit } => self.each(nodes, |_, node| node.process.limit(*limit))?,
            ResolvedFault::Partition { grudge, .. } => self.hosts.drop_packets(grudge)?,
            ResolvedFault::Packets { links, fault, .. } => self.hosts.disturb(id.0, *fault, links.clone(), draw)?,
            ResolvedFault::Members { .. } => {}
            ResolvedFault::Clock { nodes, skew } => self.each(nodes, |id, node| {
                why = why.take().or(node.skew_clock(id, *skew)?.map(|error| error.to_string()));
                Ok(())
            })?,
            ResolvedFault::Disk { nodes, fault } => {
                nodes.iter().try_for_each(|node| self.install_on_disk(*node, *fault, draw))?;
            }
        }
        Ok(why)
    }

    /// Heals a fault: restarts, resumes, lets packets through, resets clocks. A fault that is not in force counts as
    /// healed. Returns what one of packets did to them.
    ///
    /// # Errors
    /// Returns an error if the harness failed; the fault stays in the ledger, to be tried again.
    pub fn heal(&mut self, id: FaultId) -> Result<Option<PacketCounts>, Error> {
        let Some(fault) = self.ledger.get(id).cloned() else { return Ok(None) };
        let mut counts = None;
        match &fault {
            ResolvedFault::Kill { nodes } | ResolvedFault::Restart { nodes } => {
                for node in nodes {
                    self.restart(*node)?;
                }
            }
            ResolvedFault::Pause { nodes } => self.each(nodes, |_, node| node.process.resume())?,
            ResolvedFault::Starve { nodes, .. } => self.each(nodes, |_, node| {
                node.process.feed();
                Ok(())
            })?,
            ResolvedFault::Limit { nodes, .. } => {
                let mut running = BTreeSet::new();
                self.each(nodes, |id, node| {
                    node.process.unlimit()?;
                    running.extend(node.process.is_running()?.then_some(id));
                    Ok(())
                })?;
                self.excused.extend(running);
                nodes.iter().try_for_each(|node| self.restart(*node))?;
            }
            ResolvedFault::Partition { .. } => self.hosts.let_packets_through()?,
            ResolvedFault::Packets { .. } => counts = self.hosts.calm(id.0)?,
            ResolvedFault::Members { .. } => {}
            ResolvedFault::Clock { nodes, .. } => self.each(nodes, Node::heal_clock)?,
            ResolvedFault::Disk { nodes, fault } => {
                nodes.iter().try_for_each(|node| self.heal_disk(*node, *fault))?;
            }
        }
        self.ledger.strike(id);
        Ok(counts)
    }

    fn install_on_disk(&mut self, id: NodeId, fault: DiskFault, draw: u64) -> Result<(), Error> {
        let (Some(node), Some(disk)) = (self.nodes.get_mut(&id), self.disks.get_mut(&id)) else { return Ok(()) };
        let source = |source| Error::Disk { node: id, source };
        disk.check().map_err(source)?;
        if !fault.is_done_at_once() {
            disk.begin(fault, node.process.killer());
            return Ok(());
        }
        node.process.kill()?;
        disk.change_files(fault, draw.wrapping_add(id.0.into())).map_err(source)
    }

    fn heal_disk(&mut self, id: NodeId, fault: DiskFault) -> Result<(), Error> {
        let (Some(node), Some(disk)) = (self.nodes.get_mut(&id), self.disks.get_mut(&id)) else { return Ok(()) };
        let source = |source| Error::Disk { node: id, source };
        disk.check().map_err(source)?;
        if fault == (DiskFault::Corrupt { damage: Damage::OldCopy }) {
            node.process.kill()?;
            disk.change_files(fault, 0).map_err(source)?;
        }
        let was_felt = disk.end(fault);
        if was_felt && node.process.is_running()? {
            self.excused.insert(id);
        }
        if fault.kind().ends_processes() { self.restart(id) } else { Ok(()) }
    }

    /// Heals all faults in force, as far as possible, and continues after failures.
    ///
    /// # Errors
    /// Returns [`Error::NotHealed`] with each fault that stays.
    pub fn heal_all(&mut self) -> Result<(), Error> {
        let mut failures = Vec::new();
        for id in self.ledger.ids() {
            if let Err(error) = self.heal(id) {
                failures.push((id, error));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(Error::NotHealed { failures }) }
    }

    /// Returns the faults in force, in the order of injection.
    pub fn in_force(&self) -> impl Iterator<Item = &ResolvedFault> {
        self.ledger.faults()
    }

    /// Returns the nodes that ended without having been killed, with their exit status: a finding about the system
    /// under test, or its settings. One that ends late for a faulty disk is restarted instead.
    ///
    /// # Errors
    /// Returns an error if the system refuses to wait for a process.
    pub fn crashed(&mut self) -> Result<Vec<(NodeId, ExitStatus)>, Error> {
        let mut crashed = Vec::new();
        self.hosts.check()?;
        for (node, disk) in &self.disks {
            disk.check().map_err(|source| Error::Disk { node: *node, source })?;
        }
        for (&id, node) in &mut self.nodes {
            if let Some(status) = node.process.exit_status()? {
                crashed.push((id, status));
            }
        }
        let ends = |fault: &&ResolvedFault| fault.kind().ends_processes();
        let was_ended = |id| self.ledger.faults().filter(ends).any(|fault| fault.nodes().any(|node| node == id));
        crashed.retain(|(id, _)| !was_ended(*id));
        let (excused, crashed) = crashed.into_iter().partition(|(id, _)| self.excused.remove(id));
        let excused: Vec<(NodeId, ExitStatus)> = excused;
        excused.into_iter().try_for_each(|(id, _)| self.restart(id))?;
        Ok(crashed)
    }

    /// Stops all nodes: asks all first, then kills those that have not ended within their limits, and returns them.
    /// Their commands are forgotten.
    ///
    /// # Errors
    /// Returns the first error; the other nodes are stopped in spite of it.
    pub fn stop_all(&mut self) -> Result<Vec<NodeId>, Error> {
        let mut nodes = std::mem::take(&mut self.nodes);
        let asked = nodes.values_mut().map(|node| node.process.ask_to_end());
        let asked: Result<Vec<()>, Error> = asked.collect::<Vec<_>>().into_iter().collect();
        let since = Instant::now();
        let end = |(id, node): (&NodeId, &mut Node)| Ok(node.end(since)?.then_some(*id));
        let ended: Vec<Result<Option<NodeId>, Error>> = nodes.iter_mut().map(end).collect();
        self.disks.clear();
        asked?;
        ended.into_iter().filter_map(Result::transpose).collect()
    }

    /// Ends the capture of frames, if there is one, and returns its counts.
    ///
    /// # Errors
    /// Returns an error if not all could be written.
    pub fn end_capture(&mut self) -> Result<Vec<CaptureCounts>, Error> {
        self.hosts.end_capture()
    }

    /// Removes the hosts, once all nodes have ended, so that others can be created in the same sandbox.
    ///
    /// # Errors
    /// Returns an error if the network could not be taken down.
    pub fn remove_hosts(&mut self) -> Result<(), Error> {
        self.hosts.remove()
    }

    fn restart(&mut self, id: NodeId) -> Result<(), Error> {
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        if !node.process.is_running()? {
            node.process = self.hosts.get(id)?.start(&node.command)?;
            let follow = |course| node.process.follow_clocks(course);
            node.course.as_ref().map_or(Ok(()), follow).map_err(clock_error(id))?;
        }
        Ok(())
    }

    /// Calls `work` for each of the given nodes that is known, one after the other.
    fn each(
        &mut self,
        nodes: &BTreeSet<NodeId>,
        mut work: impl FnMut(NodeId, &mut Node) -> Result<(), Error>,
    ) -> Result<(), Error> {
        nodes.iter().try_for_each(|id| self.nodes.get_mut(id).map_or(Ok(()), |node| work(*id, node)))
    }
}

fn clock_error(node: NodeId) -> impl FnOnce(ClockError) -> Error {
    move |error| Error::Clock { node, why: error.to_string() }
}

impl Node {
    /// Waits for the end of a node that was asked to end at this time, and kills it if it takes too long. Returns true
    /// if it had to be killed.
    fn end(&mut self, since: Instant) -> Result<bool, Error> {
        self.process.end_within(self.command.stop_within.saturating_sub(since.elapsed()))
    }

    /// Returns the way in which its clocks get such a skew.
    fn way(&self, skew: Skew) -> SkewWay {
        skew.way(self.clock.is_some())
    }

    /// Skews its clocks; returns the reason if they are still as they were.
    fn skew_clock(&mut self, id: NodeId, skew: Skew) -> Result<Option<Error>, Error> {
        if self.way(skew) == SkewWay::File {
            return self.set_clock_file(id, skew).map(|()| None);
        }
        match self.process.bend_clocks(skew) {
            Ok(course) => self.course = Some(course),
            Err(error) => return Ok(Some(clock_error(id)(error))),
        }
        Ok(None)
    }

    /// Makes its clocks right again, in the way in which they were skewed.
    fn heal_clock(id: NodeId, node: &mut Self) -> Result<(), Error> {
        if node.course.is_none() {
            return node.set_clock_file(id, Skew::NONE);
        }
        node.process.bend_clocks(Skew::NONE).map_err(clock_error(id))?;
        node.course = None;
        Ok(())
    }

    fn set_clock_file(&mut self, id: NodeId, skew: Skew) -> Result<(), Error> {
        let Some(clock) = &mut self.clock else { return Ok(()) };
        clock.set(skew.rate, skew.jump_ns).map_err(Error::system(format!("setting the clock of {id}")))
    }
}
