//! Set that only grows, and may show elements late: what is known to be in it is not lost, what nobody added is not
//! shown, and nothing is shown twice in one read.
//!
//! An element is known once its addition was acknowledged or a read that shows it was over. It is lost if a read that
//! began later misses it, and every read that shows it was over before that one began. A read that misses a known
//! element which a later read shows is stale. That is no violation here; the model `set` allows no stale reads.

use std::collections::BTreeSet;

use histories::{Function, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use super::{FewCalls, Key, Property, Violation, key::Collected};
use crate::{
    UnknownWhy,
    specification::{Call, elements, items},
};

pub(super) mod figures;

const ADD: &str = "add";
const READ: &str = "read";
const ADDITIONS: &str = "additions";

/// Property that no element is lost, shown without having been added, or shown twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetFull;

/// Element that may have been added.
#[derive(Clone, Debug)]
struct Element {
    /// Index of its first addition that may have taken effect.
    first_add: u32,
    /// Completion of the first acknowledged addition, with its index.
    acknowledged: Option<(u32, u32)>,
    /// Places of the reads that show it, ascending.
    shown: Vec<u32>,
}

/// Fate of an element that is known to be in the set.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Completion that made it known, and the index of that operation.
    known: (u32, u32),
    /// Index of the read that began last of those that miss it, if that began once it was known.
    missed: Option<u32>,
    /// True if no read that shows it ended after that one began.
    is_lost: bool,
}

/// Reads of a set in the order of their beginnings, and the elements that were added.
struct Sets<'a> {
    reads: Vec<(u32, &'a Operation)>,
    elements: FxHashMap<&'a Value, Element>,
}

impl<'a> Sets<'a> {
    /// Reads the operations of a key, and finds what is wrong with a single read.
    fn of(key: &Key<'a>) -> Result<Collected<Self, Violation>, UnknownWhy> {
        let mut elements: FxHashMap<&Value, Element> = FxHashMap::default();
        for index in key.changes(ADD) {
            key.step()?;
            let add = &key.history.operations[index as usize];
            let fresh = || Element { first_add: index, acknowledged: None, shown: Vec::new() };
            let element = elements.entry(key.history.value(add.input)).or_insert_with(fresh);
            if add.outcome == Outcome::Ok && element.acknowledged.is_none_or(|(known, _)| add.completed < known) {
                element.acknowledged = Some((add.completed, index));
            }
        }
        let initial = initial_elements(key.initial);
        let reads: Vec<(u32, &Operation)> = key.answered(READ).collect();
        for (place, (index, read)) in (0..).zip(&reads) {
            let shown = items(key.history.value(read.output)).unwrap_or_default();
            key.may_take(size_of_val(shown))?;
            for value in shown {
                key.step()?;
                let Some(element) = elements.get_mut(value) else {
                    if initial.contains(value) {
                        continue;
                    }
                    return Ok(Collected::Wrong(nobody_added(key, *index, value)));
                };
                let add = &key.history.operations[element.first_add as usize];
                if add.invoked > read.completed && !initial.contains(value) {
                    return Ok(Collected::Wrong(nobody_added(key, *index, value)));
                }
                if element.shown.last() == Some(&place) {
                    let claim = format!("{} returned {value} twice", key.who(*index));
                    return Ok(Collected::Wrong(beside_additions(key, &[*index], claim)));
                }
                element.shown.push(place);
            }
        }
        Ok(Collected::Consistent(Self { reads, elements }))
    }

    /// Returns the fate of an element; none if it is not known to be in the set.
    fn fate(&self, element: &Element) -> Option<Known> {
        let shows = |place: &u32| self.reads[*place as usize];
        let first = element.shown.iter().map(shows).map(|(index, read)| (read.completed, index)).min();
        let known = element.acknowledged.into_iter().chain(first).min()?;
        let missing =
            (0..self.reads.len()).rev().zip(element.shown.iter().rev().map(Some).chain(std::iter::repeat(None)));
        let missed = missing.take_while(|(place, _)| self.reads[*place].1.invoked > known.0);
        let missed = missed.map(|(place, shown)| (place, shown.map(|shown| *shown as usize)));
        let missed = missed.into_iter().find(|(place, shown)| *shown != Some(*place)).map(|(place, _)| place);
        let began = missed.map(|place| self.reads[place].1.invoked);
        let last = element.shown.iter().map(shows).map(|(_, read)| read.completed).max().unwrap_or(0);
        let is_lost = began.is_some_and(|began| last < began);
        Some(Known { known, missed: missed.map(|place| self.reads[place].0), is_lost })
    }
}

fn initial_elements(initial: &Value) -> BTreeSet<Value> {
    elements(initial).collect()
}

/// Returns the violation by these operations beside all additions, which count as a read may show many elements.
fn beside_additions(key: &Key<'_>, operations: &[u32], claim: String) -> Violation {
    Violation::with_changes(operations, ADDITIONS, key.changes(ADD), claim)
}

