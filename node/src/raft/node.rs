//! A node: its state, its inputs, and the dispatch by role and input. The rules themselves are in the other files.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rand_pcg::{Pcg64, rand_core::SeedableRng as _};

use super::{
    Body, ChangeRefusal, Config, Elections, Entry, HardState, LeaderReadMode, LogIndex, Membership, Message, NodeId,
    Output, Payload, ProposalOutcome, QuorumContact, Snapshot, StartError, StoredState, Term, Time,
    election::timers,
    invariant,
    lease::Rounds,
    log::{Log, weight_of_command},
    membership::Memberships,
    progress::Progress,
    read::Reads,
    rules::{Rule, RuleCounts},
    snapshot::IncomingSnapshot,
};
use crate::defect::Defect;

/// One member of a cluster.
#[derive(Debug)]
pub struct Raft {
    pub(super) config: Config,
    /// Latest reading of this node's clock.
    pub(super) now: Time,
    /// Generator of the timers.
    pub(super) rng: Pcg64,
    /// Generator of the contexts of this node's read requests, which no other start of it may have used.
    pub(super) contexts: Pcg64,
    pub(super) hard_state: HardState,
    pub(super) log: Log,
    /// Configurations in the log, in force from their entries on.
    pub(super) memberships: Memberships,
    /// Snapshot that the log was last compacted to.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) state: State,
    pub(super) leader: Option<NodeId>,
    pub(super) commit: LogIndex,
    /// Last index up to which the log is known to equal that of a leader, with that leader's term.
    pub(super) matched: (Term, LogIndex),
    /// Last index handed out to be applied.
    pub(super) applied: LogIndex,
    /// Last index up to which the log is durable.
    pub(super) durable: LogIndex,
    /// Last index up to which the log was handed out to be made durable.
    pub(super) handed_over: LogIndex,
    /// Time at which this node last heard from a leader, or may have before it restarted.
    pub(super) last_heard: Option<Time>,
    pub(super) election_deadline: Time,
    pub(super) incoming: Option<IncomingSnapshot>,
    pub(super) reads: Reads,
    pub(super) out: Output,
    pub(super) rules: RuleCounts,
    /// True if `take_output` may find something to send.
    pub(super) unsent: bool,
}

/// Role of a node, with the state that only this role needs.
#[derive(Debug)]
pub(super) enum State {
    Follower,
    /// Nodes that would vote for it, each with the number of its votes: one, in a sound node.
    PreCandidate(BTreeMap<NodeId, usize>),
    /// Nodes that voted for it.
    Candidate(BTreeMap<NodeId, usize>),
    Leader(Leadership),
}

#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) followers: BTreeMap<NodeId, Progress>,
    pub(super) rounds: Rounds,
    pub(super) heartbeat_deadline: Time,
    /// Start of the leadership.
    pub(super) since: Time,
    /// Index of its first entry.
    pub(super) first_own: LogIndex,
    /// Transfer of the leadership that is under way.
    pub(super) transfer: Option<Transfer>,
    /// True once it has asked another node to take over: from then on that one may be elected at any time, however
    /// late it hears of it.
    pub(super) has_given_up_lease: bool,
}

/// Transfer of the leadership that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) to: NodeId,
    /// Time at which it is given up.
    pub(super) deadline: Time,
    /// True if the successor was asked.
    pub(super) asked: bool,
}

impl Leadership {
    /// Creates the state of a new leader (figure 2, "volatile state on leaders").
    pub(super) fn new(config: &Config, membership: &Membership, last_index: LogIndex, now: Time) -> Self {
        let others = membership.members().into_iter().filter(|&member| member != config.id);
        Self {
            followers: others.map(|peer| (peer, Progress::new(last_index))).collect(),
            rounds: Rounds::default(),
            heartbeat_deadline: now.after(config.heartbeat_interval),
            since: now,
            first_own: LogIndex(if config.has(Defect::ReadsBeforeOwnCommit) { 0 } else { last_index.0 + 1 }),
            transfer: None,
            has_given_up_lease: false,
        }
    }
}

