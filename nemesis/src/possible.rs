//! Check whether faults can work at all in a cluster of a given size. It uses the code that resolves targets, so that
//! the two cannot differ.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::fault::{Fault, Target};
use crate::net::MOST_HOSTS;
use crate::node_id::NodeId;
use crate::resolve::{ClusterView, resolve};
use crate::spec::{FaultSpec, FaultSpecs};

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
        self.0.iter().try_for_each(|spec| {
            // A target or shape left open is drawn from those that work.
            let Err(why) = any_works(spec, nodes) else { return Ok(()) };
            Err(ImpossibleFault { fault: spec.to_string(), nodes, why, alternative: alternative(spec, nodes) })
        })
    }
}

fn any_works(spec: &FaultSpec, nodes: u16) -> Result<(), String> {
    let mut works = spec.candidates().into_iter().map(|fault| works(&fault, nodes));
    let first = works.next().unwrap_or(Ok(()));
    if first.is_err() && works.any(|other| other.is_ok()) { Ok(()) } else { first }
}

/// Checks that a fault can be injected into a healthy cluster that has a leader.
pub(crate) fn works(fault: &Fault, nodes: u16) -> Result<(), String> {
    if let Fault::Clock { rate, jump_ns: 0, .. } = fault
        && (rate - 1.0).abs() < f64::EPSILON
    {
        return Err("a clock at rate 1 that does not jump is an honest one".into());
    }
    let all: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    if all.is_empty() {
        return Err("there is no node".into());
    }
    let none = BTreeSet::new();
    let view = ClusterView { nodes: &all, leader: Some(NodeId(1)), down: &none, skewed: &none };
    resolve(fault, 0, &view).map(drop)
}

fn alternative(spec: &FaultSpec, nodes: u16) -> String {
    let target = match spec {
        FaultSpec::Kill(target) | FaultSpec::Pause(target) | FaultSpec::Disk { target, .. } => *target,
        FaultSpec::Clock { target, .. } => Some(*target),
        FaultSpec::Partition(_) => None,
    };
    if let Some(Target::Node(_)) = target {
        let last = if nodes > 1 { format!(", or a node from n1 to n{nodes}") } else { " or n1".into() };
        return format!("aim at leader, random, minority, all{last}");
    }
    match (nodes + 1..=MOST_HOSTS).find(|more| any_works(spec, *more).is_ok()) {
        Some(more) => format!("it needs at least {more} nodes"),
        None => "choose another rate, or a jump".into(),
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
                "`kill:n9` cannot work with 5 nodes: there is no n9; aim at leader, random, minority, all, or a node \
                from n1 to n5",
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
            ("kill", 2, "`kill` cannot work with 2 nodes: it would leave no majority; it needs at least 3 nodes"),
            (
                "pause:minority",
                2,
                "`pause:minority` cannot work with 2 nodes: no node is left for it; it needs at least 3 nodes",
            ),
            (
                "kill:all,clock:target=n4",
                3,
                "`clock:rate=0.2,jump=0ms,target=n4` cannot work with 3 nodes: there is no n4; aim at leader, random, \
                minority, all, or \
                 a node from n1 to n3",
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
        for (shape, fewest) in
            [("isolate-leader", 2), ("isolate-random", 2), ("halves", 2), ("one-way", 2), ("bridge", 3)]
        {
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
