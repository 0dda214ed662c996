//! Rows with the system's own timestamps: `add` inserts a row whose value is larger than all others, `read` returns all
//! rows in the order of their timestamps. Their values grow in that order, and reads that began after all acknowledged
//! additions were over have all their rows.
//!
//! A row is a map with `val` and `sts`, both numbers; an `add` may answer with a row that is there, its own or another.

use histories::{Operation, Value};

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call, unknown::unsupported};

const ADD: &str = "add";
const READ: &str = "read";

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
        let row_of = |operation: &Operation| row(key.history.value(operation.output));
        let adds: Vec<_> = key.answered(ADD).filter_map(|(index, add)| Some((index, add, row_of(add)?))).collect();
        let over = adds.iter().map(|(_, add, _)| add.completed).max();
        let mut is_read = false;
        for (index, read) in key.answered(READ) {
            let rows = rows(key.history.value(read.output)).unwrap_or_default();
            for pair in rows.windows(2) {
                key.step()?;
                let [(before, earlier), (after, later)] = [pair[0], pair[1]];
                if earlier > later || before >= after {
                    let claim = format!("a read shows {before} at {earlier}, and next {after} at {later}");
                    return Ok(Some(Violation::alone(vec![index], claim)));
                }
            }
            if over.is_some_and(|over| read.invoked < over) {
                continue;
            }
            is_read = true;
            for (add, _, (value, _)) in &adds {
                key.step()?;
                // The values of a read that comes so far grow.
                if rows.binary_search_by(|(other, _)| other.cmp(value)).is_err() {
                    let claim = format!("the row of {value} was lost: a read after all additions misses it");
                    return Ok(Some(Violation::alone(vec![*add, index], claim)));
                }
            }
        }
        if is_read || adds.is_empty() {
            return Ok(None);
        }
        unsupported("a history in which no read begins after the last acknowledged addition")
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let adds: Vec<_> = few.answered(ADD).filter_map(|(add, call)| Some((add, row(call.output?)?.0))).collect();
        few.answered(READ).any(|(read, call)| {
            let rows = call.output.and_then(rows).unwrap_or_default();
            let is_ordered = (0..rows.len()).all(|later| {
                rows[..later].iter().all(|(value, stamp)| *value < rows[later].0 && *stamp <= rows[later].1)
            });
            let is_last = adds.iter().all(|(add, _)| add.completed < read.invoked);
            let is_whole = adds.iter().all(|(_, value)| rows.iter().any(|(other, _)| other == value));
            !is_ordered || is_last && !is_whole
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
        super::tests::{compare_where_known, decided, history},
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
        let evidence = decided(&Monotonic, &history(&events), &Value::Nil).unwrap();
        evidence.map(|evidence| (evidence.operations, evidence.claim))
    }

    #[test]
    fn values_grow_with_timestamps_and_rows_stay() {
        assert_eq!(found(&[(1, 10), (2, 10), (5, 11)]), None);
        for (rows, claim) in [
            (&[(1, 10), (3, 12), (2, 13)][..], "a read shows 3 at 12, and next 2 at 13"),
            (&[(1, 10), (2, 9)], "a read shows 1 at 10, and next 2 at 9"),
            (&[(1, 10), (1, 10)], "a read shows 1 at 10, and next 1 at 10"),
        ] {
            assert_eq!(found(rows), Some((vec![1], claim.to_owned())));
        }
        let lost = "the row of 1 was lost: a read after all additions misses it";
        assert_eq!(found(&[(0, 5), (2, 10)]), Some((vec![0, 1], lost.to_owned())));
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
