//! Precedence graph of transactions: a compressed graph of our own, since millions of edges pass through it on every
//! check.
//!
//! petgraph's `toposort` walks depth first over a graph of 24 bytes an edge. Kahn's algorithm over [`Rows`]
//! takes a quarter of the time and of the memory, and what it leaves over is exactly what can lie on or between
//! cycles.

use super::{
    indices::{KeyIndex, Vertex},
    limit::Limit,
};
use crate::{UnknownWhy, index::OptionalIndex, rows::Rows};

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

/// Edge between two vertices, or between two transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<V = Vertex> {
    pub from: V,
    pub to: V,
    pub key: OptionalIndex<KeyIndex>,
    pub kind: Kind,
    pub needs: Needs,
}

impl<V> Edge<V> {
    /// Returns the key that the edge is about.
    pub(super) fn key(&self) -> KeyIndex {
        self.key.get().expect("a dependency is about a key")
    }
}

/// Result of topological sorting.
pub(super) enum Sorting {
    /// Vertices in an order that respects all edges.
    Order(Vec<Vertex>),
    /// Absence of an order: true for each vertex that lies on a cycle or between two.
    Cycles(Vec<bool>),
}

/// Graph whose first vertices are the transactions; the others are intermediate.
#[derive(Debug)]
pub(super) struct Graph {
    pub transactions: u32,
    pub vertices: u32,
    pub edges: Vec<Edge>,
}

impl Graph {
    pub(super) fn new(transactions: usize) -> Self {
        let transactions = u32::try_from(transactions).expect("there are fewer transactions than events");
        Self { transactions, vertices: transactions, edges: Vec::new() }
    }

    /// Adds an intermediate vertex.
    pub(super) fn between(&mut self) -> Vertex {
        self.vertices += 1;
        (self.vertices - 1).into()
    }

    pub(super) fn add(
        &mut self,
        from: impl Into<Vertex>,
        to: impl Into<Vertex>,
        kind: Kind,
        needs: Needs,
        key: impl Into<OptionalIndex<KeyIndex>>,
    ) {
        self.edges.push(Edge { from: from.into(), to: to.into(), key: key.into(), kind, needs });
    }

    /// Sorts the vertices by the edges that need no more than `needs`, `without` those of one kind.
    pub(super) fn sort(&self, needs: Needs, without: Option<Kind>, limit: &Limit<'_>) -> Result<Sorting, UnknownWhy> {
        let vertices = self.vertices as usize;
        limit.may_take(vertices + (3 * vertices + self.edges.len()) * size_of::<u32>())?;
        limit.steps(self.edges.len())?;
        let counts = |edge: &&Edge| edge.needs <= needs && Some(edge.kind) != without;
        let edges = || self.edges.iter().filter(counts);
        let forward = Rows::new(vertices, || edges().map(|edge| (edge.from.into(), edge.to.into())));
        let order = forward.sorted(|steps| limit.steps(steps))?;
        if order.len() == vertices {
            return Ok(Sorting::Order(order.into_iter().map(Vertex::from).collect()));
        }
        drop(forward);
        let mut alive = vec![true; vertices];
        for vertex in order {
            alive[vertex as usize] = false;
        }
        let left = || edges().filter(|edge| alive[edge.from.index()] && alive[edge.to.index()]);
        let backward = Rows::new(vertices, || left().map(|edge| (edge.to.into(), edge.from.into())));
        for vertex in backward.sorted(|steps| limit.steps(steps))? {
            alive[vertex as usize] = false;
        }
        Ok(Sorting::Cycles(alive))
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Kind, Limit, Needs, OptionalIndex, Sorting, Vertex};
    use crate::Limits;

    #[test]
    fn what_lies_on_no_cycle_is_ordered_however_long_the_chain() {
        let mut graph = Graph::new(1_000_000);
        for vertex in (1..1_000_000_u32).rev() {
            graph.add(vertex - 1, vertex, Kind::Ww, Needs::Nothing, OptionalIndex::NONE);
        }
        let limits = Limits::none();
        let limit = Limit::new(&limits, 1_000_000);
        let sort = |graph: &Graph, needs| graph.sort(needs, None, &limit).unwrap();
        let Sorting::Order(order) = sort(&graph, Needs::Realtime) else { panic!("it is a chain") };
        assert_eq!(order, (0..1_000_000_u32).map(Vertex::from).collect::<Vec<_>>());
        graph.add(600_000_u32, 500_000_u32, Kind::Rw, Needs::Realtime, OptionalIndex::NONE);
        assert!(matches!(sort(&graph, Needs::Process), Sorting::Order(_)));
        let Sorting::Cycles(alive) = sort(&graph, Needs::Realtime) else { panic!("it has a cycle") };
        let on_cycle: Vec<usize> = (0..alive.len()).filter(|&v| alive[v]).collect();
        assert_eq!(on_cycle, (500_000..=600_000).collect::<Vec<_>>());
    }
}
