//! Faults of a simulated run: the same schedule, targets and events as those of real ones.

use std::collections::{BTreeMap, BTreeSet};

use histories::{Event, PairingError};
use nemesis::{
    Answer, DiskFault, FaultId, FaultKind, FaultSpec, FaultSpecs, Leaders, Ledger, LossMode, MemberRequest, NodeId,
    Outcome, PacketCounts, PlannedFault, ResolvedFault, SkewWay,
};

use node::simulation::{Hindrance, PowerLoss};

use super::{network::Network, record::Record};
use crate::run::{LeaderSearch, attempt_event, heal_event, outcome_event, waits_for_leader, with_nodes};

/// Time for which a fault waits for a leader to aim at, and how often it looks.
const AIM_NS: u64 = 1_000_000_000;
const LOOK_NS: u64 = 10_000_000;
/// Minimum duration of a fault that comes late.
const SHORTEST_NS: u64 = 500_000_000;

/// Faults that are planned, and those in force.
#[derive(Debug)]
pub(super) struct Faults {
    /// Planned faults in the order of their times, with their places in the plan.
    schedule: Vec<(usize, PlannedFault)>,
    /// Faults that were injected, by these places, with the nodes that they hit.
    hit: BTreeMap<usize, ResolvedFault>,
    search: LeaderSearch,
    nodes: Vec<NodeId>,
    /// Members of the cluster, as last known; the other nodes are spare ones.
    members: Vec<NodeId>,
    changes_members: bool,
    ledger: Ledger,
    /// Places in the plan of the faults that were injected, with their kinds.
    injected: BTreeMap<FaultId, (usize, FaultKind)>,
    origin_ns: u64,
    limit_ns: u64,
    /// Lateness of the last fault, by which all later ones are late.
    delay_ns: u64,
    /// Kills and power losses under way: their nodes that still run.
    dying: BTreeMap<FaultId, BTreeSet<NodeId>>,
}

/// Consequence of a look at the schedule.
#[derive(Debug)]
pub(super) enum Step {
    /// Look again at this time.
    LookAgain(u64),
    /// Nothing more is to come from this fault.
    Skip,
    /// The fault is to be carried out, and healed at the time.
    Begin(FaultId, ResolvedFault, u64),
    /// Somebody is to be asked for a change, whose answer is the outcome.
    Ask(PlacedFault, MemberRequest),
}

/// Fault of the schedule that is being injected.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedFault {
    /// Place in the order of times, and in the plan.
    pub(super) slot: usize,
    place: usize,
    kind: FaultKind,
    due_ns: u64,
    lasts_ns: u64,
}

impl Faults {
    /// Prepares planned faults, given with their places in the plan, whose times count from `origin_ns`; none lasts
    /// beyond `limit_ns`. Of `nodes` in all, the first `members` are members.
    pub(super) fn new(
        mut schedule: Vec<(usize, PlannedFault)>,
        (nodes, members): (u16, u16),
        origin_ns: u64,
        limit_ns: u64,
    ) -> Self {
        schedule.sort_by_key(|(_, planned)| planned.at);
        Self {
            changes_members: schedule.iter().any(|(_, planned)| planned.fault.kind().changes_members()),
            schedule,
            hit: BTreeMap::new(),
            search: LeaderSearch::default(),
            nodes: (1..=nodes).map(NodeId).collect(),
            members: (1..=members).map(NodeId).collect(),
            ledger: Ledger::default(),
            injected: BTreeMap::new(),
            origin_ns,
            limit_ns,
            delay_ns: 0,
            dying: BTreeMap::new(),
        }
    }

    /// Returns the time at which the fault at a place of the schedule is due.
    pub(super) fn due_ns(&self, place: usize) -> Option<u64> {
        let (_, planned) = self.schedule.get(place)?;
        Some(self.origin_ns + nanoseconds(planned.at) + self.delay_ns)
    }

    /// Returns true if the members change, so that whoever aims a fault must know them.
    pub(super) fn changes_members(&self) -> bool {
        self.changes_members
    }

    /// Takes note of the members.
    pub(super) fn set_members(&mut self, members: Vec<NodeId>) {
        self.members = members;
    }

