//! Violations of causal consistency in words, with the operations that show them.

use histories::{Function, History, Operation, Outcome, Value};

use super::{AccessEvent, CausalViolation, show};
use crate::{
    prepare::{Action, KeySteps, Step},
    sorted::sorted,
    words::Words,
};

/// Returns the operations that show that a history is not causally consistent, and the claim of what is wrong; `None`
/// if it was not checked.
pub(crate) fn causal_claim(
    history: &History,
    initial: &Value,
    events: &[AccessEvent],
    found: &CausalViolation,
) -> Option<(Vec<usize>, String)> {
    let nothing = KeySteps { steps: Vec::new(), values: vec![None], failed: Vec::new() };
    let words = Words { history, initial, prepared: &nothing };
    let step = |index: u32| {
        let operation = &history.operations[index as usize];
        Step { operation: index, start: operation.invoked, end: operation.completed, action: Action::NotEqual(0) }
    };
    let (mut operations, claim) = match found {
        CausalViolation::TooMany { .. } => return None,
        CausalViolation::Unset { reader } => {
            let reader_step = step(*reader);
            let (who, found) = (words.who(&reader_step), found_by(&words, &reader_step));
            let attempt = failed_change(history, *reader);
            let why = attempt.map_or_else(
                || "which nobody had set".to_owned(),
                |attempt| format!("although the {} failed, and nobody else had set it", words.who(&step(attempt))),
            );
            (attempt.into_iter().chain([*reader]).collect(), format!("{who} {found}, {why}"))
        }
        CausalViolation::Overwritten { reader, writer, newer, way } => {
            let (looked, new) = (step(*reader), step(*newer));
            let knows = writer.map_or_else(
                || "that this was no longer what was there at first".to_owned(),
                |writer| format!("that it came after the {}", words.who(&step(writer))),
            );
            let claim = format!(
                "{} {}, although its process knew, by what it had seen or done before, of the {}, and {knows}",
                words.who(&looked),
                found_by(&words, &looked),
                words.who(&new)
            );
            let all = [*reader, *newer].into_iter().chain(*writer).chain(way.iter().copied());
            (all.collect(), claim)
        }
        CausalViolation::Ring { ring } => {
            let found = |index: u32| format!("{} {}", words.who(&step(index)), found_by(&words, &step(index)));
            // Each look with the change that it found; the process of that did the next look before it.
            let mut claim = found(ring[0]);
            for (at, &change) in ring.iter().enumerate().skip(1).step_by(2) {
                let before = ring.get(at + 1).map_or_else(|| "the first of these".to_owned(), |&look| found(look));
                claim += &format!(", which the {} set only after {before}", words.who(&step(change)));
            }
            (ring.clone(), claim)
        }
    };
    show(events, &mut operations);
    Some((sorted(operations.into_iter().map(|index| index as usize)), claim))
}

/// Returns the first change that failed, but would have set what an operation found, and began before that one ended.
fn failed_change(history: &History, finder: u32) -> Option<u32> {
    let finder = &history.operations[finder as usize];
    let found = if finder.function == Function::Cas { finder.input } else { finder.output };
    let is_attempt = |operation: &Operation| {
        let set = if operation.function == Function::Cas { operation.to } else { operation.input };
        operation.outcome == Outcome::Fail
            && matches!(operation.function, Function::Write | Function::Cas)
            && operation.key == finder.key
            && set == found
            && operation.invoked < finder.completed
    };
    history.operations.iter().position(is_attempt).and_then(|index| u32::try_from(index).ok())
}

fn found_by(words: &Words<'_>, step: &Step) -> String {
    let operation = words.operation(step);
    match (operation.function, operation.outcome) {
        (Function::Cas, Outcome::Ok | Outcome::Info) => {
            format!("found {}", words.history.value(operation.input))
        }
        _ => words.answer(step),
    }
}
