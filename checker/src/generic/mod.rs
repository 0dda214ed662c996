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

use histories::{History, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    Evidence, Limits, UnknownWhy,
    model::{Call, Specification},
    parts::in_one,
    patience::{OutOf, Patience},
    verify::Verify,
};

use states::States;

pub(crate) use transactions::as_values;

/// Orders that the second opinion tries on the evidence.
const MAX_TRIES: usize = 20_000;

/// What was found out about one object.
pub(crate) enum Found {
    /// This order explains everything.
    Order(Vec<u32>),
    /// These operations (indexes, ascending) have no order, the completion of the last one named here least of all.
    Violation(Vec<u32>, u32),
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
                    let (few, last) = few::few(&mut states, history, &part, rank, limits);
                    return Found::Violation(few, last);
                }
            }
        }
        undecided.map_or_else(|| Found::Order(in_one(history, &orders)), Found::Unknown)
    }
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

/// The violation in words, after the second opinion: of these operations the one named last has no place.
pub(crate) fn evidence(history: &History, object: &dyn Object, operations: &[u32], last: u32) -> Evidence {
    let (claim, reasons) = words::tell(history, operations, last);
    let operations: Vec<usize> = operations.iter().map(|&index| index as usize).collect();
    let tried = object.can_be_ordered(history, &operations, MAX_TRIES);
    assert!(
        tried != Some(true),
        "this is a bug in schism or in the model: operations {operations:?} can be ordered, although the checker says: {claim}"
    );
    Evidence { operations, claim, reasons, staleness: None, revisions: None, possible: None }
}
