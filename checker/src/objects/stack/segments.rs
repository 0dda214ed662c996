//! Segment trees: one finds the first number below a bound, the other the first zero among counts that are lowered by
//! ranges.

use histories::NEVER;

/// Removable numbers, with a query for the first one from some place on that is below a bound.
pub(super) struct Minima {
    size: usize,
    /// Tree nodes: node 1 is the root, the children of `n` are `2 n` and `2 n + 1`. A number that is removed, or was
    /// never there, is [`NEVER`].
    nodes: Vec<u32>,
    removed: usize,
}

impl Minima {
    pub(super) fn new(numbers: impl ExactSizeIterator<Item = u32>) -> Self {
        let size = numbers.len().next_power_of_two();
        let mut nodes = vec![NEVER; 2 * size];
        for (node, number) in nodes[size..].iter_mut().zip(numbers) {
            *node = number;
        }
        for node in (1..size).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Self { size, nodes, removed: 0 }
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.removed += 1;
        let mut node = self.size + place;
        self.nodes[node] = NEVER;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
        }
    }

    pub(super) fn removed(&self) -> usize {
        self.removed
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.nodes[self.size + place] != NEVER
    }

    /// Returns the first place from `from` on whose number is below `bound`.
    pub(super) fn first_below(&self, from: usize, bound: u32) -> Option<usize> {
        if from >= self.size {
            return None;
        }
        let mut node = self.size + from;
        while self.nodes[node] >= bound {
            // Go up while it is a right child, then to the right.
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.size {
            node *= 2;
            if self.nodes[node] >= bound {
                node += 1;
            }
        }
        Some(node - self.size)
    }
}

/// Counts that are lowered by one over ranges, never below zero.
pub(super) struct RangeCounts {
    size: usize,
    /// Minimum of each node's counts, not yet reduced by what its ancestors were lowered by as a whole.
    least: Vec<i32>,
    /// Amount by which each node was lowered as a whole.
    lowered: Vec<i32>,
}

impl RangeCounts {
    pub(super) fn new(counts: impl Iterator<Item = i32>) -> Self {
        let counts: Vec<i32> = counts.collect();
        let size = counts.len().next_power_of_two();
        let mut least = vec![0; 2 * size];
        least[size..size + counts.len()].copy_from_slice(&counts);
        for node in (1..size).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self { size, least, lowered: vec![0; 2 * size] }
    }

    /// Lowers the counts from `start` to `end` (exclusive).
    pub(super) fn lower(&mut self, start: u32, end: u32) {
        self.lower_in(1, 0, self.size, start as usize, end as usize, 1);
    }

    /// Undoes [`RangeCounts::lower`].
    pub(super) fn raise(&mut self, start: u32, end: u32) {
        self.lower_in(1, 0, self.size, start as usize, end as usize, -1);
    }

    fn lower_in(&mut self, node: usize, from: usize, to: usize, start: usize, end: usize, by: i32) {
        if end <= from || to <= start {
            return;
        }
        if start <= from && to <= end {
            self.least[node] -= by;
            self.lowered[node] += by;
            return;
        }
        let middle = usize::midpoint(from, to);
        self.lower_in(2 * node, from, middle, start, end, by);
        self.lower_in(2 * node + 1, middle, to, start, end, by);
        self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) - self.lowered[node];
    }

    /// Returns the first place from `from` on whose count is zero; there must be one.
    pub(super) fn next_zero(&self, from: u32) -> u32 {
        let zero =
            self.next_zero_in(1, 0, self.size, from as usize, 0).expect("after the last event, nothing is counted");
        u32::try_from(zero).expect("places are u32")
    }

    fn next_zero_in(&self, node: usize, from: usize, to: usize, start: usize, above: i32) -> Option<usize> {
        if to <= start || self.least[node] > above {
            return None;
        }
        if to - from == 1 {
            return Some(from);
        }
        let (middle, above) = (usize::midpoint(from, to), above + self.lowered[node]);
        self.next_zero_in(2 * node, from, middle, start, above)
            .or_else(|| self.next_zero_in(2 * node + 1, middle, to, start, above))
    }
}

#[cfg(test)]
mod tests {
    use super::{Minima, RangeCounts};

    #[test]
    fn the_first_number_below_a_bound_is_found() {
        let mut minima = Minima::new([5, 3, 9, 1, 7].into_iter());
        let found = |minima: &Minima, bound| (0..9).map(|from| minima.first_below(from, bound)).collect::<Vec<_>>();
        assert_eq!(found(&minima, 4), [Some(1), Some(1), Some(3), Some(3), None, None, None, None, None]);
        minima.remove(1);
        minima.remove(3);
        assert_eq!(minima.first_below(0, 4), None);
        assert_eq!(minima.first_below(1, 9), Some(4));
        assert_eq!((minima.removed(), minima.has(3), minima.has(4)), (2, false, true));
        assert_eq!(Minima::new([].into_iter()).first_below(0, 9), None);
    }

    #[test]
    fn the_first_zero_is_found_where_ranges_are_lowered() {
        let mut counts = RangeCounts::new([1, 2, 1, 2, 2, 0].into_iter());
        assert_eq!(counts.next_zero(0), 5);
        counts.lower(0, 3);
        assert_eq!([0, 1, 3].map(|from| counts.next_zero(from)), [0, 2, 5]);
        counts.lower(1, 5);
        counts.lower(3, 5);
        assert_eq!([1, 3, 4].map(|from| counts.next_zero(from)), [1, 3, 4]);
        counts.raise(3, 5);
        assert_eq!([1, 3, 4].map(|from| counts.next_zero(from)), [1, 5, 5]);
    }
}
