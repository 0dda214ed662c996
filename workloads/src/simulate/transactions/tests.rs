//! Tests of the shape of histories of transactions, and of the presence of planted violations.

use std::collections::BTreeMap;

use histories::{EventType, Process, Value};

use super::{TransactionSimulation, Violation};

const PLAN: TransactionSimulation = TransactionSimulation {
    transactions: 2000,
    clients: 5,
    keys: 3,
    unknown_percent: 5,
    always_overlapping: false,
    violation: None,
    violations: 0,
    seed: 1,
};

fn lines(plan: TransactionSimulation) -> (bool, Vec<String>) {
    let mut lines = Vec::new();
    let planted = plan.run(|event| {
        lines.push(serde_json::to_string(event).unwrap());
        Ok::<(), ()>(())
    });
    (planted.unwrap(), lines)
}

#[test]
fn each_transaction_begins_and_ends_with_four_micro_operations_on_short_lists() {
    let (mut begun, mut ended) = (0, 0);
    let planted = PLAN.run(|event| {
        *if event.kind == EventType::Invoke { &mut begun } else { &mut ended } += 1;
        let Some(Value::List(micros)) = &event.value else { panic!("{event:?}") };
        assert_eq!(micros.len(), 4);
        for micro in micros {
            let Value::List(parts) = micro else { panic!("{event:?}") };
            assert!(!matches!(&parts[2], Value::List(list) if list.len() > 32), "{event:?}");
        }
        Ok::<(), ()>(())
    });
    assert_eq!((planted, begun, ended), (Ok(true), 2000, 2000));
}

#[test]
fn a_seed_means_the_same_events_and_stale_reads_change_them() {
    assert_eq!(lines(PLAN), lines(PLAN));
    assert_ne!(lines(PLAN), lines(TransactionSimulation { seed: 2, ..PLAN }));
    let (planted, changed) =
        lines(TransactionSimulation { violation: Some(Violation::StaleRead), violations: 4, ..PLAN });
    assert!(planted);
    let differ = lines(PLAN).1.iter().zip(&changed).filter(|(a, b)| a != b).count();
    assert_eq!(differ, 4, "only the answers of the transactions that read what was stale");
}

#[test]
fn where_nothing_can_be_planted_it_says_so() {
    for violation in [Violation::StaleRead, Violation::LostWrite] {
        let plan = TransactionSimulation { transactions: 1, violation: Some(violation), violations: 1, ..PLAN };
        assert!(!lines(plan).0);
    }
}

/// Returns the number of acknowledged appends that a later read misses, the number of those where it returns a later
/// append, and the number of those that some read returns.
fn lost(plan: TransactionSimulation) -> (bool, [usize; 3]) {
    let mut acknowledged: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    let mut reads: BTreeMap<i64, Vec<(usize, Vec<i64>)>> = BTreeMap::new();
    let (mut invoked, mut place) = (BTreeMap::new(), 0);
    let planted = plan.run(|event| {
        place += 1;
        let Process::Client(process) = event.process else { panic!("{event:?}") };
        if event.kind == EventType::Invoke {
            invoked.insert(process, place);
        }
        let Some(Value::List(micros)) = event.value.as_ref().filter(|_| event.kind == EventType::Ok) else {
            return Ok::<(), ()>(());
        };
        for micro in micros {
            let Value::List(parts) = micro else { panic!("{event:?}") };
            match &parts[..] {
                [_, Value::Int(key), Value::Int(value)] => drop(acknowledged.insert((*key, *value), place)),
                [_, Value::Int(key), Value::List(list)] => {
                    let list = list.iter().map(|value| if let Value::Int(value) = value { *value } else { panic!() });
                    reads.entry(*key).or_default().push((invoked[&process], list.collect()));
                }
                _ => panic!("{event:?}"),
            }
        }
        Ok(())
    });
    let mut counts = [0; 3];
    for (&(key, value), &at) in &acknowledged {
        let of_key = reads.get(&key).map_or(&[][..], Vec::as_slice);
        let mut missing = of_key.iter().filter(|(begun, list)| *begun > at && !list.contains(&value)).peekable();
        if missing.peek().is_some() {
            let is_later = |other: &i64| acknowledged.get(&(key, *other)).is_some_and(|&later| later > at);
            counts[0] += 1;
            counts[1] += usize::from(missing.any(|(_, list)| list.iter().any(is_later)));
            counts[2] += usize::from(of_key.iter().any(|(_, list)| list.contains(&value)));
        }
    }
    (planted.unwrap(), counts)
}

#[test]
fn lost_appends_are_missed_by_later_reads_and_seen_by_none() {
    let (mut planted, mut with_later) = (0, 0);
    for seed in 0..20 {
        for (keys, violations, always_overlapping) in [(1, 1, false), (3, 1, true), (3, 5, false), (40, 3, true)] {
            let plan = TransactionSimulation { keys, always_overlapping, seed, ..PLAN };
            assert_eq!(lost(plan), (true, [0; 3]));
            let (is_there, [missed, later, seen]) =
                lost(TransactionSimulation { violation: Some(Violation::LostWrite), violations, ..plan });
            assert_eq!((is_there, missed, seen), (true, violations as usize, 0), "{keys} keys, seed {seed}");
            planted += missed;
            with_later += later;
        }
    }
    assert!(planted == 200 && with_later > 190, "{with_later} of {planted} with what was appended later");
}
