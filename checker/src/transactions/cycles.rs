//! Cycles: the strongly connected components of the vertices that topological sorting leaves over, and in each the
//! shortest cycle of the worst kind.
//!
//! Components come from petgraph's `kosaraju_scc`, which keeps its own stack (its `tarjan_scc` recurses, and a
//! history is one long chain). The search for shortest cycles is our own: cycles are weighed by the number of
//! anti-dependencies (rw) first and of transactions second, and a rule about adjacent edges ("no two rw in a row":
//! Cerone and Gotsman 2016 show that exactly these cycles refute snapshot isolation) makes it a search over pairs of
//! a vertex and the last edge's kind, which no algorithm of petgraph does.

use std::{cmp::Reverse, collections::BinaryHeap};

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

use super::{
    graph::{Edge, Graph, Kind, Needs},
    indices::{TransactionIndex, Vertex},
    limit::Limit,
    report::{AnomalyKind, Level, Orders},
};
use crate::{UnknownWhy, index::OptionalIndex, sorted::sorted};

/// Cycle of transactions: each edge leads to the next one, the last to the first.
#[derive(Debug)]
pub(super) struct Cycle {
    /// Edges between transactions; those through other vertices are joined.
    pub edges: Vec<Edge<TransactionIndex>>,
    pub kind: AnomalyKind,
    pub orders: Orders,
    pub refutes: Level,
}

/// Maximum number of vertices of a component at which a search begins, and of steps that all these searches take
/// together.
const STARTS: usize = 64;
const STEPS: usize = 1 << 20;

/// Returns the components of the vertices that are alive, as the edges within each.
pub(super) fn components(graph: &Graph, alive: &[bool]) -> Vec<Vec<Edge>> {
    let mut number = vec![0; alive.len()];
    let mut residue: DiGraph<usize, ()> = DiGraph::new();
    for (vertex, _) in (0..).zip(alive).filter(|(_, alive)| **alive) {
        number[vertex] = u32::try_from(residue.add_node(vertex).index()).expect("vertices are counted so");
    }
    let inside = || graph.edges.iter().filter(|edge| alive[edge.from.index()] && alive[edge.to.index()]);
    residue.extend_with_edges(inside().map(|edge| (number[edge.from.index()], number[edge.to.index()])));
    let mut component = vec![OptionalIndex::NONE; alive.len()];
    let mut count = 0_u32;
    for members in kosaraju_scc(&residue).into_iter().filter(|members| members.len() > 1) {
        for member in members {
            component[residue[member]] = count.into();
        }
        count += 1;
    }
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); count as usize];
    for edge in inside() {
        let [from, to] = [edge.from, edge.to].map(|vertex| component[vertex.index()].get());
        if let Some(home) = from.filter(|_| from == to) {
            edges[home as usize].push(*edge);
        }
    }
    edges
}

