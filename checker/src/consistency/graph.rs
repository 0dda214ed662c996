//! Precedence graph with numbered nodes: whether it has a cycle, and a short cycle as evidence.
//!
//! It does not use petgraph: two million edges are sorted by counting into one array, and nothing recurses.

use std::collections::VecDeque;

use crate::{
    budget::{Budget, Exhausted},
    index::OptionalIndex,
};

/// Edge with the two steps that imply it. A step that a neighbouring edge names may be left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepEdge {
    pub from: u32,
    pub to: u32,
    /// Step that touched `from`.
    pub first: OptionalIndex,
    /// Later step of the same session that touched `to`.
    pub second: OptionalIndex,
}

/// Maximum number of nodes from which a shortest cycle is sought, and of edges looked at for that.
const MAX_STARTS: usize = 64;
const MAX_LOOKS: usize = 4_000_000;

/// Returns the edges of a short cycle, or `None` if there is no cycle.
pub(super) fn ring(nodes: u32, edges: &[StepEdge], budget: &Budget<'_>) -> Result<Option<Vec<StepEdge>>, Exhausted> {
    // Both adjacency lists, and for each node its number of predecessors left, whether it is ready, and whether it is
    // left over.
    budget.may_take(2 * (edges.len() + nodes as usize) * size_of::<u32>() + nodes as usize * 10)?;
    let forward = Adjacency::new(nodes, edges, |edge| edge.from);
    let Some(mut left) = forward.not_sorted(edges, |edge| edge.to, budget)? else { return Ok(None) };
    let backward = Adjacency::new(nodes, edges, |edge| edge.to);
    // Nodes that lead nowhere are on no cycle either.
    if let Some(also) = backward.not_sorted(edges, |edge| edge.from, budget)? {
        left.iter_mut().zip(also).for_each(|(left, also)| *left &= also);
    }
    let candidates: Vec<u32> = (0..nodes).filter(|&node| left[node as usize]).collect();
    let mut looks = MAX_LOOKS;
    let mut best: Option<Vec<StepEdge>> = None;
    for &start in candidates.iter().step_by(candidates.len().div_ceil(MAX_STARTS).max(1)) {
        // A cycle that was found is a cycle even if it is not the shortest.
        if best.is_some() && budget.steps(MAX_LOOKS / MAX_STARTS).is_err() {
            break;
        }
        let found = forward.way_back(edges, start, &left, &mut looks, best.as_ref().map_or(usize::MAX, Vec::len));
        best = found.or(best);
        if looks == 0 && best.is_some() {
            break;
        }
    }
    // A start between two cycles may lie on none: then any walk within the nodes left over must close.
    Ok(best.or_else(|| forward.walk(edges, *candidates.first()?, &left)))
}

/// Edges of each node, in one array.
struct Adjacency {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Adjacency {
    fn new(nodes: u32, edges: &[StepEdge], node: fn(&StepEdge) -> u32) -> Self {
        let mut starts = vec![0_u32; nodes as usize + 2];
        for edge in edges {
            starts[node(edge) as usize + 2] += 1;
        }
        for place in 2..starts.len() {
            starts[place] += starts[place - 1];
        }
        let mut sorted = vec![0; edges.len()];
        for (index, edge) in (0..).zip(edges) {
            let place = &mut starts[node(edge) as usize + 1];
            sorted[*place as usize] = index;
            *place += 1;
        }
        Self { starts, edges: sorted }
    }

