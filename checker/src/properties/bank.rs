//! Bank: `transfer` moves an amount from one account to another, `read` returns all balances. Whatever the transfers,
//! the total stays the same, no account appears that was not there before, each has a balance, and none is below zero,
//! unless that is allowed.
//!
//! Balances are a map from accounts, or a list. If nothing is known of the beginning, any two reads must show the same
//! total; the accounts are known only if their balances at the beginning are. An account may be missing: some systems
//! remove what is empty, and of any other the total tells.

use histories::Value;
use rustc_hash::FxHashSet;

use super::{FewCalls, Key, Property, Violation};
use crate::{UnknownWhy, specification::Call};

const READ: &str = "read";
const TRANSFER: &str = "transfer";

/// Property that reads show the same total, and balances that there can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank {
    /// True if a balance may be below zero.
    has_debts: bool,
}

impl Bank {
    /// Bank without balances below zero.
    pub(crate) const WITHOUT_DEBTS: Self = Self { has_debts: false };
    /// Bank with balances of any sign.
    pub(crate) const WITH_DEBTS: Self = Self { has_debts: true };

    /// Returns true if a bank can begin with this: a total, its balances, or nil.
    pub(crate) fn begins_with(self, initial: &Value) -> bool {
        let is_allowed = |balance: i64| self.has_debts || balance >= 0;
        match initial {
            Value::Nil => true,
            Value::Int(total) => is_allowed(*total),
            balances => {
                balances_of(balances).is_some_and(|found| found.iter().all(|balance| balance.is_some_and(is_allowed)))
            }
        }
    }

