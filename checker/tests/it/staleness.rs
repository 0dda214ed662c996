//! Agreement of the measured staleness with its definitions, on random small histories: shifts are tried one after
//! another against every order.

use checker::{Distribution, Model, Options, StalenessReport, staleness};
use histories::{Function, History, Operation, Outcome, Value, ValueId};

use crate::{
    oracle::can_be_ordered,
    oracles::share_of,
    random::{self, Kind},
};

const HISTORIES: u64 = 600_000;

/// Shift that exceeds any of these histories.
const LONG: u32 = 1000;

const MS: u64 = 1_000_000;

fn is_read(operation: &Operation) -> bool {
    match operation.outcome {
        Outcome::Ok => operation.function == Function::Read,
        Outcome::Mismatch => operation.output != ValueId::UNKNOWN,
        Outcome::Fail | Outcome::Info => false,
    }
}

/// Returns true if these operations can be ordered when each read begins earlier by its shift; at equal times, a begin
/// comes before an end.
fn fits(history: &History, shift: impl Fn(usize) -> u32) -> bool {
    let moved = history.operations.iter().enumerate().filter(|(_, o)| {
        let says_nothing = o.outcome == Outcome::Mismatch && o.output == ValueId::UNKNOWN;
        o.outcome != Outcome::Fail && !says_nothing
    });
    let moved: Vec<Operation> = moved
        .map(|(index, &operation)| {
            let earlier = if is_read(&operation) { shift(index) } else { 0 };
            let completed = match operation.outcome {
                Outcome::Info => operation.completed,
                _ => 2 * (operation.completed + LONG) + 1,
            };
            Operation { invoked: 2 * (operation.invoked + LONG - earlier.min(LONG)), completed, ..operation }
        })
        .collect();
    can_be_ordered(history, &Value::Nil, &moved)
}

/// Returns the least shift with which the history fits; none if no shift suffices.
fn least(history: &History, shift: impl Fn(usize, u32) -> u32) -> Option<u64> {
    let end = 2 * u32::try_from(history.operations.len()).unwrap();
    (0..=end).chain([LONG]).find(|&by| fits(history, |index| shift(index, by))).map(u64::from)
}

/// Value that was set: the begin of its write, the latest moment at which it took effect, and the value from which a
/// cas made it.
struct Set {
    value: ValueId,
    begin: i64,
    effect: i64,
    from: Option<ValueId>,
}

/// Returns all values that took effect, by the definition: a value that was read, or replaced by a cas, did.
fn sets(history: &History) -> Vec<Set> {
    let mut sets = vec![Set { value: ValueId::NIL, begin: -1, effect: -1, from: None }];
    for operation in &history.operations {
        let (value, from) = match (operation.function, operation.outcome) {
            (_, Outcome::Fail | Outcome::Mismatch) | (Function::Read, _) => continue,
            (Function::Cas, _) => (operation.to, Some(operation.input)),
            _ => (operation.input, None),
        };
        let seen = history.operations.iter().filter(|o| is_read(o) && o.output == value);
        let seen = seen.map(|o| i64::from(o.completed)).min().unwrap_or(i64::MAX);
        let done = if operation.outcome == Outcome::Ok { i64::from(operation.completed) } else { i64::MAX };
        sets.push(Set { value, begin: operation.invoked.into(), effect: seen.min(done), from });
    }
    for _ in 0..sets.len() {
        for at in 0..sets.len() {
            if let Some(from) = sets[at].from {
                let effect = sets[at].effect;
                sets.iter_mut().filter(|set| set.value == from).for_each(|set| set.effect = set.effect.min(effect));
            }
        }
    }
    sets.retain(|set| set.effect < i64::MAX);
    sets
}

