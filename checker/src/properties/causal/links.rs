//! Links, by which Jepsen's test of causal consistency says after which operation one came: the link of an operation is
//! the position of the one on its key that was answered last before it, or `init`. Where operations on a key overlap,
//! it is not certain which was the last, and nothing is said of their links.

use histories::{History, NEVER, Operation, Outcome, Value, ValueId};

use crate::{
    UnknownWhy,
    properties::{
        Violation,
        key::{FewCalls, Key},
    },
    words::who,
};

/// Returns the violation by an operation with a wrong link and the one that it should link to, if there is any.
///
/// # Errors
/// The reason why it cannot be said: a limit.
pub(super) fn violation(key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
    let history = key.history;
    if !history.has_links() {
        return Ok(None);
    }
    let answered = key.all().filter(|(_, operation)| operation.outcome == Outcome::Ok);
    let mut answered: Vec<_> = answered.map(|(index, operation)| (operation.key, operation.completed, index)).collect();
    answered.sort_unstable();
    let mut unfounded = None;
    for of_key in answered.chunk_by(|one, next| one.0 == next.0) {
        let mut is_apart = vec![false; of_key.len()];
        let mut next_begin = NEVER;
        for (at, (_, completed, index)) in of_key.iter().enumerate().rev() {
            key.step()?;
            let invoked = history.operations[*index as usize].invoked;
            is_apart[at] = *completed < next_begin && of_key[..at].last().is_none_or(|before| before.1 < invoked);
            next_begin = next_begin.min(invoked);
        }
        for (at, (.., index)) in of_key.iter().enumerate().filter(|(at, _)| is_apart[*at]) {
            let before = of_key[..at].last().map(|before| before.2);
            let Some(link) = wrong_link(history, *index, before) else { continue };
            let claim = claim(history, link, *index, before);
            match before {
                Some(before) if is_apart[at - 1] => return Ok(Some(Violation::alone(vec![before, *index], claim))),
                Some(_) => {}
                None => unfounded = unfounded.or(Some(Violation::alone(vec![*index], claim))),
            }
        }
    }
    Ok(unfounded)
}

/// Returns true if the link of any of these operations is wrong by its plain definition, with all operations of the
/// history in the background.
pub(super) fn is_violated_by(few: &FewCalls<'_>) -> bool {
    let history = few.history;
    let overlap = |a: &Operation, b: &Operation| a.invoked < b.completed && b.invoked < a.completed;
    let place = |operation: &Operation| {
        let place = history.operations.binary_search_by_key(&operation.invoked, |other| other.invoked);
        u32::try_from(place.expect("it is one of them")).expect("operations are counted by u32")
    };
    let is_wrong = |it: &Operation| {
        let others = |it: Operation| {
            let is_other = move |other: &&Operation| {
                other.outcome == Outcome::Ok && other.key == it.key && other.invoked != it.invoked
            };
            history.operations.iter().filter(is_other)
        };
        let is_apart = |it: &Operation| !others(*it).any(|other| overlap(it, other));
        let before = others(*it).filter(|other| other.completed < it.invoked).max_by_key(|other| other.completed);
        is_apart(it)
            && before.is_none_or(|before| is_apart(before) && few.calls.iter().any(|(it, _)| it == before))
            && wrong_link(history, place(it), before.map(place)).is_some()
    };
    let mut answered = few.calls.iter().map(|(it, _)| it).filter(|it| it.outcome == Outcome::Ok);
    history.has_links() && answered.any(is_wrong)
}

/// Returns the link of an operation, if it has one that is neither the position of the last on its key before it nor
/// `init`. No position is nil, as in Jepsen.
fn wrong_link(history: &History, index: u32, before: Option<u32>) -> Option<&Value> {
    let [_, link] = history.position_and_link(index as usize);
    let position = before.and_then(|before| history.position_and_link(before as usize)[0]).unwrap_or(ValueId::NIL);
    let link = history.value(link.filter(|link| *link != position)?);
    let is_init = link.name().is_some_and(|name| matches!(name, "init" | ":init"));
    (!is_init).then_some(link)
}