    /// Aims the fault at a place of the schedule, and records that it begins.
    pub(super) fn begin(
        &mut self,
        slot: usize,
        now_ns: u64,
        seen: Leaders,
        record: &mut Record,
    ) -> Result<Step, PairingError> {
        let (place, planned) = &self.schedule[slot];
        let (place, planned) = (*place, with_nodes(planned, &self.hit));
        let (due_ns, kind) = (self.origin_ns + nanoseconds(planned.at), planned.fault.kind());
        let looked_ns = now_ns - due_ns - self.delay_ns;
        let waits = waits_for_leader(&planned);
        let leaders = if waits { self.search.remember(seen) } else { Leaders::default() };
        if waits && !leaders.suffice_for(&planned.fault) && looked_ns < AIM_NS {
            return Ok(Step::LookAgain(now_ns + LOOK_NS));
        }
        let delay_ns = now_ns - due_ns;
        if now_ns >= self.limit_ns || (delay_ns > 0 && now_ns + SHORTEST_NS > self.limit_ns) {
            return Ok(Step::Skip);
        }
        record.add(now_ns, attempt_event(kind, &planned.fault.to_string()))?;
        let is_member = |node: &NodeId| self.members.contains(node);
        let (members, spares): (Vec<_>, Vec<_>) = self.nodes.iter().copied().partition(is_member);
        let fault = match self.ledger.aim(&planned, (&members, &spares), leaders) {
            Ok(fault) => fault,
            Err(why) => {
                record.add(now_ns, outcome_event(kind, place, &Outcome::Skipped { why }))?;
                return Ok(Step::Skip);
            }
        };
        if let ResolvedFault::Members { request } = fault {
            let placed = PlacedFault { slot, place, kind, due_ns, lasts_ns: nanoseconds(planned.lasts) };
            return Ok(Step::Ask(placed, request));
        }
        let until_ns = (now_ns + nanoseconds(planned.lasts)).min(self.limit_ns);
        let id = self.ledger.enter(fault.clone());
        self.injected.insert(id, (place, kind));
        self.hit.insert(place, fault.clone());
        self.delay_ns = delay_ns;
        match &fault {
            // It is in force once all of its nodes are down.
            ResolvedFault::Kill { nodes } => {
                self.dying.insert(id, nodes.clone());
            }
            ResolvedFault::Disk { nodes, fault } if !matches!(DiskEffect::of(*fault), Some(DiskEffect::Hinders(_))) => {
                self.dying.insert(id, nodes.clone());
            }
            _ => {
                let outcome = Outcome::Installed { id, fault: fault.clone() };
                record.add(now_ns, outcome_event(kind, place, &outcome))?;
            }
        }
        Ok(Step::Begin(id, fault, until_ns))
    }