/// Rule for the cycles that a search looks for.
#[derive(Clone, Copy)]
struct Rule {
    needs: Needs,
    reads: bool,
    /// Edges of kind rw that are allowed: none, none after another, or any.
    missed: RwEdges,
    /// True if only certain transactions count: one that was read only in an intermediate state may have been undone.
    certain: bool,
    refutes: Level,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RwEdges {
    None,
    NotAdjacent,
    Any,
}

impl Rule {
    fn allows(self, edge: &Edge, is_certain: &dyn Fn(Vertex) -> bool) -> bool {
        if self.certain && !(is_certain(edge.from) && is_certain(edge.to)) {
            return false;
        }
        let kind = match edge.kind {
            Kind::Wr => self.reads,
            Kind::Rw => self.missed != RwEdges::None,
            Kind::Ww | Kind::Process | Kind::Realtime | Kind::Onward => true,
        };
        kind && edge.needs <= self.needs
    }
}

const fn rule(needs: Needs, reads: bool, missed: RwEdges, refutes: Level) -> Rule {
    Rule { needs, reads, missed, certain: false, refutes }
}

const RULES: [Rule; 6] = [
    Rule { certain: true, ..rule(Needs::Nothing, false, RwEdges::None, Level::ReadUncommitted) },
    rule(Needs::Nothing, true, RwEdges::None, Level::ReadCommitted),
    rule(Needs::Snapshots, true, RwEdges::NotAdjacent, Level::SnapshotIsolation),
    rule(Needs::Snapshots, true, RwEdges::Any, Level::Serializable),
    rule(Needs::Process, true, RwEdges::Any, Level::StrongSessionSerializable),
    rule(Needs::Realtime, true, RwEdges::Any, Level::StrictSerializable),
];

/// Returns the significant cycles of a component: the worst that data alone show, and those that are worse with the
/// order of processes or of real time.
pub(super) fn worst(
    transactions: u32,
    edges: &[Edge],
    is_certain: &dyn Fn(Vertex) -> bool,
    limit: &Limit<'_>,
) -> Result<Vec<Cycle>, UnknownWhy> {
    let mut found: Vec<Cycle> = Vec::new();
    for rule in RULES {
        if rule.needs <= Needs::Snapshots && !found.is_empty() {
            continue;
        }
        limit.steps(edges.len())?;
        let edges: Vec<Edge> = edges.iter().copied().filter(|edge| rule.allows(edge, is_certain)).collect();
        if let Some(edges) = CycleSearch::new(transactions, &edges, rule).shortest(limit)? {
            let cycle = name(edges, rule.refutes);
            if found.iter().all(|other| cycle.kind < other.kind) {
                found.push(cycle);
            }
        }
    }
    Ok(found)
}

fn name(edges: Vec<Edge<TransactionIndex>>, refutes: Level) -> Cycle {
    let is = |kind: Kind| edges.iter().filter(|edge| edge.kind == kind).count();
    let adjacent = (0..edges.len())
        .any(|place| edges[place].kind == Kind::Rw && edges[(place + 1) % edges.len()].kind == Kind::Rw);
    let kind = match is(Kind::Rw) {
        0 if is(Kind::Wr) == 0 => AnomalyKind::G0,
        0 => AnomalyKind::G1c,
        1 => AnomalyKind::GSingle,
        _ if !adjacent => AnomalyKind::GNonadjacent,
        _ => AnomalyKind::G2Item,
    };
    let orders = match edges.iter().map(|edge| edge.needs).max() {
        Some(Needs::Realtime) => Orders::Realtime,
        Some(Needs::Process) => Orders::Process,
        _ => Orders::Data,
    };
    Cycle { edges, kind, orders, refutes }
}

/// Cycle with its cost: the number of its rw edges, then of its transactions.
type Costly = ((u32, u32), Vec<Edge>);

/// Edges of a component that a rule allows. A state is twice a vertex, plus one if the last edge was rw and the rule
/// needs to know.
struct CycleSearch {
    transactions: u32,
    /// Vertices, ascending.
    vertices: Vec<Vertex>,
    /// Edges from each state, with the states they lead to.
    next: Vec<Vec<(Edge, u32)>>,
}

impl CycleSearch {
    fn new(transactions: u32, edges: &[Edge], rule: Rule) -> Self {
        let vertices = sorted(edges.iter().flat_map(|edge| [edge.from, edge.to]));
        let mut next = vec![Vec::new(); 2 * vertices.len()];
        let place = |vertex: Vertex| 2 * vertices.binary_search(&vertex).expect("all ends are in it");
        for &edge in edges {
            for missed in 0..2 {
                let after = match edge.kind {
                    _ if rule.missed != RwEdges::NotAdjacent => 0,
                    Kind::Rw if missed == 1 => continue,
                    Kind::Rw => 1,
                    Kind::Onward => missed,
                    Kind::Ww | Kind::Wr | Kind::Process | Kind::Realtime => 0,
                };
                let to = u32::try_from(place(edge.to) + after).expect("vertices are counted so");
                next[place(edge.from) + missed].push((edge, to));
            }
        }
        Self { transactions, vertices, next }
    }

