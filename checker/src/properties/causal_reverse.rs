//! Writes that do not appear without those before them: `write` inserts a value, and `read` returns all values. A read
//! that shows a value shows every other whose write was acknowledged before the write of that one began.
//!
//! It may well miss what was acknowledged before it began itself: no read has to be recent.

use histories::{Operation, Outcome, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{FewCalls, Key, Property, Violation};
use crate::{
    UnknownWhy,
    specification::{Call, items},
};

const READ: &str = "read";
const WRITE: &str = "write";

/// Property that reads show no value without those that were there before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CausalReverse;

impl Property for CausalReverse {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            READ if !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if call.output.is_some_and(|all| items(all).is_none()) => Err(call.unsupported_output()),
            READ | WRITE => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let mut begun: FxHashMap<&Value, (u32, u32)> = FxHashMap::default();
        for index in key.changes(WRITE) {
            let write = key.history.operations[index as usize];
            // Of a value that is written twice, the first that began may be the one that is shown.
            begun.entry(key.history.value(write.input)).or_insert((write.invoked, index));
        }
        let done = Key::by_completion(key.answered(WRITE).collect());
        for (index, read) in key.answered(READ) {
            key.step()?;
            let shown = items(key.history.value(read.output)).unwrap_or_default();
            let Some((latest, later)) = shown.iter().filter_map(|value| begun.get(value)).max() else { continue };
            let shown: FxHashSet<&Value> = shown.iter().collect();
            for (earlier, write) in done.iter().take_while(|(_, write)| write.completed < *latest) {
                key.step()?;
                let (missed, seen) = (key.history.value(write.input), key.input(*later));
                if !shown.contains(missed) {
                    let claim = format!(
                        "{} returned {seen} without {missed}, although {} had been acknowledged at {}, before the \
                        first write of {seen}, {}, began",
                        key.who(index),
                        key.who(*earlier),
                        key.ended(*earlier),
                        key.by(*later)
                    );
                    return Ok(Some(Violation::alone(vec![*earlier, *later, index], claim)));
                }
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let may_be = |(write, call): &&(Operation, Call<'_>)| call.function == WRITE && write.outcome != Outcome::Fail;
        let writes = || few.calls.iter().filter(may_be);
        few.answered(READ).filter_map(|(_, call)| items(call.output?)).any(|shown| {
            let is_over_before = |value: &Value, (write, call): &(Operation, Call<'_>)| {
                let mut of_value = writes().filter(|(_, other)| other.input == value);
                write.outcome == Outcome::Ok
                    && !shown.contains(call.input)
                    && of_value.clone().next().is_some()
                    && of_value.all(|(later, _)| write.completed < later.invoked)
            };
            shown.iter().any(|value| writes().any(|write| is_over_before(value, write)))
        })
    }
}

#[cfg(test)]
mod tests {
    use histories::EventType::{Info, Invoke, Ok as Done};
    use rand::RngExt as _;

    use super::{
        super::tests::{self, compare, decided, history, list},
        *,
    };

    /// Writes 1, then 2, and meanwhile 3, of unknown outcome; then reads this.
    fn found(shown: &[i64]) -> Option<(Vec<usize>, String)> {
        let events = [
            (0, Invoke, WRITE, 1.into()),
            (1, Invoke, WRITE, 3.into()),
            (0, Done, WRITE, 1.into()),
            (1, Info, WRITE, 3.into()),
            (0, Invoke, WRITE, 2.into()),
            (0, Done, WRITE, 2.into()),
            (2, Invoke, READ, Value::Nil),
            (2, Done, READ, list(shown)),
        ];
        tests::found(&CausalReverse, &history(&events), &Value::Nil)
    }

    #[test]
    fn a_value_is_not_shown_without_those_before_it() {
        for shown in [&[][..], &[1], &[3], &[1, 3], &[1, 2], &[1, 2, 3], &[77]] {
            assert_eq!(found(shown), None, "{shown:?}: a read may be old");
        }
        let claim = "read by process 2 at 0.006 s returned 2 without 1, although write 1 by process 0 at 0.000 s had \
            been acknowledged at 0.002 s, before the first write of 2, by process 0 at 0.004 s, began"
            .to_owned();
        assert_eq!(found(&[3, 2]), Some((vec![0, 2, 3], claim)));
    }

    #[test]
    fn an_answer_that_is_no_list_is_named() {
        let read = history(&[(0, Invoke, READ, Value::Nil), (0, Done, READ, 3.into())]);
        assert!(matches!(decided(&CausalReverse, &read, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare(&CausalReverse, &Value::Nil, 7, |random| {
            if random.random_range(0..3) > 0 {
                return (WRITE, Value::Int(random.random_range(0..5)), Some(Value::Nil));
            }
            let shown: Vec<i64> = (0..5).filter(|_| random.random()).collect();
            (READ, Value::Nil, Some(list(&shown)))
        });
    }
}
