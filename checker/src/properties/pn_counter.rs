//! Counter that grows and shrinks, and only has to be right in the end: a `read` that began after all acknowledged
//! additions were over shows their sum, with any of those of unknown outcome. Earlier reads may show anything.

use std::collections::BTreeSet;

use histories::{Operation, Outcome, Value};

use super::{Besides, FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call, unknown::unsupported};

const ADD: &str = "add";
const READ: &str = "read";

/// Maximum number of sums that additions of unknown outcome may make.
const MAX_SUMS: usize = 1 << 16;

/// Property that reads in the end show a possible sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PnCounter;

impl Property for PnCounter {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            ADD if matches!(call.input, Value::Int(_)) => Ok(()),
            ADD | READ if call.function == ADD || !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if matches!(call.output, None | Some(Value::Nil | Value::Int(_))) => Ok(()),
            READ => Err(call.unsupported_output()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let number = |operation: &Operation| whole(key.history.value(operation.input));
        let acknowledged: Vec<(u32, &Operation)> = key.answered(ADD).collect();
        let over = acknowledged.iter().map(|(_, add)| add.completed).max();
        let certain = whole(key.initial) + acknowledged.iter().map(|(_, add)| number(add)).sum::<i128>();
        let mut reads: Vec<(u32, &Operation)> =
            key.answered(READ).filter(|(_, read)| over.is_none_or(|over| over < read.invoked)).collect();
        reads.sort_by_key(|(_, read)| read.completed);
        if reads.is_empty() && !acknowledged.is_empty() {
            return unsupported("a history in which no read begins after the last acknowledged addition");
        }
        let is_unknown = |add: &Operation| add.outcome == Outcome::Info && key.call(add).function == ADD;
        let mut unknown = key.all().filter(|(_, add)| is_unknown(add)).peekable();
        let mut sums = BTreeSet::from([certain]);
        for (index, read) in reads {
            key.step()?;
            while let Some((_, add)) = unknown.next_if(|(_, add)| add.invoked < read.completed) {
                let with: Vec<i128> = sums.iter().map(|sum| sum + number(add)).collect();
                for sum in with {
                    key.step()?;
                    sums.insert(sum);
                }
                if sums.len() > MAX_SUMS {
                    return unsupported(format!("additions of unknown outcome that make more than {MAX_SUMS} sums"));
                }
            }
            let shown = whole(key.history.value(read.output));
            if !sums.contains(&shown) {
                let possible = match (sums.len(), sums.first(), sums.last()) {
                    (1, Some(only), _) => format!("it must be {only}"),
                    (count, Some(first), Some(last)) => {
                        format!("only {count} sums from {first} to {last} are possible")
                    }
                    _ => unreachable!("there is at least one sum"),
                };
                let claim =
                    format!("a read shows {shown} after all acknowledged additions were over, where {possible}");
                let besides = Besides { words: "given all additions", operations: key.changes(ADD) };
                return Ok(Some(Violation { operations: vec![index], besides: Some(besides), claim }));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let adds: Vec<_> = few.calls.iter().filter(|(_, call)| call.function == ADD).collect();
        few.answered(READ).any(|(read, call)| {
            let is_last = adds.iter().all(|(add, _)| add.outcome != Outcome::Ok || add.completed < read.invoked);
            let mut possible = vec![whole(few.initial)];
            for (add, call) in &adds {
                let with = possible.iter().map(|sum| sum + whole(call.input)).collect();
                match add.outcome {
                    Outcome::Ok => possible = with,
                    Outcome::Info if add.invoked < read.completed => possible.extend(with),
                    _ => {}
                }
                possible.sort_unstable();
                possible.dedup();
            }
            is_last && !possible.contains(&call.output.map_or(0, whole))
        })
    }
}

/// Returns a number; what is absent counts as 0.
fn whole(value: &Value) -> i128 {
    if let Value::Int(number) = value { i128::from(*number) } else { 0 }
}

#[cfg(test)]
mod tests {
    use histories::{
        EventType::{Info, Invoke, Ok as Done},
        History,
    };
    use rand::RngExt as _;

    use super::{
        super::tests::{compare_where_known, decided, history},
        *,
    };

    /// Adds 5 and -2 for certain, 10 perhaps, and reads twice; the first read begins before the last addition ends.
    fn read_as(early: i64, last: i64) -> History {
        history(&[
            (0, Invoke, ADD, 5.into()),
            (0, Done, ADD, 5.into()),
            (1, Invoke, ADD, 10.into()),
            (1, Info, ADD, 10.into()),
            (2, Invoke, ADD, (-2).into()),
            (3, Invoke, READ, Value::Nil),
            (2, Done, ADD, (-2).into()),
            (3, Done, READ, early.into()),
            (4, Invoke, READ, Value::Nil),
            (4, Done, READ, last.into()),
        ])
    }

    #[test]
    fn only_reads_in_the_end_must_be_a_possible_sum() {
        for last in [3, 13] {
            assert_eq!(decided(&PnCounter, &read_as(1000, last), &Value::Nil), Ok(None));
        }
        let evidence = decided(&PnCounter, &read_as(3, 5), &Value::Nil).unwrap().unwrap();
        assert_eq!((evidence.operations, evidence.besides.as_deref()), (vec![4], Some("given all additions")));
        let claim = "a read shows 5 after all acknowledged additions were over, where only 2 sums from 3 to 13 are \
            possible";
        assert_eq!(evidence.claim, claim);
        assert_eq!(decided(&PnCounter, &read_as(3, 5), &2.into()), Ok(None), "it began with 2");
    }

    #[test]
    fn without_a_read_in_the_end_nobody_knows() {
        let never = history(&[(0, Invoke, ADD, 5.into()), (0, Done, ADD, 5.into())]);
        assert!(matches!(decided(&PnCounter, &never, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare_where_known(&PnCounter, &Value::Nil, 5, |random| match random.random_range(0..2) {
            0 => (ADD, Value::Int(random.random_range(-1..3)), Some(Value::Nil)),
            _ => (READ, Value::Nil, Some(Value::Int(random.random_range(0..3)))),
        });
    }
}
