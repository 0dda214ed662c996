//! How far a key's operations can be ordered: the longest beginning that is linearizable, and the completion that no order survives.
//!
//! Whoever cuts a history at a moment leaves out what began later, and does not know the ends that come later. An order of the whole,
//! without what began later, orders every beginning: what takes effect before the cut keeps its answers, and what is open there may
//! have taken effect or not. So the beginnings without an order are those from some completion on, which halving finds. Of what is
//! known to have failed, nothing happened, also before that was known.

use histories::{Function, History, NEVER, Operation, Outcome, Times, Value, ValueId};
use serde::Serialize;

use crate::{
    Options, Verdict,
    check::decide,
    patience::Patience,
    prepare::{Keys, Preparer},
};

/// What the copy of a history takes, by and large, in bytes: for each operation, and for each value.
const OPERATION_BYTES: usize = size_of::<Operation>() + size_of::<Times>() + size_of::<u32>() + size_of::<u16>();
const VALUE_BYTES: usize = 5 * size_of::<Value>();

/// How far a key's operations can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prefix {
    /// Everything that happened before this time can be ordered; nanoseconds since the run began.
    pub until_ns: u64,
    /// The operation that completed then: no order survives its completion. An index of [`History::operations`].
    pub dies_at: usize,
    /// One order of it, as indexes of [`History::operations`]: what took effect before that completion. What had no effect, or need
    /// not have had any, is not in it.
    #[serde(skip)]
    pub order: Vec<u32>,
}

/// The longest beginning of the operations of `key` that can be ordered, by as many checks as halving takes, each within the limits.
/// Nothing where all can be ordered, or where a limit was reached.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn longest_prefix(history: &History, options: &Options<'_>, key: &Value) -> Option<Prefix> {
    let patience = Patience::new(&options.limits);
    let keys = Keys::split(history, &patience).ok()?;
    let operations = (0..keys.len()).find(|&at| history.value(keys.id(at)) == key).map(|at| keys.operations(at))?;
    patience.room(history.operations.len() * OPERATION_BYTES + history.values.len() * VALUE_BYTES).ok()?;
    let mut completions: Vec<u32> = (operations.iter().map(|&index| history.operations[index as usize]))
        .filter(|operation| matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch))
        .map(|operation| operation.completed)
        .collect();
    completions.sort_unstable();
    let options = Options { keep_order: true, ..options.clone() };
    let mut cut = history.clone();
    // The order of so many completions: `Err` where there is none, nothing where a limit was reached.
    let mut order = |completed: usize| {
        patience.steps(operations.len()).ok()?;
        let last = completed.checked_sub(1).map(|at| completions[at])?;
        let begun = operations.partition_point(|&index| history.operations[index as usize].invoked < last);
        for &index in operations {
            let operation = &mut cut.operations[index as usize];
            *operation = history.operations[index as usize];
            if operation.function == Function::Read {
                // Its answer, where it was written down before.
                operation.input = ValueId::NIL;
            }
            if operation.invoked >= last {
                operation.outcome = Outcome::Fail;
            } else if operation.completed > last && operation.outcome != Outcome::Fail {
                (operation.completed, operation.output, operation.outcome) = (NEVER, ValueId::UNKNOWN, Outcome::Info);
            }
        }
        let mut preparer = Preparer::new(&cut, options.model, &options.initial);
        let decided = decide(&cut, &options, &mut preparer, &operations[..begun]);
        match decided.verdict {
            Verdict::Linearizable => Some(Ok(decided.order.unwrap_or_default())),
            Verdict::NotLinearizable => Some(Err(())),
            Verdict::Unknown => None,
        }
    };
    // So many completions can be ordered, so many cannot.
    let (mut can, mut cannot) = (0, completions.len());
    let mut longest = Vec::new();
    if order(cannot)?.is_ok() {
        return None;
    }
    while cannot - can > 1 {
        let middle = can.midpoint(cannot);
        match order(middle)? {
            Ok(order) => (can, longest) = (middle, order),
            Err(()) => cannot = middle,
        }
    }
    let last = completions[cannot - 1];
    let dies_at = operations.iter().copied().find(|&index| history.operations[index as usize].completed == last)?;
    let dies_at = dies_at as usize;
    Some(Prefix { until_ns: history.times(dies_at).completed_ns, dies_at, order: longest })
}
