//! Planned faults on given nodes, as in a run that is repeated, or in a script.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fault::{Fault, ResolvedFault};
use crate::grudge::Grudge;
use crate::links::Links;
use crate::members::{MemberChange, MemberRequest};
use crate::node_id::NodeId;
use crate::planned::{Aim, PlannedFault};
use crate::spec::FaultSpec;

/// Nodes that a fault hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    /// Nodes that are themselves at fault.
    Nodes(BTreeSet<NodeId>),
    /// Packets that a partition drops.
    Drops(Grudge),
    /// Links with faults of packets.
    Links(Links),
}

impl Hit {
    /// Returns the nodes that a fault has hit.
    pub fn of(fault: &ResolvedFault) -> Self {
        match fault {
            ResolvedFault::Partition { grudge, .. } => Self::Drops(grudge.clone()),
            ResolvedFault::Packets { links, .. } => Self::Links(links.clone()),
            other => Self::Nodes(other.nodes().collect()),
        }
    }
}

impl Hit {
    /// Returns the name of the field for it, as in scripts.
    fn field(&self) -> &'static str {
        match self {
            Self::Nodes(_) => "nodes",
            Self::Drops(_) => "drops",
            Self::Links(_) => "links",
        }
    }
}

impl PlannedFault {
    /// Returns a fault that hits exactly these nodes.
    ///
    /// # Errors
    /// Returns the reason in words if such a fault does not hit such nodes.
    pub fn pinned(at: Duration, lasts: Duration, spec: &FaultSpec, hit: Hit) -> Result<Self, String> {
        if matches!(spec, FaultSpec::RollingRestart { .. } | FaultSpec::CrashLoop { .. } | FaultSpec::Flap { .. }) {
            return Err(format!("{} is a sequence: write its steps, or leave `nodes` and `drops` out", spec.kind()));
        }
        let fault = spec.candidates().into_iter().next().expect("every fault can become something");
        let these = match (&fault, hit) {
            (Fault::Partition { shape }, Hit::Drops(grudge)) => ResolvedFault::Partition { shape: *shape, grudge },
            (Fault::Packets { shape, fault }, Hit::Links(links)) => {
                ResolvedFault::Packets { shape: *shape, links, fault: *fault }
            }
            (Fault::Partition { .. }, other) => {
                return Err(format!("a partition takes `drops` instead of `{}`", other.field()));
            }
            (Fault::Packets { .. }, other) => {
                return Err(format!("{} takes `links` instead of `{}`", spec.kind(), other.field()));
            }
            (_, other @ (Hit::Drops(_) | Hit::Links(_))) => {
                return Err(format!("{} takes `nodes` instead of `{}`", spec.kind(), other.field()));
            }
            (Fault::Kill { .. }, Hit::Nodes(nodes)) => ResolvedFault::Kill { nodes },
            (Fault::Pause { .. }, Hit::Nodes(nodes)) => ResolvedFault::Pause { nodes },
            (Fault::Restart { .. }, Hit::Nodes(nodes)) => ResolvedFault::Restart { nodes },
            (Fault::Starve { cpu_percent, period_ms, .. }, Hit::Nodes(nodes)) => {
                ResolvedFault::Starve { nodes, cpu_percent: *cpu_percent, period_ms: *period_ms }
            }
            (Fault::Limit { limit, .. }, Hit::Nodes(nodes)) => ResolvedFault::Limit { nodes, limit: *limit },
            (Fault::Clock { skew, .. }, Hit::Nodes(nodes)) => ResolvedFault::Clock { nodes, skew: *skew },
            (Fault::Disk { fault, .. }, Hit::Nodes(nodes)) => ResolvedFault::Disk { nodes, fault: *fault },
            (Fault::Members { change, .. }, Hit::Nodes(nodes)) => {
                ResolvedFault::Members { request: request_of(*change, &nodes)? }
            }
        };
        Ok(Self { at, lasts, aim: Some(Aim::These(these)), ..Self::of(fault) })
    }

    /// Returns the fault at these times on the nodes that it has hit; none if nobody could have asked for it, or if it
    /// does not hit such nodes.
    pub fn repeated(&self, at: Duration, lasts: Duration, hit: &ResolvedFault) -> Option<Self> {
        // Targets that only the schedule knows are printed as those that users do.
        if let ResolvedFault::Members { .. } = hit {
            return Some(Self { at, lasts, aim: Some(Aim::These(hit.clone())), ..Self::of(self.fault.clone()) });
        }
        let spec: FaultSpec = self.as_typed().parse().ok()?;
        let again = Self::pinned(at, lasts, &spec, Hit::of(hit)).ok()?;
        Some(if self.fault.draws_in_force() { Self { draw: self.draw, ..again } } else { again })
    }

