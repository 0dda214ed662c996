//! Limits in time and memory of one check.

use crate::{
    Limits, UnknownWhy,
    budget::{Budget, Shortage},
    memory::of_vec,
};

/// Limits of one check.
pub(super) struct Limit<'a> {
    pub limits: &'a Limits<'a>,
    /// Number of transactions in all.
    pub transactions: usize,
    budget: Budget<'a>,
}

impl<'a> Limit<'a> {
    pub(super) fn new(limits: &'a Limits<'a>, transactions: usize) -> Self {
        Self { limits, transactions, budget: Budget::new(limits) }
    }

    /// Counts one step; some steps query the limits.
    pub(super) fn step(&self) -> Result<(), UnknownWhy> {
        self.steps(1)
    }

    /// Counts `more` steps.
    pub(super) fn steps(&self, more: usize) -> Result<(), UnknownWhy> {
        self.budget.steps(more).map_err(|out| self.exhausted(out))
    }

    /// Queries the limits now.
    pub(super) fn keep_going(&self) -> Result<(), UnknownWhy> {
        self.budget.ask().map_err(|out| self.exhausted(out))
    }

    /// Asks for this many bytes at once.
    pub(super) fn may_take(&self, bytes: usize) -> Result<(), UnknownWhy> {
        self.budget.may_take(bytes).map_err(|out| self.exhausted(out))
    }

    /// Asks for memory before a full vector grows.
    pub(super) fn grow<T>(&self, vec: &Vec<T>) -> Result<(), UnknownWhy> {
        if vec.len() < vec.capacity() { Ok(()) } else { self.may_take(of_vec(vec, 1)) }
    }

    pub(super) fn exhausted(&self, out: Shortage) -> UnknownWhy {
        out.why(0, self.transactions, 0)
    }
}
