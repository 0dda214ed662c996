//! Tests of levels below serializable: snapshot isolation against an oracle that tries every order of commits and every
//! snapshot, the status of weaker levels, and the explanation of cycles.

use checker::{
    Level, Limits, LinkEvidence,
    Status::{self, Holds, NotRefuted, Refuted, Unknown},
    TransactionReport, check_transactions,
};
use histories::EventType;

use crate::{
    anomalies::check,
    oracles::share_of,
    transactions::{Kind, Micro, Transaction, apply, history, random},
};

const HISTORIES: u64 = 100_000;

/// Returns true if the transactions can have run on snapshots: each read the effects of the first `n` commits, for some
/// `n`, and its own, and of two that changed the same key the later read from a snapshot that contains the earlier
/// (Adya 1999, section 4.3: PL-SI, without real time).
fn explained_by_snapshots(kind: Kind, all: &[Transaction]) -> bool {
    let left: Vec<&Transaction> = all.iter().filter(|t| t.kind != EventType::Fail).collect();
    rest_explained(kind, &left, &mut vec![vec![Vec::new(); 3]], &mut Vec::new())
}

/// Continues the order. `states[n]` is the state after the first `n` commits; `changed[n]` are the keys that the next
/// one changed.
fn rest_explained(
    kind: Kind,
    left: &[&Transaction],
    states: &mut Vec<Vec<Vec<i64>>>,
    changed: &mut Vec<[bool; 3]>,
) -> bool {
    if left.iter().all(|t| t.kind == EventType::Info) {
        return true;
    }
    (0..left.len()).any(|at| {
        let mut keys = [false; 3];
        for micro in &left[at].micros {
            if let Micro::Change(key, _) = micro {
                keys[*key] = true;
            }
        }
        let rest: Vec<&Transaction> =
            left.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, t)| *t).collect();
        (0..states.len()).any(|snapshot| {
            let is_lost = changed[snapshot..].iter().any(|other| (0..3).any(|key| other[key] && keys[key]));
            if is_lost || !sees(kind, left[at], &states[snapshot]) {
                return false;
            }
            let mut after = states[states.len() - 1].clone();
            for micro in &left[at].micros {
                if let Micro::Change(key, value) = micro {
                    apply(kind, &mut after[*key], *value);
                }
            }
            states.push(after);
            changed.push(keys);
            let found = rest_explained(kind, &rest, states, changed);
            states.pop();
            changed.pop();
            found
        })
    })
}

fn sees(kind: Kind, transaction: &Transaction, snapshot: &[Vec<i64>]) -> bool {
    let mut own = snapshot.to_vec();
    transaction.micros.iter().all(|micro| match micro {
        Micro::Change(key, value) => {
            apply(kind, &mut own[*key], *value);
            true
        }
        Micro::Read(key, found) => transaction.kind == EventType::Info || own[*key] == *found,
    })
}

/// Compares with the oracle; returns how often snapshot isolation is refuted, left open, and holds.
fn agree(kind: Kind) -> [u64; 3] {
    let mut tally = [0; 3];
    for seed in 0..share_of(HISTORIES) {
        let all = random(kind, seed);
        let report = check_transactions(&history(kind, &all), &Limits::none());
        let truth = explained_by_snapshots(kind, &all);
        let place = match report.status(Level::SnapshotIsolation) {
            Refuted => 0,
            NotRefuted => 1,
            Holds => 2,
            Unknown => panic!("there are no limits"),
        };
        assert!(place == 1 || truth == (place == 2), "seed {seed}: {all:#?}\n{report:#?}");
        tally[place] += 1;
        is_told_as_it_is(&report);
    }
    tally
}

/// Checks that each link leads to the next, and the last to the first, and that the claim counts them.
fn is_told_as_it_is(report: &TransactionReport) {
    for anomaly in &report.anomalies {
        assert!(!anomaly.claim.is_empty());
        let count = anomaly.links.len();
        for (place, link) in anomaly.links.iter().enumerate() {
            assert_eq!((link.from, link.to), (anomaly.operations[place], anomaly.operations[(place + 1) % count]));
            let names = format!("so T{} must come before T{}", place + 1, (place + 1) % count + 1);
            assert!(link.sentence.ends_with(&names), "{} {names}", link.sentence);
            assert_eq!(link.sentence.starts_with("yet "), place + 1 == count, "{}", link.sentence);
        }
        if count > 2 {
            assert!(anomaly.claim.starts_with(&format!("{count} transactions of process")), "{}", anomaly.claim);
        }
    }
}

