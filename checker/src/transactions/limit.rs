//! Limits: time is queried from time to time within each phase, memory is estimated before the graph is built.

use super::{
    facts::Facts,
    graph::{Edge, Graph},
    indices::KeyIndex,
};
use crate::{
    Limits, UnknownWhy,
    budget::{Budget, Exhausted},
    memory::of_vec,
};

/// Bytes of an edge, which may be half of what is reserved, and of its target in an order.
const EDGE_BYTES: usize = 2 * size_of::<Edge>() + size_of::<u32>();
/// Bytes of a vertex in an order: the start of its edges, twice; its number of predecessors; its place; whether it is
/// alive.
const VERTEX_BYTES: usize = 4 * size_of::<u32>() + 1;

/// Limits of one check.
pub(super) struct Limit<'a> {
    limits: &'a Limits<'a>,
    /// Number of transactions in all.
    transactions: usize,
    budget: Budget<'a>,
}

impl<'a> Limit<'a> {
    pub(super) fn new(limits: &'a Limits<'a>, transactions: usize) -> Self {
        Self { limits, transactions, budget: Budget::new(limits) }
    }

    /// Counts one step; some steps query the limits.
    pub(super) fn step(&self) -> Result<(), UnknownWhy> {
        self.steps(1)
    }

    /// Counts `more` steps.
    pub(super) fn steps(&self, more: usize) -> Result<(), UnknownWhy> {
        self.budget.steps(more).map_err(|out| self.exhausted(out))
    }

    /// Queries the limits now.
    pub(super) fn keep_going(&self) -> Result<(), UnknownWhy> {
        self.budget.ask().map_err(|out| self.exhausted(out))
    }

    /// Asks for this many bytes at once.
    pub(super) fn may_take(&self, bytes: usize) -> Result<(), UnknownWhy> {
        self.budget.may_take(bytes).map_err(|out| self.exhausted(out))
    }

    /// Asks for memory before a full vector grows.
    pub(super) fn grow<T>(&self, vec: &Vec<T>) -> Result<(), UnknownWhy> {
        if vec.len() < vec.capacity() { Ok(()) } else { self.may_take(of_vec(vec, 1)) }
    }

    fn exhausted(&self, out: Exhausted) -> UnknownWhy {
        out.why(0, self.transactions, 0)
    }

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
        Err(self.exhausted(Exhausted::Memory))
    }
}
