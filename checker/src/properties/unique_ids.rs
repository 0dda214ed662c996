//! Unique ids: no `generate` answers with what another answered.

use histories::{Value, ValueId};
use rustc_hash::FxHashMap;

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

const GENERATE: &str = "generate";

/// Property that each id is answered once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UniqueIds;

impl Property for UniqueIds {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            GENERATE if !call.asks_for_nothing() => Err(call.unsupported_input()),
            GENERATE if call.output == Some(&Value::Nil) => Err(call.unsupported_output()),
            GENERATE => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let mut first: FxHashMap<ValueId, u32> = FxHashMap::default();
        for (index, operation) in key.answered(GENERATE) {
            key.step()?;
            if let Some(earlier) = first.insert(operation.output, index) {
                let id = key.history.value(operation.output);
                let claim = format!("{} returned {id}, although {} returned it, too", key.who(index), key.who(earlier));
                return Ok(Some(Violation::alone(vec![earlier, index], claim)));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let ids: Vec<_> = few.answered(GENERATE).map(|(_, call)| call.output).collect();
        (0..ids.len()).any(|at| ids[..at].contains(&ids[at]))
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

    #[test]
    fn an_id_that_two_got_is_a_violation_and_these_two_are_the_evidence() {
        let ids = |ids: &[&str]| {
            let events = (0..).zip(ids).flat_map(|(process, id)| {
                [(process, Invoke, GENERATE, Value::Nil), (process, Done, GENERATE, Value::from(*id))]
            });
            decided(&UniqueIds, &history(&events.collect::<Vec<_>>()), &Value::Nil).unwrap()
        };
        assert_eq!(ids(&["a", "b", "c"]), None);
        let evidence = ids(&["a", "b", "c", "b"]).unwrap();
        let claim = "generate by process 3 at 0.006 s returned \"b\", although generate by process 1 at 0.002 s \
            returned \
            it, too";
        assert_eq!((evidence.operations, &*evidence.claim), (vec![1, 3], claim));
    }

    #[test]
    fn an_answer_without_an_id_is_not_guessed_at() {
        let none = history(&[(0, Invoke, GENERATE, Value::Nil), (0, Done, GENERATE, Value::Nil)]);
        assert!(matches!(decided(&UniqueIds, &none, &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
    }

    #[test]
    fn both_definitions_agree() {
        compare(&UniqueIds, &Value::Nil, 12, |random| {
            (GENERATE, Value::Nil, Some(Value::Int(random.random_range(0..40))))
        });
    }
}
