//! Bank: `transfer` moves an amount from one account to another, `read` returns all balances. Whatever the transfers,
//! the total stays the same, and no balance is below zero.
//!
//! Balances are a map from accounts, or a list. If nothing is known of the beginning, any two reads must show the same
//! total.

use histories::Value;

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

const READ: &str = "read";
const TRANSFER: &str = "transfer";

/// Property that reads show the same total, and nothing below zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank;

impl Bank {
    /// Returns true if a bank can begin with this: a total, its balances, or nil.
    pub(crate) fn begins_with(initial: &Value) -> bool {
        match initial {
            Value::Nil => true,
            Value::Int(total) => *total >= 0,
            balances => balances_of(balances)
                .is_some_and(|found| found.iter().all(|balance| balance.is_some_and(|balance| balance >= 0))),
        }
    }
}

impl Property for Bank {
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match call.function {
            READ if !call.asks_for_nothing() => Err(call.unsupported_input()),
            READ if call.output.is_some_and(|balances| balances_of(balances).is_none()) => {
                Err(call.unsupported_output())
            }
            TRANSFER | READ => Ok(()),
            _ => Err(call.unknown_function()),
        }
    }

    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy> {
        let mut first = None;
        let expected = bank_total(key.initial);
        for (index, operation) in key.answered(READ) {
            let balances = balances_of(key.history.value(operation.output)).unwrap_or_default();
            for _ in &balances {
                key.step()?;
            }
            let alone = |claim| Ok(Some(Violation::alone(vec![index], claim)));
            if balances.contains(&None) {
                return alone("a read shows an account without a balance".to_owned());
            }
            if let Some(below) = balances.iter().flatten().find(|balance| **balance < 0) {
                return alone(format!("a read shows a balance of {below}"));
            }
            let total = balances.iter().flatten().map(|balance| i128::from(*balance)).sum::<i128>();
            if let Some(expected) = expected.filter(|expected| *expected != total) {
                return alone(format!("a read shows a total of {total}, though there is {expected}"));
            }
            let (earlier, known) = *first.get_or_insert((index, total));
            if known != total {
                let claim = format!("one read shows a total of {known}, another {total}");
                return Ok(Some(Violation::alone(vec![earlier, index], claim)));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let mut totals: Vec<i128> = bank_total(few.initial).into_iter().collect();
        for balances in few.answered(READ).filter_map(|(_, call)| balances_of(call.output?)) {
            let mut total = 0;
            for balance in balances {
                match balance {
                    Some(0..) => total += i128::from(balance.unwrap_or(0)),
                    _ => return true,
                }
            }
            totals.push(total);
        }
        totals.iter().any(|total| *total != totals[0])
    }
}

/// Returns the total of all balances that an answer or a beginning shows; of nothing there is none.
pub fn bank_total(balances: &Value) -> Option<i128> {
    match balances {
        Value::Int(total) => Some(i128::from(*total)),
        balances => balances_of(balances).map(|found| found.into_iter().flatten().map(i128::from).sum()),
    }
}

/// Returns the balance of each account, `None` for an account without one; nothing if these are no balances.
fn balances_of(value: &Value) -> Option<Vec<Option<i64>>> {
    let balance = |value: &Value| match value {
        Value::Nil => Some(None),
        Value::Int(balance) => Some(Some(*balance)),
        _ => None,
    };
    match value {
        Value::Map(accounts) => accounts.iter().map(|(_, value)| balance(value)).collect(),
        Value::List(balances) => balances.iter().map(balance).collect(),
        _ => None,
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

    fn list(balances: &[i64]) -> Value {
        Value::List(balances.iter().copied().map(Value::Int).collect())
    }

    fn reads(answers: &[Value], initial: &Value) -> Result<Option<(Vec<usize>, String)>, UnknownWhy> {
        let events = (0..)
            .zip(answers)
            .flat_map(|(at, answer)| [(at, Invoke, READ, Value::Nil), (at, Done, READ, answer.clone())]);
        let evidence = decided(&Bank, &history(&events.collect::<Vec<_>>()), initial)?;
        Ok(evidence.map(|evidence| (evidence.operations, evidence.claim)))
    }

    #[test]
    fn money_that_comes_or_goes_shows_in_two_reads_or_in_one_if_the_total_is_known() {
        let answers = [list(&[10, 5]), list(&[3, 12]), list(&[3, 13])];
        assert_eq!(reads(&answers[..2], &Value::Nil), Ok(None));
        let two = (vec![0, 2], "one read shows a total of 15, another 16".to_owned());
        assert_eq!(reads(&answers, &Value::Nil), Ok(Some(two)));
        let one = (vec![2], "a read shows a total of 16, though there is 15".to_owned());
        assert_eq!(reads(&answers, &15.into()), Ok(Some(one.clone())));
        assert_eq!(reads(&answers, &list(&[7, 8])), Ok(Some(one)));
    }

    #[test]
    fn no_balance_is_missing_or_below_zero() {
        let below = (vec![0], "a read shows a balance of -5".to_owned());
        assert_eq!(reads(&[list(&[20, -5])], &15.into()), Ok(Some(below)));
        let accounts = [("a", Value::Int(15)), ("b", Value::Nil)].map(|(account, balance)| (account.into(), balance));
        let map = Value::map(accounts.to_vec()).unwrap();
        let without = (vec![0], "a read shows an account without a balance".to_owned());
        assert_eq!(reads(&[map], &15.into()), Ok(Some(without)));
    }

    #[test]
    fn what_is_no_balance_is_named() {
        for answer in [Value::Int(5), list_of("ten"), list_of("[10]")] {
            assert!(matches!(reads(&[answer], &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
        }
        assert!(Bank::begins_with(&100.into()) && Bank::begins_with(&list(&[1, 0])) && Bank::begins_with(&Value::Nil));
        assert!(
            !Bank::begins_with(&(-1).into()) && !Bank::begins_with(&list(&[-1])) && !Bank::begins_with(&"a".into())
        );
    }

    fn list_of(text: &str) -> Value {
        Value::List(vec![text.into()])
    }

    #[test]
    fn both_definitions_agree() {
        for initial in [Value::Nil, 4.into(), list(&[2, 2])] {
            compare(&Bank, &initial, 4, |random| match random.random_range(0..20) {
                0 => (READ, Value::Nil, Some(list(&[4 + random.random_range(0..2), 0]))),
                1 => (READ, Value::Nil, Some(list(&[5, -1]))),
                2 => (READ, Value::Nil, None),
                3..8 => (TRANSFER, Value::Nil, Some(Value::Nil)),
                _ => (READ, Value::Nil, Some(list(&[1, 3]))),
            });
        }
    }
}
