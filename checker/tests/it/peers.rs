//! Verdicts on the histories on which other checkers are tested, if `SCHISM_PEER_HISTORIES` names a folder with them.

use std::path::PathBuf;

use checker::{Model, Options, Verdict, check, check_with};
use histories::{Value, read_file};

use crate::store::{Store, unsplit};

/// Returns the folder with the histories of other checkers, if there is one.
#[allow(clippy::print_stderr, reason = "a test that skips says so")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SCHISM_PEER_HISTORIES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: set SCHISM_PEER_HISTORIES to a folder with porcupine's and Knossos' test data");
    }
    folder
}

#[test]
fn peers_histories_get_the_verdicts_that_they_are_known_for() {
    let Some(folder) = folder() else { return };
    let verdicts = std::fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let mut checked = 0;
    for line in verdicts.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, operations, linearizable] = columns[..] else { panic!("three columns, not {line}") };
        let history = read_file(&folder.join(file)).unwrap();
        assert_eq!(history.operations.len().to_string(), operations, "{file}");
        let options = if file.starts_with("kv/") {
            Options { initial: Value::from(""), ..Options::new(Model::KeyValue) }
        } else {
            Options::new(Model::Register)
        };
        let expected = if linearizable == "yes" { Verdict::Linearizable } else { Verdict::NotLinearizable };
        assert_eq!(check(&history, &options).verdict, expected, "{file}");
        checked += 1;
    }
    assert!(checked > 0, "verdicts.tsv names no history");
}

#[test]
fn a_store_is_decided_without_splitting_it_by_key() {
    let Some(folder) = folder() else { return };
    for (name, expected) in [
        ("c01-ok", Verdict::Linearizable),
        ("c01-bad", Verdict::NotLinearizable),
        ("c10-ok", Verdict::Linearizable),
        ("c10-bad", Verdict::NotLinearizable),
    ] {
        let history = read_file(&folder.join(format!("kv/{name}.txt"))).unwrap();
        let report = check_with(&unsplit(&history), &Store, &Options::new(Model::Register));
        assert_eq!(report.keys.len(), 1, "{name}");
        assert_eq!(report.verdict, expected, "{name}: {:?}", report.keys[0].why);
    }
}
