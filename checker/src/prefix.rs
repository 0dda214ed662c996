//! Longest prefix of a key's operations that is linearizable, and the completion that no order survives.
//!
//! Cutting a history at a moment drops the operations that begin later and makes the outcome of those that are still
//! open unknown. A linearization of the whole history, without the operations dropped, linearizes every prefix: what
//! takes effect before the cut keeps its answers, and what is open at the cut may or may not have taken effect. So
//! the prefixes without a linearization are exactly those from some completion on, which binary search finds. An
//! operation that is known to have failed has no effect in any prefix, even where it was still open at the cut.

use histories::{Function, History, NEVER, Operation, Outcome, Times, Value, ValueId};
use serde::Serialize;

use crate::{
    Options, Verdict,
    budget::Budget,
    check::decide,
    prepare::{Keys, Preparer},
};

/// Estimated memory for the copy of a history, in bytes: for each operation, and for each value.
const OPERATION_BYTES: usize = size_of::<Operation>() + size_of::<Times>() + size_of::<u32>() + size_of::<u16>();
const VALUE_BYTES: usize = 5 * size_of::<Value>();

/// Longest prefix of a key's operations that can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prefix {
    /// Time up to which everything can be ordered, in nanoseconds since the run began.
    pub until_ns: u64,
    /// Index in [`History::operations`] of the operation that completed at that time: no order survives its
    /// completion.
    pub dies_at: usize,
    /// Linearization of the prefix, as indexes of [`History::operations`]: the operations that took effect before
    /// that completion. Operations without effect, or that need not have had one, are left out.
    #[serde(skip)]
    pub order: Vec<u32>,
}

/// Finds the longest prefix of the operations of `key` that can be ordered, by binary search: each check runs within
/// the limits. Returns `None` if all operations can be ordered, if a limit was reached, or of a property, which needs
/// no order.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn longest_prefix(history: &History, options: &Options<'_>, key: &Value) -> Option<Prefix> {
    if options.model.is_property() {
        return None;
    }
    let budget = Budget::new(&options.limits);
    let keys = Keys::split(history, &budget).ok()?;
    let operations = (0..keys.len()).find(|&at| history.value(keys.id(at)) == key).map(|at| keys.operations(at))?;
    budget.may_take(history.operations.len() * OPERATION_BYTES + history.values.len() * VALUE_BYTES).ok()?;
    let mut completions: Vec<u32> = (operations.iter().map(|&index| history.operations[index as usize]))
        .filter(|operation| matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch))
        .map(|operation| operation.completed)
        .collect();
    completions.sort_unstable();
    let options = Options { keep_order: true, ..options.clone() };
    let mut cut = history.clone();
    // Decision about the prefix with this many completions, unless a limit was reached.
    let mut decide_prefix = |completed: usize| {
        budget.steps(operations.len()).ok()?;
        let last = completed.checked_sub(1).map(|at| completions[at])?;
        let begun = operations.partition_point(|&index| history.operations[index as usize].invoked < last);
        for &index in operations {
            let operation = &mut cut.operations[index as usize];
            *operation = history.operations[index as usize];
            if operation.function == Function::Read {
                // The answer of a read, if its invocation already names it.
                operation.input = ValueId::NIL;
            }
            if operation.invoked >= last {
                operation.outcome = Outcome::Fail;
            } else if operation.completed > last && operation.outcome != Outcome::Fail {
                (operation.completed, operation.output, operation.outcome) = (NEVER, ValueId::UNKNOWN, Outcome::Info);
            }
        }
        let mut preparer = Preparer::new(&cut, options.model.has_edits(), &options.initial);
        let decision = decide(&cut, &options, &mut preparer, &operations[..begun]);
        (decision.verdict != Verdict::Unknown).then_some(decision)
    };
    // The prefix with `can` completions has an order, the one with `cannot` has none.
    let (mut can, mut cannot) = (0, completions.len());
    let mut longest = Vec::new();
    if decide_prefix(cannot)?.verdict == Verdict::Linearizable {
        return None;
    }
    while cannot - can > 1 {
        let middle = can.midpoint(cannot);
        let decision = decide_prefix(middle)?;
        match decision.verdict {
            Verdict::Linearizable => (can, longest) = (middle, decision.order.unwrap_or_default()),
            _ => cannot = middle,
        }
    }
    let last = completions[cannot - 1];
    let dies_at = operations.iter().copied().find(|&index| history.operations[index as usize].completed == last)?;
    let dies_at = dies_at as usize;
    Some(Prefix { until_ns: history.times(dies_at).completed_ns, dies_at, order: longest })
}
