//! Priority queues of unique numbers, the smallest first, in O(n log n).
//!
//! **There is an order if and only if each take of `v` has a gap in which nothing smaller than `v` is certainly
//! inside**, and each empty take one in which nothing is. Necessary: a take happens in some gap, and what is
//! certainly inside is inside then. Sufficient: from the smallest on, let `v` be taken in the first such gap since
//! its take started, and be put in as late as possible: in the last gap of its put, or right before it is taken, if
//! that is earlier. Let some larger `u` be taken in gap `g`, in which `v` is not certainly inside. If the put of `v`
//! ends after `g`, `v` is put in no sooner than in `g`, or is taken before. Otherwise the take of `v` has started by
//! `g`, and since nothing smaller than `u`, and therefore nothing smaller than `v`, is certainly inside in `g`, `v`
//! is taken in `g` at the latest. `gaps::fill` defines the order within a gap, and the place of each peek at `v`,
//! which also needs a gap in which nothing smaller is certainly inside.

use histories::Value;

use super::specification::NAMES;
use crate::{
    objects::{
        container::{Container, ContainerKind, Item, gaps},
        key::{Claim, Key},
    },
    unknown::unsupported,
};

pub(super) const KIND: ContainerKind = ContainerKind {
    noun: "priority queue",
    names: &NAMES,
    solve,
    // A smaller value must be removed first.
    blocks: |item| (item.number.abs_diff(i64::MAX), item.number.abs_diff(i64::MAX)),
    may_repeat: false,
    may_peek: true,
};

fn solve(key: &Key<'_>, queue: &Container) -> Claim {
    let mut items: Vec<&Item> = queue.items.iter().collect();
    if items.iter().any(|item| !matches!(key.history.value(item.value), Value::Int(_))) {
        return unsupported("a priority queue of anything but numbers");
    }
    items.sort_unstable_by_key(|item| item.number);
    gaps::fill(key, queue, items.iter().copied(), |cover, place, item| {
        let gap = cover.free(item.take_start);
        if gap < item.take_end {
            return Ok(gap);
        }
        let chain = Container::chain(items[..place].iter().copied(), item.take_start, item.take_end);
        let why = "something smaller was in the queue at every moment of it";
        Err(key.never_free(item.taker(), Some(item.put), &chain, why).into())
    })
}
