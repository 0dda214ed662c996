//! Precedence graph with numbered nodes: whether it has a cycle, and a short cycle as evidence.
//!
//! It does not use petgraph: two million edges are sorted by counting, and nothing recurses.

use std::collections::VecDeque;

use crate::{
    budget::{Budget, Shortage},
    index::OptionalIndex,
    rows::Rows,
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
pub(super) fn ring(nodes: u32, edges: &[StepEdge], budget: &Budget<'_>) -> Result<Option<Vec<StepEdge>>, Shortage> {
    let count = nodes as usize;
    budget.may_take((3 * count + edges.len()) * size_of::<u32>() + count)?;
    let mut left = vec![true; count];
    // Nodes that lead nowhere are on no cycle, and neither are those that nothing leads to.
    for direction in [|edge: &StepEdge| (edge.from, edge.to), |edge: &StepEdge| (edge.to, edge.from)] {
        let sorted = Rows::new(count, || edges.iter().map(direction)).sorted(|steps| budget.steps(steps))?;
        if sorted.len() == count {
            return Ok(None);
        }
        for node in sorted {
            left[node as usize] = false;
        }
    }
    let candidates: Vec<u32> = (0..nodes).filter(|&node| left[node as usize]).collect();
    let rows = Rows::new(count, || edges.iter().zip(0..).map(|(edge, number)| (edge.from, number)));
    let residue = Residue { edges, rows, left };
    let mut looks = MAX_LOOKS;
    let mut best: Option<Vec<StepEdge>> = None;
    for &start in candidates.iter().step_by(candidates.len().div_ceil(MAX_STARTS).max(1)) {
        // A cycle that was found is a cycle even if it is not the shortest.
        if best.is_some() && budget.steps(MAX_LOOKS / MAX_STARTS).is_err() {
            break;
        }
        let found = residue.way_back(start, &mut looks, best.as_ref().map_or(usize::MAX, Vec::len));
        best = found.or(best);
        if looks == 0 && best.is_some() {
            break;
        }
    }
    // A start between two cycles may lie on none: then any walk within the nodes left over must close.
    Ok(best.or_else(|| residue.walk(*candidates.first()?)))
}

/// Nodes that topological sorting leaves over, from either side, with their edges.
struct Residue<'a> {
    edges: &'a [StepEdge],
    /// Numbers of the edges from each node.
    rows: Rows,
    /// True for each node that is left over.
    left: Vec<bool>,
}

impl Residue<'_> {
    /// Returns the shortest cycle through `start` that is shorter than `limit`, by breadth-first search.
    fn way_back(&self, start: u32, looks: &mut usize, limit: usize) -> Option<Vec<StepEdge>> {
        let mut reached_by = rustc_hash::FxHashMap::default();
        let mut open = VecDeque::from([(start, 0)]);
        while let Some((node, length)) = open.pop_front() {
            for &index in self.rows.of(node) {
                *looks = looks.checked_sub(1)?;
                let edge = self.edges[index as usize];
                if edge.to == start && length + 1 < limit {
                    let mut ring = vec![edge];
                    while ring[ring.len() - 1].from != start {
                        ring.push(self.edges[reached_by[&ring[ring.len() - 1].from] as usize]);
                    }
                    ring.reverse();
                    return Some(ring);
                }
                if self.left[edge.to as usize] && length + 2 < limit && !reached_by.contains_key(&edge.to) {
                    reached_by.insert(edge.to, index);
                    open.push_back((edge.to, length + 1));
                }
            }
        }
        None
    }

    /// Returns some cycle that a walk from `start` closes. Every node that is left over has a successor that
    /// is, too.
    fn walk(&self, start: u32) -> Option<Vec<StepEdge>> {
        let mut place = rustc_hash::FxHashMap::default();
        let mut way: Vec<StepEdge> = Vec::new();
        let mut node = start;
        while !place.contains_key(&node) {
            place.insert(node, way.len());
            let mut next = self.rows.of(node).iter().map(|&index| self.edges[index as usize]);
            let edge = next.find(|edge| self.left[edge.to as usize])?;
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
