//! A node without threads, sockets and clocks of its own: it is given inputs at virtual times, and returns what leaves
//! it, each with its time. Its core, loop, storage and client API are those of the real one.

mod parcel;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::{
    config::Config,
    defect::Defect,
    error::Error,
    event::{CapturedLog, Log},
    frame::Frame,
    host_clock::{HostClock, HostTime},
    http::DirectRequest,
    input::Input,
    raft::{Entry, LogIndex, Membership, NodeId, Payload, Raft, RuleCounts, Standing, Status, Term},
    request::Reply,
    server::{MAX_INPUTS, Node, Outlet, Surroundings},
    storage::{Owner, SimulatedMedium, StartMode},
};

pub use self::parcel::{Parcel, Promise};
pub use crate::storage::{DiskOptions, Hindrance, PowerLoss};

/// Time that a node is busy with a batch of inputs, and with each of them, besides the time of its disk.
const BATCH_NS: u64 = 10_000;
const INPUT_NS: u64 = 5_000;

/// Entry that a node has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedEntry {
    /// Place in the log.
    pub index: LogIndex,
    /// Term of the entry.
    pub term: Term,
    /// Checksum of its command; none if it has none.
    pub checksum: Option<u32>,
}

/// Something that leaves a node.
#[derive(Debug)]
pub enum Outgoing {
    /// Frame to a peer.
    Frame(NodeId, Parcel),
    /// Answer to the request with this number: the status and the body.
    Answer(u64, u16, Vec<u8>),
}

/// Way out of a simulated node: what leaves it is kept, each with the time at which it left.
#[derive(Debug)]
struct Outbox {
    clock: HostClock,
    /// Peers whose links are known to be broken.
    broken: Vec<NodeId>,
    /// Planted defect of the links.
    defect: Option<Defect>,
    asked: BTreeMap<u64, DirectRequest>,
    outgoing: Vec<(u64, Outgoing)>,
    /// Frames that have arrived, whose memory is used again.
    spare: Vec<Parcel>,
    applied: Vec<AppliedEntry>,
    sent: u64,
}

impl Outlet for Outbox {
    type Client = u64;

    fn send(&mut self, to: NodeId, frame: Frame) -> bool {
        let is_whole = !self.broken.contains(&to);
        if is_whole {
            self.sent += 1;
            let now_ns = self.clock.now().0;
            if self.defect == Some(Defect::LinkRepeatsFrames) {
                let again = Parcel::pack(frame.clone(), &mut self.spare);
                self.outgoing.push((now_ns, Outgoing::Frame(to, again)));
            }
            self.outgoing.push((now_ns, Outgoing::Frame(to, Parcel::pack(frame, &mut self.spare))));
        }
        is_whole
    }

    fn sent(&self) -> u64 {
        self.sent
    }

    /// Does nothing: frames find their way by the number of their node.
    fn connect(&mut self, _peer: NodeId, _address: SocketAddr) {}

    fn answer(&mut self, client: u64, reply: Reply) {
        if let Some(asked) = self.asked.remove(&client) {
            let (status, body) = asked.answer(reply);
            self.outgoing.push((self.clock.now().0, Outgoing::Answer(client, status, body)));
        }
    }

    fn applied(&mut self, Entry { index, term, payload }: &Entry) {
        let checksum = match payload {
            Payload::Noop => None,
            Payload::Command(bytes) => Some(crc32c::crc32c(bytes)),
            Payload::Membership(members) => {
                Some(crc32c::crc32c(&postcard::to_stdvec(members).expect("members are plain data")))
            }
        };
        self.applied.push(AppliedEntry { index: *index, term: *term, checksum });
    }
}

/// Host of a simulated node: its clock and its disk, which outlive the node's process, and that process. All times are
/// virtual, in nanoseconds.
#[derive(Debug)]
pub struct SimulatedHost {
    config: Config,
    clock: HostClock,
    disk: SimulatedMedium,
    failures_per_million: u32,
    /// Rate of the node's clock, which holds for its next start too.
    rate: f64,
    node: Option<Node<Outbox, SimulatedMedium>>,
    /// Core of the process that ended last, while none runs.
    ended: Option<Raft>,
    inbox: Vec<Input<u64>>,
    broken: Vec<NodeId>,
    log: CapturedLog,
    /// Work of the processes that have ended: messages sent, and syncs.
    work: (u64, u64),
    rules: RuleCounts,
}

