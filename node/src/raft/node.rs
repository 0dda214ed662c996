//! A node: its state, its inputs, and the one place with control flow, role by input. What a rule means is in the other files.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand_pcg::{Pcg64, rand_core::SeedableRng as _};

use super::{
    AppendResult, Body, Config, Elections, Entry, HardState, Incredible, LogIndex, Message, NodeId, Output, Payload,
    ProposalOutcome, ReadMode, Snapshot, Standing, StartError, Stored, Term, Time,
    election::timers,
    invariant,
    lease::Rounds,
    log::{Log, weight_of_command},
    progress::Progress,
    read::Reads,
    replication::Append,
    snapshot::{Chunk, Incoming},
};

/// One member of a cluster.
#[derive(Debug)]
pub struct Raft {
    pub(super) config: Config,
    /// The latest reading of this node's clock.
    pub(super) now: Time,
    /// Draws timers.
    pub(super) rng: Pcg64,
    /// Draws what this node's questions are known by, which no other life of it may have used.
    pub(super) contexts: Pcg64,
    pub(super) hard_state: HardState,
    pub(super) log: Log,
    /// What the log was last compacted to.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) state: State,
    pub(super) leader: Option<NodeId>,
    pub(super) commit: LogIndex,
    /// Given out to be applied.
    pub(super) applied: LogIndex,
    /// The log is durable up to here.
    pub(super) durable: LogIndex,
    /// The log was given out to be made durable up to here.
    pub(super) handed_over: LogIndex,
    /// When this node last heard from a leader, or may have in a former life.
    pub(super) last_heard: Option<Time>,
    pub(super) election_deadline: Time,
    pub(super) incoming: Option<Incoming>,
    pub(super) reads: Reads,
    pub(super) out: Output,
    /// Whether `take_output` may find something to send.
    pub(super) unsent: bool,
}

/// What a node is, with what it needs for that.
#[derive(Debug)]
pub(super) enum State {
    Follower,
    /// Who would vote for it.
    PreCandidate(BTreeSet<NodeId>),
    /// Who voted for it.
    Candidate(BTreeSet<NodeId>),
    Leader(Leadership),
}

#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) followers: BTreeMap<NodeId, Progress>,
    pub(super) rounds: Rounds,
    pub(super) heartbeat_deadline: Time,
    /// When it began.
    pub(super) since: Time,
    /// Its first entry.
    pub(super) first_own: LogIndex,
}

impl Leadership {
    /// What a new leader assumes (figure 2, "volatile state on leaders").
    pub(super) fn new(config: &Config, last_index: LogIndex, now: Time) -> Self {
        Self {
            followers: config.peers().map(|peer| (peer, Progress::new(last_index))).collect(),
            rounds: Rounds::default(),
            heartbeat_deadline: now.after(config.heartbeat_interval),
            since: now,
            first_own: LogIndex(last_index.0 + 1),
        }
    }
}

impl Raft {
    /// Starts a node from what is durable. Its first output restores the stored snapshot and nothing else; later ones give out the
    /// entries after it again, as they are found to be committed.
    ///
    /// # Errors
    /// When the settings contradict each other, or the stored log has a gap or an impossible term.
    pub fn new(config: Config, stored: Stored, now: Time) -> Result<Self, StartError> {
        config.validate()?;
        let Stored { hard_state, snapshot, entries } = stored;
        let (index, term) = snapshot.as_ref().map_or_else(Default::default, |at| (at.last_index, at.last_term));
        if term > hard_state.term {
            return Err(StartError::Term(index));
        }
        let mut log = Log::new(index, term);
        for entry in entries {
            let expected = LogIndex(log.last_index().0 + 1);
            if entry.index != expected {
                return Err(StartError::Gap { expected, found: entry.index });
            }
            if entry.term < log.last_term() || entry.term > hard_state.term {
                return Err(StartError::Term(entry.index));
            }
            log.append(entry);
        }
        let last_index = log.last_index();
        let mut raft = Self {
            rng: timers(&config, hard_state.term),
            contexts: Pcg64::seed_from_u64(config.life),
            now,
            hard_state,
            state: State::Follower,
            leader: None,
            commit: index,
            applied: index,
            durable: last_index,
            handed_over: last_index,
            // It may have promised its loyalty to a leader just before it stopped.
            last_heard: (hard_state.term > Term(0)).then_some(now),
            election_deadline: now,
            incoming: None,
            reads: Reads::default(),
            out: Output { restore: snapshot.clone(), ..Output::default() },
            unsent: false,
            log,
            snapshot,
            config,
        };
        raft.reset_election_timer();
        Ok(raft)
    }

