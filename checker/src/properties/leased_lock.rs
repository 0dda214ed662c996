//! Lock that its holder may lose, as one with a lease, and a resource that it guards. `acquire` is answered by a
//! fencing token, a number larger than those of all acquires that were over before it began, and no other has the same.
//! `write` of `[token value]` is accepted by the resource only if it has accepted nothing under a larger token, so that
//! whoever has lost the lock changes nothing once the next holder did. `release` may come too late, and says nothing.
//!
//! Two may believe that they hold the lock at once. That is what leases allow, and what tokens are for.

use histories::{Operation, Value};
use rustc_hash::FxHashMap;

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

const ACQUIRE: &str = "acquire";
const RELEASE: &str = "release";
const WRITE: &str = "write";

/// Property that tokens grow, and that the resource refuses smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeasedLock;

impl Property for LeasedLock {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            ACQUIRE if !call.asks_for_nothing() => Err(call.unsupported_input()),
            ACQUIRE if call.output.is_some_and(|token| !matches!(token, Value::Int(_))) => {
                Err(call.unsupported_output())
            }
            WRITE if written_under(call.input).is_none() => Err(call.unsupported_input()),
            WRITE if !call.says_nothing() => Err(call.unsupported_output()),
            ACQUIRE | RELEASE | WRITE => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let got = |acquire: &Operation| number(key.history.value(acquire.output));
        let mut owners: FxHashMap<i64, u32> = FxHashMap::default();
        for (index, acquire) in key.answered(ACQUIRE) {
            key.step()?;
            let Some(token) = got(acquire) else { continue };
            if number(key.initial).is_some_and(|least| token <= least) {
                let claim =
                    format!("{} got the token {token}, although all are larger than {}", key.who(index), key.initial);
                return Ok(Some(Violation::alone(vec![index], claim)));
            }
            if let Some(earlier) = owners.insert(token, index) {
                let claim =
                    format!("{} got the token {token}, although {} got it, too", key.who(index), key.who(earlier));
                return Ok(Some(Violation::alone(vec![earlier, index], claim)));
            }
        }
        if let Some((earlier, index, [before, token])) = smaller(key, ACQUIRE, &got)? {
            let claim = format!(
                "{} got the token {token}, although {} had got {before} by {}",
                key.who(index),
                key.who(earlier),
                key.ended(earlier)
            );
            return Ok(Some(Violation::alone(vec![earlier, index], claim)));
        }
        let under = |write: &Operation| written_under(key.history.value(write.input));
        Ok(smaller(key, WRITE, &under)?.map(|(earlier, index, [before, token])| {
            let claim = format!(
                "{} was accepted under the token {token}, although {} had been accepted under {before} by {}",
                key.who(index),
                key.who(earlier),
                key.ended(earlier)
            );
            Violation::alone(vec![earlier, index], claim)
        }))
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let acquires: Vec<_> =
            few.answered(ACQUIRE).filter_map(|(it, call)| Some((it, number(call.output?)?))).collect();
        let writes: Vec<_> =
            few.answered(WRITE).filter_map(|(it, call)| Some((it, written_under(call.input)?))).collect();
        let goes_back = |all: &[(&Operation, i64)]| {
            let is_back = |(one, before): &(&Operation, i64), (next, token): &(&Operation, i64)| {
                one.completed < next.invoked && before > token
            };
            all.iter().any(|one| all.iter().any(|next| is_back(one, next)))
        };
        let is_repeated = |at: usize| acquires[..at].iter().any(|(_, token)| *token == acquires[at].1);
        let is_too_small = |token: i64| number(few.initial).is_some_and(|least| token <= least);
        (0..acquires.len()).any(|at| is_repeated(at) || is_too_small(acquires[at].1))
            || goes_back(&acquires)
            || goes_back(&writes)
    }
}

/// Finds an answered operation with a smaller token than one that was over before it began. Returns the earlier and the
/// later one, and their tokens.
fn smaller(
    key: &Key<'_>,
    function: &str,
    token: &dyn Fn(&Operation) -> Option<i64>,
) -> Result<Option<(u32, u32, [i64; 2])>, UnknownWhy> {
    let begun: Vec<_> = key.answered(function).filter_map(|(index, it)| Some((index, it, token(it)?))).collect();
    key.may_take(2 * size_of_val(&*begun))?;
    let mut ended = begun.clone();
    ended.sort_unstable_by_key(|(_, operation, _)| operation.completed);
    let (mut ended, mut largest) = (ended.into_iter().peekable(), None);
    for (index, operation, token) in begun {
        key.step()?;
        while let Some((before, _, other)) = ended.next_if(|(_, before, _)| before.completed < operation.invoked) {
            largest = largest.max(Some((other, before)));
        }
        if let Some((other, before)) = largest.filter(|(other, _)| *other > token) {
            return Ok(Some((before, index, [other, token])));
        }
    }
    Ok(None)
}

