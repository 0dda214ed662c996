//! Resolution of a planned fault, with the state of the cluster at the moment of injection, to the nodes that it
//! hits. Pure. The rules that no more than a minority is taken down, and which node counts as the leader, are here.

use std::collections::BTreeSet;

use crate::fault::{Fault, ResolvedFault, Shape, Target};
use crate::grudge::{self, Direction};
use crate::node_id::NodeId;
use crate::random::Random;

/// State of the cluster when a fault is injected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClusterView<'a> {
    /// Nodes of the cluster, in order.
    pub(crate) nodes: &'a [NodeId],
    /// Current leader, as far as known.
    pub(crate) leader: Option<NodeId>,
    /// Nodes that are killed or paused now.
    pub(crate) down: &'a BTreeSet<NodeId>,
    /// Nodes with a skewed clock now.
    pub(crate) skewed: &'a BTreeSet<NodeId>,
}

/// Returns the node with the highest term among those that claim to lead, which is the only one that really can. A
/// deposed leader that does not know it yet loses to its successor.
pub fn leader_of(claims: &[(NodeId, u64)]) -> Option<NodeId> {
    claims.iter().max_by_key(|(node, term)| (*term, *node)).map(|(node, _)| *node)
}

/// Resolves `fault` to nodes; `draw` decides random choices.
///
/// # Errors
/// Returns the reason why the fault has to be skipped, in words.
pub(crate) fn resolve(fault: &Fault, draw: u64, view: &ClusterView<'_>) -> Result<ResolvedFault, String> {
    let mut random = Random::split(draw, "target");
    match *fault {
        Fault::Kill { target } => Ok(ResolvedFault::Kill { nodes: take_down(target, &mut random, view)? }),
        Fault::Pause { target } => Ok(ResolvedFault::Pause { nodes: take_down(target, &mut random, view)? }),
        Fault::Disk { target, fault } => {
            Ok(ResolvedFault::Disk { nodes: take_down(target, &mut random, view)?, fault })
        }
        Fault::Clock { target, rate, jump_ns } => {
            let nodes = pick(target, &mut random, view)?;
            if nodes.is_disjoint(view.skewed) {
                Ok(ResolvedFault::Clock { nodes, rate, jump_ns })
            } else {
                Err("its clock is skewed already".into())
            }
        }
        Fault::Partition { shape } => {
            let grudge = match shape {
                Shape::Isolate(target) => grudge::halves(view.nodes, &pick(target, &mut random, view)?),
                Shape::Halves => grudge::halves(view.nodes, &draw_half(&mut random, view.nodes)),
                Shape::OneWay => {
                    let node = view.nodes[random.below(view.nodes.len())];
                    let cut = [Direction::Outgoing, Direction::Incoming][random.below(2)];
                    grudge::one_way(view.nodes, node, cut)
                }
                Shape::Bridge => {
                    let order = shuffled(&mut random, view.nodes);
                    let side = order[1..=(order.len() - 1) / 2].iter().copied().collect();
                    grudge::bridge(view.nodes, &side, order[0])
                }
                Shape::Ring => grudge::ring(&shuffled(&mut random, view.nodes)),
            };
            if grudge.is_empty() {
                let count = view.nodes.len();
                let are = if count == 1 { "node is" } else { "nodes are" };
                return Err(format!("{count} {are} too few for it"));
            }
            Ok(ResolvedFault::Partition { shape, grudge })
        }
    }
}

/// Returns the nodes that a target refers to now.
fn pick(target: Target, random: &mut Random, view: &ClusterView<'_>) -> Result<BTreeSet<NodeId>, String> {
    let healthy: Vec<NodeId> = view.nodes.iter().copied().filter(|node| !view.down.contains(node)).collect();
    let leader = || view.leader.ok_or_else(|| String::from("no node claims to lead"));
    let nodes: Vec<NodeId> = match target {
        Target::Leader => vec![leader()?],
        Target::Skewed if view.skewed.is_empty() => vec![leader()?],
        Target::Skewed => view.skewed.iter().copied().collect(),
        Target::Random if healthy.is_empty() => vec![],
        Target::Random => vec![healthy[random.below(healthy.len())]],
        Target::Minority => shuffled(random, &healthy).into_iter().take(spare(view)).collect(),
        Target::All => view.nodes.to_vec(),
        Target::Node(node) if view.nodes.contains(&node) => vec![node],
        Target::Node(node) => return Err(format!("there is no {node}")),
    };
    if nodes.is_empty() { Err("no node is left for it".into()) } else { Ok(nodes.into_iter().collect()) }
}

/// Returns the nodes to kill or pause: none that is down already, and, unless requested by name, never more than a
/// minority.
fn take_down(target: Target, random: &mut Random, view: &ClusterView<'_>) -> Result<BTreeSet<NodeId>, String> {
    let nodes = pick(target, random, view)?;
    if let Some(node) = nodes.intersection(view.down).next() {
        return Err(format!("{node} is down already"));
    }
    let by_name = matches!(target, Target::All | Target::Node(_));
    if !by_name && nodes.len() > spare(view) {
        return Err("it would leave no majority".into());
    }
    Ok(nodes)
}

