//! The second opinion: replays an order of transactions, and looks up in the history itself what each link of a cycle claims.
//!
//! Knows only histories and what is reported: it shares no code with the methods that it verifies.

use histories::{Found, History, MicroOperation, NEVER, Outcome, Value, ValueId};
use rustc_hash::FxHashMap;

use super::report::{Because, Level, Link, Orders};

/// What a key holds.
enum Content {
    List(Vec<ValueId>),
    Register(ValueId),
}

/// Why `order` (indexes of operations) does not explain all transactions as `level` demands; nothing if it does. `go_on` is told of
/// so many steps at a time, and can end it.
pub(super) fn replay<E>(
    history: &History,
    order: &[u32],
    level: Level,
    go_on: impl Fn(usize) -> Result<(), E>,
) -> Result<Result<(), String>, E> {
    let mut stopped = Ok(());
    let replayed = replay_while(history, order, level, |steps| {
        stopped = go_on(steps);
        stopped.is_ok()
    });
    stopped.map(|()| replayed)
}

fn replay_while(
    history: &History,
    order: &[u32],
    level: Level,
    mut goes_on: impl FnMut(usize) -> bool,
) -> Result<(), String> {
    let mut contents: Vec<Option<Content>> = Vec::new();
    let mut places: Vec<u32> = vec![0; history.values.len()];
    let mut seen = vec![false; history.operations.len()];
    let (mut last_start, mut certain) = (0, 0);
    let mut last_of: FxHashMap<u32, u32> = FxHashMap::default();
    for &index in order {
        let operation = &history.operations[index as usize];
        let transaction = history.transactions.at(index as usize).ok_or("an operation that is no transaction")?;
        if std::mem::replace(&mut seen[index as usize], true) || operation.outcome == Outcome::Fail {
            return Err(format!("operation {index} twice, or though it failed"));
        }
        certain += usize::from(operation.outcome == Outcome::Ok);
        if level == Level::StrictSerializable && operation.completed < last_start {
            return Err(format!("operation {index} after one that began when it was over"));
        }
        last_start = last_start.max(operation.invoked);
        let last = last_of.entry(operation.process).or_default();
        if level >= Level::StrongSessionSerializable && operation.outcome == Outcome::Ok && *last > operation.invoked {
            return Err(format!("operation {index} after a later one of its process"));
        }
        *last = operation.invoked.max(*last);
        for micro in history.transactions.micro_operations(transaction) {
            let (MicroOperation::Append { key, .. }
            | MicroOperation::Write { key, .. }
            | MicroOperation::Read { key, .. }) = micro;
            let place = &mut places[key.0 as usize];
            if *place == 0 {
                contents.push(None);
                *place = u32::try_from(contents.len()).map_err(|_| "too many keys")?;
            }
            let read = if let MicroOperation::Read { found: Found::List(list), .. } = micro { list.len() } else { 0 };
            if !goes_on(1 + read / 16) {
                return Err("it was not looked at to its end".to_owned());
            }
            if !step(&mut contents[*place as usize - 1], micro) {
                return Err(format!("operation {index} could not have read what it read"));
            }
        }
    }
    let all = (0..history.transactions.len()).map(|transaction| history.transactions.operation(transaction));
    let due = all.filter(|&operation| history.operations[operation].outcome == Outcome::Ok).count();
    if due == certain { Ok(()) } else { Err(format!("{certain} of {due} certain transactions")) }
}

/// Whether a key that holds `content` lets this happen, which then has happened.
fn step(content: &mut Option<Content>, micro: MicroOperation<'_>) -> bool {
    match (micro, content) {
        (MicroOperation::Append { value, .. }, Some(Content::List(list))) => list.push(value),
        (MicroOperation::Append { value, .. }, empty @ None) => *empty = Some(Content::List(vec![value])),
        (MicroOperation::Append { .. }, Some(Content::Register(_))) => return false,
        (MicroOperation::Write { value, .. }, content) => *content = Some(Content::Register(value)),
        (MicroOperation::Read { found, .. }, content) => {
            return match (found, content) {
                (Found::Unknown, _) | (Found::Value(ValueId::NIL), None) => true,
                (Found::List(list), None) => list.is_empty(),
                (Found::List(list), Some(Content::List(holds))) => list == holds,
                (Found::Value(value), Some(Content::Register(holds))) => value == *holds,
                (Found::List(_), Some(Content::Register(_))) | (Found::Value(_), _) => false,
            };
        }
    }
    true
}

