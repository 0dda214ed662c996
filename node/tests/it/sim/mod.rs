//! Simulation of whole clusters in one thread and simulated time. Safety (figure 3, and linearizability of reads) is
//! checked after every step, recovery at the end. One seed determines everything; a failure prints it, with the last
//! events.

mod actions;
mod cluster;
mod disk;
mod faults;
mod host;
mod oracle;
mod shapes;
mod stats;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cluster::Cluster;
use faults::Defect;
use stats::Stats;

/// Simulated milliseconds of faults in each run: a dozen election timeouts.
const CHAOS: u64 = 1_200;

/// Runs one seed; returns the failure, if there is one.
fn run(nodes: usize, seed: u64, defect: Defect, cluster: &mut Option<Cluster>, trace: bool) -> Result<Stats, String> {
    let cluster = cluster.insert(Cluster::new(nodes, seed, defect, trace));
    catch_unwind(AssertUnwindSafe(|| cluster.run(CHAOS))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })?;
    Ok(cluster.stats)
}

/// Runs each seed; repeats a failing one with a trace of the events before the failure.
fn run_all(nodes: usize, seeds: std::ops::Range<u64>) -> Stats {
    let mut total = Stats::default();
    for seed in seeds {
        let mut cluster = None;
        if let Ok(stats) = run(nodes, seed, Defect::None, &mut cluster, false) {
            total.add(stats);
            continue;
        }
        let failure = run(nodes, seed, Defect::None, &mut cluster, true).expect_err("a seed replays its run");
        let trace = cluster.and_then(|cluster| cluster.trace).unwrap_or_default();
        let lines: Vec<String> = trace.into();
        panic!("{nodes} nodes, seed {seed}: {failure}\n{}", lines.join("\n"));
    }
    println!("{total:?}");
    total
}

#[test]
fn three_nodes_keep_every_promise_and_recover() {
    let total = run_all(3, 0..2_000);
    assert_eventful(total, 2_000);
}

#[test]
fn five_nodes_keep_every_promise_and_recover() {
    let total = run_all(5, 100_000..101_200);
    assert_eventful(total, 1_200);
}

/// Checks that enough happened in the runs: safety of idle clusters would mean nothing.
fn assert_eventful(total: Stats, runs: u64) {
    let Stats {
        leaders, crashes, writes, quorum_reads, lease_reads, compactions, snapshots_received, truncations, ..
    } = total;
    assert!(leaders > 2 * runs && crashes > 2 * runs && writes > 10 * runs, "{total:?}");
    assert!(quorum_reads > 10 * runs && lease_reads > 10 * runs, "{total:?}");
    assert!(compactions > runs && snapshots_received > runs / 10 && truncations > runs / 10, "{total:?}");
}

/// Returns the first seed that detects `defect`, and the rule that was violated.
fn first_caught(defect: Defect, limit: u64) -> (u64, String) {
    let caught = (0..limit).find_map(|seed| run(3, seed, defect, &mut None, false).err().map(|how| (seed, how)));
    caught.unwrap_or_else(|| panic!("{defect:?} went unnoticed in {limit} runs"))
}

fn assert_caught(defect: Defect, limit: u64, by: &[&str]) {
    let (seed, how) = first_caught(defect, limit);
    println!("{defect:?} was caught in run {seed}: {how}");
    assert!(by.iter().any(|by| how.contains(by)), "{defect:?} was caught by another rule than expected: {how}");
}

#[test]
fn a_node_that_answers_before_its_disk_is_caught() {
    assert_caught(
        Defect::AnswersBeforeDurable,
        500,
        &["leader completeness", "state machine safety", "election safety"],
    );
}

#[test]
fn a_node_that_forgets_its_vote_is_caught() {
    assert_caught(Defect::ForgetsVote, 3_000, &["election safety", "two leaders in one term"]);
}

#[test]
fn a_disk_that_loses_entries_is_caught() {
    assert_caught(Defect::LosesEntries, 500, &["leader completeness", "state machine safety", "liveness"]);
}

#[test]
fn reads_of_basic_raft_are_caught() {
    assert_caught(Defect::TrustsLeaderReads, 500, &["stale read: Leader"]);
}

#[test]
fn a_clock_beyond_the_promise_breaks_lease_reads_and_no_others() {
    assert_caught(Defect::SlowClock, 500, &["stale read: Lease"]);
}

#[test]
fn a_leader_that_confirms_itself_is_caught() {
    assert_caught(Defect::InventedAnswers, 500, &["stale read: Quorum", "stale read: Lease"]);
}
