//! Tests of `schism simulate` through the binary: its exit codes, what it prints, and what it stores.

use std::{fs, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    json,
    runs::poll,
    support::{CommandResult, in_time, run, schism},
};

/// Options of a run that is soon over, and in which each read mode but `local` holds.
const SHORT: [&str; 6] = ["--nodes", "3", "--time-limit", "2s", "--faults", "none"];

fn simulate(dir: &std::path::Path, more: &[&str]) -> CommandResult {
    in_time(schism(dir).arg("simulate").args(SHORT).args(more))
}

#[test]
fn one_seed_is_described_like_a_run_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ended = simulate(dir.path(), &["--seed", "7"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("simulated, 3 nodes, quorum reads, faults none, seed 7\n"), "{}", ended.out);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(ended.out, simulate(dir.path(), &["--seed", "7"]).out, "the same seed says the same");
}

#[test]
fn many_seeds_are_counted_in_words_and_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let told = simulate(dir.path(), &["--seeds", "3..6", "-j", "2"]);
    assert!(told.code == Some(0) && told.out.starts_with("3 simulated runs of 3 nodes"), "{told:?}");
    assert_eq!(told.out, simulate(dir.path(), &["--seeds", "3..6", "-j", "1"]).out);
    let json: Value = serde_json::from_str(&simulate(dir.path(), &["--seeds", "3..6", "--json"]).out).unwrap();
    assert_eq!((&json["runs"], &json["findings"], &json["found"]), (&3.into(), &0.into(), &Value::Array(vec![])));
}

#[test]
fn a_search_that_is_interrupted_tells_what_was_counted() {
    let dir = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--json"]] {
        let mut command = schism(dir.path());
        command.arg("simulate").args(SHORT).args(["--seeds", "1000000000", "-j", "2"]).args(more);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        poll("it watches for signals", || catches_interrupts(&fs::read_to_string(&status).unwrap()));
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        let ended = CommandResult::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(130), "{ended:?}");
        if more.is_empty() {
            let told = ended.out.starts_with("interrupted after ") && ended.out.contains("nothing found\n");
            assert!(told, "{ended:?}");
        } else {
            let told = json::valid("simulate", &ended.out);
            assert!(told["interrupted"] == true && told["runs"].as_u64() < Some(1_000_000_000), "{told}");
        }
    }
}

/// Returns true if a process with this status has a handler for SIGINT.
fn catches_interrupts(status: &str) -> bool {
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (Signal::SIGINT as u32 - 1)) != 0
}

#[test]
fn a_finding_becomes_one_command_a_script_and_a_stored_run_with_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let asked = ["--read", "local", "--seeds", "50", "--until-violation", "-j", "1", "--store", "kept", "--json"];
    let ended = simulate(dir.path(), &asked);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let found = json::valid("simulate", &ended.out);
    let smallest = &found["smallest"];
    assert!(dir.path().join(smallest["path"].as_str().unwrap()).is_dir(), "{smallest}");
    let command = |name: &str| smallest[name].as_str().unwrap().split(' ').skip(1).map(str::to_owned);
    let again: Vec<String> = command("command").collect();
    assert_eq!(in_time(schism(dir.path()).args(&again)).code, Some(1), "{again:?}");
    assert!(command("real").next().is_some_and(|name| name == "run"), "{smallest}");
    let page = fs::read_to_string(dir.path().join("kept/latest/report.html")).unwrap();
    assert!(page.contains("schism simulate"), "{page}");
    let judged = run(dir.path(), &["check", "kept/latest"]);
    assert_eq!(judged.code, Some(1), "{judged:?}");
}

#[test]
fn options_that_make_no_sense_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (more, why) in [
        (&["--seed", "1", "--seeds", "2"][..], "cannot be used with"),
        (&["--until-violation"], "--seeds"),
        (&["--seeds", "5..5"], "expected at least one seed"),
        (&["--seeds", "many"], "expected 1000, or 500..1000"),
        (&["--keep-faults", "first"], "expected numbers such as 0,2"),
        (&["--latency", "11s"], "expected from 1us to 10s"),
        (&["--loss", "1001"], "0..=1000"),
        (&["--read", "lucky"], "lucky"),
    ] {
        let refused = simulate(dir.path(), more);
        assert!(refused.code == Some(64) && refused.err.contains(why), "{more:?}: {refused:?}");
    }
}
