//! Parts of a run: until a leader leads, the load with its faults, healing, final reads, and the end.

use histories::Event;
use node::raft::{RuleCounts, Status};

use super::{
    super::{clients::Clients, faults::Faults, member::Member, record::Record},
    Finished, Happening, LOOK_NS, MS, PATIENCE_NS, Phase, SimulationError, World,
};
use crate::{check::judge_by, run::mix};

impl World<'_> {
    /// Looks whether the next part can begin.
    pub(super) fn look(&mut self) -> Result<(), SimulationError> {
        match self.phase {
            Phase::Boot if self.is_ready() => return self.begin_load(),
            Phase::Boot if self.now_ns > PATIENCE_NS => return Err(SimulationError::NoLeader),
            Phase::Load => {
                for id in self.faults.in_force() {
                    self.heal(id)?;
                }
                self.phase = Phase::Settling { until_ns: self.now_ns + PATIENCE_NS };
            }
            Phase::Settling { .. } if self.clients.are_done() && self.is_settled() => {
                let until_ns = self.now_ns + PATIENCE_NS;
                let members = self.member_ids().unwrap_or_default();
                for client in self.clients.begin_final_reads(&members, until_ns) {
                    self.plan_turn(client, self.now_ns);
                }
                self.phase = Phase::FinalReads;
            }
            Phase::Settling { until_ns } if self.now_ns > until_ns => {
                self.not_recovered = Some(self.states());
                self.phase = Phase::Over;
            }
            Phase::FinalReads if self.clients.are_done() => {
                self.not_recovered = self.clients.unread().map(|(key, node, all)| {
                    format!("{all} final reads failed, the first that of key k{key} on n{node}")
                });
                self.phase = Phase::Over;
            }
            Phase::Boot | Phase::Settling { .. } | Phase::FinalReads | Phase::Over => {}
        }
        self.queue.plan(self.now_ns + LOOK_NS, Happening::Look);
        Ok(())
    }

    fn begin_load(&mut self) -> Result<(), SimulationError> {
        self.phase = Phase::Load;
        self.origin_ns = self.now_ns;
        let end_ns = self.origin_ns + self.plan.time_limit_ms * MS;
        self.record = Record::new(self.origin_ns, self.keeps_all);
        if let Some(event) = judge_by(self.plan.workload()) {
            self.record.add(self.now_ns, event)?;
        }
        self.clients = Clients::new(self.plan, &mix(self.plan), self.origin_ns);
        for (client, ready_ns) in self.clients.first_times() {
            self.plan_turn(client, ready_ns);
        }
        let kept = |place: &usize| self.conditions.kept_faults.as_ref().is_none_or(|kept| kept.contains(place));
        let planned = self.plan.schedule.iter().cloned().enumerate();
        let schedule = planned.filter(|(place, _)| kept(place)).collect();
        let nodes = (self.plan.all_nodes(), self.plan.nodes);
        self.faults = Faults::new(schedule, nodes, self.origin_ns, end_ns);
        self.plan_fault(0);
        self.queue.plan(end_ns, Happening::Look);
        Ok(())
    }

    /// Records something that happened to a node by itself, once the history has begun.
    pub(super) fn record_if_begun(&mut self, event: Event<'static>) -> Result<(), SimulationError> {
        if self.phase != Phase::Boot {
            self.record.add(self.now_ns, event)?;
        }
        Ok(())
    }

    /// Returns the status of the node that leads and those of all members, as it knows them, if all nodes run.
    fn led(&self) -> Option<(Status, Vec<Status>)> {
        let statuses: Vec<Status> = self.members.iter().map(|member| member.host.status()).collect::<Option<_>>()?;
        let head = statuses[super::place_of(self.leaders().current?)].clone();
        let members = statuses.into_iter().filter(|status| head.membership.has_member(status.id)).collect();
        Some((head, members))
    }

    /// Returns true if all nodes run, and a majority of the members follows one leader.
    fn is_ready(&self) -> bool {
        let Some((head, members)) = self.led() else { return false };
        members.iter().filter(|status| status.leader == Some(head.id)).count() > members.len() / 2
    }

    /// Returns true if all nodes run, and all members follow the same leader in the same term, and have applied what it
    /// knows to be committed.
    fn is_settled(&self) -> bool {
        let Some((head, members)) = self.led() else { return false };
        let follows = |status: &Status| {
            status.leader == Some(head.id) && status.term == head.term && status.applied >= head.commit
        };
        members.iter().all(follows)
    }

    /// Describes the states of all nodes.
    fn states(&self) -> String {
        let state = |member: &Member| match member.host.status() {
            Some(status) => status.to_string(),
            None => "down".to_owned(),
        };
        self.members.iter().map(state).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn finish(mut self) -> Finished {
        for (node, member) in self.members.iter().enumerate() {
            self.invariants.look_at_state(node, &member.host, self.now_ns);
        }
        let work = self.members.iter().map(|member| member.host.counters());
        let (messages, fsyncs) = work.fold((0, 0), |sum, work| (sum.0 + work.0, sum.1 + work.1));
        let mut rules = RuleCounts::default();
        for member in &self.members {
            rules += member.host.rule_counts();
        }
        Finished {
            rules,
            recorded: self.record.finish(),
            logs: self.members.iter_mut().map(|member| member.host.take_log()).collect(),
            origin_ns: self.origin_ns,
            end_ns: self.now_ns,
            not_recovered: self.not_recovered,
            broken: self.invariants.broken().cloned(),
            messages,
            fsyncs,
        }
    }
}
