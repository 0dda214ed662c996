//! Time, asked for every few thousand steps of whatever goes on for long.

use std::cell::Cell;

use histories::{History, Outcome};

use crate::{Limits, UnknownWhy};

/// So many steps pass between two questions.
const STEPS: usize = 1 << 12;

/// The caller said that it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfTime;

impl OutOfTime {
    /// As a reason, where none of these operations (by their indexes) is explained.
    pub(crate) fn among(history: &History, operations: &[u32]) -> UnknownWhy {
        let (mut completed, mut unknown_outcomes) = (0, 0);
        for &index in operations {
            match history.operations[index as usize].outcome {
                Outcome::Ok | Outcome::Mismatch => completed += 1,
                Outcome::Info => unknown_outcomes += 1,
                Outcome::Fail => {}
            }
        }
        UnknownWhy::Time { explained: 0, completed, unknown_outcomes }
    }
}

/// What one thread asks whether to go on.
pub(crate) struct Patience<'a> {
    keep_going: &'a (dyn Fn() -> bool + Sync),
    steps: Cell<usize>,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(limits: &Limits<'a>) -> Self {
        Self { keep_going: limits.keep_going, steps: Cell::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self::new(&Limits::none())
    }

    /// Another step; some of them ask.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), OutOfTime> {
        self.steps(1)
    }

    /// As many steps at once.
    #[inline]
    pub(crate) fn steps(&self, more: usize) -> Result<(), OutOfTime> {
        self.steps.set(self.steps.get() + more);
        if self.steps.get() < STEPS { Ok(()) } else { self.ask() }
    }

    /// Asks now.
    pub(crate) fn ask(&self) -> Result<(), OutOfTime> {
        self.steps.set(0);
        if (self.keep_going)() { Ok(()) } else { Err(OutOfTime) }
    }
}
