//! Resolution of a planned fault, with the state of the cluster at the moment of injection, to the nodes that it
//! hits. Pure. The rules that no more than a minority is taken down, and which node counts as the leader, are here.

use std::collections::BTreeSet;

use crate::fault::{Fault, ResolvedFault};
use crate::grudge::{self, Direction, Grudge};
use crate::links::Links;
use crate::members::{MemberChange, MemberRequest};
use crate::node_id::NodeId;
use crate::packet::PacketFault;
use crate::random::Random;
use crate::shape::Shape;
use crate::target::Target;

/// Knowledge of who leads when a fault is injected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaders {
    /// Current leader, as far as known.
    pub current: Option<NodeId>,
    /// Node that led before it and has been replaced, as far as known.
    pub deposed: Option<NodeId>,
}

impl Leaders {
    /// Returns what follows from the claims to lead, each with its term.
    pub fn of(mut claims: Vec<(NodeId, u64)>) -> Self {
        let current = leader_of(&claims);
        let term = claims.iter().find(|(id, _)| Some(*id) == current).map(|(_, term)| *term);
        claims.retain(|(_, older)| Some(*older) < term);
        Self { current, deposed: leader_of(&claims) }
    }

    /// Returns true if they are known as far as this fault needs.
    pub fn suffice_for(self, fault: &Fault) -> bool {
        if fault.needs_deposed_leader() { self.deposed } else { self.current }.is_some()
    }
}

/// Number of members that are always left.
const FEWEST_MEMBERS: usize = 2;

/// State of the cluster when a fault is injected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClusterView<'a> {
    /// Members of the cluster, in order.
    pub(crate) nodes: &'a [NodeId],
    /// Nodes that are no members, because they never were or were removed.
    pub(crate) spares: &'a [NodeId],
    pub(crate) leaders: Leaders,
    /// Nodes that are killed, paused or being restarted now.
    pub(crate) down: &'a BTreeSet<NodeId>,
    /// Nodes that are starved now.
    pub(crate) starved: &'a BTreeSet<NodeId>,
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
        Fault::Restart { target } => Ok(ResolvedFault::Restart { nodes: take_down(target, &mut random, view)? }),
        Fault::Starve { target, cpu_percent, period_ms } => {
            let nodes = pick_free(target, &mut random, view)?;
            Ok(ResolvedFault::Starve { nodes, cpu_percent, period_ms })
        }
        Fault::Clock { target, skew } => {
            let nodes = pick(target, &mut random, view, view.down)?;
            check_clocks(&nodes, view)?;
            Ok(ResolvedFault::Clock { nodes, skew })
        }
        Fault::Members { target, change } => {
            Ok(ResolvedFault::Members { request: request(change, target, &mut random, view)? })
        }
        Fault::Partition { shape } => Ok(ResolvedFault::Partition { shape, grudge: divide(shape, &mut random, view)? }),
        Fault::Packets { shape, fault } => {
            let links = Links::cut_by(&divide(shape, &mut random, view)?);
            check_links(&links, fault)?;
            Ok(ResolvedFault::Packets { shape, links, fault })
        }
    }
}

/// Checks that a fault which was resolved before, in another run or at another time, can be injected now.
///
/// # Errors
/// Returns the reason why it has to be skipped, in words.
pub(crate) fn check_again(fault: &ResolvedFault, view: &ClusterView<'_>) -> Result<(), String> {
    let nodes: BTreeSet<NodeId> = match fault {
        ResolvedFault::Partition { grudge, .. } => grudge.nodes().collect(),
        ResolvedFault::Packets { links, .. } => links.ends().collect(),
        other => other.nodes().collect(),
    };
    let is_known = |node: &NodeId| *node == NodeId::CLIENTS || view.nodes.contains(node) || view.spares.contains(node);
    if let Some(node) = nodes.iter().find(|node| !is_known(node)) {
        return Err(format!("there is no {node}"));
    }
    match fault {
        ResolvedFault::Partition { .. } => Ok(()),
        ResolvedFault::Packets { links, fault, .. } => check_links(links, *fault),
        ResolvedFault::Members { request } => check_request(*request, view),
        ResolvedFault::Clock { .. } => check_clocks(&nodes, view),
        ResolvedFault::Kill { .. }
        | ResolvedFault::Pause { .. }
        | ResolvedFault::Restart { .. }
        | ResolvedFault::Starve { .. }
        | ResolvedFault::Disk { .. } => check_free(&nodes, view),
    }
}

