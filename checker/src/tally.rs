//! Weight of a "linearizable": it says nothing of a history in which nothing was answered, or no answer could have
//! been wrong.

use histories::{History, Operation, Outcome};

use crate::{Verdict, report::WeakVerdict};

/// Number of operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Operations that were answered, as `Ok` or `Mismatch`.
    pub answered: usize,
    /// Operations of unknown outcome.
    pub unanswered: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, operation: &Operation) {
        self.answered += usize::from(matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch));
        self.unanswered += usize::from(operation.outcome == Outcome::Info);
    }

    pub(crate) fn of(history: &History, operations: &[u32]) -> Self {
        let mut tally = Self::default();
        for &index in operations {
            tally.add(&history.operations[index as usize]);
        }
        tally
    }

    /// Returns the reason why a "linearizable" on these operations says nothing, if there is one. `is_informative`
    /// returns true if some answer could have been wrong.
    pub(crate) fn weak(self, verdict: Verdict, is_informative: impl FnOnce() -> bool) -> Option<WeakVerdict> {
        match verdict {
            Verdict::NotLinearizable | Verdict::Unknown => None,
            Verdict::Linearizable if self.answered == 0 => Some(WeakVerdict::NothingAnswered),
            Verdict::Linearizable => (!is_informative()).then_some(WeakVerdict::NothingRead),
        }
    }
}
