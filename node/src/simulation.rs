//! A node without threads, sockets and clocks of its own: it is given inputs at virtual times, and returns what leaves
//! it, each with its time. Its core, loop, storage and client API are those of the real one.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::Config,
    error::Error,
    event::{CapturedLog, Log},
    frame::Frame,
    host_clock::{HostClock, HostTime},
    http::DirectRequest,
    input::Input,
    raft::{NodeId, Status},
    request::Reply,
    server::{MAX_INPUTS, Node, Outlet, Surroundings},
    storage::{Owner, SimulatedMedium, StartMode},
};

pub use crate::storage::DiskOptions;

/// Time that a node is busy with a batch of inputs, and with each of them, besides the time of its disk.
const BATCH_NS: u64 = 10_000;
const INPUT_NS: u64 = 5_000;

/// Frame on its way between two nodes.
#[derive(Clone, Debug)]
pub struct Parcel(Frame);

impl Parcel {
    /// Returns true if it is a message of Raft, which bears to be delivered twice. A request that is forwarded does
    /// not: the link's protocol (TCP) delivers it once or never.
    pub fn bears_repetition(&self) -> bool {
        matches!(self.0, Frame::Raft { .. })
    }
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
    asked: BTreeMap<u64, DirectRequest>,
    outgoing: Vec<(u64, Outgoing)>,
    sent: u64,
}

impl Outlet for Outbox {
    type Client = u64;

    fn send(&mut self, to: NodeId, frame: Frame) -> bool {
        let is_whole = !self.broken.contains(&to);
        if is_whole {
            self.sent += 1;
            self.outgoing.push((self.clock.now().0, Outgoing::Frame(to, Parcel(frame))));
        }
        is_whole
    }

    fn sent(&self) -> u64 {
        self.sent
    }

    fn answer(&mut self, client: u64, reply: Reply) {
        if let Some(asked) = self.asked.remove(&client) {
            let (status, body) = asked.answer(reply);
            self.outgoing.push((self.clock.now().0, Outgoing::Answer(client, status, body)));
        }
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
    inbox: Vec<Input<u64>>,
    broken: Vec<NodeId>,
    log: CapturedLog,
    /// Work of the processes that have ended: messages sent, and syncs.
    work: (u64, u64),
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
            inbox: Vec::new(),
            broken: Vec::new(),
            log: CapturedLog::default(),
            work: (0, 0),
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
        let opened = self.disk.open(owner, start_mode);
        let (storage, stored) = opened.map_err(|source| Error::Storage { node: self.config.id, source })?;
        self.config.init = false;
        self.disk.fail(self.failures_per_million);
        let outlet = Outbox {
            clock: self.clock.clone(),
            broken: self.broken.clone(),
            asked: BTreeMap::new(),
            outgoing: Vec::new(),
            sent: 0,
        };
        let log = Log::to(self.config.id, self.log.clone()).by(self.clock.clone());
        let host = self.clock.clone();
        let surroundings = Surroundings { host, storage, stored, outlet, log, nonces };
        let mut node = Node::start(&self.config, surroundings)?;
        node.skew_clock(self.rate, 0);
        self.node = Some(node);
        Ok(())
    }

    /// Returns true if the node's process runs.
    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Ends the process and loses power: what was synced stays on the disk, and of the rest what `seed` selects.
    pub fn lose_power(&mut self, seed: u64) {
        self.end();
        self.disk.lose_power(seed);
    }

    /// Plans to lose power during the next sync but `after`; the step that syncs then fails.
    pub fn lose_power_at_sync(&mut self, after: usize, seed: u64) {
        self.disk.lose_power_after(after, seed);
    }

    fn end(&mut self) {
        self.work = self.counters();
        self.node = None;
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
    pub fn deliver(&mut self, from: NodeId, Parcel(frame): Parcel) {
        self.hand_in(Input::Peer(from, frame));
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
    pub fn has_inputs(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Lets the node take its inputs and the time, and appends what leaves it to `outgoing`, each with its time. The
    /// node is busy until [`Self::free_at_ns`].
    ///
    /// # Errors
    /// Returns an error if the disk failed or lost power; the process has ended. What left it before is appended too.
    pub fn step(&mut self, now_ns: u64, outgoing: &mut Vec<(u64, Outgoing)>) -> Result<(), Error> {
        let Some(node) = &mut self.node else { return Ok(()) };
        self.clock.reach(HostTime(now_ns));
        let busy_ns = BATCH_NS + INPUT_NS * self.inbox.len() as u64;
        let stepped = node.step(&mut self.inbox);
        outgoing.append(&mut node.outlet_mut().outgoing);
        self.clock.pass(Duration::from_nanos(busy_ns));
        if stepped.is_err() {
            self.end();
        }
        stepped.map(drop)
    }

    /// Returns the time until which the last step kept the node busy.
    pub fn free_at_ns(&self) -> u64 {
        self.clock.now().0
    }

    /// Returns the time of the next step if no input arrives and the clock is not changed; none if the node is down.
    pub fn wakes_at_ns(&mut self) -> Option<u64> {
        let now = self.clock.now();
        // A clock that is read again a nanosecond too early would have nothing to do.
        self.node.as_mut().map(|node| (now + node.wait()).0 + 1)
    }

    /// Returns the state of the node; none if it is down.
    pub fn status(&self) -> Option<&Status> {
        self.node.as_ref().map(Node::status)
    }

    /// Returns the node's counters: messages sent, and syncs of its disk after each start.
    pub fn counters(&self) -> (u64, u64) {
        let (messages, syncs) = self.node.as_ref().map_or((0, 0), Node::work);
        (self.work.0 + messages, self.work.1 + syncs)
    }

    /// Takes what the node has written to its log so far, as JSON lines.
    pub fn take_log(&mut self) -> Vec<u8> {
        self.log.take()
    }
}
