//! Stacks of unique values, in O(n (c + log n)) for c operations that are open at once. After the outline of Lee and
//! Mathur (OOPSLA 2025): find a moment at which a value can be put aside, or there is no order; with an argument of
//! our own.
//!
//! A value that is never certainly inside can be pushed and popped at once, whatever the stack holds: put it aside.
//! **In a gap where nothing is certainly inside, the stack can be empty**: take any order and look at the values
//! inside at that gap. Those that can already be popped are popped now, and the others do not prevent this, because
//! they can still be pushed: they are pushed now, in the same order. So an empty pop needs such a gap, any will do,
//! and the part between two such gaps, a *block*, can be ordered on its own.
//!
//! **A block `[l, r)`, in which something is certainly inside all the time, has an order if and only if it has a
//! value whose push starts before `l`, whose pop ends after `r`, and the rest, without that value, has an order.** In
//! every order of the block, the value at the bottom in gap `l` was pushed before `l`. It stays to the end, because
//! the stack is never empty, and so is popped after `r`. If there are several such values, any will do: take it out
//! of the order, which leaves an order, and push it before and pop it after all others, which are all inside at some
//! moment of the block. The rest falls into smaller blocks, and so on.
//!
//! **A peek that finds a value on top** shows that it was pushed by the end of the peek and is popped after its
//! start, which counts for when it is certainly inside. The value at the bottom of a block is on top when all others
//! are out, and these can be out in any gap in which none of them is certainly inside, as above. So a value can be at
//! the bottom if each peek at it has such a gap, and again any will do: in an order with another value at the bottom,
//! the peeks at this one also have such gaps among the rest. A value that is never certainly inside is pushed, peeked
//! at and popped at once.

use histories::NEVER;

use super::{
    segments::{Minima, RangeCounts},
    specification::NAMES,
};
use crate::objects::{
    container::{Container, ContainerKind, Item, Peek, gaps::Cover},
    key::{Claim, Key, SolveError, Violation},
};

/// Maximum number of values in a chain that is searched for a shorter one.
const MAX_CHAIN: usize = 64;

pub(super) const KIND: ContainerKind = ContainerKind {
    noun: "stack",
    names: &NAMES,
    solve,
    // A value that certainly lies on top must be removed first.
    blocks: |item| (u64::from(item.put_start), u64::from(item.put_end)),
    may_repeat: false,
    may_peek: true,
};

fn solve(key: &Key<'_>, stack: &Container) -> Claim {
    let mut cover = Cover::new(stack.gaps);
    cover.add_all(key, &stack.items)?;
    let mut empties = Vec::new();
    for empty in &stack.empties {
        key.steps(1, 0)?;
        let gap = cover.free(empty.start);
        if gap >= empty.end {
            return Err(key.never_empty(stack, empty).into());
        }
        empties.push((gap, empty.operation));
    }
    empties.sort_unstable();
    let (mut inside, mut passing): (Vec<Item>, Vec<Item>) =
        stack.items.iter().partition(|item| item.put_end < item.take_start);
    inside.sort_unstable_by_key(|item| item.put_end);
    passing.sort_unstable_by_key(|item| item.take_start);
    let nested = StackBlocks::new(stack, &inside).nest(key, &empties)?;
    let mut passing = passing.iter().peekable();
    let mut order = Vec::with_capacity(2 * stack.items.len() + empties.len());
    let pass = |order: &mut Vec<u32>, item: &Item| {
        order.push(item.put);
        order.extend(stack.peeks(item).iter().map(|peek| peek.operation));
        order.extend(item.take.get());
    };
    for (gap, operation) in nested {
        while let Some(item) = passing.next_if(|item| item.take_start < gap) {
            pass(&mut order, item);
        }
        order.push(operation);
    }
    passing.for_each(|item| pass(&mut order, item));
    Ok(order)
}

/// Items that are left, and where they are certainly inside.
struct StackBlocks<'a> {
    stack: &'a Container,
    /// Items by `put_end`.
    items: &'a [Item],
    /// Earliest push of each item that is left.
    push_starts: Minima,
    /// Number of items inside in each gap.
    inside: RangeCounts,
}

/// Block whose bottom value was found.
struct StackBlock {
    bottom: Option<usize>,
    /// Peeks at the bottom value that are still to come, the last first: gap and operation.
    looks: Vec<(u32, u32)>,
    /// Gap from which on the block is still to be processed.
    from: u32,
    end: u32,
}

impl<'a> StackBlocks<'a> {
    fn new(stack: &'a Container, items: &'a [Item]) -> Self {
        let push_starts = Minima::new(items.iter().map(|item| item.put_start));
        let mut changes = vec![0; stack.gaps as usize + 1];
        for item in items {
            changes[item.put_end as usize] += 1;
            changes[item.take_start as usize] -= 1;
        }
        let counts = changes.iter().scan(0, |count, change| {
            *count += change;
            Some(*count)
        });
        Self { stack, items, push_starts, inside: RangeCounts::new(counts) }
    }

