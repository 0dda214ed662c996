//! A cluster, its clients and its faults on virtual time: one loop over everything that happens, in order.

mod injection;
mod operator;
mod phases;
mod traffic;

use histories::PairingError;
use nemesis::{FaultId, MemberRequest, NodeId};
use node::{
    raft::RuleCounts,
    simulation::{AppliedEntry, DiskOptions, Outgoing, Parcel, SimulatedHost},
};
use workloads::{Message, Random};

use super::{
    clients::{ClientNumber, Clients, OPERATOR, Reply},
    faults::{Death, Faults, PlacedFault, disk_failure},
    invariants::{BrokenRule, Invariants},
    member::Member,
    network::{Network, REDIAL_NS},
    queue::Queue,
    record::{Record, Recorded},
};
use crate::{
    run::{
        mix,
        plan::{Plan, Simulation},
    },
    systems::schism::node_config,
};

const MS: u64 = 1_000_000;
/// Time within which a cluster must have a leader, or settle after all faults are healed, or answer the final reads.
const PATIENCE_NS: u64 = 10_000 * MS;
/// Interval at which the cluster is looked at meanwhile.
const LOOK_NS: u64 = 10 * MS;
/// Time after which a node is started again that ended by itself.
const RESTART_NS: u64 = 500 * MS;
/// Longest time that a node runs on which is to die at its next sync.
const LAST_WORDS_NS: u64 = 20 * MS;
/// Number of syncs from which the last one of a node is drawn.
const LAST_SYNCS: u32 = 4;
/// Maximum number of events of a run, so that each one ends.
const MAX_EVENTS: u32 = 2_000_000_000;

/// Reason why a run could not be carried out to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulationError {
    /// A node ended in a way that no fault of the run explains.
    #[error("{0} cannot go on")]
    Node(NodeId, #[source] node::Error),
    /// No simulated host can have a fault of the plan.
    #[error("no simulated host can have a fault of the plan: {0}")]
    Impossible(String),
    /// The simulation broke a rule of histories.
    #[error("the simulation recorded what no history can have: {0}")]
    History(#[from] PairingError),
    /// The cluster did not become ready.
    #[error("no leader within {} s", PATIENCE_NS / 1000 / MS)]
    NoLeader,
    /// The run did not end.
    #[error("more than {MAX_EVENTS} events")]
    TooLong,
}

/// Outcome of a simulated run.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) recorded: Recorded,
    /// Logs of the nodes, as lines of JSON.
    pub(super) logs: Vec<Vec<u8>>,
    /// Virtual time at which the load began, and at which the run ended.
    pub(super) origin_ns: u64,
    pub(super) end_ns: u64,
    /// Reason why the cluster did not recover after healing, if it did not.
    pub(super) not_recovered: Option<String>,
    /// First rule of Raft that the nodes broke.
    pub(super) broken: Option<BrokenRule>,
    pub(super) rules: RuleCounts,
    pub(super) messages: u64,
    pub(super) fsyncs: u64,
}

/// Something that happens at a time.
#[derive(Debug)]
enum Happening {
    /// A frame arrives at a node, in the life of its process in which its link was made.
    Arrival {
        from: usize,
        to: usize,
        life: u32,
        parcel: Parcel,
    },
    /// A client is ready for an operation, or begins it.
    Turn(usize),
    /// A request arrives at a node.
    Request {
        number: u64,
        node: usize,
        life: u32,
        message: Box<Message>,
    },
    /// A client learns how its request ended.
    Reply {
        number: u64,
        reply: Reply,
    },
    /// A fault of the schedule is due, or ends.
    Fault(usize),
    Heal(FaultId),
    /// A fault lets a node sleep, or run for a while.
    Starve {
        id: FaultId,
        node: usize,
        sleeps: bool,
    },
    /// A node's process dies, if it is still in this life.
    Death {
        node: usize,
        life: u32,
        death: Death,
    },
    /// A node's process starts.
    Start(usize),
    /// Links may have broken, or work again.
    Links,
    /// Somebody looks whether the cluster is ready for what comes next.
    Look,
}

/// Part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Boot,
    Load,
    Settling { until_ns: u64 },
    FinalReads,
    Over,
}

/// Request for a change of the members that is under way.
#[derive(Clone, Copy, Debug)]
struct Asking {
    fault: PlacedFault,
    request: MemberRequest,
    /// Number of the request that is under way, and the place of the node that has it.
    number: u64,
    node: usize,
}

