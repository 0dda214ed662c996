//! When to give up: time is asked for now and then within each phase, memory is estimated before the graph is built.

use super::{
    facts::Facts,
    graph::{Edge, NONE},
};
use crate::{Limits, UnknownWhy, patience::Patience};

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
        self.patience.steps(more).map_err(|_| self.out_of_time())
    }

    /// Asks for time.
    pub(super) fn keep_going(&self) -> Result<(), UnknownWhy> {
        self.patience.ask().map_err(|_| self.out_of_time())
    }

    fn out_of_time(&self) -> UnknownWhy {
        UnknownWhy::Time { explained: 0, completed: self.transactions, unknown_outcomes: 0 }
    }

    /// Whether the graph of these fits: at most 2 vertices and 8 edges for each change, 4 edges for each read, and of real time and of
    /// processes 1 and 4 for each transaction, beside itself.
    pub(super) fn fits(&self, facts: &Facts<'_>) -> Result<(), UnknownWhy> {
        let (changes, reads) = (facts.changes.rows.len(), facts.reads.rows.len());
        let edges = 8 * changes + 4 * (reads + self.transactions);
        let vertices = 2 * (changes + self.transactions);
        if self.limits.memory.share().hold(edges * EDGE_BYTES + vertices * VERTEX_BYTES) {
            return Ok(());
        }
        Err(UnknownWhy::Memory { explained: 0, completed: self.transactions, unknown_outcomes: 0 })
    }
}