    /// Returns the fault as a user would ask for it, without its nodes.
    pub fn as_typed(&self) -> String {
        FaultSpec::of(&self.fault).to_string()
    }
}

/// Returns the change of these nodes. Of a replacement, they do not say who replaces whom.
fn request_of(change: MemberChange, nodes: &BTreeSet<NodeId>) -> Result<MemberRequest, String> {
    let mut each = nodes.iter();
    match (change, each.next(), each.next()) {
        (MemberChange::Add, Some(node), None) => Ok(MemberRequest::Add(*node)),
        (MemberChange::Remove, Some(node), None) => Ok(MemberRequest::Remove(*node)),
        (MemberChange::Transfer, Some(node), None) => Ok(MemberRequest::Transfer(*node)),
        (MemberChange::Replace, ..) => Err("replace takes no `nodes`: write a remove and an add".into()),
        _ => Err(format!("{} takes one node", change.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Skew;
    use crate::grudge;
    use crate::packet::PacketFault;
    use crate::shape::Shape;
    use crate::target::Target;

    #[test]
    fn a_fault_that_is_repeated_hits_the_same_and_can_be_typed() {
        let set = BTreeSet::from([NodeId(2)]);
        let cut = grudge::halves(&[NodeId(1), NodeId(2)], &set);
        let shape = Shape::Isolate(Target::Skewed);
        let lossy = PacketFault::Loss { ppm: 50_000 };
        let skew = Skew { rate: 0.5, jump_ns: 1_000_000, ..Skew::NONE };
        for (fault, hit, typed) in [
            (Fault::Partition { shape }, ResolvedFault::Partition { shape, grudge: cut }, "partition:isolate-leader"),
            (Fault::Kill { target: Target::Random }, ResolvedFault::Kill { nodes: set.clone() }, "kill:random"),
            (
                Fault::Packets { shape, fault: lossy },
                ResolvedFault::Packets { shape, links: Links([(NodeId(1), set.clone())].into()), fault: lossy },
                "loss:5%,shape=isolate-leader",
            ),
            (
                Fault::Clock { target: Target::Leader, skew },
                ResolvedFault::Clock { nodes: set, skew },
                "clock:rate=0.5,jump=1ms,target=leader",
            ),
        ] {
            let second = Duration::from_secs(1);
            let planned = PlannedFault { draw: 5, ..PlannedFault::of(fault) };
            let again = planned.repeated(second, second, &hit).unwrap();
            assert_eq!(again.as_typed(), typed);
            let Some(Aim::These(these)) = &again.aim else { panic!("{again:?}") };
            assert_eq!(Hit::of(these), Hit::of(&hit));
            let spec: FaultSpec = typed.parse().unwrap();
            let draw = if planned.fault.draws_in_force() { 5 } else { 0 };
            assert_eq!(again.draw, draw, "what is drawn while it is in force is drawn again");
            let pinned = PlannedFault::pinned(second, second, &spec, Hit::of(&hit)).unwrap();
            assert_eq!(PlannedFault { draw, ..pinned }, again);
            assert_eq!(again.repeated(second, second, these), Some(again.clone()));
        }
    }

    #[test]
    fn what_nobody_could_have_asked_for_is_not_repeated() {
        let nodes = BTreeSet::from([NodeId(1)]);
        let starve = PlannedFault::of(Fault::Starve { target: Target::Random, cpu_percent: 0, period_ms: 0 });
        let hit = ResolvedFault::Starve { nodes: nodes.clone(), cpu_percent: 0, period_ms: 0 };
        assert_eq!(starve.repeated(Duration::ZERO, Duration::ZERO, &hit), None);
        let cut = PlannedFault::of(Fault::Partition { shape: Shape::Halves });
        assert_eq!(cut.repeated(Duration::ZERO, Duration::ZERO, &ResolvedFault::Kill { nodes }), None);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let links = || Hit::Links(Links::default());
        let nodes = || Hit::Nodes(BTreeSet::from([NodeId(1)]));
        let drops = || Hit::Drops(Grudge::default());
        for (fault, hit, why) in [
            ("kill", drops(), "kill takes `nodes` instead of `drops`"),
            ("partition:ring", nodes(), "a partition takes `drops` instead of `nodes`"),
            ("partition:ring", links(), "a partition takes `drops` instead of `links`"),
            ("pause", links(), "pause takes `nodes` instead of `links`"),
            ("delay", drops(), "delay takes `links` instead of `drops`"),
            ("flap", drops(), "flap is a sequence: write its steps, or leave `nodes` and `drops` out"),
        ] {
            let refused = PlannedFault::pinned(Duration::ZERO, Duration::ZERO, &fault.parse().unwrap(), hit);
            assert_eq!(refused, Err(why.into()));
        }
    }
}