impl SimulatedHost {
    /// Creates the host of a new node, which is not started yet. Paths and addresses of `config` are not used.
    pub fn new(config: Config, disk: DiskOptions, seed: u64) -> Self {
        let clock = HostClock::at_zero();
        let failures_per_million = disk.failures_per_million;
        // A node whose very first start fails has nothing to lose, and nothing to tell.
        let disk = SimulatedMedium::new(DiskOptions { failures_per_million: 0, ..disk }, clock.clone(), seed);
        Self {
            config: Config { init: true, ..config },
            clock,
            disk,
            failures_per_million,
            rate: 1.0,
            node: None,
            ended: None,
            inbox: Vec::new(),
            broken: Vec::new(),
            log: CapturedLog::default(),
            work: (0, 0),
            rules: RuleCounts::default(),
        }
    }

    /// Starts the node's process; `nonces` differ at each start.
    ///
    /// # Errors
    /// Returns an error if the disk fails, or holds what no node can go on from.
    pub fn start(&mut self, now_ns: u64, nonces: [u64; 2]) -> Result<(), Error> {
        self.clock.reach(HostTime(now_ns));
        let owner = Owner { id: self.config.id, members: self.config.members() };
        let start_mode = if self.config.init { StartMode::New } else { StartMode::Restart };
        let opened = self.disk.open(owner, start_mode, self.config.defect);
        let (storage, stored) = opened.map_err(|source| Error::Storage { node: self.config.id, source })?;
        self.config.init = false;
        self.disk.fail(self.failures_per_million);
        let outlet = Outbox {
            clock: self.clock.clone(),
            broken: self.broken.clone(),
            defect: self.config.defect,
            asked: BTreeMap::new(),
            outgoing: Vec::new(),
            spare: Vec::new(),
            applied: Vec::new(),
            sent: 0,
        };
        let log = Log::to(self.config.id, self.log.clone()).by(self.clock.clone());
        let host = self.clock.clone();
        let surroundings = Surroundings { host, storage, stored, outlet, log, nonces };
        let mut node = Node::start(&self.config, surroundings)?;
        node.skew_clock(self.rate, 0);
        self.node = Some(node);
        self.ended = None;
        Ok(())
    }

    /// Returns true if the node's process runs.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Ends the process as if it had been asked to: all that it has written stays.
    pub fn stop(&mut self) {
        if self.is_up() {
            self.end();
        }
    }

    /// Ends the process and loses power: what was synced stays on the disk, and of the rest what the loss leaves.
    pub fn lose_power(&mut self, loss: PowerLoss) {
        self.end();
        self.disk.lose_power(loss);
    }

    /// Plans to lose power during the next sync but `after`; the step that syncs then fails.
    pub fn lose_power_at_sync(&mut self, after: usize, loss: PowerLoss) {
        self.disk.lose_power_after(after, loss);
    }

    /// Hinders the disk from now on.
    pub fn hinder_disk(&self, hindrance: Hindrance) {
        self.disk.hinder(hindrance);
    }

    fn end(&mut self) {
        self.work = self.counters();
        self.rules = self.rule_counts();
        self.ended = self.node.take().map(Node::into_core);
        self.inbox.clear();
    }

    /// Makes the node's clock advance by `rate` seconds a second from now on, after a jump.
    pub fn skew_clock(&mut self, now_ns: u64, rate: f64, jump_ns: i64) {
        self.rate = rate;
        self.clock.reach(HostTime(now_ns));
        if let Some(node) = &mut self.node {
            node.skew_clock(rate, jump_ns);
        }
    }

    /// Sets the peers to which the links are known to be broken: what goes to them is refused instead of lost.
    pub fn break_links(&mut self, peers: Vec<NodeId>) {
        self.broken = peers;
        if let Some(node) = &mut self.node {
            node.outlet_mut().broken.clone_from(&self.broken);
        }
    }

    /// Hands in a frame, to be taken by the next step; it is lost if too many wait.
    #[inline]
    pub fn deliver(&mut self, from: NodeId, parcel: Parcel) {
        if let Some(node) = &mut self.node {
            let frame = parcel.unpack(&mut node.outlet_mut().spare);
            self.hand_in(Input::Peer(from, frame));
        }
    }

    /// Hands in a request of a client, to be taken by the next step: its number, method, target such as
    /// `/v1/kv/k?read=log`, and body. Returns the status and the body of an answer that needs no step.
    pub fn ask(&mut self, number: u64, method: &str, target: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let node = self.node.as_mut()?;
        match DirectRequest::read(method, target, body) {
            Ok((asked, request)) => {
                node.outlet_mut().asked.insert(number, asked);
                self.hand_in(Input::Client(request, number));
                None
            }
            Err(malformed) => Some(malformed),
        }
    }

