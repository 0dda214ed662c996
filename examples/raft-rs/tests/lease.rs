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
    fn new(min_election_tick: usize, pre_vote: bool) -> Self {
        let node = |id| {
            let config = Config {
                id,
                election_tick: ELECTION_TICKS,
                heartbeat_tick: ELECTION_TICKS / 10,
                min_election_tick,
                max_election_tick: min_election_tick + ELECTION_TICKS,
                max_size_per_msg: 1 << 20,
                check_quorum: true,
                pre_vote,
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

/// Returns a cluster whose leader last checked its quorum `phase` ticks ago.
fn at_phase(phase: usize, min_election_tick: usize, pre_vote: bool) -> Cluster {
    let mut cluster = Cluster::new(min_election_tick, pre_vote);
    let reached = (0..2 * ELECTION_TICKS).any(|_| {
        cluster.tick();
        cluster.node(1).raft.election_elapsed == phase
    });
    assert!(reached, "{phase}");
    cluster
}

/// Returns the stale ticks after a leader is cut off from both followers, of which the first campaigns `campaign` ticks
/// after it last heard from the leader, and the other never.
fn stale_ticks_when_isolated(phase: usize, min_election_tick: usize, campaign: usize, pre_vote: bool) -> usize {
    let mut cluster = at_phase(phase, min_election_tick, pre_vote);
    cluster.node(2).raft.set_randomized_election_timeout(campaign);
    cluster.node(3).raft.set_randomized_election_timeout(min_election_tick + ELECTION_TICKS - 1);
    cluster.cut.extend([(1, 2), (1, 3)]);
    cluster.count_stale_ticks()
}

#[test]
fn a_leader_answers_reads_for_up_to_an_election_timeout_after_its_successor_has_committed() {
    for pre_vote in [true, false] {
        let stale = |phase, campaign| stale_ticks_when_isolated(phase, ELECTION_TICKS, campaign, pre_vote);
        let most = |campaign| (0..ELECTION_TICKS).map(|phase| stale(phase, campaign)).max();
        assert_eq!(most(ELECTION_TICKS), Some(ELECTION_TICKS));
        assert_eq!(most(ELECTION_TICKS + ELECTION_TICKS / 2), Some(ELECTION_TICKS / 2));
    }
}

#[test]
fn followers_that_wait_two_election_timeouts_come_after_the_lease_of_an_isolated_leader() {
    for phase in 0..ELECTION_TICKS {
        assert_eq!(stale_ticks_when_isolated(phase, 2 * ELECTION_TICKS, 2 * ELECTION_TICKS, true), 0, "{phase}");
    }
}

/// Node 3 loses the leader first, and so may campaign as soon as node 2 would vote: one election timeout after node 2
/// loses the leader too.
#[test]
fn a_follower_that_was_cut_off_before_the_others_is_early_all_the_same() {
    let mut cluster = at_phase(0, 2 * ELECTION_TICKS, true);
    cluster.cut.insert((1, 3));
    for _ in 0..ELECTION_TICKS {
        cluster.tick();
    }
    assert_eq!(cluster.node(1).raft.election_elapsed, 0);
    cluster.node(3).raft.set_randomized_election_timeout(2 * ELECTION_TICKS);
    cluster.node(2).raft.set_randomized_election_timeout(3 * ELECTION_TICKS - 1);
    cluster.cut.insert((1, 2));
    assert_eq!(cluster.count_stale_ticks(), ELECTION_TICKS);
}
