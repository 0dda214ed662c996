//! The loop around the library: ticks, messages and requests go in, and whatever is `Ready` is carried out in the order
//! of the library's documentation.

use std::{
    collections::HashMap,
    mem,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    time::SystemTime,
};

use anyhow::Context as _;
use raft::{
    RawNode, StateRole,
    eraftpb::{Entry, Message},
    storage::MemStorage,
};
use register::{Answer, Ask, Command, Read, Registers, Replica, Status};
use tokio::sync::oneshot;

use crate::{clock::Ticks, peers::Peers, storage::Disk};

/// Number of inputs that are taken in before what they lead to is carried out.
const BATCH: usize = 256;
/// Number of ticks after which requests that nobody waits for any more are forgotten.
const FORGET_AFTER: u64 = 100;

/// Number of heartbeats that a follower misses before it takes its leader for lost.
const SILENT: usize = 3;

/// Event for the node.
#[derive(Debug)]
pub enum Input {
    Message(Box<Message>),
    Request(Ask, Reply),
}

type Reply = oneshot::Sender<Answer>;

/// Way to the node for its clients.
#[derive(Clone, Debug)]
pub struct Inputs(pub SyncSender<Input>);

impl Replica for Inputs {
    async fn ask(&self, ask: Ask) -> Answer {
        let (reply, answer) = oneshot::channel();
        match self.0.try_send(Input::Request(ask, reply)) {
            Ok(()) => answer.await.unwrap_or(Answer::Unknown("the node forgot the request")),
            Err(_) => Answer::Refused("the node is too busy"),
        }
    }
}

/// Identifier of a request: its node, the start of that node, and a number.
type Ticket = (u64, u64, u64);

/// Node of a cluster.
pub struct Node {
    raft: RawNode<MemStorage>,
    disk: Disk,
    peers: Peers,
    registers: Registers,
    applied: u64,
    /// Time of this start, which tells it from others.
    start: u64,
    last_number: u64,
    /// Term and leader in which requests were last proposed.
    led_by: (u64, u64),
    /// Requests that are in the log, or on their way there.
    proposed: HashMap<u64, Reply>,
    /// Reads whose index is not known yet.
    asked: HashMap<u64, (String, Reply)>,
    /// Reads that wait until an index is applied.
    indexed: Vec<(u64, String, Reply)>,
}