    fn hand_in(&mut self, input: Input<u64>) {
        if self.node.is_some() && self.inbox.len() < MAX_INPUTS {
            self.inbox.push(input);
        }
    }

    /// Returns true if inputs wait for the next step.
    #[inline]
    pub fn has_inputs(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Lets the node take its inputs and the time, and appends what leaves it to `outgoing`, each with its time, and
    /// what it applies to `applied`. The node is busy until [`Self::free_at_ns`].
    ///
    /// # Errors
    /// Returns an error if the disk failed or lost power; the process has ended. What left it before is appended too.
    pub fn step(
        &mut self,
        now_ns: u64,
        outgoing: &mut Vec<(u64, Outgoing)>,
        applied: &mut Vec<AppliedEntry>,
    ) -> Result<(), Error> {
        let Some(node) = &mut self.node else { return Ok(()) };
        self.clock.reach(HostTime(now_ns));
        let busy_ns = BATCH_NS + INPUT_NS * self.inbox.len() as u64;
        let stepped = node.step(&mut self.inbox);
        outgoing.append(&mut node.outlet_mut().outgoing);
        applied.append(&mut node.outlet_mut().applied);
        self.clock.pass(Duration::from_nanos(busy_ns));
        if stepped.is_err() {
            self.end();
        }
        stepped.map(drop)
    }

    /// Returns the time until which the last step kept the node busy.
    #[inline]
    pub fn free_at_ns(&self) -> u64 {
        self.clock.now().0
    }

    /// Returns the time of the next step if no input arrives and the clock is not changed; none if the node is down.
    pub fn wakes_at_ns(&self) -> Option<u64> {
        // A clock that is read again a nanosecond too early would have nothing to do.
        self.node.as_ref().map(|node| node.wakes_at().0.saturating_add(1))
    }

    /// Returns the state of the node; none if it is down.
    pub fn status(&self) -> Option<Status> {
        self.node.as_ref().map(Node::status)
    }

    /// Returns the role, term and leader of the node; none if it is down.
    #[inline]
    pub fn standing(&self) -> Option<Standing> {
        self.node.as_ref().map(Node::standing)
    }

    /// Returns true if the node's log has the entry of `term` at `index`, or a snapshot in its place; of a node that is
    /// down, the log that it had in memory.
    pub fn holds(&self, index: LogIndex, term: Term) -> bool {
        self.core().is_some_and(|core| core.holds(index, term))
    }

    /// Returns the term of the entry at `index` in the same log; none if there is none, or a snapshot has replaced it.
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.core().and_then(|core| core.term_at(index))
    }

    /// Returns the last entry in the place of which the same log has a snapshot, and the term of its last entry.
    pub fn log_bounds(&self) -> Option<((LogIndex, Term), Term)> {
        self.core().map(Raft::bounds)
    }

    /// Returns the index and the term of the latest configuration in the same log, behind its snapshot.
    pub fn latest_configuration(&self) -> Option<(LogIndex, Term)> {
        let core = self.core()?;
        let index = core.latest_configuration()?;
        Some((index, core.term_at(index)?))
    }

    /// Returns the configurations in the same log, behind its snapshot, each with the index and the term of its entry.
    pub fn configurations(&self) -> impl Iterator<Item = (LogIndex, Term, &Membership)> {
        let placed = |core| move |(index, membership)| Some((index, Raft::term_at(core, index)?, membership));
        self.core().into_iter().flat_map(move |core| core.configurations().filter_map(placed(core)))
    }

    fn core(&self) -> Option<&Raft> {
        self.node.as_ref().map(Node::core).or(self.ended.as_ref())
    }

    /// Returns the last index that the node's state machine has applied, and a digest of its state; none if it is
    /// down.
    pub fn state(&self) -> Option<(LogIndex, u64)> {
        self.node.as_ref().map(Node::state).map(|(index, digest)| (index, digest.bits()))
    }

    /// Returns the node's counters: messages sent, and syncs of its disk after each start.
    pub fn counters(&self) -> (u64, u64) {
        let (messages, syncs) = self.node.as_ref().map_or((0, 0), Node::work);
        (self.work.0 + messages, self.work.1 + syncs)
    }

    /// Returns how often each rule of the core has decided something on this host.
    pub fn rule_counts(&self) -> RuleCounts {
        let mut all = self.rules;
        all += self.node.as_ref().map(Node::rule_counts).unwrap_or_default();
        all
    }

    /// Takes what the node has written to its log so far, as JSON lines.
    pub fn take_log(&mut self) -> Vec<u8> {
        self.log.take()
    }
}

#[cfg(test)]
mod tests;
