//! Transactions that depend on each other: each polls what another sent, and what is polled was committed before. So
//! none can depend on itself, nor on one that began only after it had ended (G1c, with dependencies of sends to polls
//! and of real time).
//!
//! If one depends on another that began after its end, by any number of sends and steps of real time, then there is
//! one that does so by sends alone; so these suffice.

use histories::{Outcome, Value};

use super::{
    logs::{Logs, of_log},
    parts::{LogName, Part},
    transaction::{Found, Transaction, who},
};
use crate::{UnknownWhy, properties::key::Key, rows::Rows, words::brief};

/// Finds transactions that depend on each other.
pub(super) fn cycle<'a>(logs: &Logs<'a>, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Option<Found>, UnknownWhy> {
    let pairs = dependencies(logs, key, all)?;
    key.may_take(4 * (all.len() + pairs.len()) * size_of::<u32>() + all.len() * size_of::<[u32; 2]>())?;
    let effects = Rows::new(all.len(), || pairs.iter().copied());
    let causes = Rows::new(all.len(), || pairs.iter().map(|&(cause, effect)| (effect, cause)));
    let sorted = effects.sorted(|steps| key.steps(steps))?;
    let found = late_cause(&causes, &sorted, logs, key, all)?;
    if found.is_some() { Ok(found) } else { cycle_outside(&causes, &sorted, logs, key, all) }
}

/// Returns who (place) sent what another (place) polls, in the order of polls.
fn dependencies<'a>(logs: &Logs<'a>, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Vec<(u32, u32)>, UnknownWhy> {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (place, reader) in (0..).zip(all) {
        for (log, shown) in reader.parts.iter().filter_map(Part::shown) {
            for (_, value) in shown {
                key.step()?;
                let sent = logs.sent(log, value).filter(|sent| sent.outcome != Outcome::Fail);
                let pair = sent.map(|sent| (u32::try_from(sent.place).expect("operations are counted by u32"), place));
                if let Some(pair) = pair.filter(|pair| pairs.last() != Some(pair)) {
                    key.may_take(2 * size_of::<(u32, u32)>())?;
                    pairs.push(pair);
                }
            }
        }
    }
    Ok(pairs)
}

/// Finds a transaction that depends on one that began after its end, among those (places) that come after all on which
/// they depend.
fn late_cause(
    causes: &Rows,
    sorted: &[u32],
    logs: &Logs<'_>,
    key: &Key<'_>,
    all: &[Transaction<'_>],
) -> Result<Option<Found>, UnknownWhy> {
    let operation = |place: u32| &all[place as usize].operation;
    // Of each, the latest begin among those on which it depends, and the next step on the way there.
    let mut latest: Vec<(u32, Option<u32>)> = (0..).zip(all).map(|(place, _)| (place, None)).collect();
    for &place in sorted {
        key.steps(1 + causes.of(place).len())?;
        for &cause in causes.of(place) {
            let begins = |one: u32| operation(latest[one as usize].0).invoked;
            if begins(cause) > begins(place) {
                latest[place as usize] = (latest[cause as usize].0, Some(cause));
            }
        }
        if operation(latest[place as usize].0).invoked > operation(place).completed {
            let path: Vec<u32> = std::iter::successors(Some(place), |place| latest[*place as usize].1).collect();
            let claim = format!(
                "{}, although that one only began after the first had ended at {} (G1c)",
                chain(&path, logs, key, all),
                key.ended(all[place as usize].index)
            );
            return Ok(Some((path.iter().map(|place| all[*place as usize].index).collect(), claim)));
        }
    }
    Ok(None)
}

/// Finds a cycle among the transactions (places) that sorting leaves over, each of which depends on another of them.
fn cycle_outside(
    causes: &Rows,
    sorted: &[u32],
    logs: &Logs<'_>,
    key: &Key<'_>,
    all: &[Transaction<'_>],
) -> Result<Option<Found>, UnknownWhy> {
    let mut is_left = vec![true; all.len()];
    for &place in sorted {
        is_left[place as usize] = false;
    }
    let cause = |place: u32| causes.of(place).iter().copied().find(|cause| is_left[*cause as usize]);
    let first = (0..).zip(&is_left).find_map(|(place, is_left)| is_left.then_some(place));
    let Some(mut place) = first else { return Ok(None) };
    // A walk along causes comes to where it was.
    let mut came_at = vec![None; all.len()];
    let mut path = Vec::new();
    let begin = loop {
        if let Some(begin) = came_at[place as usize] {
            break begin;
        }
        key.steps(1 + causes.of(place).len())?;
        came_at[place as usize] = Some(path.len());
        path.push(place);
        place = cause(place).expect("what is left depends on something that is left");
    };
    let mut cycle = path.split_off(begin);
    let operations = cycle.iter().map(|place| all[*place as usize].index).collect();
    cycle.push(cycle[0]);
    let claim = format!("{} (G1c)", chain(&cycle, logs, key, all));
    Ok(Some((operations, claim)))
}

/// Maximum number of dependencies that are described one by one.
const MAX_DESCRIBED: usize = 4;

/// Describes transactions (places) each of which polled what the next one sent, of which the last may be the first.
fn chain(path: &[u32], logs: &Logs<'_>, key: &Key<'_>, all: &[Transaction<'_>]) -> String {
    let first = who(key, all[path[0] as usize].index);
    let polled = |pair: &[u32]| {
        let (reader, sender) = (&all[pair[0] as usize], pair[1]);
        let sent = if sender == path[0] { "the first".to_owned() } else { who(key, all[sender as usize].index) };
        let is_of_sender = |(log, value): &(LogName<'_>, &Value)| {
            logs.sent(*log, value).is_some_and(|sent| sent.place == sender as usize)
        };
        let shown = reader.parts.iter().filter_map(Part::shown);
        let mut shown = shown.flat_map(|(log, pairs)| pairs.iter().map(move |(_, value)| (log, *value)));
        let what = shown.find(is_of_sender).map(|(log, value)| format!("{}{}", brief(value), of_log(log)));
        format!("polled {}, which {sent} sent", what.unwrap_or_default())
    };
    let mut parts: Vec<String> = path.windows(2).map(polled).collect();
    if parts.len() > MAX_DESCRIBED {
        let left_out = parts.len() - MAX_DESCRIBED;
        parts.splice(MAX_DESCRIBED - 1..parts.len() - 1, [format!("and so on, {left_out} times more")]);
    }
    format!("{first} {}", parts.join("; that one "))
}
