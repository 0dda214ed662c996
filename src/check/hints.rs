//! Hints for the next attempt where a verdict may be due to the options.

use std::collections::HashMap;

use checker::{Model, Options, Report, UnknownWhy, Verdict};
use clap::ValueEnum;
use histories::{FailedCasCounts, Function, History, Operation, Outcome, TRANSACTION, Value, ValueId};

use super::judging::ModelName;
use crate::terminal::words::grouped;

/// Returns the lines below a verdict.
pub(crate) fn all(history: &History, report: &Report, options: &Options<'_>, is_said: bool) -> Vec<String> {
    let initial = if is_said { None } else { initial_value(history, report, options) };
    [other_models(report), unsupported(report), guessed(report), initial, failed_cas(history, report.verdict)]
        .into_iter()
        .flatten()
        .collect()
}

/// Names the models with the function that the chosen one lacks, if that is why a key is undecided.
fn other_models(report: &Report) -> Option<String> {
    let name = report.keys.iter().find_map(|key| match &key.why {
        Some(UnknownWhy::Function { name, .. }) => Some(name),
        _ => None,
    })?;
    let knows = |model: &&ModelName| model.of_keys().map_or(name == TRANSACTION, |model| model.has(name));
    let knowing = ModelName::value_variants().iter().filter(knows).filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = knowing.map(|value| value.get_name().to_owned()).collect();
    Some(if names.is_empty() {
        format!("no model has {name}")
    } else {
        format!("models that have {name}: {}; --model chooses one", names.join(", "))
    })
}

/// Says where to look if the chosen model lacks an argument or an answer.
fn unsupported(report: &Report) -> Option<String> {
    let is_lacking = report.keys.iter().any(|key| matches!(key.why, Some(UnknownWhy::Unsupported { .. })));
    let hint = "the reference of models says what each of them takes; --model chooses another";
    is_lacking.then(|| hint.to_owned())
}

/// Asks for the model where it was guessed.
fn guessed(report: &Report) -> Option<String> {
    let is_guessed = report.keys.iter().any(|key| matches!(key.why, Some(UnknownWhy::Guessed { .. })));
    let hint = "give the model by --model (--model register for a single register), and its initial value by --initial";
    is_guessed.then(|| hint.to_owned())
}

/// Proposes the initial value that was seen first on each key, if nobody ever wrote it, and if with it every value that
/// was seen in a violation was written or is that one.
fn initial_value(history: &History, report: &Report, options: &Options<'_>) -> Option<String> {
    if report.verdict != Verdict::NotLinearizable || !matches!(options.model, Model::Register | Model::KeyValue) {
        return None;
    }
    if !shows_what_nobody_sets(history, report, &options.initial) {
        return None;
    }
    let mut first: HashMap<ValueId, (&Operation, ValueId)> = HashMap::new();
    for operation in &history.operations {
        if let Some(seen) = sees(operation) {
            let earliest = first.entry(operation.key).or_insert((operation, seen));
            *earliest = if operation.completed < earliest.0.completed { (operation, seen) } else { *earliest };
        }
    }
    for operation in &history.operations {
        // A read that began after a write cannot show the initial value.
        let is_over = |look: &Operation| operation.outcome == Outcome::Ok && operation.completed < look.invoked;
        if let Some(value) = sets(operation)
            && first.get(&operation.key).is_some_and(|(look, seen)| *seen == value || is_over(look))
        {
            first.remove(&operation.key);
        }
    }
    let mut unwritten = first.values().map(|(_, seen)| *seen);
    let seen = unwritten.next().filter(|seen| history.value(*seen) != &options.initial)?;
    let is_plain =
        matches!(history.value(seen), Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Number(_) | Value::Str(_));
    if !is_plain || unwritten.any(|other| other != seen) {
        return None;
    }
    let proposed = Options { initial: history.value(seen).clone(), all: false, ..options.clone() };
    if shows_what_nobody_sets(history, &checker::check(history, &proposed), &proposed.initial) {
        return None;
    }
    let json = serde_json::to_string(history.value(seen)).ok()?;
    let initial = nemesis::quoted(&json);
    Some(format!("is {json} the initial value? It was read first, and nobody ever wrote it: try `--initial {initial}`"))
}

/// Returns true if the operations of a violation see a value that none of them sets, and that was not there at first.
fn shows_what_nobody_sets(history: &History, report: &Report, initial: &Value) -> bool {
    report.keys.iter().filter_map(|key| key.evidence.as_ref()).any(|evidence| {
        let operations = || evidence.operations.iter().map(|&index| &history.operations[index]);
        let is_set = |seen| history.value(seen) == initial || operations().filter_map(sets).any(|set| set == seen);
        !operations().filter_map(sees).all(is_set)
    })
}

/// Returns the value that an operation sets, if it took effect or may have.
fn sets(operation: &Operation) -> Option<ValueId> {
    match (operation.function, operation.outcome) {
        (_, Outcome::Mismatch) => None,
        (Function::Write | Function::Append, _) => Some(operation.input),
        (Function::Cas, _) => Some(operation.to),
        (Function::Delete, _) => Some(ValueId::NIL),
        _ => None,
    }
}

/// Returns the value that an operation saw for certain.
fn sees(operation: &Operation) -> Option<ValueId> {
    let seen = match (operation.function, operation.outcome) {
        (Function::Read, Outcome::Ok) | (Function::Cas, Outcome::Mismatch) => operation.output,
        (Function::Cas, Outcome::Ok) => operation.input,
        _ => return None,
    };
    (seen != ValueId::UNKNOWN).then_some(seen)
}

/// Describes how failed cas were interpreted, if the verdict may depend on it.
pub(crate) fn failed_cas(history: &History, verdict: Verdict) -> Option<String> {
    let FailedCasCounts { mismatch, nothing } = history.failed_cas;
    match verdict {
        Verdict::NotLinearizable if mismatch > 0 => {
            Some(cas_in_words(mismatch, [MISMATCH, NOTHING], "--failed-cas nothing"))
        }
        Verdict::Linearizable | Verdict::Unknown if nothing > 0 => {
            Some(cas_in_words(nothing, [NOTHING, MISMATCH], "--failed-cas mismatch"))
        }
        _ => None,
    }
}

/// Meanings that failed cas can have.
const MISMATCH: &str = "having found another value than expected";
const NOTHING: &str = "not having happened";

/// Tells what so many failed cas count as, and what they count as under an option.
fn cas_in_words(number: usize, [counted_as, instead]: [&str; 2], option: &str) -> String {
    let (found, they, count) = if number == 1 {
        ("does not say what it found", "it", "counts")
    } else {
        ("do not say what they found", "they", "count")
    };
    format!(
        "{} failed cas {found}, and {count} as {counted_as}; with {option} {they} {count} as {instead}",
        grouped(number)
    )
}
