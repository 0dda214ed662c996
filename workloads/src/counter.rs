//! Workload `counter`: increments of several counters by small numbers, and reads of what they have reached.

use crate::{Action, Answer, Generator, Mix, Request, Workload, keys::Keys, random::Random};

/// Maximum number that is added at once. Different numbers tell a lost increment from one of unknown outcome.
const MAX_INCREMENT: u32 = 5;

/// Workload of counters that only grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter;

impl Workload for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn about(&self) -> &'static str {
        "increments of several counters by small numbers, and reads of them"
    }

    fn model(&self) -> &'static str {
        "counter"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Counters {
            functions: Random::new(seed, "counter function"),
            keys: Keys::new(seed, "counter key", mix),
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
        Request::new(key, Action::Increment((1 + self.functions.below(MAX_INCREMENT)).into()))
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
    fn increments_are_small_and_of_all_sizes() {
        let mut generator = Counter.generator(1, &Mix::default());
        let mut sizes = BTreeSet::new();
        for _ in 0..1000 {
            match generator.next(0).action {
                Action::Increment(by) => drop(sizes.insert(by)),
                action => assert_eq!(action, Action::Count),
            }
        }
        assert_eq!(sizes, (1..=i64::from(MAX_INCREMENT)).collect());
    }
}
