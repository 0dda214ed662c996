//! Cluster in one thread and in simulated time: the callers' loops, the network, the faults and the clients, all from
//! one seed.

mod checks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use node::raft::{
    AppendResult, Body, Config, Entry, LeaderReadMode, LogIndex, Message, NodeId, Output, Payload, ProposalOutcome,
    Raft, ReadOutcome,
};

use super::{
    faults::{Chance, Defect, Faults, MS, config},
    host::{Clock, Host, Input},
    oracle::Oracle,
    stats::Stats,
};

/// Time that a cluster may need after healing until it has a leader and all nodes are equal. It is generous, because
/// leftovers such as a slow message or two failed elections come first.
const RECOVERY: u64 = 5_000 * MS;

const TRACE_LINES: usize = 80;

/// Nodes that may join a cluster whose members change.
const SPARES: usize = 2;

#[derive(Debug)]
pub(super) enum Event {
    Deliver(Message),
    Wake(usize),
    DiskDone { host: usize, life: u64 },
    Start(usize),
    Resume(usize),
    Fault,
    Change,
    Deafen(NodeId),
    Client,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(super) hosts: Vec<Host>,
    /// Cut links, each direction on its own.
    pub(super) cut: BTreeSet<(NodeId, NodeId)>,
    pub(super) faults: Faults,
    pub(super) defect: Defect,
    /// Number of nodes with which the cluster began; the others wait until they are added.
    pub(super) founders: u64,
    /// Longest pause between two requests to change the members.
    pub(super) changes_every: u64,
    /// Defect that is planted in the nodes.
    planted: Option<node::Defect>,
    pub(super) chance: Chance,
    pub(super) oracle: Oracle,
    pub(super) next_id: u64,
    pub(super) healed: bool,
    pub(crate) stats: Stats,
    pub(crate) trace: Option<VecDeque<String>>,
}

impl Cluster {
    pub(crate) fn new(nodes: usize, seed: u64, defect: Defect, trace: bool) -> Self {
        let mut chance = Chance::new(seed);
        let faults = Faults::draw(&mut chance);
        let mut cluster = Self::start_all((nodes, 0), chance, faults, (defect, None), trace);
        cluster.schedule(50 * MS, Event::Fault);
        cluster
    }

    /// Creates a cluster whose members change: `nodes` of them at first, and `SPARES` more that may join.
    pub(crate) fn changing(nodes: usize, seed: u64, planted: Option<node::Defect>, trace: bool) -> Self {
        let mut chance = Chance::new(seed);
        let faults = Faults::draw(&mut chance);
        let mut cluster = Self::start_all((nodes, SPARES), chance, faults, (Defect::None, planted), trace);
        cluster.schedule(50 * MS, Event::Fault);
        cluster.changes_every = cluster.chance.pick(&[15 * MS, 90 * MS]);
        cluster.schedule(60 * MS, Event::Change);
        cluster
    }

    /// Creates a cluster in which no faults occur unless the test causes them.
    pub(super) fn without_faults(nodes: usize, seed: u64, faults: Faults) -> Self {
        Self::start_all((nodes, 0), Chance::new(seed), faults, (Defect::None, None), false)
    }

    fn start_all(
        (founders, spares): (usize, usize),
        chance: Chance,
        faults: Faults,
        (defect, planted): (Defect, Option<node::Defect>),
        trace: bool,
    ) -> Self {
        let nodes = founders + spares;
        let clock = Clock { permille: 1000, started: 0, showed: 0 };
        let mut cluster = Self {
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            hosts: (0..nodes).map(|_| Host::new(clock)).collect(),
            cut: BTreeSet::new(),
            faults,
            defect,
            founders: founders as u64,
            changes_every: 0,
            planted,
            chance,
            oracle: Oracle::default(),
            next_id: 0,
            healed: false,
            stats: Stats::default(),
            trace: trace.then(VecDeque::new),
        };
        for host in 0..nodes {
            cluster.start(host);
        }
        cluster.schedule(10 * MS, Event::Client);
        cluster
    }

    /// Runs with faults for `chaos` simulated milliseconds, then without any, and the cluster must recover.
    pub(crate) fn run(&mut self, chaos: u64) {
        while self.now < chaos * MS {
            self.next_event();
        }
        self.heal();
        let deadline = self.now + RECOVERY;
        let goal = self.oracle.acknowledged;
        while !self.has_recovered(goal) {
            assert!(self.now < deadline, "liveness: not recovered after healing");
            self.next_event();
        }
    }

