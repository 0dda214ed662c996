//! The loop: gather inputs, step the core, carry out its output in the required order, answer.
//!
//! The clock is read after a batch is gathered, never before: a lease checked against the reading is thus checked
//! after the request arrived, and a follower counts its election timeout from no earlier than the leader's message.

mod observed;
mod requests;

use std::{
    hash::{BuildHasher as _, RandomState},
    ops::ControlFlow,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use super::{
    checkpoints::Checkpoints,
    compaction::CompactionRule,
    outlet::Outlet,
    pending::{PendingRequest, PendingRequests, Requester},
};
use crate::{
    clock::Clock,
    config::Config,
    defect::Defect,
    error::{Error, StorageError, in_full},
    event::{Event, Log},
    frame::Frame,
    host_clock::{HostClock, HostTime},
    input::Input,
    kv::{CommandResult, Digest, Machine, MachineError},
    raft::{
        Elections, Entry, InvalidMessage, LogIndex, Membership, Message, NodeId, Output, Payload, ProposalOutcome,
        Raft, ReadOutcome, RuleCounts, Snapshot, Standing, Status, StoredState, Term, Time,
    },
    request::{Counters, Reason},
    storage::{CompactionOutcome, Directory, Medium, StartMode, Storage},
    trace::Trace,
    transport::Links,
};

/// Maximum number of inputs in one batch, and so behind one fsync.
const MAX_BATCH: usize = 512;
/// Longest wait for an input; a jump of the node's clock in the meantime is noticed after this time.
const MAX_WAIT: Duration = Duration::from_millis(20);
/// Wait after a compaction that was given up.
const COMPACTION_RETRY: Duration = Duration::from_secs(1);

/// State of a node, all of it on one thread.
#[derive(Debug)]
pub(crate) struct Node<O: Outlet = Links, M: Medium = Directory> {
    id: NodeId,
    elections: Elections,
    /// Planted defect.
    defect: Option<Defect>,
    election_timeout: Duration,
    request_timeout: Duration,
    compaction: CompactionRule,
    /// Time before which no compaction begins.
    compact_after: HostTime,
    host: HostClock,
    clock: Clock,
    raft: Raft,
    /// Output that was carried out, whose memory is used again.
    output: Output,
    /// Standing of the core, as of the last input.
    standing: Standing,
    /// Term of the core and its vote there, as they are on the disk.
    vote: (Term, Option<NodeId>),
    /// Configuration for whose members there are links.
    membership: Arc<Membership>,
    storage: Storage<M>,
    machine: Machine,
    /// Term of the last applied entry.
    applied_term: Term,
    checkpoints: Checkpoints,
    outlet: O,
    pending: PendingRequests<O::Client>,
    /// Reads that were sent to a former leader without an answer, and wait for the next leader.
    leaderless: Vec<PendingRequest<O::Client>>,
    /// Last id given to a request. Ids start at a random number, so that a late answer from before a restart matches
    /// no request made after it.
    next_id: u64,
    counters: Counters,
    refused_messages: u64,
    log: Log,
    trace: Trace,
}

/// Surroundings of a node that starts.
#[derive(Debug)]
pub(crate) struct Surroundings<O, M: Medium> {
    pub(crate) host: HostClock,
    pub(crate) storage: Storage<M>,
    /// Content of the storage.
    pub(crate) stored: StoredState,
    pub(crate) outlet: O,
    pub(crate) log: Log,
    /// Numbers that differ at each start: seeds of the read contexts and of the ids of requests.
    pub(crate) nonces: [u64; 2],
}

impl Node {
    /// Reads the disk and returns a node that is ready to serve.
    pub(super) fn open(config: &Config, links: Links, log: Log) -> Result<Self, Error> {
        let start_mode = if config.init { StartMode::New } else { StartMode::Restart };
        let (storage, stored) =
            Storage::open(&config.data_dir, config.id, &config.members(), start_mode, config.defect)
                .map_err(|source| Error::Storage { node: config.id, source })?;
        let nonces = [(); 2].map(|()| start_nonce());
        Self::start(config, Surroundings { host: HostClock::Real, storage, stored, outlet: links, log, nonces })
    }

    /// Serves until it receives a stop or cannot continue.
    pub(super) fn run(&mut self, inputs: &Receiver<Input>) -> Result<(), Error> {
        let mut batch = Vec::new();
        loop {
            match inputs.recv_timeout(self.wakes_at().since(self.host.now()).min(MAX_WAIT)) {
                Ok(input) => batch.push(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            batch.extend(inputs.try_iter().take(MAX_BATCH - batch.len()));
            if self.step(&mut batch)?.is_break() {
                return Ok(());
            }
        }
    }
}

impl<O: Outlet, M: Medium> Node<O, M> {
    /// Returns a node with this durable state that is ready to serve.
    pub(crate) fn start(config: &Config, surroundings: Surroundings<O, M>) -> Result<Self, Error> {
        let Surroundings { host, storage, stored, outlet, log, nonces: [life, next_id] } = surroundings;
        let id = config.id;
        if let Some(defect) = config.defect {
            let (name, about) = (defect.name().to_owned(), defect.description().about().to_owned());
            log.write(Event::DefectPlanted { name, about });
        }
        let trace = Trace::open(id, config.trace_file.as_deref()).map_err(Error::Trace)?;
        let mut clock = Clock::new(host.clone(), config.clock_file.clone());
        let raft = Raft::new(config.raft(life), stored, clock.now())
            .map_err(|error| Error::State { node: id, problem: error.to_string() })?;
        let Status { term, last_index, .. } = raft.status();
        let vote = raft.vote();
        log.write(Event::Started { term, voted_for: vote.1, last_index });
        let mut node = Self {
            id,
            elections: config.elections,
            defect: config.defect,
            election_timeout: config.election_timeout,
            request_timeout: config.request_timeout,
            compaction: CompactionRule::new(config),
            compact_after: host.now(),
            host,
            clock,
            standing: raft.standing(),
            vote,
            membership: Arc::clone(raft.membership()),
            raft,
            output: Output::default(),
            storage,
            machine: Machine::new(config.defect),
            applied_term: Term::default(),
            checkpoints: Checkpoints::default(),
            outlet,
            pending: PendingRequests::new(config.defect),
            leaderless: Vec::new(),
            next_id: if config.defect == Some(Defect::IdsFromZero) { 0 } else { next_id },
            counters: Counters::default(),
            refused_messages: 0,
            log,
            trace,
        };
        node.connect();
        node.carry_out()?; // restores the snapshot, before anybody can read
        Ok(node)
    }

    /// Takes the inputs of a batch, all of which have arrived by now, and carries out what follows from them and from
    /// the time. Breaks if one of them is a stop.
    pub(crate) fn step(&mut self, batch: &mut Vec<Input<O::Client>>) -> Result<ControlFlow<()>, Error> {
        let now = self.clock.now();
        for input in batch.drain(..) {
            if matches!(input, Input::Stop) {
                self.log.write(Event::Stopped);
                return Ok(ControlFlow::Break(()));
            }
            self.handle_input(input, now);
            self.notice_role();
        }
        if self.raft.tick(now) {
            self.notice_role();
        }
        self.carry_out()?;
        self.compact(self.host.now())?;
        self.retry_reads(now);
        self.carry_out()?;
        self.expire(self.host.now());
        self.trace.flush();
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the time until which there is nothing to do unless an input arrives or the node's clock is changed.
    pub(crate) fn wakes_at(&self) -> HostTime {
        let own = self.clock.host_time_at(self.raft.deadline());
        let deadlines = self.leaderless.iter().map(|waiting| waiting.deadline).chain(self.pending.next_deadline());
        deadlines.fold(own, HostTime::min)
    }

    /// Changes the node's clock as its clock file would.
    pub(crate) fn skew_clock(&mut self, rate: f64, jump_ns: i64) {
        self.clock.skew(rate, jump_ns);
    }

    pub(crate) fn outlet_mut(&mut self) -> &mut O {
        &mut self.outlet
    }

    /// Returns the status of the core.
    pub(crate) fn status(&self) -> Status {
        self.raft.status()
    }

    /// Returns the standing of the core, as of the last input.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Returns the core.
    pub(crate) fn core(&self) -> &Raft {
        &self.raft
    }

    /// Ends the node and returns its core.
    pub(crate) fn into_core(self) -> Raft {
        self.raft
    }

    /// Returns the last index that the state machine has applied, and a digest of its state.
    pub(crate) fn state(&self) -> (LogIndex, Digest) {
        (self.machine.applied(), self.machine.digest())
    }

    /// Returns how often each rule of the core has decided something.
    pub(crate) fn rule_counts(&self) -> RuleCounts {
        self.raft.rule_counts()
    }

    /// Returns the numbers of messages sent and of fsyncs.
    pub(crate) fn work(&self) -> (u64, u64) {
        (self.outlet.sent(), self.storage.fsyncs())
    }

    /// Answers the requests whose deadline has passed. Deadlines use the host's clock, as clients do: a node's clock
    /// that stands still or jumps back must not make them wait.
    fn expire(&mut self, now: HostTime) {
        while let Some(waiting) = self.pending.next_expired(now) {
            let failure = waiting.unresolved(Reason::Deadline);
            self.answer(waiting, Err(failure));
        }
        let late: Vec<_> = self.leaderless.extract_if(.., |waiting| waiting.deadline <= now).collect();
        for waiting in late {
            self.refuse(waiting, Reason::NoLeader);
        }
    }

    fn handle_input(&mut self, input: Input<O::Client>, now: Time) {
        if let Input::Peer(peer, frame) = &input {
            self.trace.received(*peer, frame);
        }
        match input {
            Input::Client(request, reply) => self.request(Requester::Client(reply), request, now),
            Input::Peer(peer, Frame::Raft { message, .. }) => {
                if let Err(why) = self.raft.step(now, message) {
                    self.refuse_message(peer, &why);
                }
            }
            Input::Peer(peer, Frame::Forward { id, request }) => self.request(Requester::Peer(peer, id), request, now),
            Input::Peer(_, Frame::ForwardResponse { id, reply }) => {
                if let Some(waiting) = self.pending.take(id) {
                    self.deliver(waiting.requester, reply);
                }
            }
            Input::Joined(peer, address) => self.outlet.connect(peer, address),
            Input::Status(reply) => {
                reply.send(self.report(now)).ok(); // whoever asked has gone
            }
            Input::Peer(_, Frame::Ping) | Input::Stop => {}
        }
    }

    /// Logs a refused message; only some of many, so that nobody can fill the disk with them.
    fn refuse_message(&mut self, peer: NodeId, why: &InvalidMessage) {
        self.refused_messages += 1;
        if self.refused_messages.is_power_of_two() {
            let (reason, count) = (why.to_string(), self.refused_messages);
            self.log.write(Event::MessageRefused { peer, reason, count });
        }
    }

    /// Carries out the core's output until there is none.
    fn carry_out(&mut self) -> Result<(), Error> {
        while self.raft.has_output() {
            self.carry_out_next()?;
        }
        Ok(())
    }

    /// Carries out one output of the core, in the order of its contract (`raft::io`).
    fn carry_out_next(&mut self) -> Result<(), Error> {
        let mut output = std::mem::take(&mut self.output);
        self.raft.swap_output(&mut output);
        self.send(&mut output.early);
        if !output.persist.is_empty() {
            self.storage.persist(&mut output.persist).map_err(|source| self.storage_failure(source))?;
            self.raft.persisted();
            self.notice_stored_term();
            self.notice_role();
        }
        self.send(&mut output.messages);
        for (id, outcome) in output.proposals.drain(..) {
            self.on_proposal_outcome(id, outcome);
        }
        if let Some(snapshot) = output.restore.take() {
            self.restore(&snapshot)?;
        }
        for entry in output.committed.drain(..) {
            self.apply(&entry)?;
        }
        for (id, outcome) in output.reads.drain(..) {
            self.read(id, outcome);
        }
        while let Some(waiting) = self.pending.next_readable(self.machine.applied()) {
            self.answer_read(waiting);
        }
        self.output = output;
        Ok(())
    }

    fn send(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            let (to, id) = (message.to, self.fresh_id());
            self.send_frame(to, Frame::Raft { id, message });
        }
    }

    /// Hands a frame to its link; returns false if it certainly never leaves.
    fn send_frame(&mut self, to: NodeId, frame: Frame) -> bool {
        self.trace.sent(to, &frame);
        self.outlet.send(to, frame)
    }

    fn on_proposal_outcome(&mut self, id: u64, outcome: ProposalOutcome) {
        match outcome {
            ProposalOutcome::Appended { index, term } => self.pending.record_appended(id, index, term),
            ProposalOutcome::NotLeader { .. } => self.retry_or_refuse_by_id(id, Reason::NoLeader),
            ProposalOutcome::NoQuorum => self.retry_or_refuse_by_id(id, Reason::NoQuorum),
            ProposalOutcome::Overloaded => self.retry_or_refuse_by_id(id, Reason::Overloaded),
            ProposalOutcome::Refused(refusal) => self.retry_or_refuse_by_id(id, Reason::Change(refusal)),
            ProposalOutcome::Begun => {
                if let Some(waiting) = self.pending.take(id) {
                    self.answer(waiting, Ok(CommandResult::Begun));
                }
            }
        }
    }

    fn read(&mut self, id: u64, outcome: ReadOutcome) {
        match outcome {
            ReadOutcome::Ready(index) => self.pending.record_readable(id, index),
            ReadOutcome::NotLeader { .. } => self.retry_or_refuse_by_id(id, Reason::NoLeader),
        }
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.machine.restore(snapshot.last_index, &snapshot.data).map_err(|error| self.invalid_state(&error))?;
        self.applied_term = snapshot.last_term;
        self.compaction = self.compaction.after_snapshot(snapshot.last_index);
        self.log.write(Event::SnapshotInstalled { last_index: snapshot.last_index, bytes: snapshot.data.len() });
        for waiting in self.pending.restored(snapshot.last_index) {
            let failure = waiting.unresolved(Reason::NoLeader);
            self.answer(waiting, Err(failure));
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut applied = self.machine.apply(entry).map_err(|error| self.invalid_state(&error))?;
        if let Payload::Membership(_) = entry.payload {
            applied = Some(CommandResult::Put(entry.index));
        }
        self.applied_term = entry.term;
        self.checkpoints.note(&self.machine, entry.term);
        self.outlet.applied(entry);
        let decisions = self.pending.applied(entry.index, entry.term);
        if let (Some(waiting), Some(applied)) = (decisions.committed, applied) {
            self.answer(waiting, Ok(applied));
        }
        for waiting in decisions.superseded {
            self.refuse(waiting, Reason::Superseded);
        }
        Ok(())
    }

    /// Replaces the applied log by a snapshot once the log has grown long enough. The snapshot is made on another
    /// thread.
    fn compact(&mut self, now: HostTime) -> Result<(), Error> {
        match self.storage.finish_compaction().map_err(|source| self.storage_failure(source))? {
            Some(CompactionOutcome::Done(snapshot)) => {
                let Snapshot { last_index, .. } = snapshot;
                self.log.write(Event::SnapshotMade { last_index, bytes: snapshot.data.len() });
                self.compaction = self.compaction.after_snapshot(last_index);
                self.raft.compact(snapshot);
            }
            Some(CompactionOutcome::Abandoned) => self.compact_after = now + COMPACTION_RETRY,
            None => {}
        }
        let last_index = self.machine.applied();
        let is_due = self.compaction.is_due(last_index, self.storage.log_bytes());
        if is_due && !self.storage.is_compacting() && now >= self.compact_after {
            let last = (last_index, self.applied_term);
            let membership = self.raft.membership_at(last_index).clone();
            if self.storage.begin_compaction(last, membership, self.machine.freeze()) {
                self.counters.snapshots_begun += 1;
            } else {
                self.compact_after = now + COMPACTION_RETRY;
            }
        }
        Ok(())
    }

    fn connect(&mut self) {
        for (peer, address) in &self.membership.addresses {
            self.outlet.connect(*peer, *address);
        }
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    fn storage_failure(&self, source: StorageError) -> Error {
        self.log.write(Event::StorageError { error: in_full(&source) });
        Error::Storage { node: self.id, source }
    }

    fn invalid_state(&self, error: &MachineError) -> Error {
        Error::State { node: self.id, problem: error.to_string() }
    }
}

/// Returns a number that differs at each start of the process, from the randomness that the standard library draws
/// for its hash maps.
fn start_nonce() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests;
