//! Tests of the dependencies between crates: the list below is the design, `cargo metadata` the reality.

use std::{collections::BTreeSet, process::Command};

const ALLOWED: [(&str, &str); 7] = [
    ("checker", "histories"),
    ("workloads", "histories"),
    ("schism", "checker"),
    ("schism", "histories"),
    ("schism", "nemesis"),
    ("schism", "node"),
    ("schism", "workloads"),
];

/// Checks all dependencies, including those for development, as a test helper must not become a back door.
#[test]
fn crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut edges = BTreeSet::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().unwrap() {
            let (from, to) = (package["name"].as_str().unwrap(), dependency["name"].as_str().unwrap());
            if names.contains(to) {
                edges.insert((from, to));
            }
        }
    }
    let forbidden: Vec<_> = edges.iter().filter(|edge| !ALLOWED.contains(edge)).collect();
    assert!(forbidden.is_empty(), "these crates may not know each other: {forbidden:?}");
    assert_eq!(edges.len(), ALLOWED.len(), "an allowed edge is unused; the list should say what is: {edges:?}");
}
