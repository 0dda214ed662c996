//! FIFO queues of unique values, in O(n log n).
//!
//! Each value has two intervals, that of its put and that of its take. Let `v` come before `w` if the put of `v` ends
//! before that of `w` starts, or the take of `v` ends before that of `w` starts. **Without empty takes, there is an
//! order if and only if there are no two values that each come before the other.** Necessary: a queue returns values
//! in the order in which it got them. Sufficient: both relations are interval orders, so if `a < b` and `c < d` in
//! the same one, then `a < d` or `c < b` also holds; thus a cycle through both relations has a chord that makes it
//! shorter, until two values are left. So there is a sequence that extends both relations. Along it, each put happens
//! at the latest start of a put so far, each take at the latest start so far, and neither is past its end. The
//! sequence is found by repeatedly choosing a value such that no remaining value comes before it. If there is none,
//! look at the value `v` whose put ends first, and `w` whose take ends first: nothing is put before `v`, so `w` is
//! taken before `v`; nothing is taken before `w`, so `v` is put before `w`. These two are the violation.
//!
//! **An empty take needs a gap in which no value is certainly inside**, and any such gap will do, for all of them:
//! cut the history there. A value whose take can have started by then goes before the cut, all others after it. The
//! intervals of the former are cut off at their ends, those of the latter at their starts. Shortening the intervals
//! adds no pair of values to the relation on one side, and no value after the cut comes before one that precedes it,
//! because its put ends after the cut.

use super::specification::NAMES;
use crate::objects::{
    container::{Container, ContainerKind, Item, gaps::Cover},
    key::{Claim, Key, SolveError, Violation},
};

pub(super) const KIND: ContainerKind = ContainerKind {
    noun: "queue",
    names: &NAMES,
    solve,
    // A value that was put in before another must be removed before it.
    blocks: |item| (u64::MAX - u64::from(item.put_end), u64::MAX - u64::from(item.put_start)),
    may_repeat: false,
    may_peek: false,
};

fn solve(key: &Key<'_>, queue: &Container) -> Claim {
    let mut cover = Cover::new(queue.gaps);
    cover.add_all(key, &queue.items)?;
    let mut cuts = Vec::new();
    for empty in &queue.empties {
        key.steps(1, 0)?;
        let gap = cover.free(empty.start);
        if gap >= empty.end {
            return Err(key.never_empty(queue, empty).into());
        }
        cuts.push((gap, empty.operation));
    }
    cuts.sort_unstable();
    let mut by_side: Vec<(usize, &Item)> = Vec::with_capacity(queue.items.len());
    for item in &queue.items {
        by_side.push((cuts.partition_point(|&(gap, _)| gap < item.take_start), item));
    }
    by_side.sort_by_key(|&(side, _)| side);
    let mut order = Vec::with_capacity(2 * queue.items.len() + cuts.len());
    let mut left = by_side.as_slice();
    for side in 0..=cuts.len() {
        let (here, rest) = left.split_at(left.partition_point(|&(other, _)| other <= side));
        left = rest;
        let items: Vec<&Item> = here.iter().map(|&(_, item)| item).collect();
        let sequence = sequence(key, &items)?;
        let earliest = side.checked_sub(1).map_or(0, |cut| cuts[cut].0);
        happen(&sequence, earliest, &mut order);
        order.extend(cuts.get(side).map(|&(_, operation)| operation));
    }
    Ok(order)
}

/// Returns these items in the order in which they go through the queue.
fn sequence<'a>(key: &Key<'_>, items: &[&'a Item]) -> Result<Vec<&'a Item>, SolveError> {
    let sorted = |by: fn(&Item) -> u32| {
        let mut places: Vec<usize> = (0..items.len()).collect();
        places.sort_by_key(|&place| by(items[place]));
        places
    };
    let (put_starts, put_ends) = (sorted(|item| item.put_start), sorted(|item| item.put_end));
    let (take_starts, take_ends) = (sorted(|item| item.take_start), sorted(|item| item.take_end));
    let (mut puts, mut takes, mut first_put, mut first_take) = (0, 0, 0, 0);
    // Number of the two relations in which no remaining item comes before it.
    let mut is_free = vec![0_u8; items.len()];
    let mut is_done = vec![false; items.len()];
    let (mut ready, mut sequence) = (Vec::new(), Vec::with_capacity(items.len()));
    while sequence.len() < items.len() {
        key.steps(1, 2 * sequence.len())?;
        while is_done[put_ends[first_put]] {
            first_put += 1;
        }
        while is_done[take_ends[first_take]] {
            first_take += 1;
        }
        let (v, w) = (put_ends[first_put], take_ends[first_take]);
        while let Some(&place) = put_starts.get(puts).filter(|&&place| items[place].put_start <= items[v].put_end) {
            puts += 1;
            is_free[place] += 1;
            ready.extend((is_free[place] == 2).then_some(place));
        }
        while let Some(&place) = take_starts.get(takes).filter(|&&place| items[place].take_start <= items[w].take_end) {
            takes += 1;
            is_free[place] += 1;
            ready.extend((is_free[place] == 2).then_some(place));
        }
        let Some(next) = ready.pop() else { return Err(overtaken(key, items[v], items[w]).into()) };
        is_done[next] = true;
        sequence.push(items[next]);
    }
    Ok(sequence)
}

/// Adds the operations of this sequence, each as early as possible.
fn happen(sequence: &[&Item], earliest: u32, order: &mut Vec<u32>) {
    let (mut put, mut take) = (earliest, earliest);
    let mut put_times = Vec::with_capacity(sequence.len());
    for item in sequence {
        put = put.max(item.put_start);
        put_times.push(put);
    }
    let mut puts = put_times.iter().zip(sequence).peekable();
    for (item, &put) in sequence.iter().zip(&put_times) {
        let Some(taker) = item.take.get() else { continue };
        take = take.max(item.take_start).max(put);
        while let Some((_, other)) = puts.next_if(|&(&time, _)| time <= take) {
            order.push(other.put);
        }
        order.push(taker);
    }
    order.extend(puts.map(|(_, item)| item.put));
}

/// Describes two values out of order: `second` was put in after `first`, but taken out before it.
fn overtaken(key: &Key<'_>, first: &Item, second: &Item) -> Violation {
    let name = |operation: u32| key.name(key.operation(operation));
    let (one, other) = (key.history.value(first.value), key.history.value(second.value));
    let claim = format!(
        "{} returned {other}, although {one} had been put in before {other} and was still in the queue",
        key.who(name(second.taker()), second.taker())
    );
    let before = format!(
        "{} had ended at {}, before {} began",
        key.who_called(first.put),
        key.ended(first.put),
        key.who_called(second.put)
    );
    let still = match first.take.get() {
        None => format!("nothing that was answered took {one} out"),
        Some(take) if key.are_of_one_drain(take, second.taker()) => format!("it returned {one} only after {other}"),
        Some(take) => format!(
            "{} returned {one}, and only began when that of {other} had ended, at {}",
            key.who(name(take), take),
            key.ended(second.taker())
        ),
    };
    let operations = first.operations().chain(second.operations()).collect();
    Violation { reasons: vec![before, still], ..Violation::new(operations, claim) }
}
