//! Wording of violations of any model: the operation that has no place, and those that it contradicts.

use histories::{History, Operation, Outcome, Value};

use crate::{
    specification::Call,
    words::{began, ended, made},
};

/// Maximum number of reasons: more would tell a reader nothing.
const MAX_REASONS: usize = 12;

/// Returns a claim about these operations, of which `last` has no place, and reasons that describe the others.
pub(crate) fn tell(history: &History, operations: &[u32], last: u32) -> (String, Vec<String>) {
    let claim = format!(
        "{} {}, which no order of the operations before it explains",
        who(history, last),
        answer(history, &history.operations[last as usize])
    );
    let others: Vec<u32> = operations.iter().copied().filter(|&index| index != last).collect();
    let mut reasons: Vec<String> = others
        .iter()
        .take(MAX_REASONS)
        .map(|&index| reason(history, index, &history.operations[last as usize]))
        .collect();
    if others.len() > MAX_REASONS {
        reasons.push(format!("and so on with {} more", others.len() - MAX_REASONS));
    }
    (claim, reasons)
}

/// Returns the claim that an operation found a value which no other can have left, and as reason the one that left it
/// too late, if any.
pub(super) fn find_unexplained_value(
    history: &History,
    operation: u32,
    what: &Value,
    late: Option<u32>,
) -> (String, Vec<String>) {
    let (who_found, found) = (who(history, operation), answer(history, &history.operations[operation as usize]));
    let Some(late) = late else {
        return (format!("{who_found} {found}, but nothing that may have happened ever left {what} there"), Vec::new());
    };
    let (began, ended) = (began(history, late as usize), ended(history, operation as usize));
    let claim = format!("{who_found} {found}, but nothing that began before it ended can have left {what} there");
    (
        claim,
        vec![format!(
            "it ended at {ended}; the first that left {what} there, {}, began only at {began}",
            who(history, late)
        )],
    )
}

/// Formats an operation: `push 3 by process 4 at 1.200 s on n2`.
fn who(history: &History, index: u32) -> String {
    let call = Call::of(history, &history.operations[index as usize], true);
    let argument = match (call.input, call.to) {
        (Value::Nil, Value::Nil) => String::new(),
        (input, Value::Nil) => format!(" {input}"),
        (from, to) => format!(" from {from} to {to}"),
    };
    made(history, &format!("{}{argument}", call.function), index as usize)
}

fn answer(history: &History, operation: &Operation) -> String {
    let call = Call::of(history, operation, true);
    match call.output {
        _ if call.mismatch => "did not match".to_owned(),
        Some(said) if !call.says_nothing() => format!("answered {said}"),
        Some(Value::Nil) if *call.input == Value::Nil => "answered nil".to_owned(),
        _ => "was acknowledged".to_owned(),
    }
}

/// Describes another operation from the point of view of the one that has no place.
fn reason(history: &History, index: u32, last: &Operation) -> String {
    let operation = &history.operations[index as usize];
    let who = who(history, index);
    if operation.outcome == Outcome::Info {
        return format!("{who} may have taken effect at any time since, at most once: nobody knows");
    }
    let relation = if operation.completed < last.invoked { "before it began" } else { "while it was open" };
    format!("{who} {} at {}, {relation}", answer(history, operation), ended(history, index as usize))
}
