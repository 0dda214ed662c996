//! Gaps between events: which of them are covered by something that is certainly inside of a container, and how containers whose takes
//! need not follow the puts fill them.

use histories::NEVER;

use super::{
    Key,
    container::{Container, Item, Trouble},
};
use crate::UnknownWhy;

/// What happens within a gap, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    TakeOld,
    PutAndTake(usize),
    Empty,
    Put,
}

/// The order in which each item is taken in the gap that `taken` chooses, given which gaps the items before it cover, and put in as
/// late as it can be: in the last gap of its put, or right before it is taken, if that is earlier. Empty takes find a gap in which
/// nothing is certainly inside, or there is no order.
///
/// Within a gap, values that were inside before are taken first, in the order of `items`; then come those that are put in and taken
/// in the same gap, then the empty takes, then all other puts.
pub(super) fn fill<'a>(
    key: &Key<'_>,
    container: &Container,
    items: impl Iterator<Item = &'a Item>,
    mut taken: impl FnMut(&mut Cover, usize, &Item) -> Result<u32, Trouble>,
) -> Result<Vec<u32>, Trouble> {
    let mut cover = Cover::new(container.gaps);
    let mut turns: Vec<(u32, Turn, u32)> = Vec::with_capacity(2 * container.items.len() + container.empties.len());
    for (place, item) in items.enumerate() {
        key.steps(1, 2 * place)?;
        let taken = if item.take == NEVER { NEVER } else { taken(&mut cover, place, item)? };
        let put = taken.min(item.put_end - 1);
        if item.take == NEVER {
            turns.push((put, Turn::Put, item.put));
        } else if put == taken {
            turns.extend([(taken, Turn::PutAndTake(place), item.put), (taken, Turn::PutAndTake(place), item.take)]);
        } else {
            turns.extend([(put, Turn::Put, item.put), (taken, Turn::TakeOld, item.take)]);
        }
        cover.add(item);
    }
    for empty in &container.empties {
        key.steps(1, 0)?;
        let gap = cover.free(empty.start);
        if gap >= empty.end {
            return Err(Trouble::Violation(key.never_empty(container, empty)));
        }
        turns.push((gap, Turn::Empty, empty.operation));
    }
    // Takes of old values within a gap stay as they were added.
    turns.sort_by_key(|&(gap, turn, _)| (gap, turn));
    Ok(turns.into_iter().map(|(_, _, operation)| operation).collect())
}

/// Gaps that are covered by something: finds the next one that is not.
pub(super) struct Cover {
    next: Vec<u32>,
}

impl Cover {
    pub(super) fn new(gaps: u32) -> Self {
        Self { next: (0..=gaps).collect() }
    }

    /// The first gap from here on that is not covered.
    pub(super) fn free(&mut self, mut gap: u32) -> u32 {
        while self.next[gap as usize] != gap {
            let next = self.next[gap as usize];
            self.next[gap as usize] = self.next[next as usize];
            gap = next;
        }
        gap
    }

    /// Covers the gaps in which any of the items is certainly inside.
    pub(super) fn add_all(&mut self, key: &Key<'_>, items: &[Item]) -> Result<(), UnknownWhy> {
        items.iter().try_for_each(|item| {
            self.add(item);
            key.steps(1, 0)
        })
    }

    /// Covers the gaps in which the item is certainly inside.
    pub(super) fn add(&mut self, item: &Item) {
        let mut gap = self.free(item.put_end);
        while gap < item.take_start {
            self.next[gap as usize] = gap + 1;
            gap = self.free(gap + 1);
        }
    }
}
