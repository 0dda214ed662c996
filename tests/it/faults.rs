//! Tests of faults as the command line has them: their list, combinations, times and scripts.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::support::{CommandResult, run, schism};

/// Returns the faults in the history of the last run: kind, words and nodes, each begun once and healed once.
fn faults(dir: &Path) -> Vec<(String, String, Value)> {
    let text = fs::read_to_string(dir.join("store/latest/history.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut begun, mut healed) = (Vec::new(), BTreeSet::new());
    for event in events.filter(|event| event["value"]["id"].is_number()) {
        let value = &event["value"];
        let id = value["id"].as_u64().unwrap();
        if let Some(kind) = event["f"].as_str().unwrap().strip_prefix("start-") {
            begun.push((id, (kind.to_owned(), value["fault"].as_str().unwrap().to_owned(), value["nodes"].clone())));
        } else if value["outcome"] == "healed" {
            assert!(healed.insert(id), "{event}");
        }
    }
    assert_eq!(begun.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), healed);
    begun.into_iter().map(|(_, fault)| fault).collect()
}

/// Runs a cluster of three under faults, whose history must be linearizable, and returns them.
fn run_under(arguments: &[&str]) -> Vec<(String, String, Value)> {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &[&["run", "--nodes", "3", "--seed", "1"][..], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    faults(dir.path())
}

/// Returns the rows of `schism faults --json`, on this host, or on one without programs for networks.
fn rows(has_programs: bool) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = schism(folder.path());
    command.args(["faults", "--json"]);
    if !has_programs {
        command.env("SCHISM_TOOLS_PATH", folder.path());
    }
    let ended = CommandResult::from(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list: Value = serde_json::from_str(&ended.out).unwrap();
    list["faults"].as_array().unwrap().clone()
}

#[test]
fn each_fault_is_listed_with_what_it_needs_and_whether_this_host_can() {
    let rows = rows(true);
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        assert!(row["usage"].as_str().unwrap().starts_with(name) && !row["about"].as_str().unwrap().is_empty());
        assert!(row["here"].is_boolean() && row["why"].is_null() == row["here"].as_bool().unwrap(), "{row:#}");
        for parameter in row["parameters"].as_array().unwrap() {
            assert!(["name", "values", "default"].iter().all(|field| parameter[field].is_string()), "{row:#}");
        }
    }
    let table = run(Path::new("."), &["faults"]);
    assert_eq!(table.code, Some(0), "{table:?}");
    assert!(rows.iter().all(|row| table.out.contains(row["name"].as_str().unwrap())), "{}", table.out);
}

#[test]
fn a_host_without_programs_for_networks_says_why_it_cannot_partition() {
    for row in rows(false) {
        let needs_network = row["needs"].as_array().unwrap().iter().any(|need| need == "network namespaces");
        assert_eq!(row["here"], !needs_network, "{row:#}");
        let why = row["why"].as_str().unwrap_or_default();
        assert_eq!(needs_network, !why.is_empty() && !row["remedy"].as_str().unwrap().is_empty(), "{row:#}");
    }
}

#[test]
fn sequences_hit_the_same_nodes_again_and_are_in_the_history_step_by_step() {
    let found = run_under(&["--time-limit", "14s", "--faults", "crash-loop:follower,up=300ms,flap:clients-leader"]);
    let of = |kind: &str| found.iter().filter(|fault| fault.0 == kind).collect::<Vec<_>>();
    let [kills, cuts] = [of("kill"), of("partition")];
    assert!(kills.len() > 1 && cuts.len() > 1 && kills.len() + cuts.len() == found.len(), "{found:?}");
    let same = |faults: &[&(String, String, Value)]| faults.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Each sequence comes at most twice in so short a time.
    assert!(same(&kills) <= 1 && same(&cuts) <= 1, "{found:?}");
    assert!(cuts.iter().all(|cut| cut.1.ends_with("drops clients")), "{found:?}");
}

#[test]
fn faults_at_once_overlap_and_come_as_often_as_asked_for() {
    let often = ["--every", "1s", "--for", "500ms", "--fault-timing", "fixed", "--time-limit", "5s", "--faults"];
    let found = run_under(&[&often[..], &["pause:follower+partition:isolate-n1,starve:n3"]].concat());
    let count = |kind: &str| found.iter().filter(|fault| fault.0 == kind).count();
    assert_eq!(count("pause"), count("partition"), "{found:?}");
    assert!(count("pause") >= 1 && found.len() >= 4, "{found:?}");
}

#[test]
fn nodes_are_restarted_in_turn_and_starved_without_harm() {
    let faults = "rolling-restart:down=300ms,every=1s,starve:leader,restart:follower,down=1s";
    let found = run_under(&["--time-limit", "14s", "--faults", faults]);
    let restarted: Vec<&str> =
        found.iter().filter(|fault| fault.0 == "restart").map(|fault| fault.1.as_str()).collect();
    assert!(restarted.len() >= 4, "{found:?}");
    let rolling = restarted.windows(3).any(|three| three == ["restart n1", "restart n2", "restart n3"]);
    assert!(rolling && found.iter().any(|fault| fault.1.contains("run for 20 % of each 25 ms")), "{found:?}");
}
