//! Tests of the systems in `systems/` that somebody else wrote, on hosts that have them: each is tried out, started,
//! disturbed, and healed.

use std::{collections::BTreeSet, fs, path::Path, sync::Mutex, time::Duration};

use serde_json::Value;

use crate::support::{self, CommandResult, schism, within};

/// Time limit of a command, on a busy machine.
const LIMIT: Duration = Duration::from_mins(4);

/// Returns true if this host has a program of a system and all cases are asked for, and otherwise says that the test
/// skips.
fn is_installed(system: &str, program: &str) -> bool {
    if !support::are_all_asked_for() {
        eprintln!("skipped: only `SCHISM_ORACLES=full` asks for runs of systems that others wrote");
        return false;
    }
    support::is_installed(program, &format!("systems/install {system}"))
}

/// Systems that were tried out: each is so once, with all its workloads, whichever test comes first.
static TRIED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Tries a system out, runs it with a small load under a fault, and returns the end and the results of the run.
fn disturb(system: &str, arguments: &[&str]) -> (CommandResult, Value) {
    let dir = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("systems/{system}.toml"));
    if TRIED.lock().unwrap().insert(system.to_owned()) {
        let tried = within(LIMIT, schism(dir.path()).args(["system", "check"]).arg(&file));
        assert_eq!(tried.code, Some(0), "{tried:?}");
        assert!(tried.out.contains("all as it should be"), "{tried:?}");
    }
    let load = ["--time-limit", "8s", "--rate", "50", "--concurrency", "3", "--seed", "1"];
    let ended = within(LIMIT, schism(dir.path()).arg("run").arg("--system").arg(&file).args(arguments).args(load));
    let results = fs::read(dir.path().join("store/latest/results.json"));
    let results = serde_json::from_slice(&results.unwrap_or_else(|error| panic!("{error}: {ended:?}"))).unwrap();
    (ended, results)
}

/// Checks that the fault was injected, and that the nodes recovered from it.
fn assert_recovered(ended: &CommandResult, results: &Value, fault: &str) {
    assert!(ended.err.contains(&format!("installed: {fault}")), "{ended:?}");
    assert!(ended.err.contains(&format!("over: {fault}")), "{ended:?}");
    assert_eq!(results["not_recovered"], Value::Null, "{ended:?}");
}

#[test]
fn serializable_transactions_of_postgresql_survive_kills() {
    if !is_installed("postgresql", "postgres") {
        return;
    }
    for workload in ["append", "wr"] {
        let load = ["--nodes", "1", "--workload", workload, "--read", "serializable", "--faults", "kill:all"];
        let (ended, results) = disturb("postgresql", &load);
        assert_recovered(&ended, &results, "kill n1");
        assert_ne!(ended.code, Some(1), "{ended:?}");
    }
}

#[test]
fn counters_of_postgresql_survive_kills() {
    if !is_installed("postgresql", "postgres") {
        return;
    }
    let load = ["--nodes", "1", "--workload", "counter", "--read", "read-committed", "--faults", "kill:all"];
    let (ended, results) = disturb("postgresql", &load);
    assert_recovered(&ended, &results, "kill n1");
    assert_ne!(ended.code, Some(1), "{ended:?}");
}

/// Locks with leases may be lost to others while their holders sleep; those without are never.
#[test]
fn locks_of_etcd_survive_pauses() {
    if !is_installed("etcd", "etcd") {
        return;
    }
    for (system, workload) in [("etcd-locks", "lock"), ("etcd", "fenced-lock")] {
        let load = ["--nodes", "3", "--workload", workload, "--read", "linearizable", "--faults", "pause:random"];
        let (ended, results) = disturb(system, &load);
        assert_recovered(&ended, &results, "pause n");
        assert!(system == "etcd-locks" || ended.code != Some(1), "{ended:?}");
    }
}

#[test]
fn etcd_keeps_what_it_acknowledged_when_all_nodes_lose_their_power() {
    if !is_installed("etcd", "etcd") {
        return;
    }
    let load = ["--nodes", "3", "--read", "linearizable", "--faults", "power-loss:all"];
    let (ended, results) = disturb("etcd", &load);
    assert_recovered(&ended, &results, "cut the power of n1 n2 n3");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_master_of_redis_can_be_isolated_and_comes_back() {
    if !is_installed("redis", "redis-server") || !is_installed("redis", "redis-sentinel") {
        return;
    }
    let load = ["--nodes", "3", "--workload", "set", "--read", "master", "--faults", "partition:isolate-leader"];
    let (ended, results) = disturb("redis", &load);
    assert_recovered(&ended, &results, "isolate the leader: n1 | n2 n3");
}

#[test]
fn banks_comments_and_rows_of_postgresql_hold_where_transactions_are_serializable() {
    if !is_installed("postgresql", "postgres") {
        return;
    }
    for workload in ["bank", "comments", "long-fork", "monotonic"] {
        let load = ["--nodes", "1", "--keys", "1", "--workload", workload, "--read", "serializable"];
        let (ended, results) = disturb("postgresql", &[&load[..], &["--faults", "kill:all"]].concat());
        assert_recovered(&ended, &results, "kill n1");
        assert_ne!(ended.code, Some(1), "{ended:?}");
    }
}

#[test]
fn ids_counters_sets_and_logs_of_redis_are_judged_as_properties() {
    if !is_installed("redis", "redis-server") || !is_installed("redis", "redis-sentinel") {
        return;
    }
    for workload in ["unique-ids", "set-full", "pn-counter", "kafka"] {
        let load = ["--nodes", "3", "--workload", workload, "--read", "wait", "--faults", "pause:leader"];
        let (ended, results) = disturb("redis", &load);
        assert_recovered(&ended, &results, "pause n1");
        assert_eq!(results["report"]["property"], workload);
    }
}

#[test]
fn a_leader_of_nats_can_be_paused_and_comes_back() {
    if !is_installed("nats", "nats-server") {
        return;
    }
    let (ended, results) = disturb("nats", &["--nodes", "3", "--read", "direct-get", "--faults", "pause:leader"]);
    assert_recovered(&ended, &results, "pause n");
}

#[test]
fn a_server_of_zookeeper_can_be_killed_and_comes_back() {
    if !is_installed("zookeeper", "java") || !is_installed("zookeeper", "/usr/share/java/zookeeper.jar") {
        return;
    }
    let (ended, results) = disturb("zookeeper", &["--nodes", "1", "--read", "sync", "--faults", "kill:all"]);
    assert_recovered(&ended, &results, "kill n1");
    assert_ne!(ended.code, Some(1), "{ended:?}");
}
