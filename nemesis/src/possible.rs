//! Check whether faults can work at all in a cluster of a given size. It uses the code that resolves targets, so that
//! the two cannot differ.

use thiserror::Error;

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::net::MOST_HOSTS;
use crate::node_id::NodeId;
use crate::planned::PlannedFault;
use crate::resolve::Leaders;
use crate::shape::Shape;
use crate::spec::FaultSpec;
use crate::target::{TARGETS, Target};
use crate::turns::{FaultSpecs, Turn};

/// Fault that would be skipped at any time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{fault}` cannot work with {nodes} node{}: {why}; {alternative}", if *nodes == 1 { "" } else { "s" })]
pub struct ImpossibleFault {
    /// Fault in the syntax of the user.
    pub fault: String,
    /// Number of nodes.
    pub nodes: u16,
    /// Reason in words.
    pub why: String,
    /// Alternative that would work.
    pub alternative: String,
}

impl FaultSpecs {
    /// Checks that each of these faults can work in a cluster of `nodes` nodes.
    ///
    /// # Errors
    /// Returns the first that cannot, with an alternative.
    pub fn check(&self, nodes: u16) -> Result<(), ImpossibleFault> {
        let has_spares = self.0.iter().flat_map(Turn::specs).any(|spec| spec.kind().needs_spares());
        self.0.iter().try_for_each(|turn| {
            let Err((spec, why)) = can_work(turn, nodes, has_spares) else { return Ok(()) };
            let alternative = alternative(turn, spec, nodes, has_spares);
            Err(ImpossibleFault { fault: turn.to_string(), nodes, why, alternative })
        })
    }
}

/// Checks that faults at once can work together, each after those before it. A target or shape left open is drawn from
/// those that work.
fn can_work(turn: &Turn, nodes: u16, has_spares: bool) -> Result<(), (&FaultSpec, String)> {
    let mut earlier: Vec<Fault> = Vec::new();
    for spec in turn.specs() {
        let candidates = spec.candidates();
        let working = candidates.iter().find(|fault| works(fault, &earlier, nodes, has_spares).is_ok());
        let Some(fault) = working else {
            return works(&candidates[0], &earlier, nodes, has_spares).map_err(|why| (spec, why));
        };
        earlier.push(fault.clone());
    }
    Ok(())
}

/// Checks that a fault can be injected into a healthy cluster that has a leader, after earlier ones. There are nodes
/// that are no members only if it `has_spares`.
pub(crate) fn works(fault: &Fault, earlier: &[Fault], nodes: u16, has_spares: bool) -> Result<(), String> {
    if let Fault::Clock { skew, .. } = fault
        && skew.is_none()
    {
        return Err("a clock at rate 1 that does not jump is an honest one".into());
    }
    let all: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    if all.is_empty() {
        return Err("there is no node".into());
    }
    let leaders = Leaders { current: Some(NodeId(1)), deposed: all.get(1).copied() };
    let spares = if has_spares { vec![NodeId(nodes + 1)] } else { Vec::new() };
    let mut ledger = Ledger::default();
    earlier.iter().chain([fault]).try_for_each(|fault| {
        let aimed = ledger.aim(&PlannedFault::of(fault.clone()), (&all, &spares), leaders)?;
        ledger.enter(aimed);
        Ok(())
    })
}

