//! Counters of any numbers: reads of more, or of less, than what can have been added by then.

use histories::Outcome;

use super::{
    answers::{answer, is_read},
    specification::{Counter, change},
};
use crate::{
    UnknownWhy,
    generic::Object,
    objects::key::{Key, Scope, Violation},
    shrink::MAX_CHANGES_SHOWN,
    specification::Call,
};

/// Bytes that are held for each operation: its number, and its two events.
const BYTES: usize = 48;

/// Sums of what increments and what decrements add.
#[derive(Clone, Copy, Default)]
struct Sums {
    up: i128,
    down: i128,
}

impl Sums {
    fn add(&mut self, by: i128) {
        *if by < 0 { &mut self.down } else { &mut self.up } += by;
    }
}

/// Returns the read that ends first among those that no choice of the changes explains, in O(n log n): all that had
/// ended before it began took place, and of those that began before it ended, any may have.
///
/// # Errors
/// The limit that was reached, or a call that no counter has.
pub(super) fn violation(key: &Key<'_>, initial: i128) -> Result<Option<Violation>, UnknownWhy> {
    Counter::new(key.initial).knows(key.history, &key.operations)?;
    let _held = key.affords(key.operations.len() * BYTES)?;
    let by = |index: u32| change(&Call::of(key.history, key.operation(index), false)).unwrap_or_default();
    let is_answered = |&index: &u32| key.operation(index).outcome == Outcome::Ok;
    let mut ends: Vec<u32> = key.operations.iter().copied().filter(is_answered).collect();
    ends.sort_unstable_by_key(|&index| key.operation(index).completed);
    let mut reads: Vec<u32> = ends.iter().copied().filter(|&index| is_read(key, index)).collect();
    let mut least = vec![Sums::default(); reads.len()];
    let mut by_start: Vec<usize> = (0..reads.len()).collect();
    by_start.sort_unstable_by_key(|&read| key.operation(reads[read]).invoked);
    let (mut over, mut ended) = (Sums::default(), ends.iter().copied().peekable());
    for read in by_start {
        let start = key.operation(reads[read]).invoked;
        while let Some(index) = ended.next_if(|&index| key.operation(index).completed < start) {
            key.steps(1, 0)?;
            over.add(by(index));
        }
        least[read] = over;
    }
    let (mut all, mut begun) = (Sums::default(), key.operations.iter().copied().peekable());
    for (read, over) in reads.drain(..).zip(least) {
        let end = key.operation(read).completed;
        while let Some(index) = begun.next_if(|&index| key.operation(index).invoked < end) {
            key.steps(1, 0)?;
            all.add(by(index));
        }
        let Some(seen) = answer(key, key.operation(read)) else { continue };
        let (lowest, highest) = (initial + over.up + all.down, initial + all.up + over.down);
        if seen > highest {
            return Ok(Some(out_of_reach(key, read, initial, &format!("can have come to {highest} at most"))));
        }
        if seen < lowest {
            return Ok(Some(out_of_reach(key, read, initial, &format!("must have come to {lowest} at least"))));
        }
    }
    Ok(None)
}

/// Describes a read of a count that was out of reach.
fn out_of_reach(key: &Key<'_>, read: u32, initial: i128, reach: &str) -> Violation {
    let end = key.operation(read).completed;
    let had_begun = |&index: &u32| !is_read(key, index) && key.operation(index).invoked < end;
    let mut operations: Vec<u32> = key.operations.iter().copied().filter(had_begun).collect();
    let seen = answer(key, key.operation(read)).expect("it was compared");
    let claim = format!(
        "{} returned {seen}, although the counter began at {initial} and {reach} by then",
        key.who("read", read)
    );
    let mut scope = Scope::Whole;
    // Of more, only what they come to is said.
    if operations.len() > MAX_CHANGES_SHOWN {
        scope = Scope::Among(format!("with the {} changes that had begun by then", operations.len()));
        operations.clear();
    }
    operations.push(read);
    Violation { scope, ..Violation::new(operations, claim) }
}