    /// Returns all pushes and pops of these items, and the empty pops, with their gaps.
    fn nest(mut self, key: &Key<'_>, empties: &[(u32, u32)]) -> Result<Vec<(u32, u32)>, SolveError> {
        let mut order = Vec::with_capacity(2 * self.items.len() + empties.len());
        let mut empties = empties.iter().peekable();
        let mut open = vec![StackBlock { bottom: None, looks: Vec::new(), from: 0, end: NEVER }];
        while let Some(block) = open.last_mut() {
            let place = self.items.partition_point(|item| item.put_end < block.from);
            let next = self.push_starts.first_below(place, NEVER).filter(|&next| self.items[next].put_end < block.end);
            let Some(next) = next else {
                let taken = block.bottom.and_then(|bottom| self.items[bottom].take.get());
                order.extend(block.looks.iter().rev());
                order.extend(taken.map(|take| (block.end, take)));
                open.pop();
                continue;
            };
            let start = self.items[next].put_end;
            let end = self.inside.next_zero(start);
            block.from = end;
            while let Some(look) = block.looks.pop_if(|&mut (gap, _)| gap < start) {
                order.push(look);
            }
            if open.len() == 1 {
                while let Some(&empty) = empties.next_if(|&&(gap, _)| gap < start) {
                    order.push(empty);
                }
            }
            let (bottom, looks) = self.bottom(key, next, start, end)?;
            order.push((start - 1, self.items[bottom].put));
            self.push_starts.remove(bottom);
            open.push(StackBlock { bottom: Some(bottom), looks, from: start, end });
        }
        order.extend(empties);
        Ok(order)
    }

    /// Finds a value that can be at the bottom throughout the block from `start` to `end`, whose first item is the
    /// one at `first`. Returns its place and the peeks at it with their gaps, the last first. The value does not
    /// count as inside any more.
    fn bottom(
        &mut self,
        key: &Key<'_>,
        first: usize,
        start: u32,
        end: u32,
    ) -> Result<(usize, Vec<(u32, u32)>), SolveError> {
        let mut at = first;
        while let Some(place) = self.push_starts.first_below(at, start).filter(|&at| self.items[at].put_end < end) {
            key.steps(1, 2 * self.push_starts.removed())?;
            let item = &self.items[place];
            if item.take_end > end {
                self.inside.lower(item.put_end, item.take_start);
                if let Some(looks) = self.looks(item, start) {
                    return Ok((place, looks));
                }
                self.inside.raise(item.put_end, item.take_start);
            }
            at = place + 1;
        }
        if self.stack.has_peeks() {
            // The operations involved are determined by the caller.
            return Err(Violation::new(Vec::new(), String::new()).into());
        }
        let here = (first..).zip(&self.items[first..]).take_while(|(_, item)| item.put_end < end);
        let left = here.filter(|&(place, _)| self.push_starts.has(place)).map(|(_, item)| item);
        let chain = Container::chain(left, start, end);
        Err(no_bottom(key, shortest(&chain)).into())
    }
}

impl StackBlocks<'_> {
    /// Returns the gaps of all peeks at this item if it is at the bottom of the block from `start`, the last first;
    /// or `None` if one has no gap.
    fn looks(&self, item: &Item, start: u32) -> Option<Vec<(u32, u32)>> {
        let look = |peek: &Peek| {
            let gap = self.inside.next_zero(peek.start.max(start - 1));
            (gap < peek.end).then_some((gap, peek.operation))
        };
        let mut looks: Vec<(u32, u32)> = self.stack.peeks(item).iter().map(look).collect::<Option<_>>()?;
        looks.sort_unstable_by(|a, b| b.cmp(a));
        Some(looks)
    }
}

/// Returns true if one of these values, each of which overlaps the next, can be at the bottom all the time.
fn has_bottom(chain: &[&Item]) -> bool {
    let (start, end) = (chain[0].put_end, chain[chain.len() - 1].take_start);
    chain.iter().any(|item| item.put_start < start && item.take_end > end)
}

/// Returns the shortest part of the chain that has no bottom either.
fn shortest<'a, 'b>(chain: &'b [&'a Item]) -> &'b [&'a Item] {
    let lengths = if chain.len() > MAX_CHAIN { chain.len()..chain.len() } else { 2..chain.len() };
    lengths.flat_map(|length| chain.windows(length)).find(|part| !has_bottom(part)).unwrap_or(chain)
}

fn no_bottom(key: &Key<'_>, chain: &[&Item]) -> Violation {
    let (first, last) = (chain[0], chain[chain.len() - 1]);
    let operations = chain.iter().flat_map(|item| item.operations());
    let value = |item: &Item| key.history.value(item.value);
    let name = |operation: u32| key.name(key.operation(operation));
    let blamed = chain.iter().filter(|item| item.is_taken()).min_by_key(|item| item.take_end);
    let blamed = blamed.expect("a value that is never taken out can be at the bottom if it is put in first");
    let others: Vec<String> =
        (chain.iter().filter(|item| item.take != blamed.take)).map(|item| value(item).to_string()).collect();
    let claim = if let [top] = others.as_slice() {
        // Of the two, the one that is put in first is taken out first.
        format!(
            "{} returned {}, although {top} lay on top of it",
            key.who(name(blamed.taker()), blamed.taker()),
            value(blamed)
        )
    } else {
        format!(
            "{} returned {}, which no order of putting it in and taking it out and {} explains",
            key.who(name(blamed.taker()), blamed.taker()),
            value(blamed),
            others.join(", ")
        )
    };
    let mut reasons: Vec<String> = chain.iter().map(|item| key.inside(item)).collect();
    reasons.push(format!(
        "so from {} to {} the stack was never empty, and one of these was at its bottom all the time; but each was \
        put in after that \
         time began, or was out before it ended",
        key.ended(first.put),
        last.take.get().map_or_else(|| "the end".to_owned(), |take| key.began(take))
    ));
    Violation { reasons, ..Violation::new(operations.collect(), claim) }
}
