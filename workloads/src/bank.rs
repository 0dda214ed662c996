//! Workload `bank`: banks of eight accounts that begin with ten each, transfers between two accounts of a bank, and
//! reads of all its balances at one moment. A transfer that would leave a balance below zero is refused.

use histories::Value;

use crate::{Action, Generator, Mix, Request, Workload, mixed::Mixed, random::Random};

/// Number of accounts of a bank.
pub const ACCOUNTS: u16 = 8;
/// Balance of each account before the first transfer.
pub const BEGINNING: i64 = 10;
/// Maximum amount of a transfer.
const MAX_AMOUNT: u32 = 5;

/// Workload of banks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank;

impl Workload for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> &'static str {
        "transfers between accounts of several banks, and reads of all balances of a bank"
    }

    fn model(&self) -> &'static str {
        "bank"
    }

    /// Returns the balances, by which the model knows all accounts.
    fn initial(&self) -> Value {
        Value::List(vec![BEGINNING.into(); ACCOUNTS.into()])
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mut transfers = Random::new(seed, "bank transfer");
        Box::new(Mixed::new(seed, "bank", mix, Action::Balances, move |_| {
            let mut account = |other: u16| {
                let number = transfers.below(u32::from(ACCOUNTS - other));
                u16::try_from(number).expect("there are few accounts")
            };
            let from = account(0);
            let to = (from + 1 + account(1)) % ACCOUNTS;
            Action::Transfer { from, to, amount: i64::from(1 + transfers.below(MAX_AMOUNT)) }
        }))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Balances)
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    fn probe_write(&self, key: u32, _number: u32) -> Request {
        Request::new(key, Action::Transfer { from: 0, to: 1, amount: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_model_knows_every_account() {
        assert_eq!(Bank.initial(), Value::List([10, 10, 10, 10, 10, 10, 10, 10].map(Value::Int).to_vec()));
    }

    #[test]
    fn money_goes_from_each_account_to_each_other() {
        let mut generator = Bank.generator(1, &Mix { read_percent: 30, ..Mix::default() });
        let (mut pairs, mut amounts) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..10_000 {
            if let Action::Transfer { from, to, amount } = generator.next(0).action {
                assert!(from < ACCOUNTS && to < ACCOUNTS && from != to);
                pairs.insert((from, to));
                amounts.insert(amount);
            }
        }
        assert_eq!((pairs.len(), amounts), (8 * 7, (1..=5).collect()));
    }
}