    /// Returns the states, with no rw edge before, of the transactions that lie on a cycle.
    fn starts(&self) -> Vec<u32> {
        let mut states: DiGraph<(), ()> = DiGraph::new();
        for _ in 0..self.next.len() {
            states.add_node(());
        }
        let edges = (0_u32..).zip(&self.next).flat_map(|(from, next)| next.iter().map(move |(_, to)| (from, *to)));
        states.extend_with_edges(edges);
        let components = kosaraju_scc(&states);
        let cyclic = components.iter().filter(|members| members.len() > 1).flatten();
        let numbers = cyclic.map(|state| u32::try_from(state.index()).expect("states are counted so"));
        let is_start = |state: &u32| {
            state.is_multiple_of(2) && self.vertices[*state as usize / 2].transaction(self.transactions).is_some()
        };
        let mut starts: Vec<u32> = numbers.filter(is_start).collect();
        starts.sort_unstable();
        starts
    }

    /// Returns the shortest cycle through any of the starts, as far as there is time for them.
    fn shortest(&self, limit: &Limit<'_>) -> Result<Option<Vec<Edge<TransactionIndex>>>, UnknownWhy> {
        let starts = self.starts();
        let mut steps = STEPS;
        let mut best: Option<Costly> = None;
        for start in starts.iter().step_by(starts.len().div_ceil(STARTS).max(1)) {
            limit.steps(self.next.len())?;
            if let Some((cost, edges)) = self.through(*start, &mut steps, limit)?
                && best.as_ref().is_none_or(|(least, _)| cost < *least)
            {
                best = Some((cost, edges));
            }
            if steps == 0 && best.is_some() {
                break;
            }
        }
        Ok(best.map(|(_, edges)| self.join(&edges)))
    }

    /// Returns the shortest cycle through one start, by Dijkstra's algorithm; the cost counts rw edges, then
    /// transactions.
    fn through(&self, start: u32, steps: &mut usize, limit: &Limit<'_>) -> Result<Option<Costly>, UnknownWhy> {
        let mut cost = vec![(u32::MAX, u32::MAX); self.next.len()];
        let mut came: Vec<Option<(u32, Edge)>> = vec![None; self.next.len()];
        let mut queue = BinaryHeap::from([Reverse(((0, 0), start))]);
        while let Some(Reverse((so_far, state))) = queue.pop() {
            *steps = steps.saturating_sub(1);
            limit.step()?;
            if state == start && so_far != (0, 0) {
                break;
            }
            if so_far > cost[state as usize] {
                continue;
            }
            for (edge, to) in &self.next[state as usize] {
                let leaves = u32::from(edge.from.transaction(self.transactions).is_some());
                let missed = u32::from(edge.kind == Kind::Rw);
                let after = (so_far.0 + missed, so_far.1 + leaves);
                if after < cost[*to as usize] {
                    cost[*to as usize] = after;
                    came[*to as usize] = Some((state, *edge));
                    queue.push(Reverse((after, *to)));
                }
            }
        }
        let mut edges = Vec::new();
        let mut state = start;
        while let Some((before, edge)) = came[state as usize] {
            edges.push(edge);
            state = before;
            if state == start {
                edges.reverse();
                return Ok(Some((cost[start as usize], edges)));
            }
        }
        Ok(None)
    }

    /// Joins edges through other vertices to edges between transactions.
    fn join(&self, edges: &[Edge]) -> Vec<Edge<TransactionIndex>> {
        let mut joined: Vec<Edge> = Vec::new();
        for edge in edges {
            match joined.last_mut() {
                Some(last) if last.to.transaction(self.transactions).is_none() => {
                    last.to = edge.to;
                    last.needs = last.needs.max(edge.needs);
                }
                _ => joined.push(*edge),
            }
        }
        let ends = |edge: &Edge| [edge.from, edge.to].map(|end| end.transaction(self.transactions));
        let between = |edge: Edge| match ends(&edge) {
            [Some(from), Some(to)] => Edge { from, to, key: edge.key, kind: edge.kind, needs: edge.needs },
            _ => unreachable!("a search starts at a transaction"),
        };
        joined.into_iter().map(between).collect()
    }
}
