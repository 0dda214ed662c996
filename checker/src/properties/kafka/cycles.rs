//! Transactions that depend on each other: each polls what another sent, and what is polled was committed before. So
//! none can depend on itself, nor on one that began only after it had ended (G1c, with dependencies of sends to polls
//! and of real time).
//!
//! If one depends on another that began after its end, by any number of sends and steps of real time, then there is
//! one that does so by sends alone; so these suffice.

use histories::Outcome;

use super::{
    logs::Logs,
    parts::Part,
    transaction::{Found, Transaction},
};
use crate::{UnknownWhy, properties::key::Key};

/// Finds transactions that depend on each other.
pub(super) fn cycle<'a>(logs: &Logs<'a>, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Option<Found>, UnknownWhy> {
    let graph = Graph::of(logs, key, all)?;
    // Each operation takes the latest begin among those on which it depends.
    let mut missing: Vec<usize> = graph.causes.iter().map(Vec::len).collect();
    let mut ready: Vec<usize> = (0..all.len()).filter(|place| missing[*place] == 0).collect();
    let mut latest: Vec<(usize, Option<usize>)> = (0..all.len()).map(|place| (place, None)).collect();
    let invoked = |place: usize| all[place].operation.invoked;
    while let Some(place) = ready.pop() {
        for &cause in &graph.causes[place] {
            key.step()?;
            if invoked(latest[cause].0) > invoked(latest[place].0) {
                latest[place] = (latest[cause].0, Some(cause));
            }
        }
        if invoked(latest[place].0) > all[place].operation.completed {
            let mut path = vec![place];
            while let Some(cause) = latest[path[path.len() - 1]].1 {
                path.push(cause);
            }
            let claim = "a transaction polls what depends on one that began only after it had ended (G1c)";
            return Ok(Some((indexes(all, &path), claim.to_owned())));
        }
        for &effect in &graph.effects[place] {
            key.step()?;
            missing[effect] -= 1;
            if missing[effect] == 0 {
                ready.push(effect);
            }
        }
    }
    let Some(start) = (0..all.len()).find(|place| missing[*place] > 0) else { return Ok(None) };
    let mut path = vec![start];
    loop {
        key.step()?;
        let last = path[path.len() - 1];
        let cause = graph.causes[last].iter().copied().find(|cause| missing[*cause] > 0);
        let cause = cause.expect("what is left depends on something that is left");
        if let Some(begin) = path.iter().position(|place| *place == cause) {
            let cycle = indexes(all, &path[begin..]);
            let claim = format!("each of {} transactions polls what another of them sent (G1c)", cycle.len());
            return Ok(Some((cycle, claim)));
        }
        path.push(cause);
    }
}

fn indexes(all: &[Transaction<'_>], places: &[usize]) -> Vec<u32> {
    places.iter().map(|place| all[*place].index).collect()
}

/// Dependencies of operations (places): whose sends each polls, and who polls the sends of each.
struct Graph {
    causes: Vec<Vec<usize>>,
    effects: Vec<Vec<usize>>,
}

impl Graph {
    fn of<'a>(logs: &Logs<'a>, key: &Key<'a>, all: &[Transaction<'a>]) -> Result<Self, UnknownWhy> {
        key.may_take(2 * size_of_val(all) + all.len() * size_of::<[Vec<usize>; 2]>())?;
        let mut graph = Self { causes: vec![Vec::new(); all.len()], effects: vec![Vec::new(); all.len()] };
        for (place, reader) in all.iter().enumerate() {
            for (log, pairs) in reader.parts.iter().filter_map(Part::shown) {
                for (_, value) in pairs {
                    key.step()?;
                    let sent = logs.sent(log, value).filter(|sent| sent.outcome != Outcome::Fail);
                    let causes = &mut graph.causes[place];
                    if let Some(sent) = sent.filter(|sent| causes.last() != Some(&sent.place)) {
                        key.may_take(size_of::<[usize; 2]>())?;
                        causes.push(sent.place);
                        graph.effects[sent.place].push(place);
                    }
                }
            }
        }
        Ok(graph)
    }
}
