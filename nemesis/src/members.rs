//! Changes of the members of a cluster, and of the leader among them: as planned, and as asked of the system. What a
//! system makes of them is its own matter: nothing here is healed, and what was done is undone by another change.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault_kind::FaultKind;
use crate::node_id::NodeId;

/// Kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberChange {
    /// A node that is no member becomes one.
    Add,
    /// A member is removed; its process goes on.
    Remove,
    /// A member is removed and another node takes its place.
    Replace,
    /// The leader hands over to another member.
    Transfer,
}

impl MemberChange {
    /// Returns the kind of fault that it is.
    pub(crate) fn kind(self) -> FaultKind {
        match self {
            Self::Add => FaultKind::Add,
            Self::Remove => FaultKind::Remove,
            Self::Replace => FaultKind::Replace,
            Self::Transfer => FaultKind::Transfer,
        }
    }
}

/// Change of named nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberRequest {
    /// This node becomes a member.
    Add(NodeId),
    /// This member is removed.
    Remove(NodeId),
    /// A member is removed and another node takes its place.
    Replace {
        /// Member to remove.
        old: NodeId,
        /// Node that takes its place.
        new: NodeId,
    },
    /// The leader hands over to this member.
    Transfer(NodeId),
}

impl MemberRequest {
    /// Returns the kind of the change.
    pub(crate) fn change(self) -> MemberChange {
        match self {
            Self::Add(_) => MemberChange::Add,
            Self::Remove(_) => MemberChange::Remove,
            Self::Replace { .. } => MemberChange::Replace,
            Self::Transfer(_) => MemberChange::Transfer,
        }
    }

    /// Returns the nodes that it names.
    pub(crate) fn nodes(self) -> impl Iterator<Item = NodeId> {
        let (first, second) = match self {
            Self::Add(node) | Self::Remove(node) | Self::Transfer(node) => (node, None),
            Self::Replace { old, new } => (old, Some(new)),
        };
        [Some(first), second].into_iter().flatten()
    }
}

impl fmt::Display for MemberRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(node) => write!(f, "add {node}"),
            Self::Remove(node) => write!(f, "remove {node}"),
            Self::Replace { old, new } => write!(f, "replace {old} by {new}"),
            Self::Transfer(node) => write!(f, "transfer the leadership to {node}"),
        }
    }
}

/// Answer of a system that was asked for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The change has begun; the system completes it by itself.
    Begun,
    /// The change certainly did not happen and will not, for this reason.
    Refused(String),
    /// It is unknown whether the change happened or will, for this reason.
    Unknown(String),
}

/// Way to ask a system for changes. It may block for a second or two.
pub trait Operator: fmt::Debug + Send {
    /// Asks for a change.
    fn ask(&self, request: MemberRequest) -> Answer;
}
