//! Wording of violations of any model: the operation that has no place, and those that it contradicts.

use histories::{History, Operation, Outcome, Value};

use crate::{prepare::Prepared, specification::Call, words::Words};

/// Maximum number of reasons: more would tell a reader nothing.
const MAX_REASONS: usize = 12;

/// Returns a claim about these operations, of which `last` has no place, and reasons that describe the others.
pub(crate) fn tell(history: &History, operations: &[u32], last: u32) -> (String, Vec<String>) {
    let nothing = Prepared { steps: Vec::new(), values: Vec::new(), failed: Vec::new() };
    let words = Words { history, initial: &Value::Nil, prepared: &nothing };
    let claim = format!(
        "{} {}, which no order of the operations before it explains",
        who(&words, last),
        answer(history, &history.operations[last as usize])
    );
    let others: Vec<u32> = operations.iter().copied().filter(|&index| index != last).collect();
    let mut reasons: Vec<String> = others
        .iter()
        .take(MAX_REASONS)
        .map(|&index| reason(&words, index, &history.operations[last as usize]))
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
    let nothing = Prepared { steps: Vec::new(), values: Vec::new(), failed: Vec::new() };
    let words = Words { history, initial: &Value::Nil, prepared: &nothing };
    let (who_found, found) = (who(&words, operation), answer(history, &history.operations[operation as usize]));
    let Some(late) = late else {
        return (format!("{who_found} {found}, but nothing that may have happened ever left {what} there"), Vec::new());
    };
    let (began, ended) = (&history.operations[late as usize], &history.operations[operation as usize]);
    let began = words.moment(words.times(late).invoked_ns, began.invoked);
    let ended = words.moment(words.times(operation).completed_ns, ended.completed);
    let claim = format!("{who_found} {found}, but nothing that began before it ended can have left {what} there");
    (
        claim,
        vec![format!(
            "it ended at {ended}; the first that left {what} there, {}, began only at {began}",
            who(&words, late)
        )],
    )
}

/// Formats an operation: `push 3 by process 4 at 1.200 s on n2`.
fn who(words: &Words<'_>, index: u32) -> String {
    let operation = &words.history.operations[index as usize];
    let call = Call::of(words.history, operation, true);
    let argument = match (call.input, call.to) {
        (Value::Nil, Value::Nil) => String::new(),
        (input, Value::Nil) => format!(" {input}"),
        (from, to) => format!(" from {from} to {to}"),
    };
    let node = match words.history.node(index as usize) {
        0 => String::new(),
        node => format!(" on n{node}"),
    };
    let began = words.moment(words.times(index).invoked_ns, operation.invoked);
    format!("{}{argument} by process {} at {began}{node}", call.function, words.history.process(operation.process))
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
fn reason(words: &Words<'_>, index: u32, last: &Operation) -> String {
    let operation = &words.history.operations[index as usize];
    let who = who(words, index);
    if operation.outcome == Outcome::Info {
        return format!("{who} may have taken effect at any time since, at most once: nobody knows");
    }
    let answer = answer(words.history, operation);
    let ended = words.moment(words.times(index).completed_ns, operation.completed);
    let relation = if operation.completed < last.invoked { "before it began" } else { "while it was open" };
    format!("{who} {answer} at {ended}, {relation}")
}