#[test]
fn of_lists_snapshots_are_decided_as_by_trying_all() {
    let [refuted, open, held] = agree(Kind::Lists);
    let all = refuted + open + held;
    assert!(refuted * 10 > all && held * 10 > all && open * 50 < all, "{refuted} {open} {held}");
}

#[test]
fn of_registers_nothing_is_said_of_snapshots_that_trying_all_contradicts() {
    let [refuted, _, held] = agree(Kind::Registers);
    assert!(refuted * 20 > refuted + held && held > 0, "{refuted} {held}");
}

fn statuses(text: &str) -> Vec<Status> {
    Level::ALL.map(|level| check(text).status(level)).to_vec()
}

/// Asserts the status of each level, from strong to weak.
#[track_caller]
fn assert_statuses(text: &str, expected: [Status; 6]) {
    assert_eq!(statuses(text), expected, "{text}");
}

#[test]
fn of_lists_in_order_all_weaker_levels_hold() {
    let skew = "0 0 9 ok r x; r y; append x 1\n1 0 9 ok r x; r y; append y 1\n2 10 11 ok r x 1; r y 1";
    assert_statuses(skew, [Refuted, Refuted, Refuted, Holds, Holds, Holds]);
    let torn = "0 0 9 ok append x 1; append y 1\n1 0 9 ok r x 1; r y";
    assert_statuses(torn, [Refuted, Refuted, Refuted, Refuted, Holds, Holds]);
}

/// Covers two transactions that appended to `z` without any read of it: each missed a change of the other elsewhere, so
/// that neither can have read from the other.
#[test]
fn of_lists_with_loose_ends_snapshots_are_decided() {
    let skew = "0 0 9 ok r x; r y; append x 1; append z 1\n1 0 9 ok r x; r y; append y 1; append z 2";
    let skew = format!("{skew}\n2 10 11 ok r x 1; r y 1");
    assert_statuses(&skew, [Refuted, Refuted, Refuted, Refuted, Holds, Holds]);
    assert_statuses(&skew.replace("; append z 2", ""), [Refuted, Refuted, Refuted, Holds, Holds, Holds]);
}

#[test]
fn of_registers_weaker_levels_are_decided_without_an_order_of_versions() {
    let torn = "0 0 9 ok w x 1; w y 1\n1 0 9 ok r x = 1; r y nil";
    assert_statuses(torn, [Refuted, Refuted, Refuted, Refuted, Holds, Holds]);
}

#[test]
fn the_shortest_cycle_is_told_and_all_are_counted() {
    // A cycle of three transactions that read from each other, two of which already form a cycle; and a cycle of two
    // others.
    let report = check(
        "0 0 9 ok append a 1; append b 1; r c 1; r d 1
         1 0 9 ok r a 1; append c 1
         2 0 9 ok r b 1; append e 1
         3 0 9 ok r e 1; append d 1
         4 0 9 ok append f 1; r g 1
         5 0 9 ok append g 1; r f 1",
    );
    let lengths: Vec<usize> = report.anomalies.iter().map(|anomaly| anomaly.operations.len()).collect();
    assert_eq!(lengths, [2, 2], "{report:#?}");
    assert_eq!((&*report.counts[0].name, report.counts[0].count), ("G1c", 2));
    assert!(
        report
            .anomalies
            .iter()
            .all(|anomaly| anomaly.claim.ends_with("each read or overwrote what the one before had written"))
    );
    is_told_as_it_is(&report);
}

#[test]
fn a_longer_cycle_that_misses_less_is_worse() {
    // Two transactions miss each other's changes; and in a longer cycle, only one misses something.
    let report = check(
        "0 0 9 ok r x; r y; append z 1
         1 0 9 ok append x 1; r z; append y 1; r w 1
         2 0 9 ok r z 1; append w 1
         3 10 11 ok r x 1; r y 1; r z 1; r w 1",
    );
    let worst = &report.anomalies[0];
    let missed = worst.links.iter().filter(|link| matches!(link.evidence, LinkEvidence::Missed { .. })).count();
    assert_eq!((&*worst.name, worst.links.len(), missed), ("G-single", 3, 1), "{report:#?}");
    assert_eq!(report.strongest().map(|strongest| strongest.level), Some(Level::ReadCommitted));
}

#[track_caller]
fn claims(text: &str, expected: &str) {
    let report = check(text);
    let said: Vec<&str> = (report.anomalies.iter())
        .flat_map(|anomaly| anomaly.links.iter().map(|link| &*link.sentence).chain([&*anomaly.claim]))
        .collect();
    assert!(said.contains(&expected), "{said:#?}");
}

