//! The lease of the library alone, without sockets and clocks: nodes that tick in step and hear each other at once.

use std::collections::{BTreeMap, BTreeSet};

use raft::{Config, RawNode, ReadOnlyOption, StateRole, eraftpb::Message, storage::MemStorage};
use slog::{Discard, Logger, o};

const ELECTION_TICKS: usize = 30;

struct Cluster {
    nodes: BTreeMap<u64, RawNode<MemStorage>>,
    /// Pairs of nodes that do not hear each other, the smaller id first.
    cut: BTreeSet<(u64, u64)>,
}

impl Cluster {
    /// Returns three nodes, of which 1 leads.
    fn new(min_election_tick: usize) -> Self {
        let node = |id| {
            let config = Config {
                id,
                election_tick: ELECTION_TICKS,
                heartbeat_tick: ELECTION_TICKS / 10,
                min_election_tick,
                max_election_tick: min_election_tick + ELECTION_TICKS,
                max_size_per_msg: 1 << 20,
                check_quorum: true,
                pre_vote: true,
                read_only_option: ReadOnlyOption::LeaseBased,
                ..Config::default()
            };
            let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], Vec::new()));
            (id, RawNode::new(&config, storage, &Logger::root(Discard, o!())).unwrap())
        };
        let mut cluster = Self { nodes: (1..=3).map(node).collect(), cut: BTreeSet::new() };
        cluster.node(1).campaign().unwrap();
        cluster.settle();
        assert!(cluster.node(1).raft.state == StateRole::Leader);
        cluster
    }

    fn node(&mut self, id: u64) -> &mut RawNode<MemStorage> {
        self.nodes.get_mut(&id).unwrap()
    }

    fn tick(&mut self) {
        for node in self.nodes.values_mut() {
            node.tick();
        }
        self.settle();
    }

    /// Delivers messages until there are none.
    fn settle(&mut self) {
        loop {
            let messages: Vec<Message> = self.nodes.values_mut().flat_map(carry_out).collect();
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let pair = (message.from.min(message.to), message.from.max(message.to));
                if !self.cut.contains(&pair) {
                    self.node(message.to).step(message).ok();
                }
            }
        }
    }

    /// Returns the index at which a node would answer a read, if it would.
    fn read_index(&mut self, id: u64) -> Option<u64> {
        let node = self.node(id);
        node.read_index(b"read".to_vec());
        let states = std::mem::take(&mut node.raft.read_states);
        states.first().map(|state| state.index)
    }

    /// Counts the ticks during which node 1 answers reads although another has already committed an entry.
    fn count_stale_ticks(&mut self) -> usize {
        let mut stale = 0;
        for _ in 0..4 * ELECTION_TICKS {
            self.tick();
            let committed = self.nodes.values().filter(|node| node.raft.state == StateRole::Leader);
            let committed = committed.map(|node| node.raft.raft_log.committed).max().unwrap_or_default();
            stale += usize::from(self.read_index(1).is_some_and(|index| index < committed));
        }
        stale
    }
}

/// Carries out what a node has ready, and returns its messages.
fn carry_out(node: &mut RawNode<MemStorage>) -> Vec<Message> {
    let mut messages = Vec::new();
    while node.has_ready() {
        let mut ready = node.ready();
        messages.extend(ready.take_messages());
        node.store().wl().append(ready.entries()).unwrap();
        if let Some(state) = ready.hs() {
            node.store().wl().set_hardstate(state.clone());
        }
        messages.extend(ready.take_persisted_messages());
        messages.extend(node.advance(ready).take_messages());
        node.advance_apply();
    }
    messages
}

/// Returns the stale ticks for each number of ticks from the leader's last check of its quorum to its isolation, when
/// the first follower campaigns `first` ticks after it last heard from the leader.
fn stale_ticks_by_phase(min_election_tick: usize, first: usize) -> Vec<usize> {
    let of_phase = |phase| {
        let mut cluster = Cluster::new(min_election_tick);
        let ahead = (0..10 * ELECTION_TICKS).find(|_| {
            cluster.tick();
            cluster.node(1).raft.election_elapsed == phase
        });
        assert!(ahead.is_some());
        cluster.node(2).raft.set_randomized_election_timeout(first);
        cluster.node(3).raft.set_randomized_election_timeout(min_election_tick + ELECTION_TICKS - 1);
        cluster.cut.extend([(1, 2), (1, 3)]);
        cluster.count_stale_ticks()
    };
    (0..ELECTION_TICKS).map(of_phase).collect()
}

#[test]
fn explore() {
    for first in [30, 35, 40, 50, 59] {
        println!("{first}: {:?}", stale_ticks_by_phase(30, first));
    }
    for first in [60, 61, 70] {
        println!("min 60 {first}: {:?}", stale_ticks_by_phase(60, first));
    }
}
