//! Pairing of events that name no process, as in files of elle-cli: a completion belongs to the open operation of the
//! same function and arguments.
//!
//! Each operation then counts as one by a client of its own, so that nothing is known of the order of a client. If
//! several open operations are the same in function and arguments, nobody can tell which of them a completion belongs
//! to: each of them counts from the begin of the earliest. If they differ, that is an error.

use crate::{EventType, PairingError, Process, TRANSACTION, Value, transactions::is_transaction};

use super::order::PendingEvent;

/// Number of comparisons between two questions whether to go on.
const COMPARISONS_PER_QUESTION: usize = 1 << 16;

/// Operation that has not ended.
struct Open {
    /// Place of its invocation in the file.
    invoked: usize,
    /// Place from which it counts as open.
    from: usize,
    client: u64,
}

/// Error of pairing: an event that breaks a rule, by its place, or an interruption.
pub(super) enum Unpaired {
    Broken(usize, PairingError),
    Stopped(std::io::Error),
}

/// Gives each operation a client of its own and puts the events in the order in which they count; returns the number of
/// operations that begin earlier than their invocation.
///
/// # Errors
/// Returns an error for a completion that belongs to no operation, or to one of several that differ.
pub(super) fn pair(events: &mut Vec<PendingEvent>, ask: impl Fn() -> std::io::Result<()>) -> Result<usize, Unpaired> {
    let (mut open, mut clients, mut comparisons) = (Vec::<Open>::new(), 0, 0);
    let mut counts_from: Vec<usize> = (0..events.len()).collect();
    for place in 0..events.len() {
        if !events[place].event.process.is_client() {
            continue;
        }
        if events[place].event.kind == EventType::Invoke {
            events[place].event.process = Process::Client(clients);
            open.push(Open { invoked: place, from: place, client: clients });
            clients += 1;
            continue;
        }
        comparisons += open.len();
        if comparisons >= COMPARISONS_PER_QUESTION {
            comparisons = 0;
            ask().map_err(Unpaired::Stopped)?;
        }
        let ended = ended_by(events, &mut open, place).map_err(|rule| Unpaired::Broken(place, rule))?;
        events[place].event.process = Process::Client(ended.client);
        counts_from[ended.invoked] = ended.from;
    }
    for Open { invoked, from, .. } in open {
        counts_from[invoked] = from;
    }
    Ok(arrange(events, &counts_from))
}

/// Removes from `open` the operation that the completion at `place` ends.
fn ended_by(events: &[PendingEvent], open: &mut Vec<Open>, place: usize) -> Result<Open, PairingError> {
    let completion = &events[place];
    let fits: Vec<Option<Fit>> = open.iter().map(|one| fit(&events[one.invoked], completion)).collect();
    let f = || completion.event.f.clone().into_owned();
    let Some(best) = fits.iter().flatten().max() else { return Err(PairingError::NobodyInvoked { f: f() }) };
    let asked = |one: usize| {
        let event = &events[open[one].invoked].event;
        (&event.f, &event.key, event.value.as_ref().unwrap_or(&Value::Nil))
    };
    let fits_best = |one: &usize| fits[*one].as_ref() == Some(best);
    // What answers one that asks with no argument may just as well answer one with an argument.
    let is_answer = completion.event.value.as_ref().is_some_and(|value| *value != Value::Nil)
        && (0..open.len()).filter(fits_best).any(|one| *asked(one).2 == Value::Nil);
    let found: Vec<usize> = (0..open.len()).filter(|one| fits_best(one) || is_answer && fits[*one].is_some()).collect();
    if found.iter().any(|one| asked(*one) != asked(found[0])) {
        return Err(PairingError::WhoseCompletion { f: f(), open: found.len() });
    }
    let from = open[found[0]].from;
    for same in &found {
        open[*same].from = open[*same].from.min(from);
    }
    Ok(open.remove(found[0]))
}

/// Moves invocations to the places from which they count, and returns their number.
fn arrange(events: &mut Vec<PendingEvent>, counts_from: &[usize]) -> usize {
    let mut moved = 0;
    for (place, from) in counts_from.iter().enumerate().filter(|(place, from)| place != *from) {
        events[place].time = events[*from].time;
        events[place].event.index = None;
        moved += 1;
    }
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|place| (counts_from[*place], *place));
    let mut slots: Vec<Option<PendingEvent>> = std::mem::take(events).into_iter().map(Some).collect();
    events.extend(order.into_iter().map(|place| slots[place].take().expect("each place comes once")));
    moved
}

/// Degree to which a completion fits an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The function is the same.
    Function,
    /// The arguments are the same, too, or one of the two events has none.
    Arguments,
}

fn fit(invocation: &PendingEvent, completion: &PendingEvent) -> Option<Fit> {
    let (one, other) = (&invocation.event, &completion.event);
    let is_same_key = one.key == other.key || other.key.is_none();
    if one.f != other.f || !is_same_key {
        return None;
    }
    let (Some(asked), Some(answered)) = (&one.value, &other.value) else { return Some(Fit::Arguments) };
    let fits = asked == answered
        || matches!((asked, answered), (Value::Nil, _) | (_, Value::Nil))
        || (one.f == TRANSACTION || is_transaction(asked)) && is_same_transaction(asked, answered)
        || is_same_keyed(asked, answered);
    Some(if fits { Fit::Arguments } else { Fit::Function })
}

/// Returns true if both are lists of the same micro-operations, but for what is read.
fn is_same_transaction(asked: &Value, answered: &Value) -> bool {
    let (Value::List(asked), Value::List(answered)) = (asked, answered) else { return false };
    let is_same = |(one, other): (&Value, &Value)| match (one, other) {
        (Value::List(one), Value::List(other)) => {
            let is_read =
                one.first().and_then(Value::name).is_some_and(|name| matches!(name, "r" | ":r" | "read" | ":read"));
            one == other || is_read && one.len() >= 2 && other.len() >= 2 && one[..2] == other[..2]
        }
        _ => one == other,
    };
    asked.len() == answered.len() && asked.iter().zip(answered).all(is_same)
}

/// Returns true if both are pairs with the same key, and the argument of the first is nil.
fn is_same_keyed(asked: &Value, answered: &Value) -> bool {
    let (Value::List(asked), Value::List(answered)) = (asked, answered) else { return false };
    matches!((&asked[..], &answered[..]), ([key, Value::Nil], [of, _]) if key == of)
}
