//! Workloads `counter` and `pn-counter`: additions of small numbers to several counters, and reads of them.

use crate::{Action, Generator, Mix, Request, Workload, mixed::Mixed};

/// Counters that only grow, and must be linearizable. Different numbers tell a lost increment from one of unknown
/// outcome.
pub(crate) static COUNTER: Counter = Counter {
    name: "counter",
    about: "increments of several counters by small numbers, and reads of them",
    numbers: &[1, 2, 3, 4, 5],
};

/// Counters that go up and down. What matters is their end: each is then the sum of what was added to it.
pub(crate) static PN_COUNTER: Counter = Counter {
    name: "pn-counter",
    about: "additions of positive and negative numbers to several counters, and reads",
    numbers: &[-5, -4, -3, -2, -1, 1, 2, 3, 4, 5],
};

/// Workload of counters, whose model has the same name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    name: &'static str,
    about: &'static str,
    /// Numbers that are added, all of them as often.
    numbers: &'static [i64],
}

impl Workload for Counter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn model(&self) -> &'static str {
        self.name
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let numbers = self.numbers;
        let count = u32::try_from(numbers.len()).expect("there are few numbers");
        Box::new(Mixed::new(seed, self.name, mix, Action::Count, move |functions| {
            Action::Increment(numbers[functions.below(count) as usize])
        }))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Count)
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    fn probe_write(&self, key: u32, _number: u32) -> Request {
        Request::new(key, Action::Increment(1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_is_added_and_no_other() {
        for counter in [COUNTER, PN_COUNTER] {
            let mut generator = counter.generator(1, &Mix::default());
            let mut numbers = BTreeSet::new();
            for _ in 0..1000 {
                match generator.next(0).action {
                    Action::Increment(number) => drop(numbers.insert(number)),
                    action => assert_eq!(action, Action::Count),
                }
            }
            assert_eq!(numbers, counter.numbers.iter().copied().collect());
        }
    }
}