impl Raft {
    /// Starts a node from its durable state. Its first output restores the stored snapshot and nothing else; later
    /// outputs hand out the entries after it again, as they are found to be committed.
    ///
    /// # Errors
    /// Returns an error if the settings contradict each other, or if the stored log has a gap or an impossible term.
    pub fn new(config: Config, stored: StoredState, now: Time) -> Result<Self, StartError> {
        config.validate()?;
        let StoredState { hard_state, snapshot, entries } = stored;
        let (index, term) = snapshot.as_ref().map_or_else(Default::default, |at| (at.last_index, at.last_term));
        let sound = config.defect.is_none();
        if sound && term > hard_state.term {
            return Err(StartError::Term(index));
        }
        let mut log = Log::new(index, term);
        let founded = Membership::of(config.members.iter().copied());
        let mut memberships =
            Memberships::new(snapshot.as_ref().map_or(founded.clone(), |snapshot| snapshot.membership.clone()));
        if !memberships.latest().is_sound() {
            return Err(StartError::Membership(index));
        }
        for entry in entries {
            let expected = LogIndex(log.last_index().0 + 1);
            if entry.index != expected {
                return Err(StartError::Gap { expected, found: entry.index });
            }
            if sound && (entry.term < log.last_term() || entry.term > hard_state.term) {
                return Err(StartError::Term(entry.index));
            }
            if let Payload::Membership(membership) = &entry.payload {
                if !membership.is_sound() {
                    return Err(StartError::Membership(entry.index));
                }
                memberships.append(entry.index, (**membership).clone());
            }
            log.append(entry);
        }
        if config.has(Defect::RestartForgetsMembers) {
            memberships = Memberships::new(founded);
        }
        let last_index = log.last_index();
        let mut raft = Self {
            rng: timers(&config, hard_state.term),
            contexts: Pcg64::seed_from_u64(if config.has(Defect::ContextsRepeat) { 0 } else { config.life }),
            now,
            hard_state,
            state: State::Follower,
            leader: None,
            commit: index,
            matched: (Term(0), LogIndex(0)),
            applied: index,
            durable: last_index,
            handed_over: last_index,
            // It may have heard from a leader, and so promised not to vote, just before it stopped.
            last_heard: (hard_state.term > Term(0) && !config.has(Defect::RestartForgetsLoyalty)).then_some(now),
            election_deadline: now,
            incoming: None,
            reads: Reads::default(),
            out: Output { restore: snapshot.clone().map(Box::new), ..Output::default() },
            rules: RuleCounts::default(),
            unsent: false,
            log,
            memberships,
            snapshot,
            config,
        };
        if raft.last_heard.is_some() {
            raft.rules.count(Rule::Recovery);
        }
        raft.reset_election_timer();
        Ok(raft)
    }

    /// Proposes a command for a client; `id` is returned with the outcome. The caller limits how many proposals are
    /// pending.
    pub fn propose(&mut self, now: Time, id: u64, command: Bytes) {
        self.input(now, |raft| {
            let outcome = match (&raft.state, raft.quorum_contact()) {
                // A log that kept growing here would stay ahead of any node that could replace this leader (§5.4.1).
                (State::Leader(_), QuorumContact::Lost) => ProposalOutcome::NoQuorum,
                (State::Leader(Leadership { transfer: Some(_), .. }), QuorumContact::Recent) => {
                    ProposalOutcome::Refused(ChangeRefusal::Transferring)
                }
                (State::Leader(_), QuorumContact::Recent) if raft.is_overloaded(weight_of_command(&command)) => {
                    ProposalOutcome::Overloaded
                }
                (State::Leader(_), QuorumContact::Recent) => {
                    let index = raft.append_own(Payload::Command(command));
                    ProposalOutcome::Appended { index, term: raft.hard_state.term }
                }
                _ => ProposalOutcome::NotLeader { leader: raft.leader },
            };
            raft.out.proposals.push((id, outcome));
        });
    }

    /// Returns true if an entry of `bytes` would be too much on top of the uncommitted ones; an entry alone never is.
    fn is_overloaded(&self, bytes: u64) -> bool {
        let uncommitted = self.log.bytes_between(self.commit, self.log.last_index());
        uncommitted > 0 && uncommitted + bytes > self.config.max_uncommitted_bytes
    }