    /// A message arrived. One that is not for this node, or not from another member, is ignored.
    ///
    /// # Errors
    /// No member that keeps to the protocol can have sent it; it is as if it had been lost.
    pub fn step(&mut self, now: Time, message: Message) -> Result<(), Incredible> {
        let known = message.to == self.config.id && self.config.peers().any(|peer| peer == message.from);
        if known {
            message.check(self.hard_state.term)?;
            self.input(now, |raft| raft.handle(message));
        }
        Ok(())
    }

    /// A client proposes a command; `id` comes back with the outcome. The caller bounds how many proposals it has under way.
    pub fn propose(&mut self, now: Time, id: u64, command: Bytes) {
        self.input(now, |raft| {
            let outcome = match (&raft.state, raft.standing()) {
                // A log that went on growing here would stay ahead of all that could lead in its place (§5.4.1).
                (State::Leader(_), Standing::Deserted) => ProposalOutcome::Deserted,
                (State::Leader(_), Standing::Firm) if raft.is_overloaded(weight_of_command(&command)) => {
                    ProposalOutcome::Overloaded
                }
                (State::Leader(_), Standing::Firm) => {
                    let index = raft.append_own(Payload::Command(command));
                    ProposalOutcome::Appended { index, term: raft.hard_state.term }
                }
                _ => ProposalOutcome::NotLeader { leader: raft.leader },
            };
            raft.out.proposals.push((id, outcome));
        });
    }

    /// Whether an entry of so many bytes would be too much beside those that are not committed yet; alone, it never is.
    fn is_overloaded(&self, bytes: u64) -> bool {
        let uncommitted = self.log.bytes_between(self.commit, self.log.last_index());
        uncommitted > 0 && uncommitted + bytes > self.config.max_uncommitted_bytes
    }

    /// A client reads; `id` comes back with the outcome, within about an election timeout.
    pub fn read(&mut self, now: Time, id: u64, mode: ReadMode) {
        self.input(now, |raft| raft.begin_read(id, mode));
    }

    /// It is now `now`; needed at `deadline()` at the latest.
    pub fn tick(&mut self, now: Time) {
        self.input(now, Self::on_time);
    }

    /// Takes what has gathered; the module `io` says how to carry it out.
    pub fn take_output(&mut self) -> Output {
        self.advance_reads();
        if std::mem::take(&mut self.unsent) {
            self.replicate();
        }
        let mut out = std::mem::take(&mut self.out);
        out.committed = self.log.range(LogIndex(self.applied.0 + 1), self.commit).cloned().collect();
        self.applied = self.commit;
        self.handed_over = self.log.last_index();
        out
    }

    /// Whether there is anything to take.
    pub fn has_output(&self) -> bool {
        let Output { early, persist, messages, restore, committed, proposals, reads } = &self.out;
        self.unsent
            || self.applied < self.commit
            || !(early.is_empty() && persist.is_empty() && messages.is_empty() && restore.is_none())
            || !(committed.is_empty() && proposals.is_empty() && reads.is_empty())
    }

    /// Everything that was ever taken in a `Persist` is durable: the leader may count itself.
    pub fn persisted(&mut self) {
        self.durable = self.handed_over;
        self.checked(Self::advance_commit);
    }

    /// When `tick` is next needed, by the clock of the inputs.
    pub fn deadline(&self) -> Time {
        let role = match &self.state {
            State::Leader(own) => own.heartbeat_deadline,
            State::Follower | State::PreCandidate(_) | State::Candidate(_) => self.election_deadline,
        };
        self.reads.deadline(self.config.election_timeout).map_or(role, |read| read.min(role))
    }

