//! Faults as they hit the nodes, and their end.

use nemesis::{FaultId, Leaders, ResolvedFault, SkewWay};
use node::{raft::Role, simulation::Hindrance};

use super::{
    super::{
        faults::{Death, DiskEffect, Step},
        member::Member,
        network::{Network, REDIAL_NS, STALL_NS},
    },
    Happening, LAST_SYNCS, LAST_WORDS_NS, MS, SimulationError, World, id_of, place_of, raft_id,
};

impl World<'_> {
    /// Begins the fault at a place of the schedule, and plans the next.
    pub(super) fn fault(&mut self, place: usize) -> Result<(), SimulationError> {
        let leaders = self.leaders();
        if self.faults.changes_members()
            && let Some(members) = self.member_ids()
        {
            self.faults.set_members(members);
        }
        match self.faults.begin(place, self.now_ns, leaders, &mut self.record)? {
            Step::LookAgain(at_ns) => {
                self.queue.plan(at_ns, Happening::Fault(place));
                return Ok(());
            }
            Step::Ask(fault, request) => {
                self.ask_for_change(fault, request);
                return Ok(());
            }
            Step::Skip => {}
            Step::Begin(id, fault, until_ns) => {
                self.install(id, &fault)?;
                self.queue.plan(until_ns, Happening::Heal(id));
            }
        }
        self.plan_fault(place + 1);
        Ok(())
    }

    /// Plans the fault at a place of the schedule, if there is one.
    pub(super) fn plan_fault(&mut self, place: usize) {
        if let Some(due_ns) = self.faults.due_ns(place) {
            self.queue.plan(due_ns.max(self.now_ns), Happening::Fault(place));
        }
    }

    fn install(&mut self, id: FaultId, fault: &ResolvedFault) -> Result<(), SimulationError> {
        match fault {
            ResolvedFault::Kill { nodes } => {
                for node in nodes {
                    self.kill(place_of(*node), Death::Kill)?;
                }
            }
            ResolvedFault::Disk { nodes, fault: disk } => {
                for node in nodes {
                    match DiskEffect::of(*disk) {
                        Some(DiskEffect::Dies(death)) => self.kill(place_of(*node), death)?,
                        Some(DiskEffect::Hinders(how)) => self.members[place_of(*node)].host.hinder_disk(how),
                        None => return Err(SimulationError::Impossible(fault.to_string())),
                    }
                }
            }
            ResolvedFault::Restart { nodes } => {
                for node in nodes {
                    self.members[place_of(*node)].host.stop();
                    self.note_death(place_of(*node))?;
                }
            }
            ResolvedFault::Pause { nodes } => {
                for node in nodes {
                    self.members[place_of(*node)].is_paused = true;
                }
            }
            ResolvedFault::Packets { links, fault: packets, .. } if Network::bears(*packets) => {
                self.network.disturb(id, *packets, links.clone());
            }
            ResolvedFault::Members { .. } | ResolvedFault::Packets { .. } | ResolvedFault::Limit { .. } => {
                return Err(SimulationError::Impossible(fault.to_string()));
            }
            ResolvedFault::Starve { nodes, .. } => {
                for node in nodes.iter().map(|node| place_of(*node)) {
                    self.starve(id, node, true);
                }
            }
            ResolvedFault::Partition { grudge, .. } => {
                self.network.divide(self.now_ns, grudge);
                self.queue.plan(self.now_ns + STALL_NS, Happening::Links);
            }
            ResolvedFault::Clock { skew, .. } if skew.way(true) == SkewWay::Vdso => {
                return Err(SimulationError::Impossible(fault.to_string()));
            }
            ResolvedFault::Clock { nodes, skew } => {
                for node in nodes {
                    self.skew(place_of(*node), skew.rate, skew.jump_ns);
                }
            }
        }
        Ok(())
    }

    /// Lets a node sleep or run, as long as the fault is in force, and plans the next turn.
    pub(super) fn starve(&mut self, id: FaultId, node: usize, sleeps: bool) {
        let Some((cpu_percent, period_ms)) = self.faults.starvation(id) else { return };
        self.members[node].is_asleep = sleeps;
        self.plan_wake(node, self.now_ns);
        let percent = if sleeps { 100 - u64::from(cpu_percent) } else { cpu_percent.into() };
        let lasts_ns = (period_ms * MS * percent / 100).max(1);
        self.queue.plan(self.now_ns + lasts_ns, Happening::Starve { id, node, sleeps: !sleeps });
    }

    /// Lets a node die and lose what it has not synced: at once, or in the midst of one of its next syncs.
    fn kill(&mut self, node: usize, death: Death) -> Result<(), SimulationError> {
        let (seed, after) = (self.random.bits(), self.random.below(2 * LAST_SYNCS));
        let member = &mut self.members[node];
        if !member.host.is_up() {
            return self.note_death(node).map(drop);
        }
        let mut last_words_ns = 0;
        if after < LAST_SYNCS {
            member.host.lose_power_at_sync(after as usize, death.loss(seed));
            last_words_ns = LAST_WORDS_NS;
        }
        // It dies once it is not busy and has had the time for its last words.
        let Member { host, life, .. } = &self.members[node];
        let at_ns = host.free_at_ns().max(self.now_ns) + last_words_ns;
        self.queue.plan(at_ns, Happening::Death { node, life: *life, death });
        Ok(())
    }

    /// Takes note of a node whose process has ended; returns true if a kill is to blame.
    pub(super) fn note_death(&mut self, node: usize) -> Result<bool, SimulationError> {
        let open: Vec<u64> = self.clients.open_at(id_of(node).0).chain(self.asked_at(node)).collect();
        for number in open {
            let at_ns = self.now_ns + self.network.latency_ns();
            self.queue.plan(at_ns, Happening::Reply { number, reply: super::Reply::Reset });
        }
        self.queue.plan(self.now_ns + MS, Happening::Links);
        Ok(self.faults.note_death(id_of(node), self.now_ns, &mut self.record)?)
    }

    /// Changes the clock of a node, which drifts besides.
    fn skew(&mut self, node: usize, rate: f64, jump_ns: i64) {
        let member = &mut self.members[node];
        member.host.skew_clock(self.now_ns, rate * member.rate, jump_ns);
        self.plan_wake(node, self.now_ns);
    }

    /// Heals a fault, if it is still in force.
    pub(super) fn heal(&mut self, id: FaultId) -> Result<(), SimulationError> {
        let counts = self.network.calm(id);
        match self.faults.end(id, self.now_ns, counts, &mut self.record)? {
            Some(ResolvedFault::Disk { nodes, fault })
                if matches!(DiskEffect::of(fault), Some(DiskEffect::Hinders(_))) =>
            {
                for node in nodes {
                    self.members[place_of(node)].host.hinder_disk(Hindrance::None);
                }
            }
            Some(fault @ (ResolvedFault::Kill { .. } | ResolvedFault::Disk { .. })) => {
                let effect = if let ResolvedFault::Disk { fault, .. } = fault { DiskEffect::of(fault) } else { None };
                let death = if let Some(DiskEffect::Dies(death)) = effect { death } else { Death::Kill };
                for node in fault.nodes().map(place_of) {
                    // One that has outlived the kill so far is killed now.
                    let life = self.members[node].life;
                    self.handle(Happening::Death { node, life, death })?;
                    self.start(node)?;
                }
            }
            Some(ResolvedFault::Restart { nodes }) => {
                for node in nodes {
                    self.start(place_of(node))?;
                }
            }
            // Members change by another change, packets are calm already, and limits are never installed.
            None
            | Some(ResolvedFault::Members { .. } | ResolvedFault::Packets { .. } | ResolvedFault::Limit { .. }) => {}
            Some(ResolvedFault::Starve { nodes, .. }) => {
                for node in nodes {
                    self.members[place_of(node)].is_asleep = false;
                    self.plan_wake(place_of(node), self.now_ns);
                }
            }
            Some(ResolvedFault::Pause { nodes }) => {
                for node in nodes {
                    self.members[place_of(node)].is_paused = false;
                    self.plan_wake(place_of(node), self.now_ns);
                }
            }
            Some(ResolvedFault::Partition { .. }) => {
                self.network.mend();
                let delay_ns = self.network.delay_ns(REDIAL_NS);
                self.queue.plan(self.now_ns + delay_ns, Happening::Links);
            }
            Some(ResolvedFault::Clock { nodes, .. }) => {
                for node in nodes {
                    self.skew(place_of(node), 1.0, 0);
                }
            }
        }
        Ok(())
    }

    /// Tells the nodes which of their links are broken.
    pub(super) fn update_links(&mut self) {
        let nodes = 0..self.members.len();
        for from in nodes.clone() {
            let is_broken = |to: &usize| {
                *to != from && (!self.members[*to].host.is_up() || self.network.is_broken(from, *to, self.now_ns))
            };
            let broken: Vec<_> = nodes.clone().filter(is_broken).map(raft_id).collect();
            self.members[from].host.break_links(broken);
        }
    }

    /// Returns who leads, by what the nodes that run claim.
    pub(super) fn leaders(&self) -> Leaders {
        let running = self.members.iter().enumerate().filter(|(_, member)| !member.is_paused);
        let standings = running.filter_map(|(node, member)| Some((node, member.host.standing()?)));
        let leading = standings.filter(|(_, standing)| standing.role == Role::Leader);
        Leaders::of(leading.map(|(node, standing)| (id_of(node), standing.term.0)).collect())
    }
}