    /// Runs for the simulated time `span`.
    pub(super) fn run_for(&mut self, span: u64) {
        let end = self.now + span;
        while self.now < end {
            self.next_event();
        }
    }

    /// Runs until `holds` returns true; returns false if it does not within `limit`.
    pub(super) fn run_until(&mut self, limit: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !holds(self) {
            if self.now >= end {
                return false;
            }
            self.next_event();
        }
        true
    }

    /// Returns the node that leads in the latest term.
    pub(super) fn leader(&self) -> Option<usize> {
        let term = |host: &usize| self.hosts[*host].raft.as_ref().map(|raft| raft.status().term);
        (0..self.hosts.len()).filter(|&host| self.hosts[host].leads).max_by_key(term)
    }

    /// Returns true if some node leads, and all nodes follow it and have applied the same.
    pub(super) fn is_settled(&self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let first = (self.hosts[leader].applied, self.hosts[leader].digest);
        let leads = Some(NodeId(leader as u64 + 1));
        first.0 > 0
            && self.hosts.iter().all(|host| {
                let follows = host.raft.as_ref().is_some_and(|raft| raft.status().leader == leads);
                follows && (host.applied, host.digest) == first
            })
    }

    /// Returns true if the remaining links allow some node to win an election: a majority, itself included, that it
    /// can exchange messages with, and none of whose logs is ahead of its own (§5.4.1).
    pub(super) fn somebody_can_be_elected(&self) -> bool {
        let log = |host: usize| (self.hosts[host].log.last_term(), self.hosts[host].log.last_index());
        let id = |host: usize| NodeId(host as u64 + 1);
        let meet =
            |a: usize, b: usize| a == b || !(self.cut.contains(&(id(a), id(b))) || self.cut.contains(&(id(b), id(a))));
        let all = 0..self.hosts.len();
        all.clone().any(|a| all.clone().filter(|&b| meet(a, b) && log(b) <= log(a)).count() > self.hosts.len() / 2)
    }

    /// Describes the status of all nodes in one line.
    pub(super) fn describe(&self) -> String {
        let status =
            |host: &Host| host.raft.as_ref().map_or_else(|| "down".to_owned(), |raft| raft.status().to_string());
        self.hosts.iter().map(status).collect::<Vec<_>>().join("; ")
    }

    /// Returns true if all nodes run, a new operation was acknowledged since healing, no change of the members is under
    /// way, and all members have applied the same.
    fn has_recovered(&self, goal: u64) -> bool {
        let Some(leader) = self.leader() else { return false };
        let head = (self.hosts[leader].applied, self.hosts[leader].digest);
        let raft = self.hosts[leader].raft.as_ref().expect("it leads");
        let membership = raft.status().membership;
        let is_equal = |(id, host): (u64, &Host)| {
            let is_member = membership.is_voter(NodeId(id));
            host.raft.is_some() && (!is_member || (host.applied, host.digest) == head)
        };
        let is_complete = !membership.is_intermediate() && raft.has_committed_membership();
        self.oracle.acknowledged > goal && is_complete && (1..).zip(&self.hosts).all(is_equal)
    }

    fn heal(&mut self) {
        self.log(|| "healed".to_owned());
        self.healed = true;
        self.faults = Faults { elections: self.faults.elections, ..Faults::none() };
        self.cut.clear();
        for host in 0..self.hosts.len() {
            self.hosts[host].paused = false;
            self.schedule(0, Event::Resume(host));
        }
    }