    /// The caller made `snapshot`, of state that it has applied, durable: the log up to it can go, but for `trailing_entries` (§7). An older one than the last is
    /// ignored.
    pub fn compact(&mut self, snapshot: Snapshot) {
        self.checked(|raft| raft.compact_to(snapshot));
    }

    fn input(&mut self, now: Time, act: impl FnOnce(&mut Self)) {
        self.observe(now);
        self.checked(act);
    }

    /// Does something and asserts afterwards that it kept the invariants.
    fn checked(&mut self, act: impl FnOnce(&mut Self)) {
        let before = invariant::Mark::of(self);
        act(self);
        before.assert_kept_by(self);
    }

    /// Takes note of the time. If it went backwards, no span that began before can be measured any longer: promises to others begin
    /// anew, promises to oneself (the lease) end.
    fn observe(&mut self, now: Time) {
        let backwards = now < self.now;
        self.now = now;
        if !backwards {
            return;
        }
        self.last_heard = self.last_heard.map(|_| now);
        self.reads.restart_clock(now);
        self.reset_election_timer();
        if let State::Leader(own) = &mut self.state {
            own.rounds.forget_times();
            own.heartbeat_deadline = now;
            own.since = now;
        }
    }

    fn on_time(&mut self) {
        self.expire_reads();
        let now = self.now;
        let standing = self.standing();
        match &mut self.state {
            State::Leader(own) => {
                if standing == Standing::Deserted && self.config.elections == Elections::CheckQuorum {
                    self.become_follower(self.hard_state.term, None);
                } else if now >= own.heartbeat_deadline {
                    own.heartbeat_deadline = now.after(self.config.heartbeat_interval);
                    own.followers.values_mut().for_each(Progress::on_heartbeat);
                    self.begin_round();
                }
            }
            State::Follower | State::PreCandidate(_) | State::Candidate(_) if now >= self.election_deadline => {
                self.begin_pre_vote();
            }
            State::Follower | State::PreCandidate(_) | State::Candidate(_) => {}
        }
    }

    /// Terms first, for they outrank all else (§5.1); then the message itself.
    fn handle(&mut self, message: Message) {
        let Message { from, term, body, .. } = message;
        let own = self.hard_state.term;
        if term < own {
            return self.refuse_stale(from, &body);
        }
        // Pre-votes have no consequences; whether a request for a vote has any, the vote decides.
        let consequential = !matches!(body, Body::RequestVote { .. } | Body::Vote { pre: true, granted: true });
        if term > own && consequential {
            self.become_follower(term, None);
        }
        match body {
            Body::RequestVote { pre, last_log_index, last_log_term } => {
                self.on_request_vote(from, term, pre, (last_log_term, last_log_index));
            }
            Body::Vote { pre, granted } => self.on_vote(from, term, pre, granted),
            Body::AppendEntries { prev_log_index, prev_log_term, entries, leader_commit, round, standing } => {
                self.hear_from(from, standing);
                let prev = (prev_log_index, prev_log_term);
                self.on_append_entries(from, Append { prev, entries, leader_commit, round });
            }
            Body::Appended { result, round } => self.on_appended(from, result, round),
            Body::InstallSnapshot { last_included_index, last_included_term, offset, data, done, round, standing } => {
                self.hear_from(from, standing);
                let last = (last_included_index, last_included_term);
                self.on_install_snapshot(from, &Chunk { last, offset, data, done, round });
            }
            Body::SnapshotChunk { last_included_index, received, round } => {
                if let State::Leader(leadership) = &mut self.state
                    && let Some(progress) = leadership.followers.get_mut(&from)
                {
                    self.unsent |= progress.on_chunk(last_included_index, received);
                }
                self.on_acknowledged(from, round);
            }
            Body::ReadIndex { context } => self.on_read_index(from, context),
            Body::ReadIndexed { context, index } => self.on_read_indexed(context, index),
        }
    }

