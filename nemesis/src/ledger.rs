//! Ledger of the faults in force, with all that healing needs to know. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{FaultId, ResolvedFault};
use crate::node_id::NodeId;
use crate::resolve::{ClusterView, resolve};
use crate::schedule::PlannedFault;

/// Faults in force, by the identifiers under which they are healed.
#[derive(Debug, Default)]
pub struct Ledger {
    in_force: BTreeMap<FaultId, ResolvedFault>,
    entered: u32,
}

impl Ledger {
    /// Aims a planned fault at nodes of the cluster, with the current leader.
    ///
    /// # Errors
    /// Returns the reason why the fault has to be skipped, in words.
    pub fn aim(
        &self,
        planned: &PlannedFault,
        nodes: &[NodeId],
        leader: Option<NodeId>,
    ) -> Result<ResolvedFault, String> {
        let (down, skewed) = (self.down(), self.skewed());
        let fault =
            resolve(&planned.fault, planned.draw, &ClusterView { nodes, leader, down: &down, skewed: &skewed })?;
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

    /// Returns the nodes that are killed or paused.
    pub fn down(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| match fault {
            ResolvedFault::Kill { nodes } | ResolvedFault::Pause { nodes } => Some(nodes),
            ResolvedFault::Partition { .. } | ResolvedFault::Clock { .. } => None,
        })
    }

    /// Returns the nodes whose clock is skewed.
    fn skewed(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| match fault {
            ResolvedFault::Clock { nodes, .. } => Some(nodes),
            ResolvedFault::Kill { .. } | ResolvedFault::Pause { .. } | ResolvedFault::Partition { .. } => None,
        })
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

    #[test]
    fn the_ledger_knows_who_is_hit_until_the_fault_is_struck() {
        let set = |id| BTreeSet::from([NodeId(id)]);
        let mut ledger = Ledger::default();
        let kill = ledger.enter(ResolvedFault::Kill { nodes: set(1) });
        ledger.enter(ResolvedFault::Pause { nodes: set(2) });
        ledger.enter(ResolvedFault::Clock { nodes: set(3), rate: 0.2, jump_ns: 0 });
        assert_eq!(ledger.down(), BTreeSet::from([NodeId(1), NodeId(2)]));
        assert_eq!(ledger.skewed(), set(3));
        assert!(!ledger.is_partitioned());
        ledger.strike(kill);
        ledger.strike(kill);
        assert_eq!(ledger.down(), set(2));
        assert_eq!(ledger.ids(), [FaultId(2), FaultId(3)]);
        assert_eq!(ledger.enter(ResolvedFault::Kill { nodes: set(1) }), FaultId(4));
    }
}