    pub(super) fn log(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_LINES {
                trace.pop_front();
            }
            trace.push_back(format!("{:>12} {}", self.now, line()));
        }
    }

    pub(super) fn schedule(&mut self, after: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), event);
    }

    fn next_event(&mut self) {
        let ((now, _), event) = self.queue.pop_first().expect("clients never stop");
        self.now = now;
        self.stats.events += 1;
        match event {
            Event::Deliver(message) => {
                let host = usize::try_from(message.to.0 - 1).unwrap();
                if self.hosts[host].raft.is_some() && !self.cut.contains(&(message.from, message.to)) {
                    self.log(|| format!("{}<-{} {:?} {:?}", message.to, message.from, message.term, message.body));
                    self.hosts[host].inbox.push(Input::Message(message));
                    self.run_host(host);
                }
            }
            Event::Wake(host) => {
                if self.hosts[host].wake_at == Some(now) {
                    self.hosts[host].wake_at = None;
                    self.run_host(host);
                }
            }
            Event::DiskDone { host, life } => {
                if self.hosts[host].life == life
                    && let Some(output) = self.hosts[host].writing.take()
                {
                    self.finish(host, output);
                    self.run_host(host);
                }
            }
            Event::Start(host) => self.start(host),
            Event::Resume(host) => {
                self.hosts[host].paused = false;
                self.run_host(host);
            }
            Event::Fault => self.inject(),
            Event::Change => self.ask_for_change(),
            Event::Deafen(node) => self.deafen(node),
            Event::Client => self.act_as_client(),
        }
    }

    fn start(&mut self, host: usize) {
        let id = NodeId(host as u64 + 1);
        let settings = config(id, self.founders, &self.faults, &mut self.chance);
        let settings = Config { defect: self.planted, ..settings };
        // Clocks stay within the assumption: none runs slower than 80/100 of another.
        let permille = self.chance.between(920, 1120);
        let clock = Clock { permille, started: self.now, showed: self.chance.between(1000 * MS, 2000 * MS) };
        let raft = Raft::new(settings, self.hosts[host].disk.stored(), clock.read(self.now)).expect("starts again");
        self.hosts[host].start(raft, clock);
        self.log(|| format!("{id} starts"));
        self.run_host(host);
    }

    /// Stops a node at any point of its loop. A prefix of its pending write may be durable.
    pub(super) fn crash(&mut self, host: usize) {
        self.log(|| format!("n{} crashes", host + 1));
        self.stats.crashes += 1;
        if let Some(output) = self.hosts[host].writing.take()
            && self.chance.permille(500)
        {
            let entries = self.chance.below(output.persist.entries.len() as u64 + 1);
            self.hosts[host].disk.carry_out(&output.persist, usize::try_from(entries).unwrap());
        }
        self.hosts[host].stop();
        match self.defect {
            Defect::ForgetsVote => self.hosts[host].disk.hard_state.voted_for = None,
            Defect::LosesEntries => self.hosts[host].disk.lose_last_entry(),
            Defect::None
            | Defect::AnswersBeforeDurable
            | Defect::TrustsLeaderReads
            | Defect::SlowClock
            | Defect::InventedAnswers => {}
        }
        let downtime = self.chance.between(MS, 200 * MS);
        self.schedule(downtime, Event::Start(host));
    }

    fn may_crash(&mut self, host: usize) -> bool {
        let crashes = self.chance.permille(self.faults.crash);
        if crashes {
            self.crash(host);
        }
        crashes
    }

    /// Runs the caller's loop, as described in `io.rs`, until nothing is left to do or the disk is busy.
    pub(super) fn run_host(&mut self, host: usize) {
        while self.hosts[host].can_run() {
            self.give_inputs(host);
            let own = &mut self.hosts[host];
            let raft = own.raft.as_mut().expect("it can run");
            if !raft.has_output() {
                let wake = own.clock.when(raft.deadline(), self.now);
                if own.wake_at.is_none_or(|at| at > wake) {
                    own.wake_at = Some(wake);
                    self.schedule(wake - self.now, Event::Wake(host));
                }
                return;
            }
            let mut output = raft.take_output();
            self.check_output(host, &output);
            self.transmit(std::mem::take(&mut output.early));
            if self.may_crash(host) {
                return;
            }
            if self.defect == Defect::AnswersBeforeDurable {
                self.hosts[host].raft.as_mut().expect("it runs").persisted();
                self.transmit(std::mem::take(&mut output.messages));
            }
            if output.persist.is_empty() {
                self.finish(host, output);
            } else {
                self.hosts[host].writing = Some(output);
                let delay = self.chance.between(1, self.faults.max_disk_delay);
                let life = self.hosts[host].life;
                self.schedule(delay, Event::DiskDone { host, life });
            }
        }
    }

    fn give_inputs(&mut self, host: usize) {
        let now = self.hosts[host].clock.read(self.now);
        for input in std::mem::take(&mut self.hosts[host].inbox) {
            let raft = self.hosts[host].raft.as_mut().expect("it can run");
            match input {
                Input::Message(message) => {
                    assert!(raft.step(now, message).is_ok() || self.planted.is_some(), "all keep to the protocol");
                }
                Input::Propose(id) => raft.propose(now, id, Bytes::copy_from_slice(&id.to_le_bytes())),
                Input::Read(id, mode) => raft.read(now, id, mode),
                Input::Change(id, change) => raft.change_members(now, id, change),
                Input::Transfer(id, to) => raft.transfer(now, id, Some(to)),
            }
            self.after_step(host);
        }
        let raft = self.hosts[host].raft.as_mut().expect("it can run");
        if now >= raft.deadline() {
            raft.tick(now);
            self.after_step(host);
        }
    }

    fn after_step(&mut self, host: usize) {
        let status = self.hosts[host].raft.as_ref().expect("it runs").status();
        if self.oracle.saw(&status) {
            self.stats.leaders += 1;
            self.log(|| format!("{status}"));
        }
    }

    /// Runs the rest of the loop once the disk has finished.
    fn finish(&mut self, host: usize, output: Output) {
        self.hosts[host].disk.carry_out(&output.persist, usize::MAX);
        if self.may_crash(host) {
            return;
        }
        self.hosts[host].raft.as_mut().expect("it runs").persisted();
        for message in output.messages {
            self.check_promise(host, &message);
            self.transmit(vec![message]);
            if self.may_crash(host) {
                return;
            }
        }
        self.take_outcomes(host, output.proposals, output.reads);
        if let Some(snapshot) = &output.restore {
            self.hosts[host].restore(snapshot, &self.oracle);
        }
        for entry in &output.committed {
            let (first, acknowledges) = self.hosts[host].apply(entry, &mut self.oracle);
            if first {
                self.check_leaders_have(entry.index.0);
            }
            if acknowledges {
                self.oracle.acknowledge(entry.index.0);
                self.stats.writes += 1;
            }
        }
        self.hosts[host].answer_reads(&mut self.oracle);
        self.stats.compactions += u64::from(self.hosts[host].compact(self.faults.compact_after));
        self.may_crash(host);
    }

    fn take_outcomes(&mut self, host: usize, proposals: Vec<(u64, ProposalOutcome)>, reads: Vec<(u64, ReadOutcome)>) {
        let own = &mut self.hosts[host];
        for (_, outcome) in proposals {
            match outcome {
                ProposalOutcome::Appended { index, term } => drop(own.proposals.insert(index.0, term)),
                ProposalOutcome::Begun => self.stats.transfers += 1,
                _ => {}
            }
        }
        for (id, outcome) in reads {
            let (mode, acknowledged) = own.reads.remove(&id).expect("each read has one outcome");
            let ReadOutcome::Ready(index) = outcome else { continue };
            // A jump violates the assumption about clocks that leases depend on.
            let linearizable = match mode {
                LeaderReadMode::Quorum => true,
                LeaderReadMode::Lease => !self.faults.clock_jumps,
                LeaderReadMode::Leader => self.defect == Defect::TrustsLeaderReads,
            };
            let n = host + 1;
            assert!(!linearizable || index.0 >= acknowledged, "stale read: {mode:?} at n{n}: {index} < {acknowledged}");
            match mode {
                LeaderReadMode::Quorum => self.stats.quorum_reads += 1,
                LeaderReadMode::Lease => self.stats.lease_reads += 1,
                LeaderReadMode::Leader => {}
            }
            if linearizable {
                own.ready.push(index.0);
            }
        }
    }

    fn transmit(&mut self, messages: Vec<Message>) {
        for message in messages {
            if self.chance.permille(self.faults.drop) {
                continue;
            }
            if let (Defect::InventedAnswers, Body::AppendEntries { round, .. }) = (self.defect, &message.body) {
                self.invent_answer(&message, *round);
            }
            if self.chance.permille(self.faults.duplicate) {
                self.deliver_later(message.clone());
            }
            self.deliver_later(message);
        }
    }

    /// Delivers an answer to the request at once, as if from the follower, whether or not the follower can be
    /// reached.
    fn invent_answer(&mut self, request: &Message, round: u64) {
        let result = AppendResult::Conflict { refused: LogIndex(0), term: None, first: LogIndex(0) };
        let body = Body::AppendEntriesResponse { result, round };
        self.schedule(0, Event::Deliver(Message { from: request.to, to: request.from, term: request.term, body }));
    }

    fn deliver_later(&mut self, message: Message) {
        let slow = self.chance.permille(self.faults.slow);
        let delay = if slow { self.chance.between(MS, 250 * MS) } else { self.chance.between(MS / 10, 2 * MS) };
        self.schedule(delay, Event::Deliver(message));
    }
}

/// Returns the number of configurations among these entries.
fn changes_in(entries: &[Entry]) -> u64 {
    entries.iter().filter(|entry| matches!(entry.payload, Payload::Membership(_))).count() as u64
}
