//! Values that were found, although nothing can have left them. Compiled for each specification, as it passes over all
//! operations: where nothing is ever found, nothing remains of it.

use histories::{History, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    budget::{Budget, Shortage},
    sorted::sorted,
    specification::{Call, Specification},
};

/// Operation that found a value which no other can have left by then, and the first operation that left it too late,
/// if any. Where none did, `failed` is one that would have left it by then, but failed.
#[derive(Clone, Debug)]
pub(crate) struct UnexplainedValue {
    pub operation: u32,
    /// The value in words ([`Specification::found_in_words`]).
    pub what: String,
    pub late: Option<u32>,
    pub failed: Option<u32>,
}

impl UnexplainedValue {
    /// Returns the operation that found it and the one that left it too late, or failed to leave it, ascending.
    pub(crate) fn operations(&self) -> Vec<u32> {
        sorted(self.late.into_iter().chain(self.failed).chain([self.operation]))
    }
}

/// Returns the operation that ends first among those that found a value which no other can have left by then. This
/// needs no search, and where there is such an operation a search may never end: no order of the other operations
/// helps.
pub(super) fn find_unexplained_value<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    budget: &Budget<'_>,
) -> Result<Option<UnexplainedValue>, Shortage> {
    let happened = |index: &&u32| history.operations[**index as usize].outcome != Outcome::Fail;
    let call = |index: u32| Call::of(history, &history.operations[index as usize], object.depends_on_process());
    // The first two operations that leave each value, since an operation does not find what it leaves itself.
    // Operations are in the order of their invocations.
    let mut left: FxHashMap<Value, [Option<u32>; 2]> = FxHashMap::default();
    for &index in operations.iter().filter(happened) {
        budget.step()?;
        for what in object.leaves(&call(index)) {
            let [first, second] = left.entry(what).or_default();
            let place = if first.is_none() { first } else { second };
            place.get_or_insert(index);
        }
    }
    let mut worst: Option<(u32, u32, Value, Option<u32>)> = None;
    for &operation in operations.iter().filter(happened) {
        let end = history.operations[operation as usize].completed;
        for what in object.finds(&call(operation)) {
            budget.step()?;
            let others = left.get(&what).copied().unwrap_or_default().into_iter().flatten();
            let first = others.filter(|&other| other != operation).min();
            let is_late = first.is_none_or(|first| history.operations[first as usize].invoked > end);
            if is_late && worst.as_ref().is_none_or(|(before, ..)| end < *before) {
                worst = Some((end, operation, what, first));
            }
        }
    }
    Ok(worst.map(|(_, operation, found, late)| UnexplainedValue {
        operation,
        what: object.found_in_words(&found),
        late,
        failed: if late.is_none() { find_failed(object, history, operation, &found) } else { None },
    }))
}

/// Returns the first operation on the same key that failed, but would have left this value before the one that found
/// it ended.
fn find_failed<S: Specification>(object: &S, history: &History, finder: u32, found: &Value) -> Option<u32> {
    let by = &history.operations[finder as usize];
    let is_attempt = |operation: &Operation| {
        operation.outcome == Outcome::Fail
            && operation.key == by.key
            && operation.invoked < by.completed
            && object.leaves(&Call::of(history, operation, object.depends_on_process())).contains(found)
    };
    history.operations.iter().position(is_attempt).and_then(|index| u32::try_from(index).ok())
}
