//! Reachability in a polygraph, as a table of bits.

use crate::{
    UnknownWhy,
    rows::Rows,
    transactions::{indices::Point, limit::Limit},
};

/// Reachability table: a row for each point, with a bit for each point of a transaction.
pub(super) struct Table {
    words: usize,
    bits: Vec<u64>,
    columns: usize,
    /// Place of each point in a topological order.
    pub place: Vec<u32>,
}

impl Table {
    /// Computes the table from the points that each point leads to directly; the first `columns` are those of
    /// transactions. Returns `None` if there is a cycle.
    pub(super) fn new(ahead: &Rows, columns: usize, limit: &Limit<'_>) -> Result<Option<Self>, UnknownWhy> {
        let points = ahead.begins.len() - 1;
        let order = ahead.sorted(|steps| limit.steps(steps))?;
        if order.len() < points {
            return Ok(None);
        }
        let words = columns.div_ceil(64);
        limit.may_take(words * points * 8 + points * 4)?;
        let (mut bits, mut place) = (vec![0_u64; words * points], vec![0_u32; points]);
        for (at, &point) in (0_u32..).zip(&order) {
            place[point as usize] = at;
        }
        for &point in order.iter().rev() {
            for &to in ahead.of(point) {
                limit.steps(words / 16)?;
                let (from, next) = (point as usize * words, to as usize * words);
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
