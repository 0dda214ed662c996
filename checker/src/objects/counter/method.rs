//! Counters with `inc` (or `add` of 1) and `read`.

use std::{cmp::Reverse, collections::BinaryHeap};

use histories::{Outcome, Value};

use super::{
    answers::{answer, is_read},
    bounds,
    specification::{Counter, is_increment},
};
use crate::{
    UnknownWhy,
    objects::{
        growth::{Growth, sweep},
        key::{Claim, Key, Others, Scope, SolveError, Violation, says_nothing},
    },
    unknown::unsupported,
};

/// Maximum number of increments listed in evidence that a read was too high; if there are more, only their number is
/// given.
const MAX_LISTED: usize = 20;

/// Bytes that the sweep holds for each operation: its end, the open and waiting operations, and the order, each with
/// room to grow.
const BYTES: usize = 4 + 16 + 64 + 8 + 1;

/// Decides one counter in O(n log n), exactly, with increments of unknown outcome.
///
/// It sweeps over the events and lets an increment take effect only when it must: when it completes, or when a read
/// completes that saw more. In the latter case the open increment that ends first takes effect (one of unknown
/// outcome never ends). Sound: the result is an order. Complete: the count is never above that of any order. A read
/// that forces increments needs them in every order. When an increment completes that has not taken effect yet,
/// consider the last read that forced one which ends later: at that time every open one that ended before this one
/// had taken effect, so all that took effect since then began since and has completed, and no order can count fewer.
/// So a read whose value the count had passed before it began is passed in every order, and one that saw more than
/// all that had begun has no place in any.
///
/// It is not enough to check that a read lies between the completed and the begun increments: an early read may need
/// an increment that is still open, and those that complete later are then added to it.
pub(super) fn decide(key: &Key<'_>) -> Claim {
    let _held = key.affords(key.operations.len() * BYTES)?;
    let initial = initial(key)?;
    let mut counter = match CounterSweep::new(key, initial) {
        Err(why @ (UnknownWhy::Function { .. } | UnknownWhy::Unsupported { .. })) => {
            return Err(bounds::violation(key, initial)?.map_or(why.into(), SolveError::Violation));
        }
        counter => counter?,
    };
    sweep(key, &mut counter, CounterSweep::begin, CounterSweep::complete)?;
    Ok(counter.growth.order)
}

struct CounterSweep<'a> {
    initial: i128,
    growth: Growth<'a, i128>,
    /// Increments that have begun, by when they end; those that took effect already are removed lazily.
    open: BinaryHeap<Reverse<(u32, u32)>>,
}

impl<'a> CounterSweep<'a> {
    fn new(key: &'a Key<'a>, initial: i128) -> Result<Self, UnknownWhy> {
        for &index in &key.operations {
            key.steps(1, 0)?;
            let operation = key.operation(index);
            let by = key.history.value(operation.input);
            match key.name(operation) {
                name if is_increment(name) && !matches!(by, Value::Nil | Value::Int(1)) => {
                    return unsupported(format!("an increment by {by}"));
                }
                name if is_increment(name) && !says_nothing(operation) => {
                    return unsupported(format!("an {name} that answers"));
                }
                "read" if operation.outcome == Outcome::Ok && answer(key, operation).is_none() => {
                    let what = key.history.value(operation.output);
                    return unsupported(format!("a read of a counter that returned {what}"));
                }
                name if name == "read" || is_increment(name) => {}
                _ => return Err(key.lacks(operation)),
            }
        }
        Ok(Self { initial, growth: Growth::new(key, initial), open: BinaryHeap::new() })
    }

    fn begin(&mut self, index: u32) {
        let key = self.growth.key;
        if !is_read(key, index) {
            self.open.push(Reverse((key.end(index), index)));
        } else if key.operation(index).outcome == Outcome::Ok {
            self.growth.begin_read(index, seen(key, index));
        }
    }

    fn complete(&mut self, index: u32) -> Result<(), Violation> {
        let key = self.growth.key;
        if self.growth.has_happened(index) {
            return Ok(());
        }
        if !is_read(key, index) {
            self.growth.grow(index);
            return Ok(());
        }
        while self.growth.size < seen(key, index) {
            let Some(Reverse((_, first))) = self.open.pop() else { return Err(too_high(key, index, self.initial)) };
            if !self.growth.has_happened(first) {
                self.growth.grow(first);
            }
        }
        if self.growth.has_happened(index) { Ok(()) } else { Err(too_low(key, index, self.initial)) }
    }
}

