//! The state of a node and its inputs.

use bytes::Bytes;

use super::{
    Config, HardState, LogIndex, Message, Output, ProposalOutcome, ReadMode, ReadOutcome, Role, Snapshot, StartError,
    Status, Stored, Term, Time,
};

/// One member of a cluster.
#[derive(Debug)]
pub struct Raft {
    config: Config,
    now: Time,
    hard_state: HardState,
    out: Output,
}

impl Raft {
    /// Starts a node from what is durable.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(config: Config, stored: Stored, now: Time) -> Result<Self, StartError> {
        config.validate()?;
        Ok(Self { config, now, hard_state: stored.hard_state, out: Output::default() })
    }

    /// A message arrived.
    pub fn step(&mut self, now: Time, _message: Message) {
        self.now = now;
    }

    /// A client proposes a command.
    pub fn propose(&mut self, now: Time, id: u64, _command: Bytes) {
        self.now = now;
        self.out.proposals.push((id, ProposalOutcome::NotLeader { leader: None }));
    }

    /// A client reads.
    pub fn read(&mut self, now: Time, id: u64, _mode: ReadMode) {
        self.now = now;
        self.out.reads.push((id, ReadOutcome::NotLeader { leader: None }));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        self.now = now;
    }

    /// Takes what is to be done.
    pub fn take_output(&mut self) -> Output {
        std::mem::take(&mut self.out)
    }

    /// Whether there is anything to take.
    pub fn has_output(&self) -> bool {
        !self.out.proposals.is_empty() || !self.out.reads.is_empty()
    }

    /// All that was ever put into a `Persist` is durable.
    pub fn persisted(&mut self) {}

    /// When `tick` is next needed.
    pub fn deadline(&self) -> Time {
        self.now.after(self.config.heartbeat_interval)
    }

    /// The caller made `snapshot`, of applied state, durable.
    pub fn compact(&mut self, _snapshot: Snapshot) {}

    /// How it looks from outside.
    pub fn status(&self) -> Status {
        Status {
            id: self.config.id,
            role: Role::Follower,
            term: self.hard_state.term,
            voted_for: self.hard_state.voted_for,
            leader: None,
            commit: LogIndex(0),
            applied: LogIndex(0),
            first_index: LogIndex(1),
            last_index: LogIndex(0),
            last_term: Term(0),
            lease_until: None,
            matched: Vec::new(),
        }
    }
}
