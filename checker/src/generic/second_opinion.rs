//! Second opinion on a violation: tries every order of its operations. If there are too many orders, another method
//! must confirm that none is valid. A violation that nothing confirms is not reported.

use histories::{History, Operation};

use super::{
    object::Object,
    searches::{RaceResult, Searches},
};
use crate::{Limits, UnknownWhy, budget::Budget, search::Racers, specification::Call};

/// Maximum number of orders of a violation's operations that are tried.
const MAX_TRIES: usize = 20_000;

/// Number of queries of the limits (a few thousand steps each) after which a second opinion is given up.
const MAX_QUESTIONS: usize = 1 << 14;

/// Origin of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViolationOrigin {
    /// Violation found by the searches of this crate for any specification.
    GenericSearch,
    /// Violation found by a method that shares nothing with them.
    OtherMethod,
}

/// Reason not to believe a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefuteError {
    /// A valid order exists.
    Explained,
    /// Undecided: no method could decide within the limits.
    Unconfirmed,
}

impl RefuteError {
    /// Returns the reason for an unknown verdict, given the number of operations in the violation and the claim about
    /// them.
    pub(crate) fn why(self, operations: usize, claim: &str) -> UnknownWhy {
        match self {
            Self::Explained => {
                let what = format!("{operations} operations can be ordered, although it found: {claim}");
                UnknownWhy::Internal { what }
            }
            Self::Unconfirmed => UnknownWhy::Unconfirmed { operations },
        }
    }
}

/// Confirms that the operations with these indexes have no valid order, like [`refute`].
pub(crate) fn refute_alone(
    object: &dyn Object,
    history: &History,
    indexes: &[usize],
    found_by: ViolationOrigin,
    limits: &Limits<'_>,
) -> Result<(), RefuteError> {
    let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
    let calls: Vec<Call<'_>> = operations.iter().map(|operation| object.call(history, operation)).collect();
    refute(object, &operations, &calls, found_by, || None, limits)
}

/// Confirms that these calls, the i-th made by the i-th operation, have no valid order. `found_by` names the method
/// that found the violation, which is not asked to confirm itself. `another` is tried before the generic search.
pub(crate) fn refute(
    object: &dyn Object,
    operations: &[Operation],
    calls: &[Call<'_>],
    found_by: ViolationOrigin,
    another: impl FnOnce() -> Option<bool>,
    limits: &Limits<'_>,
) -> Result<(), RefuteError> {
    let is_explained = object
        .has_order(operations, calls, MAX_TRIES, &Budget::new(limits))
        .or_else(another)
        .or_else(|| can_be_ordered(object, operations, calls, found_by, limits));
    match is_explained {
        Some(true) => Err(RefuteError::Explained),
        Some(false) => Ok(()),
        None => Err(RefuteError::Unconfirmed),
    }
}

/// Returns true if these calls, the i-th made by the i-th operation, have an order; `None` if a limit is reached. A
/// violation of a generic search is confirmed by the depth-first search only, because it was most often found by the
/// other one.
fn can_be_ordered(
    object: &dyn Object,
    operations: &[Operation],
    calls: &[Call<'_>],
    found_by: ViolationOrigin,
    limits: &Limits<'_>,
) -> Option<bool> {
    let mut by_start: Vec<(u32, Operation, Call<'_>)> =
        (0..).zip(operations.iter().zip(calls)).map(|(place, (operation, call))| (place, *operation, *call)).collect();
    by_start.sort_by_key(|(_, operation, _)| operation.invoked);
    let racers = if found_by == ViolationOrigin::GenericSearch { Racers::DepthOnly } else { Racers::Both };
    let decide = |limits: &Limits<'_>| {
        let mut searches = Searches::new(object, limits);
        let steps = searches.steps(by_start.into_iter(), |_| false, &Budget::new(limits)).ok()?;
        match searches.race(&steps, racers, limits) {
            RaceResult::Order(_) => Some(true),
            RaceResult::Refuted(_) => Some(false),
            RaceResult::Limit(_) => None,
        }
    };
    limits.within(MAX_QUESTIONS, decide).0
}
