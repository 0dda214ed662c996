//! Room for a graph of transactions: memory is estimated, and asked for, before the graph is built.

use super::{
    facts::Facts,
    graph::{Edge, Graph},
    indices::KeyIndex,
    limit::Limit,
};
use crate::{UnknownWhy, budget::Shortage, memory::of_vec};

/// Bytes of an edge, which may be half of what is reserved, and of its target in an order.
const EDGE_BYTES: usize = 2 * size_of::<Edge>() + size_of::<u32>();
/// Bytes of a vertex in an order: the start of its edges, twice; its number of predecessors; its place; whether it is
/// alive.
const VERTEX_BYTES: usize = 4 * size_of::<u32>() + 1;

impl Limit<'_> {
    /// Asks for what one key needs: at most 8 edges for each change of it, and 4 for each read.
    pub(super) fn key(&self, facts: &Facts<'_>, graph: &Graph, key: KeyIndex) -> Result<(), UnknownWhy> {
        let (changes, reads) = (facts.changes.of(key).len(), facts.reads.of(key).len());
        self.steps(1 + changes + reads)?;
        self.edges(graph, 8 * changes + 4 * reads)
    }

    /// Asks for memory before this many edges are added.
    pub(super) fn edges(&self, graph: &Graph, more: usize) -> Result<(), UnknownWhy> {
        let edges = &graph.edges;
        if edges.len() + more <= edges.capacity() {
            return Ok(());
        }
        self.may_take(of_vec(edges, more) - edges.capacity() * size_of::<Edge>())
    }

    /// Checks that the graph fits into memory, if memory in use is not measured: at most 2 vertices and 8 edges for
    /// each change, 4 edges for each read, and for real time and processes 1 vertex and 4 edges for each transaction,
    /// besides its own.
    pub(super) fn fits(&self, facts: &Facts<'_>) -> Result<(), UnknownWhy> {
        if self.limits.memory.is_measured() {
            return Ok(());
        }
        let (changes, reads) = (facts.changes.rows.len(), facts.reads.rows.len());
        let edges = 8 * changes + 4 * (reads + self.transactions);
        let vertices = 2 * (changes + self.transactions);
        if self.limits.memory.share().hold(edges * EDGE_BYTES + vertices * VERTEX_BYTES) {
            return Ok(());
        }
        Err(self.exhausted(Shortage::Memory))
    }
}
