//! `schism generate` and `schism convert`: the checker agrees with what was planted, and nothing is lost between formats.

use std::{fs, path::Path};

use crate::support::{file, run};

const MODELS: [&str; 3] = ["register", "cas-register", "kv"];

fn generate(dir: &Path, arguments: &[&str]) -> String {
    let ended = run(dir, &[&["generate"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
    ended.out
}

fn verdict(dir: &Path, file: &str) -> Option<i32> {
    run(dir, &["check", file]).code
}

#[test]
fn the_checker_finds_what_was_planted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for model in MODELS {
        for overlap in ["normal", "always"] {
            for (violation, code) in [("none", 0), ("stale-read", 1), ("lost-write", 1)] {
                for (seed, unknown, values) in
                    [("1", "5", "unique"), ("2", "5", "unique"), ("3", "0", "unique"), ("4", "0", "5")]
                {
                    let options = [
                        "--model",
                        model,
                        "--overlap",
                        overlap,
                        "--violation",
                        violation,
                        "--seed",
                        seed,
                        "--unknown",
                        unknown,
                        "--values",
                        values,
                        "--ops",
                        "1000",
                        "--clients",
                        "4",
                        "--keys",
                        "3",
                        "--out",
                        "h.jsonl",
                    ];
                    assert_eq!(generate(dir.path(), &options), "");
                    assert_eq!(verdict(dir.path(), "h.jsonl"), Some(code), "{options:?}");
                }
            }
        }
    }
}

#[test]
fn a_seed_means_the_same_bytes_and_another_seed_others() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["--model", "kv", "--ops", "500", "--unknown", "5", "--seed"];
    let [first, again, other] = ["1", "1", "2"].map(|seed| generate(dir.path(), &[&options[..], &[seed]].concat()));
    assert_eq!(first, again);
    assert_ne!(first, other);
    generate(dir.path(), &[&options[..], &["1", "--out", "h.jsonl"]].concat());
    assert_eq!(fs::read_to_string(dir.path().join("h.jsonl")).unwrap(), first);
}

#[test]
fn what_cannot_be_planted_is_wrong_usage_and_leaves_the_file_as_it_was() {
    let (dir, path) = file("before");
    let options = "generate --values 2 --unknown 50 --ops 1000 --violation stale-read --out history.jsonl";
    let ended = run(dir.path(), &options.split(' ').collect::<Vec<_>>());
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("hint: use more operations, --values unique"), "{}", ended.err);
    assert_eq!(fs::read_to_string(path).unwrap(), "before");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn wrong_options_are_wrong_usage() {
    for options in
        ["--model queue", "--values 0", "--values some", "--unknown 101", "--clients 0", "--keys 0", "--ops 0"]
    {
        let arguments: Vec<_> = ["generate"].into_iter().chain(options.split(' ')).collect();
        let ended = run(".".as_ref(), &arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for out in ["missing/h.jsonl", "."] {
        let ended = run(dir.path(), &["generate", "--ops", "10", "--out", out]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.err.contains(&format!("cannot write {out}")), "{}", ended.err);
    }
    assert_eq!(generate(dir.path(), &["--ops", "10", "--out", "/dev/null"]), "");
    assert!(!fs::metadata("/dev/null").unwrap().is_file(), "a device is not replaced");
}
