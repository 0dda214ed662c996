//! Tests of runs that end with the first violation, and of nodes that stay up after a run.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    runs::{poll, traces},
    support::{run, schism},
};

#[test]
fn a_run_ends_with_its_first_violation_and_leaves_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let load = ["run", "--read", "local", "--faults", "none", "--seed", "1", "--time-limit", "10m"];
    let ended = run(dir.path(), &[&load[..], &["--stop-on-violation"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("stopped at the first violation, after "), "{}", ended.out);
    let latest = fs::canonicalize(dir.path().join("store/latest")).unwrap();
    let results: Value = serde_json::from_slice(&fs::read(latest.join("results.json")).unwrap()).unwrap();
    assert_eq!((&results["verdict"], &results["interrupted"]), (&"not-linearizable".into(), &false.into()));
    let (stopped, first) = (&results["stopped_early"], &results["first_sign"]);
    assert!(stopped["after_ms"].as_u64() >= first["time_ms"].as_u64(), "{stopped} {first}");
    assert!(stopped["operations"].as_u64() > Some(0), "{stopped}");
    for file in ["test.json", "history.jsonl", "history.columns", "report.html", "commands.log", "nodes/1/node.log"] {
        assert!(latest.join(file).exists(), "{file} is missing");
    }
    let again = run(dir.path(), &["check", "store/latest"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    poll("all traces gone", || traces(dir.path()) == before);
}

#[test]
fn what_only_the_end_decides_cannot_end_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["run", "--workload", "bank", "--stop-on-violation"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("only the end of a history decides the property bank"), "{}", ended.err);
    assert!(!dir.path().join("store").exists(), "something was started");
}

#[test]
fn nodes_stay_up_after_the_verdict_until_ctrl_c_and_then_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let load = ["run", "--nodes", "3", "--faults", "none", "--time-limit", "1s", "--leave-running=5m"];
    let mut command = schism(dir.path());
    let mut child = command.args(load).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = lines.by_ref().map_while(Result::ok);
    assert!(said.any(|line| line.contains("the nodes stay up for 5m")), "nobody said so");
    let places: Vec<String> = said.by_ref().take_while(|line| !line.contains("n3 at ")).collect();
    let way_in = format!("nsenter --all --target $(pgrep -P {}) sh", child.id());
    let are_elsewhere = places.iter().any(|line| line.contains("n2 at 10."));
    assert_eq!(places.iter().any(|line| line.contains(&way_in)), are_elsewhere, "{places:?}");
    assert!(dir.path().join("store/latest/results.json").exists(), "the verdict is there already");
    let running = traces(dir.path());
    assert!(running.contains("node --id 3"), "{running}");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let rest: Vec<String> = said.collect();
    assert!(!rest.iter().any(|line| line.contains("checking")), "it was judged before: {rest:?}");
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{shown}");
    assert_eq!(shown.matches("linearizable: ").count(), 1, "{shown}");
    poll("all traces gone", || traces(dir.path()) == before);
}

#[test]
fn nodes_stay_up_no_longer_than_they_are_allowed_to() {
    let dir = tempfile::tempdir().unwrap();
    let before = traces(dir.path());
    let load = ["run", "--nodes", "3", "--faults", "none", "--time-limit", "1s", "--leave-running=1s"];
    let ended = run(dir.path(), &load);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("the nodes stay up for 1s"), "{}", ended.err);
    poll("all traces gone", || traces(dir.path()) == before);
}