    fn of(&self, node: u32) -> &[u32] {
        &self.edges[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    /// Returns the nodes that topological sorting does not reach (Kahn 1962), if there are any.
    fn not_sorted(
        &self,
        edges: &[StepEdge],
        other: fn(&StepEdge) -> u32,
        budget: &Budget<'_>,
    ) -> Result<Option<Vec<bool>>, Exhausted> {
        let nodes = self.starts.len() - 2;
        let mut waiting = vec![0_u32; nodes];
        for edge in edges {
            waiting[other(edge) as usize] += 1;
        }
        let mut ready: Vec<u32> = (0..).take(nodes).filter(|&node| waiting[node as usize] == 0).collect();
        let mut sorted = 0;
        while let Some(node) = ready.pop() {
            sorted += 1;
            budget.steps(1 + self.of(node).len())?;
            for &edge in self.of(node) {
                let next = other(&edges[edge as usize]);
                waiting[next as usize] -= 1;
                if waiting[next as usize] == 0 {
                    ready.push(next);
                }
            }
        }
        Ok((sorted < nodes).then(|| waiting.into_iter().map(|count| count > 0).collect()))
    }

    /// Returns the shortest cycle through `start` that is shorter than `limit`, by breadth-first search.
    fn way_back(
        &self,
        edges: &[StepEdge],
        start: u32,
        inside: &[bool],
        looks: &mut usize,
        limit: usize,
    ) -> Option<Vec<StepEdge>> {
        let mut reached_by = rustc_hash::FxHashMap::default();
        let mut open = VecDeque::from([(start, 0)]);
        while let Some((node, length)) = open.pop_front() {
            for &index in self.of(node) {
                *looks = looks.checked_sub(1)?;
                let edge = edges[index as usize];
                if edge.to == start && length + 1 < limit {
                    let mut ring = vec![edge];
                    while ring[ring.len() - 1].from != start {
                        ring.push(edges[reached_by[&ring[ring.len() - 1].from] as usize]);
                    }
                    ring.reverse();
                    return Some(ring);
                }
                if inside[edge.to as usize] && length + 2 < limit && !reached_by.contains_key(&edge.to) {
                    reached_by.insert(edge.to, index);
                    open.push_back((edge.to, length + 1));
                }
            }
        }
        None
    }

    /// Returns some cycle that a walk from `start` closes. Every node in `inside` has a successor there, because both
    /// topological sorts left it over.
    fn walk(&self, edges: &[StepEdge], start: u32, inside: &[bool]) -> Option<Vec<StepEdge>> {
        let mut place = rustc_hash::FxHashMap::default();
        let mut way: Vec<StepEdge> = Vec::new();
        let mut node = start;
        while !place.contains_key(&node) {
            place.insert(node, way.len());
            let next = self.of(node).iter().map(|&index| edges[index as usize]);
            let edge = next.into_iter().find(|edge| inside[edge.to as usize])?;
            way.push(edge);
            node = edge.to;
        }
        Some(way.split_off(place[&node]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, StepEdge, ring};

    fn edges(pairs: &[(u32, u32)]) -> Vec<StepEdge> {
        pairs.iter().map(|&(from, to)| StepEdge { from, to, first: from.into(), second: to.into() }).collect()
    }

    fn around(nodes: u32, pairs: &[(u32, u32)]) -> Option<Vec<u32>> {
        ring(nodes, &edges(pairs), &Budget::endless()).unwrap().map(|ring| ring.iter().map(|edge| edge.from).collect())
    }

    #[test]
    fn what_does_not_close_has_no_ring() {
        assert_eq!(around(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]), None);
        assert_eq!(around(1, &[]), None);
    }

    #[test]
    fn the_shortest_ring_is_found() {
        let ring = around(6, &[(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 3), (4, 5)]).unwrap();
        assert_eq!(ring.len(), 2, "{ring:?}");
    }

    #[test]
    fn a_node_between_two_rings_is_on_none() {
        let ring = around(5, &[(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 3)]).unwrap();
        assert_eq!(ring.len(), 2, "{ring:?}");
    }

    #[test]
    fn a_long_chain_does_not_recurse() {
        let mut pairs: Vec<(u32, u32)> = (0..500_000).map(|node| (node, node + 1)).collect();
        assert_eq!(around(500_001, &pairs), None);
        pairs.push((500_000, 0));
        assert_eq!(around(500_001, &pairs).unwrap().len(), 500_001);
    }
}
