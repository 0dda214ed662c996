//! Any model: decided by its specification alone. Slower than a method of its own, and the only one where there is none.

mod depth;
mod few;
mod race;
mod space;
mod states;
mod sweep;
#[cfg(test)]
mod tests;
mod transactions;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering};

use histories::{History, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    Evidence, Limits, UnknownWhy,
    model::{Call, Specification},
    opinion::{Doubt, refute},
    parts::in_one,
    patience::{OutOf, Patience},
    verify::Verify,
};

use race::Racer;
use space::Space;
use states::States;

pub(crate) use few::{Small, few_by, minimal};
pub(crate) use race::Found as Searched;
pub(crate) use transactions::as_values;
pub(crate) use words::tell;

/// Questions (some thousand steps each) until a second opinion is given up.
const MAX_QUESTIONS: usize = 1 << 14;

/// Who found a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The searches here.
    This,
    /// A method that shares nothing with them.
    Another,
}

/// What was found out about one object.
pub(crate) enum Found {
    /// This order explains everything.
    Order(Vec<u32>),
    /// A few operations have no order.
    Violation(Small),
    /// An operation found what nobody can have left.
    Unfounded(Unfounded),
    /// A limit was reached.
    Unknown(UnknownWhy),
}

/// An object that can be judged: any [`Specification`].
pub(crate) trait Object: Verify {
    /// Whether it has a function of this name.
    fn has(&self, function: &str) -> bool;

    /// Whether the object knows all these calls.
    ///
    /// # Errors
    /// What it does not know.
    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy>;

    /// Decides the operations with these indexes, which are ascending.
    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Found;

    /// Whether a second opinion finds no order of these operations (indexes) either.
    ///
    /// # Errors
    /// It finds one, or cannot say.
    fn refute(&self, history: &History, indexes: &[usize], found_by: By, limits: &Limits<'_>) -> Result<(), Doubt>;
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
            .try_for_each(|operation| self.accepts(&Call::of(history, operation, self.asks_who())))
    }

    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Found {
        let (mut orders, mut undecided) = (Vec::new(), None);
        let patience = Patience::new(limits);
        let out_of = |out: OutOf| Found::Unknown(out.among(history, operations));
        let parts = match parts(self, history, operations, &patience) {
            Ok(parts) => parts,
            Err(out) => return out_of(out),
        };
        match unfounded(self, history, operations, &patience) {
            Err(out) => return out_of(out),
            Ok(Some(found)) => return Found::Unfounded(found),
            Ok(None) => {}
        }
        for part in parts {
            if let Err(out) = patience.steps(part.len()) {
                return out_of(out);
            }
            let mut states = States::new(self, limits.memory);
            match race::search(&mut states, history, &part, |_| false, limits) {
                race::Found::Order(order) => orders.push(order),
                race::Found::Limit(why @ UnknownWhy::Time { .. }) => return Found::Unknown(why),
                race::Found::Limit(why) => undecided = Some(why),
                race::Found::Dead(rank) => {
                    return Found::Violation(few::few(&mut states, history, &part, rank, limits));
                }
            }
        }
        undecided.map_or_else(|| Found::Order(in_one(history, &orders)), Found::Unknown)
    }

    fn refute(&self, history: &History, indexes: &[usize], found_by: By, limits: &Limits<'_>) -> Result<(), Doubt> {
        let operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
        let calls: Vec<Call<'_>> = operations.iter().map(|o| Call::of(history, o, self.asks_who())).collect();
        refute(self, &operations, &calls, found_by, || None, limits)
    }
}