/// Describes a read of a value whose addition failed, or began too late, if there was any.
fn nobody_added(key: &Key<'_>, read: u32, value: &Value) -> Violation {
    let is_one =
        |(index, add): &(u32, &Operation)| key.history.function_name(add.function) == ADD && key.input(*index) == value;
    let end = key.history.operations[read as usize].completed;
    let (why, addition) = match key.all().find(is_one) {
        None => (", which nobody ever added".to_owned(), None),
        Some((index, add)) if add.invoked < end => {
            let why = format!(
                ", although {} failed, and nobody else had begun to add it when the read ended at {}",
                key.who(index),
                key.ended(read)
            );
            (why, Some(index))
        }
        Some((index, _)) => {
            let why =
                format!(", although {} only began after the read had ended at {}", key.who(index), key.ended(read));
            (why, Some(index))
        }
    };
    let operations: Vec<u32> = addition.into_iter().chain([read]).collect();
    beside_additions(key, &operations, format!("{} returned {value}{why}", key.who(read)))
}

impl Property for SetFull {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            READ if !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if call.output.is_some_and(|shown| items(shown).is_none()) => Err(call.unsupported_output()),
            ADD | READ => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let sets = match Sets::of(key)? {
            Collected::Consistent(sets) => sets,
            Collected::Wrong(violation) => return Ok(Some(violation)),
        };
        let mut lost: Option<((u32, u32), u32, u32, &Value)> = None;
        #[expect(clippy::iter_over_hash_type, reason = "the first to be known is the first in any order")]
        for (value, element) in &sets.elements {
            key.step()?;
            let Some(Known { known, missed: Some(missed), is_lost: true }) = sets.fate(element) else { continue };
            // The first that was known, whatever the order in which elements are looked at.
            if lost.as_ref().is_none_or(|(first, ..)| known < *first) {
                lost = Some((known, missed, element.first_add, *value));
            }
        }
        Ok(lost.map(|(known, missed, add, value)| {
            let how = if key.history.operations[known.1 as usize].function == Function::Read {
                "had returned it"
            } else {
                "had been acknowledged"
            };
            let claim = format!(
                "{} lacks {value}, although {} {how} at {}, and no read that ended later returned it: it was lost",
                key.who(missed),
                key.who(known.1),
                key.ended(known.1)
            );
            beside_additions(key, &[add, known.1, missed], claim)
        }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let initial = initial_elements(few.initial);
        let reads: Vec<(&Operation, Vec<&Value>)> = few
            .answered(READ)
            .map(|(read, call)| {
                let mut shown: Vec<&Value> = call.output.and_then(items).unwrap_or_default().iter().collect();
                shown.sort();
                (read, shown)
            })
            .collect();
        let adds: Vec<_> =
            few.calls.iter().filter(|(add, call)| call.function == ADD && add.outcome != Outcome::Fail).collect();
        let mut begun: Vec<(&Value, u32)> = adds.iter().map(|(add, call)| (call.input, add.invoked)).collect();
        begun.sort();
        let is_wrong = |(read, shown): &(&Operation, Vec<&Value>)| {
            let is_added = |value: &&Value| {
                let first = begun.partition_point(|(other, _)| other < value);
                initial.contains(value)
                    || begun.get(first).is_some_and(|(other, begun)| other == value && *begun < read.completed)
            };
            shown.windows(2).any(|pair| pair[0] == pair[1]) || !shown.iter().all(is_added)
        };
        let is_lost = |(_, call): &&(Operation, Call<'_>)| {
            let with = || reads.iter().filter(|(_, shown)| shown.binary_search(&call.input).is_ok());
            let acknowledged =
                adds.iter().filter(|(add, other)| add.outcome == Outcome::Ok && other.input == call.input);
            let known = acknowledged.map(|(add, _)| add.completed).chain(with().map(|(read, _)| read.completed)).min();
            known.is_some_and(|known| {
                reads.iter().any(|(read, shown)| {
                    read.invoked > known
                        && shown.binary_search(&call.input).is_err()
                        && with().all(|(other, _)| other.completed < read.invoked)
                })
            })
        };
        reads.iter().any(is_wrong) || adds.iter().copied().any(|add| is_lost(&add))
    }
}

#[cfg(test)]
mod tests {
    use histories::{
        Event,
        EventType::{self, Fail, Info, Invoke, Ok as Done},
        History, HistoryBuilder, Process,
    };
    use rand::RngExt as _;

    use super::{
        super::tests::{self, compare, decided, history, list},
        *,
    };
    use crate::{Limits, SetFigures};

    /// Adds 1 for certain and 2 perhaps, then reads once for each of these answers, one after the other.
    fn events(answers: &[&[i64]]) -> Vec<(u64, EventType, &'static str, Value)> {
        let mut events = vec![
            (0, Invoke, ADD, 1.into()),
            (0, Done, ADD, 1.into()),
            (1, Invoke, ADD, 2.into()),
            (1, Info, ADD, 2.into()),
        ];
        for (process, answer) in (2..).zip(answers) {
            events.extend([(process, Invoke, READ, Value::Nil), (process, Done, READ, list(answer))]);
        }
        events
    }

