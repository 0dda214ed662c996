//! Reachability in a polygraph, as a table of bits.

use super::{indices::Point, limit::Limit, polygraph::Polygraph};
use crate::UnknownWhy;

/// Reachability table: a row for each vertex, with a bit for each vertex of a transaction.
pub(super) struct Table {
    words: usize,
    bits: Vec<u64>,
    columns: usize,
    /// Place of each vertex in a topological order.
    pub place: Vec<u32>,
}

impl Table {
    /// Computes the table, or returns `None` if there is a cycle.
    pub(super) fn new(graph: &Polygraph, limit: &Limit<'_>) -> Result<Option<Self>, UnknownWhy> {
        let ahead = graph.ahead(graph.edges.len(), limit)?;
        let order = ahead.sorted(|steps| limit.steps(steps))?;
        if order.len() < graph.vertices as usize {
            return Ok(None);
        }
        let (columns, vertices) = (graph.columns(), graph.vertices as usize);
        let words = columns.div_ceil(64);
        limit.may_take(words * vertices * 8 + vertices * 4)?;
        let (mut bits, mut place) = (vec![0_u64; words * vertices], vec![0_u32; vertices]);
        for (at, &vertex) in (0_u32..).zip(&order) {
            place[vertex as usize] = at;
        }
        for &vertex in order.iter().rev() {
            for &to in ahead.of(vertex) {
                limit.steps(words / 16)?;
                let (from, next) = (vertex as usize * words, to as usize * words);
                for word in 0..words {
                    bits[from + word] |= bits[next + word];
                }
                if (to as usize) < columns {
                    bits[from + to as usize / 64] |= 1 << (to % 64);
                }
            }
        }
        Ok(Some(Self { words, bits, columns, place }))
    }

    pub(super) fn row(&self, point: Point) -> &[u64] {
        &self.bits[point.index() * self.words..][..self.words]
    }

    pub(super) fn leads(&self, [from, to]: [Point; 2]) -> bool {
        debug_assert!(to.index() < self.columns, "ways end in transactions");
        has(self.row(from), to)
    }
}

/// Returns true if a row of a table, or of several together, leads to this point.
pub(super) fn has(row: &[u64], point: Point) -> bool {
    row[point.index() / 64] & (1 << (point.index() % 64)) != 0
}