/// Returns the number of values that were certainly newer than the one this read returned, and in effect when it began.
fn versions(sets: &[Set], read: &Operation) -> u64 {
    let old = sets.iter().find(|set| set.value == read.output).unwrap();
    let mut later = vec![old.value];
    for _ in sets {
        later.extend(
            sets.iter()
                .filter(|set| set.from.is_some_and(|from| later.contains(&from)))
                .map(|s| s.value)
                .collect::<Vec<_>>(),
        );
        later.dedup();
    }
    let newer = |set: &&Set| set.begin > old.effect || set.value != old.value && later.contains(&set.value);
    sets.iter().filter(newer).filter(|set| set.effect < read.invoked.into()).count() as u64
}

fn compare(history: &History, tally: &mut [u64; 4]) {
    let report = staleness(history, &Options::new(Model::Register));
    if report.keys == 0 {
        return;
    }
    let show = || format!("{report:?}\n{:?}", history.operations);
    let shift_all = least(history, |_, by| by);
    assert_eq!(report.delta_ns, shift_all.map(|by| by * MS), "Δ: {}", show());
    if shift_all == Some(0) {
        assert_eq!((report.reads.stale.count, report.flip_flops), (0, None), "{}", show());
        return;
    }
    tally[0] += 1;
    tally[1] += u64::from(shift_all.is_none());
    tally[2] += u64::from(report.reads.stale.count > 0);
    tally[3] += u64::from(report.flip_flops.is_some());
    compare_reads(history, &report, &show);
}

fn compare_reads(history: &History, report: &StalenessReport, show: &dyn Fn() -> String) {
    let sets = sets(history);
    let is_seen_too_early = |set: &Set| set.effect < set.begin;
    if sets.iter().any(is_seen_too_early) {
        return;
    }
    let reads = || history.operations.iter().enumerate().filter(|(_, operation)| is_read(operation));
    assert_eq!(report.reads.reads, reads().count(), "{}", show());
    let mut counts: Vec<u64> = reads().map(|(_, read)| versions(&sets, read)).filter(|&n| n > 0).collect();
    counts.sort_unstable();
    assert_eq!(report.reads.versions, distribution(&counts), "versions: {}", show());
    // Shift that one read needs when all other reads may begin at any time.
    let alone = |reader: usize| least(history, |index, by| if index == reader { by } else { LONG });
    let mut behind: Vec<u64> = reads().map(|(index, _)| alone(index).map_or(u64::MAX, |by| by * MS)).collect();
    behind.retain(|&by| by > 0);
    behind.sort_unstable();
    if sets.iter().all(|set| set.from.is_none()) {
        assert_eq!(report.reads.behind_ns, distribution(&behind), "{}", show());
    } else if let Some(told) = report.reads.behind_ns {
        assert!(told.count <= behind.len(), "over-reported: {}", show());
        let most = behind[behind.len() - told.count..].to_vec();
        let most = distribution(&most).unwrap();
        assert!(told.max <= most.max && told.p50 <= most.p50, "over-reported: {behind:?} {}", show());
    }
}

/// Returns the percentiles of a few sorted numbers.
fn distribution(numbers: &[u64]) -> Option<Distribution> {
    let max = *numbers.last()?;
    let at = |percent: usize| numbers[(percent * numbers.len()).div_ceil(100) - 1];
    Some(Distribution { count: numbers.len(), p50: at(50), p90: at(90), p99: at(99), max })
}

fn measure(seeds: std::ops::Range<u64>) -> [u64; 4] {
    let mut tally = [0; 4];
    seeds.for_each(|seed| compare(&random::history(Kind::Unique, 55 << 32 | seed, 8), &mut tally));
    tally
}

#[test]
fn every_figure_is_what_its_definition_says() {
    let all = share_of(HISTORIES);
    let halves = [0..all / 2, all / 2..all];
    let tally = std::thread::scope(|scope| {
        let threads = halves.map(|seeds| scope.spawn(|| measure(seeds)));
        threads.map(|thread| thread.join().unwrap()).into_iter().reduce(|a, b| std::array::from_fn(|i| a[i] + b[i]))
    });
    let tally = tally.unwrap();
    assert!(tally.iter().all(|&count| count * 1000 >= all), "each must be common: {tally:?}");
}
