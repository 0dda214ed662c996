//! Faults of one run. The seed selects them, and leaves some out altogether, because one fault can hide another.

use std::time::Duration;

use node::raft::{Config, Elections, NodeId};
use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};

pub(crate) const ELECTION_TIMEOUT: Duration = Duration::from_millis(100);

pub(crate) const MS: u64 = 1_000_000;

/// Deliberate violation of a rule, to show that the simulation detects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// Messages leave before their promises are durable.
    AnswersBeforeDurable,
    /// The vote is lost in a crash.
    ForgetsVote,
    /// The last durable entry is lost in a crash.
    LosesEntries,
    /// Reads of basic Raft are expected to be linearizable.
    TrustsLeaderReads,
    /// A leader's clock runs at a fifth of its speed, which violates the assumption that leases depend on.
    SlowClock,
    /// A leader counts answers to its heartbeats that nobody sent.
    InventedAnswers,
}

#[derive(Debug)]
pub(crate) struct Chance(Pcg64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// Faults with their probabilities, out of 1,000.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) drop: u64,
    pub(crate) duplicate: u64,
    pub(crate) slow: u64,
    pub(crate) crash: u64,
    pub(crate) partitions: bool,
    pub(crate) pauses: bool,
    pub(crate) clock_jumps: bool,
    /// Number of entries after which a node compacts its log.
    pub(crate) compact_after: u64,
    pub(crate) max_disk_delay: u64,
    /// Share of writes among the requests. If they are few, a node that was cut off is not behind, and can win an
    /// election.
    pub(crate) writes: u64,
    /// Maximum pause between two requests of all clients together.
    pub(crate) clients_every: u64,
    /// Kind of elections on all nodes.
    pub(crate) elections: Elections,
}

impl Faults {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        Self {
            drop: chance.pick(&[0, 20, 100, 300]),
            duplicate: chance.pick(&[0, 100]),
            slow: chance.pick(&[0, 30, 200]),
            crash: chance.pick(&[0, 2, 10]),
            partitions: chance.permille(700),
            pauses: chance.permille(400),
            clock_jumps: chance.permille(150),
            compact_after: chance.pick(&[5, 20, u64::MAX]),
            max_disk_delay: chance.pick(&[MS / 10, 3 * MS, 20 * MS]),
            writes: chance.pick(&[10, 400, 400]),
            clients_every: 5 * MS,
            elections: chance.pick(&[Elections::Basic, Elections::CheckQuorum]),
        }
    }

    pub(crate) fn none() -> Self {
        Self {
            drop: 0,
            duplicate: 0,
            slow: 0,
            crash: 0,
            partitions: false,
            pauses: false,
            clock_jumps: false,
            compact_after: 20,
            max_disk_delay: MS,
            writes: 400,
            clients_every: 5 * MS,
            elections: Elections::CheckQuorum,
        }
    }
}

/// Returns settings that differ from run to run, so that windows and batches of every size occur.
pub(crate) fn config(id: NodeId, nodes: u64, faults: &Faults, chance: &mut Chance) -> Config {
    Config {
        id,
        members: (1..=nodes).map(NodeId).collect(),
        election_timeout: ELECTION_TIMEOUT,
        heartbeat_interval: Duration::from_millis(20),
        lease: Duration::from_millis(80),
        elections: faults.elections,
        max_batch_entries: usize::try_from(chance.pick(&[1, 3, 16])).unwrap(),
        max_batch_bytes: chance.pick(&[100, 1000]),
        max_inflight: usize::try_from(chance.pick(&[1, 2, 8])).unwrap(),
        max_inflight_bytes: chance.pick(&[1, 300, 10_000]),
        max_uncommitted_bytes: chance.pick(&[1, 1_000, 100_000]),
        trailing_entries: chance.pick(&[0, 3, 30]),
        trailing_bytes: chance.pick(&[300, 10_000]),
        snapshot_chunk_bytes: usize::try_from(chance.pick(&[16, 100])).unwrap(),
        seed: chance.below(u64::MAX),
        life: chance.below(u64::MAX),
        defect: None,
    }
}
