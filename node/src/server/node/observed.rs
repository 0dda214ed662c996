//! Views of a node from outside: lines of its log, its trace, its status, its counters.

use std::sync::Arc;

use super::Node;
use crate::{
    defect::Defect,
    event::Event,
    raft::{Standing, Status, Time},
    request::{Counters, MembershipReport, ReadMode, Request, StatusReport},
    server::outlet::Outlet,
    storage::Medium,
};

impl<O: Outlet, M: Medium> Node<O, M> {
    /// Logs a change of role, term or leader.
    pub(super) fn notice_role(&mut self) {
        let before = std::mem::replace(&mut self.standing, self.raft.standing());
        let Standing { role, term, leader, commit } = self.standing;
        if commit > before.commit {
            self.trace.committed(commit);
        }
        let membership = self.raft.membership();
        if !Arc::ptr_eq(membership, &self.membership) {
            let members_before = std::mem::replace(&mut self.membership, Arc::clone(membership));
            if *members_before != *self.membership {
                self.notice_members();
            }
        }
        if (term, leader) != (before.term, before.leader) {
            self.end_forwarded();
        }
        if (role, term, leader) != (before.role, before.term, before.leader) {
            self.log.write(Event::RoleChanged { role, term, leader });
        }
    }

    /// Logs a change of the term or of the vote in it, which is on the disk by now, and was not sent yet.
    pub(super) fn notice_stored_term(&mut self) {
        let before = std::mem::replace(&mut self.vote, self.raft.vote());
        if self.vote != before {
            let (term, voted_for) = self.vote;
            self.log.write(Event::TermStored { term, voted_for });
        }
    }

    /// Logs another configuration, and makes links to its members.
    fn notice_members(&mut self) {
        let (voters, outgoing) = (self.membership.voters.clone(), self.membership.outgoing.clone());
        let learners = self.membership.learners.keys().copied().collect();
        self.log.write(Event::MembersChanged { voters, outgoing, learners });
        self.connect();
    }

    pub(super) fn report(&self, now: Time) -> StatusReport {
        let Status { role, term, leader, commit, first_index, last_index, lease_until, membership, .. } =
            self.raft.status();
        let lease_ms = |until: Time| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
        let (messages_sent, fsyncs) = self.work();
        StatusReport {
            id: self.id,
            role,
            term,
            leader,
            commit,
            applied: self.machine.applied(),
            first_index,
            last_index,
            members: membership.members(),
            membership: MembershipReport::new(&membership, self.raft.has_committed_membership()),
            elections: self.elections,
            defect: self.defect.map(Defect::name),
            read_modes: ReadMode::ALL.into_iter().map(|mode| (mode, mode.promise(self.elections))).collect(),
            lease_remaining_ms: lease_until.map(lease_ms),
            counters: Counters { messages_sent, fsyncs, ..self.counters.clone() },
            checkpoints: self.checkpoints.with_current(&self.machine, self.applied_term),
        }
    }

    pub(super) fn count(&mut self, request: &Request) {
        let reads = &mut self.counters.reads;
        let counter = match request {
            Request::Read { mode: ReadMode::Local, .. } => &mut reads.local,
            Request::Read { mode: ReadMode::Leader, .. } => &mut reads.leader,
            Request::Read { mode: ReadMode::Lease, .. } => &mut reads.lease,
            Request::Read { mode: ReadMode::Quorum, .. } => &mut reads.quorum,
            Request::Read { mode: ReadMode::Log, .. } => &mut reads.log,
            Request::Write(_) | Request::Change(_) | Request::Transfer(_) => &mut self.counters.proposals,
        };
        *counter += 1;
    }
}
