//! Networks that stay broken in one shape: whichever links are cut, each direction on its own, some node leads and
//! commits as long as the paper allows any to be elected at all.
//!
//! The paper allows it if some node can exchange messages in both directions with enough others for a majority whose
//! logs are not ahead of its own (§5.2, §5.4.1). If no node can, nothing may be committed either, and the cluster
//! recovers when the links do.

use std::collections::BTreeSet;

use node::raft::{Elections, NodeId};

use super::{
    cluster::Cluster,
    faults::{Chance, ELECTION_TIMEOUT, Faults, MS},
};

const TIMEOUT: u64 = ELECTION_TIMEOUT.as_secs() * 1_000 * MS + ELECTION_TIMEOUT.subsec_nanos() as u64;
/// Time that a cluster may need to find its leader: some elections, of which several may fail.
const SETTLE: u64 = 20 * TIMEOUT;
/// Time of observation after that; longer than any pause between two elections that depose each other.
const WATCH: u64 = 10 * TIMEOUT;

/// Cut links, each direction on its own, between places; place 0 is the node that leads when they are cut.
type Shape = BTreeSet<(usize, usize)>;

/// Outcome of a shape.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Entries are committed to the end of the observation.
    Commits,
    /// Elections cannot succeed because of §5.4.1.
    NobodyCanLead,
}

/// Cuts links of a running cluster in one shape for a long time, and heals them at the end.
fn endure(nodes: usize, shape: &Shape, elections: Elections, busy: bool, seed: u64) -> Outcome {
    let faults = Faults { elections, ..Faults::none() };
    let faults = Faults { writes: if busy { 400 } else { 0 }, clients_every: 20 * MS, ..faults };
    let mut cluster = Cluster::without_faults(nodes, seed, faults);
    let settled = cluster.run_until(60 * TIMEOUT, Cluster::is_settled);
    assert!(settled, "a cluster that nobody disturbs has a leader: {}", cluster.describe());
    let leader = cluster.leader().expect("settled");
    // The leader is at place 0, and the others follow in the order of their numbers.
    let mut places: Vec<usize> = (0..nodes).filter(|&host| host != leader).collect();
    places.insert(0, leader);
    let id = |place: usize| NodeId(places[place] as u64 + 1);
    cluster.cut = shape.iter().map(|&(from, to)| (id(from), id(to))).collect();
    cluster.run_for(SETTLE);
    cluster.faults.writes = 400;
    let before = cluster.oracle.acknowledged;
    cluster.run_for(WATCH);
    let commits = cluster.oracle.acknowledged > before;
    let electable = cluster.somebody_can_be_elected();
    let shown = || format!("{shape:?}, leader {}, {}", id(0), cluster.describe());
    assert!(commits || !electable, "somebody could lead, but nobody commits: {}", shown());
    let outcome = if commits { Outcome::Commits } else { Outcome::NobodyCanLead };
    cluster.run(0);
    outcome
}

/// Returns the shape of `nodes` nodes whose cut links are the set bits of `bits`.
fn directed(nodes: usize, bits: u64) -> Shape {
    let links = (0..nodes).flat_map(|from| (0..nodes).filter(move |&to| to != from).map(move |to| (from, to)));
    links.enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, link)| link).collect()
}

/// Returns the same with links that are cut in both directions.
fn symmetric(nodes: usize, bits: u64) -> Shape {
    let links = (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to)));
    let cut = links.enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, link)| link);
    cut.flat_map(|(from, to)| [(from, to), (to, from)]).collect()
}

/// Returns true if some place can exchange messages in both directions with a majority, itself included.
fn has_a_centre(nodes: usize, shape: &Shape) -> bool {
    let meet = |a: usize, b: usize| a == b || !(shape.contains(&(a, b)) || shape.contains(&(b, a)));
    (0..nodes).any(|place| (0..nodes).filter(|&other| meet(place, other)).count() > nodes / 2)
}

