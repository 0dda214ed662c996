//! List of the workloads, each of which is one file.

use std::sync::LazyLock;

use crate::{
    Workload,
    bank::Bank,
    comments::Comments,
    counter::{COUNTER, PN_COUNTER},
    kafka::Kafka,
    lock::{FENCED_LOCK, LEASED_LOCK, LOCK},
    long_fork::LongFork,
    monotonic::Monotonic,
    multi_register::MultiRegister,
    queue::Queue,
    register::{CAS, CAUSAL, REGISTER},
    sequential::Sequential,
    set::{SET, SET_FULL},
    transactions::{APPEND, WR},
    unique_ids::UniqueIds,
};

/// List of the workloads, in the order in which they are offered.
pub static WORKLOADS: &[&dyn Workload] = &[
    &REGISTER,
    &SET,
    &Queue,
    &APPEND,
    &WR,
    &LongFork,
    &CAS,
    &MultiRegister,
    &COUNTER,
    &LOCK,
    &FENCED_LOCK,
    &UniqueIds,
    &Bank,
    &SET_FULL,
    &PN_COUNTER,
    &Comments,
    &Sequential,
    &Kafka,
    &CAUSAL,
    &LEASED_LOCK,
    &Monotonic,
];

/// Returns the names of all workloads, in the same order.
pub fn workload_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> =
        LazyLock::new(|| WORKLOADS.iter().map(|workload| workload.name()).collect());
    &NAMES
}

/// Returns the workload of this name.
pub fn workload(name: &str) -> Option<&'static dyn Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.name() == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Action, Answer, Mix, Request};

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = WORKLOADS.iter().map(|workload| workload.name()).collect();
        assert_eq!(names.len(), WORKLOADS.len());
        for name in names {
            assert_eq!(workload(name).map(Workload::name), Some(name));
        }
        assert!(workload("nothing").is_none());
    }

    /// Returns the first requests of three workers in turn, all of which time out.
    fn requests(workload: &dyn Workload, seed: u64, mix: &Mix) -> Vec<Request> {
        let mut generator = workload.generator(seed, mix);
        let workers = (0..3).cycle().take(300);
        workers
            .map(|worker| {
                let request = generator.next(worker);
                generator.observe(worker, &request, &Answer::Unknown(String::new()));
                request
            })
            .collect()
    }

    #[test]
    fn the_seed_decides_every_request() {
        for &workload in WORKLOADS {
            let requests = |seed| requests(workload, seed, &Mix::default());
            assert_eq!(requests(1), requests(1), "{workload:?}");
            assert_ne!(requests(1), requests(2), "{workload:?}");
        }
    }

    /// Returns true if some of its operations only read.
    fn has_reads(workload: &dyn Workload) -> bool {
        workload.probe_read(0).action.is_read()
    }

    #[test]
    fn the_share_of_reads_is_as_asked_for() {
        for &workload in WORKLOADS.iter().filter(|workload| has_reads(**workload)) {
            for (read_percent, expected) in [(0, 0..=0), (50, 120..=180), (100, 300..=300)] {
                let mix = Mix { read_percent, cas_percent: 0, ..Mix::default() };
                // Those that ask for ids only do that.
                let expected = if workload.name() == "unique-ids" { 0..=0 } else { expected };
                let reads = requests(workload, 3, &mix).iter().filter(|request| request.action.is_read()).count();
                assert!(expected.contains(&reads), "{workload:?}: {reads} at {read_percent} %");
            }
        }
    }

    /// Returns the keys that a request changes; the first of a group that is one object.
    fn changed(request: &Request) -> Vec<u32> {
        match &request.action {
            Action::Transaction(micro_operations) if request.key.is_none() => {
                micro_operations.iter().filter(|it| !it.is_read()).map(|it| it.key).collect()
            }
            action if action.is_read() => Vec::new(),
            _ => request.key.into_iter().collect(),
        }
    }

    #[test]
    fn no_key_has_more_changes_of_unknown_outcome_than_allowed_and_every_key_is_known() {
        for &workload in WORKLOADS {
            let mix = Mix { unknowns_per_key: 3, ..Mix::default() };
            let mut generator = workload.generator(5, &mix);
            let mut changes = std::collections::BTreeMap::<u32, u32>::new();
            for worker in (0..3).cycle().take(500) {
                let request = generator.next(worker);
                for key in changed(&request) {
                    *changes.entry(key).or_default() += 1;
                }
                generator.observe(worker, &request, &Answer::Unknown(String::new()));
            }
            // A transaction may have more than one change.
            assert!(changes.values().all(|count| *count < 3 + 4), "{workload:?}: {changes:?}");
            let keys = generator.keys();
            assert!(changes.keys().all(|key| keys.contains(key)), "{workload:?}");
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{workload:?}");
        }
    }

    #[test]
    fn probes_and_final_reads_are_what_they_say_and_touch_no_key_of_the_load() {
        for &workload in WORKLOADS {
            let far = |request: &Request| match &request.action {
                Action::Transaction(micro_operations) => micro_operations.iter().all(|it| it.key > 1 << 31),
                _ => request.key.is_some_and(|key| key > 1 << 31),
            };
            let (read, write) = (workload.probe_read(u32::MAX), workload.probe_write(u32::MAX, 2_000_000));
            assert!(read.action.is_read() == has_reads(workload) && !write.action.is_read(), "{workload:?}");
            assert!(far(&read) && far(&write), "{workload:?}");
            assert!(workload.ends_final_read(&Answer::Value(histories::Value::Nil)), "{workload:?}");
            assert!(!workload.ends_final_read(&Answer::NotDone(String::new())), "{workload:?}");
        }
    }
}
