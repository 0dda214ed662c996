//! Gaps between events that are covered by items which are certainly inside a container, and how to fill the gaps for
//! containers in which the order of takes need not follow that of the puts.

use std::cmp::Reverse;

use histories::NEVER;

use super::{Container, Item};
use crate::{
    UnknownWhy,
    objects::key::{Claim, Key, SolveError, Violation},
};

/// Turn within a gap, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    TakeOld,
    PutAndTake(usize),
    Look,
    Empty,
    /// Put that is taken later: the last items first, each followed by the peeks at it then.
    Put(Reverse<usize>),
}

/// Builds an order in which each item is taken in the gap that `taken` chooses, given the gaps that the items before
/// it cover, and put in as late as possible: in the last gap of its put, or right before it is taken, if that is
/// earlier. Each empty take needs a gap in which no item is certainly inside, or there is no order.
///
/// A peek at an item takes place in a gap that the items before it leave free: while the item is certainly inside, or
/// else right before it is taken. If there is none, the item is put in sooner, in the last free gap before it is
/// certainly inside. Between that gap and that time there is no free gap, so this changes nothing for the items after
/// it.
///
/// Within a gap, values that were inside before are taken first, in the order of `items`; then come those that are
/// put in and taken in the same gap, then the peeks, then the empty takes, then all other puts.
pub(in crate::objects) fn fill<'a>(
    key: &Key<'_>,
    container: &Container,
    items: impl Iterator<Item = &'a Item>,
    mut taken: impl FnMut(&mut Cover, usize, &Item) -> Result<u32, SolveError>,
) -> Claim {
    let mut cover = Cover::new(container.gaps);
    let mut turns: Vec<(u32, Turn, u32)> = Vec::with_capacity(2 * container.items.len() + container.empties.len());
    for (place, item) in items.enumerate() {
        key.steps(1, 2 * place)?;
        let taken = if item.is_taken() { taken(&mut cover, place, item)? } else { NEVER };
        let looks = Looks::at(key, container, &mut cover, item, taken)?;
        let put = looks.put;
        turns.extend(looks.inside.into_iter().map(|(gap, look)| (gap, Turn::Look, look)));
        let before = looks.at_put.into_iter().map(|look| (put, Turn::Put(Reverse(place)), look));
        let turn = if put == taken { Turn::PutAndTake(place) } else { Turn::TakeOld };
        turns.push((put, if put == taken { turn } else { Turn::Put(Reverse(place)) }, item.put));
        turns.extend(before);
        turns.extend(looks.at_take.into_iter().map(|look| (taken, turn, look)));
        turns.extend(item.take.get().map(|take| (taken, turn, take)));
        cover.add(item);
    }
    for empty in &container.empties {
        key.steps(1, 0)?;
        let gap = cover.free(empty.start);
        if gap >= empty.end {
            return Err(key.never_empty(container, empty).into());
        }
        turns.push((gap, Turn::Empty, empty.operation));
    }
    // The sort is stable: takes of old values within a gap keep the order in which they were added.
    turns.sort_by_key(|&(gap, turn, _)| (gap, turn));
    Ok(turns.into_iter().map(|(_, _, operation)| operation).collect())
}

/// Gap in which an item is put in, and the peeks at it with their gaps.
struct Looks {
    put: u32,
    at_put: Vec<u32>,
    inside: Vec<(u32, u32)>,
    at_take: Vec<u32>,
}

impl Looks {
    fn at(
        key: &Key<'_>,
        container: &Container,
        cover: &mut Cover,
        item: &Item,
        taken: u32,
    ) -> Result<Self, SolveError> {
        let put = taken.min(item.put_end - 1);
        let mut looks = Self { put, at_put: Vec::new(), inside: Vec::new(), at_take: Vec::new() };
        for peek in container.peeks(item) {
            key.steps(1, 0)?;
            let gap = cover.free(peek.start.max(item.put_end));
            if gap < peek.end.min(taken) {
                looks.inside.push((gap, peek.operation));
            } else if taken < peek.end {
                looks.at_take.push(peek.operation);
            } else {
                let gap = cover.last_free(item.put_end - 1);
                let Some(gap) = gap.filter(|&gap| gap >= peek.start.max(item.put_start)) else {
                    // The operations involved are determined by the caller.
                    let operations = vec![item.put, peek.operation];
                    return Err(Violation::new(operations, String::new()).into());
                };
                looks.put = looks.put.min(gap);
                looks.at_put.push(peek.operation);
            }
        }
        Ok(looks)
    }
}

/// Set of covered gaps that finds the next or the previous free one.
pub(in crate::objects) struct Cover {
    next: Vec<u32>,
    /// One more than the previous gap, for each gap; 0 if there is none.
    before: Vec<u32>,
}

impl Cover {
    pub(in crate::objects) fn new(gaps: u32) -> Self {
        Self { next: (0..=gaps).collect(), before: (0..=gaps + 1).collect() }
    }

    /// Returns the first gap from `gap` on that is not covered.
    pub(in crate::objects) fn free(&mut self, mut gap: u32) -> u32 {
        while self.next[gap as usize] != gap {
            let next = self.next[gap as usize];
            self.next[gap as usize] = self.next[next as usize];
            gap = next;
        }
        gap
    }

    /// Returns the last gap up to `gap` that is not covered.
    pub(in crate::objects) fn last_free(&mut self, gap: u32) -> Option<u32> {
        let mut at = gap + 1;
        while self.before[at as usize] != at {
            let before = self.before[at as usize];
            self.before[at as usize] = self.before[before as usize];
            at = before;
        }
        at.checked_sub(1)
    }

    /// Covers the gaps in which any of the items is certainly inside.
    pub(in crate::objects) fn add_all(&mut self, key: &Key<'_>, items: &[Item]) -> Result<(), UnknownWhy> {
        items.iter().try_for_each(|item| {
            self.add(item);
            key.steps(1, 0)
        })
    }

    /// Covers the gaps in which the item is certainly inside.
    pub(in crate::objects) fn add(&mut self, item: &Item) {
        let mut gap = self.free(item.put_end);
        while gap < item.take_start {
            self.next[gap as usize] = gap + 1;
            self.before[gap as usize + 1] = gap;
            gap = self.free(gap + 1);
        }
    }
}
