//! Sweep over the events of an object that only grows, one change after another: a counter, a list.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    ops::AddAssign,
};

use histories::Outcome;

use super::key::{Key, SolveError};

/// Calls `begin` for each operation, and `complete` for each that was answered, in the order of these events. Returns
/// the first violation of a completion.
pub(super) fn sweep<Sweep, Violation>(
    key: &Key<'_>,
    sweep: &mut Sweep,
    begin: impl Fn(&mut Sweep, u32),
    complete: impl Fn(&mut Sweep, u32) -> Result<(), Violation>,
) -> Result<(), SolveError<Violation>> {
    let is_answered = |&index: &u32| key.operation(index).outcome == Outcome::Ok;
    let mut ends: Vec<u32> = key.operations.iter().copied().filter(is_answered).collect();
    ends.sort_unstable_by_key(|&index| key.operation(index).completed);
    let mut begun = key.operations.iter().copied().peekable();
    for (explained, index) in ends.into_iter().enumerate() {
        key.steps(1, explained)?;
        let end = key.operation(index).completed;
        while let Some(next) = begun.next_if(|&next| key.operation(next).invoked < end) {
            begin(sweep, next);
        }
        complete(sweep, index).map_err(SolveError::Violation)?;
    }
    Ok(())
}

/// Growth of an object so far.
pub(super) struct Growth<'a, Size> {
    pub key: &'a Key<'a>,
    pub size: Size,
    /// Operations that took effect, in this order.
    pub order: Vec<u32>,
    /// True for these, by their place in the key.
    happened: Vec<bool>,
    /// Reads that have begun and saw a size that is not reached yet, by that size.
    waiting: BinaryHeap<Reverse<(Size, u32)>>,
}

impl<'a, Size: Copy + Ord + AddAssign + From<bool>> Growth<'a, Size> {
    pub(super) fn new(key: &'a Key<'a>, size: Size) -> Self {
        let (happened, waiting) = (vec![false; key.operations.len()], BinaryHeap::new());
        Self { key, size, order: Vec::new(), happened, waiting }
    }

    fn place(&self, index: u32) -> usize {
        self.key.operations.binary_search(&index).expect("it is one of the key's operations")
    }

    pub(super) fn has_happened(&self, index: u32) -> bool {
        self.happened[self.place(index)]
    }

    fn happen(&mut self, index: u32) {
        let place = self.place(index);
        self.happened[place] = true;
        self.order.push(index);
    }

    /// Begins a read that saw this size.
    pub(super) fn begin_read(&mut self, index: u32, seen: Size) {
        match seen.cmp(&self.size) {
            Ordering::Less => {}
            Ordering::Equal => self.happen(index),
            Ordering::Greater => self.waiting.push(Reverse((seen, index))),
        }
    }

    /// Lets a change take effect, and then the reads that saw its result.
    pub(super) fn grow(&mut self, change: u32) {
        self.happen(change);
        self.size += Size::from(true);
        while let Some(&Reverse((seen, read))) = self.waiting.peek()
            && seen <= self.size
        {
            self.waiting.pop();
            self.happen(read);
        }
    }
}
