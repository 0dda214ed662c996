//! Precedence graph of transactions: a compressed graph of our own, since millions of edges pass through it on every
//! check.
//!
//! petgraph's `toposort` walks depth first over a graph of 24 bytes an edge. Kahn's algorithm over counted edges
//! takes a quarter of the time and of the memory, and what it leaves over is exactly what can lie on or between
//! cycles.

use super::limit::Limit;
use crate::UnknownWhy;

/// Reason why one transaction must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Write-write dependency: the later one overwrote what the earlier one wrote.
    Ww,
    /// Write-read dependency: the later one read what the earlier one wrote.
    Wr,
    /// Anti-dependency: the later one overwrote what the earlier one read.
    Rw,
    /// Process order: one process began the later one after the earlier one had ended.
    Process,
    /// Real time: the earlier one was over before the later one began.
    Realtime,
    /// Continuation from an intermediate vertex of the edge that led there, with its kind.
    Onward,
}

/// Condition under which an edge must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    /// Edge that holds at any level.
    Nothing,
    /// Snapshots: the version that a transaction read is the one right before the version that it writes.
    Snapshots,
    /// Process order counts.
    Process,
    /// Real time counts.
    Realtime,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub from: u32,
    pub to: u32,
    /// Key of the edge, or [`NONE`].
    pub key: u32,
    pub kind: Kind,
    pub needs: Needs,
}

/// Graph whose first vertices are the transactions; the others are intermediate.
#[derive(Debug)]
pub(super) struct Graph {
    pub transactions: u32,
    pub vertices: u32,
    pub edges: Vec<Edge>,
}

/// Placeholder for no key.
pub(super) const NONE: u32 = u32::MAX;

impl Graph {
    pub(super) fn new(transactions: usize) -> Self {
        let transactions = u32::try_from(transactions).expect("there are fewer transactions than events");
        Self { transactions, vertices: transactions, edges: Vec::new() }
    }

    /// Adds an intermediate vertex.
    pub(super) fn between(&mut self) -> u32 {
        self.vertices += 1;
        self.vertices - 1
    }

    pub(super) fn add(&mut self, from: u32, to: u32, kind: Kind, needs: Needs, key: u32) {
        self.edges.push(Edge { from, to, key, kind, needs });
    }

    /// Returns the vertices in an order that respects all edges up to `needs`. If there is none, returns for each
    /// vertex whether it lies on a cycle or between two.
    pub(super) fn order(&self, needs: Needs, limit: &Limit<'_>) -> Result<Result<Vec<u32>, Vec<bool>>, UnknownWhy> {
        self.order_by(|edge| edge.needs <= needs, limit)
    }

    /// Returns an order like [`Graph::order`], by the edges for which `counts` is true.
    pub(super) fn order_by(
        &self,
        counts: impl Fn(&Edge) -> bool,
        limit: &Limit<'_>,
    ) -> Result<Result<Vec<u32>, Vec<bool>>, UnknownWhy> {
        limit.may_take(self.vertices as usize)?;
        let mut alive = vec![true; self.vertices as usize];
        let order = self.peel(&counts, &mut alive, limit, |edge| (edge.from, edge.to))?;
        if order.len() == alive.len() {
            return Ok(Ok(order));
        }
        self.peel(&counts, &mut alive, limit, |edge| (edge.to, edge.from))?;
        Ok(Err(alive))
    }

    /// Runs Kahn's algorithm among the vertices that are alive. Returns those that it takes, in order, which are not
    /// alive any more.
    fn peel(
        &self,
        counts: &impl Fn(&Edge) -> bool,
        alive: &mut [bool],
        limit: &Limit<'_>,
        ends: impl Fn(&Edge) -> (u32, u32),
    ) -> Result<Vec<u32>, UnknownWhy> {
        let live = |from: u32, to: u32| alive[from as usize] && alive[to as usize];
        let edges = || {
            let needed = self.edges.iter().filter(|edge| counts(edge));
            needed.map(&ends).filter(|&(from, to)| live(from, to))
        };
        limit.may_take((4 * self.vertices as usize + self.edges.len()) * size_of::<u32>())?;
        let mut begins = vec![0_u32; self.vertices as usize + 1];
        let mut waits = vec![0_u32; self.vertices as usize];
        for (from, to) in edges() {
            limit.step()?;
            begins[from as usize + 1] += 1;
            waits[to as usize] += 1;
        }
        for vertex in 0..self.vertices as usize {
            begins[vertex + 1] += begins[vertex];
        }
        let mut next = begins.clone();
        let mut targets = vec![0_u32; begins[self.vertices as usize] as usize];
        for (from, to) in edges() {
            limit.step()?;
            targets[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        let mut order: Vec<u32> = Vec::with_capacity(waits.len());
        order.extend((0..self.vertices).filter(|&v| alive[v as usize] && waits[v as usize] == 0));
        let mut done = 0;
        while let Some(&vertex) = order.get(done) {
            done += 1;
            limit.step()?;
            for &to in &targets[begins[vertex as usize] as usize..begins[vertex as usize + 1] as usize] {
                waits[to as usize] -= 1;
                if waits[to as usize] == 0 {
                    order.push(to);
                }
            }
        }
        for &vertex in &order {
            alive[vertex as usize] = false;
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Kind, Limit, NONE, Needs};
    use crate::Limits;

    #[test]
    fn what_lies_on_no_cycle_is_ordered_however_long_the_chain() {
        let mut graph = Graph::new(1_000_000);
        for vertex in (1..1_000_000).rev() {
            graph.add(vertex - 1, vertex, Kind::Ww, Needs::Nothing, NONE);
        }
        let limits = Limits::none();
        let limit = Limit::new(&limits, 1_000_000);
        let order = |graph: &Graph, needs| graph.order(needs, &limit).unwrap();
        assert_eq!(order(&graph, Needs::Realtime).unwrap(), (0..1_000_000).collect::<Vec<_>>());
        graph.add(600_000, 500_000, Kind::Rw, Needs::Realtime, NONE);
        assert!(order(&graph, Needs::Process).is_ok());
        let alive = order(&graph, Needs::Realtime).unwrap_err();
        let on_cycle: Vec<usize> = (0..alive.len()).filter(|&v| alive[v]).collect();
        assert_eq!(on_cycle, (500_000..=600_000).collect::<Vec<_>>());
    }
}
