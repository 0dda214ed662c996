//! Tests of our node on a disk of ours: what it acknowledged outlives power losses, and a faulty disk stops it.

use std::{env, fs, path::Path, time::Duration};

use crate::support::{CommandResult, cases, schism, within};

/// Time from the beginning of one fault to that of the next, at most.
const TURN_S: u64 = 7;
/// Power losses of a test unless `SCHISM_POWER_CUTS` says otherwise.
const CUTS: u64 = 2;

/// Runs three nodes under faults that take this many turns, and returns the end and how many of them were injected.
fn disturb(dir: &Path, turns: u64, faults: &str) -> (CommandResult, usize) {
    let time_limit = format!("{}s", turns * TURN_S);
    let load = ["--nodes", "3", "--rate", "200", "--concurrency", "10", "--seed", "5", "--time-limit", &time_limit];
    let limit = Duration::from_secs(turns * TURN_S + 120);
    let ended = within(limit, schism(dir).args(["run", "--faults", faults]).args(load));
    let history = fs::read_to_string(dir.join("store/latest/history.jsonl")).unwrap_or_default();
    let installed = history.lines().filter(|line| line.contains("start-") && line.contains("installed")).count();
    (ended, installed)
}

#[test]
fn no_acknowledged_write_is_lost_with_the_power_of_all_nodes() {
    let cuts = env::var("SCHISM_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().expect("a number of power losses"));
    let all = ["torn", "whole", "reordered", "part"];
    let modes = if cuts > CUTS { &all } else { cases(&all, 1) };
    for mode in modes {
        let dir = tempfile::tempdir().unwrap();
        let share = if cuts > CUTS { cuts.div_ceil(4) } else { CUTS };
        let (ended, installed) = disturb(dir.path(), share, &format!("power-loss:all,mode={mode},entries=strict"));
        assert!(installed as u64 >= share, "{installed}: {ended:?}");
        assert_eq!(ended.code, Some(0), "{mode}: {ended:?}");
        println!("{mode}: {installed} power losses of all nodes");
    }
}

#[test]
fn faults_of_the_leaders_disk_lose_no_acknowledged_write() {
    let faults = [
        "disk-error:leader",
        "crash-at-fsync:leader",
        "disk-slow:leader,delay=100ms",
        "disk-full:leader",
        "disk-read-only:leader",
    ];
    let faults = cases(&faults, 2);
    let dir = tempfile::tempdir().unwrap();
    let (ended, installed) = disturb(dir.path(), faults.len() as u64, &faults.join(","));
    assert!(installed >= faults.len(), "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