/// Returns the number of further nodes that the cluster can lose and still have a majority.
fn spare(view: &ClusterView<'_>) -> usize {
    ((view.nodes.len() - 1) / 2).saturating_sub(view.down.len())
}

fn draw_half(random: &mut Random, nodes: &[NodeId]) -> BTreeSet<NodeId> {
    shuffled(random, nodes).into_iter().take(nodes.len() / 2).collect()
}

fn shuffled(random: &mut Random, nodes: &[NodeId]) -> Vec<NodeId> {
    let mut order = nodes.to_vec();
    random.shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: BTreeSet<NodeId> = BTreeSet::new();

    fn nodes(count: u16) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    fn aim(
        fault: &Fault,
        count: u16,
        leader: Option<u16>,
        down: &[u16],
        skewed: &[u16],
    ) -> Result<ResolvedFault, String> {
        let set = |ids: &[u16]| ids.iter().copied().map(NodeId).collect::<BTreeSet<_>>();
        let (nodes, down, skewed) = (nodes(count), set(down), set(skewed));
        resolve(fault, 42, &ClusterView { nodes: &nodes, leader: leader.map(NodeId), down: &down, skewed: &skewed })
    }

    fn skip(why: &str) -> Result<ResolvedFault, String> {
        Err(why.into())
    }

    #[test]
    fn the_highest_term_leads() {
        assert_eq!(leader_of(&[(NodeId(1), 3), (NodeId(2), 5), (NodeId(3), 4)]), Some(NodeId(2)));
        assert_eq!(leader_of(&[]), None);
    }

    #[test]
    fn without_a_leader_a_fault_on_it_is_skipped() {
        for fault in [
            Fault::Kill { target: Target::Leader },
            Fault::Partition { shape: Shape::Isolate(Target::Leader) },
            Fault::Partition { shape: Shape::Isolate(Target::Skewed) },
        ] {
            assert_eq!(aim(&fault, 3, None, &[], &[]), skip("no node claims to lead"));
        }
    }

    #[test]
    fn no_more_than_a_minority_goes_down_unless_named() {
        let kill = |target| Fault::Kill { target };
        assert_eq!(aim(&kill(Target::Leader), 3, Some(1), &[2], &[]), skip("it would leave no majority"));
        assert_eq!(aim(&kill(Target::Random), 2, None, &[], &[]), skip("it would leave no majority"));
        assert_eq!(aim(&kill(Target::Minority), 5, None, &[1, 2], &[]), skip("no node is left for it"));
        assert_eq!(aim(&kill(Target::Leader), 5, Some(1), &[1], &[]), skip("n1 is down already"));
        assert_eq!(aim(&kill(Target::Node(NodeId(9))), 3, None, &[], &[]), skip("there is no n9"));
        let all = ResolvedFault::Kill { nodes: nodes(3).into_iter().collect() };
        assert_eq!(aim(&kill(Target::All), 3, None, &[], &[]), Ok(all));
        match aim(&Fault::Pause { target: Target::Minority }, 5, None, &[3], &[]) {
            Ok(ResolvedFault::Pause { nodes }) => assert!(nodes.len() == 1 && !nodes.contains(&NodeId(3)), "{nodes:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_isolated_node_is_the_one_whose_clock_was_bent() {
        let isolate = Fault::Partition { shape: Shape::Isolate(Target::Skewed) };
        let expected = |lone| {
            let shape = Shape::Isolate(Target::Skewed);
            Ok(ResolvedFault::Partition { shape, grudge: grudge::isolate(&nodes(3), NodeId(lone)) })
        };
        assert_eq!(aim(&isolate, 3, Some(1), &[], &[2]), expected(2));
        assert_eq!(aim(&isolate, 3, Some(1), &[], &[]), expected(1));
        let clock = Fault::Clock { target: Target::Leader, rate: 0.2, jump_ns: 0 };
        assert_eq!(aim(&clock, 3, Some(2), &[], &[2]), skip("its clock is skewed already"));
    }

    #[test]
    fn a_draw_is_repeatable_and_reaches_every_node() {
        let all = nodes(5);
        let view = ClusterView { nodes: &all, leader: None, down: &NONE, skewed: &NONE };
        let pause = Fault::Pause { target: Target::Random };
        let hit: BTreeSet<String> = (0..100).map(|draw| resolve(&pause, draw, &view).unwrap().to_string()).collect();
        assert_eq!(hit.len(), 5);
        assert_eq!(resolve(&pause, 3, &view), resolve(&pause, 3, &view));
    }

    #[test]
    fn every_shape_cuts_something_or_says_why_not() {
        for shape in [Shape::Halves, Shape::OneWay, Shape::Bridge, Shape::Ring, Shape::Isolate(Target::Random)] {
            let fault = Fault::Partition { shape };
            assert!(aim(&fault, 5, None, &[], &[]).is_ok(), "{shape:?}");
            assert_eq!(aim(&fault, 1, None, &[], &[]), skip("1 node is too few for it"), "{shape:?}");
        }
        let half = draw_half(&mut Random::split(1, "t"), &nodes(5));
        assert_eq!(half.len(), 2);
    }
}