/// Why this link does not show that one operation must come before the other; nothing if it does.
pub(super) fn confirm(history: &History, link: &Link) -> Result<(), String> {
    let (from, to) = (&history.operations[link.from], &history.operations[link.to]);
    let holds = match &link.because {
        Because::Realtime => from.outcome == Outcome::Ok && from.completed < to.invoked && from.completed != NEVER,
        Because::Process => from.outcome == Outcome::Ok && from.process == to.process && from.completed < to.invoked,
        Because::Read { key, value } => {
            writes(history, link.from, key, value) && reads(history, link.to, key).any(|found| found.contains(&value))
        }
        Because::Missed { key, value } => {
            let first = reads(history, link.from, key).next();
            writes(history, link.to, key, value) && first.is_some_and(|found| !found.contains(&value))
        }
        Because::Overwritten { key, value, later, witness } => {
            let place = |list: &[&Value], value: &Value| list.iter().position(|element| **element == *value);
            let shows = |list: Vec<&Value>| match (place(&list, value), place(&list, later)) {
                (Some(first), Some(then)) => first < then,
                (first, None) => first.is_some(),
                (None, Some(_)) => false,
            };
            writes(history, link.from, key, value)
                && writes(history, link.to, key, later)
                && reads(history, *witness, key).any(shows)
        }
        Because::Replaced { key, value, later } => {
            let found = |operation| reads(history, operation, key).next();
            let is_value = |found: Vec<&Value>| found.first().map_or(*value == Value::Nil, |first| *first == value);
            let held = found(link.from).is_some_and(is_value) || writes(history, link.from, key, value);
            held && found(link.to).is_some_and(is_value) && writes(history, link.to, key, later)
        }
        Because::First { key, later } => {
            let nothing = reads(history, link.from, key).next().is_some_and(|found| found.is_empty());
            nothing && writes(history, link.to, key, later) && link.from != link.to
        }
        Because::Later { key, value, later, first, then, orders } => {
            let had = |operation, value: &Value| {
                let found = reads(history, operation, key).next();
                writes(history, operation, key, value) || found.is_some_and(|found| found.first() == Some(&value))
            };
            let (one, other) = (&history.operations[*first], &history.operations[*then]);
            let in_order = one.outcome == Outcome::Ok && one.completed < other.invoked && one.completed != NEVER;
            in_order
                && (*orders == Orders::Realtime || one.process == other.process)
                && value != later
                && had(link.from, value)
                && writes(history, link.to, key, later)
                && had(*first, value)
                && had(*then, later)
        }
    };
    if holds { Ok(()) } else { Err(format!("{link:?}")) }
}

/// Whether this transaction, which did not fail, writes `value` to `key`.
fn writes(history: &History, operation: usize, wanted: &Value, written: &Value) -> bool {
    let same = |key, value| history.value(key) == wanted && history.value(value) == written;
    let Some(transaction) = history.transactions.at(operation) else { return false };
    history.operations[operation].outcome != Outcome::Fail
        && history.transactions.micro_operations(transaction).any(|micro| match micro {
            MicroOperation::Append { key, value } | MicroOperation::Write { key, value } => same(key, value),
            MicroOperation::Read { .. } => false,
        })
}

/// What this transaction read of `key`, in its order: a list, or the one value of a register.
fn reads<'h>(history: &'h History, operation: usize, wanted: &Value) -> impl Iterator<Item = Vec<&'h Value>> {
    let transaction = history.transactions.at(operation);
    let all = transaction.into_iter().flat_map(|transaction| history.transactions.micro_operations(transaction));
    all.filter_map(move |micro| match micro {
        MicroOperation::Read { key, found } if history.value(key) == wanted => match found {
            Found::Unknown => None,
            Found::Value(ValueId::NIL) => Some(Vec::new()),
            Found::Value(value) => Some(vec![history.value(value)]),
            Found::List(list) => Some(list.iter().map(|id| history.value(*id)).collect()),
        },
        _ => None,
    })
}
