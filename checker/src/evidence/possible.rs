//! Possible answers: the values that a correct system could have returned to the read that a violation is about.
//!
//! In a linearizable register, a read returns a value that was set before it and not certainly replaced by then, or
//! one that was being set while it ran (otherwise no order of the changes explains it: Lamport 1986, regular
//! registers). The other operations of the violation must still have an order, and so must all of the key, as they are
//! but for this answer: then a correct system must have answered with one of the values given here, and may have with
//! any of them. Where no value explains all of the key, as it has other violations, or nobody can say, the sentence
//! speaks of the writes until then alone.

use histories::{Function, History, Operation, Outcome, Value, ValueId};

use rustc_hash::FxHashMap;

use crate::{
    Limits, Options,
    budget::Budget,
    objects::register::{Stage, by_search, specification::Register},
    prepare::{Action, KeySteps, Preparation, Preparer},
    search::SearchResult,
    verify::explains_answer,
    words::made,
    zones::{Zones, zones},
};

/// Maximum number of values that are named.
const MAX_NAMED: usize = 3;

/// Maximum number of values to report on: if there are more, most are of unknown outcome, and the sentence would not
/// help.
const MAX_VALUES: usize = 64;

/// Maximum number of operations in the violation to report on.
const MAX_EVIDENCE: usize = 32;

/// Maximum number of orders tried for each value.
const MAX_TRIES: usize = 10_000;

/// Maximum number of queries of the limits for all checks of the key with another answer.
const MAX_QUESTIONS: usize = 1_024;

/// Returns a sentence with the possible answers, given the operations of a key and the operations of a violation.
/// Returns `None` if the violation has no read, or if an append or delete is involved.
pub(crate) fn answer(history: &History, options: &Options<'_>, key: &[u32], evidence: &[usize]) -> Option<String> {
    let initial = &options.initial;
    let operation = |index: usize| &history.operations[index];
    let is_answered = |index: &usize| {
        let Operation { function, outcome, output, .. } = *operation(*index);
        function == Function::Read && outcome == Outcome::Ok && output != ValueId::UNKNOWN
    };
    let asked = evidence.iter().copied().filter(is_answered).max_by_key(|&index| operation(index).completed)?;
    if evidence.len() > MAX_EVIDENCE {
        return None;
    }
    let candidates = candidates(history, initial, key, operation(asked))?;
    let all = evidence.iter().copied().chain(candidates.iter().filter_map(|(_, setter)| *setter));
    let setters = setters(history, key, all);
    let (mut certain, mut unknown): (Vec<&Value>, Vec<&Value>) = (Vec::new(), Vec::new());
    for (value, setter) in candidates {
        let some: Vec<usize> =
            evidence.iter().copied().chain(setter.filter(|setter| !evidence.contains(setter))).collect();
        let others = some.iter().filter(|&&index| index != asked);
        let demands = others.filter_map(|&index| demand(operation(index), &setters, &some));
        let all: Vec<Operation> = demands.chain([*operation(asked)]).collect();
        let is_listed = certain.contains(&value) || unknown.contains(&value);
        if explains_answer(&Register::new(initial, true), history, &all, value, MAX_TRIES)? && !is_listed {
            let is_certain = setter.is_none_or(|setter| operation(setter).outcome == Outcome::Ok);
            if is_certain { &mut certain } else { &mut unknown }.push(value);
        }
    }
    let read = which_read(history, asked, evidence.iter().copied().filter(is_answered));
    let values = [&certain[..], &unknown[..]].concat();
    if let Some(right) = explain_all(history, options, key, asked, &values).filter(|right| !right.is_empty()) {
        certain.retain(|value| right.contains(value));
        unknown.retain(|value| right.contains(value));
        return Some(format!("A correct system would have answered {read} with {}", list(&certain, &unknown)?));
    }
    let which = list(&certain, &unknown)?;
    Some(format!("By what had been written by then, a correct system would have answered {read} with {which}"))
}

/// Names the read, with its time if its process made another of these reads.
fn which_read(history: &History, read: usize, mut reads: impl Iterator<Item = usize>) -> String {
    let process = history.operations[read].process;
    if reads.any(|other| other != read && history.operations[other].process == process) {
        return format!("the {}", made(history, "read", read));
    }
    format!("the read by process {}", history.process(process))
}

/// Returns those of the values with which all operations of the key have an order if this read had returned them.
/// Returns `None` if deciding that takes too long.
fn explain_all<'a>(
    history: &History,
    options: &Options<'_>,
    key: &[u32],
    read: usize,
    values: &[&'a Value],
) -> Option<Vec<&'a Value>> {
    let decide = |limits: &Limits<'_>| {
        let mut preparer = Preparer::new(history, options.model.has_edits(), &options.initial);
        let mut prepared = preparer.prepare(key, &Budget::new(limits)).ok().and_then(Preparation::steps)?;
        let place = prepared.steps.iter().position(|step| step.operation as usize == read)?;
        let mut right = Vec::new();
        for &value in values {
            let id = history.values.find(value);
            let number = prepared.values.iter().position(|&other| other == id)?;
            prepared.steps[place].action = Action::Read(u32::try_from(number).ok()?);
            if has_order(history, &options.initial, &prepared, limits)? {
                right.push(value);
            }
        }
        Some(right)
    };
    options.limits.within(MAX_QUESTIONS, decide).0
}

