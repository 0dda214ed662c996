//! Time and memory, asked for every few thousand steps of whatever goes on for long.

use std::{cell::Cell, fmt};

use histories::{History, Outcome};

use crate::{Limits, UnknownWhy, memory::Promise};

/// So many steps pass between two questions.
const STEPS: usize = 1 << 12;

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutOf {
    /// The caller said that it is enough.
    Time,
    /// There is no room for more.
    Memory,
}

impl OutOf {
    /// As a reason, with how many operations are explained, how many there are, and of how many nobody knows the outcome.
    pub(crate) fn why(self, explained: usize, completed: usize, unknown_outcomes: usize) -> UnknownWhy {
        match self {
            Self::Time => UnknownWhy::Time { explained, completed, unknown_outcomes },
            Self::Memory => UnknownWhy::Memory { explained, completed, unknown_outcomes },
        }
    }

    /// As a reason, where none of these operations (by their indexes) is explained.
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

/// What one thread asks whether to go on.
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

    /// Another step; some of them ask.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), OutOf> {
        self.steps(1)
    }

    /// As many steps at once.
    #[inline]
    pub(crate) fn steps(&self, more: usize) -> Result<(), OutOf> {
        self.steps.set(self.steps.get() + more);
        if self.steps.get() < STEPS { Ok(()) } else { self.ask() }
    }

    /// Asks now.
    pub(crate) fn ask(&self) -> Result<(), OutOf> {
        self.steps.set(0);
        self.room(0)?;
        if (self.limits.keep_going)() { Ok(()) } else { Err(OutOf::Time) }
    }

    /// Asks for as many bytes at once, to be taken before the next question.
    pub(crate) fn room(&self, bytes: usize) -> Result<(), OutOf> {
        if self.promise.renew(bytes) { Ok(()) } else { Err(OutOf::Memory) }
    }
}
