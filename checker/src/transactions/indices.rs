//! Numbers of transactions, keys and changes, and of the vertices of their graphs.

use crate::index::indices;

indices! {
    /// Number of a transaction, in the order of the history.
    TransactionIndex,
    /// Number of a key, in the order of first appearance.
    KeyIndex,
    /// Number of a change among all changes, which are grouped by key. The one after the last stands for the initial
    /// version of a register.
    ChangeIndex,
    /// Number of a vertex of the precedence graph: of a transaction, or an intermediate one after all of these.
    Vertex,
    /// Number of a point of a polygraph: the beginning or the commit of a [`Vertex`], or both at once.
    Point,
    /// Number of a node in the trie of the lists that were read of a key; 0 is the empty list.
    ListNode,
    /// Number of an object whose versions have no order yet.
    ObjectIndex,
    /// Number of a run of versions of an object.
    RunIndex,
}

impl From<TransactionIndex> for Vertex {
    #[inline]
    fn from(transaction: TransactionIndex) -> Self {
        u32::from(transaction).into()
    }
}

impl TransactionIndex {
    /// Returns the bit that stands for a transaction where there are at most 64.
    #[inline]
    pub(crate) fn bit(self) -> u64 {
        1 << u32::from(self)
    }
}

impl Vertex {
    /// Returns the transaction of this vertex, given how many there are; `None` if it is intermediate.
    #[inline]
    pub(crate) fn transaction(self, transactions: u32) -> Option<TransactionIndex> {
        (u32::from(self) < transactions).then(|| u32::from(self).into())
    }
}
