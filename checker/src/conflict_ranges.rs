//! Windows of an order: the ranges of places in which it violates constraints.
//!
//! If every constraint that an order violates lies within these ranges, some order meets all constraints if and only
//! if the constraints inside each range can be met. The reason: constraints that no order meets form a cycle, and
//! each step between the first and the last place of a cycle is crossed backwards by a violated constraint, so the
//! cycle lies within one range.

/// Ranges that do not overlap, ascending, both ends included.
#[derive(Debug, Default)]
pub(crate) struct ConflictRanges {
    ranges: Vec<(u32, u32)>,
    /// Number of the first place of each range, counting only places in ranges.
    offsets: Vec<u32>,
    /// Number of places in all ranges.
    pub len: u32,
}

impl ConflictRanges {
    /// Merges ranges that overlap.
    pub(crate) fn new(mut all: Vec<(u32, u32)>) -> Self {
        all.sort_unstable();
        let mut windows = Self::default();
        for (first, last) in all {
            match windows.ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => windows.ranges.push((first, last)),
            }
        }
        for &(first, last) in &windows.ranges {
            windows.offsets.push(windows.len);
            windows.len += last - first + 1;
        }
        windows
    }

    /// Returns true if the order violates no constraint.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns all places in the ranges, ascending.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    /// Returns the number of a place among those in the ranges, if it is in one.
    pub(crate) fn number(&self, place: u32) -> Option<u32> {
        let after = self.ranges.partition_point(|range| range.0 <= place);
        let at = after.checked_sub(1)?;
        let (first, last) = self.ranges[at];
        (place <= last).then(|| self.offsets[at] + place - first)
    }
}

#[cfg(test)]
mod tests {
    use super::ConflictRanges;

    #[test]
    fn ranges_that_overlap_are_one_and_their_places_are_counted() {
        let windows = ConflictRanges::new(vec![(7, 9), (1, 2), (2, 4), (8, 8)]);
        let numbers: Vec<Option<u32>> = (0..11).map(|place| windows.number(place)).collect();
        let expected = [None, Some(0), Some(1), Some(2), Some(3), None, None, Some(4), Some(5), Some(6), None];
        assert_eq!((numbers, windows.len), (expected.to_vec(), 7));
        assert_eq!(windows.places().collect::<Vec<_>>(), [1, 2, 3, 4, 7, 8, 9]);
        assert!(!windows.is_empty() && ConflictRanges::new(Vec::new()).is_empty());
    }
}