/// Checks that packets on these links can be at fault so.
fn check_links(links: &Links, fault: PacketFault) -> Result<(), String> {
    if fault.forges_data() && links.ends().any(|end| end == NodeId::CLIENTS) {
        return Err("it would change what clients say and see, for which no system can answer".into());
    }
    Ok(())
}

/// Returns who drops whose packets in a partition of this shape, which is somebody.
fn divide(shape: Shape, random: &mut Random, view: &ClusterView<'_>) -> Result<Grudge, String> {
    let grudge = divide_as(shape, random, view)?;
    if !grudge.is_empty() {
        return Ok(grudge);
    }
    let count = view.nodes.len();
    if shape.target() == Some(Target::All) && count > 1 {
        return Err("nobody is left to be cut off from".into());
    }
    Err(format!("{count} {} too few for it", if count == 1 { "node is" } else { "nodes are" }))
}

fn divide_as(shape: Shape, random: &mut Random, view: &ClusterView<'_>) -> Result<Grudge, String> {
    let mut these = |target| pick(target, random, view, view.down);
    let nodes = view.nodes;
    Ok(match shape {
        Shape::Isolate(target) => grudge::halves(nodes, &these(target)?),
        Shape::CutOff(target) => {
            let lone = these(target)?;
            grudge::halves(nodes, &lone).and(grudge::without_clients(&lone))
        }
        Shape::Clients(target) => grudge::without_clients(&these(target)?),
        Shape::Mute(target) => grudge::one_way(nodes, &these(target)?, Direction::Outgoing),
        Shape::Deaf(target) => grudge::one_way(nodes, &these(target)?, Direction::Incoming),
        Shape::Halves => grudge::halves(nodes, &draw_half(random, nodes)),
        Shape::LeaderInMinority => {
            let leader = leader(view)?;
            let others: Vec<NodeId> = nodes.iter().copied().filter(|node| *node != leader).collect();
            let minority = nodes.len().saturating_sub(1) / 2;
            let followers = shuffled(random, &others).into_iter().take(minority.saturating_sub(1));
            grudge::halves(nodes, &followers.chain([leader]).collect())
        }
        Shape::OneWay => {
            let node = nodes[random.below(nodes.len())];
            let cut = [Direction::Outgoing, Direction::Incoming][random.below(2)];
            grudge::one_way(nodes, &BTreeSet::from([node]), cut)
        }
        Shape::Pair => match shuffled(random, nodes)[..] {
            [a, b, ..] => grudge::directed([(a, b), (b, a)]),
            _ => Grudge::default(),
        },
        Shape::Bridge => {
            let order = shuffled(random, nodes);
            let side = order[1..=(order.len() - 1) / 2].iter().copied().collect();
            grudge::bridge(nodes, &side, order[0])
        }
        Shape::Ring => grudge::ring(&shuffled(random, nodes)),
        Shape::AllLinks => grudge::all(nodes),
        Shape::RandomDirected => {
            let pairs = nodes.iter().flat_map(|to| nodes.iter().map(move |from| (*to, *from)));
            let mut pairs: Vec<_> = pairs.filter(|(to, from)| to != from).collect();
            random.shuffle(&mut pairs);
            // The first is cut in any case.
            let cut = pairs.into_iter().enumerate().filter(|(place, _)| *place == 0 || random.below(2) == 0);
            grudge::directed(cut.map(|(_, pair)| pair).collect::<Vec<_>>())
        }
    })
}

fn leader(view: &ClusterView<'_>) -> Result<NodeId, String> {
    view.leaders.current.ok_or_else(|| "no node claims to lead".into())
}

/// Returns the nodes that a target refers to now; random ones are never among the excluded.
fn pick(
    target: Target,
    random: &mut Random,
    view: &ClusterView<'_>,
    excluded: &BTreeSet<NodeId>,
) -> Result<BTreeSet<NodeId>, String> {
    let healthy: Vec<NodeId> = view.nodes.iter().copied().filter(|node| !excluded.contains(node)).collect();
    let nodes: Vec<NodeId> = match target {
        Target::Leader => vec![leader(view)?],
        Target::DeposedLeader => vec![view.leaders.deposed.ok_or("no leader has been deposed")?],
        Target::Skewed if view.skewed.is_empty() => vec![leader(view)?],
        Target::Skewed => view.skewed.iter().copied().collect(),
        Target::Random => draw_one(random, &healthy),
        Target::Follower => {
            let leader = leader(view)?;
            draw_one(random, &healthy.into_iter().filter(|node| *node != leader).collect::<Vec<_>>())
        }
        Target::Minority => shuffled(random, &healthy).into_iter().take(spare(view)).collect(),
        Target::Majority => {
            let majority = view.nodes.len() / 2 + 1;
            shuffled(random, &healthy).into_iter().take(if healthy.len() < majority { 0 } else { majority }).collect()
        }
        Target::All => view.nodes.to_vec(),
        Target::Node(node) if view.nodes.contains(&node) || view.spares.contains(&node) => vec![node],
        Target::Node(node) => return Err(format!("there is no {node}")),
    };
    if nodes.is_empty() { Err("no node is left for it".into()) } else { Ok(nodes.into_iter().collect()) }
}

