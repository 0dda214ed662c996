//! Causal consistency of registers, over all keys together: an operation finds no value that a change in its causal
//! past has replaced. Causes are what a process did before, and the writes of what it found (CC of Bouajjani, Enea,
//! Guerraoui and Hamza, "On verifying causal consistency", 2017).
//!
//! Beside `read`, `write` and `cas` there is `read-init`, as Jepsen calls the first read of a key. Each value is set
//! once. Where operations say after which others they came, that must be right, too (`links`).

mod links;

use histories::{Operation, Outcome, ValueId};

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, causal::causal_violation, specification::Call};

/// Property that reads respect cause and effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Causal;

impl Property for Causal {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            "read" | "read-init" if !call.asks_for_nothing() => Err(call.unsupported_input()),
            "cas" if call.mismatch && call.output.is_none_or(|found| found == call.input) => {
                Err(UnknownWhy::Unsupported { what: "a cas that failed without what it found".to_owned(), model: None })
            }
            "read" | "read-init" | "write" | "cas" => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn spans_keys(&self) -> bool {
        true
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        if let Some(found) = links::violation(key)? {
            return Ok(Some(found));
        }
        let touched = |operation: &Operation| touched(operation, key.history.function_name(operation.function));
        let found = causal_violation(key.history, key.initial, &key.limits, key.operations, touched)?;
        Ok(found.map(|(operations, claim)| {
            let operations =
                operations.iter().map(|index| u32::try_from(*index).expect("operations are counted by u32"));
            Violation::alone(operations.collect(), claim)
        }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let all: Vec<Access> = few.calls.iter().filter_map(|(it, call)| Access::of(it, call)).collect();
        let mut some: Vec<&Access> = all.iter().filter(|it| it.operation.outcome != Outcome::Info).collect();
        // What has an unknown outcome took place if somebody saw what it set.
        while let Some(seen) = all.iter().find(|it| {
            let is_seen = some.iter().any(|other| it.is_seen_by(other));
            is_seen && !some.iter().any(|other| std::ptr::eq(*other, *it))
        }) {
            some.push(seen);
        }
        let count = some.len();
        let mut precedes: Vec<Vec<bool>> = some.iter().map(|a| some.iter().map(|b| a.causes(b)).collect()).collect();
        for between in 0..count {
            for from in 0..count {
                for to in 0..count {
                    precedes[from][to] |= precedes[from][between] && precedes[between][to];
                }
            }
        }
        let is_wrong = |at: usize| {
            let Some(value) = some[at].look else { return false };
            let sets =
                |other: &usize| some[*other].set.is_some() && some[*other].operation.key == some[at].operation.key;
            let setter = (0..count).find(|other| some[*other].is_seen_by(some[at]));
            let is_initial = few.history.value(value) == few.initial;
            if setter.is_none() && !is_initial {
                // Among few operations, others may have set it.
                return !is_set_by_any(few, some[at]);
            }
            let follows = |other: usize| setter.is_none_or(|setter| precedes[setter][other]);
            (0..count).filter(sets).any(|other| Some(other) != setter && follows(other) && precedes[other][at])
        };
        links::is_violated_by(few) || (0..count).any(|at| precedes[at][at] || is_wrong(at))
    }
}

/// Operation with what it looks at and sets.
struct Access {
    operation: Operation,
    look: Option<ValueId>,
    set: Option<ValueId>,
}

impl Access {
    /// Returns none for an operation that did not take place, or touches nothing.
    fn of(operation: &Operation, call: &Call<'_>) -> Option<Self> {
        let (look, set) = touched(operation, call.function);
        let counts = operation.outcome != Outcome::Fail && (look.is_some() || set.is_some());
        counts.then_some(Self { operation: *operation, look, set })
    }

    /// Returns true if `other` found what this set.
    fn is_seen_by(&self, other: &Self) -> bool {
        self.operation.key == other.operation.key && self.set.is_some() && self.set == other.look
    }

    /// Returns true if this comes before `other` by itself.
    fn causes(&self, other: &Self) -> bool {
        let (one, next) = (&self.operation, &other.operation);
        one.process == next.process && one.invoked < next.invoked || self.is_seen_by(other)
    }
}

/// Returns the value that an operation looks at, and the value that it sets, if it happened.
fn touched(operation: &Operation, function: &str) -> (Option<ValueId>, Option<ValueId>) {
    let Operation { input, to, output, .. } = *operation;
    match (function, operation.outcome) {
        ("write", _) => (None, Some(input)),
        ("cas", Outcome::Ok | Outcome::Info) => (Some(input), Some(to)),
        (_, Outcome::Info | Outcome::Fail) => (None, None),
        _ => (Some(output).filter(|found| *found != ValueId::UNKNOWN), None),
    }
}

/// Returns true if any operation of the history may have set what this one found.
fn is_set_by_any(few: &FewCalls<'_>, look: &Access) -> bool {
    few.history.operations.iter().any(|operation| {
        let (_, set) = touched(operation, few.history.function_name(operation.function));
        operation.outcome != Outcome::Fail && operation.key == look.operation.key && set == look.look
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use histories::{
        Event,
        EventType::{self, Info, Invoke, Ok as Done},
        History, HistoryBuilder, Process, Value,
    };
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    use super::{
        super::tests::{agreed, decided},
        *,
    };

    /// Call on a key: process, key, function, argument, answer; `None` if its outcome is unknown.
    type CallOf<'a> = (u64, &'a str, &'a str, i64, Option<i64>);

    /// Number that stands for nil.
    const NIL: i64 = -1;

    fn value(number: i64) -> Value {
        if number == NIL { Value::Nil } else { number.into() }
    }

    fn event(process: u64, key: &str, kind: EventType, f: &str, number: i64) -> Event<'static> {
        let event = Event::new(Process::Client(process), kind, f.to_owned());
        Event { key: Some(key.into()), value: Some(value(number)), ..event }
    }

    /// Builds a history of calls one after the other.
    fn calls(calls: &[CallOf<'_>]) -> History {
        let mut builder = HistoryBuilder::default();
        for (process, key, f, argument, answer) in calls {
            builder.push(event(*process, key, Invoke, f, *argument)).unwrap();
            let (kind, number) = answer.map_or((Info, *argument), |answer| (Done, answer));
            builder.push(event(*process, key, kind, f, number)).unwrap();
        }
        builder.finish()
    }

    fn found(all: &[CallOf<'_>]) -> Option<Vec<usize>> {
        decided(&Causal, &calls(all), &Value::Nil).unwrap().map(|evidence| evidence.operations)
    }

    #[test]
    fn who_saw_an_effect_sees_its_cause_on_any_key() {
        let up_to = [
            (0, "x", "write", 1, Some(1)),
            (0, "x", "write", 2, Some(2)),
            (1, "x", "read", NIL, Some(2)),
            (1, "y", "write", 3, Some(3)),
            (2, "y", "read", NIL, Some(3)),
        ];
        let then = |seen| [&up_to[..], &[(2, "x", "read", NIL, Some(seen))]].concat();
        assert_eq!(found(&then(2)), None);
        assert_eq!(found(&then(1)), Some(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(found(&then(NIL)), Some(vec![1, 2, 3, 4, 5]));
        let another = [&up_to[..], &[(3, "x", "read", NIL, Some(1))]].concat();
        assert_eq!(found(&another), None, "a stale read of who knows nothing is no violation");
    }

    #[test]
    fn a_process_sees_what_it_wrote() {
        let own = |seen| [(0, "x", "write", 1, Some(1)), (0, "x", "read", NIL, Some(seen))];
        assert_eq!((found(&own(1)), found(&own(NIL))), (None, Some(vec![0, 1])));
        assert_eq!(found(&own(7)), Some(vec![1]), "which nobody wrote");
    }

    #[test]
    fn the_first_read_of_a_key_may_have_a_name_of_its_own() {
        let jepsen = |first, last| {
            let all = [
                (0, "0", "read-init", NIL, Some(first)),
                (0, "0", "write", 1, Some(1)),
                (0, "0", "read", NIL, Some(1)),
                (0, "0", "write", 2, Some(2)),
                (0, "0", "read", NIL, Some(last)),
            ];
            decided(&Causal, &calls(&all), &0.into()).unwrap().map(|evidence| evidence.operations)
        };
        assert_eq!(jepsen(0, 2), None);
        assert_eq!(jepsen(0, 1), Some(vec![1, 2, 3, 4]));
        assert_eq!(jepsen(2, 2), Some(vec![0, 3]), "it reads what is only written later");
    }

    #[test]
    fn what_was_seen_happened_whatever_its_outcome() {
        let all = |seen| {
            [
                (0, "x", "write", 1, None),
                (1, "x", "read", NIL, Some(1)),
                (1, "y", "write", 2, Some(2)),
                (2, "y", "read", NIL, Some(2)),
                (2, "x", "read", NIL, Some(seen)),
            ]
        };
        assert_eq!((found(&all(1)), found(&all(NIL))), (None, Some(vec![0, 1, 2, 3, 4])));
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        for wrong in [
            &[(0, "x", "write", 1, Some(1)), (1, "x", "write", 1, Some(1))][..],
            &[(0, "x", "write", 1, None), (0, "x", "read", NIL, Some(1))],
            &[(0, "x", "write", NIL, Some(NIL))],
        ] {
            let unknown = decided(&Causal, &calls(wrong), &Value::Nil);
            assert!(matches!(unknown, Err(UnknownWhy::Unsupported { .. })), "{unknown:?}");
        }
    }

    /// Builds a history of a few processes on two keys, whose reads find any value.
    fn random(seed: u64) -> History {
        let mut random = Pcg64::seed_from_u64(seed);
        let (mut open, mut next, mut processes) = (BTreeMap::new(), 0, [0, 1, 2]);
        let mut builder = HistoryBuilder::default();
        for _ in 0..random.random_range(6..24) {
            let place = random.random_range(0..processes.len());
            let process = processes[place];
            let (kind, key, f, number) = match open.remove(&process) {
                None => {
                    let key = ["x", "y"][random.random_range(0..2)];
                    next += 1;
                    let (f, number) = if random.random_range(0..5) < 2 { ("write", next) } else { ("read", NIL) };
                    open.insert(process, (key, f, number));
                    (Invoke, key, f, number)
                }
                Some((key, f, number)) if random.random_range(0..8) == 0 => {
                    processes[place] += 3;
                    (Info, key, f, number)
                }
                Some((key, "read", _)) if random.random_range(0..3) == 0 => (Done, key, "read", NIL),
                Some((key, "read", _)) => (Done, key, "read", next - random.random_range(0..4).min(next)),
                Some((key, f, number)) => (Done, key, f, number),
            };
            builder.push(event(process, key, kind, f, if number == 0 { NIL } else { number })).unwrap();
        }
        builder.finish()
    }

    #[test]
    fn both_definitions_agree() {
        let mut counts = [0; 2];
        for seed in 0..20_000 {
            let history = random(seed);
            let found = decided(&Causal, &history, &Value::Nil).unwrap();
            counts[usize::from(agreed(&Causal, &history, &Value::Nil, found.as_ref(), seed))] += 1;
        }
        assert!(counts.iter().all(|count| *count > 1000), "the comparison is one-sided: {counts:?}");
    }
}
