//! Rows with the system's own timestamps: `add` inserts a row whose value is larger than all others, `read` returns all
//! rows in the order of their timestamps. Their values grow in that order, and final reads have the rows of all
//! acknowledged additions.
//!
//! A row is a map with `val` and `sts`, both numbers; an `add` may answer with a row that is there, its own or another.

use histories::{Operation, Outcome, Value};

use super::{
    FewCalls, Key, Property, Violation,
    final_reads::{ADD, FinalReads, READ, is_final_read},
};
use crate::{UnknownWhy, specification::Call, unknown::unsupported};

/// Property that values grow with timestamps, and rows stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic;

impl Property for Monotonic {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            READ if !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if call.output.is_some_and(|answer| rows(answer).is_none()) => Err(call.unsupported_output()),
            ADD | READ => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        for (index, read) in key.answered(READ) {
            for pair in rows(key.history.value(read.output)).unwrap_or_default().windows(2) {
                key.step()?;
                let [(before, earlier), (after, later)] = [pair[0], pair[1]];
                if earlier > later || before >= after {
                    let claim = format!(
                        "{} returned the value {before} with the timestamp {earlier}, and next {after} with {later}: \
                        values must grow with their timestamps",
                        key.who(index)
                    );
                    return Ok(Some(Violation::alone(vec![index], claim)));
                }
            }
        }
        let row_of = |operation: &Operation| row(key.history.value(operation.output));
        let adds: Vec<_> = key.answered(ADD).filter_map(|(index, add)| Some((index, row_of(add)?.0))).collect();
        let mut finals = FinalReads::of(key)?;
        let mut is_judged = adds.is_empty();
        for (index, read) in finals.candidates.clone() {
            let rows = rows(key.history.value(read.output)).unwrap_or_default();
            let mut lost = None;
            for (add, value) in &adds {
                key.step()?;
                // The values of a read that comes so far grow.
                if rows.binary_search_by(|(other, _)| other.cmp(value)).is_err() {
                    lost = lost.or(Some((*add, *value)));
                }
            }
            let is_final = lost.is_none() || finals.has(read);
            is_judged |= is_final;
            if let Some((add, value)) = lost.filter(|_| is_final) {
                let claim = format!(
                    "{}, which began after all acknowledged additions, lacks the row of {value}, although {} had \
                    answered with it at {}",
                    key.who(index),
                    key.who(add),
                    key.ended(add)
                );
                return Ok(Some(Violation::alone(vec![add, index], claim)));
            }
        }
        if is_judged {
            return Ok(None);
        }
        unsupported("a history in which no final read begins after the last acknowledged addition")
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let adds: Vec<_> = few.answered(ADD).filter_map(|(_, call)| Some(row(call.output?)?.0)).collect();
        few.calls.iter().enumerate().any(|(at, (read, call))| {
            let shown = call.output.filter(|_| call.function == READ && read.outcome == Outcome::Ok);
            let rows = shown.and_then(rows).unwrap_or_default();
            let is_ordered = (0..rows.len()).all(|later| {
                rows[..later].iter().all(|(value, stamp)| *value < rows[later].0 && *stamp <= rows[later].1)
            });
            let is_whole = adds.iter().all(|value| rows.iter().any(|(other, _)| other == value));
            !is_ordered || is_final_read(few, at) && !is_whole
        })
    }
}

/// Returns the rows in the answer of a read.
fn rows(answer: &Value) -> Option<Vec<(&Value, &Value)>> {
    let Value::List(rows) = answer else { return None };
    rows.iter().map(row).collect()
}

/// Returns value and timestamp of a row.
fn row(row: &Value) -> Option<(&Value, &Value)> {
    let Value::Map(row) = row else { return None };
    let number = |name| row.named(name).filter(|value| matches!(value, Value::Int(_) | Value::Number(_)));
    Some((number("val")?, number("sts")?))
}

#[cfg(test)]
mod tests {
    use histories::EventType::{Invoke, Ok as Done};
    use rand::RngExt as _;

    use super::{
        super::tests::{self, compare_where_known, decided, history},
        *,
    };

    fn of_row((value, stamp): (i64, i64)) -> Value {
        Value::Map([("val", Value::Int(value)), ("sts", Value::Int(stamp))].into_iter().collect())
    }

    fn answer(rows: &[(i64, i64)]) -> Value {
        Value::List(rows.iter().copied().map(of_row).collect())
    }

    fn found(rows: &[(i64, i64)]) -> Option<(Vec<usize>, String)> {
        let events = [
            (0, Invoke, ADD, 7.into()),
            (0, Done, ADD, of_row((1, 10))),
            (1, Invoke, READ, Value::Nil),
            (1, Done, READ, answer(rows)),
        ];
        tests::found(&Monotonic, &history(&events), &Value::Nil)
    }

    #[test]
    fn values_grow_with_timestamps_and_rows_stay() {
        assert_eq!(found(&[(1, 10), (2, 10), (5, 11)]), None);
        for (rows, claim) in [
            (&[(1, 10), (3, 12), (2, 13)][..], "the value 3 with the timestamp 12, and next 2 with 13"),
            (&[(1, 10), (2, 9)], "the value 1 with the timestamp 10, and next 2 with 9"),
            (&[(1, 10), (1, 10)], "the value 1 with the timestamp 10, and next 1 with 10"),
        ] {
            let claim =
                format!("read by process 1 at 0.002 s returned {claim}: values must grow with their timestamps");
            assert_eq!(found(rows), Some((vec![1], claim)));
        }
        let lost = "read by process 1 at 0.002 s, which began after all acknowledged additions, lacks the row of 1, \
            although \
            add 7 by process 0 at 0.000 s had answered with it at 0.001 s";
        assert_eq!(found(&[(0, 5), (2, 10)]), Some((vec![0, 1], lost.to_owned())));
    }

    #[test]
    fn a_read_of_the_load_may_be_stale_after_the_last_addition() {
        let read = |rows: &[(i64, i64)]| [(1, Invoke, READ, Value::Nil), (1, Done, READ, answer(rows))];
        let add = [(0, Invoke, ADD, Value::Nil), (0, Done, ADD, of_row((1, 10)))];
        let events = [&add[..], &read(&[]), &read(&[(1, 10)])].concat();
        assert_eq!(decided(&Monotonic, &history(&events), &Value::Nil), Ok(None));
    }

    #[test]
    fn rows_that_are_none_and_a_missing_read_in_the_end_are_named() {
        let other = history(&[(0, Invoke, READ, Value::Nil), (0, Done, READ, Value::List(vec![1.into()]))]);
        assert!(matches!(decided(&Monotonic, &other, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
        let unread = history(&[(0, Invoke, ADD, Value::Nil), (0, Done, ADD, of_row((1, 10)))]);
        assert!(matches!(decided(&Monotonic, &unread, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare_where_known(&Monotonic, &Value::Nil, 4, |random| {
            if random.random_range(0..3) == 0 {
                return (ADD, Value::Nil, Some(of_row((random.random_range(0..3), 0))));
            }
            let mut value = 0;
            let rows: Vec<(i64, i64)> = (0..3)
                .map(|stamp| {
                    value += i64::from(random.random_range(0..8) > 0);
                    (value - 1, stamp)
                })
                .collect();
            (READ, Value::Nil, Some(answer(&rows)))
        });
    }
}
