//! Packets to drop, as pure sets compared by equality. Only `network` carries them out. The shapes follow
//! Jepsen's `jepsen.nemesis` (complete grudge, bridge, majorities ring).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::node_id::{NodeId, names};

/// Map from each node that drops packets to the nodes whose packets it drops.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grudge(pub BTreeMap<NodeId, BTreeSet<NodeId>>);

impl Grudge {
    /// Builds the grudge in which `a` drops the packets of `b` if `drops(a, b)`, for all pairs of `nodes`.
    fn of(nodes: &[NodeId], drops: impl Fn(NodeId, NodeId) -> bool) -> Self {
        let mut grudge = BTreeMap::new();
        for &a in nodes {
            let dropped: BTreeSet<NodeId> = nodes.iter().copied().filter(|&b| a != b && drops(a, b)).collect();
            if !dropped.is_empty() {
                grudge.insert(a, dropped);
            }
        }
        Self(grudge)
    }

    /// Returns the two sides of a complete partition, in which nobody hears anybody of the other side; the smaller
    /// one first.
    fn sides(&self) -> Option<[&BTreeSet<NodeId>; 2]> {
        let (first, others) = self.0.first_key_value()?;
        let own = self.0.get(others.first()?)?;
        let complete = own.contains(first)
            && self.0.len() == own.len() + others.len()
            && own.iter().all(|node| self.0.get(node) == Some(others))
            && others.iter().all(|node| self.0.get(node) == Some(own));
        complete.then_some(if own.len() <= others.len() { [own, others] } else { [others, own] })
    }

    /// Returns those who drop packets, and those whose packets are dropped.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.0.iter().flat_map(|(node, dropped)| dropped.iter().chain([node])).copied()
    }

    /// Adds all that another grudge drops.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (node, dropped) in other.0 {
            self.0.entry(node).or_default().extend(dropped);
        }
        self
    }

    /// Returns true if no packet is dropped at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Grudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([few, many]) = self.sides() {
            return write!(f, "{} | {}", names(few), names(many));
        }
        let parts: Vec<String> =
            self.0.iter().map(|(node, dropped)| format!("{node} drops {}", names(dropped))).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Separates `lone` from the other nodes, in both directions.
pub fn isolate(nodes: &[NodeId], lone: NodeId) -> Grudge {
    halves(nodes, &BTreeSet::from([lone]))
}

/// Separates `one_side` from the rest, in both directions.
pub fn halves(nodes: &[NodeId], one_side: &BTreeSet<NodeId>) -> Grudge {
    Grudge::of(nodes, |a, b| one_side.contains(&a) != one_side.contains(&b))
}

/// Separates all nodes from each other.
pub fn all(nodes: &[NodeId]) -> Grudge {
    Grudge::of(nodes, |_, _| true)
}

/// Direction that a one-way partition cuts, seen from its one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Packets from the node to the others are dropped.
    Outgoing,
    /// Packets from the others to the node are dropped.
    Incoming,
}

/// Cuts only one direction between these nodes and all others.
pub fn one_way(nodes: &[NodeId], these: &BTreeSet<NodeId>, cut: Direction) -> Grudge {
    Grudge::of(nodes, |a, b| match cut {
        Direction::Outgoing => these.contains(&b) && !these.contains(&a),
        Direction::Incoming => these.contains(&a) && !these.contains(&b),
    })
}

/// Lets these nodes drop the packets of clients.
pub fn without_clients(these: &BTreeSet<NodeId>) -> Grudge {
    Grudge(these.iter().map(|node| (*node, BTreeSet::from([NodeId::CLIENTS]))).collect())
}

/// Lets these nodes alone drop packets: each of a pair those of the second, its sender.
pub fn directed(pairs: impl IntoIterator<Item = (NodeId, NodeId)>) -> Grudge {
    let mut grudge = Grudge::default();
    for (to, from) in pairs {
        grudge.0.entry(to).or_default().insert(from);
    }
    grudge
}

