//! Weight of a "linearizable": it says nothing of a history in which nothing was answered, or no answer could have
//! been wrong.

use histories::{History, Operation, Outcome, ValueId};
use serde::{Deserialize, Serialize};

use crate::{
    Model, Verdict,
    model::{Call, tells},
};

/// Reason why a verdict of linearizable says nothing about the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weak {
    /// Lack of any answer.
    NothingAnswered,
    /// Lack of any answer that could have been wrong.
    NothingRead,
    /// Lack of any read that shows that one transaction comes before another.
    NothingRelated,
}

impl Weak {
    /// Returns the reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NothingAnswered => "nothing was answered",
            Self::NothingRead => "nothing was read: no answer could have been wrong",
            Self::NothingRelated => "nothing that was read shows that one transaction comes before another",
        }
    }
}

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

    /// Returns the reason why a "linearizable" on these operations says nothing, if there is one. `is_told` returns
    /// true if some answer could have been wrong.
    pub(crate) fn weak(self, verdict: Verdict, is_told: impl FnOnce() -> bool) -> Option<Weak> {
        match verdict {
            Verdict::NotLinearizable | Verdict::Unknown => None,
            Verdict::Linearizable if self.answered == 0 => Some(Weak::NothingAnswered),
            Verdict::Linearizable => (!is_told()).then_some(Weak::NothingRead),
        }
    }
}

/// Returns true if an operation was answered with something that could have been wrong; for a custom model, with
/// anything.
pub(crate) fn is_told(history: &History, model: Option<Model>, operation: &Operation) -> bool {
    if !matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch) {
        return false;
    }
    let call = Call::of(history, operation, false);
    model.map_or(operation.output != ValueId::UNKNOWN, |model| tells(model, &call))
}