#[test]
fn anomalies_are_told_in_words() {
    claims(
        "0 0 1 ok append x 1; r x",
        "transaction by process 0 at 0.000 s contradicts itself on x: it appended 1, then read []",
    );
    claims(
        "0 0 1 ok append x 1\n1 2 3 ok r x 1 2",
        "transaction by process 1 at 0.002 s read 2 in x, which nobody ever added",
    );
    let overwrote = "2 transactions of processes 0 and 1 must each come before the next, and the last before the \
        first: \
        each overwrote what the one before had written";
    claims("0 0 9 ok append x 1; append y 1\n1 0 9 ok append x 2; append y 2\n2 10 11 ok r x 1 2; r y 2 1", overwrote);
    let torn = "0 0 9 ok append x 1; append y 1\n1 0 9 ok r x 1; r y";
    claims(
        torn,
        "transaction by process 1 at 0.000 s read y without 1, although it read 1 in x, which process 0 appended \
        together with the append of 1",
    );
    claims(
        "0 0 1 ok append x 1\n1 4 5 ok r x",
        "transaction by process 1 at 0.004 s read x without 1, although the append of 1 by process 0 had been \
        acknowledged at 0.001 s, 3 ms before the transaction began",
    );
    claims(
        "0 0 1 ok w x 1\n1 4 5 ok r x nil",
        "transaction by process 1 at 0.004 s read nil in x, although the write of 1 by process 0 had been \
        acknowledged at 0.001 s, 3 ms before the transaction began",
    );
    claims(
        "0 0 1 ok append x 1\n0 2 3 ok r x",
        "transaction by process 0 at 0.002 s read x without 1, although the append of 1 by the same process had been \
        acknowledged at 0.001 s",
    );
    claims(torn, "T1 read y at 0.000 s without 1, which T2 appended: so T1 must come before T2");
    claims(torn, "yet T1 read 1 in x (it ended at 0.009 s), which T2 appended there: so T2 must come before T1");
    let lost = "0 0 9 ok r x nil; w x 1\n1 0 9 ok r x nil; w x 2";
    claims(lost, "T1 read nil in x, and T2 read nil there and replaced it by 1: so T1 must come before T2");
    let after = "yet T2 wrote 1 in x, which came right after what was there at first, and T1 wrote 2 there: so T2 \
    must come \
        before T1";
    claims(lost, after);
    let first = "T1 read y before anything was written there, and T2 wrote 1 there: so T1 must come before T2";
    claims("0 0 9 ok w x 1; w y 1\n1 0 9 ok r x = 1; r y nil", first);
    claims(
        "0 0 1 ok w x 1\n1 2 3 ok r x = 2",
        "transaction by process 1 at 0.002 s read 2 in x, which nobody ever wrote",
    );
    claims(
        "0 0 1 fail w x 1\n1 2 3 ok r x = 1",
        "transaction by process 1 at 0.002 s read 1 in x, although transaction by process 0 at 0.000 s, which wrote \
         it, failed",
    );
}

/// Checks that the closest moments are reported of all that show that one version came before another.
#[test]
fn the_closest_moments_show_which_version_came_later() {
    let text = "0 0 1 ok w x 1\n0 2 3 ok w x 2\n2 4 5 ok r x = 2\n3 0 2 ok r x = 1\n1 6 7 ok r x = 1";
    let report = check(text);
    let moments: Vec<String> = (report.anomalies.iter().flat_map(|anomaly| &anomaly.links))
        .filter(|link| matches!(link.evidence, LinkEvidence::Later { .. }))
        .map(|link| link.sentence.clone())
        .collect();
    let back = "process 2 ended a transaction with 2 at 0.005 s, before process 1 began one with 1 at 0.006 s";
    assert!(moments.iter().any(|sentence| sentence.contains(back)), "{moments:#?}");
}

#[test]
fn without_times_events_are_numbered() {
    let mut all = random(Kind::Lists, 0);
    all.clear();
    for (process, micro) in [Micro::Change(0, 1), Micro::Read(0, Vec::new())].into_iter().enumerate() {
        all.push(Transaction {
            process: process as u64,
            invoked: 2 * process,
            completed: 2 * process + 1,
            kind: EventType::Ok,
            micros: vec![micro],
        });
    }
    let report = check_transactions(&history(Kind::Lists, &all), &Limits::none());
    let said: Vec<&str> = report.anomalies[0].links.iter().map(|link| &*link.sentence).collect();
    assert!(
        said.iter().any(|sentence| sentence.contains("T1 had ended at event 1, before T2 was invoked at event 2")),
        "{said:#?}"
    );
}
