//! A priority queue of unique numbers, the smallest first, in O(n log n).
//!
//! **There is an order exactly if each take of `v` has a gap in which nothing smaller than `v` is certainly inside**, and each empty
//! take one in which nothing is at all. Necessary: a take happens in some gap, and what is certainly inside is inside then.
//! Sufficient: from the smallest on, let `v` be taken in the first such gap since its take started, and be put in as late as it can:
//! in the last gap of its put, or right before it is taken, if that is earlier. Let some larger `u` be taken in gap `g`,
//! in which `v` is not certainly inside. If the put of `v` ends after `g`, `v` is put in no sooner than in `g`, or is taken before. Else
//! the take of `v` has started by `g`, and since nothing smaller than `u`, so nothing smaller than `v`, is certainly inside in
//! `g`, `v` is taken in `g` at the latest. Within a gap, values that were inside before are taken first, the smallest first; then come
//! those that are put in and taken in the same gap, then the empty takes, then all other puts.

use histories::{NEVER, Value};

use super::{
    Key,
    container::{Container, Cover, Item, Kind, Trouble},
};
use crate::{UnknownWhy, model::priority_queue::NAMES};

pub(super) const KIND: Kind = Kind {
    noun: "priority queue",
    names: &NAMES,
    solve,
    // What is smaller.
    blocks: |item| (item.number.abs_diff(i64::MAX), item.number.abs_diff(i64::MAX)),
};

/// What happens within a gap, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    TakeOld,
    PutAndTake(usize),
    Empty,
    Put,
}

fn solve(key: &Key<'_>, queue: &Container) -> Result<Vec<u32>, Trouble> {
    let mut items: Vec<&Item> = queue.items.iter().collect();
    if items.iter().any(|item| !matches!(key.history.value(item.value), Value::Int(_))) {
        return Err(UnknownWhy::Unsupported { what: "a priority queue of anything but numbers".to_owned() }.into());
    }
    items.sort_unstable_by_key(|item| item.number);
    let mut cover = Cover::new(queue.gaps);
    let mut turns: Vec<(u32, Turn, u32)> = Vec::with_capacity(2 * items.len() + queue.empties.len());
    for (place, item) in items.iter().enumerate() {
        key.steps(1, 2 * place)?;
        let taken = if item.take == NEVER { NEVER } else { cover.free(item.take_start) };
        let put = taken.min(item.put_end - 1);
        if item.take == NEVER {
            turns.push((put, Turn::Put, item.put));
        } else if taken >= item.take_end {
            let chain = Container::chain(items[..place].iter().copied(), item.take_start, item.take_end);
            let why = "something smaller was in the queue at every moment of it";
            return Err(Trouble::Violation(key.never_free(item.take, Some(item.put), &chain, why)));
        } else if put == taken {
            turns.extend([(taken, Turn::PutAndTake(place), item.put), (taken, Turn::PutAndTake(place), item.take)]);
        } else {
            turns.extend([(put, Turn::Put, item.put), (taken, Turn::TakeOld, item.take)]);
        }
        cover.add(item);
    }
    for empty in &queue.empties {
        key.steps(1, 0)?;
        let gap = cover.free(empty.start);
        if gap >= empty.end {
            let chain = Container::chain(queue.items.iter(), empty.start, empty.end);
            let why = "the queue was not empty at any moment of it";
            return Err(Trouble::Violation(key.never_free(empty.operation, None, &chain, why)));
        }
        turns.push((gap, Turn::Empty, empty.operation));
    }
    // Takes of old values within a gap stay as they were added, the smallest first.
    turns.sort_by_key(|&(gap, turn, _)| (gap, turn));
    Ok(turns.into_iter().map(|(_, _, operation)| operation).collect())
}