/// Returns true if these steps have an order. Returns `None` if deciding that takes too long.
fn has_order(history: &History, initial: &Value, prepared: &KeySteps, limits: &Limits<'_>) -> Option<bool> {
    match zones(prepared, &Budget::new(limits)).ok()? {
        Some(Zones::Order(_)) => return Some(true),
        Some(Zones::Violation(..)) => return Some(false),
        Some(Zones::Undecided) | None => {}
    }
    let search = |stage| match by_search(history, initial, prepared, limits, stage) {
        SearchResult::Order(_) => Some(true),
        SearchResult::Refuted(_) => Some(false),
        SearchResult::GaveUp(_) | SearchResult::Limit(_) => None,
    };
    search(Stage::Narrow).or_else(|| search(Stage::Exact))
}

/// Returns the setters of each value that one of these operations may look at.
fn setters(history: &History, key: &[u32], operations: impl Iterator<Item = usize>) -> FxHashMap<ValueId, Vec<usize>> {
    let looked = operations.flat_map(|index| [history.operations[index].input, history.operations[index].output]);
    let mut setters: FxHashMap<ValueId, Vec<usize>> = looked.map(|value| (value, Vec::new())).collect();
    for index in key.iter().map(|&index| index as usize) {
        if let Some(all) = set(&history.operations[index]).and_then(|value| setters.get_mut(&value)) {
            all.push(index);
        }
    }
    setters
}

/// Returns what an operation requires of an order of just `some`. If an operation that is left out may have set what
/// it found, a read requires nothing, and a cas becomes a write.
fn demand(operation: &Operation, setters: &FxHashMap<ValueId, Vec<usize>>, some: &[usize]) -> Option<Operation> {
    let is_set_here = |value: ValueId| setters[&value].iter().all(|setter| some.contains(setter));
    match (operation.function, operation.outcome) {
        (_, Outcome::Fail) => None,
        (Function::Read, _) | (Function::Cas, Outcome::Mismatch) => {
            (operation.output != ValueId::UNKNOWN && is_set_here(operation.output)).then_some(*operation)
        }
        (Function::Cas, _) if !is_set_here(operation.input) => {
            Some(Operation { function: Function::Write, input: operation.to, ..*operation })
        }
        _ => Some(*operation),
    }
}

/// Formats a choice of one of these values, by name if there are few.
fn list(certain: &[&Value], unknown: &[&Value]) -> Option<String> {
    let named = |values: &[&Value]| {
        let (last, others) = values.split_last()?;
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        Some(if others.is_empty() { last.to_string() } else { format!("{} or {last}", others.join(", ")) })
    };
    if certain.len() + unknown.len() <= MAX_NAMED {
        return named(&[certain, unknown].concat());
    }
    let certain = match certain {
        many if many.len() > MAX_NAMED => {
            many.last().map(|newest| format!("one of {} values, the newest of them {newest}", many.len()))
        }
        certain => named(certain),
    };
    let unknown =
        (!unknown.is_empty()).then(|| format!("one of {} values written with unknown outcome", unknown.len()));
    Some(certain.into_iter().chain(unknown).collect::<Vec<_>>().join(", or "))
}

/// Returns the value that a write or a cas sets, if it took place or may have.
fn set(operation: &Operation) -> Option<ValueId> {
    match operation.function {
        _ if !matches!(operation.outcome, Outcome::Ok | Outcome::Info) => None,
        Function::Write => Some(operation.input),
        Function::Cas => Some(operation.to),
        Function::Delete | Function::Read | Function::Append | Function::Other(_) => None,
    }
}

/// Returns each value that the writes alone allow a read to return, with its setter, in the order in which the
/// setters began.
fn candidates<'a>(
    history: &'a History,
    initial: &'a Value,
    key: &[u32],
    read: &Operation,
) -> Option<Vec<(&'a Value, Option<usize>)>> {
    let setters = || {
        let all = key.iter().map(|&index| (index as usize, &history.operations[index as usize]));
        all.filter(|(_, o)| matches!(o.outcome, Outcome::Ok | Outcome::Info) && o.function != Function::Read)
    };
    let replaced = setters().filter(|(_, o)| o.outcome == Outcome::Ok && o.completed < read.invoked);
    let newest = replaced.map(|(_, o)| o.invoked).max();
    // The initial value has no setter, and need not occur in the history.
    let mut found: Vec<(&Value, Option<usize>)> = newest.is_none().then_some((initial, None)).into_iter().collect();
    for (index, o) in setters() {
        let value = set(o)?;
        let is_over = o.outcome == Outcome::Ok && newest.is_some_and(|newest| o.completed < newest);
        if o.invoked < read.completed && !is_over {
            found.push((history.value(value), Some(index)));
        }
    }
    (found.len() <= MAX_VALUES).then_some(found)
}
