//! Values that were found, although nothing can have left them. Compiled for each specification, as it passes over all
//! operations: where nothing is ever found, nothing remains of it.

use histories::{History, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    budget::{Budget, Shortage},
    sorted::sorted,
    specification::{Call, Specification},
};

/// Operation that found a value which no other can have left by then, and the first operation that left it too late,
/// if any.
#[derive(Clone, Debug)]
pub(crate) struct UnexplainedValue {
    pub operation: u32,
    /// The value in words ([`Specification::found_in_words`]).
    pub what: String,
    pub late: Option<u32>,
}

impl UnexplainedValue {
    /// Returns the operation that found it and the one that left it too late, ascending.
    pub(crate) fn operations(&self) -> Vec<u32> {
        sorted(self.late.into_iter().chain([self.operation]))
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
    let mut worst: Option<(u32, UnexplainedValue)> = None;
    for &operation in operations.iter().filter(happened) {
        let end = history.operations[operation as usize].completed;
        for what in object.finds(&call(operation)) {
            budget.step()?;
            let others = left.get(&what).copied().unwrap_or_default().into_iter().flatten();
            let first = others.filter(|&other| other != operation).min();
            let is_late = first.is_none_or(|first| history.operations[first as usize].invoked > end);
            if is_late && worst.as_ref().is_none_or(|(before, _)| end < *before) {
                let what = object.found_in_words(&what);
                worst = Some((end, UnexplainedValue { operation, what, late: first }));
            }
        }
    }
    Ok(worst.map(|(_, found)| found))
}
