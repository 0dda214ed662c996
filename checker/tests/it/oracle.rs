//! Oracle for small histories, which tries every order: slow, and too simple to be wrong.

use histories::{Function, History, Operation, Outcome, Value, ValueId};

/// Returns true if some order of all certain operations and some of the unknown ones respects real time and explains
/// every answer.
pub(crate) fn is_linearizable(history: &History, initial: &Value) -> bool {
    let operations: Vec<Operation> = history.operations.clone();
    can_be_ordered(history, initial, &operations)
}

/// Decides the same if this read had returned `answer`.
pub(crate) fn is_linearizable_if(history: &History, initial: &Value, read: usize, answer: ValueId) -> bool {
    let mut operations: Vec<Operation> = history.operations.clone();
    operations[read].output = answer;
    can_be_ordered(history, initial, &operations)
}

/// Decides the same about some of the operations, where a cas whose expected value is set by others, but not by any of
/// these, counts as a write.
pub(crate) fn evidence_can_be_ordered(history: &History, initial: &Value, indexes: &[usize]) -> bool {
    let mut operations: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
    let set_by_these = values_set(&operations);
    let set_by_any = values_set(&history.operations);
    for operation in &mut operations {
        let changes = operation.function == Function::Cas && operation.outcome != Outcome::Mismatch;
        let left_to_nobody = !set_by_these.contains(&operation.input) && set_by_any.contains(&operation.input);
        if changes && left_to_nobody && history.value(operation.input) != initial {
            operation.function = Function::Write;
            operation.input = operation.to;
        }
    }
    can_be_ordered(history, initial, &operations)
}

/// Returns true if some of the changes that were invoked before this operation ended make the value that it observed,
/// in any order: then nobody may say that it was never written.
pub(crate) fn may_have_been_written(history: &History, initial: &Value, observer: usize) -> bool {
    let changes = history.operations.iter().enumerate().filter(|&(index, operation)| {
        index != observer && operation.function != Function::Read && operation.outcome != Outcome::Mismatch
    });
    let optional = changes.map(|(_, &change)| match change.function {
        _ if change.outcome == Outcome::Fail => change,
        Function::Cas => Operation { function: Function::Write, input: change.to, outcome: Outcome::Info, ..change },
        _ => Operation { outcome: Outcome::Info, ..change },
    });
    let mut observer = history.operations[observer];
    if observer.outcome == Outcome::Info {
        observer.outcome = Outcome::Ok;
    }
    can_be_ordered(history, initial, &optional.chain([observer]).collect::<Vec<_>>())
}

/// Returns true if some of these operations set a value that another operation of the history sets.
pub(crate) fn sets_what_others_set(history: &History, indexes: &[usize]) -> bool {
    let all = values_set(&history.operations);
    let these: Vec<Operation> = indexes.iter().map(|&index| history.operations[index]).collect();
    values_set(&these).iter().any(|value| all.iter().filter(|other| *other == value).count() > 1)
}

fn values_set(operations: &[Operation]) -> Vec<ValueId> {
    (operations.iter())
        .filter(|o| matches!(o.outcome, Outcome::Ok | Outcome::Info))
        .filter_map(|o| match o.function {
            Function::Write => Some(o.input),
            Function::Cas => Some(o.to),
            _ => None,
        })
        .collect()
}

/// Decides the same about these operations as they are.
pub(crate) fn can_be_ordered(history: &History, initial: &Value, operations: &[Operation]) -> bool {
    let left: Vec<Operation> = operations.iter().copied().filter(|o| o.outcome != Outcome::Fail).collect();
    rest_can_follow(history, initial, initial, &left)
}

fn rest_can_follow(history: &History, initial: &Value, value: &Value, left: &[Operation]) -> bool {
    if left.iter().all(|o| o.outcome == Outcome::Info) {
        return true;
    }
    (0..left.len()).any(|place| {
        let first = left[place];
        let others: Vec<Operation> = left.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, o)| *o).collect();
        let may_be_first = others.iter().all(|o| o.outcome == Outcome::Info || o.completed > first.invoked);
        may_be_first
            && apply(history, initial, value, first)
                .is_some_and(|next| rest_can_follow(history, initial, &next, &others))
    })
}

fn apply(history: &History, initial: &Value, value: &Value, operation: Operation) -> Option<Value> {
    let input = history.value(operation.input);
    let output = (operation.output != ValueId::UNKNOWN).then(|| history.value(operation.output));
    match operation.function {
        Function::Read => output.is_none_or(|seen| seen == value).then(|| value.clone()),
        Function::Write => Some(input.clone()),
        Function::Delete => Some(initial.clone()),
        Function::Append => {
            let text = |value: &Value| match value {
                Value::Str(text) => text.to_string(),
                Value::Nil => String::new(),
                other => other.to_string(),
            };
            Some(Value::from(format!("{}{}", text(value), text(input)).as_str()))
        }
        Function::Cas if operation.outcome == Outcome::Mismatch => {
            (input != value && output.is_none_or(|seen| seen == value)).then(|| value.clone())
        }
        Function::Cas => (input == value).then(|| history.value(operation.to).clone()),
        Function::Other(_) => None,
    }
}