/// Tests shapes under both kinds of elections, idle and under load. When idle, nobody writes until a new leader is
/// found, so logs are equal and the shape alone decides.
fn endure_all(nodes: usize, shapes: impl Iterator<Item = Shape>) {
    let (mut commits, mut runs) = (0, 0);
    for (seed, shape) in (0..).zip(shapes) {
        for elections in [Elections::Basic, Elections::CheckQuorum] {
            let quiet = endure(nodes, &shape, elections, false, seed);
            let expected = if has_a_centre(nodes, &shape) { Outcome::Commits } else { Outcome::NobodyCanLead };
            assert_eq!(quiet, expected, "{elections:?}, {shape:?}");
            let busy = endure(nodes, &shape, elections, true, seed);
            commits += u32::from(quiet == Outcome::Commits) + u32::from(busy == Outcome::Commits);
            runs += 2;
        }
    }
    println!("{nodes} nodes: {commits} of {runs} commit");
    assert!(commits > 0);
}

#[test]
fn no_shape_of_three_nodes_leaves_them_without_a_leader_for_ever() {
    endure_all(3, (0..1 << 6).map(|bits| directed(3, bits)));
}

/// Tests all symmetric shapes of five nodes that differ by more than the names of the followers.
#[test]
fn no_symmetric_shape_of_five_nodes_leaves_them_without_a_leader_for_ever() {
    let mut known = BTreeSet::new();
    let different = (0..1 << 10).map(|bits| symmetric(5, bits)).filter(|shape| known.insert(least_renaming(shape)));
    endure_all(5, different.collect::<Vec<_>>().into_iter());
}

/// Tests random shapes of five nodes with links cut in one or both directions.
#[test]
fn no_lopsided_shape_of_five_nodes_leaves_them_without_a_leader_for_ever() {
    let mut chance = Chance::new(7);
    endure_all(5, (0..60).map(|_| directed(5, chance.below(1 << 20) & chance.below(1 << 20))));
}

/// Tests shapes that real networks are known to take, by name.
#[test]
fn bridge_star_ring_and_deaf_nodes_have_a_leader() {
    let both = |links: &[(usize, usize)]| links.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect::<Shape>();
    let without = |kept: &[(usize, usize)]| {
        let kept = both(kept);
        directed(5, (1 << 20) - 1).into_iter().filter(|link| !kept.contains(link)).collect::<Shape>()
    };
    let to = |place: usize| (0..5).filter(|&other| other != place).map(|other| (other, place)).collect::<Shape>();
    let from = |place: usize| (0..5).filter(|&other| other != place).map(|other| (place, other)).collect::<Shape>();
    let shapes = [
        ("a bridge, with the leader on one side", without(&[(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)])),
        ("a bridge, which leads", without(&[(1, 2), (0, 1), (0, 2), (0, 3), (0, 4), (3, 4)])),
        ("a star, with the leader at its rim", without(&[(1, 0), (1, 2), (1, 3), (1, 4)])),
        ("a star around the leader", without(&[(0, 1), (0, 2), (0, 3), (0, 4)])),
        ("a ring", without(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])),
        ("a chain", without(&[(0, 1), (1, 2), (2, 3), (3, 4)])),
        ("a leader that hears nobody but is heard", to(0)),
        ("a leader that is not heard but hears", from(0)),
        ("a follower that hears nobody but is heard", to(3)),
        ("a follower that is not heard but hears", from(3)),
        ("a leader without anybody", to(0).into_iter().chain(from(0)).collect()),
        ("two that do not hear each other", both(&[(0, 1)])),
        ("a leader that one hears and two cannot tell", [(1, 0), (2, 0), (3, 0), (0, 4), (4, 0)].into()),
    ];
    for (name, shape) in shapes {
        let both = [Elections::Basic, Elections::CheckQuorum];
        for (elections, busy) in both.into_iter().flat_map(|elections| [(elections, false), (elections, true)]) {
            for seed in 0..3 {
                println!("{name}, {elections:?}, busy {busy}, seed {seed}");
                let outcome = endure(5, &shape, elections, busy, seed);
                assert!(busy || outcome == Outcome::Commits, "{name}");
            }
        }
    }
}

/// Returns the least of the shapes that differ only by the names of the followers.
fn least_renaming(shape: &Shape) -> Shape {
    let mut least = shape.clone();
    for number in 0..24_usize {
        let mut left = vec![1, 2, 3, 4];
        let mut names = vec![0];
        for (length, step) in [(4, number / 6), (3, number / 2 % 3), (2, number % 2), (1, 0)] {
            names.push(left.remove(step.min(length - 1)));
        }
        let renamed = shape.iter().map(|&(from, to)| (names[from], names[to])).collect();
        least = least.min(renamed);
    }
    least
}
