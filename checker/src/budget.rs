//! Time and memory limits of a check, and the budget that each thread queries every few thousand steps of anything
//! that can take long, and before anything that takes much memory.

use std::{
    cell::Cell,
    fmt,
    mem::ManuallyDrop,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::memory::{Memory, Promise};

/// Number of steps between two queries.
const STEPS: usize = 1 << 12;

static ROOMY: Memory = Memory::new(4 << 30);

/// Limits of a check, and callbacks for its progress. Keys that are not decided when a limit is reached are
/// [`crate::Verdict::Unknown`].
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Called every few thousand steps, from any of the checking threads; `false` ends the check.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Memory budget of all threads together.
    pub memory: &'a Memory,
    /// True if a search that `keep_going` ended leaks its memory until the process ends: freeing millions of states
    /// can take half the time that it took to find them.
    pub abandon: bool,
    /// Called after each key with the number of operations decided so far, from any of the checking threads.
    pub decided: &'a (dyn Fn(usize) + Sync),
}

impl Limits<'static> {
    /// Sets no time limit and a memory budget of 4 GiB, shared by all uses of these limits. Progress is not reported.
    pub fn none() -> Self {
        Self { keep_going: &|| true, memory: &ROOMY, abandon: false, decided: &|_| {} }
    }
}

impl Limits<'_> {
    /// Frees what a search held, or leaks it if the time is up and `abandon` is set.
    pub(crate) fn give_back<T>(&self, held: T) {
        let held = ManuallyDrop::new(held);
        if !self.abandon || (self.keep_going)() {
            drop(ManuallyDrop::into_inner(held));
        }
    }

    /// Runs a search under these limits that may query the time only so many times; its memory is freed in any case.
    /// Returns its result, and the number of queries that are left.
    pub(crate) fn within<T>(&self, questions: usize, search: impl FnOnce(&Limits<'_>) -> T) -> (T, usize) {
        let left = AtomicUsize::new(questions);
        let take = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        let keep_going = || take() && (self.keep_going)();
        let found = search(&Limits { keep_going: &keep_going, abandon: false, ..*self });
        (found, left.into_inner())
    }

    /// Returns an error if the time or the memory is used up.
    pub(crate) fn ask(&self) -> Result<(), Shortage> {
        Budget::new(self).ask()
    }
}

impl fmt::Debug for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// Resource that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The caller ended the check.
    Time,
    /// The memory budget is used up.
    Memory,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time ran out",
            Self::Memory => "memory ran out",
        })
    }
}

/// Limits as one thread queries them.
pub(crate) struct Budget<'a> {
    limits: Limits<'a>,
    promise: Promise<'a>,
    steps: Cell<usize>,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: &Limits<'a>) -> Self {
        Self { limits: *limits, promise: Promise::new(limits.memory), steps: Cell::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self::new(&Limits::none())
    }

    /// Counts one step. Queries the limits once in [`STEPS`] steps.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), Shortage> {
        self.steps(1)
    }

    /// Counts `more` steps.
    #[inline]
    pub(crate) fn steps(&self, more: usize) -> Result<(), Shortage> {
        self.steps.set(self.steps.get() + more);
        if self.steps.get() < STEPS { Ok(()) } else { self.ask() }
    }

    /// Queries the limits now.
    pub(crate) fn ask(&self) -> Result<(), Shortage> {
        self.steps.set(0);
        self.may_take(0)?;
        if (self.limits.keep_going)() { Ok(()) } else { Err(Shortage::Time) }
    }

    /// Asks for this many bytes, to be taken before the next query.
    pub(crate) fn may_take(&self, bytes: usize) -> Result<(), Shortage> {
        if self.promise.renew(bytes) { Ok(()) } else { Err(Shortage::Memory) }
    }
}