/// Whether these calls, each made by one of these operations, have an order; nothing if a limit is reached. Of a violation that was found
/// here only the search that goes deep says so: the other one is most often who found it.
pub(crate) fn can_be_ordered(
    object: &impl Specification,
    operations: &[Operation],
    calls: &[Call<'_>],
    found_by: By,
    limits: &Limits<'_>,
) -> Option<bool> {
    let left = AtomicUsize::new(MAX_QUESTIONS);
    let keep_going = || left.fetch_sub(1, Ordering::Relaxed) > 1 && (limits.keep_going)();
    let limits = Limits { keep_going: &keep_going, abandon: false, ..*limits };
    let mut by_start: Vec<(u32, Operation, Call<'_>)> =
        (0..).zip(operations.iter().zip(calls)).map(|(place, (operation, call))| (place, *operation, *call)).collect();
    by_start.sort_by_key(|(_, operation, _)| operation.invoked);
    let mut states = States::new(object, limits.memory);
    let space = Space::new(&mut states, by_start.into_iter(), |_| false, &Patience::new(&limits)).ok()?;
    let racers = if found_by == By::This { Racer::depth() } else { Racer::all() };
    match race::run(space, racers, &limits) {
        race::Found::Order(_) => Some(true),
        race::Found::Dead(_) => Some(false),
        race::Found::Limit(_) => None,
    }
}

/// An operation that found what no other can have left by then, and the first that left it too late, if one did.
#[derive(Clone, Debug)]
pub(crate) struct Unfounded {
    operation: u32,
    what: Value,
    late: Option<u32>,
}

/// The operation that ends first of those that found what nobody can have left. It needs no search, and where it is so, a search may take
/// for ever: whatever else happened, in any order, does not help.
fn unfounded<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    patience: &Patience<'_>,
) -> Result<Option<Unfounded>, OutOf> {
    let happened = |index: &&u32| history.operations[**index as usize].outcome != Outcome::Fail;
    let call = |index: u32| Call::of(history, &history.operations[index as usize], object.asks_who());
    // The first two, since nobody leaves anything for himself. Operations stand in the order of their invocations.
    let mut left: FxHashMap<Value, [Option<u32>; 2]> = FxHashMap::default();
    for &index in operations.iter().filter(happened) {
        patience.step()?;
        for what in object.leaves(&call(index)) {
            let [first, second] = left.entry(what).or_default();
            let place = if first.is_none() { first } else { second };
            place.get_or_insert(index);
        }
    }
    let mut worst: Option<(u32, Unfounded)> = None;
    for &operation in operations.iter().filter(happened) {
        let end = history.operations[operation as usize].completed;
        for what in object.finds(&call(operation)) {
            patience.step()?;
            let others = left.get(&what).copied().unwrap_or_default().into_iter().flatten();
            let first = others.filter(|&other| other != operation).min();
            let is_late = first.is_none_or(|first| history.operations[first as usize].invoked > end);
            if is_late && worst.as_ref().is_none_or(|(before, _)| end < *before) {
                worst = Some((end, Unfounded { operation, what, late: first }));
            }
        }
    }
    Ok(worst.map(|(_, found)| found))
}

/// The operations that happened or may have, by the part that they are about; all in one where some are about more than one.
fn parts<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    patience: &Patience<'_>,
) -> Result<Vec<Vec<u32>>, OutOf> {
    let happened = |index: &u32| history.operations[*index as usize].outcome != Outcome::Fail;
    let operations: Vec<u32> = operations.iter().copied().filter(happened).collect();
    let mut places: FxHashMap<Value, usize> = FxHashMap::default();
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for &index in &operations {
        patience.step()?;
        let call = Call::of(history, &history.operations[index as usize], object.asks_who());
        let Some(part) = object.part(&call) else { return Ok(vec![operations]) };
        let place = *places.entry(part).or_insert(parts.len());
        if place == parts.len() {
            parts.push(Vec::new());
        }
        parts[place].push(index);
    }
    Ok(parts)
}

/// The violation in words, after the second opinion: of what is shown the operation named last has no place.
///
/// # Errors
/// Why it is not believed.
pub(crate) fn evidence(
    history: &History,
    object: &dyn Object,
    small: &Small,
    limits: &Limits<'_>,
) -> Result<Evidence, UnknownWhy> {
    let (claim, reasons) = tell(history, &small.shown, small.last);
    let operations: Vec<usize> = small.shown.iter().map(|&index| index as usize).collect();
    object.refute(history, &operations, By::This, limits).map_err(|doubt| doubt.why(operations.len(), &claim))?;
    Ok(Evidence { operations, besides: None, claim, reasons, staleness: None, revisions: None, possible: None })
}

/// As [`evidence`], of one that found what nobody can have left.
///
/// # Errors
/// Why it is not believed.
pub(crate) fn unfounded_evidence(
    history: &History,
    object: &dyn Object,
    found: &Unfounded,
    limits: &Limits<'_>,
) -> Result<Evidence, UnknownWhy> {
    let (claim, reasons) = words::unfounded(history, found.operation, &found.what, found.late);
    let mut operations: Vec<usize> =
        found.late.into_iter().chain([found.operation]).map(|index| index as usize).collect();
    operations.sort_unstable();
    object.refute(history, &operations, By::Another, limits).map_err(|doubt| doubt.why(operations.len(), &claim))?;
    Ok(Evidence { operations, besides: None, claim, reasons, staleness: None, revisions: None, possible: None })
}
