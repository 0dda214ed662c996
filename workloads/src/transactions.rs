//! Workloads of transactions, each over several keys: `append`, which appends unique elements to lists and reads them,
//! and `wr`, which writes unique values to registers and reads them.

use crate::{Answer, Generator, MicroOperation, Mix, Request, Workload, keys::Keys, random::Random};

/// Maximum number of micro-operations in a transaction.
const MAX_LENGTH: u32 = 4;
/// Maximum number of changes of a key; the same as Elle's default. Each read of a list returns all its elements.
const MAX_CHANGES: u32 = 32;
/// Number of changes by the probes of a node to one key.
const PROBES_PER_KEY: u32 = 500;

/// Transactions over lists.
pub(crate) static APPEND: Transactions = Transactions {
    name: "append",
    about: "transactions that append unique elements to several lists and read them",
    model: "list-append",
    read: MicroOperation::read_list,
    change: MicroOperation::append,
};

/// Transactions over registers.
pub(crate) static WR: Transactions = Transactions {
    name: "wr",
    about: "transactions that write unique values to several registers and read them",
    model: "rw-register",
    read: MicroOperation::read_register,
    change: MicroOperation::write,
};

/// Workload of transactions that change objects of one kind and read them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transactions {
    name: &'static str,
    about: &'static str,
    model: &'static str,
    read: fn(u32) -> MicroOperation,
    change: fn(u32, i64) -> MicroOperation,
}

impl Workload for Transactions {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_CHANGES), ..mix.clone() };
        Box::new(TransactionGenerator {
            workload: *self,
            // The names are those of `append` in both workloads: seeds must go on to mean the same.
            functions: Random::new(seed, "append function"),
            lengths: Random::new(seed, "append length"),
            keys: Keys::new(seed, "append key", &mix),
            read_percent: mix.read_percent,
            next_value: 1,
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::transaction(vec![(self.read)(key)])
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Changes one key after another, so that no list gets long.
    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::transaction(vec![(self.change)(key - number / PROBES_PER_KEY, number.into())])
    }
}

#[derive(Clone, Debug)]
struct TransactionGenerator {
    workload: Transactions,
    functions: Random,
    lengths: Random,
    keys: Keys,
    read_percent: u8,
    next_value: i64,
}

impl TransactionGenerator {
    fn change(&mut self) -> MicroOperation {
        let key = self.keys.draw();
        self.keys.count_change(key);
        self.next_value += 1;
        (self.workload.change)(key, self.next_value - 1)
    }
}

impl Generator for TransactionGenerator {
    fn next(&mut self, _worker: u16) -> Request {
        let only_reads = self.functions.below(100) < u32::from(self.read_percent);
        let length = 1 + self.lengths.below(MAX_LENGTH);
        // One that does not only read changes something at least once, at a random place.
        let changes_at = self.functions.below(length);
        let micro_operation = |place| {
            let changes = !only_reads && (place == changes_at || self.functions.below(2) == 0);
            if changes { self.change() } else { (self.workload.read)(self.keys.draw()) }
        };
        Request::transaction((0..length).map(micro_operation).collect())
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        if matches!(answer, Answer::Unknown(_)) {
            request.changes().for_each(|change| self.keys.count_unknown(change.key));
        }
    }

    fn keys(&self) -> Vec<u32> {
        self.keys.all()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use histories::TRANSACTION;

    use super::*;
    use crate::Action;

    #[test]
    fn transactions_are_short_mixed_and_make_each_change_once() {
        for (workload, change) in [(APPEND, "append"), (WR, "w")] {
            let mut generator = workload.generator(1, &Mix::default());
            let (mut lengths, mut values, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::<_, u32>::new());
            let mut mixed = 0;
            for _ in 0..10_000 {
                let request = generator.next(0);
                assert_eq!((request.key, request.f()), (None, TRANSACTION));
                let Action::Transaction(micro_operations) = request.action else { panic!("{request:?}") };
                lengths.insert(micro_operations.len());
                let changes = micro_operations.iter().filter(|it| !it.is_read());
                for it in changes.clone() {
                    assert_eq!(it.name(), change);
                    assert!(values.insert(it.argument()));
                    *keys.entry(it.key).or_default() += 1;
                }
                mixed += u32::from((1..micro_operations.len()).contains(&changes.count()));
            }
            assert_eq!(lengths, (1..=4).collect());
            assert!(keys.values().all(|changes| *changes <= MAX_CHANGES));
            assert!(mixed > 1000, "{mixed}");
        }
    }
}
