//! Tests that the impossible is refused before anything starts, and that no other failure hides a violation.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::ffi::OsStrExt as _,
};

use crate::support::{CommandResult, in_time, run, schism, stale_read};

#[test]
fn faults_that_cannot_work_are_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    for (command, why) in [
        (
            &["run", "--faults", "kill:n9"][..],
            "there is no n9; aim at leader, deposed-leader, follower, random, minority, majority, all, or a node from \
             n1 to n5",
        ),
        (&["run", "--faults", "pause,clock:target=n6"], "there is no n6"),
        (&["run", "--nodes", "1", "--faults", "partition"], "needs at least 2 nodes"),
        (&["run", "--nodes", "1"], "--faults is not given, and its default `partition:isolate-leader` cannot work"),
        (&["simulate", "--nodes", "1"], "such as --faults kill:all, or --faults none"),
        (&["run", "--nodes", "3", "--faults", "partition:ring"], "needs at least 4 nodes"),
        (&["run", "--nodes", "2", "--faults", "kill"], "needs at least 3 nodes"),
        (&["run", "--faults", "partition:isolate-all"], "nobody is left to be cut off from; aim at fewer nodes"),
        (&["run", "--faults", "loss:0%"], "`0%` must be a percentage above 0%"),
        (&["run", "--faults", "corrupt:shape=clients-n1"], "add checksum=wrong, or choose links between nodes"),
        (&["simulate", "--faults", "bandwidth"], "no simulated host can have the fault `bandwidth"),
        (&["run", "--faults", "starve:cpu=0%"], "a percentage from 1% to 99%"),
        (&["run", "--faults", "rolling-restart:down=3s"], "longer than `down`, so that one node is down at a time"),
        (&["run", "--faults", "kill:leader+pause:leader"], "n1 is down already; let them take turns"),
        (&["run", "--nodes", "3", "--faults", "kill:leader+pause:random"], "needs at least 5 nodes"),
        (&["run", "--every", "2s", "--for", "2s"], "would overlap: add --overlap"),
        (&["run", "--every", "2s"], "--for <TIME>"),
        (&["run", "--every", "2s", "--for", "10ms"], "from 100ms to 24h"),
        (&["run", "--faults", "clock:rate=1"], "choose another rate, or a jump"),
        (&["run", "--faults", "clock:jump=1w"], "a time such as 500ms, 5s, -5s or 1m30s"),
        (&["simulate", "--faults", "kill,crash-at-fsync"], "no simulated host can have the fault `crash-at-fsync"),
        (&["simulate", "--faults", "disk-full"], "no simulated host can have the fault `disk-full"),
        (&["simulate", "--defect", "nothing"], "schism defects"),
        (&["campaign", "--faults", "none,kill:n9"], "there is no n9"),
        (&["campaign", "--nodes", "5,1", "--faults", "kill"], "needs at least 3 nodes"),
        (&["compare", "--nodes", "1", "--faults", "partition"], "needs at least 2 nodes"),
    ] {
        let ended = in_time(schism(dir.path()).args(command));
        assert_eq!(ended.code, Some(64), "{command:?}: {ended:?}");
        assert!(ended.err.contains(why), "{command:?}: {}", ended.err);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{command:?} left something");
    }
}

#[test]
fn runs_are_counted_before_they_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("many.toml"), "seeds = 4294967295").unwrap();
    fs::write(
        dir.path().join("wide.toml"),
        format!("nodes = [{}3]\nread-shares = [{}1]", "3,".repeat(9999), "1,".repeat(9999)),
    )
    .unwrap();
    for command in [
        &["campaign", "--seeds", "4294967295"][..],
        &["campaign", "--seeds", "1-99999999999"],
        &["campaign", "many.toml"],
        &["campaign", "wide.toml"],
        &["compare", "--rounds", "4294967295"],
    ] {
        let ended = in_time(schism(dir.path()).args(command));
        assert_eq!(ended.code, Some(64), "{command:?}: {ended:?}");
    }
    let ended = in_time(schism(dir.path()).args(["campaign", "many.toml"]));
    assert!(ended.err.contains("at most 100000"), "{}", ended.err);
}

#[test]
fn a_violation_beside_an_output_that_cannot_be_written_is_a_violation() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.jsonl"), stale_read()).unwrap();
    let good: String = stale_read().lines().take(4).map(|line| line.to_owned() + "\n").collect();
    fs::write(dir.path().join("good.jsonl"), good).unwrap();
    for command in [
        &["check", "--linearization", "no/such/folder", "bad.jsonl"][..],
        &["check", "--linearization", "no/such/folder", "good.jsonl", "bad.jsonl"],
        &["check", "--linearization", "/dev/full", "good.jsonl", "bad.jsonl"],
        &["report", "-o", "no/such/folder", "bad.jsonl"],
        &["report", "-o", "/dev/full", "bad.jsonl"],
        &["shrink", "-o", "no/such/folder", "bad.jsonl"],
    ] {
        let ended = run(dir.path(), command);
        assert_eq!(ended.code, Some(1), "{command:?}: {ended:?}");
        assert!(ended.err.contains("error: "), "{command:?}: {ended:?}");
    }
    for command in [
        &["check", "bad.jsonl"][..],
        &["check", "--json", "bad.jsonl"],
        &["check", "bad.jsonl", "good.jsonl"],
        &["report", "bad.jsonl"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = CommandResult::from(schism(dir.path()).args(command).stdout(full).output().unwrap());
        assert_eq!(ended.code, Some(1), "{command:?}: {ended:?}");
    }
    let ended = run(dir.path(), &["check", "--linearization", "no/such/folder", "good.jsonl"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

#[test]
fn a_store_with_a_name_that_is_no_text_works() {
    let dir = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"store-\xff");
    let mut command = schism(dir.path());
    command.args(["run", "--nodes", "3", "--faults", "none", "--time-limit", "1s", "--json", "--store"]).arg(name);
    let ended = in_time(&mut command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let run = fs::canonicalize(dir.path().join(name).join("latest")).unwrap();
    assert!(run.join("report.html").exists());
    for command in
        [&["store", "ls"][..], &["store", "ls", "--json"], &["store", "gc"], &["report"], &["check", "--json"]]
    {
        let file = match command[0] {
            "store" => dir.path().join(name),
            "report" => run.clone(),
            _ => run.join("history.jsonl.zst"),
        };
        let ended = CommandResult::from_lossy(schism(dir.path()).args(command).arg(file).output().unwrap());
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
    }
}
