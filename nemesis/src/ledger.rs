//! Ledger of the faults in force, with all that healing needs to know. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{FaultId, ResolvedFault};
use crate::node_id::NodeId;
use crate::planned::{Aim, PlannedFault};
use crate::resolve::{ClusterView, Leaders, check_again, resolve};

/// Faults in force, by the identifiers under which they are healed.
#[derive(Debug, Default)]
pub struct Ledger {
    in_force: BTreeMap<FaultId, ResolvedFault>,
    entered: u32,
}

impl Ledger {
    /// Aims a planned fault at members of the cluster, or at spare nodes, by what is known of leaders.
    ///
    /// # Errors
    /// Returns the reason why the fault has to be skipped, in words.
    pub fn aim(
        &self,
        planned: &PlannedFault,
        (nodes, spares): (&[NodeId], &[NodeId]),
        leaders: Leaders,
    ) -> Result<ResolvedFault, String> {
        let (down, starved, skewed) = (self.down(), self.starved(), self.skewed());
        let view = ClusterView { nodes, spares, leaders, down: &down, starved: &starved, skewed: &skewed };
        let fault = match &planned.aim {
            None => resolve(&planned.fault, planned.draw, &view)?,
            Some(Aim::These(fault)) => check_again(fault, &view).map(|()| fault.clone())?,
            Some(Aim::Again(_)) => return Err("what it was to repeat did not happen".into()),
        };
        match fault {
            ResolvedFault::Partition { .. } if self.is_partitioned() => Err("a partition is in force".into()),
            fault => Ok(fault),
        }
    }

    /// Records a fault as in force. Identifiers are never reused.
    pub fn enter(&mut self, fault: ResolvedFault) -> FaultId {
        self.entered += 1;
        let id = FaultId(self.entered);
        self.in_force.insert(id, fault);
        id
    }

    /// Returns a fault in force.
    pub fn get(&self, id: FaultId) -> Option<&ResolvedFault> {
        self.in_force.get(&id)
    }

    /// Records that a fault is healed.
    pub fn strike(&mut self, id: FaultId) {
        self.in_force.remove(&id);
    }

    /// Returns the faults in force, in the order of injection.
    pub fn ids(&self) -> Vec<FaultId> {
        self.in_force.keys().copied().collect()
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &ResolvedFault> {
        self.in_force.values()
    }

    /// Returns the nodes that are killed, paused, or being restarted, or whose disk may take them down.
    pub fn down(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| match fault {
            ResolvedFault::Kill { nodes }
            | ResolvedFault::Pause { nodes }
            | ResolvedFault::Restart { nodes }
            | ResolvedFault::Limit { nodes, .. }
            | ResolvedFault::Disk { nodes, .. } => Some(nodes),
            ResolvedFault::Starve { .. }
            | ResolvedFault::Partition { .. }
            | ResolvedFault::Packets { .. }
            | ResolvedFault::Clock { .. }
            | ResolvedFault::Members { .. } => None,
        })
    }

    /// Returns the nodes that are starved.
    fn starved(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| if let ResolvedFault::Starve { nodes, .. } = fault { Some(nodes) } else { None })
    }

    /// Returns the nodes whose clock is skewed.
    fn skewed(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| if let ResolvedFault::Clock { nodes, .. } = fault { Some(nodes) } else { None })
    }

    fn is_partitioned(&self) -> bool {
        self.faults().any(|fault| matches!(fault, ResolvedFault::Partition { .. }))
    }

    fn nodes(&self, of: impl Fn(&ResolvedFault) -> Option<&BTreeSet<NodeId>>) -> BTreeSet<NodeId> {
        self.faults().filter_map(of).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Skew;

    #[test]
    fn the_ledger_knows_who_is_hit_until_the_fault_is_struck() {
        let set = |id| BTreeSet::from([NodeId(id)]);
        let mut ledger = Ledger::default();
        let kill = ledger.enter(ResolvedFault::Kill { nodes: set(1) });
        ledger.enter(ResolvedFault::Pause { nodes: set(2) });
        ledger.enter(ResolvedFault::Clock { nodes: set(3), skew: Skew::NONE });
        assert_eq!(ledger.down(), BTreeSet::from([NodeId(1), NodeId(2)]));
        assert_eq!(ledger.skewed(), set(3));
        assert!(!ledger.is_partitioned());
        let starve = ledger.enter(ResolvedFault::Starve { nodes: set(4), cpu_percent: 20, period_ms: 25 });
        assert_eq!((ledger.starved(), ledger.down().contains(&NodeId(4))), (set(4), false));
        ledger.strike(starve);
        ledger.strike(kill);
        ledger.strike(kill);
        assert_eq!(ledger.down(), set(2));
        assert_eq!(ledger.ids(), [FaultId(2), FaultId(3)]);
        assert_eq!(ledger.enter(ResolvedFault::Restart { nodes: set(1) }), FaultId(5));
        assert_eq!(ledger.down(), BTreeSet::from([NodeId(1), NodeId(2)]));
    }
}
