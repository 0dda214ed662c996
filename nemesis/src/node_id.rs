//! Numbers of nodes, and their names.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a node, from 1; written `n1`, which is also the name of its host's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl NodeId {
    /// Stands for the clients, all of which have the address of the control process, where nodes are cut off from
    /// each other. No node has this number.
    pub const CLIENTS: Self = Self(0);
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::CLIENTS {
            return f.pad("clients");
        }
        f.pad(&format!("n{}", self.0))
    }
}

/// Returns the nodes' names separated by spaces: `n1 n3`.
pub(crate) fn names(nodes: &BTreeSet<NodeId>) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}