    /// Records the outcome of a change that was asked for; returns the time at which it ends in the history if it has
    /// begun.
    pub(super) fn end_change(
        &mut self,
        placed: PlacedFault,
        request: MemberRequest,
        answer: Answer,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<Option<(FaultId, u64)>, PairingError> {
        let PlacedFault { place, kind, due_ns, lasts_ns, .. } = placed;
        let fault = ResolvedFault::Members { request };
        let outcome = match answer {
            Answer::Refused(why) => Outcome::Skipped { why },
            Answer::Begun => Outcome::Installed { id: self.ledger.enter(fault.clone()), fault },
            Answer::Unknown(why) => Outcome::Indeterminate { id: self.ledger.enter(fault.clone()), fault, why },
        };
        record.add(now_ns, outcome_event(kind, place, &outcome))?;
        let Some(id) = outcome.id() else { return Ok(None) };
        self.injected.insert(id, (place, kind));
        self.hit.extend(outcome.fault().map(|fault| (place, fault.clone())));
        self.delay_ns = now_ns - due_ns;
        Ok(Some((id, (now_ns + lasts_ns).min(self.limit_ns))))
    }

    /// Records that a node is down, if that completes a kill. Returns true if a kill is to blame.
    pub(super) fn note_death(&mut self, node: NodeId, now_ns: u64, record: &mut Record) -> Result<bool, PairingError> {
        let Some((&id, left)) = self.dying.iter_mut().find(|(_, left)| left.contains(&node)) else { return Ok(false) };
        left.remove(&node);
        if left.is_empty() {
            self.dying.remove(&id);
            if let (Some(fault), Some((place, kind))) = (self.ledger.get(id).cloned(), self.injected.get(&id)) {
                record.add(now_ns, outcome_event(*kind, *place, &Outcome::Installed { id, fault }))?;
            }
        }
        Ok(true)
    }

    /// Heals a fault, and returns what it was; none if it is not in force any more. `counts` tells what became of the
    /// packets that it could hit.
    pub(super) fn end(
        &mut self,
        id: FaultId,
        now_ns: u64,
        counts: Option<PacketCounts>,
        record: &mut Record,
    ) -> Result<Option<ResolvedFault>, PairingError> {
        let Some(fault) = self.ledger.get(id).cloned() else { return Ok(None) };
        self.ledger.strike(id);
        let kind = self.injected.get(&id).map(|(_, kind)| *kind);
        for (healed, counts) in [(false, None), (true, counts)] {
            record.add(now_ns, heal_event(kind, id, healed, counts, None))?;
        }
        Ok(Some(fault))
    }

    /// Returns true if a node is killed or paused.
    pub(super) fn holds_down(&self, node: NodeId) -> bool {
        self.ledger.down().contains(&node)
    }

    /// Returns the share of the processor that a fault leaves, and its period in ms, if it starves and is in force.
    pub(super) fn starvation(&self, id: FaultId) -> Option<(u8, u64)> {
        match self.ledger.get(id) {
            Some(ResolvedFault::Starve { cpu_percent, period_ms, .. }) => Some((*cpu_percent, *period_ms)),
            _ => None,
        }
    }

    /// Returns the faults in force.
    pub(super) fn in_force(&self) -> Vec<FaultId> {
        self.ledger.ids()
    }
}

/// Returns the first of these faults that no simulated host can have.
pub(crate) fn impossible(faults: &FaultSpecs) -> Option<&FaultSpec> {
    faults.each().find(|spec| match spec {
        FaultSpec::Kill(_)
        | FaultSpec::Pause(_)
        | FaultSpec::Restart { .. }
        | FaultSpec::StopLong { .. }
        | FaultSpec::RollingRestart { .. }
        | FaultSpec::CrashLoop { .. }
        | FaultSpec::Partition(_)
        | FaultSpec::Flap { .. }
        | FaultSpec::Starve { .. }
        | FaultSpec::Members { .. } => false,
        FaultSpec::Clock { skew, .. } => skew.way(true) == SkewWay::Vdso,
        FaultSpec::Disk { fault, .. } => DiskEffect::of(*fault).is_none(),
        FaultSpec::Packets { fault, .. } => !Network::bears(*fault),
        FaultSpec::Limit { .. } => true,
    })
}

/// Effect of a fault of disks on a simulated one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskEffect {
    /// The node dies, and of what was not synced a part is forgotten.
    Dies(Death),
    Hinders(Hindrance),
}

/// Way in which a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// It is killed, and its host with it: any sectors that were not synced are forgotten.
    Kill,
    PowerLoss(LossMode),
}

impl Death {
    /// Returns what it leaves of what was not synced, by a seed.
    pub(super) fn loss(self, seed: u64) -> PowerLoss {
        match self {
            Self::Kill => PowerLoss::Sectors(seed),
            Self::PowerLoss(LossMode::Whole) => PowerLoss::Whole,
            Self::PowerLoss(LossMode::Part) => PowerLoss::Part(seed),
            Self::PowerLoss(LossMode::Torn) => PowerLoss::Torn(seed),
            Self::PowerLoss(LossMode::Reordered) => PowerLoss::Reordered(seed),
        }
    }
}

impl DiskEffect {
    /// Returns the effect of a fault; none if no simulated disk can have it.
    pub(super) fn of(fault: DiskFault) -> Option<Self> {
        match fault {
            DiskFault::PowerLoss { mode, .. } => Some(Self::Dies(Death::PowerLoss(mode))),
            DiskFault::Slow { delay_ms } => Some(Self::Hinders(Hindrance::Slow(u64::from(delay_ms) * 1_000_000))),
            DiskFault::Error => Some(Self::Hinders(Hindrance::Failing)),
            DiskFault::Full | DiskFault::ReadOnly | DiskFault::CrashAtFsync { .. } | DiskFault::Corrupt { .. } => None,
        }
    }
}

/// Returns the event of a node whose disk failed, so that it ended by itself.
pub(super) fn disk_failure(node: NodeId, why: &str) -> Event<'static> {
    let event = Event::new(histories::Process::nemesis(), histories::EventType::Info, "disk-error");
    Event { value: Some(node.to_string().as_str().into()), error: Some(why.to_owned().into()), ..event }
}

pub(super) fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
