//! Requests of clients: answered here, handed to the core, or forwarded to the leader.

use super::Node;
use crate::{
    defect::Defect,
    frame::Frame,
    kv::{Command, CommandResult},
    raft::{Elections, LeaderReadMode, Role, Time},
    request::{Effect, Failure, ReadMode, Reason, Reply, Request},
    server::{
        outlet::Outlet,
        pending::{LeaderView, PendingRequest, Requester},
    },
    storage::Medium,
};

/// Maximum number of requests that may wait at a time; more are refused.
pub(super) const MAX_PENDING: usize = 4096;
/// Number of election timeouts for which a read that lost its leader waits for the next one: most elections succeed
/// within two.
pub(super) const LEADERLESS_TIMEOUTS: u32 = 3;

impl<O: Outlet, M: Medium> Node<O, M> {
    pub(super) fn request(&mut self, requester: Requester<O::Client>, request: Request, now: Time) {
        let waiting =
            PendingRequest::new(requester, &request, self.host.now() + self.request_timeout, self.leader_view());
        if self.pending.len() + self.leaderless.len() >= MAX_PENDING {
            return self.refuse(waiting, Reason::Overloaded);
        }
        if self.elections == Elections::Basic && matches!(request, Request::Read { mode: ReadMode::Lease, .. }) {
            return self.refuse(waiting, Reason::NoLeases);
        }
        self.begin(waiting, request, now);
    }

    pub(super) fn leader_view(&self) -> LeaderView {
        (self.standing.term, self.standing.leader)
    }

    /// Answers a local read, hands other requests to the core, or forwards them to the leader.
    fn begin(&mut self, waiting: PendingRequest<O::Client>, request: Request, now: Time) {
        let here = self.standing.role == Role::Leader
            || matches!(request, Request::Read { mode: ReadMode::Local | ReadMode::Quorum, .. });
        if !here {
            return self.forward(waiting, request);
        }
        self.count(&request);
        let id = self.fresh_id();
        match request {
            Request::Read { mode: ReadMode::Local, .. } => return self.answer_read(waiting),
            Request::Read { mode: ReadMode::Leader, .. } => self.raft.read(now, id, LeaderReadMode::Leader),
            Request::Read { mode: ReadMode::Lease, .. } => self.raft.read(now, id, LeaderReadMode::Lease),
            Request::Read { mode: ReadMode::Quorum, .. } => self.raft.read(now, id, LeaderReadMode::Quorum),
            Request::Read { mode: ReadMode::Log, .. } if self.defect == Some(Defect::LogReadSkipsLog) => {
                return self.answer_read(waiting);
            }
            Request::Read { query, mode: ReadMode::Log } => {
                self.raft.propose(now, id, Command { session: None, op: query.into_op() }.encode());
            }
            Request::Write(command) => self.raft.propose(now, id, command.encode()),
            Request::Change(change) => self.raft.change_members(now, id, change),
            Request::Transfer(to) => self.raft.transfer(now, id, to),
        }
        self.pending.add(id, waiting);
    }

    /// Forwards a request to the leader. A request is forwarded once for each leader and never by a peer, so that
    /// none circulates.
    fn forward(&mut self, waiting: PendingRequest<O::Client>, request: Request) {
        let leader = self.standing.leader.filter(|leader| *leader != self.id);
        let (Requester::Client(_), Some(leader)) = (&waiting.requester, leader) else {
            return self.refuse(waiting, Reason::NoLeader);
        };
        if self.defect == Some(Defect::ForwardsTwice) {
            let id = self.fresh_id();
            self.send_frame(leader, Frame::Forward { id, request: request.clone() });
        }
        let id = self.fresh_id();
        if self.send_frame(leader, Frame::Forward { id, request }) {
            self.pending.add_forwarded(id, waiting);
        } else {
            self.refuse(waiting, Reason::Unreachable(leader));
        }
    }

    pub(super) fn retry_or_refuse_by_id(&mut self, id: u64, reason: Reason) {
        if let Some(waiting) = self.pending.take(id) {
            self.retry_or_refuse(waiting, reason);
        }
    }

    /// Handles a request that did not happen for lack of a leader: if the leader has changed, a read waits for the
    /// next one.
    fn retry_or_refuse(&mut self, mut waiting: PendingRequest<O::Client>, reason: Reason) {
        if waiting.can_retry() && waiting.asked != self.leader_view() {
            let limit = self.host.now() + self.election_timeout * LEADERLESS_TIMEOUTS;
            waiting.deadline = waiting.deadline.min(limit);
            self.leaderless.push(waiting);
        } else {
            self.refuse(waiting, reason);
        }
    }

    /// Ends the requests forwarded to a leader that this node no longer follows. A read is asked again; whether a
    /// write reached a log, and will be committed, cannot be known here.
    pub(super) fn end_forwarded(&mut self) {
        for waiting in self.pending.take_forwarded() {
            if waiting.read.is_some() {
                self.retry_or_refuse(waiting, Reason::LeaderChanged);
            } else {
                let failure = waiting.unresolved(Reason::LeaderChanged);
                self.answer(waiting, Err(failure));
            }
        }
    }

    /// Asks the new leader for the reads that the old one did not answer.
    pub(super) fn retry_reads(&mut self, now: Time) {
        if self.standing.leader.is_none() {
            return;
        }
        for mut waiting in std::mem::take(&mut self.leaderless) {
            waiting.asked = self.leader_view();
            let (query, mode) = waiting.read.clone().expect("only reads are asked again");
            self.begin(waiting, Request::Read { query, mode }, now);
        }
    }

    /// Answers a read from the current state.
    pub(super) fn answer_read(&mut self, mut waiting: PendingRequest<O::Client>) {
        let (query, _) = waiting.read.take().expect("only reads get here");
        let answer = self.machine.answer(&query);
        self.answer(waiting, Ok(answer));
    }

    /// Answers that a request did not and will not happen.
    pub(super) fn refuse(&mut self, waiting: PendingRequest<O::Client>, reason: Reason) {
        self.answer(waiting, Err(Failure { reason, effect: Effect::No }));
    }

    pub(super) fn answer(&mut self, waiting: PendingRequest<O::Client>, result: Result<CommandResult, Failure>) {
        let reply = Reply { node: self.id, role: self.standing.role, term: self.standing.term, result };
        self.deliver(waiting.requester, reply);
    }

    pub(super) fn deliver(&mut self, requester: Requester<O::Client>, reply: Reply) {
        match requester {
            Requester::Client(client) => self.outlet.answer(client, reply),
            // The peer may be gone.
            Requester::Peer(peer, id) => drop(self.send_frame(peer, Frame::ForwardResponse { id, reply })),
        }
    }
}