    /// Says what a read showed that is wrong by itself, whatever the total.
    fn wrong_balance(self, initial: &Value, answer: &Value, balances: &[Option<i64>]) -> Option<String> {
        if let Some(account) = unexpected_account(initial, answer) {
            return Some(format!("an account {account}, which the bank does not have"));
        }
        let account = |place: usize| accounts(answer).swap_remove(place);
        if let Some(place) = balances.iter().position(Option::is_none) {
            return Some(format!("no balance of account {}", account(place)));
        }
        let is_below = |balance: i64| !self.has_debts && balance < 0;
        let (place, below) = (0..).zip(balances.iter().flatten()).find(|(_, balance)| is_below(**balance))?;
        Some(format!("a balance of {below} in account {}, although none may be below zero", account(place)))
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
            let answer = key.history.value(operation.output);
            let balances = balances_of(answer).unwrap_or_default();
            for _ in &balances {
                key.step()?;
            }
            let alone =
                |shown: String| Ok(Some(Violation::alone(vec![index], format!("{} showed {shown}", key.who(index)))));
            if let Some(wrong) = self.wrong_balance(key.initial, answer, &balances) {
                return alone(wrong);
            }
            let total = balances.iter().flatten().map(|balance| i128::from(*balance)).sum::<i128>();
            if let Some(expected) = expected.filter(|expected| *expected != total) {
                return alone(format!("a total of {total}, although the bank began with {expected}"));
            }
            let (earlier, known) = *first.get_or_insert((index, total));
            if known != total {
                let claim = format!(
                    "{} showed a total of {total}, although {} showed one of {known}, and transfers do not change it",
                    key.who(index),
                    key.who(earlier)
                );
                return Ok(Some(Violation::alone(vec![earlier, index], claim)));
            }
        }
        Ok(None)
    }

    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool {
        let mut totals: Vec<i128> = bank_total(few.initial).into_iter().collect();
        for answer in few.answered(READ).filter_map(|(_, call)| call.output) {
            let (accounts, known) = (accounts(answer), accounts(few.initial));
            if is_of_same_form(few.initial, answer) && accounts.iter().any(|account| !known.contains(account)) {
                return true;
            }
            let mut total = 0;
            for balance in balances_of(answer).unwrap_or_default() {
                match balance {
                    Some(balance) if self.has_debts || balance >= 0 => total += i128::from(balance),
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

/// Returns true if both are maps of balances, or both are lists: only then are accounts known by the same names.
fn is_of_same_form(initial: &Value, answer: &Value) -> bool {
    matches!((initial, answer), (Value::Map(_), Value::Map(_)) | (Value::List(_), Value::List(_)))
}

/// Returns an account in an answer that the bank did not begin with, if it is known which it has.
fn unexpected_account(initial: &Value, answer: &Value) -> Option<String> {
    if !is_of_same_form(initial, answer) {
        return None;
    }
    let known: FxHashSet<String> = accounts(initial).into_iter().collect();
    accounts(answer).into_iter().find(|account| !known.contains(account))
}

/// Returns the names of the accounts: the places in a list, or the keys of a map, where 1, `"1"` and `:1` are the same.
fn accounts(balances: &Value) -> Vec<String> {
    match balances {
        Value::List(all) => (0..all.len()).map(|place| place.to_string()).collect(),
        Value::Map(all) => {
            all.iter().map(|(account, _)| account.name().map_or_else(|| account.to_string(), str::to_owned)).collect()
        }
        _ => Vec::new(),
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
        super::tests::{compare, decided, history, list},
        *,
    };

    /// First read of the histories below.
    const FIRST: &str = "read by process 0 at 0.000 s";

    fn reads(answers: &[Value], initial: &Value) -> Result<Option<(Vec<usize>, String)>, UnknownWhy> {
        let events = (0..)
            .zip(answers)
            .flat_map(|(at, answer)| [(at, Invoke, READ, Value::Nil), (at, Done, READ, answer.clone())]);
        let evidence = decided(&Bank::WITHOUT_DEBTS, &history(&events.collect::<Vec<_>>()), initial)?;
        Ok(evidence.map(|evidence| (evidence.operations, evidence.claim)))
    }

    #[test]
    fn money_that_comes_or_goes_shows_in_two_reads_or_in_one_if_the_total_is_known() {
        let answers = [list(&[10, 5]), list(&[3, 12]), list(&[3, 13])];
        assert_eq!(reads(&answers[..2], &Value::Nil), Ok(None));
        let two = (
            vec![0, 2],
            "read by process 2 at 0.004 s showed a total of 16, although read by process 0 at \
            0.000 s showed one of 15, and transfers do not change it"
                .to_owned(),
        );
        assert_eq!(reads(&answers, &Value::Nil), Ok(Some(two)));
        let one =
            (vec![2], "read by process 2 at 0.004 s showed a total of 16, although the bank began with 15".to_owned());
        assert_eq!(reads(&answers, &15.into()), Ok(Some(one.clone())));
        assert_eq!(reads(&answers, &list(&[7, 8])), Ok(Some(one)));
    }

    #[test]
    fn no_balance_is_missing_or_below_zero() {
        let below = "a balance of -5 in account 1, although none may be below zero";
        assert_eq!(reads(&[list(&[20, -5])], &15.into()), Ok(Some((vec![0], format!("{FIRST} showed {below}")))));
        let accounts = [("a", Value::Int(15)), ("b", Value::Nil)].map(|(account, balance)| (account.into(), balance));
        let map = Value::map(accounts.to_vec()).unwrap();
        let without = (vec![0], format!("{FIRST} showed no balance of account b"));
        assert_eq!(reads(&[map], &15.into()), Ok(Some(without)));
    }

    #[test]
    fn an_account_that_the_bank_did_not_begin_with_is_named() {
        let map = |accounts: &[(&str, i64)]| {
            Value::map(accounts.iter().map(|(name, balance)| ((*name).into(), (*balance).into())).collect()).unwrap()
        };
        let beginning = map(&[("0", 5), ("b", 10)]);
        for right in [map(&[("0", 15)]), map(&[("b", 15), ("0", 0)]), list(&[15])] {
            assert_eq!(reads(&[right], &beginning), Ok(None), "an account may be missing, or have no name");
        }
        let numbers = Value::map(vec![(0.into(), 15.into())]).unwrap();
        assert_eq!(reads(&[numbers], &beginning), Ok(None), "JSON has no numbers as keys");
        let claim = |account| format!("{FIRST} showed an account {account}, which the bank does not have");
        let other = reads(&[map(&[("0", 5), ("c", 10)])], &beginning);
        assert_eq!(other, Ok(Some((vec![0], claim("c")))));
        assert_eq!(reads(&[list(&[5, 10, 0])], &list(&[5, 10])), Ok(Some((vec![0], claim("2")))));
        assert_eq!(reads(&[list(&[5, 10, 0])], &15.into()), Ok(None), "nobody said which accounts there are");
    }

    #[test]
    fn a_balance_may_be_below_zero_where_that_is_allowed() {
        let events = [(0, Invoke, READ, Value::Nil), (0, Done, READ, list(&[20, -5]))];
        assert_eq!(decided(&Bank::WITH_DEBTS, &history(&events), &15.into()), Ok(None));
        let total = decided(&Bank::WITH_DEBTS, &history(&events), &16.into()).unwrap().unwrap();
        assert_eq!(total.claim, format!("{FIRST} showed a total of 15, although the bank began with 16"));
        assert!(Bank::WITH_DEBTS.begins_with(&list(&[-1])) && !Bank::WITH_DEBTS.begins_with(&"a".into()));
    }

    #[test]
    fn what_is_no_balance_is_named() {
        for answer in [Value::Int(5), list_of("ten"), list_of("[10]")] {
            assert!(matches!(reads(&[answer], &Value::Nil), Err(UnknownWhy::Unsupported { .. })));
        }
        let begins = |initial: &Value| Bank::WITHOUT_DEBTS.begins_with(initial);
        assert!(begins(&100.into()) && begins(&list(&[1, 0])) && begins(&Value::Nil));
        assert!(!begins(&(-1).into()) && !begins(&list(&[-1])) && !begins(&"a".into()));
    }

    fn list_of(text: &str) -> Value {
        Value::List(vec![text.into()])
    }

    #[test]
    fn both_definitions_agree() {
        for initial in [Value::Nil, 4.into(), list(&[2, 2])] {
            for bank in [Bank::WITHOUT_DEBTS, Bank::WITH_DEBTS] {
                compare(&bank, &initial, 4, |random| match random.random_range(0..20) {
                    0 => (READ, Value::Nil, Some(list(&[4 + random.random_range(0..2), 0]))),
                    1 => (READ, Value::Nil, Some(list(&[5, -1]))),
                    2 => (READ, Value::Nil, None),
                    3 => (READ, Value::Nil, Some(list(&[1, 2, 1]))),
                    4 | 5 => (READ, Value::Nil, Some(list(&[2, 3]))),
                    6..8 => (TRANSFER, Value::Nil, Some(Value::Nil)),
                    _ => (READ, Value::Nil, Some(list(&[1, 3]))),
                });
            }
        }
    }
}
