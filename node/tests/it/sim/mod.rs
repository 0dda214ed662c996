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

use crate::oracles::share_of;

/// Simulated milliseconds of faults in each run: a dozen election timeouts.
const CHAOS: u64 = 1_200;

/// Runs a cluster; returns the failure, if there is one.
fn run(cluster: &mut Cluster) -> Result<Stats, String> {
    catch_unwind(AssertUnwindSafe(|| cluster.run(CHAOS))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })?;
    Ok(cluster.stats)
}

/// Runs a cluster; repeats a failing run with a trace of the events before the failure.
fn run_or_explain(what: &str, new: impl Fn(bool) -> Cluster) -> Stats {
    if let Ok(stats) = run(&mut new(false)) {
        return stats;
    }
    let mut cluster = new(true);
    let failure = run(&mut cluster).expect_err("a seed replays its run");
    let lines: Vec<String> = cluster.trace.unwrap_or_default().into();
    panic!("{what}: {failure}\n{}", lines.join("\n"));
}

fn run_all(nodes: usize, first_seed: u64, runs: u64) -> Stats {
    let mut total = Stats::default();
    for seed in first_seed..first_seed + runs {
        let new = |trace| Cluster::new(nodes, seed, Defect::None, trace);
        total.add(run_or_explain(&format!("{nodes} nodes, seed {seed}"), new));
    }
    println!("{total:?}");
    total
}

#[test]
fn three_nodes_keep_every_promise_and_recover() {
    let runs = share_of(2_000);
    assert_eventful(run_all(3, 0, runs), runs);
}

#[test]
fn five_nodes_keep_every_promise_and_recover() {
    let runs = share_of(1_200);
    assert_eventful(run_all(5, 100_000, runs), runs);
}

/// Members are added, removed and replaced and leaders handed over, while nodes crash and links are cut.
#[test]
fn changing_clusters_keep_every_promise_and_recover() {
    let (mut total, runs) = (Stats::default(), share_of(1_200));
    for (seed, nodes) in (200_000..200_000 + runs).zip([3, 4, 1].into_iter().cycle()) {
        let new = |trace| Cluster::changing(nodes, seed, None, trace);
        total.add(run_or_explain(&format!("{nodes} nodes and spares, seed {seed}"), new));
    }
    println!("{total:?}");
    assert!(total.changes > runs && total.transfers > runs / 10 && total.crashes > runs * 3 / 2, "{total:?}");
    assert!(total.lease_reads > 8 * runs && total.quorum_reads > 8 * runs, "{total:?}");
    assert!(total.snapshots_received > runs / 10, "{total:?}");
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

fn assert_caught(defect: Defect, limit: u64, by: &[&str]) {
    let how = |seed| run(&mut Cluster::new(3, seed, defect, false)).err().map(|how| (seed, how));
    let (seed, how) = (0..limit).find_map(how).unwrap_or_else(|| panic!("{defect:?} went unnoticed in {limit} runs"));
    println!("{defect:?} was caught in run {seed}: {how}");
    assert!(by.iter().any(|by| how.contains(by)), "{defect:?} was caught by another rule than expected: {how}");
}

#[test]
fn a_node_that_answers_before_its_disk_is_caught() {
    assert_caught(
        Defect::AnswersBeforeDurable,
        2_000,
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

/// Checks that random changes show a planted defect.
fn assert_planted_is_caught(defect: node::Defect, nodes: usize, limit: u64) {
    let safety = ["election safety", "leader completeness", "state machine safety", "log matching", "stale read"];
    let unsafe_how = |seed| {
        let how = run(&mut Cluster::changing(nodes, seed, Some(defect), false)).err()?;
        safety.iter().any(|rule| how.contains(rule)).then_some((seed, how))
    };
    let caught = (0..limit).find_map(unsafe_how);
    println!("{defect} was caught: {:?}", caught.unwrap_or_else(|| panic!("{defect} went unnoticed in {limit} runs")));
}

#[test]
fn changes_that_wait_for_their_commit_are_caught() {
    assert_planted_is_caught(node::Defect::ChangesWaitForCommit, 4, 2_000);
}

#[test]
fn forgotten_members_are_caught() {
    assert_planted_is_caught(node::Defect::RestartForgetsMembers, 3, 1_000);
}

#[test]
fn learners_that_count_are_caught() {
    assert_planted_is_caught(node::Defect::LearnersCount, 3, 2_000);
}

#[test]
fn reads_on_removed_nodes_are_caught() {
    assert_planted_is_caught(node::Defect::RemovedNodeReads, 3, 500);
}
