//! Workload `sequential`: a client writes the registers of a group one after the other, and another reads those of a
//! group that is being written, in reverse order. Once it has seen one, it must see those that were written before.

use std::collections::{BTreeMap, VecDeque};

use crate::{Answer, Generator, MicroOperation, Mix, Request, Workload, random::Random};

/// Number of registers of a group, whose keys are next to each other.
const GROUP: u32 = 3;
/// Number of groups that are read: those that were begun last.
const RECENT: usize = 8;

/// Workload of groups that are written and read register by register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequential;

impl Workload for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn about(&self) -> &'static str {
        "writes of three registers one after the other, and reads of the three in reverse order"
    }

    fn model(&self) -> &'static str {
        "rw-register"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        Box::new(Groups {
            functions: Random::new(seed, "sequential function"),
            places: Random::new(seed, "sequential group"),
            read_percent: mix.read_percent,
            begun: 1,
            under_way: BTreeMap::new(),
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::transaction(vec![MicroOperation::read_register(key)])
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::transaction(vec![MicroOperation::write(key, number.into())])
    }
}

#[derive(Clone, Debug)]
struct Groups {
    functions: Random,
    places: Random,
    read_percent: u8,
    /// Number of groups begun so far; the first is never written.
    begun: u32,
    /// Requests with which each worker goes on.
    under_way: BTreeMap<u16, VecDeque<MicroOperation>>,
}

impl Generator for Groups {
    fn next(&mut self, worker: u16) -> Request {
        let next = self.under_way.entry(worker).or_default();
        if next.is_empty() {
            if self.functions.below(100) < u32::from(self.read_percent) {
                let recent = self.begun.min(u32::try_from(RECENT).expect("it is small"));
                let group = self.begun - 1 - self.places.below(recent);
                next.extend((group * GROUP..(group + 1) * GROUP).rev().map(MicroOperation::read_register));
            } else {
                let keys = self.begun * GROUP..(self.begun + 1) * GROUP;
                self.begun += 1;
                next.extend(keys.map(|key| MicroOperation::write(key, 1)));
            }
        }
        Request::transaction(next.pop_front().into_iter().collect())
    }

    /// Does nothing: each register is written once, whatever the answers are.
    fn observe(&mut self, _worker: u16, _request: &Request, _answer: &Answer) {}

    fn keys(&self) -> Vec<u32> {
        (0..self.begun * GROUP).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Action;

    #[test]
    fn a_group_is_written_forwards_and_read_backwards_by_one_worker_each() {
        let mut generator = Sequential.generator(1, &Mix::default());
        let mut last: BTreeMap<u16, MicroOperation> = BTreeMap::new();
        let mut written = BTreeSet::new();
        for worker in (0..5).cycle().take(9_000) {
            let Action::Transaction(parts) = generator.next(worker).action else { panic!("no transaction") };
            let [part] = parts[..] else { panic!("{parts:?}") };
            let is_first = part.key % GROUP == if part.is_read() { GROUP - 1 } else { 0 };
            let follows = last.get(&worker).is_some_and(|before| {
                let (first, next) = if part.is_read() { (part, *before) } else { (*before, part) };
                before.is_read() == part.is_read() && first.key + 1 == next.key
            });
            assert!(is_first || follows, "{part:?} after {:?}", last.get(&worker));
            assert!(part.is_read() || written.insert(part.key), "{part:?} twice");
            last.insert(worker, part);
        }
        assert!(written.len() > 3_000);
    }
}
