//! Time and memory limits, queried every few thousand steps of anything that can take long.

use std::{cell::Cell, fmt};

use histories::{History, Outcome};

use crate::{Limits, UnknownWhy, memory::Promise};

/// Number of steps between two queries.
const STEPS: usize = 1 << 12;

/// Resource that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutOf {
    /// The caller ended the check.
    Time,
    /// The memory budget is used up.
    Memory,
}

impl OutOf {
    /// Returns the reason for an unknown verdict: with the number of operations explained, of completed ones, and of
    /// those of unknown outcome.
    pub(crate) fn why(self, explained: usize, completed: usize, unknown_outcomes: usize) -> UnknownWhy {
        match self {
            Self::Time => UnknownWhy::Time { explained, completed, unknown_outcomes },
            Self::Memory => UnknownWhy::Memory { explained, completed, unknown_outcomes },
        }
    }

    /// Returns the reason for an unknown verdict if none of these operations (by index) was explained.
    pub(crate) fn among(self, history: &History, operations: &[u32]) -> UnknownWhy {
        let (mut completed, mut unknown_outcomes) = (0, 0);
        for &index in operations {
            match history.operations[index as usize].outcome {
                Outcome::Ok | Outcome::Mismatch => completed += 1,
                Outcome::Info => unknown_outcomes += 1,
                Outcome::Fail => {}
            }
        }
        self.why(0, completed, unknown_outcomes)
    }
}

impl fmt::Display for OutOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time ran out",
            Self::Memory => "memory ran out",
        })
    }
}

/// Limits as one thread queries them.
pub(crate) struct Patience<'a> {
    limits: Limits<'a>,
    promise: Promise<'a>,
    steps: Cell<usize>,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(limits: &Limits<'a>) -> Self {
        Self { limits: *limits, promise: Promise::new(limits.memory), steps: Cell::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self::new(&Limits::none())
    }

    /// Counts one step. Queries the limits once in [`STEPS`] steps.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), OutOf> {
        self.steps(1)
    }

    /// Counts `more` steps.
    #[inline]
    pub(crate) fn steps(&self, more: usize) -> Result<(), OutOf> {
        self.steps.set(self.steps.get() + more);
        if self.steps.get() < STEPS { Ok(()) } else { self.ask() }
    }

    /// Queries the limits now.
    pub(crate) fn ask(&self) -> Result<(), OutOf> {
        self.steps.set(0);
        self.room(0)?;
        if (self.limits.keep_going)() { Ok(()) } else { Err(OutOf::Time) }
    }

    /// Asks for this many bytes, to be taken before the next query.
    pub(crate) fn room(&self, bytes: usize) -> Result<(), OutOf> {
        if self.promise.renew(bytes) { Ok(()) } else { Err(OutOf::Memory) }
    }
}
