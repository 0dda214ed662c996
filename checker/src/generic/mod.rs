//! Generic decision for any model, by its specification alone, whose states the search walks on. Slower than a method
//! of its own, and the only one for models without.

pub(crate) mod second_opinion;
mod shrinker;
mod states;
#[cfg(test)]
mod tests;
mod transactions;
mod words;

use histories::{History, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    Evidence, Limits, UnknownWhy,
    budget::{Budget, Shortage},
    merge::merge_orders,
    search::Racers,
    sorted::sorted,
    specification::{Call, Specification},
    state_words::in_words,
    verify::Verify,
};

use second_opinion::{RefuteError, refute};
use states::States;

pub(crate) use second_opinion::ViolationOrigin;
pub(crate) use shrinker::{SmallViolation, shrink_by};
pub(crate) use states::RaceResult;
pub(crate) use transactions::as_values;
pub(crate) use words::tell;

/// Decision about one object.
pub(crate) enum Judgment {
    /// Linearization that explains everything.
    Order(Vec<u32>),
    /// Violation: a few operations that have no order.
    Violation(SmallViolation),
    /// Violation: an operation that found a value which cannot have been left by any other.
    UnexplainedValue(UnexplainedValue),
    /// Limit that was reached, or another reason for an unknown verdict.
    Unknown(UnknownWhy),
}

/// Object that can be judged: any [`Specification`].
pub(crate) trait Object: Verify {
    /// Returns true if it has a function of this name.
    fn has(&self, function: &str) -> bool;

    /// Checks that the object has all these calls.
    ///
    /// # Errors
    /// The first call that it does not have.
    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy>;

    /// Decides the operations with these indexes, which are ascending.
    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Judgment;

    /// Returns the state after each operation of an order, in words; `None` if the object does not allow the order, or
    /// a limit was reached.
    fn states(&self, history: &History, order: &[u32], budget: &Budget<'_>) -> Option<Vec<String>>;

    /// Confirms as a second opinion that these operations (indexes) have no order.
    ///
    /// # Errors
    /// They have an order, or no method could decide.
    fn refute(
        &self,
        history: &History,
        indexes: &[usize],
        found_by: ViolationOrigin,
        limits: &Limits<'_>,
    ) -> Result<(), RefuteError>;
}

impl<S: Specification> Object for S {
    fn has(&self, function: &str) -> bool {
        let nil = &Value::Nil;
        let call = Call { function, input: nil, to: nil, output: None, mismatch: false, process: 0 };
        !matches!(self.accepts(&call), Err(UnknownWhy::Function { .. }))
    }

    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy> {
        (operations.iter())
            .map(|&index| &history.operations[index as usize])
            .filter(|operation| operation.outcome != Outcome::Fail)
            .try_for_each(|operation| self.accepts(&Call::of(history, operation, self.depends_on_process())))
    }

    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Judgment {
        let (mut orders, mut undecided) = (Vec::new(), None);
        let budget = Budget::new(limits);
        let exhausted = |out: Shortage| Judgment::Unknown(out.among(history, operations));
        let parts = match parts(self, history, operations, &budget) {
            Ok(parts) => parts,
            Err(out) => return exhausted(out),
        };
        match find_unexplained_value(self, history, operations, &budget) {
            Err(out) => return exhausted(out),
            Ok(Some(found)) => return Judgment::UnexplainedValue(found),
            Ok(None) => {}
        }
        for part in parts {
            if let Err(out) = budget.steps(part.len()) {
                return exhausted(out);
            }
            let mut states = States::new(self, limits);
            match states.search(history, &part, |_| false, Racers::Both, limits) {
                RaceResult::Order(order) => orders.push(order),
                RaceResult::Limit(why @ UnknownWhy::Time { .. }) => return Judgment::Unknown(why),
                RaceResult::Limit(why) => undecided = Some(why),
                RaceResult::Refuted(rank) => {
                    return Judgment::Violation(shrinker::shrink(&mut states, history, &part, rank, limits));
                }
            }
        }
        undecided.map_or_else(|| Judgment::Order(merge_orders(history, &orders)), Judgment::Unknown)
    }

