//! When to give up: time is asked for now and then within each phase, memory is estimated before the graph is built.

use super::{
    facts::Facts,
    graph::{Edge, Graph, NONE},
};
use crate::{
    Limits, UnknownWhy,
    memory::of_vec,
    patience::{OutOf, Patience},
};

/// An edge as it is kept, which may be half of what is reserved, and its target in an order.
const EDGE_BYTES: usize = 2 * size_of::<Edge>() + size_of::<u32>();
/// A vertex in an order: where its edges begin, twice; for how many it waits; its place; whether it lives.
const VERTEX_BYTES: usize = 4 * size_of_val(&NONE) + 1;

/// The limits of one check.
pub(super) struct Limit<'a> {
    limits: &'a Limits<'a>,
    /// Transactions in all.
    transactions: usize,
    patience: Patience<'a>,
}

impl<'a> Limit<'a> {
    pub(super) fn new(limits: &'a Limits<'a>, transactions: usize) -> Self {
        Self { limits, transactions, patience: Patience::new(limits) }
    }

    /// Another step; some ask for time.
    pub(super) fn step(&self) -> Result<(), UnknownWhy> {
        self.steps(1)
    }

    /// As many steps at once.
    pub(super) fn steps(&self, more: usize) -> Result<(), UnknownWhy> {
        self.patience.steps(more).map_err(|out| self.out_of(out))
    }

    /// Asks for time.
    pub(super) fn keep_going(&self) -> Result<(), UnknownWhy> {
        self.patience.ask().map_err(|out| self.out_of(out))
    }

    /// Asks for as many bytes at once.
    pub(super) fn room(&self, bytes: usize) -> Result<(), UnknownWhy> {
        self.patience.room(bytes).map_err(|out| self.out_of(out))
    }

    /// Asks before a vector that is full grows.
    pub(super) fn grow<T>(&self, vec: &Vec<T>) -> Result<(), UnknownWhy> {
        if vec.len() < vec.capacity() { Ok(()) } else { self.room(of_vec(vec, 1)) }
    }

    fn out_of(&self, out: OutOf) -> UnknownWhy {
        out.why(0, self.transactions, 0)
    }

    /// Before one key is looked at: there are at most 8 edges for each change of it, and 4 for each read.
    pub(super) fn key(&self, facts: &Facts<'_>, graph: &Graph, key: u32) -> Result<(), UnknownWhy> {
        let (changes, reads) = (facts.changes.of(key).len(), facts.reads.of(key).len());
        self.steps(1 + changes + reads)?;
        self.edges(graph, 8 * changes + 4 * reads)
    }

    /// Before so many edges are added.
    pub(super) fn edges(&self, graph: &Graph, more: usize) -> Result<(), UnknownWhy> {
        let edges = &graph.edges;
        if edges.len() + more <= edges.capacity() {
            return Ok(());
        }
        self.room(of_vec(edges, more) - edges.capacity() * size_of::<Edge>())
    }

    /// Whether the graph of these fits, where nobody measures what is in use: at most 2 vertices and 8 edges for each change, 4 edges for each read, and of real time and of
    /// processes 1 and 4 for each transaction, beside itself.
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
        Err(self.out_of(OutOf::Memory))
    }
}
