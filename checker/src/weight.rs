//! What a yes is worth: of a history in which nothing was answered, or nothing that was answered could have been wrong, it says nothing.

use histories::{History, Operation, Outcome, ValueId};
use serde::Serialize;

use crate::{
    Model, Verdict,
    model::{Call, tells},
};

/// Why a verdict of linearizable says nothing of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weak {
    /// No operation was answered.
    NothingAnswered,
    /// No operation was answered with anything that could have been wrong.
    NothingRead,
    /// Of transactions: nothing that was read shows that one comes before another.
    NothingRelated,
}

impl Weak {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NothingAnswered => "nothing was answered",
            Self::NothingRead => "nothing was read: no answer could have been wrong",
            Self::NothingRelated => "nothing that was read shows that one transaction comes before another",
        }
    }
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// They were answered, as `Ok` or `Mismatch`.
    pub answered: usize,
    /// Nobody knows.
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

    /// Why a yes on these operations says nothing, if it does; `is_told` says of an answered one whether it could have been wrong.
    pub(crate) fn weak(self, verdict: Verdict, is_told: impl FnOnce() -> bool) -> Option<Weak> {
        match verdict {
            Verdict::NotLinearizable | Verdict::Unknown => None,
            Verdict::Linearizable if self.answered == 0 => Some(Weak::NothingAnswered),
            Verdict::Linearizable => (!is_told()).then_some(Weak::NothingRead),
        }
    }
}

/// Whether an operation was answered with something that could have been wrong; of a model that is not known, with anything.
pub(crate) fn is_told(history: &History, model: Option<Model>, operation: &Operation) -> bool {
    if !matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch) {
        return false;
    }
    let call = Call::of(history, operation, false);
    model.map_or(operation.output != ValueId::UNKNOWN, |model| tells(model, &call))
}
