//! What a correct system could have answered to the read that a violation is about.
//!
//! Of a register that is linearizable, a read finds what was set before it and not certainly replaced by then, or what was being set while it
//! ran (else no order of the changes explains it: Lamport 1986, regular registers); and the other operations of the violation must
//! still have an order. Whoever answers otherwise is not linearizable; so of what is told here one must have been answered.

use histories::{Function, History, Operation, Outcome, Value, ValueId};

use crate::{model::Register, verify::explains};

/// So many values are told by name.
const MAX_NAMED: usize = 3;

/// Of more values than this nothing is told: most are of unknown outcome, and nobody learns from them.
const MAX_VALUES: usize = 64;

/// So many orders are tried for each.
const MAX_TRIES: usize = 10_000;

/// In a sentence, given the operations of a key and those of them that contradict each other; nothing if these are no reads and writes.
pub(crate) fn answer(history: &History, initial: &Value, key: &[u32], evidence: &[usize]) -> Option<String> {
    let operation = |index: usize| &history.operations[index];
    let changes = |index: &usize| matches!(operation(*index).outcome, Outcome::Ok | Outcome::Info);
    let is_simple = |index: &usize| matches!(operation(*index).function, Function::Read | Function::Write);
    if !evidence.iter().filter(|index| changes(index)).all(is_simple) {
        return None;
    }
    let is_answered = |index: &usize| {
        let Operation { function, outcome, output, .. } = *operation(*index);
        function == Function::Read && outcome == Outcome::Ok && output != ValueId::UNKNOWN
    };
    let asked = evidence.iter().copied().filter(is_answered).max_by_key(|&index| operation(index).completed)?;
    let object = Register::new(initial, true);
    let candidates = candidates(history, initial, key, operation(asked))?;
    let (mut certain, mut unknown): (Vec<&Value>, Vec<&Value>) = (Vec::new(), Vec::new());
    for (value, setter) in candidates {
        let some = evidence.iter().copied().chain(setter.filter(|setter| !evidence.contains(setter)));
        let some: Vec<Operation> = some
            .map(|index| match *operation(index) {
                read if index == asked => Operation { output: value, ..read },
                // Whatever a cas expected, others may have set.
                cas if changes(&index) && cas.function == Function::Cas => {
                    Operation { function: Function::Write, input: cas.to, ..cas }
                }
                other => other,
            })
            .collect();
        let value = history.value(value);
        let is_certain = setter.is_none_or(|setter| operation(setter).outcome == Outcome::Ok);
        if explains(&object, history, &some, MAX_TRIES)?
            && ![&certain, &unknown].iter().any(|told| told.contains(&value))
        {
            if is_certain { &mut certain } else { &mut unknown }.push(value);
        }
    }
    let process = operation(asked).process;
    let which = told(&certain, &unknown)?;
    Some(format!("A correct system would have answered the read by process {process} with {which}"))
}

/// One of these values, by name where they are few.
fn told(certain: &[&Value], unknown: &[&Value]) -> Option<String> {
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
        few => named(few),
    };
    let unknown =
        (!unknown.is_empty()).then(|| format!("one of {} values written with unknown outcome", unknown.len()));
    Some(certain.into_iter().chain(unknown).collect::<Vec<_>>().join(", or "))
}

/// Each value that the writes alone allow a read to find, with who set it, in the order in which that began.
fn candidates(
    history: &History,
    initial: &Value,
    key: &[u32],
    read: &Operation,
) -> Option<Vec<(ValueId, Option<usize>)>> {
    let initial = history.values.find(initial);
    let setters = || {
        let all = key.iter().map(|&index| (index as usize, &history.operations[index as usize]));
        all.filter(|(_, o)| matches!(o.outcome, Outcome::Ok | Outcome::Info) && o.function != Function::Read)
    };
    let replaced = setters().filter(|(_, o)| o.outcome == Outcome::Ok && o.completed < read.invoked);
    let newest = replaced.map(|(_, o)| o.invoked).max();
    let mut found: Vec<(ValueId, Option<usize>)> =
        initial.filter(|_| newest.is_none()).map(|value| (value, None)).into_iter().collect();
    for (index, o) in setters() {
        let value = match o.function {
            Function::Write => o.input,
            Function::Cas => o.to,
            Function::Delete => initial?,
            Function::Read | Function::Append | Function::Other(_) => return None,
        };
        let is_over = o.outcome == Outcome::Ok && newest.is_some_and(|newest| o.completed < newest);
        if o.invoked < read.completed && !is_over {
            found.push((value, Some(index)));
        }
    }
    (found.len() <= MAX_VALUES).then_some(found)
}