    fn states(&self, history: &History, order: &[u32], budget: &Budget<'_>) -> Option<Vec<String>> {
        let mut state = self.initial();
        let after = |&index: &u32| {
            budget.step().ok()?;
            let operation = &history.operations[index as usize];
            let is_possible = self.apply(&mut state, &Call::of(history, operation, self.depends_on_process()));
            is_possible.then(|| in_words(|out| self.write_state(&state, history, out)))
        };
        order.iter().map(after).collect()
    }

    fn refute(
        &self,
        history: &History,
        indexes: &[usize],
        found_by: ViolationOrigin,
        limits: &Limits<'_>,
    ) -> Result<(), RefuteError> {
        let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
        let calls: Vec<Call<'_>> = operations.iter().map(|o| Call::of(history, o, self.depends_on_process())).collect();
        refute(self, &operations, &calls, found_by, || None, limits)
    }
}

/// Operation that found a value which no other can have left by then, and the first operation that left it too late,
/// if any.
#[derive(Clone, Debug)]
pub(crate) struct UnexplainedValue {
    operation: u32,
    what: Value,
    late: Option<u32>,
}

/// Returns the operation that ends first among those that found a value which no other can have left by then. This
/// needs no search, and where there is such an operation a search may never end: no order of the other operations
/// helps.
fn find_unexplained_value<S: Specification>(
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
                worst = Some((end, UnexplainedValue { operation, what, late: first }));
            }
        }
    }
    Ok(worst.map(|(_, found)| found))
}

/// Splits the operations that took place, or may have, by the part of the object that they are about. Returns them
/// all together if some are about more than one part.
fn parts<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    budget: &Budget<'_>,
) -> Result<Vec<Vec<u32>>, Shortage> {
    let happened = |index: &u32| history.operations[*index as usize].outcome != Outcome::Fail;
    let operations: Vec<u32> = operations.iter().copied().filter(happened).collect();
    let mut places: FxHashMap<Value, usize> = FxHashMap::default();
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for &index in &operations {
        budget.step()?;
        let call = Call::of(history, &history.operations[index as usize], object.depends_on_process());
        let Some(part) = object.part(&call) else { return Ok(vec![operations]) };
        let place = *places.entry(part).or_insert(parts.len());
        if place == parts.len() {
            parts.push(Vec::new());
        }
        parts[place].push(index);
    }
    Ok(parts)
}

/// Describes the violation in words, after the second opinion: the last operation has no place among those shown.
///
/// # Errors
/// The reason why the violation is not believed.
pub(crate) fn evidence(
    history: &History,
    object: &dyn Object,
    small: &SmallViolation,
    limits: &Limits<'_>,
) -> Result<Evidence, UnknownWhy> {
    let words = tell(history, &small.shown, small.last);
    confirm(history, object, &small.shown, words, ViolationOrigin::GenericSearch, limits)
}

/// Describes a violation like [`evidence`]: an operation that found a value which no other can have left.
///
/// # Errors
/// The reason why the violation is not believed.
pub(crate) fn unexplained_evidence(
    history: &History,
    object: &dyn Object,
    found: &UnexplainedValue,
    limits: &Limits<'_>,
) -> Result<Evidence, UnknownWhy> {
    let words = words::find_unexplained_value(history, found.operation, &found.what, found.late);
    let operations = sorted(found.late.into_iter().chain([found.operation]));
    confirm(history, object, &operations, words, ViolationOrigin::OtherMethod, limits)
}

/// Returns these operations, which are ascending, as evidence with this claim and these reasons, if the second opinion
/// confirms it.
fn confirm(
    history: &History,
    object: &dyn Object,
    operations: &[u32],
    (claim, reasons): (String, Vec<String>),
    found_by: ViolationOrigin,
    limits: &Limits<'_>,
) -> Result<Evidence, UnknownWhy> {
    let operations: Vec<usize> = operations.iter().map(|&index| index as usize).collect();
    object.refute(history, &operations, found_by, limits).map_err(|doubt| doubt.why(operations.len(), &claim))?;
    Ok(Evidence { operations, claim, reasons, ..Evidence::default() })
}
