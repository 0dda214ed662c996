//! Faults of a simulated run: the same schedule, targets and events as those of real ones.

use std::collections::{BTreeMap, BTreeSet};

use histories::{Event, PairingError};
use nemesis::{FaultId, FaultKind, Ledger, NodeId, Outcome, PlannedFault, ResolvedFault};

use super::record::Record;
use crate::run::{attempt_event, heal_event, outcome_event};

/// Time for which a fault waits for a leader to aim at, and how often it looks.
const AIM_NS: u64 = 1_000_000_000;
const LOOK_NS: u64 = 10_000_000;
/// Minimum duration of a fault that comes late.
const SHORTEST_NS: u64 = 500_000_000;

/// Faults that are planned, and those in force.
#[derive(Debug)]
pub(super) struct Faults {
    schedule: Vec<PlannedFault>,
    nodes: Vec<NodeId>,
    ledger: Ledger,
    kinds: BTreeMap<FaultId, FaultKind>,
    origin_ns: u64,
    limit_ns: u64,
    /// Lateness of the last fault, by which all later ones are late.
    delay_ns: u64,
    /// Kills under way: their nodes that still run.
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
}

impl Faults {
    /// Prepares a schedule whose times count from `origin_ns`; no fault lasts beyond `limit_ns`.
    pub(super) fn new(schedule: Vec<PlannedFault>, nodes: u16, origin_ns: u64, limit_ns: u64) -> Self {
        Self {
            schedule,
            nodes: (1..=nodes).map(NodeId).collect(),
            ledger: Ledger::default(),
            kinds: BTreeMap::new(),
            origin_ns,
            limit_ns,
            delay_ns: 0,
            dying: BTreeMap::new(),
        }
    }

    /// Returns the time at which the fault at a place of the schedule is due.
    pub(super) fn due_ns(&self, place: usize) -> Option<u64> {
        let planned = self.schedule.get(place)?;
        Some(self.origin_ns + nanoseconds(planned.at) + self.delay_ns)
    }

    /// Aims the fault at a place of the schedule, and records that it begins.
    pub(super) fn begin(
        &mut self,
        place: usize,
        now_ns: u64,
        leader: Option<NodeId>,
        record: &mut Record,
    ) -> Result<Step, PairingError> {
        let planned = &self.schedule[place];
        let (due_ns, kind) = (self.origin_ns + nanoseconds(planned.at), planned.fault.kind());
        let looked_ns = now_ns - due_ns - self.delay_ns;
        if planned.fault.needs_leader() && leader.is_none() && looked_ns < AIM_NS {
            return Ok(Step::LookAgain(now_ns + LOOK_NS));
        }
        let delay_ns = now_ns - due_ns;
        if now_ns >= self.limit_ns || (delay_ns > 0 && now_ns + SHORTEST_NS > self.limit_ns) {
            return Ok(Step::Skip);
        }
        record.add(now_ns, attempt_event(kind, &planned.fault.to_string()))?;
        let fault = match self.ledger.aim(planned, &self.nodes, leader) {
            Ok(fault) => fault,
            Err(why) => {
                record.add(now_ns, outcome_event(kind, &Outcome::Skipped { why }))?;
                return Ok(Step::Skip);
            }
        };
        let until_ns = (now_ns + nanoseconds(planned.lasts)).min(self.limit_ns);
        let id = self.ledger.enter(fault.clone());
        self.kinds.insert(id, kind);
        self.delay_ns = delay_ns;
        match &fault {
            // It is in force once all of its nodes are down.
            ResolvedFault::Kill { nodes } => drop(self.dying.insert(id, nodes.clone())),
            _ => drop(record.add(now_ns, outcome_event(kind, &Outcome::Installed { id, fault: fault.clone() }))?),
        }
        Ok(Step::Begin(id, fault, until_ns))
    }

    /// Records that a node is down, if that completes a kill. Returns true if a kill is to blame.
    pub(super) fn note_death(&mut self, node: NodeId, now_ns: u64, record: &mut Record) -> Result<bool, PairingError> {
        let Some((&id, left)) = self.dying.iter_mut().find(|(_, left)| left.contains(&node)) else { return Ok(false) };
        left.remove(&node);
        if left.is_empty() {
            self.dying.remove(&id);
            if let Some(fault) = self.ledger.get(id).cloned() {
                record.add(now_ns, outcome_event(FaultKind::Kill, &Outcome::Installed { id, fault }))?;
            }
        }
        Ok(true)
    }

    /// Heals a fault, and returns what it was; none if it is not in force any more.
    pub(super) fn end(
        &mut self,
        id: FaultId,
        now_ns: u64,
        record: &mut Record,
    ) -> Result<Option<ResolvedFault>, PairingError> {
        let Some(fault) = self.ledger.get(id).cloned() else { return Ok(None) };
        self.ledger.strike(id);
        let kind = self.kinds.get(&id).copied();
        for healed in [false, true] {
            record.add(now_ns, heal_event(kind, id, healed, None))?;
        }
        Ok(Some(fault))
    }

    /// Returns true if a node is killed or paused.
    pub(super) fn holds_down(&self, node: NodeId) -> bool {
        self.ledger.down().contains(&node)
    }

    /// Returns the faults in force.
    pub(super) fn in_force(&self) -> Vec<FaultId> {
        self.ledger.ids()
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
