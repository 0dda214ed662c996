//! Test that all histories used to test other checkers can be read, with as many operations as their list states.

use std::{fs, path::PathBuf};

use histories::read_file;

#[test]
fn the_histories_of_others_have_as_many_operations_as_their_list_says() {
    let Some(folder) = std::env::var_os("SCHISM_PEER_HISTORIES").map(PathBuf::from) else {
        eprintln!("SKIPPED: set SCHISM_PEER_HISTORIES to a folder with porcupine's and Knossos' test data");
        return;
    };
    let list = fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let mut read = 0;
    for line in list.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let history = read_file(&folder.join(fields[0])).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(history.operations.len().to_string(), fields[1], "operations of {}", fields[0]);
        read += 1;
    }
    assert!(read > 100, "only {read} files are listed");
}
