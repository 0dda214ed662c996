//! Agreement of the verdicts on small random histories of transactions with an oracle that tries every order.

use std::sync::atomic::{AtomicUsize, Ordering};

use checker::{Level, Limits, Memory, Status, TransactionReport, UnknownWhy, check_transactions};
use histories::{EventType, History};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{
    isolation::{self, Op, Txn},
    oracles::share_of,
};

const HISTORIES: u64 = 300_000;

#[derive(Clone, Debug)]
pub(crate) enum Micro {
    /// Key, value.
    Change(usize, i64),
    /// Key, and the result; for a register, at most one value.
    Read(usize, Vec<i64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub process: u64,
    pub invoked: usize,
    pub completed: usize,
    pub kind: EventType,
    pub micros: Vec<Micro>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lists,
    Registers,
}

/// Generates transactions of three clients on a few keys, each of which takes effect in one step at its beginning or
/// its end; often a result is changed afterwards.
pub(crate) fn random(kind: Kind, seed: u64) -> Vec<Transaction> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let count = rng.random_range(2..=6);
    let keys = rng.random_range(1..=3);
    let mut held: Vec<Vec<Vec<i64>>> = vec![vec![Vec::new()]; keys];
    let (mut all, mut open): (Vec<Transaction>, Vec<(usize, bool)>) = (Vec::new(), Vec::new());
    let (mut rank, mut next, mut clients, mut process) = (0, 0, vec![0, 1, 2], 3);
    while all.len() < count || !open.is_empty() {
        let begins = all.len() < count && !clients.is_empty() && (open.is_empty() || rng.random_range(0..5) < 3);
        if begins {
            let client = clients.swap_remove(rng.random_range(0..clients.len()));
            let micros = (0..rng.random_range(1..=3)).map(|_| {
                let key = rng.random_range(0..keys);
                next += 1;
                if rng.random_range(0..2) == 0 { Micro::Change(key, next) } else { Micro::Read(key, Vec::new()) }
            });
            let micros = micros.collect();
            all.push(Transaction {
                process: client,
                invoked: rank,
                completed: usize::MAX,
                kind: EventType::Info,
                micros,
            });
            let now = rng.random_range(0..2) == 0;
            if now {
                run(kind, &mut rng, &mut held, all.last_mut().unwrap());
            }
            open.push((all.len() - 1, now));
        } else {
            let (at, ran) = open.swap_remove(rng.random_range(0..open.len()));
            let choice = rng.random_range(0..20);
            all[at].kind = [EventType::Info, EventType::Info, EventType::Fail][choice.min(2)];
            if choice > 2 {
                all[at].kind = EventType::Ok;
            }
            all[at].completed = rank;
            // An aborted transaction takes effect sometimes, and one of unknown outcome half of the time.
            if !ran && (choice > 2 || rng.random_range(0..2) == 0) {
                run(kind, &mut rng, &mut held, &mut all[at]);
            }
            if choice < 2 {
                clients.push(process);
                process += 1;
            } else {
                clients.push(all[at].process);
            }
        }
        rank += 1;
    }
    mutate(kind, &mut rng, &mut all);
    all
}

/// Runs a transaction against the newest state of each key, or sometimes an older one.
fn run(kind: Kind, rng: &mut Pcg64, held: &mut [Vec<Vec<i64>>], transaction: &mut Transaction) {
    let weak = rng.random_range(0..6) == 0;
    let mut own: Vec<Vec<i64>> = held.iter().map(|states| states[states.len() - 1].clone()).collect();
    if weak {
        let key = rng.random_range(0..held.len());
        own[key].clone_from(&held[key][rng.random_range(0..held[key].len())]);
    }
    for micro in &mut transaction.micros {
        match micro {
            Micro::Change(key, value) => {
                apply(kind, &mut own[*key], *value);
                let mut newest = held[*key].last().unwrap().clone();
                apply(kind, &mut newest, *value);
                held[*key].push(newest);
            }
            Micro::Read(key, found) => found.clone_from(&own[*key]),
        }
    }
}

pub(crate) fn apply(kind: Kind, state: &mut Vec<i64>, value: i64) {
    if kind == Kind::Registers {
        state.clear();
    }
    state.push(value);
}

