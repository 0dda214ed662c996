//! Tests of aiming.

use super::*;
use crate::clock::Skew;

static NONE: BTreeSet<NodeId> = BTreeSet::new();

fn nodes(count: u16) -> Vec<NodeId> {
    (1..=count).map(NodeId).collect()
}

fn view(nodes: &[NodeId]) -> ClusterView<'_> {
    ClusterView { nodes, spares: &[], leaders: Leaders::default(), down: &NONE, starved: &NONE, skewed: &NONE }
}

fn aim(fault: &Fault, count: u16, leader: Option<u16>, down: &[u16], skewed: &[u16]) -> Result<ResolvedFault, String> {
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
    let followers: BTreeSet<String> = (0..50).map(|draw| pause(Target::Follower, draw).unwrap().to_string()).collect();
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