impl Node {
    pub fn new(raft: RawNode<MemStorage>, disk: Disk, peers: Peers) -> anyhow::Result<Self> {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Self {
            raft,
            disk,
            peers,
            registers: Registers::default(),
            applied: 0,
            start: u64::try_from(since_epoch.as_nanos())?,
            last_number: 0,
            led_by: (0, raft::INVALID_ID),
            proposed: HashMap::new(),
            asked: HashMap::new(),
            indexed: Vec::new(),
        })
    }

    /// Runs until nobody can send inputs any more.
    ///
    /// # Errors
    /// Fails if the disk does.
    pub fn run(mut self, inputs: &Receiver<Input>, mut ticks: Ticks) -> anyhow::Result<()> {
        let mut ticked = 0;
        loop {
            let first = match inputs.recv_timeout(ticks.wait()) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // Time goes first: a node that slept must not answer by what it believed before.
            for _ in 0..ticks.due() {
                self.raft.tick();
                ticked += 1;
                if ticked % FORGET_AFTER == 0 {
                    self.forget();
                }
            }
            for input in first.into_iter().chain(inputs.try_iter().take(BATCH)) {
                self.take(input)?;
            }
            while self.raft.has_ready() {
                self.carry_out()?;
            }
            self.answer_reads();
            self.give_up_on_former_leader();
        }
    }

    fn take(&mut self, input: Input) -> anyhow::Result<()> {
        match input {
            // What the library refuses, such as a message of a stranger, is dropped.
            Input::Message(message) => drop(self.raft.step(*message)),
            Input::Request(Ask::Status, reply) => answer(reply, Answer::Status(self.status())),
            Input::Request(Ask::Read(Read::Local, key), reply) => {
                answer(reply, Answer::Outcome(self.registers.read(&key)));
            }
            // The library passes requests on to the leader. If that is lost, clients are to know at once.
            Input::Request(_, reply) if !self.hears_leader() => answer(reply, Answer::Refused("no leader")),
            Input::Request(Ask::Read(Read::Log, key), reply) => self.propose(&Command::Read { key }, reply)?,
            Input::Request(Ask::Command(command), reply) => self.propose(&command, reply)?,
            Input::Request(Ask::Read(Read::Index, key), reply) => {
                let (number, ticket) = self.ticket()?;
                self.asked.insert(number, (key, reply));
                self.raft.read_index(ticket);
            }
        }
        Ok(())
    }

    fn hears_leader(&self) -> bool {
        let raft = &self.raft.raft;
        let silent_for = raft.election_elapsed / raft.heartbeat_timeout();
        raft.state == StateRole::Leader || (raft.leader_id != raft::INVALID_ID && silent_for < SILENT)
    }

    /// Puts a command into the log, here or at the leader.
    fn propose(&mut self, command: &Command, reply: Reply) -> anyhow::Result<()> {
        let (number, ticket) = self.ticket()?;
        match self.raft.propose(ticket, serde_json::to_vec(command)?) {
            Ok(()) => drop(self.proposed.insert(number, reply)),
            Err(_) => answer(reply, Answer::Refused("the proposal was dropped")),
        }
        Ok(())
    }

    fn ticket(&mut self) -> anyhow::Result<(u64, Vec<u8>)> {
        self.last_number += 1;
        let ticket: Ticket = (self.raft.raft.id, self.start, self.last_number);
        Ok((self.last_number, serde_json::to_vec(&ticket)?))
    }

    /// Returns the number of a request that was asked here, since the last start.
    fn number(&self, ticket: &[u8]) -> Option<u64> {
        let (id, start, number): Ticket = serde_json::from_slice(ticket).ok()?;
        ((id, start) == (self.raft.raft.id, self.start)).then_some(number)
    }

    /// Carries out what is ready: the steps of the library's documentation, "Processing the `Ready` State".
    fn carry_out(&mut self) -> anyhow::Result<()> {
        let mut ready = self.raft.ready();
        self.peers.send(ready.take_messages());
        self.apply(ready.take_committed_entries())?;
        let entries = ready.take_entries();
        self.disk.persist(&entries, ready.hs(), ready.must_sync()).context("writing the log")?;
        let mut memory = self.raft.store().wl();
        memory.append(&entries)?;
        if let Some(state) = ready.hs() {
            memory.set_hardstate(state.clone());
        }
        drop(memory);
        self.peers.send(ready.take_persisted_messages());
        for read in ready.take_read_states() {
            let asked = self.number(&read.request_ctx).and_then(|number| self.asked.remove(&number));
            self.indexed.extend(asked.map(|(key, reply)| (read.index, key, reply)));
        }
        let mut light = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            self.raft.store().wl().mut_hard_state().set_commit(commit);
        }
        self.peers.send(light.take_messages());
        self.apply(light.take_committed_entries())?;
        self.raft.advance_apply();
        Ok(())
    }

    fn apply(&mut self, entries: Vec<Entry>) -> anyhow::Result<()> {
        for entry in entries {
            self.applied = entry.index;
            // A new leader begins with an empty entry.
            if entry.data.is_empty() {
                continue;
            }
            let outcome = self.registers.apply(serde_json::from_slice(&entry.data)?);
            if let Some(reply) = self.number(&entry.context).and_then(|number| self.proposed.remove(&number)) {
                answer(reply, Answer::Outcome(outcome));
            }
        }
        Ok(())
    }

    /// Answers reads whose index is applied.
    fn answer_reads(&mut self) {
        let (now, later) = mem::take(&mut self.indexed).into_iter().partition(|(index, ..)| *index <= self.applied);
        self.indexed = later;
        for (_, key, reply) in now {
            answer(reply, Answer::Outcome(self.registers.read(&key)));
        }
    }

    /// Answers what was asked under another leader.
    fn give_up_on_former_leader(&mut self) {
        let led_by = (self.raft.raft.term, self.raft.raft.leader_id);
        if mem::replace(&mut self.led_by, led_by) == led_by {
            return;
        }
        for (_, reply) in self.proposed.drain() {
            answer(reply, Answer::Unknown("the leader changed"));
        }
        for (_, (_, reply)) in self.asked.drain() {
            answer(reply, Answer::Refused("the leader changed"));
        }
    }

    fn forget(&mut self) {
        self.proposed.retain(|_, reply| !reply.is_closed());
        self.asked.retain(|_, (_, reply)| !reply.is_closed());
        self.indexed.retain(|(_, _, reply)| !reply.is_closed());
    }

    fn status(&self) -> Status {
        let raft = &self.raft.raft;
        Status {
            id: raft.id,
            leader: raft.leader_id,
            role: match raft.state {
                StateRole::Leader => "leader",
                StateRole::Follower => "follower",
                StateRole::Candidate | StateRole::PreCandidate => "candidate",
            },
            term: raft.term,
        }
    }
}

/// Answers a client, unless it has given up.
fn answer(reply: Reply, answer: Answer) {
    drop(reply.send(answer));
}