/// Returns the claim of what is wrong.
fn claim(history: &History, link: &Value, index: u32, before: Option<u32>) -> String {
    let it = who(history, index as usize);
    let but = before.map_or_else(
        || "no operation on this key was answered before".to_owned(),
        |before| {
            let [position, _] = history.position_and_link(before as usize);
            let position =
                position.map_or_else(|| "none".to_owned(), |position| format!("position {}", history.value(position)));
            format!("the last that was answered before, {}, has {position}", who(history, before as usize))
        },
    );
    format!("{it} says that it came after position {link}, but {but}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use histories::{
        Event,
        EventType::{self, Fail, Info, Invoke, Ok as Done},
        HistoryBuilder, Process,
    };
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    use super::*;
    use crate::{Limits, properties::tests::all};

    /// Event of a read that finds nil: process, key, type, position, link.
    type EventOf = (u64, &'static str, EventType, Option<Value>, Option<Value>);

    fn history(events: Vec<EventOf>) -> History {
        let mut builder = HistoryBuilder::default();
        for (process, key, kind, position, link) in events {
            let event = Event::new(Process::Client(process), kind, "read");
            builder.push(Event { key: Some(key.into()), value: Some(Value::Nil), position, link, ..event }).unwrap();
        }
        builder.finish()
    }

    fn begin(process: u64, key: &'static str) -> EventOf {
        (process, key, Invoke, None, None)
    }

    fn end(process: u64, key: &'static str, position: i64, link: impl Into<Value>) -> EventOf {
        (process, key, Done, Some(position.into()), Some(link.into()))
    }

    /// Returns the operations of the evidence, if the links of these completions, in order and each right after its
    /// invocation, are violated.
    fn found(ends: &[EventOf]) -> Option<Vec<u32>> {
        found_in(ends.iter().flat_map(|end| [begin(end.0, end.1), end.clone()]).collect())
    }

    fn found_in(events: Vec<EventOf>) -> Option<Vec<u32>> {
        both(&history(events), 0).map(|found| found.operations)
    }

    /// Returns the violation; both definitions must agree on all operations, and that its own are one.
    fn both(history: &History, seed: u64) -> Option<Violation> {
        let all = all(history);
        let key = Key::new(history, &Value::Nil, &Limits::none(), &all).unwrap();
        let found = violation(&key).unwrap();
        assert_eq!(found.is_some(), is_violated_by(&key.few(&all)), "seed {seed}: {found:?} {history:?}");
        let is_confirmed = |found: &Violation| is_violated_by(&key.few(&found.operations));
        assert!(found.as_ref().is_none_or(is_confirmed), "seed {seed}: {found:?} {history:?}");
        found
    }

    #[test]
    fn an_operation_links_to_the_last_on_its_key() {
        let chain = |link: i64| [end(0, "x", 5, Value::keyword("init")), end(0, "y", 1, "init"), end(1, "x", 7, link)];
        assert_eq!(found(&chain(5)), None);
        assert_eq!(found(&chain(1)), Some(vec![0, 2]));
        let init = |link: &str| found(&[end(0, "x", 5, "init"), end(0, "x", 7, link)]);
        assert_eq!((init("init"), init(":init"), init("initial")), (None, None, Some(vec![0, 1])));
    }

    #[test]
    fn an_operation_before_which_there_is_none_links_to_none() {
        assert_eq!(found(&[end(0, "x", 5, "init"), end(0, "y", 7, 5)]), Some(vec![1]));
        assert_eq!(
            found(&[end(0, "x", 5, 4), end(0, "x", 7, 4)]),
            Some(vec![0, 1]),
            "what can be compared comes first"
        );
        assert_eq!(found(&[end(0, "x", 5, Value::Nil)]), None);
    }

    #[test]
    fn only_links_that_are_there_are_judged() {
        let bare = |position, link| (0, "x", Done, position, link);
        assert_eq!(found(&[end(0, "x", 5, "init"), bare(None, None), bare(Some(6.into()), None)]), None);
        assert_eq!(found(&[end(0, "x", 5, "init"), bare(None, None), end(0, "x", 7, 5)]), Some(vec![1, 2]));
        assert_eq!(found(&[end(0, "x", 5, "init"), end(0, "x", 7, Value::Nil)]), Some(vec![0, 1]));
    }

    #[test]
    fn what_was_not_answered_has_no_position() {
        for (kind, link, expected) in
            [(Fail, 5, None), (Info, 5, None), (Fail, 6, Some(vec![0, 2])), (Info, 6, Some(vec![0, 2]))]
        {
            let other = (1, "x", kind, Some(6.into()), Some(9.into()));
            assert_eq!(found(&[end(0, "x", 5, "init"), other, end(0, "x", 7, link)]), expected, "{kind:?} {link}");
        }
    }

    #[test]
    fn the_links_of_operations_that_overlap_are_not_judged() {
        let overlap = |last| {
            let both = [begin(0, "x"), begin(1, "x"), end(0, "x", 5, 9), end(1, "x", 6, 9)];
            let then = [begin(0, "x"), end(0, "x", 7, 5), begin(0, "x"), end(0, "x", 8, last)];
            [both, then].concat()
        };
        assert_eq!(found_in(overlap(7)), None);
        assert_eq!(found_in(overlap(6)), Some(vec![2, 3]), "after one that overlaps none, the order is certain");
        let around = [begin(1, "x"), begin(0, "x"), end(0, "x", 5, 9), begin(0, "x"), end(0, "x", 6, 9)];
        assert_eq!(found_in([&around[..], &[end(1, "x", 7, 9)]].concat()), None);
        assert_eq!(found_in(around.to_vec()), Some(vec![1, 2]), "the other was not answered");
        let elsewhere = [begin(1, "y"), begin(0, "x"), end(0, "x", 5, 9), end(1, "y", 5, "init")];
        assert_eq!(found_in(elsewhere.to_vec()), Some(vec![1]), "on another key");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |events: &[EventOf]| {
            let history = history(events.iter().flat_map(|end| [begin(end.0, end.1), end.clone()]).collect());
            both(&history, 0).unwrap().claim
        };
        let from = "read of x by process 1 at event 2 says that it came after position 4, but";
        let last = "the last that was answered before, read of x by process 0 at event 0, has";
        let one = said(&[end(0, "x", 5, "init"), end(1, "x", 7, 4)]);
        assert_eq!(one, format!("{from} {last} position 5"));
        let unplaced = said(&[(0, "x", Done, None, None), end(1, "x", 7, 4)]);
        assert_eq!(unplaced, format!("{from} {last} none"));
        let first = from.replace("event 2", "event 0");
        assert_eq!(said(&[end(1, "x", 7, 4)]), format!("{first} no operation on this key was answered before"));
    }

    /// Builds a history of a few processes on two keys, most of whose links are right.
    fn random(seed: u64) -> History {
        let mut random = Pcg64::seed_from_u64(seed);
        let (mut open, mut events, mut next) = (BTreeMap::new(), Vec::new(), 0);
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for number in 0..random.random_range(2..16) {
            if open.is_empty() || random.random_range(0..5) == 0 {
                let process = (0..100).find(|it| !open.contains_key(it) && !gone.contains(it)).expect("there are many");
                let key = ["x", "y"][random.random_range(0..2)];
                open.insert(process, key);
                events.push(begin(process, key));
            }
            let Some(process) = open.keys().copied().nth(random.random_range(0..2)) else { continue };
            let key = open.remove(&process).expect("it is open");
            let link = match (random.random_range(0..12), last.get(key)) {
                (0, _) => Some(random.random_range(0..=next).into()),
                (1, _) => None,
                (2, _) | (_, None) => Some("init".into()),
                (_, Some(last)) => Some((*last).into()),
            };
            next = number + 1;
            let kind = [Done, Done, Done, Done, Fail, Info][random.random_range(0..6)];
            if kind == Done {
                last.insert(key, next);
            } else if kind == Info {
                gone.insert(process);
            }
            events.push((process, key, kind, Some(next.into()), link));
        }
        history(events)
    }

    #[test]
    fn both_definitions_agree() {
        let mut counts = [0; 2];
        for seed in 0..20_000 {
            let found = both(&random(seed), seed);
            counts[usize::from(found.is_some())] += 1;
        }
        assert!(counts.iter().all(|count| *count > 3000), "the comparison is one-sided: {counts:?}");
    }
}
