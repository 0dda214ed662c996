//! Counts of what happened in simulated runs.

/// Counts of events in a run: a run in which nothing happened shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) events: u64,
    pub(crate) leaders: u64,
    pub(crate) crashes: u64,
    pub(crate) writes: u64,
    pub(crate) quorum_reads: u64,
    pub(crate) lease_reads: u64,
    pub(crate) compactions: u64,
    pub(crate) snapshots_received: u64,
    pub(crate) truncations: u64,
    /// Configurations committed, and transfers begun.
    pub(crate) changes: u64,
    pub(crate) transfers: u64,
}

impl Stats {
    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.leaders += other.leaders;
        self.crashes += other.crashes;
        self.writes += other.writes;
        self.quorum_reads += other.quorum_reads;
        self.lease_reads += other.lease_reads;
        self.compactions += other.compactions;
        self.snapshots_received += other.snapshots_received;
        self.truncations += other.truncations;
        self.changes += other.changes;
        self.transfers += other.transfers;
    }
}
