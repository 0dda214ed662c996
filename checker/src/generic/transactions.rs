//! Transactions as calls with an argument and an answer: `[["r", "x", null], ["w", "y", 2]]` and `[["r", "x", 1], ["w", "y", 2]]`.

use std::borrow::Cow;

use histories::{Found, History, MicroOperation, Outcome, Value, ValueId};

/// The history, in which each transaction's micro-operations are also its argument and, if it is certain, its answer.
pub(crate) fn as_values(history: &History) -> Cow<'_, History> {
    if history.transactions.is_empty() {
        return Cow::Borrowed(history);
    }
    let mut told = history.clone();
    for transaction in 0..history.transactions.len() {
        let micros = || history.transactions.micro_operations(transaction);
        let operation = &mut told.operations[history.transactions.operation(transaction)];
        let asked = micros().map(|micro| part(history, micro, false)).collect();
        operation.input = told.values.intern(Value::List(asked));
        let is_known = !micros().any(|micro| matches!(micro, MicroOperation::Read { found: Found::Unknown, .. }));
        let happened = operation.outcome == Outcome::Ok;
        operation.output = if happened && is_known {
            told.values.intern(Value::List(micros().map(|micro| part(history, micro, true)).collect()))
        } else {
            ValueId::UNKNOWN
        };
    }
    Cow::Owned(told)
}

/// `["r", "x", 1]`; what a read found only where that `is_answer`.
fn part(history: &History, micro: MicroOperation<'_>, is_answer: bool) -> Value {
    let value = |id| history.value(id).clone();
    let (function, key, argument) = match micro {
        MicroOperation::Append { key, value: id } => ("append", key, value(id)),
        MicroOperation::Write { key, value: id } => ("w", key, value(id)),
        MicroOperation::Read { key, found } => {
            let found = match found {
                Found::Value(id) if is_answer => value(id),
                Found::List(ids) if is_answer => Value::List(ids.iter().map(|&id| value(id)).collect()),
                _ => Value::Nil,
            };
            ("r", key, found)
        }
    };
    Value::List(vec![function.into(), value(key), argument])
}
