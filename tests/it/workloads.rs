//! Tests of the workloads on real processes: what each finds, and that its run is judged again without being told how.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{CommandResult, cases, run};

/// Carries out a run of a workload on three nodes whose leader is cut off, with reads in this mode.
fn run_workload(dir: &Path, workload: &str, read: &str, seed: &str) -> CommandResult {
    let load = ["--workload", workload, "--read", read, "--nodes", "3", "--time-limit", "6s", "--seed", seed];
    run(dir, &[&["run"], &load[..]].concat())
}

/// Runs a workload against basic Raft reads, which must not pass, and returns its results. On a host that is too busy
/// to ask a deposed leader in time, another seed may do so.
fn violated(dir: &Path, workload: &str) -> Value {
    let first = run_workload(dir, workload, "leader", "1");
    let ended = if first.code == Some(0) { run_workload(dir, workload, "leader", "2") } else { first };
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains(&format!(", leader reads, workload {workload}, faults ")), "{}", ended.out);
    let latest = dir.join("store/latest");
    let name = fs::canonicalize(&latest).unwrap().parent().unwrap().file_name().unwrap().to_owned();
    assert_eq!(name, *format!("schism-{workload}-leader"));
    let read = |file: &str| serde_json::from_slice::<Value>(&fs::read(latest.join(file)).unwrap()).unwrap();
    assert_eq!(read("test.json")["workload"], workload);
    let results = read("results.json");
    assert_eq!(results["verdict"], "not-linearizable");
    let coverage = &results["coverage"];
    assert!(coverage["writes"].as_u64() > Some(0) && coverage["deposed"]["reads_answered"].as_u64() > Some(0));
    assert_eq!(results["not_recovered"], Value::Null, "final reads succeed");
    results
}

fn judged_again(dir: &Path, claim: &str) -> CommandResult {
    let report = run(dir, &["report", "store/latest"]);
    assert_eq!(report.code, Some(1), "{report:?}");
    let page = fs::read_to_string(dir.join("store/latest/report.html")).unwrap();
    assert!(page.contains("What went wrong") && page.contains(claim), "{claim} is not on the page");
    assert!(!page.contains("What holds instead"), "weaker models are those of reads and writes");
    let ended = run(dir, &["check", "store/latest"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended
}

#[test]
fn a_stale_read_of_a_set_lacks_what_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let results = violated(dir.path(), "set");
    assert_eq!((&results["ladder"], &results["staleness"]), (&Value::Null, &Value::Null));
    let ended = judged_again(dir.path(), " by process");
    assert!(ended.out.contains("not linearizable: "), "{}", ended.out);
}

#[test]
fn a_stale_peek_at_a_queue_is_found() {
    let dir = tempfile::tempdir().unwrap();
    violated(dir.path(), "queue");
    let ended = judged_again(dir.path(), "peek");
    assert!(ended.out.contains("not linearizable: ") && ended.out.contains("peek"), "{}", ended.out);
}

#[test]
fn stale_reads_of_counters_and_of_groups_of_registers_are_found() {
    for (workload, function) in cases(&[("counter", "read"), ("multi-register", "txn")], 1) {
        let dir = tempfile::tempdir().unwrap();
        violated(dir.path(), workload);
        let ended = judged_again(dir.path(), function);
        assert!(ended.out.contains("not linearizable: "), "{}", ended.out);
    }
}

#[test]
fn a_stale_read_of_few_values_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let results = violated(dir.path(), "cas");
    assert_ne!(results["ladder"], Value::Null, "weaker models are those of registers");
}

/// Runs workloads under a partition of the leader, with reads that ask a majority, or without any reads.
#[test]
fn workloads_whose_operations_go_through_a_majority_hold() {
    let all = ["counter", "lock", "cas", "multi-register", "fenced-lock", "leased-lock", "causal"];
    for workload in cases(&all, 2) {
        let dir = tempfile::tempdir().unwrap();
        let ended = run_workload(dir.path(), workload, "quorum", "1");
        assert_eq!(ended.code, Some(0), "{workload}: {ended:?}");
        let results = fs::read(dir.path().join("store/latest/results.json")).unwrap();
        let results: Value = serde_json::from_slice(&results).unwrap();
        assert!(results["coverage"]["writes"].as_u64() > Some(100), "{workload}: {}", results["coverage"]);
        assert_eq!(results["not_recovered"], Value::Null, "{workload}: final reads succeed");
    }
}

/// Asserts that transactions are at fault only by real time, or by the order of a process, whose writes a new leader
/// may not have applied yet.
fn assert_is_serializable(results: &Value) {
    let anomaly = results["transactions"]["anomalies"][0]["name"].as_str().unwrap();
    assert!(anomaly.ends_with("-realtime") || anomaly.ends_with("-process"), "{anomaly}");
}

#[test]
fn a_stale_transaction_is_not_strict_serializable() {
    let dir = tempfile::tempdir().unwrap();
    let results = violated(dir.path(), "append");
    assert_is_serializable(&results);
    let ended = judged_again(dir.path(), "not strict serializable");
    assert!(ended.out.contains("not strict serializable: "), "{}", ended.out);
}