/// Returns nodes whose processes no other fault has hit.
fn pick_free(target: Target, random: &mut Random, view: &ClusterView<'_>) -> Result<BTreeSet<NodeId>, String> {
    let hit = view.down.union(view.starved).copied().collect();
    let nodes = pick(target, random, view, &hit)?;
    check_free(&nodes, view)?;
    Ok(nodes)
}

/// Returns the nodes to kill, pause or restart: none that another fault has hit, and, unless requested by name, never
/// more than a minority.
/// Aims a change of the members: at one node, and at a spare one for an addition.
fn request(
    change: MemberChange,
    target: Target,
    random: &mut Random,
    view: &ClusterView<'_>,
) -> Result<MemberRequest, String> {
    let mut spare = || {
        let up: Vec<NodeId> = view.spares.iter().copied().filter(|node| !view.down.contains(node)).collect();
        draw_one(random, &up).pop().ok_or("no spare node is left")
    };
    let request = match change {
        MemberChange::Add => MemberRequest::Add(spare()?),
        MemberChange::Replace => {
            let new = spare()?;
            MemberRequest::Replace { old: pick_member(target, random, view)?, new }
        }
        MemberChange::Remove => MemberRequest::Remove(pick_member(target, random, view)?),
        MemberChange::Transfer => MemberRequest::Transfer(pick_member(target, random, view)?),
    };
    check_request(request, view).map(|()| request)
}

fn pick_member(target: Target, random: &mut Random, view: &ClusterView<'_>) -> Result<NodeId, String> {
    let nodes = pick(target, random, view, view.down)?;
    match nodes.first() {
        Some(node) if nodes.len() == 1 => Ok(*node),
        _ => Err("it takes one node at a time".into()),
    }
}

/// Checks that the members can be changed so, and that a majority of those that stay is up.
fn check_request(request: MemberRequest, view: &ClusterView<'_>) -> Result<(), String> {
    let removed = match request {
        MemberRequest::Add(node) | MemberRequest::Replace { new: node, .. } if view.nodes.contains(&node) => {
            return Err(format!("{node} is a member already"));
        }
        MemberRequest::Remove(node) | MemberRequest::Replace { old: node, .. } | MemberRequest::Transfer(node)
            if !view.nodes.contains(&node) =>
        {
            return Err(format!("{node} is no member"));
        }
        MemberRequest::Transfer(node) if view.leaders.current == Some(node) => {
            return Err(format!("{node} leads already"));
        }
        MemberRequest::Add(_) | MemberRequest::Transfer(_) | MemberRequest::Replace { .. } => return Ok(()),
        MemberRequest::Remove(node) => node,
    };
    let rest = || view.nodes.iter().filter(|node| **node != removed);
    let up = rest().filter(|node| !view.down.contains(node)).count();
    if rest().count() < FEWEST_MEMBERS {
        return Err(format!("fewer than {FEWEST_MEMBERS} members would be left"));
    }
    if up * 2 > rest().count() { Ok(()) } else { Err("it would leave no majority".into()) }
}

fn take_down(target: Target, random: &mut Random, view: &ClusterView<'_>) -> Result<BTreeSet<NodeId>, String> {
    let nodes = pick_free(target, random, view)?;
    let by_name = matches!(target, Target::Majority | Target::All | Target::Node(_));
    if !by_name && nodes.len() > spare(view) {
        return Err("it would leave no majority".into());
    }
    Ok(nodes)
}

fn check_free(nodes: &BTreeSet<NodeId>, view: &ClusterView<'_>) -> Result<(), String> {
    let hit = |by: &BTreeSet<NodeId>| nodes.intersection(by).next().copied();
    match (hit(view.down), hit(view.starved)) {
        (Some(node), _) => Err(format!("{node} is down already")),
        (None, Some(node)) => Err(format!("{node} is starved already")),
        (None, None) => Ok(()),
    }
}

fn check_clocks(nodes: &BTreeSet<NodeId>, view: &ClusterView<'_>) -> Result<(), String> {
    if nodes.is_disjoint(view.skewed) { Ok(()) } else { Err("its clock is skewed already".into()) }
}