/// Returns the number that the counter begins with.
fn initial(key: &Key<'_>) -> Result<i128, UnknownWhy> {
    match *key.initial {
        Value::Int(initial) => Ok(initial.into()),
        Value::Nil => Ok(0),
        ref other => unsupported(format!("a counter that begins with {other}")),
    }
}

/// Returns the number that a read returned.
fn seen(key: &Key<'_>, read: u32) -> i128 {
    answer(key, key.operation(read)).expect("a read that returned anything else was refused")
}

fn too_high(key: &Key<'_>, read: u32, initial: i128) -> Violation {
    let seen = seen(key, read);
    let end = key.operation(read).completed;
    let had_begun = |&index: &u32| !is_read(key, index) && key.operation(index).invoked < end;
    let mut operations: Vec<u32> = key.operations.iter().copied().filter(had_begun).collect();
    let most = operations.len();
    let claim = format!(
        "{} returned {seen}, although the counter began at {initial} and only {} that did not fail had begun by the \
        time the read ended",
        key.who("read", read),
        increments(most)
    );
    let mut scope = Scope::Whole;
    if most > MAX_LISTED {
        operations.clear();
        scope = Scope::Among(format!("with the {} that had begun by then", increments(most)));
    }
    operations.push(read);
    Violation { scope, ..Violation::new(operations, claim) }
}

/// Describes a read that is too low: an earlier read, or the initial count, together with the increments that began
/// after it and completed before this read began, is more than it saw. Uses as few increments as possible.
fn too_low(key: &Key<'_>, read: u32, initial: i128) -> Violation {
    let count = seen(key, read);
    let start = key.operation(read).invoked;
    let over = |&&index: &&u32| key.operation(index).outcome == Outcome::Ok && key.operation(index).completed < start;
    let (mut reads, mut increments): (Vec<u32>, Vec<u32>) =
        key.operations.iter().filter(over).partition(|&&index| is_read(key, index));
    increments.sort_unstable_by_key(|&index| Reverse(key.operation(index).invoked));
    reads.sort_unstable_by_key(|&index| Reverse(key.operation(index).completed));
    let mut since = 0;
    let mut best: Option<(i128, u32, usize)> = None;
    for &earlier in &reads {
        let end = key.operation(earlier).completed;
        while since < increments.len() && key.operation(increments[since]).invoked > end {
            since += 1;
        }
        let then = seen(key, earlier);
        let needed = more_than(count - then);
        if needed <= since && best.is_none_or(|(most, ..)| then > most) {
            best = Some((then, earlier, needed));
        }
    }
    let from_start = more_than(count - initial);
    let (earlier, needed) = best.map_or((None, from_start), |(_, earlier, needed)| (Some(earlier), needed));
    let mut operations: Vec<u32> = increments[..needed].to_vec();
    operations.extend(earlier);
    operations.push(read);
    let who = key.who("read", read);
    let (then, already) = earlier.map_or((initial, String::new()), |earlier| {
        let then = seen(key, earlier);
        (then, format!("{} had already returned {then} at {}", key.who("read", earlier), key.ended(earlier)))
    });
    let claim = match (earlier, needed) {
        (Some(_), 0) => format!("{who} returned {count}, although {already}"),
        (Some(_), _) => {
            format!(
                "{who} returned {count}, although {already}, and {} had begun and ended since",
                self::increments(needed)
            )
        }
        (None, _) => format!(
            "{who} returned {count}, although the counter began at {then} and {} had been acknowledged before the read \
            began",
            self::increments(increments.len())
        ),
    };
    let reasons = vec!["increments only ever add, so the count cannot have gone back".to_owned()];
    let others = Others {
        assumption: "however often others incremented the counter",
        elements: None,
        specification: |initial, _| Box::new(Counter::among_others(initial)),
    };
    Violation { operations, claim, reasons, scope: Scope::Beside(others) }
}

/// Returns the number of increments that exceed `count`.
fn more_than(count: i128) -> usize {
    usize::try_from((count + 1).max(0)).unwrap_or(usize::MAX)
}

fn increments(count: usize) -> String {
    format!("{count} increment{}", if count == 1 { "" } else { "s" })
}
