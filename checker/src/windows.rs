//! Where an order goes wrong: ranges of places in some order, apart from which it is right.
//!
//! Constraints between places, of which those that an order breaks lie within these ranges, can be met by some order if and only if
//! those inside of each range can. For constraints that no order meets form a ring, and between the first and
//! the last place of a ring each step is crossed backwards by one that is broken: so a ring lies within one range.

/// Ranges that do not overlap, ascending, both ends included.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    ranges: Vec<(u32, u32)>,
    /// Where the places of each begin, if only places in ranges are counted.
    offsets: Vec<u32>,
    /// How many places there are in all of them.
    pub len: u32,
}

impl Windows {
    /// Ranges that overlap become one.
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

    /// Whether the order is right everywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// All places that lie in ranges, ascending.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    /// The number of a place among those that lie in ranges, if it does.
    pub(crate) fn number(&self, place: u32) -> Option<u32> {
        let after = self.ranges.partition_point(|range| range.0 <= place);
        let at = after.checked_sub(1)?;
        let (first, last) = self.ranges[at];
        (place <= last).then(|| self.offsets[at] + place - first)
    }
}

#[cfg(test)]
mod tests {
    use super::Windows;

    #[test]
    fn ranges_that_overlap_are_one_and_their_places_are_counted() {
        let windows = Windows::new(vec![(7, 9), (1, 2), (2, 4), (8, 8)]);
        let numbers: Vec<Option<u32>> = (0..11).map(|place| windows.number(place)).collect();
        let expected = [None, Some(0), Some(1), Some(2), Some(3), None, None, Some(4), Some(5), Some(6), None];
        assert_eq!((numbers, windows.len), (expected.to_vec(), 7));
        assert_eq!(windows.places().collect::<Vec<_>>(), [1, 2, 3, 4, 7, 8, 9]);
        assert!(!windows.is_empty() && Windows::new(Vec::new()).is_empty());
    }
}
