//! Tests of faults as the command line has them: their list, combinations, times and scripts.

use std::path::Path;

use serde_json::Value;

use crate::support::{CommandResult, run, schism};

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
