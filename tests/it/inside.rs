//! Tests that nothing outside of a store, campaign or run is written, read or removed, whatever others have put in it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{CommandResult, in_time, schism, stale_read};

/// A folder for stores, beside a folder with content that must stay unchanged.
struct Place(TempDir);

const PRECIOUS: &str = "{\"time\": \"precious\"}\n";

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let outside = place.outside();
        for folder in ["1", "seed-1", "001-schism-quorum-none/seed-1", "deep/seed-1"] {
            fs::create_dir_all(outside.join(folder)).unwrap();
        }
        for file in ["file", "1/trace.jsonl", "1/node.log", "seed-1/record.json", "seed-1/test.json", "history.jsonl"] {
            fs::write(outside.join(file), PRECIOUS).unwrap();
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn outside(&self) -> PathBuf {
        self.path().join("outside")
    }

    /// Returns everything in the folder that must stay unchanged, with its content.
    fn listed(&self) -> Vec<(PathBuf, Option<String>)> {
        fn look(folder: &Path, found: &mut Vec<(PathBuf, Option<String>)>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let is_folder = entry.file_type().unwrap().is_dir();
                found.push((entry.path(), (!is_folder).then(|| fs::read_to_string(entry.path()).unwrap())));
                if is_folder {
                    look(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        look(&self.outside(), &mut found);
        found.sort();
        found
    }

    fn run(&self, arguments: &[&str]) -> CommandResult {
        in_time(schism(self.path()).args(arguments))
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn link(&self, name: &str, target: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Makes a campaign of two runs, with records of the given categories for those that are over.
    fn campaign(&self, folder: &str, categories: &[(u64, &str)]) {
        self.write(&format!("{folder}/plan.json"), PLAN);
        for (seed, category) in categories {
            let record = record(*seed, category);
            self.write(&format!("{folder}/{}/record.json", run_folder(*seed)), &record.to_string());
        }
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(file)).unwrap()).unwrap()
    }
}

const PLAN: &str = r#"{"reads":["quorum"],"faults":["none"],"seeds":2,"nodes":[3],"time-limit":"1s","shard":null}"#;

fn run_folder(seed: u64) -> String {
    format!("runs/001-schism-quorum-none/seed-{seed}")
}

fn record(seed: u64, category: &str) -> Value {
    json!({
        "id": format!("001-schism-quorum-none/seed-{seed}"), "number": 1, "system": "schism", "workload": "register",
        "nodes": 3, "read_share": 50, "faults": "none", "read": "quorum", "seed": seed, "category": category,
        "why": null, "attempts": 1, "alone": true, "missed_heartbeats": 0, "took_ms": 1000, "facts": null,
        "command": format!("schism run --seed {seed}"),
    })
}

#[test]
fn a_plan_cannot_name_what_lies_elsewhere() {
    let place = Place::new();
    let before = place.listed();
    for (name, wrong) in [
        (
            "system",
            r#"{"systems":["x/../../../outside/deep"],"reads":["quorum"],"faults":["none"],"seeds":1,"shard":null}"#,
        ),
        ("workload", r#"{"workloads":["../../outside"],"reads":["quorum"],"faults":["none"],"seeds":1,"shard":null}"#),
        ("shard", r#"{"reads":["quorum"],"faults":["none"],"seeds":1,"shard":{"number":0,"of":0}}"#),
        ("nodes", r#"{"reads":["quorum"],"faults":["none"],"seeds":1,"nodes":[0],"shard":null}"#),
    ] {
        place.write(&format!("{name}/plan.json"), wrong);
        for command in
            [&["campaign", "--resume", "--store", name][..], &["report", name], &["merge", name, "--into", "new"]]
        {
            let ended = place.run(command);
            assert_eq!(ended.code, Some(65), "{command:?}: {ended:?}");
        }
        assert!(!place.path().join("new").exists());
    }
    assert_eq!(place.listed(), before);
}

#[test]
fn links_lead_no_campaign_out_of_its_folder() {
    let place = Place::new();
    let before = place.listed();
    for (name, link, target) in [
        ("runs", "runs", "../outside"),
        ("cell", "runs/001-schism-quorum-none", "../../outside"),
        ("run", "runs/001-schism-quorum-none/seed-1", "../../../outside/seed-1"),
        ("record", "runs/001-schism-quorum-none/seed-1/record.json", "../../../../outside/seed-1/record.json"),
    ] {
        place.campaign(name, &[]);
        place.link(&format!("{name}/{link}"), target);
        for command in [&["report", name][..], &["merge", name, "--into", &format!("{name}-whole")]] {
            let ended = place.run(command);
            assert_eq!(ended.code, Some(65), "{name}: {command:?}: {ended:?}");
        }
    }
    for (name, link, target) in [("logs", "logs", "../outside"), ("lock", ".lock", "../outside/file")] {
        place.campaign(name, &[]);
        place.link(&format!("{name}/{link}"), target);
        let ended = place.run(&["campaign", "--resume", "--store", name]);
        assert!(ended.code == Some(65) || ended.code == Some(3), "{name}: {ended:?}");
    }
    place.campaign("outputs", &[(1, "no-violation"), (2, "no-violation")]);
    for file in ["campaign.json", "junit.xml", "summary.md", "campaign.sqlite", "index.html"] {
        place.link(&format!("outputs/{file}"), "../outside/file");
    }
    for command in [&["report", "outputs"][..], &["campaign", "--resume", "--store", "outputs"]] {
        let ended = place.run(command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert!(fs::symlink_metadata(place.path().join("outputs/summary.md")).unwrap().is_file());
    assert_eq!(place.listed(), before);
}

#[test]
fn links_lead_no_run_out_of_its_folder() {
    let place = Place::new();
    let before = place.listed();
    let run = "store/x/20260131T235959Z";
    let plan = r#"{"version":"1","system":"schism","nodes":60000,"read":"leader","workload":"register","faults":[],"seed":7,
        "time_limit_ms":1000,"rate":1,"concurrency":1,"keys":1,"read_percent":50,"operation_timeout_ms":1000,
        "settings":{"election_timeout_ms":300,"heartbeat_interval_ms":40,"check_quorum":false},"schedule":[]}"#;
    place.write(&format!("{run}/test.json"), plan);
    place.write(&format!("{run}/results.json"), r#"{"verdict":"linearizable"}"#);
    place.write(&format!("{run}/begun.json"), r#"{"leader_after_ms":1,"origin_mono_ns":1}"#);
    place.write(&format!("{run}/history.jsonl"), &stale_read());
    let ended = place.run(&["report", run]);
    assert_eq!(ended.code, Some(65), "{ended:?}");
    assert!(ended.err.contains("from 1 to 9 nodes"), "{ended:?}");
    assert!(!place.path().join(run).join("nodes").exists(), "reading made folders");
    place.write(&format!("{run}/test.json"), &plan.replace("60000", "3"));
    fs::remove_file(place.path().join(run).join("results.json")).unwrap();
    place.link(&format!("{run}/nodes"), "../../../outside");
    let ended = place.run(&["report", run]);
    assert_eq!(ended.code, Some(1), "the violation in its history stands all the same: {ended:?}");
    assert!(ended.err.contains("is a link"), "{ended:?}");
    place.write(&format!("{run}/results.json"), r#"{"verdict":"linearizable"}"#);
    fs::remove_file(place.path().join(run).join("history.jsonl")).unwrap();
    place.link(&format!("{run}/history.jsonl"), "../../../outside/history.jsonl");
    place.link(&format!("{run}/history.jsonl.zst"), "../../../outside/file");
    let ended = place.run(&["report", run]);
    assert_eq!(ended.code, Some(65), "{ended:?}");
    let ended = place.run(&["store", "gc"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("0 files compressed"), "{ended:?}");
    assert_eq!(place.listed(), before);
}

#[test]
fn runs_are_removed_only_where_they_are_kept() {
    let place = Place::new();
    let run = |name: &str| format!("store/{name}/20260131T235959Z");
    for name in ["one", "two", "three"] {
        place.write(&format!("{}/test.json", run(name)), "{}");
    }
    place.link("store/latest", "one/20260131T235959Z");
    place.link("store/elsewhere", "../outside");
    place.link("store/far", "../outside/seed-1");
    let before = place.listed();
    for out in ["store/elsewhere/seed-1", "store/far", "store/far/"] {
        let ended = place.run(&["store", "rm", &run("two"), out]);
        assert_eq!(ended.code, Some(64), "{out}: {ended:?}");
        assert!(ended.err.contains("nothing was removed"), "{ended:?}");
    }
    assert_eq!(place.listed(), before);
    assert!(place.path().join(run("two")).exists());
    let ended = place.run(&["store", "rm", "store/latest/"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!place.path().join(run("one")).exists());
    let newest = fs::canonicalize(place.path().join("store/latest")).unwrap();
    assert!(newest.starts_with(fs::canonicalize(place.path().join("store")).unwrap()), "it leads to {newest:?}");
    // The path of the store itself may go through a link, as typed by the user.
    place.link("here", "store");
    let ended = place.run(&["store", "rm", "here/two/20260131T235959Z", "store/two/20260131T235959Z"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!place.path().join(run("two")).exists() && place.path().join(run("three")).exists());
    assert_eq!(place.listed(), before);
}

#[test]
fn of_two_results_for_a_run_the_worst_is_kept() {
    let place = Place::new();
    place.campaign("bad", &[(1, "violation"), (2, "no-violation")]);
    place.campaign("good", &[(1, "no-violation"), (2, "unknown")]);
    place.write("bad/runs/001-schism-quorum-none/seed-1/history.jsonl", "of the violation");
    for (into, parts) in [("first", ["good", "bad"]), ("last", ["bad", "good"])] {
        let ended = place.run(&["merge", parts[0], parts[1], "--into", into]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let told = place.json(&format!("{into}/campaign.json"));
        assert_eq!(told["runs"][0]["category"], "violation", "{told:#}");
        assert_eq!(told["runs"][1]["category"], "unknown", "{told:#}");
        let kept = fs::read_to_string(place.path().join(into).join(run_folder(1)).join("history.jsonl"));
        assert_eq!(kept.unwrap(), "of the violation", "the record and the files are of one run");
        assert_eq!(place.json(&format!("{into}/{}/record.json", run_folder(1)))["category"], "violation");
    }
}

#[test]
fn parts_are_merged_each_once_and_into_none_of_them() {
    let place = Place::new();
    place.campaign("part", &[(1, "no-violation")]);
    place.campaign("night/part", &[(2, "no-violation")]);
    place.link("alias", "part");
    for (command, why) in [
        (&["merge", "part", "part", "--into", "new"][..], "twice"),
        (&["merge", "part", "alias", "--into", "new"], "twice"),
        (&["merge", "part", "./night/../part", "--into", "new"], "twice"),
        (&["merge", "part", "--into", "part"], "overlaps with a part"),
        (&["merge", "part", "--into", "part/sub/whole"], "overlaps with a part"),
        (&["merge", "part", "--into", "alias/whole"], "overlaps with a part"),
        (&["merge", "part", "night/part", "--into", "night"], "overlaps with a part"),
    ] {
        let ended = place.run(command);
        assert_eq!(ended.code, Some(64), "{command:?}: {ended:?}");
        assert!(ended.err.contains(why), "{command:?}: {ended:?}");
        assert!(!place.path().join("new").exists() && !place.path().join("part/sub").exists());
    }
    place.link("part/runs/001-schism-quorum-none/seed-1/link", "../../../../outside/file");
    mkfifo(&place.path().join("part/runs/001-schism-quorum-none/seed-1/pipe"), Mode::S_IRWXU).unwrap();
    let ended = place.run(&["merge", "part", "night/part", "--into", "whole"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let merged = place.path().join("whole").join(run_folder(1));
    assert!(!merged.join("link").exists() && !merged.join("pipe").exists() && merged.join("record.json").exists());
    place.write("part/runs/001-schism-quorum-none/seed-1/record.json", &record(2, "no-violation").to_string());
    let ended = place.run(&["merge", "part", "night/part", "--into", "other"]);
    assert_eq!(ended.code, Some(65), "the record is another run's: {ended:?}");
}

#[test]
fn pipes_and_devices_in_a_store_hold_nobody() {
    let place = Place::new();
    for (number, file) in ["test.json", "results.json", "history.jsonl", "begun.json"].into_iter().enumerate() {
        let run = format!("store/x/{number}");
        place.write(&format!("{run}/test.json"), r#"{"system":"schism"}"#);
        place.write(&format!("{run}/results.json"), r#"{"verdict":"linearizable"}"#);
        let path = place.path().join(&run).join(file);
        fs::remove_file(&path).ok();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        for folder in [&run, "store"] {
            assert_eq!(place.run(&["store", "ls", folder]).code, Some(0), "{file}");
            assert_eq!(place.run(&["store", "gc", folder]).code, Some(0), "{file}");
        }
        assert_eq!(place.run(&["report", &run]).code, Some(65), "{file}");
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_eq!(place.run(&["store", "ls"]).code, Some(0), "{file}");
        assert_eq!(place.run(&["report", &run]).code, Some(65), "{file}");
    }
    for file in ["plan.json", &format!("{}/record.json", run_folder(1))] {
        place.campaign("night", &[(2, "no-violation")]);
        let path = place.path().join("night").join(file);
        fs::remove_file(&path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        for command in [&["report", "night"][..], &["merge", "night", "--into", "new"]] {
            assert_eq!(place.run(command).code, Some(65), "{file}: {command:?}");
        }
        fs::remove_file(path).unwrap();
    }
}
