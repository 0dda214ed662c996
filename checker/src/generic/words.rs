//! Wording of violations of any model: the operation that has no place, and those that it contradicts.

use histories::{History, Outcome, Value};

use super::{shrinker::SmallViolation, unexplained::UnexplainedValue};
use crate::{
    specification::Call,
    words::{self, apart, began, brief, call, ended, made, noun, reads},
};

/// Maximum number of operations of which one is named in the claim: among more, none says much.
const MAX_NAMED: usize = 4;

/// Maximum number of reasons: more would tell a reader nothing.
const MAX_REASONS: usize = 12;

/// Functions without an argument whose answer only says that they took place.
const NEVER_TELL: [&str; 6] = ["inc", "increment", "dec", "decrement", "acquire", "release"];

/// Maximum number of other changes that are named.
const MAX_OTHERS_NAMED: usize = 2;

/// Returns a claim about the operations shown, of which the last has no place, and reasons that describe the others.
pub(crate) fn tell(history: &History, small: &SmallViolation) -> (String, Vec<String>) {
    let SmallViolation { shown: ref operations, ref decisive, last, ref others } = *small;
    let contradicted = if decisive.len() > MAX_NAMED { None } else { last_before(history, decisive, last) };
    let claim = format!(
        "{} {}, {}",
        who(history, last),
        answer(history, last),
        contradicted.unwrap_or_else(|| match (&operations[..], &others[..]) {
            ([_], []) => "although nothing that could matter to it had begun by the time it ended".to_owned(),
            _ => "which no order of the operations before it explains".to_owned(),
        })
    );
    let beside: Vec<u32> = operations.iter().copied().filter(|&index| index != last).collect();
    let mut reasons: Vec<String> = beside.iter().take(MAX_REASONS).map(|&index| reason(history, index, last)).collect();
    if beside.len() > MAX_REASONS {
        reasons.push(format!("and so on with {} more", beside.len() - MAX_REASONS));
    }
    reasons.extend(no_help(history, others));
    (claim, reasons)
}

/// Says that these changes, which are not shown, explain nothing either.
fn no_help(history: &History, others: &[u32]) -> Option<String> {
    let names = || others.iter().map(|&index| who(history, index)).collect::<Vec<_>>().join(" and ");
    match others.len() {
        0 => None,
        1 => Some(format!("{} does not help, whether or not it had taken effect by then", names())),
        2..=MAX_OTHERS_NAMED => Some(format!("{} do not help, whichever of them had taken effect by then", names())),
        count => Some(format!(
            "the other {count} changes that could matter do not help, whichever of them had taken effect by then"
        )),
    }
}

/// Names the last of these operations that was over when `last` began.
fn last_before(history: &History, operations: &[u32], last: u32) -> Option<String> {
    let begun = history.operations[last as usize].invoked;
    let is_over = |index: &u32| history.operations[*index as usize].completed < begun;
    let over = operations.iter().copied().filter(is_over);
    let latest = over.max_by_key(|&index| history.operations[index as usize].completed)?;
    let times = [latest, last].map(|index| history.times(index as usize));
    Some(format!(
        "although {} {} at {}, {} the {} began",
        who(history, latest),
        answer(history, latest),
        ended(history, latest as usize),
        apart(history, times[1].invoked_ns.saturating_sub(times[0].completed_ns), "before"),
        noun(history, last as usize)
    ))
}

/// Returns the claim that an operation found a value which no other can have left, and as reason the one that left it
/// too late, if any.
pub(crate) fn tell_unexplained(history: &History, found: &UnexplainedValue) -> (String, Vec<String>) {
    let UnexplainedValue { operation, ref what, late, failed } = *found;
    let (who_found, found) = (who(history, operation), answer(history, operation));
    let Some(late) = late else {
        let but =
            failed.map_or_else(|| "but".to_owned(), |failed| format!("although {} failed, and", who(history, failed)));
        return (format!("{who_found} {found}, {but} nothing that may have happened ever left {what}"), Vec::new());
    };
    let (began, ended) = (began(history, late as usize), ended(history, operation as usize));
    let claim = format!("{who_found} {found}, but nothing that began before it ended can have left {what}");
    let late = who(history, late);
    let reason = format!("{who_found} ended at {ended}; the first that left {what}, {late}, began only at {began}");
    (claim, vec![reason])
}

/// Formats an operation: `push 3 by process 4 at 1.200 s on n2`.
fn who(history: &History, index: u32) -> String {
    made(history, &call(history, index as usize), index as usize)
}

fn answer(history: &History, index: u32) -> String {
    let call = Call::of(history, &history.operations[index as usize], true);
    match call.output {
        Some(_) if history.transactions.at(index as usize).is_some() => reads(history, index as usize)
            .map_or_else(|| "was acknowledged".to_owned(), |reads| format!("read {reads}")),
        _ if call.mismatch => "did not match".to_owned(),
        Some(said) if !call.says_nothing() => format!("answered {}", brief(said)),
        Some(Value::Nil) if *call.input == Value::Nil && !NEVER_TELL.contains(&call.function) => {
            "answered nil".to_owned()
        }
        _ => "was acknowledged".to_owned(),
    }
}

/// Describes another operation from the point of view of the one that has no place.
fn reason(history: &History, index: u32, last: u32) -> String {
    let operation = &history.operations[index as usize];
    let who = who(history, index);
    if operation.outcome == Outcome::Info {
        return format!("{who} may have taken effect at any time since, at most once: nobody knows");
    }
    let is_over = operation.completed < history.operations[last as usize].invoked;
    let (before, began) = if is_over { ("before", "began") } else { ("while", "was open") };
    let that = format!("the {} at {}", noun(history, last as usize), words::began(history, last as usize));
    format!("{who} {} at {}, {before} {that} {began}", answer(history, index), ended(history, index as usize))
}
