//! `schism check --linearization`: the order in which a key's operations can have taken effect, an operation a line.

use std::io::{self, Write};

use histories::{Function, History, MicroOperation, Outcome, Process, ReadResult, Value, ValueId};
use serde::Serialize;

/// Line of the output: the operation that takes effect next, with its arguments and its result.
#[derive(Serialize)]
struct Line<'a> {
    /// The history, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Value>,
    /// Number of the operation among the invocations of all clients, counted from 0.
    index: usize,
    process: Process,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u16>,
    /// Outcome of the operation: `info` is an unknown outcome, for which the order shows that it can have taken effect
    /// here.
    #[serde(rename = "type")]
    outcome: &'static str,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a Value>,
}

/// Number of lines written between two questions whether to go on.
const LINES_PER_QUESTION: usize = 4096;

/// Writes the operations with these indexes, in this order; `file` names the history, where there are several. Returns
/// whether all were written before `keep_going` said no.
pub(crate) fn write(
    out: &mut dyn Write,
    file: Option<&str>,
    history: &History,
    order: &[u32],
    keep_going: impl Fn() -> bool,
) -> io::Result<bool> {
    for (written, &index) in order.iter().enumerate() {
        if written % LINES_PER_QUESTION == 0 && !keep_going() {
            return Ok(false);
        }
        serde_json::to_writer(&mut *out, &line(file, history, index as usize))?;
        out.write_all(b"\n")?;
    }
    Ok(true)
}

fn line<'a>(file: Option<&'a str>, history: &'a History, index: usize) -> Line<'a> {
    let operation = &history.operations[index];
    let known = |id: ValueId| (id != ValueId::UNKNOWN).then(|| history.value(id));
    let value = match (history.transactions.at(index), operation.function) {
        (Some(transaction), _) => {
            let micros = history.transactions.micro_operations(transaction);
            Some(Value::List(micros.map(|micro| micro_operation(history, micro)).collect()))
        }
        (None, Function::Read | Function::Delete) => None,
        (None, Function::Cas) => {
            let [from, to] = [operation.input, operation.to].map(|id| known(id).cloned().unwrap_or_default());
            Some(Value::List(vec![from, to]))
        }
        (None, _) => known(operation.input).filter(|value| **value != Value::Nil).cloned(),
    };
    let is_transaction = history.transactions.at(index).is_some();
    Line {
        file,
        key: (operation.key != ValueId::NIL).then(|| history.value(operation.key)),
        index,
        process: history.process(operation.process),
        node: Some(history.node(index)).filter(|node| *node != 0),
        outcome: match operation.outcome {
            Outcome::Ok => "ok",
            Outcome::Mismatch | Outcome::Fail => "fail",
            Outcome::Info => "info",
        },
        f: history.function_name(operation.function),
        value,
        answer: known(operation.output).filter(|_| !is_transaction),
    }
}

fn micro_operation(history: &History, micro: MicroOperation<'_>) -> Value {
    let value = |id| history.value(id).clone();
    let (name, key, value) = match micro {
        MicroOperation::Append { key, value: added } => ("append", key, value(added)),
        MicroOperation::Write { key, value: written } => ("w", key, value(written)),
        MicroOperation::Read { key, found: ReadResult::Unknown } => ("r", key, Value::Nil),
        MicroOperation::Read { key, found: ReadResult::Value(found) } => ("r", key, value(found)),
        MicroOperation::Read { key, found: ReadResult::List(list) } => {
            ("r", key, Value::List(list.iter().map(|id| value(*id)).collect()))
        }
    };
    Value::List(vec![name.into(), history.value(key).clone(), value])
}