#[test]
fn stale_transactions_on_registers_are_not_strict_serializable() {
    for workload in cases(&["wr", "long-fork", "sequential"], 1) {
        let dir = tempfile::tempdir().unwrap();
        let results = violated(dir.path(), workload);
        assert_is_serializable(&results);
        judged_again(dir.path(), "not strict serializable");
    }
}

#[test]
fn a_comment_that_is_missing_from_a_stale_read_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let results = violated(dir.path(), "comments");
    assert_is_serializable(&results);
}

/// Stale reads are no violation of properties that say nothing about time; they show in the figures of a set.
#[test]
fn properties_hold_with_stale_reads() {
    let all = ["set-full", "bank", "unique-ids", "pn-counter", "kafka", "causal", "monotonic"];
    for &workload in cases(&all, 2) {
        let dir = tempfile::tempdir().unwrap();
        let ended = run_workload(dir.path(), workload, "leader", "1");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(&format!("the property {workload} holds: ")), "{}", ended.out);
        let results = fs::read(dir.path().join("store/latest/results.json")).unwrap();
        let results: Value = serde_json::from_slice(&results).unwrap();
        assert_eq!(results["report"]["property"], workload);
        let late = results["report"]["figures"]["stale"].as_u64();
        assert_eq!(late.is_some_and(|late| late > 0), workload == "set-full", "{late:?} elements of {workload}");
        let again = run(dir.path(), &["check", "store/latest"]);
        assert_eq!(again.code, Some(0), "{again:?}");
    }
}

#[test]
fn a_campaign_goes_over_workloads() {
    let dir = tempfile::tempdir().unwrap();
    let workloads = [
        "register",
        "set",
        "queue",
        "append",
        "wr",
        "long-fork",
        "cas",
        "multi-register",
        "counter",
        "lock",
        "fenced-lock",
        "unique-ids",
        "bank",
        "set-full",
        "pn-counter",
        "comments",
        "sequential",
        "kafka",
        "causal",
        "leased-lock",
        "monotonic",
    ];
    let list = workloads.join(",");
    let small =
        ["campaign", "--store", "all", "--nodes", "3", "--time-limit", "1s", "--rate", "100", "--faults", "none"];
    let all: Vec<&str> = small.into_iter().chain(["--reads", "quorum", "--seeds", "1", "--workloads", &list]).collect();
    let ended = run(dir.path(), &all);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = dir.path().join("all/campaign.json");
    let summary: Value = serde_json::from_slice(&fs::read(summary).unwrap()).unwrap();
    let runs = summary["runs"].as_array().unwrap().iter();
    assert_eq!(runs.map(|run| run["workload"].as_str().unwrap()).collect::<Vec<_>>(), workloads);
    for (number, workload) in (1..).zip(workloads) {
        let folder = dir.path().join(format!("all/runs/{number:03}-schism-{workload}-quorum-none/seed-1"));
        assert!(folder.join("report.html").exists(), "{} is missing", folder.display());
        assert!(ended.out.contains(&format!(", {workload}")), "{workload} has a column: {}", ended.out);
    }
}

/// Resumes a campaign that was begun when the folders of its cells did not name the workload.
#[test]
fn a_campaign_with_names_as_they_were_is_resumed_under_these() {
    let dir = tempfile::tempdir().unwrap();
    let planned = [
        "campaign",
        "--store",
        "old",
        "--nodes",
        "3",
        "--time-limit",
        "1s",
        "--rate",
        "100",
        "--faults",
        "none",
        "--reads",
        "quorum",
        "--seeds",
        "1",
        "--workloads",
        "set",
    ];
    assert_eq!(run(dir.path(), &planned).code, Some(0));
    let old = dir.path().join("old");
    fs::rename(old.join("runs/001-schism-set-quorum-none"), old.join("runs/001-schism-quorum-none")).unwrap();
    for file in ["plan.json", "runs/001-schism-quorum-none/seed-1/record.json"] {
        let mut json: Value = serde_json::from_slice(&fs::read(old.join(file)).unwrap()).unwrap();
        assert!(file != "plan.json" || json["names-workloads"] == true, "{json:#}");
        json.as_object_mut().unwrap().remove("names-workloads");
        if json.get("id").is_some() {
            json["id"] = "001-schism-quorum-none/seed-1".into();
        }
        fs::write(old.join(file), json.to_string()).unwrap();
    }
    let record =
        || fs::metadata(old.join("runs/001-schism-quorum-none/seed-1/record.json")).unwrap().modified().unwrap();
    let before = record();
    for resumed in [&["campaign", "--resume", "--store", "old"][..], &[&planned[..], &["--resume"]].concat()] {
        let ended = run(dir.path(), resumed);
        assert_eq!(ended.code, Some(0), "{resumed:?}: {ended:?}");
        assert_eq!(fs::read_dir(old.join("runs")).unwrap().count(), 1, "{resumed:?} repeated the run");
        assert_eq!(record(), before, "{resumed:?}");
    }
}

#[test]
fn a_workload_that_there_is_not_is_refused_with_those_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    for command in [["run", "--workload"], ["campaign", "--workloads"]] {
        let ended = run(dir.path(), &[command[0], command[1], "nothing"]);
        assert_eq!(ended.code, Some(64), "{ended:?}");
        assert!(
            ended.err.contains("nothing") && ended.err.contains("register, set, queue, append, wr, long-fork"),
            "{}",
            ended.err
        );
    }
}