/// Returns the number of further nodes that the cluster can lose and still have a majority.
fn spare(view: &ClusterView<'_>) -> usize {
    ((view.nodes.len() - 1) / 2).saturating_sub(view.down.len())
}

fn draw_one(random: &mut Random, nodes: &[NodeId]) -> Vec<NodeId> {
    if nodes.is_empty() { vec![] } else { vec![nodes[random.below(nodes.len())]] }
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
    use crate::clock::Skew;

    static NONE: BTreeSet<NodeId> = BTreeSet::new();

    fn nodes(count: u16) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    fn view(nodes: &[NodeId]) -> ClusterView<'_> {
        ClusterView { nodes, spares: &[], leaders: Leaders::default(), down: &NONE, starved: &NONE, skewed: &NONE }
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
        let leaders = Leaders { current: leader.map(NodeId), deposed: None };
        resolve(fault, 42, &ClusterView { leaders, down: &down, skewed: &skewed, ..view(&nodes) })
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
        let clock = Fault::Clock { target: Target::Leader, skew: Skew::NONE };
        assert_eq!(aim(&clock, 3, Some(2), &[], &[2]), skip("its clock is skewed already"));
    }

    #[test]
    fn a_draw_is_repeatable_and_reaches_every_node() {
        let all = nodes(5);
        let view = view(&all);
        let pause = Fault::Pause { target: Target::Random };
        let hit: BTreeSet<String> = (0..100).map(|draw| resolve(&pause, draw, &view).unwrap().to_string()).collect();
        assert_eq!(hit.len(), 5);
        assert_eq!(resolve(&pause, 3, &view), resolve(&pause, 3, &view));
    }

    #[test]
    fn every_shape_cuts_something_or_says_why_not() {
        let random = [Shape::Isolate, Shape::CutOff, Shape::Mute, Shape::Deaf].map(|shape| shape(Target::Random));
        let fixed = [Shape::Halves, Shape::OneWay, Shape::Bridge, Shape::Ring, Shape::Pair, Shape::RandomDirected];
        for shape in random.into_iter().chain(fixed).chain([Shape::LeaderInMinority]) {
            let fault = Fault::Partition { shape };
            assert!(aim(&fault, 5, Some(1), &[], &[]).is_ok(), "{shape:?}");
            let of_one = aim(&fault, 1, Some(1), &[], &[]);
            let cuts_clients = matches!(shape, Shape::CutOff(_));
            assert_eq!(of_one.is_err(), !cuts_clients, "{shape:?}: {of_one:?}");
            assert!(cuts_clients || of_one == skip("1 node is too few for it"), "{shape:?}: {of_one:?}");
        }
        let all = Fault::Partition { shape: Shape::Isolate(Target::All) };
        assert_eq!(aim(&all, 3, None, &[], &[]), skip("nobody is left to be cut off from"));
        let half = draw_half(&mut Random::split(1, "t"), &nodes(5));
        assert_eq!(half.len(), 2);
    }

    #[test]
    fn the_leader_and_its_minority_face_a_majority() {
        for count in 2..=9 {
            let fault = Fault::Partition { shape: Shape::LeaderInMinority };
            let Ok(ResolvedFault::Partition { grudge, .. }) = aim(&fault, count, Some(2), &[], &[]) else {
                panic!("{count} nodes")
            };
            let against = grudge.0[&NodeId(2)].len();
            assert_eq!(against, usize::from(count) - (usize::from(count - 1) / 2).max(1), "{count} nodes: {grudge}");
        }
    }

    #[test]
    fn random_directions_differ_and_are_at_least_one() {
        let nodes = nodes(3);
        let fault = Fault::Partition { shape: Shape::RandomDirected };
        let drawn: BTreeSet<String> =
            (0..200).map(|draw| resolve(&fault, draw, &view(&nodes)).unwrap().to_string()).collect();
        assert!((30..=63).contains(&drawn.len()), "{}", drawn.len());
    }

    #[test]
    fn followers_majorities_and_deposed_leaders_are_found() {
        let nodes = nodes(5);
        let leaders = Leaders { current: Some(NodeId(2)), deposed: Some(NodeId(4)) };
        let view = ClusterView { leaders, ..view(&nodes) };
        let pause = |target, draw| resolve(&Fault::Pause { target }, draw, &view);
        let deposed = ResolvedFault::Pause { nodes: BTreeSet::from([NodeId(4)]) };
        assert_eq!(pause(Target::DeposedLeader, 0), Ok(deposed));
        let followers: BTreeSet<String> =
            (0..50).map(|draw| pause(Target::Follower, draw).unwrap().to_string()).collect();
        assert_eq!(followers, ["pause n1", "pause n3", "pause n4", "pause n5"].map(String::from).into());
        let majority = pause(Target::Majority, 1).unwrap();
        assert_eq!(majority.nodes().count(), 3);
        let ClusterView { leaders, .. } = ClusterView { leaders: Leaders::default(), ..view };
        let nobody = ClusterView { leaders, ..view };
        let resolve = |target| resolve(&Fault::Pause { target }, 0, &nobody);
        assert_eq!(resolve(Target::DeposedLeader), skip("no leader has been deposed"));
        assert_eq!(resolve(Target::Follower), skip("no node claims to lead"));
    }

    #[test]
    fn a_starved_node_is_hit_by_nothing_else_and_is_not_down() {
        let nodes = nodes(3);
        let starved = BTreeSet::from([NodeId(1), NodeId(2)]);
        let view = ClusterView { starved: &starved, ..view(&nodes) };
        let kill = |target| resolve(&Fault::Kill { target }, 0, &view);
        assert_eq!(kill(Target::Node(NodeId(1))), skip("n1 is starved already"));
        assert_eq!(kill(Target::Random), Ok(ResolvedFault::Kill { nodes: BTreeSet::from([NodeId(3)]) }));
    }

    #[test]
    fn members_are_changed_one_at_a_time_and_never_beyond_a_majority() {
        let (nodes, spares, down) = (nodes(3), [NodeId(4)], BTreeSet::from([NodeId(2)]));
        let leaders = Leaders { current: Some(NodeId(1)), deposed: None };
        let view = ClusterView { leaders, spares: &spares, ..view(&nodes) };
        let change = |target, change, view| match resolve(&Fault::Members { target, change }, 0, view) {
            Ok(ResolvedFault::Members { request }) => Ok(request.to_string()),
            Ok(other) => panic!("{other}"),
            Err(why) => Err(why),
        };
        let (n2, said) = (Target::Node(NodeId(2)), |words: &str| Ok(words.to_owned()));
        assert_eq!(change(Target::Random, MemberChange::Add, &view), said("add n4"));
        assert_eq!(change(Target::Leader, MemberChange::Remove, &view), said("remove n1"));
        assert_eq!(change(n2, MemberChange::Replace, &view), said("replace n2 by n4"));
        assert_eq!(change(n2, MemberChange::Transfer, &view), said("transfer the leadership to n2"));
        let refused = |why: &str| Err(why.to_owned());
        assert_eq!(change(Target::Leader, MemberChange::Transfer, &view), refused("n1 leads already"));
        assert_eq!(change(Target::All, MemberChange::Remove, &view), refused("it takes one node at a time"));
        assert_eq!(change(Target::Node(NodeId(4)), MemberChange::Remove, &view), refused("n4 is no member"));
        let alone = ClusterView { spares: &[], ..view };
        assert_eq!(change(Target::Random, MemberChange::Add, &alone), refused("no spare node is left"));
        let hit = ClusterView { down: &down, ..view };
        assert_eq!(change(Target::Leader, MemberChange::Remove, &hit), refused("it would leave no majority"));
        assert_eq!(
            change(Target::Random, MemberChange::Remove, &ClusterView { nodes: &nodes[..2], ..view }),
            refused("fewer than 2 members would be left")
        );
    }

    #[test]
    fn what_was_resolved_before_is_checked_again() {
        let nodes = nodes(3);
        let down = BTreeSet::from([NodeId(1)]);
        let view = ClusterView { down: &down, skewed: &down, ..view(&nodes) };
        let set = |id| BTreeSet::from([NodeId(id)]);
        let clock = |id| ResolvedFault::Clock { nodes: set(id), skew: Skew::NONE };
        let cut = |id| {
            let grudge = grudge::without_clients(&set(id));
            ResolvedFault::Partition { shape: Shape::Clients(Target::Random), grudge }
        };
        for (fault, expected) in [
            (ResolvedFault::Kill { nodes: set(1) }, Err("n1 is down already")),
            (ResolvedFault::Kill { nodes: set(2) }, Ok(())),
            (ResolvedFault::Pause { nodes: set(4) }, Err("there is no n4")),
            (clock(1), Err("its clock is skewed already")),
            (clock(2), Ok(())),
            (cut(3), Ok(())),
            (cut(4), Err("there is no n4")),
        ] {
            assert_eq!(check_again(&fault, &view), expected.map_err(String::from), "{fault}");
        }
    }
}
