//! One simulated node: the core, its disk, its clock, its state machine, and the pending requests of its clients.

use std::collections::BTreeMap;

use bytes::Bytes;
use node::raft::{Change, Entry, LeaderReadMode, LogIndex, Message, NodeId, Output, Raft, Snapshot, Term, Time};

use super::{disk::Disk, oracle::Oracle};

#[derive(Clone, Debug)]
pub(crate) enum Input {
    Message(Message),
    Propose(u64),
    Read(u64, LeaderReadMode),
    Change(u64, Change),
    Transfer(u64, NodeId),
}

/// Clock that runs at `permille` thousandths of true speed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) permille: u64,
    pub(crate) started: u64,
    pub(crate) showed: u64,
}

impl Clock {
    pub(crate) fn read(&self, now: u64) -> Time {
        Time(self.showed + (now - self.started) * self.permille / 1000)
    }

    /// Returns the first true time at which the clock shows `time`, or `now` if it is past.
    pub(crate) fn when(&self, time: Time, now: u64) -> u64 {
        let ahead = time.0.saturating_sub(self.showed);
        now.max(self.started + ahead * 1000 / self.permille + 1)
    }
}

#[derive(Debug)]
pub(crate) struct Host {
    /// Core; `None` while the node is down.
    pub(crate) raft: Option<Raft>,
    pub(crate) disk: Disk,
    /// Log as the outputs describe it, durable or not.
    pub(crate) log: Disk,
    pub(crate) clock: Clock,
    pub(crate) inbox: Vec<Input>,
    /// Output that waits for the disk.
    pub(crate) writing: Option<Output>,
    pub(crate) paused: bool,
    /// Number of starts, so that events scheduled before a restart have no effect after it.
    pub(crate) life: u64,
    pub(crate) wake_at: Option<u64>,
    pub(crate) leads: bool,
    pub(crate) applied: u64,
    pub(crate) digest: u64,
    /// Pending proposals by index, with the term that they must have there.
    pub(crate) proposals: BTreeMap<u64, Term>,
    /// Pending reads: the mode, and the acknowledged index when they began.
    pub(crate) reads: BTreeMap<u64, (LeaderReadMode, u64)>,
    /// Indexes to be applied before reads that wait for them are answered.
    pub(crate) ready: Vec<u64>,
    /// Snapshot that is being written beside the loop.
    pub(crate) making: Option<Snapshot>,
}

impl Host {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            raft: None,
            disk: Disk::default(),
            log: Disk::default(),
            clock,
            inbox: Vec::new(),
            writing: None,
            paused: false,
            life: 0,
            wake_at: None,
            leads: false,
            applied: 0,
            digest: 0,
            proposals: BTreeMap::new(),
            reads: BTreeMap::new(),
            ready: Vec::new(),
            making: None,
        }
    }

    pub(crate) fn can_run(&self) -> bool {
        self.raft.is_some() && self.writing.is_none() && !self.paused
    }

    pub(crate) fn start(&mut self, raft: Raft, clock: Clock) {
        let disk = std::mem::take(&mut self.disk);
        *self = Self { raft: Some(raft), life: self.life + 1, log: disk.clone(), disk, ..Self::new(clock) };
    }

    /// Stops the node, which loses everything that is not on disk.
    pub(crate) fn stop(&mut self) {
        let disk = std::mem::take(&mut self.disk);
        *self = Self { disk, life: self.life, ..Self::new(self.clock) };
    }

    pub(crate) fn restore(&mut self, snapshot: &Snapshot, oracle: &Oracle) {
        let digest = u64::from_le_bytes(snapshot.data[..8].try_into().unwrap());
        oracle.restores(snapshot.last_index.0, snapshot.last_term, digest);
        assert!(snapshot.last_index.0 >= self.applied, "a snapshot took the state back");
        self.applied = snapshot.last_index.0;
        self.digest = digest;
    }

    /// Applies an entry. Returns whether no node had applied it before, and whether one of this node's clients was
    /// waiting for it.
    pub(crate) fn apply(&mut self, entry: &Entry, oracle: &mut Oracle) -> (bool, bool) {
        assert_eq!(entry.index.0, self.applied + 1, "applied once, in order");
        let (digest, first) = oracle.applies(self.log.hard_state.term, self.digest, entry);
        self.applied = entry.index.0;
        self.digest = digest;
        (first, self.proposals.remove(&entry.index.0) == Some(entry.term))
    }

    /// Answers the reads whose index has been applied, from the current state.
    pub(crate) fn answer_reads(&mut self, oracle: &mut Oracle) -> u64 {
        let waiting = self.ready.len();
        let applied = self.applied;
        self.ready.retain(|&index| index > applied);
        let answered = (waiting - self.ready.len()) as u64;
        if answered > 0 {
            oracle.acknowledge(applied);
        }
        answered
    }

    /// Begins a snapshot once enough has been applied, often too large for one message. A snapshot begun earlier is
    /// durable now, and takes effect unless the leader's was faster. Returns true if one did.
    pub(crate) fn compact(&mut self, compact_after: u64) -> bool {
        let made = self.making.take();
        if self.applied >= self.disk.first_index().saturating_add(compact_after) {
            let mut data = self.digest.to_le_bytes().to_vec();
            data.resize(8 + usize::try_from(self.digest % 200).unwrap(), 7);
            let last_term = self.disk.term(self.applied).expect("what is applied is in the log");
            let last_index = LogIndex(self.applied);
            let membership = self.raft.as_ref().expect("it runs").membership_at(last_index).clone();
            self.making = Some(Snapshot { last_index, last_term, membership, data: Bytes::from(data) });
        }
        let Some(snapshot) = made.filter(|made| made.last_index.0 >= self.disk.first_index()) else { return false };
        self.disk.compact(snapshot.clone());
        self.log.compact(snapshot.clone());
        self.raft.as_mut().expect("it runs").compact(snapshot);
        true
    }
}