    /// Starts a read for a client; `id` is returned with the outcome, within about an election timeout.
    pub fn read(&mut self, now: Time, id: u64, mode: LeaderReadMode) {
        self.input(now, |raft| raft.begin_read(id, mode));
    }

    /// Advances the time to `now`; must be called at `deadline()` at the latest. Returns true if something was due.
    pub fn tick(&mut self, now: Time) -> bool {
        self.observe(now);
        let is_due = now >= self.deadline();
        if is_due {
            self.checked(Self::on_time);
        }
        is_due
    }

    /// Takes the accumulated output; the module `io` defines how to carry it out.
    pub fn take_output(&mut self) -> Output {
        let mut output = Output::default();
        self.swap_output(&mut output);
        output
    }

    /// Takes the accumulated output in exchange for one that was carried out, whose memory is used again.
    pub fn swap_output(&mut self, output: &mut Output) {
        self.advance_reads();
        if std::mem::take(&mut self.unsent) {
            self.replicate();
        }
        std::mem::swap(&mut self.out, output);
        let end = if self.config.has(Defect::AppliesUncommitted) { self.log.last_index() } else { self.commit };
        output.committed.extend(self.log.range(LogIndex(self.applied.0 + 1), end).cloned());
        self.applied = self.applied.max(end);
        self.handed_over = self.log.last_index();
    }

    /// Returns how often each rule has decided something since the start.
    pub fn rule_counts(&self) -> RuleCounts {
        self.rules
    }

    /// Returns true if there is any output to take.
    pub fn has_output(&self) -> bool {
        let Output { early, persist, messages, restore, committed, proposals, reads } = &self.out;
        self.unsent
            || self.applied < self.commit
            || !(early.is_empty() && persist.is_empty() && messages.is_empty() && restore.is_none())
            || !(committed.is_empty() && proposals.is_empty() && reads.is_empty())
    }

    /// Records that everything ever taken in a `Persist` is durable, so that a leader or a candidate may count itself.
    pub fn persisted(&mut self) {
        self.durable = self.handed_over;
        match self.state {
            State::Leader(_) => self.checked(Self::advance_commit),
            State::Candidate(_) if self.out.persist.hard_state.is_none() => self.checked(Self::count_own_vote),
            State::Candidate(_) | State::PreCandidate(_) | State::Follower => {}
        }
    }

    /// Returns the time at which `tick` is next needed, by the clock of the inputs.
    pub fn deadline(&self) -> Time {
        let role = match &self.state {
            State::Leader(own) => own.heartbeat_deadline,
            State::Follower | State::PreCandidate(_) | State::Candidate(_) => self.election_deadline,
        };
        self.reads.deadline(self.config.election_timeout).map_or(role, |read| read.min(role))
    }

    /// Drops the log up to `snapshot`, of applied state, which the caller has made durable; `trailing_entries` are
    /// kept (§7). A snapshot that is not newer than the last is ignored.
    pub fn compact(&mut self, snapshot: Snapshot) {
        self.checked(|raft| raft.compact_to(snapshot));
    }

    pub(super) fn input(&mut self, now: Time, act: impl FnOnce(&mut Self)) {
        self.observe(now);
        self.checked(act);
    }

    /// Performs an action and asserts afterwards that it kept the invariants, in a sound node.
    fn checked(&mut self, act: impl FnOnce(&mut Self)) {
        let before = invariant::StateBefore::of(self);
        act(self);
        if self.config.defect.is_none() {
            before.assert_kept_by(self);
        }
    }

    /// Takes note of the time. If it went backwards, no span that began before can be measured any longer: promises
    /// to others start again from now, and promises to this node (the lease) end.
    fn observe(&mut self, now: Time) {
        let backwards = now < self.now;
        self.now = now;
        if !backwards {
            return;
        }
        self.rules.count(Rule::ClockBackwards);
        self.last_heard = self.last_heard.map(|_| now);
        self.reads.restart_clock(now);
        self.reset_election_timer();
        if let State::Leader(own) = &mut self.state {
            if !self.config.has(Defect::LeaseSurvivesClockJump) {
                own.rounds.forget_times();
            }
            own.heartbeat_deadline = now;
            own.since = now;
            own.transfer = None;
        }
    }

