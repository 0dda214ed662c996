//! Transactions as calls with an argument and an answer: `[["r", "x", null], ["w", "y", 2]]` and
//! `[["r", "x", 1], ["w", "y", 2]]`.

use std::borrow::Cow;

use histories::{History, MicroOperation, Operation, Outcome, ReadResult, Times, Value, ValueId};

use crate::{
    Limits,
    budget::{Budget, Shortage},
};

/// Estimated bytes of a micro-operation as a value: its list, key and function, once in an argument and once in an
/// answer, each stored in two places.
const MICRO_BYTES: usize = 4 * (4 * size_of::<Value>() + 16);
/// Estimated bytes for the copy of an operation, with its times, its node and room for its two values.
const OPERATION_BYTES: usize = size_of::<Operation>() + size_of::<Times>() + 8 * size_of::<Value>();

/// Returns the history with each transaction's micro-operations also as its argument and, if its outcome and all its
/// reads are known, as its answer.
pub(crate) fn as_values<'h>(history: &'h History, limits: &Limits<'_>) -> Result<Cow<'h, History>, Shortage> {
    if history.transactions.is_empty() {
        return Ok(Cow::Borrowed(history));
    }
    let budget = Budget::new(limits);
    let micros = history.transactions.micro_operation_count();
    budget.may_take(micros * MICRO_BYTES + history.operations.len() * OPERATION_BYTES)?;
    let mut told = history.clone();
    for transaction in 0..history.transactions.len() {
        budget.step()?;
        let micros = || history.transactions.micro_operations(transaction);
        let operation = &mut told.operations[history.transactions.operation(transaction)];
        let asked = micros().map(|micro| part(history, micro, false)).collect();
        operation.input = told.values.intern(Value::List(asked));
        let is_known = !micros().any(|micro| matches!(micro, MicroOperation::Read { found: ReadResult::Unknown, .. }));
        let happened = operation.outcome == Outcome::Ok;
        operation.output = if happened && is_known {
            told.values.intern(Value::List(micros().map(|micro| part(history, micro, true)).collect()))
        } else {
            ValueId::UNKNOWN
        };
    }
    Ok(Cow::Owned(told))
}

/// Returns a micro-operation as a value, such as `["r", "x", 1]`; the result of a read only if `is_answer`.
fn part(history: &History, micro: MicroOperation<'_>, is_answer: bool) -> Value {
    let value = |id| history.value(id).clone();
    let (function, key, argument) = match micro {
        MicroOperation::Append { key, value: id } => ("append", key, value(id)),
        MicroOperation::Write { key, value: id } => ("w", key, value(id)),
        MicroOperation::Read { key, found } => {
            let found = match found {
                ReadResult::Value(id) if is_answer => value(id),
                ReadResult::List(ids) if is_answer => Value::List(ids.iter().map(|&id| value(id)).collect()),
                _ => Value::Nil,
            };
            ("r", key, found)
        }
    };
    Value::List(vec![function.into(), value(key), argument])
}
