//! Tests of clients that are programs of the users, with the example shim.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    support::{in_time, schism},
    systems::{change, results},
};

/// Makes a folder with the example store and its shim.
fn store_by_shim() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["server.py", "shim.py", "shim.toml"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/store").join(file);
        fs::copy(from, dir.path().join(file)).unwrap();
    }
    dir
}

#[test]
fn clients_can_be_a_program_of_the_users() {
    let dir = store_by_shim();
    let tried = in_time(schism(dir.path()).args(["system", "check", "shim.toml"]));
    assert_eq!(tried.code, Some(0), "{tried:?}");
    assert!(tried.out.ends_with("store-by-shim: 6 operations, 1 read mode: all as it should be\n"), "{}", tried.out);
    let load = ["--nodes", "3", "--faults", "none", "--time-limit", "8s", "--seed", "1", "--concurrency", "6"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "shim.toml"]).args(load));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // A busy machine may let a shim answer late, but nothing else.
    let results = results(dir.path());
    let problems = results.get("client_problems").map(Value::to_string).unwrap_or_default();
    let kinds = problems.split("; ").filter(|kind| !kind.is_empty() && !kind.contains("did not answer in time"));
    assert_eq!(kinds.count(), 0, "{problems}");
}

#[test]
fn a_shim_that_ends_is_told_of_aloud() {
    let dir = store_by_shim();
    change(&dir.path().join("shim.py"), "    asked = json.loads(line)\n", "    sys.exit(3)\n");
    let load = ["--nodes", "1", "--faults", "none", "--time-limit", "1s", "--rate", "20", "--concurrency", "1"];
    let ended = in_time(schism(dir.path()).args(["run", "--system", "shim.toml"]).args(load));
    let problems = results(dir.path())["client_problems"].as_str().unwrap().to_owned();
    assert!(problems.contains("exit status: 3") || problems.contains("code 3"), "{problems}");
    assert!(format!("{ended:?}").contains("problems with the clients"), "{ended:?}");
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("Problems with the clients"), "the page hides them");
    let tried = in_time(schism(dir.path()).args(["system", "check", "shim.toml"]));
    assert_ne!(tried.code, Some(0), "{tried:?}");
}

#[test]
fn a_wrong_file_of_a_shim_says_what_is_allowed() {
    let dir = store_by_shim();
    let file = dir.path().join("shim.toml");
    for (from, to, said) in [
        (
            "[\"register\"]",
            "[\"nothing\"]",
            "there is no workload \"nothing\"; there are: register, set, queue, append, wr, long-fork",
        ),
        ("[\"nothing\"]", "[]", "`client.workloads` is empty"),
        ("workloads = []", "workload = []", "unknown field `workload`"),
        ("workload = []", "workloads = [\"register\"]", ""),
        ("[\"python3\", \"{here}/shim.py\"]", "[\"no-such-shim\"]", "no-such-shim"),
    ] {
        change(&file, from, to);
        if !said.is_empty() {
            let ended = in_time(schism(dir.path()).args(["run", "--system", "shim.toml", "--time-limit", "1s"]));
            assert!(ended.code != Some(0) && ended.err.contains(said), "{ended:?}");
        }
    }
}