    /// A request of a past term is refused in this node's term, which deposes its sender (§5.1); an answer of a past term is dropped.
    /// The refusal names round 0: by the time it arrives, its addressee may lead this very term, with rounds counted anew.
    fn refuse_stale(&mut self, from: NodeId, body: &Body) {
        match body {
            &Body::RequestVote { pre, .. } => self.answer_vote(from, self.hard_state.term, pre, false),
            Body::AppendEntries { .. } | Body::InstallSnapshot { .. } => {
                let result = AppendResult::Conflict { refused: LogIndex(0), term: None, first: LogIndex(0) };
                self.send(from, Body::Appended { result, round: 0 });
            }
            &Body::ReadIndex { context } => self.send(from, Body::ReadIndexed { context, index: None }),
            Body::Vote { .. } | Body::Appended { .. } | Body::SnapshotChunk { .. } | Body::ReadIndexed { .. } => {}
        }
    }

    /// Follows in `term` (§5.1). The vote is forgotten only with its term, and the election timer goes on.
    pub(super) fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        if term > self.hard_state.term {
            self.set_hard_state(HardState { term, voted_for: None });
            self.incoming = None;
        }
        if matches!(self.state, State::Leader(_)) {
            self.reset_election_timer();
        }
        self.leave_leader(leader);
        self.state = State::Follower;
    }

    /// Whom this node follows changes: what the old one was asked will not be answered.
    pub(super) fn leave_leader(&mut self, leader: Option<NodeId>) {
        self.refuse_reads(leader);
        self.leader = leader;
    }

    /// This term's leader showed itself: others give way to it (§5.2), and nobody else gets this node's vote for a while. One that is
    /// deserted can commit nothing: it is followed, but does not keep this node from looking for another, or a leader that is heard but
    /// hears nobody would silence the cluster for ever.
    fn hear_from(&mut self, leader: NodeId, standing: Standing) {
        assert!(
            !matches!(self.state, State::Leader(_)),
            "two leaders in one term (§5.2): {leader} and {}",
            self.config.id
        );
        let looks_for_another = matches!(self.state, State::PreCandidate(_)) && standing == Standing::Deserted;
        if self.leader != Some(leader) && !looks_for_another {
            self.become_follower(self.hard_state.term, Some(leader));
        }
        if standing == Standing::Firm {
            self.last_heard = Some(self.now);
            self.reset_election_timer();
        }
    }

    /// How this leader stands with its quorum; firm while it does not lead.
    pub(super) fn standing(&self) -> Standing {
        let timeout = self.config.election_timeout;
        match &self.state {
            // A lone member's majority is itself, however long it slept.
            State::Leader(own)
                if self.config.quorum() > 1
                    && self.now.since(own.since) >= timeout
                    && !own.rounds.acknowledged_within(timeout, self.now) =>
            {
                Standing::Deserted
            }
            _ => Standing::Firm,
        }
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
        self.out.persist.hard_state = Some(hard_state);
    }

    pub(super) fn append(&mut self, entry: Entry) {
        self.out.persist.entries.push(entry.clone());
        self.log.append(entry);
    }

    /// Voids a suffix that conflicts with the leader's log; never a leader's own, and never what is committed (§5.3).
    pub(super) fn truncate_from(&mut self, index: LogIndex) {
        assert!(!matches!(self.state, State::Leader(_)), "a leader's log only grows (leader append-only, §5.3)");
        assert!(index > self.commit, "committed entries stay (§5.4.3): {index} is not after {}", self.commit);
        self.log.truncate_from(index);
        let last = LogIndex(index.0 - 1);
        self.durable = self.durable.min(last);
        self.handed_over = self.handed_over.min(last);
        let persist = &mut self.out.persist;
        persist.entries.retain(|entry| entry.index < index);
        persist.truncate_from = Some(persist.truncate_from.map_or(index, |from| from.min(index)));
    }

    /// To leave once what it promises is durable.
    pub(super) fn send(&mut self, to: NodeId, body: Body) {
        self.out.messages.push(Message { from: self.config.id, to, term: self.hard_state.term, body });
    }

    /// To leave at once: it promises nothing about this node's disk.
    pub(super) fn send_early(&mut self, to: NodeId, body: Body) {
        self.out.early.push(Message { from: self.config.id, to, term: self.hard_state.term, body });
    }
}
