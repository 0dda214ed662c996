//! Ledger of the faults in force, with all that healing needs to know. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{FaultId, ResolvedFault};
use crate::node_id::NodeId;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    in_force: BTreeMap<FaultId, ResolvedFault>,
    entered: u32,
}

impl Ledger {
    /// Records a fault as in force. Identifiers are never reused.
    pub(crate) fn enter(&mut self, fault: ResolvedFault) -> FaultId {
        self.entered += 1;
        let id = FaultId(self.entered);
        self.in_force.insert(id, fault);
        id
    }

    pub(crate) fn get(&self, id: FaultId) -> Option<&ResolvedFault> {
        self.in_force.get(&id)
    }

    pub(crate) fn strike(&mut self, id: FaultId) {
        self.in_force.remove(&id);
    }

    pub(crate) fn ids(&self) -> Vec<FaultId> {
        self.in_force.keys().copied().collect()
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &ResolvedFault> {
        self.in_force.values()
    }

    /// Returns the nodes that are killed, paused, or being restarted, or whose disk may take them down.
    pub(crate) fn down(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| match fault {
            ResolvedFault::Kill { nodes }
            | ResolvedFault::Pause { nodes }
            | ResolvedFault::Restart { nodes }
            | ResolvedFault::Disk { nodes, .. } => Some(nodes),
            ResolvedFault::Starve { .. } | ResolvedFault::Partition { .. } | ResolvedFault::Clock { .. } => None,
        })
    }

    /// Returns the nodes that are starved.
    pub(crate) fn starved(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| if let ResolvedFault::Starve { nodes, .. } = fault { Some(nodes) } else { None })
    }

    /// Returns the nodes whose clock is skewed.
    pub(crate) fn skewed(&self) -> BTreeSet<NodeId> {
        self.nodes(|fault| if let ResolvedFault::Clock { nodes, .. } = fault { Some(nodes) } else { None })
    }

    pub(crate) fn is_partitioned(&self) -> bool {
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
