//! Counters with `inc` (or `add` of 1) and `read`.

use std::{cmp::Reverse, collections::BinaryHeap};

use histories::{NEVER, Operation, Outcome, Value};

use super::specification::is_increment;
use crate::{
    UnknownWhy,
    objects::key::{Claim, Key, Scope, Violation, says_nothing},
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
pub(super) fn decide(key: &Key<'_>) -> Result<Claim, UnknownWhy> {
    let _held = key.affords(key.operations.len() * BYTES)?;
    let mut sweep = CounterSweep::new(key)?;
    let mut ends: Vec<u32> = sweep.certain();
    ends.sort_unstable_by_key(|&index| key.operation(index).completed);
    let mut begun = key.operations.iter().copied().peekable();
    for (explained, index) in ends.into_iter().enumerate() {
        key.steps(1, explained)?;
        let end = key.operation(index).completed;
        while let Some(next) = begun.next_if(|&next| key.operation(next).invoked < end) {
            sweep.begin(next);
        }
        if !sweep.complete(index) {
            let seen = answer(key, key.operation(index));
            return Ok(Claim::Violation(violation(key, index, seen, sweep.count, sweep.initial)));
        }
    }
    Ok(Claim::Order(sweep.order))
}

struct CounterSweep<'a> {
    key: &'a Key<'a>,
    initial: i128,
    count: i128,
    /// Increments that have begun, by when they end; those that took effect already are removed lazily.
    open: BinaryHeap<Reverse<(u32, u32)>>,
    /// True for the operations, by their place in the key, that have taken effect.
    happened: Vec<bool>,
    /// Reads that have begun and saw a count that is not reached yet, by that count.
    waiting: BinaryHeap<Reverse<(i128, u32)>>,
    order: Vec<u32>,
}

impl<'a> CounterSweep<'a> {
    fn new(key: &'a Key<'a>) -> Result<Self, UnknownWhy> {
        for &index in &key.operations {
            key.steps(1, 0)?;
            let operation = key.operation(index);
            let by = key.history.value(operation.input);
            match key.name(operation) {
                name if is_increment(name) && !matches!(by, Value::Nil | Value::Int(1)) => {
                    return Err(UnknownWhy::Unsupported { what: format!("an increment by {by}") });
                }
                name if is_increment(name) && !says_nothing(operation) => {
                    return Err(UnknownWhy::Unsupported { what: format!("an {name} that answers") });
                }
                "read" if operation.outcome == Outcome::Ok && answer(key, operation).is_none() => {
                    let what = key.history.value(operation.output);
                    return Err(UnknownWhy::Unsupported { what: format!("a read of a counter that returned {what}") });
                }
                name if name == "read" || is_increment(name) => {}
                _ => return Err(key.lacks(operation)),
            }
        }
        let initial = match *key.initial {
            Value::Int(initial) => initial.into(),
            Value::Nil => 0,
            ref other => return Err(UnknownWhy::Unsupported { what: format!("a counter that begins with {other}") }),
        };
        let happened = vec![false; key.operations.len()];
        let (open, waiting) = (BinaryHeap::new(), BinaryHeap::new());
        Ok(Self { key, initial, count: initial, open, happened, waiting, order: Vec::new() })
    }

    fn certain(&self) -> Vec<u32> {
        let certain = |&index: &u32| self.key.operation(index).outcome == Outcome::Ok;
        self.key.operations.iter().copied().filter(certain).collect()
    }

    fn place(&self, index: u32) -> usize {
        self.key.operations.binary_search(&index).expect("it is one of the key's operations")
    }

    fn happen(&mut self, index: u32) {
        let place = self.place(index);
        self.happened[place] = true;
        self.order.push(index);
    }

    fn begin(&mut self, index: u32) {
        let operation = self.key.operation(index);
        if !is_read(self.key, operation) {
            let end = if operation.outcome == Outcome::Ok { operation.completed } else { NEVER };
            self.open.push(Reverse((end, index)));
        } else if operation.outcome == Outcome::Ok {
            match answer(self.key, operation) {
                Some(seen) if seen == self.count => self.happen(index),
                Some(seen) if seen > self.count => self.waiting.push(Reverse((seen, index))),
                _ => {}
            }
        }
    }

    fn increment(&mut self, index: u32) {
        self.happen(index);
        self.count += 1;
        while let Some(&Reverse((seen, read))) = self.waiting.peek()
            && seen <= self.count
        {
            self.waiting.pop();
            self.happen(read);
        }
    }

    /// Completes an operation. Returns false if it has no place.
    fn complete(&mut self, index: u32) -> bool {
        if self.happened[self.place(index)] {
            return true;
        }
        let operation = self.key.operation(index);
        if !is_read(self.key, operation) {
            self.increment(index);
            return true;
        }
        let Some(seen) = answer(self.key, operation) else { return false };
        while self.count < seen {
            let Some(Reverse((_, first))) = self.open.pop() else { return false };
            if !self.happened[self.place(first)] {
                self.increment(first);
            }
        }
        self.happened[self.place(index)]
    }
}