fn mutate(kind: Kind, rng: &mut Pcg64, all: &mut [Transaction]) {
    if rng.random_range(0..3) > 0 {
        return;
    }
    let at = rng.random_range(0..all.len());
    let values: Vec<i64> = all
        .iter()
        .flat_map(|t| &t.micros)
        .filter_map(|micro| match micro {
            Micro::Change(_, value) => Some(*value),
            Micro::Read(..) => None,
        })
        .collect();
    for micro in &mut all[at].micros {
        if let Micro::Read(_, found) = micro {
            match rng.random_range(0..5) {
                0 => drop(found.pop()),
                1 if found.len() > 1 => found.swap(0, 1),
                2 if !found.is_empty() => drop(found.remove(0)),
                3 if !values.is_empty() => {
                    if kind == Kind::Registers {
                        found.clear();
                    }
                    found.push(values[rng.random_range(0..values.len())]);
                }
                _ => {}
            }
        }
    }
}

pub(crate) fn history(kind: Kind, all: &[Transaction]) -> History {
    let op = |micro: &Micro| match (kind, micro) {
        (Kind::Lists, Micro::Change(key, value)) => Op::Append(*key, *value),
        (Kind::Lists, Micro::Read(key, found)) => Op::Lists(*key, found.clone()),
        (Kind::Registers, Micro::Change(key, value)) => Op::Write(*key, *value),
        (Kind::Registers, Micro::Read(key, found)) => Op::Holds(*key, found.last().copied()),
    };
    let txn = |transaction: &Transaction| {
        let Transaction { process, invoked, completed, kind: end, ref micros } = *transaction;
        Txn { process, invoked, completed, end, ops: micros.iter().map(op).collect() }
    };
    isolation::history(&all.iter().map(txn).collect::<Vec<_>>())
}

/// Returns true if some order of all committed transactions and some of unknown outcome explains everything at this
/// level.
pub(crate) fn explained(kind: Kind, all: &[Transaction], level: Level) -> bool {
    let left: Vec<&Transaction> = all.iter().filter(|t| t.kind != EventType::Fail).collect();
    rest_explained(kind, &left, level, &mut vec![Vec::new(); 3])
}

fn rest_explained(kind: Kind, left: &[&Transaction], level: Level, held: &mut Vec<Vec<i64>>) -> bool {
    if left.iter().all(|t| t.kind == EventType::Info) {
        return true;
    }
    (0..left.len()).any(|at| {
        let next = left[at];
        let must_wait = left.iter().any(|other| {
            let before = other.kind == EventType::Ok && other.completed < next.invoked;
            before
                && (level == Level::StrictSerializable
                    || level == Level::StrongSessionSerializable && other.process == next.process)
        });
        let saved = held.clone();
        let fits = !must_wait
            && next.micros.iter().all(|micro| match micro {
                Micro::Change(key, value) => {
                    apply(kind, &mut held[*key], *value);
                    true
                }
                Micro::Read(key, found) => next.kind == EventType::Info || held[*key] == *found,
            });
        let rest: Vec<&Transaction> =
            left.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, t)| *t).collect();
        let found = fits && rest_explained(kind, &rest, level, held);
        *held = saved;
        found
    })
}

const EXACT: [Level; 3] = [Level::StrictSerializable, Level::StrongSessionSerializable, Level::Serializable];

fn check(history: &History) -> TransactionReport {
    check_transactions(history, &Limits::none())
}

#[test]
fn of_lists_every_level_with_an_order_is_decided_as_by_trying_all_orders() {
    let mut tally = [[0_u64; 2]; 3];
    for seed in 0..share_of(HISTORIES) {
        let all = random(Kind::Lists, seed);
        let report = check(&history(Kind::Lists, &all));
        for (place, level) in EXACT.into_iter().enumerate() {
            let truth = explained(Kind::Lists, &all, level);
            let expected = if truth { Status::Holds } else { Status::Refuted };
            assert_eq!(report.status(level), expected, "seed {seed}, {level}: {all:#?}\n{report:#?}");
            tally[place][usize::from(truth)] += 1;
        }
        assert_eq!(report.order.is_some(), report.status(Level::Serializable) == Status::Holds);
        assert_eq!(
            report.anomalies.is_empty(),
            report.status(Level::StrictSerializable) == Status::Holds,
            "seed {seed}"
        );
    }
    // Histories that satisfy one level and not the next occur.
    assert!(
        tally[0][0] > tally[1][0] && tally[1][0] > tally[2][0] && tally[2][0] * 10 > share_of(HISTORIES),
        "{tally:?}"
    );
    assert!(tally[0][1] * 5 > share_of(HISTORIES), "{tally:?}");
}

