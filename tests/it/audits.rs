//! Tests of what runs are judged by beside their histories.

use std::fs;

use serde_json::Value;

use crate::support::run;

/// Returns the audits of the last run in the store, by their names.
fn audits(dir: &std::path::Path) -> serde_json::Map<String, Value> {
    let results = fs::read(dir.join("store/latest/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    let all = results["audits"].as_array().unwrap().iter();
    all.map(|audit| (audit["audit"].as_str().unwrap().to_owned(), audit.clone())).collect()
}

#[test]
fn a_sound_cluster_holds_what_can_be_judged_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["run", "--nodes", "3", "--faults", "none", "--time-limit", "4s", "--seed", "1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let audits = audits(dir.path());
    let violated: Vec<_> = audits.values().filter(|audit| audit["verdict"] == "violated").collect();
    assert!(violated.is_empty(), "{violated:?}");
    for name in ["revisions", "acknowledged-writes", "replica-states", "log-matching", "leaders", "votes"] {
        assert_eq!(audits[name]["verdict"], "holds", "{audits:?}");
    }
    assert!(ended.out.contains("audits that hold: revisions ("), "{}", ended.out);
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("id=\"audits\""), "the page has no section of audits");
}

#[test]
fn replicas_that_differ_are_a_violation_that_names_them_also_in_a_matrix() {
    let dir = tempfile::tempdir().unwrap();
    let defect = ["--defect", "increments-by-chance", "--faults", "none", "--nodes", "3", "--time-limit", "2s"];
    let load = ["--workload", "counter", "--seed", "1"];
    let ended = run(dir.path(), &[&["run"][..], &defect, &load].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let audits = audits(dir.path());
    assert_eq!(audits["replica-states"]["verdict"], "violated", "{audits:?}");
    let said = audits["replica-states"]["evidence"][0].as_str().unwrap();
    assert!(said.starts_with("At the applied index ") && said.contains("n2 had state "), "{said}");
    assert!(ended.out.contains("Violated, replica states: At the applied index "), "{}", ended.out);
    assert_eq!(audits["log-matching"]["verdict"], "holds", "{audits:?}");
    let matrix = ["campaign", "--workloads", "counter", "--reads", "log", "--seeds", "1", "--store", "matrix"];
    let ended = run(dir.path(), &[&matrix[..], &defect].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let row = ended.out.lines().find(|line| line.contains("audit: replica states")).unwrap_or_default();
    assert!(row.contains("1 of 1 fail"), "{}", ended.out);
}

#[test]
fn without_probes_only_clients_write() {
    let dir = tempfile::tempdir().unwrap();
    let load = ["--read-share", "100", "--rate", "20", "--faults", "none", "--nodes", "3", "--time-limit", "1s"];
    let ended = run(dir.path(), &[&["run", "--no-probes", "--seed", "1"][..], &load].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("availability (the run had no probes)"), "{}", ended.out);
    assert!(ended.out.contains(" --no-probes"), "{}", ended.out);
    let audits = audits(dir.path());
    let compared = audits["log-matching"]["looked_at"].as_str().unwrap_or_default();
    assert_eq!(compared, "3 nodes compared at 1 log index", "{audits:?}");
}