fn is_read(key: &Key<'_>, operation: &Operation) -> bool {
    key.name(operation) == "read"
}

/// Returns the number that a read returned, if it is one.
fn answer(key: &Key<'_>, operation: &Operation) -> Option<i128> {
    if let &Value::Int(seen) = key.history.value(operation.output) { Some(seen.into()) } else { None }
}

/// Describes why the read at `index`, the first that cannot complete, has no place.
fn violation(key: &Key<'_>, index: u32, seen: Option<i128>, count: i128, initial: i128) -> Violation {
    let who = key.who("read", index);
    let Some(seen) = seen else {
        let what = key.history.value(key.operation(index).output);
        let claim = format!("{who} returned {what}, which is not a number");
        return Violation { operations: vec![index], claim, reasons: Vec::new(), scope: Scope::Whole };
    };
    if seen < count { too_low(key, index, seen, initial) } else { too_high(key, index, seen, initial) }
}

fn too_high(key: &Key<'_>, read: u32, seen: i128, initial: i128) -> Violation {
    let end = key.operation(read).completed;
    let begun = key.operations.iter().copied();
    let mut operations: Vec<u32> =
        begun.filter(|&o| !is_read(key, key.operation(o)) && key.operation(o).invoked < end).collect();
    let most = operations.len();
    let claim = format!(
        "{} returned {seen}, although the counter began at {initial} and only {} had even begun by the time the read \
        ended",
        key.who("read", read),
        increments(most)
    );
    let mut scope = Scope::Whole;
    if most > MAX_LISTED {
        operations.clear();
        scope = Scope::Among(format!("with the {} that had begun by then", increments(most)));
    }
    operations.push(read);
    Violation { operations, claim, reasons: Vec::new(), scope }
}

/// Describes a read that is too low: an earlier read, or the initial count, together with the increments that began
/// after it and completed before this read began, is more than it saw. Uses as few increments as possible.
fn too_low(key: &Key<'_>, read: u32, seen: i128, initial: i128) -> Violation {
    let start = key.operation(read).invoked;
    let over = |&&index: &&u32| key.operation(index).outcome == Outcome::Ok && key.operation(index).completed < start;
    let (mut reads, mut increments): (Vec<u32>, Vec<u32>) =
        key.operations.iter().filter(over).partition(|&&index| is_read(key, key.operation(index)));
    increments.sort_unstable_by_key(|&index| Reverse(key.operation(index).invoked));
    reads.sort_unstable_by_key(|&index| Reverse(key.operation(index).completed));
    let mut since = 0;
    let mut best: Option<(i128, u32, usize)> = None;
    for &earlier in &reads {
        let end = key.operation(earlier).completed;
        while since < increments.len() && key.operation(increments[since]).invoked > end {
            since += 1;
        }
        let Some(then) = answer(key, key.operation(earlier)) else { continue };
        let needed = more_than(seen - then);
        if needed <= since && best.is_none_or(|(most, ..)| then > most) {
            best = Some((then, earlier, needed));
        }
    }
    let from_start = more_than(seen - initial);
    let (earlier, needed) = best.map_or((None, from_start), |(_, earlier, needed)| (Some(earlier), needed));
    let mut operations: Vec<u32> = increments[..needed].to_vec();
    operations.extend(earlier);
    operations.push(read);
    let who = key.who("read", read);
    let (then, already) = earlier.map_or((initial, String::new()), |earlier| {
        let operation = key.operation(earlier);
        let then = answer(key, operation).expect("it is a number");
        let ended = key.ended(earlier);
        (then, format!("process {} had already read {then} at {ended}", key.process(earlier)))
    });
    let claim = match (earlier, needed) {
        (Some(_), 0) => format!("{who} returned {seen}, although {already}"),
        (Some(_), _) => {
            format!("{who} returned {seen}, although {already}, and {needed} more increments had begun and ended since")
        }
        (None, _) => format!(
            "{who} returned {seen}, although the counter began at {then} and {} had been acknowledged before the read \
            began",
            self::increments(increments.len())
        ),
    };
    let reasons = vec!["increments only ever add, so the count cannot have gone back".to_owned()];
    Violation { operations, claim, reasons, scope: Scope::AmongIncrements }
}

/// Returns the number of increments that exceed `count`.
fn more_than(count: i128) -> usize {
    usize::try_from((count + 1).max(0)).unwrap_or(usize::MAX)
}

fn increments(count: usize) -> String {
    format!("{count} increment{}", if count == 1 { "" } else { "s" })
}