#[test]
fn of_registers_nothing_is_said_that_trying_all_orders_contradicts() {
    // For each level: histories that cannot be ordered, those of them that are found; histories that can, and those of
    // them that are proven.
    let mut tally = [[0_u64; 4]; 3];
    for seed in 0..share_of(HISTORIES) {
        let all = random(Kind::Registers, seed);
        let report = check(&history(Kind::Registers, &all));
        for (place, level) in EXACT.into_iter().enumerate() {
            let truth = explained(Kind::Registers, &all, level);
            let status = report.status(level);
            let allowed = if truth { Status::Holds } else { Status::Refuted };
            let fits = status == allowed || status == Status::NotRefuted;
            assert!(fits, "seed {seed}, {level}: {all:#?}\n{report:#?}");
            tally[place][usize::from(truth) * 2] += 1;
            tally[place][usize::from(truth) * 2 + 1] += u64::from(status == allowed);
        }
    }
    for [wrong, refuted, right, proven] in tally {
        assert!(wrong * 10 > share_of(HISTORIES) && right * 10 > share_of(HISTORIES), "{tally:?}");
        assert!(refuted * 100 > wrong * 98 && proven * 100 > right * 90, "{tally:?}");
    }
}

#[test]
fn what_leaves_an_order_possible_keeps_every_level_that_held() {
    let mut rng = Pcg64::seed_from_u64(99);
    let mut held = 0;
    for seed in 0..share_of(HISTORIES) / 10 {
        let all = random(Kind::Lists, seed);
        let before = check(&history(Kind::Lists, &all));
        // The processes are renumbered, and one end is moved behind everything or becomes unknown.
        let mut changed = all.clone();
        for transaction in &mut changed {
            transaction.process = 1000 - transaction.process;
        }
        assert_eq!(check(&history(Kind::Lists, &changed)).levels, before.levels, "seed {seed}");
        let last = changed.iter().max_by_key(|t| t.invoked).map(|t| t.process);
        let at = rng.random_range(0..changed.len());
        let process = changed[at].process;
        let goes_on = changed.iter().any(|t| t.process == process && t.invoked > changed[at].invoked);
        if !goes_on && last.is_some() && changed[at].kind == EventType::Ok {
            changed[at].completed = 1000;
            if rng.random_range(0..2) == 0 {
                changed[at].kind = EventType::Info;
            }
            let after = check(&history(Kind::Lists, &changed));
            for level in EXACT.into_iter().filter(|level| before.status(*level) == Status::Holds) {
                assert_eq!(after.status(level), Status::Holds, "seed {seed}: {changed:#?}");
                held += 1;
            }
        }
    }
    assert!(held > share_of(HISTORIES) / 20, "{held}: the test compares nothing");
}

#[test]
fn limits_in_time_are_asked_within_phases_and_those_in_memory_are_kept() {
    let change = |at: usize| Transaction {
        process: 0,
        invoked: 2 * at,
        completed: 2 * at + 1,
        kind: EventType::Ok,
        micros: vec![Micro::Change(at % 3, i64::try_from(at).unwrap())],
    };
    let all: Vec<Transaction> = (0..20_000).map(change).collect();
    for kind in [Kind::Lists, Kind::Registers] {
        let history = history(kind, &all);
        let asked = AtomicUsize::new(0);
        let checked = |last: usize, max_memory_bytes: usize| {
            asked.store(0, Ordering::Relaxed);
            let keep_going = || asked.fetch_add(1, Ordering::Relaxed) < last;
            let memory = Memory::new(max_memory_bytes);
            check_transactions(&history, &Limits { keep_going: &keep_going, memory: &memory, ..Limits::none() })
        };
        assert_eq!(checked(usize::MAX, 1 << 30).status(Level::StrictSerializable), Status::Holds);
        let times = asked.load(Ordering::Relaxed);
        assert!(times > 10, "{times}: asked only between phases");
        for last in 0..times {
            let report = checked(last, 1 << 30);
            assert_eq!(report.status(Level::ReadUncommitted), Status::Unknown);
            assert!(matches!(report.why, Some(UnknownWhy::Time { completed: 20_000, .. })), "{:?}", report.why);
            assert_eq!(asked.load(Ordering::Relaxed), last + 1, "nothing goes on once time is over");
        }
        let report = checked(usize::MAX, 1 << 20);
        assert_eq!(report.status(Level::ReadUncommitted), Status::Unknown);
        assert!(matches!(report.why, Some(UnknownWhy::Memory { completed: 20_000, .. })), "{:?}", report.why);
    }
}