    fn on_time(&mut self) {
        self.expire_reads();
        self.expire_transfer();
        let now = self.now;
        let quorum_contact = self.quorum_contact();
        match &mut self.state {
            State::Leader(own) => {
                if quorum_contact == QuorumContact::Lost && self.config.elections == Elections::CheckQuorum {
                    self.rules.count(Rule::LostQuorum);
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

    /// Returns the configuration in force: the latest in the log, committed or not (§6).
    pub fn membership(&self) -> &Arc<Membership> {
        if self.config.has(Defect::ChangesWaitForCommit) {
            return self.memberships.at(self.commit);
        }
        self.memberships.latest()
    }

    /// Returns true if the configuration in force is committed, as far as this node knows.
    pub fn has_committed_membership(&self) -> bool {
        self.memberships.latest_index() <= self.commit
    }

    /// Returns the configuration at an index of the log that is applied, for a snapshot that ends there.
    pub fn membership_at(&self, index: LogIndex) -> &Membership {
        self.memberships.at(index)
    }

    /// Returns this leader's contact with its quorum; `Recent` while it does not lead.
    pub(super) fn quorum_contact(&self) -> QuorumContact {
        let timeout = self.config.trusted(self.config.election_timeout);
        match &self.state {
            // A single member is its own majority, however long it slept.
            State::Leader(own)
                if !self.membership().is_sole_voter(self.config.id)
                    && self.now.since(own.since) >= timeout
                    && !own.rounds.acknowledged_within(timeout, self.now) =>
            {
                QuorumContact::Lost
            }
            _ => QuorumContact::Recent,
        }
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
        let HardState { term, voted_for } = hard_state;
        let voted_for = match self.config.defect {
            Some(Defect::TermNotDurable) if voted_for.is_none() => return,
            Some(Defect::VoteNotDurable) => voted_for.filter(|vote| *vote == self.config.id),
            Some(Defect::OwnVoteNotDurable) => voted_for.filter(|vote| *vote != self.config.id),
            _ => voted_for,
        };
        self.out.persist.hard_state = Some(HardState { term, voted_for });
    }

    pub(super) fn append(&mut self, entry: Entry) {
        let falls = entry.term < self.log.last_term();
        assert!(!falls || self.config.defect.is_some(), "terms in the log never fall");
        self.out.persist.entries.push(entry.clone());
        if let Payload::Membership(membership) = &entry.payload {
            self.memberships.append(entry.index, (**membership).clone());
        }
        self.log.append(entry);
    }

    /// Removes a suffix that conflicts with the leader's log; never from a leader's own log, and never committed
    /// entries (§5.3).
    pub(super) fn truncate_from(&mut self, index: LogIndex) {
        if self.config.defect.is_none() {
            assert!(!matches!(self.state, State::Leader(_)), "a leader's log only grows (leader append-only, §5.3)");
            assert!(index > self.commit, "committed entries stay (§5.4.3): {index} is not after {}", self.commit);
        }
        self.rules.count(Rule::Truncation);
        self.log.truncate_from(index);
        self.memberships.truncate_from(index);
        let last = LogIndex(index.0 - 1);
        self.durable = self.durable.min(last);
        self.handed_over = self.handed_over.min(last);
        let persist = &mut self.out.persist;
        persist.entries.retain(|entry| entry.index < index);
        persist.truncate_from = Some(persist.truncate_from.map_or(index, |from| from.min(index)));
    }

    /// Queues a message that may leave only once the promised state is durable.
    pub(super) fn send(&mut self, to: NodeId, body: Body) {
        if self.config.has(Defect::SendsBeforeDurable) {
            return self.send_early(to, body);
        }
        self.out.messages.push(Message { from: self.config.id, to, term: self.hard_state.term, body });
    }

    /// Queues a message that may leave at once: it promises nothing about this node's disk.
    pub(super) fn send_early(&mut self, to: NodeId, body: Body) {
        self.out.early.push(Message { from: self.config.id, to, term: self.hard_state.term, body });
    }
}
