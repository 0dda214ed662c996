//! Workload `multi-register`: transactions that write unique values to the registers of a small group and read them.
//! Each group is one object, and is judged by itself.

use crate::{Action, Answer, Generator, MicroOperation, Mix, Request, Workload, keys::Keys, random::Random};

/// Number of registers in a group.
const GROUP: u32 = 3;
/// Maximum number of changing transactions on a group: only the general search decides it, and makes its violations
/// small.
const MAX_CHANGES: u32 = 50;
/// Maximum number of those of unknown outcome.
const MAX_UNKNOWNS: u32 = 5;

/// Workload of groups of registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MultiRegister;

impl Workload for MultiRegister {
    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn about(&self) -> &'static str {
        "transactions that write and read the registers of groups of three"
    }

    fn model(&self) -> &'static str {
        "multi-register"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix {
            mutations_per_key: mix.mutations_per_key.min(MAX_CHANGES),
            unknowns_per_key: mix.unknowns_per_key.min(MAX_UNKNOWNS),
            ..mix.clone()
        };
        Box::new(Groups {
            functions: Random::new(seed, "multi-register function"),
            numbers: Keys::new(seed, "multi-register group", &mix),
            read_percent: mix.read_percent,
            next_value: 1,
        })
    }

    /// Reads the whole group that begins with the key.
    fn final_read(&self, key: u32) -> Request {
        transaction(key, (key..key + GROUP).map(MicroOperation::read_register).collect())
    }

    fn probe_read(&self, key: u32) -> Request {
        transaction(key, vec![MicroOperation::read_register(key)])
    }

    fn probe_write(&self, key: u32, number: u32) -> Request {
        transaction(key, vec![MicroOperation::write(key, number.into())])
    }
}

/// Returns a transaction on the group whose first register has this key.
fn transaction(key: u32, micro_operations: Vec<MicroOperation>) -> Request {
    Request::new(key, Action::Transaction(micro_operations))
}

#[derive(Clone, Debug)]
struct Groups {
    functions: Random,
    /// Numbers of groups, the keys of whose registers are next to each other.
    numbers: Keys,
    read_percent: u8,
    next_value: i64,
}

impl Generator for Groups {
    /// Returns a transaction on some registers of a group, in the order of a circle, each once. One that does not only
    /// read writes at least one of them.
    fn next(&mut self, _worker: u16) -> Request {
        let number = self.numbers.draw();
        let only_reads = self.functions.below(100) < u32::from(self.read_percent);
        let (first, length) = (self.functions.below(GROUP), 1 + self.functions.below(GROUP));
        let writes_at = self.functions.below(length);
        if !only_reads {
            self.numbers.count_change(number);
        }
        let micro_operation = |place| {
            let register = number * GROUP + (first + place) % GROUP;
            if only_reads || (place != writes_at && self.functions.below(2) == 0) {
                return MicroOperation::read_register(register);
            }
            self.next_value += 1;
            MicroOperation::write(register, self.next_value - 1)
        };
        transaction(number * GROUP, (0..length).map(micro_operation).collect())
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        if let (Some(key), false, Answer::Unknown(_)) = (request.key, request.action.is_read(), answer) {
            self.numbers.count_unknown(key / GROUP);
        }
    }

    fn keys(&self) -> Vec<u32> {
        self.numbers.all().into_iter().map(|number| number * GROUP).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_transaction_stays_in_its_group_and_each_value_is_written_once() {
        let mut generator = MultiRegister.generator(1, &Mix::default());
        let (mut written, mut lengths, mut mixed) = (BTreeSet::new(), BTreeSet::new(), 0);
        for _ in 0..10_000 {
            let Request { key: Some(key), action: Action::Transaction(parts) } = generator.next(0) else {
                panic!("no transaction of a group")
            };
            let registers: BTreeSet<u32> = parts.iter().map(|part| part.key).collect();
            assert!(key % GROUP == 0 && registers.iter().all(|register| register / GROUP == key / GROUP));
            assert_eq!(registers.len(), parts.len(), "each register once");
            lengths.insert(parts.len());
            let writes = parts.iter().filter_map(MicroOperation::argument);
            mixed += u32::from((1..parts.len()).contains(&writes.clone().count()));
            assert!(writes.into_iter().all(|value| written.insert(value)));
        }
        assert_eq!(lengths, (1..=3).collect());
        assert!(mixed > 1000, "{mixed}");
    }

    #[test]
    fn a_final_read_is_of_a_whole_group() {
        let registers = [9, 10, 11].map(MicroOperation::read_register).to_vec();
        assert_eq!(MultiRegister.final_read(9), Request::new(9, Action::Transaction(registers)));
    }
}
