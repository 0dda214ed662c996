//! Workloads `set` and `set-full`: additions of unique elements to a few sets, and reads of a whole set.

use crate::{Action, Generator, Mix, Request, Workload, mixed::Mixed};

/// Maximum number of additions to a set: each read returns all elements.
const MAX_ADDITIONS: u32 = 200;

/// Sets that must be linearizable.
pub(crate) static SET: Set =
    Set { name: "set", about: "additions of unique elements to several sets, and reads of a whole set" };

/// Sets that must not lose an element.
pub(crate) static SET_FULL: Set =
    Set { name: "set-full", about: "the same; no element may be lost, and how long reads miss one is measured" };

/// Workload of sets that only grow, whose model has the same name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    name: &'static str,
    about: &'static str,
}

impl Workload for Set {
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
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_ADDITIONS), ..mix.clone() };
        let mut elements = 1..;
        Box::new(Mixed::new(seed, "set", &mix, Action::Elements, move |_| {
            Action::Add(elements.next().expect("no run has time for so many"))
        }))
    }

    fn final_read(&self, key: u32) -> Request {
        Request::new(key, Action::Elements)
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Adds the same element again and again.
    fn probe_write(&self, key: u32, _number: u32) -> Request {
        Request::new(key, Action::Add(0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn elements_are_unique_and_sets_stay_small() {
        let mut generator = SET.generator(1, &Mix { read_percent: 30, ..Mix::default() });
        let (mut elements, mut sizes) = (BTreeSet::new(), BTreeMap::<_, u32>::new());
        for _ in 0..10_000 {
            let Request { key, action } = generator.next(0);
            if let Action::Add(element) = action {
                assert!(elements.insert(element));
                *sizes.entry(key).or_default() += 1;
            }
        }
        assert!(elements.len() > 6500);
        assert!(sizes.values().all(|size| *size <= MAX_ADDITIONS));
    }
}
