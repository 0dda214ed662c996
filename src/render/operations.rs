//! Operations in words.

use checker::brief;
use histories::{Function, History, MicroOperation, Operation, Outcome, ReadResult, Value, ValueId};

use crate::terminal::{
    sanitize,
    words::{plain, seconds},
};

/// Maximum length of a list that is shown whole; of a longer one, only its end is shown.
const SHOWN: usize = 8;

/// Describes one operation with its process and times.
pub(crate) fn operation_in_words(history: &History, index: usize) -> String {
    let operation = &history.operations[index];
    let key =
        if operation.key == ValueId::NIL { String::new() } else { format!(" {}", plain(history.value(operation.key))) };
    let function = sanitize::line(history.function_name(operation.function));
    let what = format!("{function}{key}{}", sanitize::line(&values_in_words(history, index)));
    format!("{what:<28} {}", actor_in_words(history, index))
}

/// Describes the process, the node, and the times of invocation and completion.
pub(crate) fn actor_in_words(history: &History, index: usize) -> String {
    let (operation, times) = (&history.operations[index], history.times(index));
    let node = match history.node(index) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let ended = || moment(history, times.completed_ns, operation.completed);
    let end = match operation.outcome {
        Outcome::Ok | Outcome::Mismatch => format!("to {}", ended()),
        Outcome::Fail => format!("failed at {}", ended()),
        Outcome::Info => "outcome unknown".to_owned(),
    };
    format!(
        "process {}{node}, {} {end}",
        history.process(operation.process),
        moment(history, times.invoked_ns, operation.invoked)
    )
}

/// Formats a time as `4.182 s`, or `event 17` if the history has no times.
pub(super) fn moment(history: &History, time_ns: u64, rank: u32) -> String {
    if history.has_times() { seconds(time_ns) } else { format!("event {rank}") }
}

/// Describes the input and output of an operation; for a transaction, its micro-operations.
pub(crate) fn values_in_words(history: &History, index: usize) -> String {
    if history.transactions.at(index).is_some() {
        return format!(" {}", micro_operations_in_words(history, index).join(", "));
    }
    let operation = &history.operations[index];
    let value = |id| brief(history.value(id));
    match (operation.function, operation.outcome) {
        (Function::Read, Outcome::Ok) => format!(" -> {}", value(operation.output)),
        (Function::Read | Function::Delete, _) => String::new(),
        (Function::Cas, outcome) => {
            let swap = format!(" {} => {}", value(operation.input), value(operation.to));
            match outcome {
                Outcome::Mismatch if operation.output == ValueId::UNKNOWN => format!("{swap}, found another value"),
                Outcome::Mismatch => format!("{swap}, found {}", value(operation.output)),
                Outcome::Ok | Outcome::Fail | Outcome::Info => swap,
            }
        }
        (Function::Write | Function::Append, _) => format!(" {}", value(operation.input)),
        (Function::Other(_), outcome) => {
            let shown = |id| Some(value(id)).filter(|_| *history.value(id) != Value::Nil);
            let asked = shown(operation.input).map_or_else(String::new, |asked| format!(" {asked}"));
            // An output that only repeats the input is no answer; what is known without a success is one.
            let answer = shown(operation.output).filter(|_| operation.output != operation.input);
            let finds_nothing = outcome == Outcome::Ok && operation.output == ValueId::NIL;
            let answer = answer.or_else(|| (finds_nothing && looks(history, operation)).then(|| value(ValueId::NIL)));
            asked + &answer.map_or_else(String::new, |answer| format!(" -> {answer}"))
        }
    }
}

/// Returns true if the operation takes or looks at an element of a collection: nil says then that it was empty.
fn looks(history: &History, operation: &Operation) -> bool {
    matches!(history.function_name(operation.function), "dequeue" | "poll" | "pop" | "take" | "receive" | "peek")
}

/// Returns the micro-operations of a transaction; none if the operation is no transaction.
pub(super) fn micro_operations(history: &History, index: usize) -> impl Iterator<Item = MicroOperation<'_>> {
    let micros = history.transactions.at(index).map(|at| history.transactions.micro_operations(at));
    micros.into_iter().flatten()
}

/// Describes the micro-operations of a transaction with the values that it read.
pub(crate) fn micro_operations_in_words(history: &History, index: usize) -> Vec<String> {
    micro_operations(history, index).map(|micro| micro_operation(history, micro)).collect()
}

fn micro_operation(history: &History, micro: MicroOperation<'_>) -> String {
    let value = |id| history.value(id);
    match micro {
        MicroOperation::Append { key, value: added } => format!("append {} to {}", value(added), plain(value(key))),
        MicroOperation::Write { key, value: written } => format!("w {} to {}", value(written), plain(value(key))),
        MicroOperation::Read { key, found } => {
            let found = match found {
                ReadResult::Unknown => "?".to_owned(),
                ReadResult::Value(found) => value(found).to_string(),
                ReadResult::List(list) => {
                    let skipped = list.len().saturating_sub(SHOWN);
                    let shown: Vec<String> = list[skipped..].iter().map(|id| Value::to_string(value(*id))).collect();
                    let dots = if skipped > 0 { "… " } else { "" };
                    format!("[{dots}{}]", shown.join(" "))
                }
            };
            format!("r {} -> {found}", plain(value(key)))
        }
    }
}
