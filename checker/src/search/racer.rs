//! Search that can be interrupted, and its result.

use crate::{UnknownWhy, budget::Shortage};

/// Result of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SearchResult {
    /// Order of steps (by their indexes) that explains every answer.
    Order(Vec<u32>),
    /// Step (its index) whose completion no configuration survived: a violation.
    Refuted(usize),
    /// Step as in `Refuted`, but this proves nothing: a configuration that was given up before might have survived, or
    /// the supply was endless.
    GaveUp(usize),
    /// Limit that was reached.
    Limit(UnknownWhy),
}

/// Work that is left until the other search has its turn, in steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn(usize);

impl Turn {
    pub(super) fn of(steps: usize) -> Self {
        Self(steps)
    }

    pub(super) fn endless() -> Self {
        Self(usize::MAX)
    }

    pub(super) fn over() -> Self {
        Self(0)
    }

    pub(super) fn is_over(self) -> bool {
        self.0 == 0
    }

    pub(super) fn spend(&mut self, steps: usize) {
        self.0 = self.0.saturating_sub(steps);
    }
}

/// Search that can be interrupted.
pub(super) trait Racer<A: ?Sized> {
    /// Searches until the turn is over, for which it returns `None`, or a limit is reached. It can go on after both.
    fn run(&mut self, object: &mut A, turn: &mut Turn) -> Result<Option<SearchResult>, Shortage>;

    /// Returns the number of completions that some order explains.
    fn explained(&self) -> usize;

    /// Returns the memory held, in bytes.
    fn bytes(&self) -> usize;

    /// Returns the divisor of a turn that this search gets.
    fn share(&self) -> usize;
}
