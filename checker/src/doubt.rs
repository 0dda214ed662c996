//! Doubt whether a key is a register at all, where the model was guessed.
//!
//! Bank balances, rows of a table and elements of a set are also read by `read`, which then answers with lists and
//! maps. If no such value was ever written, the operations do not fit a register, and a violation found under that
//! model says nothing about the system.

use histories::{Function, History, Operation, Outcome, ValueId};

use crate::{Options, UnknownWhy, specification::is_compound};

/// Returns the reason to doubt that these operations are those of a register, if [`Options::guessed`] says that the
/// model was guessed.
pub(crate) fn doubt(history: &History, options: &Options<'_>, operations: &[u32]) -> Option<UnknownWhy> {
    if !options.guessed || !options.model.is_register() || is_compound(&options.initial) {
        return None;
    }
    let is_made_of_values = |id: ValueId| id != ValueId::UNKNOWN && is_compound(history.value(id));
    let mut odd = None;
    for &index in operations {
        let operation = &history.operations[index as usize];
        match operation.function {
            Function::Write if is_made_of_values(operation.input) => return None,
            Function::Cas if is_made_of_values(operation.to) => return None,
            _ if odd.is_none() && is_seen(operation) && is_made_of_values(operation.output) => odd = Some(operation),
            _ => {}
        }
    }
    let odd = odd?;
    let (name, answer) = (history.function_name(odd.function), history.value(odd.output));
    Some(UnknownWhy::Guessed { what: format!("a {name} answers {answer}") })
}

fn is_seen(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch)
}
