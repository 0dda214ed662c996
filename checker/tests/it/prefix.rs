//! Tests of the longest linearizable prefix: bisection finds the same as trying every cut.

use checker::{Model, Options, Prefix, Verdict, check, longest_prefix};
use histories::{History, NEVER, Outcome, Value, ValueId};

use crate::oracles::share_of;
use crate::random::{self, Kind};

/// Checks the history up to the event of this rank as a history of its own.
fn verdict_until(history: &History, last: u32, options: &Options<'_>) -> Verdict {
    let mut cut = history.clone();
    cut.operations.retain(|operation| operation.invoked <= last);
    for operation in &mut cut.operations {
        if operation.completed > last && operation.outcome != Outcome::Fail {
            (operation.completed, operation.output, operation.outcome) = (NEVER, ValueId::UNKNOWN, Outcome::Info);
        }
    }
    check(&cut, options).verdict
}

/// Number of histories of all kinds together.
const HISTORIES: u64 = 20_000;

#[test]
fn halving_finds_the_first_completion_that_no_order_survives() {
    let (mut found, mut early) = (0, 0);
    for (seed, kind) in (0..share_of(HISTORIES))
        .zip([Kind::Unique, Kind::Repeated(2), Kind::Repeated(3), Kind::Text].into_iter().cycle())
    {
        let history = random::history(kind, 91 << 32 | seed, 12);
        let options = Options::new(if kind == Kind::Text { Model::KeyValue } else { Model::Register });
        let mut ends: Vec<(u32, usize)> = (history.operations.iter().zip(0..))
            .filter(|(operation, _)| matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch))
            .map(|(operation, index)| (operation.completed, index))
            .collect();
        ends.sort_unstable();
        let verdicts: Vec<Verdict> = ends.iter().map(|&(end, _)| verdict_until(&history, end, &options)).collect();
        assert!(verdicts.is_sorted_by_key(|&verdict| verdict != Verdict::Linearizable), "{verdicts:?}");
        let first = verdicts.iter().position(|&verdict| verdict == Verdict::NotLinearizable);
        let expected = first.map(|at| ends[at].1);
        let key = history.operations.first().map_or(&Value::Nil, |operation| history.value(operation.key));
        let prefix = longest_prefix(&history, &options, key);
        assert_eq!(prefix.as_ref().map(|prefix| prefix.dies_at), expected, "{:#?}", history.operations);
        found += u64::from(prefix.is_some());
        early += u64::from(first.is_some_and(|at| at + 1 < ends.len()));
        if let Some(Prefix { until_ns, dies_at, order }) = prefix {
            assert_eq!(until_ns, history.times(dies_at).completed_ns);
            let end = history.operations[dies_at].completed;
            let all_before = (history.operations.iter().zip(0_u32..)).filter(|(operation, _)| {
                matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch) && operation.completed < end
            });
            for (_, index) in all_before {
                assert!(order.contains(&index), "{index} is missing in {order:?}: {:#?}", history.operations);
            }
            // Nothing comes before an operation that ended before it began, and nothing begins after the end.
            for (at, &index) in order.iter().enumerate() {
                let invoked = history.operations[index as usize].invoked;
                let later = |&other: &u32| history.operations[other as usize].completed < invoked;
                assert!(invoked < end && !order[at + 1..].iter().any(later), "{order:?}");
            }
        }
    }
    assert!(
        found * 4 > share_of(HISTORIES) && early * 10 > share_of(HISTORIES),
        "only {found}, {early} of them before the end"
    );
}

#[test]
fn what_cannot_be_decided_has_no_prefix() {
    let history = (0..1000)
        .map(|seed| random::history(Kind::Repeated(2), seed, 12))
        .find(|history| check(history, &Options::new(Model::Register)).verdict == Verdict::NotLinearizable)
        .unwrap();
    let key = history.value(history.operations[0].key);
    assert_eq!(longest_prefix(&history, &Options::new(Model::Mutex), key), None, "a lock has no such functions");
    assert_eq!(longest_prefix(&history, &Options::new(Model::Register), &"missing".into()), None);
}