fn alternative(turn: &Turn, spec: &FaultSpec, nodes: u16, has_spares: bool) -> String {
    if let FaultSpec::Packets { shape: Some(Shape::Clients(_) | Shape::CutOff(_)), fault } = spec
        && fault.forges_data()
    {
        return "add checksum=wrong, or choose links between nodes".into();
    }
    if let Some(Target::Node(_)) = spec.target() {
        let known = if nodes > 1 { format!("a node from n1 to n{nodes}") } else { "n1".into() };
        return format!("aim at {}", TARGETS.replace("a node such as n1", &known));
    }
    match (nodes + 1..=MOST_HOSTS).find(|more| can_work(turn, *more, has_spares).is_ok()) {
        Some(more) => format!("it needs at least {more} nodes"),
        None if spec.kind().skews_clocks() => "choose another rate, or a jump".into(),
        None if turn.specs().len() > 1 => "let them take turns, separated by a comma".into(),
        None => "aim at fewer nodes".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(faults: &str, nodes: u16) -> Result<(), String> {
        faults.parse::<FaultSpecs>().unwrap().check(nodes).map_err(|error| error.to_string())
    }

    #[test]
    fn what_can_never_work_is_told_with_what_can() {
        for (faults, nodes, expected) in [
            (
                "kill:n9",
                5,
                "`kill:n9` cannot work with 5 nodes: there is no n9; aim at leader, deposed-leader, follower, random, \
                minority, majority, all, or a node from n1 to n5",
            ),
            (
                "partition",
                1,
                "`partition` cannot work with 1 node: 1 node is too few for it; it needs at least 2 nodes",
            ),
            (
                "partition:halves",
                1,
                "`partition:halves` cannot work with 1 node: 1 node is too few for it; it needs at least 2 nodes",
            ),
            (
                "partition:isolate-all",
                3,
                "`partition:isolate-all` cannot work with 3 nodes: nobody is left to be cut off from; aim at fewer \
                nodes",
            ),
            (
                "kill:leader+pause:random",
                3,
                "`kill:leader+pause:random` cannot work with 3 nodes: it would leave no majority; it needs at least 5 \
                nodes",
            ),
            (
                "partition+flap:ring,every=500ms",
                5,
                "`partition+flap:ring,every=500ms` cannot work with 5 nodes: a partition is in force; let them take \
                turns, separated by a comma",
            ),
            (
                "corrupt:shape=cut-off-leader",
                3,
                "`corrupt:1%,checksum=repaired,shape=cut-off-leader` cannot work with 3 nodes: it would change what \
                clients say and see, for which no system can answer; add checksum=wrong, or choose links between nodes",
            ),
            ("kill", 2, "`kill` cannot work with 2 nodes: it would leave no majority; it needs at least 3 nodes"),
            (
                "pause:minority",
                2,
                "`pause:minority` cannot work with 2 nodes: no node is left for it; it needs at least 3 nodes",
            ),
            (
                "kill:all,clock:target=n4",
                3,
                "`clock:rate=0.2,jump=0ms,target=n4` cannot work with 3 nodes: there is no n4; aim at leader, \
                deposed-leader, follower, random, minority, majority, all, or a node from n1 to n3",
            ),
            (
                "clock:rate=1",
                3,
                "`clock:rate=1,jump=0ms,target=leader` cannot work with 3 nodes: a clock at rate 1 that does not jump \
                is an honest one; \
                 choose another rate, or a jump",
            ),
        ] {
            assert_eq!(check(faults, nodes), Err(expected.into()), "{faults}");
        }
    }

    #[test]
    fn every_shape_needs_nodes_enough_and_no_more() {
        for (shape, fewest) in [
            ("isolate-leader", 2),
            ("isolate-random", 2),
            ("isolate-deposed-leader", 2),
            ("mute-leader", 2),
            ("deaf-follower", 2),
            ("leader-in-minority", 2),
            ("isolate-majority", 3),
            ("halves", 2),
            ("one-way", 2),
            ("pair", 2),
            ("random-directed", 2),
            ("bridge", 3),
        ] {
            let fault = format!("partition:{shape}");
            assert!(check(&fault, fewest - 1).is_err() && check(&fault, fewest).is_ok(), "{fault}");
        }
        let fewest_for_ring = (1..=9).find(|nodes| check("partition:ring", *nodes).is_ok()).unwrap();
        assert!((3..=5).contains(&fewest_for_ring), "{fewest_for_ring}");
    }

    #[test]
    fn what_can_work_is_not_refused() {
        for nodes in 1..=9 {
            for faults in ["none", "kill:all", "kill:n1", "pause:all", "pause:n1", "clock", "clock:jump=1m,rate=1"] {
                assert_eq!(check(faults, nodes), Ok(()), "{faults} with {nodes}");
            }
        }
        for nodes in 3..=9 {
            assert_eq!(check("kill,pause,partition,clock,kill:minority,pause:random", nodes), Ok(()));
        }
    }
}
