//! Workload `append`: transactions that append unique elements to lists and read them, each over several keys.

use crate::{Action, Answer, Generator, MicroOperation, Mix, Request, Workload, keys::Keys, random::Random};

/// Maximum number of micro-operations in a transaction.
const MAX_LENGTH: u32 = 4;
/// Maximum number of appends to a list, since each read returns all elements; the same as Elle's default.
const MAX_APPENDS: u32 = 32;
/// Number of appends by the probes of a node to one list.
const PROBES_PER_KEY: u32 = 500;

/// Workload of transactions over lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append;

impl Workload for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn about(&self) -> &'static str {
        "transactions that append unique elements to several lists and read them"
    }

    fn model(&self) -> &'static str {
        "list-append"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_APPENDS), ..mix.clone() };
        Box::new(Transactions {
            functions: Random::new(seed, "append function"),
            lengths: Random::new(seed, "append length"),
            keys: Keys::new(seed, "append key", &mix),
            read_percent: mix.read_percent,
            next_element: 1,
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::transaction(vec![MicroOperation::read(key)])
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Appends to one list after another, so that none gets long.
    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::transaction(vec![MicroOperation::append(key - number / PROBES_PER_KEY, number.into())])
    }
}

#[derive(Clone, Debug)]
struct Transactions {
    functions: Random,
    lengths: Random,
    keys: Keys,
    read_percent: u8,
    next_element: i64,
}

impl Transactions {
    fn append(&mut self) -> MicroOperation {
        let key = self.keys.draw();
        self.keys.count_change(key);
        self.next_element += 1;
        MicroOperation::append(key, self.next_element - 1)
    }
}

impl Generator for Transactions {
    fn next(&mut self, _worker: u16) -> Request {
        let only_reads = self.functions.below(100) < u32::from(self.read_percent);
        let length = 1 + self.lengths.below(MAX_LENGTH);
        // One that does not only read appends at least once, at a random place.
        let appends_at = self.functions.below(length);
        let micro_operation = |place| {
            let appends = !only_reads && (place == appends_at || self.functions.below(2) == 0);
            if appends { self.append() } else { MicroOperation::read(self.keys.draw()) }
        };
        Request::transaction((0..length).map(micro_operation).collect())
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        let (Action::Transaction(micro_operations), Answer::Unknown(_)) = (&request.action, answer) else { return };
        for micro_operation in micro_operations.iter().filter(|it| it.value.is_some()) {
            self.keys.count_unknown(micro_operation.key);
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

    #[test]
    fn transactions_are_short_mixed_and_append_each_element_once() {
        let mut generator = Append.generator(1, &Mix::default());
        let (mut lengths, mut elements, mut lists) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::<_, u32>::new());
        let mut mixed = 0;
        for _ in 0..10_000 {
            let request = generator.next(0);
            assert_eq!((request.key, request.f()), (None, TRANSACTION));
            let Action::Transaction(micro_operations) = request.action else { panic!("{request:?}") };
            lengths.insert(micro_operations.len());
            let appends = micro_operations.iter().filter(|it| it.value.is_some());
            for append in appends.clone() {
                assert!(elements.insert(append.value));
                *lists.entry(append.key).or_default() += 1;
            }
            mixed += u32::from((1..micro_operations.len()).contains(&appends.count()));
        }
        assert_eq!(lengths, (1..=4).collect());
        assert!(lists.values().all(|appends| *appends <= MAX_APPENDS));
        assert!(mixed > 1000, "{mixed}");
    }
}
