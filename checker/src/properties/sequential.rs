//! Order of a client's writes: `write` of a key writes its parts one after the other, and `read` of a key returns it
//! with its parts, the last one first, each read after the one before. Once a part was seen, those written before it
//! are there.

use histories::Value;

use super::{FewCalls, Key, Property, Violation};
use crate::{
    UnknownWhy,
    specification::Call,
    words::{brief, key_name},
};

const READ: &str = "read";

/// Property that no part is missing below one that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequential;

impl Property for Sequential {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            "write" => Ok(()),
            READ if call.output.is_some_and(|answer| parts(answer).is_none()) => Err(call.unsupported_output()),
            READ => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        for (index, operation) in key.answered(READ) {
            key.step()?;
            let answer = key.history.value(operation.output);
            let (of, parts) = parts(answer).unwrap_or((&Value::Nil, &[]));
            let seen = parts.iter().position(|part| *part != Value::Nil).unwrap_or(parts.len());
            if let Some(missed) = parts[seen..].iter().position(|part| *part == Value::Nil) {
                let number = |place: usize| parts.len() - place;
                let claim = format!(
                    "{} returned {} as part {} of {} of {}, but nil as part {}, which was written before that",
                    key.who(index),
                    brief(&parts[seen]),
                    number(seen),
                    parts.len(),
                    key_name(of),
                    number(seen + missed)
                );
                return Ok(Some(Violation::alone(vec![index], claim)));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let is_there = |part: &Value| *part != Value::Nil;
        few.answered(READ)
            .filter_map(|(_, call)| Some(parts(call.output?)?.1))
            .any(|parts| (0..parts.len()).any(|late| !is_there(&parts[late]) && parts[..late].iter().any(is_there)))
    }
}

/// Returns the key and the parts in the answer of a read, `[key [part …]]`.
fn parts(answer: &Value) -> Option<(&Value, &[Value])> {
    if let Value::List(pair) = answer
        && let [key, Value::List(parts)] = &pair[..]
    {
        Some((key, parts))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use histories::EventType::{Invoke, Ok as Done};
    use rand::RngExt as _;

    use super::{
        super::tests::{compare, decided, history},
        *,
    };

    fn answer(parts: &[bool]) -> Value {
        let parts = parts.iter().map(|is_there| if *is_there { "part".into() } else { Value::Nil });
        Value::List(vec![3.into(), Value::List(parts.collect())])
    }

    #[test]
    fn a_part_that_is_there_has_those_before_it() {
        let found = |parts: &[bool]| {
            let read = history(&[(0, Invoke, READ, 3.into()), (0, Done, READ, answer(parts))]);
            decided(&Sequential, &read, &Value::Nil).unwrap().map(|evidence| evidence.claim)
        };
        assert_eq!((found(&[]), found(&[false, false, true, true])), (None, None));
        let claim =
            "read by process 0 at 0.000 s returned \"part\" as part 3 of 4 of key 3, but nil as part 1, which was \
            written before that"
                .to_owned();
        assert_eq!(found(&[false, true, true, false]), Some(claim));
    }

    #[test]
    fn an_answer_without_parts_is_named() {
        let read = history(&[(0, Invoke, READ, 3.into()), (0, Done, READ, 3.into())]);
        assert!(matches!(decided(&Sequential, &read, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare(&Sequential, &Value::Nil, 3, |random| match random.random_range(0..4) {
            0 => ("write", 3.into(), Some(3.into())),
            _ => (READ, 3.into(), Some(answer(&[random.random(), random.random(), random.random()]))),
        });
    }
}
