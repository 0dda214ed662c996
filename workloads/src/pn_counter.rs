//! Workload `pn-counter`: additions of positive and negative numbers to a few counters, and reads. What matters is
//! their end: each counter is then the sum of what was added to it.

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Largest number that is added, and the negative of the smallest.
const MAX_NUMBER: i64 = 5;

/// Workload of counters that go up and down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PnCounter;

impl Workload for PnCounter {
    fn name(&self) -> &'static str {
        "pn-counter"
    }

    fn about(&self) -> &'static str {
        "additions of positive and negative numbers to several counters, and reads"
    }

    fn model(&self) -> &'static str {
        "pn-counter"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Counters {
            functions: Random::new(seed, "pn-counter function"),
            numbers: Random::new(seed, "pn-counter number"),
            keys: Keys::new(seed, "pn-counter key", mix),
            read_percent: mix.read_percent,
        })
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

#[derive(Clone, Debug)]
struct Counters {
    functions: Random,
    numbers: Random,
    keys: Keys,
    read_percent: u8,
}

impl Generator for Counters {
    fn next(&mut self, _worker: u16) -> Request {
        let key = self.keys.draw();
        if self.functions.below(100) < u32::from(self.read_percent) {
            return Request::new(key, Action::Count);
        }
        self.keys.count_change(key);
        let number = i64::from(self.numbers.below(10)) - MAX_NUMBER;
        // Nothing is added in vain.
        Request::new(key, Action::Increment(if number < 0 { number } else { number + 1 }))
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        self.keys.observe(request, answer);
    }

    fn keys(&self) -> Vec<u32> {
        self.keys.all()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_go_up_and_down_and_are_never_zero() {
        let mut generator = PnCounter.generator(1, &Mix::default());
        let mut numbers = BTreeSet::new();
        for _ in 0..1000 {
            if let Action::Increment(number) = generator.next(0).action {
                numbers.insert(number);
            }
        }
        assert_eq!(numbers, (-5..=-1).chain(1..=5).collect());
    }
}
