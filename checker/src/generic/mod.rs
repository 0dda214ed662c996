//! Any model: decided by its specification alone. Slower than a method of its own, and the only one where there is none.

mod search;

use histories::{History, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::{
    Evidence, Limits, UnknownWhy,
    evidence::Words,
    model::{Call, Specification},
    parts::in_one,
    prepare::Prepared,
    verify::Verify,
};

/// Orders that the second opinion tries on the evidence.
const MAX_TRIES: usize = 20_000;

/// Steps searched while evidence is made smaller, over all tries.
const MAX_SEARCHED: usize = 200_000;

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
    /// Whether the object knows all these calls.
    ///
    /// # Errors
    /// What it does not know.
    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy>;

    /// Decides the operations with these indexes, which are ascending.
    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Found;
}

impl<S: Specification> Object for S {
    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy> {
        (operations.iter())
            .map(|&index| &history.operations[index as usize])
            .filter(|operation| operation.outcome != Outcome::Fail)
            .try_for_each(|operation| self.accepts(&Call::of(history, operation, self.asks_who())))
    }

    fn judge(&self, history: &History, operations: &[u32], limits: &Limits<'_>) -> Found {
        let (mut orders, mut undecided) = (Vec::new(), None);
        for part in parts(self, history, operations) {
            match search::search(self, history, &part, limits) {
                search::Found::Order(order) => orders.push(order),
                search::Found::Limit(why) => undecided = Some(why),
                search::Found::Dead(rank) => {
                    let (few, last) = few(self, history, &part, rank, limits);
                    return Found::Violation(few, last);
                }
            }
        }
        undecided.map_or_else(|| Found::Order(in_one(history, &orders)), Found::Unknown)
    }
}

/// The operations that happened or may have, by the part that they are about; all in one where some are about more than one.
fn parts<S: Specification>(object: &S, history: &History, operations: &[u32]) -> Vec<Vec<u32>> {
    let happened = |index: &u32| history.operations[*index as usize].outcome != Outcome::Fail;
    let operations: Vec<u32> = operations.iter().copied().filter(happened).collect();
    let mut places: FxHashMap<Value, usize> = FxHashMap::default();
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for &index in &operations {
        let call = Call::of(history, &history.operations[index as usize], object.asks_who());
        let Some(part) = object.part(&call) else { return vec![operations] };
        let place = *places.entry(part).or_insert(parts.len());
        if place == parts.len() {
            parts.push(Vec::new());
        }
        parts[place].push(index);
    }
    parts
}

/// Fewer operations without an order, given that nothing explains what happened until this rank; and the one that ended then.
///
/// Whatever began later may go, for a beginning of what can be ordered can be ordered; and so may any call that changes nothing. A
/// change must stay: without it, others might miss it.
fn few<S: Specification>(
    object: &S,
    history: &History,
    operations: &[u32],
    mut rank: u32,
    limits: &Limits<'_>,
) -> (Vec<u32>, u32) {
    let operation = |index: u32| &history.operations[index as usize];
    let mut kept: Vec<u32> = operations.iter().copied().filter(|&index| operation(index).invoked < rank).collect();
    let mut searched = 0;
    for index in kept.clone().into_iter().rev() {
        searched += kept.len();
        if searched > MAX_SEARCHED || !object.is_read_only(&Call::of(history, operation(index), object.asks_who())) {
            continue;
        }
        let fewer: Vec<u32> = kept.iter().copied().filter(|&other| other != index).collect();
        if let search::Found::Dead(end) = search::search(object, history, &fewer, limits) {
            kept = fewer;
            rank = end;
        }
    }
    kept.retain(|&index| operation(index).invoked < rank);
    let last = kept.iter().copied().find(|&index| operation(index).completed == rank);
    (kept, last.expect("the rank is that of a completion, and what is looked at there stays"))
}

/// The violation in words, after the second opinion: of these operations the one named last has no place.
pub(crate) fn evidence(history: &History, object: &dyn Object, operations: &[u32], last: u32) -> Evidence {
    let operation = &history.operations[last as usize];
    let nothing = Prepared { steps: Vec::new(), values: Vec::new(), failed: Vec::new() };
    let words = Words { history, initial: &Value::Nil, prepared: &nothing };
    let call = Call::of(history, operation, true);
    let argument = if *call.input == Value::Nil { String::new() } else { format!(" {}", call.input) };
    let answer = match call.output {
        Some(said) if !call.says_nothing() => format!("answered {said}"),
        _ if matches!(call.output, Some(Value::Nil)) && argument.is_empty() => "answered nil".to_owned(),
        _ => "was acknowledged".to_owned(),
    };
    let node = match history.node(last as usize) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let claim = format!(
        "{}{argument} by process {} at {}{node} {answer}, which no order of the operations before it explains",
        call.function,
        operation.process,
        words.moment(history.times(last as usize).invoked_ns, operation.invoked),
    );
    let operations: Vec<usize> = operations.iter().map(|&index| index as usize).collect();
    let tried = object.can_be_ordered(history, &operations, MAX_TRIES);
    assert!(
        tried != Some(true),
        "this is a bug in schism or in the model: operations {operations:?} can be ordered, although the checker says: {claim}"
    );
    Evidence { operations, claim, reasons: Vec::new(), staleness: None }
}
