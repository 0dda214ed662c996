//! Tests of systems that a file describes, with the example store as a user would run it.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{in_time, run, schism};

/// Makes a folder with the example store, as `schism system new` writes it.
fn store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), &["system", "new", "mystore", "--with-server"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    dir
}

/// Changes a text in a file.
fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn results(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("store/latest/results.json")).unwrap()).unwrap()
}

#[test]
fn a_store_that_replicates_nothing_is_found_not_linearizable_and_judged_again_without_its_file() {
    let dir = store();
    let load = ["--nodes", "3", "--faults", "none", "--time-limit", "2s", "--seed", "1"];
    let arguments = [&["run", "--system", "mystore.toml"][..], &load].concat();
    let ended = in_time(schism(dir.path()).args(&arguments));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(results(dir.path())["verdict"], "not-linearizable");
    for file in ["mystore.toml", "server.py"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    for command in ["check", "report"] {
        let again = in_time(schism(dir.path()).args([command, "store/latest"]));
        assert_eq!(again.code, Some(1), "{again:?}");
    }
    let page = fs::read_to_string(dir.path().join("store/latest/report.html")).unwrap();
    assert!(page.contains("schism run --system mystore.toml --read read"), "the page does not repeat the run");
    let listed = run(dir.path(), &["store", "ls"]).out;
    assert!(listed.contains("mystore-register-read"), "{listed}");
}

#[test]
fn one_store_alone_is_linearizable_until_it_forgets_what_it_acknowledged() {
    let dir = store();
    for (faults, code) in [("none", 0), ("kill:all", 1)] {
        let load = ["--nodes", "1", "--faults", faults, "--time-limit", "4s", "--seed", "1", "--rate", "200"];
        let ended = in_time(schism(dir.path()).args(["run", "--system", "mystore.toml"]).args(load));
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

#[test]
fn a_trial_shows_each_exchange_and_finds_mistakes() {
    let dir = store();
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let cas = [
        "cas k0 from 1 to 3",
        "  sent        POST /k0 {\"from\": 1, \"to\": 3}",
        "  received    409 {\"found\": 2}",
        "  understood  mismatch, found 2",
        "mystore: 6 operations, 1 read mode: all as it should be\n",
    ];
    assert!(ended.out.ends_with(&cas.join("\n")), "{}", ended.out);
    let file = dir.path().join("mystore.toml");
    change(&file, ", or_nil = true", "");
    change(
        &file,
        "rules = [{ status = 200, outcome = \"ok\" }]",
        "rules = [{ status = 201, outcome = \"ok\" }, { outcome = \"fail\" }]",
    );
    let ended = in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for said in [
        "WRONG       before anything was written should be: ok, nil",
        "understood  fail: status 200: \"{}\"",
        "doubtful: rule 2 of `client.write` calls a time-out or an error of the server a `fail`",
        "2 wrong, 1 doubtful",
    ] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
}

#[test]
fn a_wrong_file_and_a_missing_program_are_named_before_anything_starts() {
    let dir = store();
    let file = dir.path().join("mystore.toml");
    let run_it = |more: &[&str]| run(dir.path(), &[&["run", "--system", "mystore.toml"], more].concat());
    for (arguments, code, said) in [
        (&["--read", "fresh"][..], 64, "mystore has no read mode \"fresh\"; it has: read"),
        (&["--workload", "set"], 64, "mystore knows no workload \"set\"; it knows: register"),
        (&["--faults", "pause:leader"], 3, "cannot pause the leader: mystore does not say who leads"),
        (&["--faults", "clock"], 3, "mystore gives nobody a hold on its clocks"),
        (&["--trace"], 64, "mystore has no option --trace"),
    ] {
        let ended = run_it(arguments);
        assert!(ended.code == Some(code) && ended.err.contains(said), "{ended:?}");
    }
    change(&file, "\"python3\"", "\"no-such-python\"");
    let ended = run_it(&[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("mystore needs the program no-such-python, which this host lacks"), "{}", ended.err);
    change(&file, "status = 404", "sttus = 404");
    let ended = run_it(&[]);
    assert_eq!(ended.code, Some(65), "{ended:?}");
    let said = "mystore.toml: line 35: unknown field `sttus`, expected one of `status`";
    assert!(ended.err.contains(said), "{}", ended.err);
    assert!(!dir.path().join("store").exists(), "something was started");
    let missing = run(dir.path(), &["run", "--system", "none.toml"]);
    assert!(missing.code == Some(65) && missing.err.contains("none.toml: No such file"), "{missing:?}");
    let again = run(dir.path(), &["system", "new", "mystore"]);
    assert!(again.code == Some(3) && again.err.contains("mystore.toml"), "nothing is overwritten: {again:?}");
    let wrong = run(dir.path(), &["system", "new", "My Store"]);
    assert!(wrong.code == Some(64) && wrong.err.contains("small letters"), "{wrong:?}");
}
