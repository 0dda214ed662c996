//! Share of histories of transactions on registers for which the verdict stays open, since the order of versions must
//! be inferred: correct random histories of some size, and histories with a violation.
//! `cargo test -p checker --test it undecided -- --nocapture` prints the shares.

#![allow(clippy::print_stdout, reason = "the shares are printed for who asks")]

use checker::{Level, Limits, Status, check_transactions};
use histories::{Event, EventType, History, HistoryBuilder, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Parameters of a generated history.
#[derive(Clone, Copy, Debug)]
struct Load {
    transactions: usize,
    clients: usize,
    keys: usize,
    /// Percentage of steps that are reads.
    reads: u32,
    /// Number of transactions that read an old state.
    stale: usize,
}

#[derive(Clone)]
struct OpenTransaction {
    ops: Vec<(usize, Option<i64>)>,
    found: Vec<Option<i64>>,
    acts_at: usize,
    ends_at: usize,
}

/// Generates a history in which each transaction takes effect at one moment between its begin and its end; the end of
/// one in thirty is unknown.
fn history(load: Load, seed: u64) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut held: Vec<Vec<Option<i64>>> = vec![vec![None]; load.keys];
    let mut open: Vec<(u64, Option<OpenTransaction>)> =
        (0..load.clients as u64).map(|process| (process, None)).collect();
    let (mut begun, mut next, mut processes, mut time) = (0, 0, load.clients as u64, 0);
    let stale_every = load.transactions.checked_div(load.stale).unwrap_or(usize::MAX);
    let mut builder = HistoryBuilder::default();
    let event =
        |process, kind, value| Event { value: Some(value), ..Event::new(Process::Client(process), kind, "txn") };
    while begun < load.transactions || open.iter().any(|(_, open)| open.is_some()) {
        time += 1;
        let at = rng.random_range(0..open.len());
        let process = open[at].0;
        let Some(mut txn) = open[at].1.take() else {
            if begun < load.transactions {
                begun += 1;
                let ops = (0..rng.random_range(1..=4)).map(|_| {
                    next += 1;
                    (rng.random_range(0..load.keys), (rng.random_range(0..100) >= load.reads).then_some(next))
                });
                let ops: Vec<(usize, Option<i64>)> = ops.collect();
                builder.push(event(process, EventType::Invoke, shown(&ops, &[]))).unwrap();
                let ends_at = time + rng.random_range(2..40);
                open[at].1 =
                    Some(OpenTransaction { ops, found: Vec::new(), acts_at: rng.random_range(time..ends_at), ends_at });
            }
            continue;
        };
        if txn.found.is_empty() && txn.acts_at <= time {
            let is_stale = stale_every < usize::MAX && begun % stale_every == stale_every / 2;
            txn.found = act(&mut rng, &mut held, &txn.ops, is_stale);
        }
        if txn.ends_at > time || txn.found.is_empty() {
            open[at].1 = Some(txn);
        } else if rng.random_range(0..30) == 0 {
            builder.push(event(process, EventType::Info, shown(&txn.ops, &[]))).unwrap();
            open[at].0 = processes;
            processes += 1;
        } else {
            builder.push(event(process, EventType::Ok, shown(&txn.ops, &txn.found))).unwrap();
        }
    }
    builder.finish()
}

/// Returns the result of each read and the value of each write.
fn act(
    rng: &mut Pcg64,
    held: &mut [Vec<Option<i64>>],
    ops: &[(usize, Option<i64>)],
    is_stale: bool,
) -> Vec<Option<i64>> {
    let mut own: Vec<Option<i64>> = held.iter().map(|versions| versions[versions.len() - 1]).collect();
    if is_stale {
        let key = ops[0].0;
        let back = rng.random_range(1..=4.min(held[key].len()));
        own[key] = held[key][held[key].len() - back];
    }
    let step = |(key, written): &(usize, Option<i64>)| {
        if written.is_some() {
            own[*key] = *written;
            held[*key].push(*written);
        }
        own[*key]
    };
    ops.iter().map(step).collect()
}

fn shown(ops: &[(usize, Option<i64>)], found: &[Option<i64>]) -> Value {
    let ops = ops.iter().enumerate().map(|(place, (key, written))| {
        let key = Value::from(format!("k{key}").as_str());
        let value = written.or_else(|| found.get(place).copied().flatten()).map_or(Value::Nil, Value::Int);
        Value::List(vec![if written.is_some() { "w" } else { "r" }.into(), key, value])
    });
    Value::List(ops.collect())
}

const LEVELS: [Level; 4] =
    [Level::StrictSerializable, Level::StrongSessionSerializable, Level::Serializable, Level::SnapshotIsolation];

/// Returns, of `count` histories, the numbers that are open and that are refuted at each of [`LEVELS`].
fn tally(load: Load, count: u64) -> [[u64; 2]; 4] {
    let mut tally = [[0; 2]; 4];
    for seed in 0..count {
        let report = check_transactions(&history(load, seed), &Limits::none());
        for (place, level) in LEVELS.into_iter().enumerate() {
            tally[place][0] += u64::from(matches!(report.status(level), Status::NotRefuted | Status::Unknown));
            tally[place][1] += u64::from(report.status(level) == Status::Refuted);
        }
        for level in [Level::ReadCommitted, Level::ReadUncommitted] {
            assert!(matches!(report.status(level), Status::Holds | Status::Refuted), "seed {seed}, {level}");
        }
    }
    tally
}

/// Prints the shares, and checks that at most one in a hundred is open.
fn share(name: &str, load: Load, count: u64) {
    let tally = tally(load, count);
    println!(
        "{name}, {} transactions, {} keys, {} % reads: {count} histories",
        load.transactions, load.keys, load.reads
    );
    for (level, [open, refuted]) in LEVELS.iter().zip(tally) {
        println!("  {level}: {open} open, {refuted} refuted");
        assert!(open * 100 <= count, "{load:?}, {level}: {tally:?}");
        assert!(load.stale > 0 || refuted == 0, "{load:?}, {level}: {tally:?}");
    }
}

#[test]
fn right_histories_on_registers_are_known_to_be() {
    for (transactions, clients, keys, reads, count) in
        [(12, 4, 2, 50, 400), (40, 5, 3, 50, 200), (40, 10, 3, 20, 200), (200, 10, 4, 50, 30), (2000, 10, 4, 10, 1)]
    {
        share("right", Load { transactions, clients, keys, reads, stale: 0 }, count);
    }
}

#[test]
fn wrong_histories_on_registers_are_known_to_be_or_to_be_right_after_all() {
    for (transactions, clients, keys, reads, count) in
        [(12, 4, 2, 50, 400), (40, 5, 3, 50, 200), (40, 10, 3, 20, 200), (200, 10, 4, 50, 30)]
    {
        share("wrong", Load { transactions, clients, keys, reads, stale: 1 + transactions / 50 }, count);
    }
}