    fn reads(answers: &[&[i64]]) -> History {
        history(&events(answers))
    }

    fn found(answers: &[&[i64]]) -> Option<(Vec<usize>, String)> {
        tests::found(&SetFull, &reads(answers), &Value::Nil)
    }

    #[test]
    fn what_is_known_and_missing_in_the_end_is_lost() {
        let [acknowledged, shown] = [
            "lacks 1, although add 1 by process 0 at 0.000 s had been acknowledged at 0.001 s",
            "lacks 2, although read by process 2 at 0.004 s had returned it at 0.005 s",
        ]
        .map(|why| {
            format!("read by process 3 at 0.006 s {why}, and no read that ended later returned it: it was lost")
        });
        assert_eq!(found(&[&[], &[1]]), None, "it is late, but not lost");
        assert_eq!(found(&[&[1], &[1]]), None, "nobody knows that 2 was added");
        assert_eq!(found(&[&[1], &[]]), Some((vec![0, 1, 3], acknowledged)));
        assert_eq!(found(&[&[1, 2], &[1]]), Some((vec![0, 1, 2, 3], shown)), "a read made 2 known");
        assert_eq!(found(&[&[2, 1], &[1], &[1, 2]]), None);
    }

    #[test]
    fn an_addition_that_failed_or_came_too_late_is_named() {
        let add = |end| [(0, Invoke, ADD, 1.into()), (0, end, ADD, 1.into())];
        let read = [(1, Invoke, READ, Value::Nil), (1, Done, READ, list(&[1]))];
        let found = |events: &[_]| tests::found(&SetFull, &history(events), &Value::Nil);
        let failed = "read by process 1 at 0.002 s returned 1, although add 1 by process 0 at 0.000 s failed, and \
            nobody else had begun to add it when the read ended at 0.003 s";
        assert_eq!(found(&[&add(Fail)[..], &read].concat()), Some((vec![0, 1], failed.to_owned())));
        assert_eq!(found(&[&add(Fail)[..], &read, &add(Done)].concat()), Some((vec![0, 1, 2], failed.to_owned())));
        let late = "read by process 1 at 0.000 s returned 1, although add 1 by process 0 at 0.002 s only began \
            after the read had ended at 0.001 s";
        assert_eq!(found(&[&read[..], &add(Done)].concat()), Some((vec![0, 1], late.to_owned())));
    }

    #[test]
    fn what_nobody_added_or_what_comes_twice_is_wrong() {
        let wrong = |what: &str| Some((vec![0, 1, 2], format!("read by process 2 at 0.004 s returned {what}")));
        assert_eq!(found(&[&[1, 3]]), wrong("3, which nobody ever added"));
        assert_eq!(found(&[&[1, 1]]), wrong("1 twice"));
        assert_eq!(decided(&SetFull, &reads(&[&[1, 3]]), &list(&[3])), Ok(None), "it began with 3");
    }

    #[test]
    fn figures_say_how_late_elements_were_shown() {
        let figures = |answers: &[&[i64]]| figures::set_figures(&reads(answers), &Value::Nil, &Limits::none()).unwrap();
        let expected = SetFigures {
            attempted: 2,
            acknowledged: 1,
            never_read: 1,
            stale: 1,
            stale_ns: Some([5_000_000; 4]),
            ..SetFigures::default()
        };
        assert_eq!(figures(&[&[], &[], &[1]]), expected, "known at 1 ms, missed at 6 ms");
        let stable = SetFigures { stale: 0, stable: 1, stale_ns: None, ..expected.clone() };
        assert_eq!(figures(&[&[1]]), stable);
        assert_eq!(figures(&[&[]]), SetFigures { stale: 0, lost: 1, stale_ns: None, ..expected.clone() });
        let mut untimed = HistoryBuilder::default();
        for (process, kind, f, value) in events(&[&[], &[], &[1]]) {
            untimed.push(Event { value: Some(value), ..Event::new(Process::Client(process), kind, f) }).unwrap();
        }
        let figures = figures::set_figures(&untimed.finish(), &Value::Nil, &Limits::none()).unwrap();
        assert_eq!(figures, SetFigures { stale_ns: None, ..expected }, "nobody knows how late without times");
    }

    #[test]
    fn both_definitions_agree() {
        for initial in [Value::Nil, list(&[1])] {
            compare(&SetFull, &initial, 9, |random| match random.random_range(0..3) {
                0 => {
                    let mut shown: Vec<i64> = (0..3).filter(|_| random.random_range(0..3) > 0).collect();
                    shown.extend((random.random_range(0..12) == 0).then_some(0));
                    (READ, Value::Nil, Some(list(&shown)))
                }
                _ => (ADD, Value::Int(random.random_range(0..3)), Some(Value::Nil)),
            });
        }
    }
}