/// State of a run.
#[derive(Debug)]
pub(super) struct World<'a> {
    plan: &'a Plan,
    queue: Queue<Happening>,
    /// Earliest time at which a node may have something to do, and its place.
    next_wake: (u64, usize),
    now_ns: u64,
    phase: Phase,
    conditions: &'a Simulation,
    members: Vec<Member>,
    invariants: Invariants,
    network: Network,
    clients: Clients,
    faults: Faults,
    /// Change of the members that is being asked for, and the number of requests for one so far.
    asking: Option<Asking>,
    asked: u64,
    record: Record,
    random: Random,
    origin_ns: u64,
    keeps_all: bool,
    not_recovered: Option<String>,
    /// Scratch space for what leaves a node in one step.
    outgoing: Vec<(u64, Outgoing)>,
    /// Scratch space for what a node applies in one step.
    applied: Vec<AppliedEntry>,
}

/// Carries out a plan; keeps the lines of its history and logs if `keeps_all`.
///
/// # Errors
/// Fails if a node ends by itself without a reason, or no leader is ever elected.
pub(super) fn run(plan: &Plan, conditions: &Simulation, keeps_all: bool) -> Result<Finished, SimulationError> {
    if let Some(planned) = plan.schedule.iter().find(|planned| planned.when.is_some()) {
        return Err(SimulationError::Impossible(format!("{} that waits for an event", planned.fault)));
    }
    let mut world = World::new(plan, conditions, keeps_all)?;
    for _ in 0..MAX_EVENTS {
        if world.phase == Phase::Over || !world.go_on()? {
            return Ok(world.finish());
        }
    }
    Err(SimulationError::TooLong)
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, conditions: &'a Simulation, keeps_all: bool) -> Result<Self, SimulationError> {
        let nodes = usize::from(plan.all_nodes());
        let mut random = Random::new(plan.seed, "simulated hosts");
        let sync_ns = u64::from(conditions.sync_us.max(1)) * 1000;
        let disk = DiskOptions { sync_ns: (sync_ns / 5, sync_ns), failures_per_million: conditions.disk_errors_ppm };
        let drift = |random: &mut Random| {
            let ppm = i64::from(random.below(2 * conditions.drift_ppm + 1)) - i64::from(conditions.drift_ppm);
            1.0 + f64::from(i32::try_from(ppm).expect("it is below a million")) / 1e6
        };
        let members = (1..=plan.all_nodes()).map(|id| Member {
            host: SimulatedHost::new(node_config(id, plan.nodes, &plan.settings, plan.seed), disk, random.bits()),
            life: 0,
            is_paused: false,
            is_asleep: false,
            rate: drift(&mut random),
            wake_ns: u64::MAX,
        });
        let members = members.collect();
        let mut world = Self {
            plan,
            queue: Queue::default(),
            next_wake: (u64::MAX, 0),
            now_ns: 0,
            phase: Phase::Boot,
            conditions,
            members,
            invariants: Invariants::new(nodes, plan.nodes),
            network: Network::new(nodes, plan.seed, conditions),
            clients: Clients::new(plan, &mix(plan), 0),
            faults: Faults::new(Vec::new(), (0, 0), 0, 0),
            asking: None,
            asked: 0,
            record: Record::new(0, keeps_all),
            random,
            origin_ns: 0,
            keeps_all,
            not_recovered: None,
            outgoing: Vec::new(),
            applied: Vec::new(),
        };
        for node in 0..nodes {
            let rate = world.members[node].rate;
            world.members[node].host.skew_clock(0, rate, 0);
            world.start(node)?;
        }
        world.queue.plan(LOOK_NS, Happening::Look);
        Ok(world)
    }

    /// Lets the next thing happen; of what happens at the same time, wakes of nodes come last. Returns false if there
    /// is nothing.
    fn go_on(&mut self) -> Result<bool, SimulationError> {
        let (wake_ns, node) = self.next_wake;
        if let Some((at_ns, happening)) = self.queue.next_until(wake_ns) {
            self.now_ns = at_ns;
            self.handle(happening)?;
        } else if wake_ns < u64::MAX {
            self.now_ns = wake_ns;
            self.wake(node)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn handle(&mut self, happening: Happening) -> Result<(), SimulationError> {
        match happening {
            Happening::Arrival { from, to, life, parcel } => {
                if self.members[to].life == life {
                    self.members[to].host.deliver(raft_id(from), parcel);
                    self.act(to)?;
                }
            }
            Happening::Turn(client) => self.turn(client)?,
            Happening::Request { number, node, life, message } => self.request(number, node, life, &message)?,
            Happening::Reply { number, reply } if ClientNumber::of(number) == OPERATOR => {
                self.on_change_reply(number, reply)?;
            }
            Happening::Reply { number, reply } => {
                if let Some(ready_ns) = self.clients.end(number, reply, self.now_ns, &mut self.record)? {
                    self.plan_turn(ClientNumber::of(number).0, ready_ns);
                }
            }
            Happening::Fault(place) => self.fault(place)?,
            Happening::Heal(id) => self.heal(id)?,
            Happening::Starve { id, node, sleeps } => self.starve(id, node, sleeps),
            Happening::Death { node, life, death } => {
                if self.members[node].life == life && self.members[node].host.is_up() {
                    let seed = self.random.bits();
                    self.members[node].host.lose_power(death.loss(seed));
                    self.note_death(node)?;
                }
            }
            // One that a fault holds down is started when that is healed.
            Happening::Start(node) if self.faults.holds_down(id_of(node)) => {
                self.queue.plan(self.now_ns + RESTART_NS, Happening::Start(node));
            }
            Happening::Start(node) => self.start(node)?,
            Happening::Links => self.update_links(),
            Happening::Look => self.look()?,
        }
        Ok(())
    }

    /// Starts the process of a node; again later, if its disk fails meanwhile.
    fn start(&mut self, node: usize) -> Result<(), SimulationError> {
        let nonces = [self.random.bits(), self.random.bits()];
        let member = &mut self.members[node];
        if member.host.is_up() {
            return Ok(());
        }
        member.life += 1;
        match member.host.start(self.now_ns, nonces) {
            Ok(()) => {
                self.invariants.look_at_restart(node, &self.members[node].host, self.now_ns);
                self.plan_wake(node, self.members[node].host.free_at_ns());
                let delay_ns = self.network.delay_ns(REDIAL_NS / 3);
                self.queue.plan(self.now_ns + delay_ns, Happening::Links);
            }
            Err(node::Error::Storage { source: node::StorageError::Io { .. }, .. }) => {
                self.queue.plan(self.now_ns + RESTART_NS, Happening::Start(node));
            }
            Err(error) => return Err(SimulationError::Node(id_of(node), error)),
        }
        Ok(())
    }

    fn plan_wake(&mut self, node: usize, at_ns: u64) {
        let wake_ns = &mut self.members[node].wake_ns;
        *wake_ns = at_ns.max(self.now_ns).min(*wake_ns);
        self.next_wake = self.next_wake.min((*wake_ns, node));
    }

    /// Wakes a node that may have something to do.
    fn wake(&mut self, node: usize) -> Result<(), SimulationError> {
        self.members[node].wake_ns = u64::MAX;
        let wakes = self.members.iter().zip(0..).map(|(member, node)| (member.wake_ns, node));
        self.next_wake = wakes.min().expect("a cluster has nodes");
        let member = &mut self.members[node];
        let Some(due_ns) = member.host.wakes_at_ns() else { return Ok(()) };
        if due_ns > self.now_ns && !member.host.has_inputs() {
            self.plan_wake(node, due_ns);
            return Ok(());
        }
        self.act(node)
    }

    /// Lets a node take its inputs and the time, unless it cannot now.
    fn act(&mut self, node: usize) -> Result<(), SimulationError> {
        let member = &mut self.members[node];
        if member.is_paused || member.is_asleep || !member.host.is_up() {
            return Ok(());
        }
        let free_ns = member.host.free_at_ns();
        if free_ns > self.now_ns {
            self.plan_wake(node, free_ns);
            return Ok(());
        }
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let stepped = member.host.step(self.now_ns, &mut outgoing, &mut self.applied);
        for (at_ns, leaving) in outgoing.drain(..) {
            self.route(node, at_ns, leaving);
        }
        self.outgoing = outgoing;
        self.invariants.look(node, &self.applied, &self.members, self.now_ns);
        self.applied.clear();
        match stepped {
            Ok(()) => {
                let host = &mut self.members[node].host;
                let next_ns = host.wakes_at_ns().map_or(u64::MAX, |due_ns| due_ns.max(host.free_at_ns()));
                self.plan_wake(node, next_ns);
                Ok(())
            }
            Err(node::Error::Storage { source, .. }) => {
                if !self.note_death(node)? {
                    let event = disk_failure(id_of(node), &source.to_string());
                    self.record_if_begun(event)?;
                    self.queue.plan(self.now_ns + RESTART_NS, Happening::Start(node));
                }
                Ok(())
            }
            Err(error) => Err(SimulationError::Node(id_of(node), error)),
        }
    }
}

/// Returns the id of the node at a place.
fn id_of(node: usize) -> NodeId {
    NodeId(u16::try_from(node + 1).expect("a cluster has few nodes"))
}

/// Returns the same id as the nodes know it.
fn raft_id(node: usize) -> node::raft::NodeId {
    node::raft::NodeId(node as u64 + 1)
}

/// Returns the place of the node with an id.
fn place_of(id: NodeId) -> usize {
    usize::from(id.0) - 1
}