/// Separates the sides as [`halves`] does, but `bridge` hears both sides and is heard by both.
pub fn bridge(nodes: &[NodeId], one_side: &BTreeSet<NodeId>, bridge: NodeId) -> Grudge {
    Grudge::of(nodes, |a, b| a != bridge && b != bridge && one_side.contains(&a) != one_side.contains(&b))
}

/// Lets each node, in the given order around a ring, hear only its nearest neighbours: together with itself the
/// smallest majority with as many nodes on the left as on the right. Empty below four nodes.
pub fn ring(order: &[NodeId]) -> Grudge {
    let reach = (order.len() / 2).div_ceil(2);
    let place: BTreeMap<NodeId, usize> = order.iter().enumerate().map(|(i, &node)| (node, i)).collect();
    Grudge::of(order, |a, b| {
        let apart = place[&a].abs_diff(place[&b]);
        apart.min(order.len() - apart) > reach
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u16) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    fn check(grudge: &Grudge, expected: &str) {
        assert_eq!(grudge.to_string(), expected);
    }

    #[test]
    fn isolation_cuts_both_directions() {
        check(&isolate(&nodes(3), NodeId(2)), "n2 | n1 n3");
        check(&isolate(&nodes(1), NodeId(1)), "");
        check(&all(&nodes(3)), "n1 drops n2 n3, n2 drops n1 n3, n3 drops n1 n2");
    }

    #[test]
    fn halves_do_not_hear_each_other() {
        let side = BTreeSet::from([NodeId(1), NodeId(4)]);
        check(&halves(&nodes(5), &side), "n1 n4 | n2 n3 n5");
    }

    #[test]
    fn one_way_leaves_the_other_direction_open() {
        let these = BTreeSet::from([NodeId(1)]);
        check(&one_way(&nodes(3), &these, Direction::Outgoing), "n2 drops n1, n3 drops n1");
        check(&one_way(&nodes(3), &these, Direction::Incoming), "n1 drops n2 n3");
        let these = BTreeSet::from([NodeId(1), NodeId(2)]);
        check(&one_way(&nodes(4), &these, Direction::Incoming), "n1 drops n3 n4, n2 drops n3 n4");
    }

    #[test]
    fn clients_are_cut_off_beside_peers_or_alone() {
        let these = BTreeSet::from([NodeId(2)]);
        check(&without_clients(&these), "n2 drops clients");
        let both = halves(&nodes(3), &these).and(without_clients(&these));
        check(&both, "n1 drops n2, n2 drops clients n1 n3, n3 drops n2");
    }

    #[test]
    fn directions_are_cut_one_by_one() {
        check(
            &directed([(NodeId(1), NodeId(2)), (NodeId(3), NodeId(1)), (NodeId(1), NodeId(3))]),
            "n1 drops n2 n3, n3 drops n1",
        );
        check(&directed([]), "");
    }

    #[test]
    fn a_bridge_hears_both_sides() {
        let side = BTreeSet::from([NodeId(1), NodeId(2)]);
        check(&bridge(&nodes(5), &side, NodeId(3)), "n1 n2 | n4 n5");
    }

    #[test]
    fn in_a_ring_every_node_sees_a_majority_and_no_two_the_same() {
        check(&ring(&nodes(5)), "n1 drops n3 n4, n2 drops n4 n5, n3 drops n1 n5, n4 drops n1 n2, n5 drops n2 n3");
        assert!(ring(&nodes(3)).is_empty());
        for count in 4..=9 {
            let all = nodes(count);
            let grudge = ring(&all);
            let seen: BTreeSet<BTreeSet<NodeId>> = all
                .iter()
                .map(|node| all.iter().copied().filter(|other| !grudge.0[node].contains(other)).collect())
                .collect();
            assert_eq!(seen.len(), all.len(), "{count} nodes: two see the same");
            assert!(seen.iter().all(|view| view.len() > all.len() / 2), "{count} nodes: one sees no majority");
            for (a, dropped) in &grudge.0 {
                assert!(dropped.iter().all(|b| grudge.0[b].contains(a)), "{count} nodes: {a} is cut one way");
            }
        }
    }
}
