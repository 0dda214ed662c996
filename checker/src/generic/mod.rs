//! Generic decision for any model, by its specification alone, whose states the search walks on. Slower than a method
//! of its own, and the only one for models without.

mod object;
mod searches;
pub(crate) mod second_opinion;
mod shrinker;
mod states;
#[cfg(test)]
mod tests;
mod transactions;
mod unexplained;
mod words;

use histories::{History, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    Evidence, Limits, UnknownWhy,
    budget::{Budget, Shortage},
    merge::merge_orders,
    search::Racers,
};

use searches::Searches;
use unexplained::UnexplainedValue;

pub(crate) use object::Object;
pub(crate) use searches::RaceResult;
pub(crate) use second_opinion::{ViolationOrigin, refute_alone};
pub(crate) use shrinker::{SmallViolation, shrink_by};
pub(crate) use transactions::as_values;
pub(crate) use words::{tell, tell_unexplained};

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

/// Decides the operations with these indexes, which are ascending.
pub(crate) fn judge(object: &dyn Object, history: &History, operations: &[u32], limits: &Limits<'_>) -> Judgment {
    let (mut orders, mut undecided) = (Vec::new(), None);
    let budget = Budget::new(limits);
    let exhausted = |out: Shortage| Judgment::Unknown(out.among(history, operations));
    let parts = match parts(object, history, operations, &budget) {
        Ok(parts) => parts,
        Err(out) => return exhausted(out),
    };
    match object.find_unexplained_value(history, operations, &budget) {
        Err(out) => return exhausted(out),
        Ok(Some(found)) => return Judgment::UnexplainedValue(found),
        Ok(None) => {}
    }
    for part in parts {
        if let Err(out) = budget.steps(part.len()) {
            return exhausted(out);
        }
        let mut searches = Searches::new(object, limits);
        match searches.search(history, &part, |_| false, Racers::Both, limits) {
            RaceResult::Order(order) => orders.push(order),
            RaceResult::Limit(why @ UnknownWhy::Time { .. }) => return Judgment::Unknown(why),
            RaceResult::Limit(why) => undecided = Some(why),
            RaceResult::Refuted(rank) => {
                return Judgment::Violation(shrinker::shrink(&mut searches, history, &part, rank, limits));
            }
        }
    }
    undecided.map_or_else(|| Judgment::Order(merge_orders(history, &orders)), Judgment::Unknown)
}

/// Splits the operations that took place, or may have, by the part of the object that they are about. Returns them
/// all together if some are about more than one part.
fn parts(
    object: &dyn Object,
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
        let call = object.call(history, &history.operations[index as usize]);
        let Some(part) = object.part_of(&call) else { return Ok(vec![operations]) };
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
    let words = tell(history, small);
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
    let words = tell_unexplained(history, found);
    confirm(history, object, &found.operations(), words, ViolationOrigin::OtherMethod, limits)
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
    refute_alone(object, history, &operations, found_by, limits)
        .map_err(|doubt| doubt.why(operations.len(), &claim))?;
    Ok(Evidence { operations, claim, reasons, ..Evidence::default() })
}