/// Returns the token of a `write`.
fn written_under(input: &Value) -> Option<i64> {
    if let Value::List(parts) = input
        && let [token, _] = &parts[..]
    {
        number(token)
    } else {
        None
    }
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}

#[cfg(test)]
mod tests {
    use histories::EventType::{self, Invoke, Ok as Done};
    use rand::RngExt as _;

    use super::{
        super::tests::{self, compare, decided, history},
        *,
    };

    fn under(token: i64) -> Value {
        Value::List(vec![token.into(), 100.into()])
    }

    /// Returns an acquire that is answered by a token, or a write under one, by a process of its own.
    fn done(process: u64, f: &'static str, token: i64) -> [(u64, EventType, &'static str, Value); 2] {
        match f {
            ACQUIRE => [(process, Invoke, f, Value::Nil), (process, Done, f, token.into())],
            _ => [(process, Invoke, f, under(token)), (process, Done, f, under(token))],
        }
    }

    fn found(calls: &[(&'static str, i64)], initial: &Value) -> Option<(Vec<usize>, String)> {
        let events: Vec<_> = (0..).zip(calls).flat_map(|(process, (f, token))| done(process, f, *token)).collect();
        tests::found(&LeasedLock, &history(&events), initial)
    }

    #[test]
    fn the_next_holder_takes_over_and_the_former_one_is_refused_once_it_wrote() {
        let both = [(ACQUIRE, 3), (WRITE, 3), (ACQUIRE, 5), (WRITE, 3), (WRITE, 5), (WRITE, 5), (RELEASE, 3)];
        assert_eq!(found(&both, &2.into()), None);
        let late = [&both[..], &[(WRITE, 3)]].concat();
        let claim = "write [3,100] by process 7 at 0.014 s was accepted under the token 3, although write [5,100] by \
            process 5 at 0.010 s had been accepted under 5 by 0.011 s"
            .to_owned();
        assert_eq!(found(&late, &Value::Nil), Some((vec![5, 7], claim)));
    }

    #[test]
    fn tokens_are_unique_and_grow() {
        for (calls, initial, operations, claim) in [
            (
                &[(ACQUIRE, 3), (ACQUIRE, 3)][..],
                Value::Nil,
                vec![0, 1],
                "acquire by process 1 at 0.002 s got the token 3, although acquire by process 0 at 0.000 s got it, too",
            ),
            (
                &[(ACQUIRE, 3), (ACQUIRE, 2)],
                Value::Nil,
                vec![0, 1],
                "acquire by process 1 at 0.002 s got the token 2, although acquire by process 0 at 0.000 s had got 3 \
                    by \
                0.001 s",
            ),
            (
                &[(ACQUIRE, 3)],
                3.into(),
                vec![0],
                "acquire by process 0 at 0.000 s got the token 3, although all are larger than 3",
            ),
        ] {
            assert_eq!(found(calls, &initial), Some((operations, claim.to_owned())));
        }
    }

    #[test]
    fn a_write_without_a_token_is_named() {
        for input in [Value::Int(3), Value::List(vec!["a".into(), 3.into()])] {
            let events = [(0, Invoke, WRITE, input.clone()), (0, Done, WRITE, input)];
            let unknown = decided(&LeasedLock, &history(&events), &Value::Nil);
            assert!(matches!(unknown, Err(UnknownWhy::Unsupported { .. })), "{unknown:?}");
        }
    }

    #[test]
    fn both_definitions_agree() {
        for initial in [Value::Nil, 1.into()] {
            let mut next: i64 = 0;
            compare(&LeasedLock, &initial, 8, |random| {
                // Now and then a lock begins anew.
                next = if random.random_range(0..40) == 0 { 0 } else { next + 1 };
                let token = next - random.random_range(0..4) * random.random_range(0..2);
                match random.random_range(0..8) {
                    0 => (RELEASE, Value::Nil, Some(Value::Nil)),
                    1..4 => (ACQUIRE, Value::Nil, Some((token + 2).into())),
                    _ => (WRITE, under(token), Some(Value::Nil)),
                }
            });
        }
    }
}
