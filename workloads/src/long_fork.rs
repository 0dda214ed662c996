//! Workload `long-fork`: small groups of registers, each register written once, by a transaction of its own, and reads
//! of a whole group. Two reads that see two writes of a group in different orders are a long fork: the anomaly that
//! parallel snapshot isolation allows and snapshot isolation does not (Sovran et al., "Transactional storage for
//! geo-replicated systems", SOSP 2011).

use crate::{Answer, Generator, MicroOperation, Mix, Request, Workload, random::Random};

/// Number of registers in a group.
const GROUP: u32 = 3;

/// Workload of groups of registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongFork;

impl Workload for LongFork {
    fn name(&self) -> &'static str {
        "long-fork"
    }

    fn about(&self) -> &'static str {
        "writes of single registers, each written once, and reads of groups of three"
    }

    fn model(&self) -> &'static str {
        "rw-register"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let groups = u32::from(mix.keys.max(1));
        Box::new(Groups {
            functions: Random::new(seed, "long-fork function"),
            places: Random::new(seed, "long-fork group"),
            read_percent: mix.read_percent,
            groups: (0..groups).map(|number| Group { number, written: 0 }).collect(),
            next_group: groups,
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
    /// Groups in use.
    groups: Vec<Group>,
    next_group: u32,
}

/// Group of registers, whose keys are next to each other.
#[derive(Clone, Copy, Debug)]
struct Group {
    number: u32,
    /// Number of its registers that have been written, in the order of their keys.
    written: u32,
}

impl Group {
    fn keys(self) -> impl Iterator<Item = u32> {
        self.number * GROUP..(self.number + 1) * GROUP
    }
}

impl Generator for Groups {
    fn next(&mut self, _worker: u16) -> Request {
        let count = u32::try_from(self.groups.len()).expect("there are at most 2^16 groups");
        let group = &mut self.groups[self.places.below(count) as usize];
        if self.functions.below(100) < u32::from(self.read_percent) {
            return Request::transaction(group.keys().map(MicroOperation::read_register).collect());
        }
        // Groups are read until another takes their place.
        if group.written == GROUP {
            *group = Group { number: self.next_group, written: 0 };
            self.next_group += 1;
        }
        let key = group.number * GROUP + group.written;
        group.written += 1;
        Request::transaction(vec![MicroOperation::write(key, 1)])
    }

    /// Does nothing: each register is written once, whatever the answers are.
    fn observe(&mut self, _worker: u16, _request: &Request, _answer: &Answer) {}

    fn keys(&self) -> Vec<u32> {
        let retired = (0..self.next_group).filter(|number| self.groups.iter().all(|group| group.number != *number));
        let all = retired.map(|number| Group { number, written: GROUP }).chain(self.groups.iter().copied());
        all.flat_map(Group::keys).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Action;

    #[test]
    fn each_register_is_written_once_and_each_read_is_of_a_group() {
        let mut generator = LongFork.generator(1, &Mix::default());
        let mut written = BTreeSet::new();
        for _ in 0..10_000 {
            let Action::Transaction(micro_operations) = generator.next(0).action else { panic!("no transaction") };
            let keys: Vec<u32> = micro_operations.iter().map(|it| it.key).collect();
            if let [write] = micro_operations[..] {
                assert!(!write.is_read() && written.insert(write.key));
            } else {
                let first = keys[0];
                assert_eq!((first % GROUP, &keys[..]), (0, &[first, first + 1, first + 2][..]));
                assert!(micro_operations.iter().all(MicroOperation::is_read));
            }
        }
        assert!(written.len() > 4500, "{}", written.len());
    }
}
