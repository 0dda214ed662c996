//! Anti-dependency cycles over predicates, as Jepsen's test of Adya's G2 finds them: for each key there are two
//! inserts, into one table each, and each must find both tables empty before it inserts. The value of an `insert` is
//! the pair of the ids of its rows in the two tables, one of which is nil.

use histories::Value;

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

const INSERT: &str = "insert";

/// Property that at most one insert succeeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct G2;

impl Property for G2 {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            INSERT if !is_of_one_row(call.input) => Err(call.unsupported_input()),
            INSERT if call.output.is_some_and(|answer| !matches!(answer, Value::Nil) && answer != call.input) => {
                Err(call.unsupported_output())
            }
            INSERT => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let mut first = None;
        for (index, _) in key.answered(INSERT) {
            key.step()?;
            if let Some(earlier) = first.replace(index) {
                let claim = format!(
                    "{} succeeded, although {} did, too, and whichever came second must have found the row of the \
                        first",
                    key.who(index),
                    key.who(earlier)
                );
                return Ok(Some(Violation::alone(vec![earlier, index], claim)));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        few.answered(INSERT).count() > 1
    }
}

/// Returns true if a value is a pair of ids of which exactly one is given.
fn is_of_one_row(value: &Value) -> bool {
    let Value::List(ids) = value else { return false };
    ids.len() == 2 && ids.iter().filter(|id| **id == Value::Nil).count() == 1
}

#[cfg(test)]
mod tests {
    use histories::EventType::{Fail, Info, Invoke, Ok as Done};

    use super::{
        super::tests::{decided, history},
        *,
    };

    fn row(first: bool, id: i64) -> Value {
        Value::List(if first { vec![id.into(), Value::Nil] } else { vec![Value::Nil, id.into()] })
    }

    #[test]
    fn at_most_one_insert_succeeds() {
        for (end, expected) in [(Done, Some(vec![0, 1])), (Fail, None), (Info, None)] {
            let history = history(&[
                (0, Invoke, INSERT, row(true, 1)),
                (1, Invoke, INSERT, row(false, 2)),
                (0, Done, INSERT, row(true, 1)),
                (1, end, INSERT, row(false, 2)),
            ]);
            let found = decided(&G2, &history, &Value::Nil).unwrap();
            assert_eq!(found.map(|evidence| evidence.operations), expected, "{end:?}");
        }
    }

    #[test]
    fn only_ids_of_one_row_are_understood() {
        for value in [Value::Nil, 5.into(), Value::List(vec![1.into(), 2.into()]), Value::List(vec![Value::Nil; 2])] {
            assert!(!is_of_one_row(&value), "{value}");
        }
    }
}
