//! Tests of `schism shrink`: the result fails by itself, and nothing is written for a history that holds.

use std::fs;

use crate::support::{event, file, run, stale_read};

#[test]
fn what_is_written_is_small_and_fails_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    for (model, values) in [("register", "unique"), ("cas-register", "unique"), ("cas-register", "5"), ("kv", "unique")]
    {
        let options = format!(
            "generate --model {model} --values {values} --ops 2000 --clients 4 --keys 2 --unknown 0 --violation \
            stale-read --out h.jsonl"
        );
        assert_eq!(run(dir.path(), &options.split(' ').collect::<Vec<_>>()).code, Some(0));
        let ended = run(dir.path(), &["shrink", "--model", model, "h.jsonl", "-o", "small.jsonl"]);
        assert_eq!(ended.code, Some(1), "{model} {values}: {ended:?}");
        let small = fs::read_to_string(dir.path().join("small.jsonl")).unwrap();
        let whole = fs::read_to_string(dir.path().join("h.jsonl")).unwrap();
        // The reads of an appended text depend on all earlier appends, so for kv the evidence is everything up to the
        // violation.
        assert!(model == "kv" || small.lines().count() <= 60, "{model} {values}:\n{small}");
        // One event may be new: it states the initial value of the keys if the remaining events no longer show it.
        let said = |line: &&str| line.contains(r#""f":"judge-as""#);
        assert!(small.lines().filter(|line| !said(line)).all(|line| whole.contains(line)), "{small}");
        assert!(model == "kv" || small.lines().filter(said).count() == 0, "{small}");
        let ended = run(dir.path(), &["check", "--model", model, "small.jsonl"]);
        assert_eq!(ended.code, Some(1), "{ended:?}\n{small}");
    }
}

#[test]
fn of_what_holds_or_cannot_be_read_nothing_is_written() {
    let good = stale_read().replace("41,\"node\":1", "57,\"node\":1");
    for (content, code) in [(good, 0), ("{}".to_owned(), 65)] {
        let (dir, _) = file(content);
        let ended = run(dir.path(), &["shrink", "history.jsonl", "-o", "small.jsonl"]);
        assert_eq!((ended.code, &*ended.out), (Some(code), ""), "{ended:?}");
        assert!(!dir.path().join("small.jsonl").exists());
    }
}

#[test]
fn it_goes_to_stdout_and_unknown_outcomes_keep_their_events() {
    let noise: String = (0..50)
        .map(|at| event(at, 100, "invoke", "write", "k9", "1") + &event(at, 100, "ok", "write", "k9", "1"))
        .collect();
    let (dir, _) = file(noise + &stale_read());
    let ended = run(dir.path(), &["shrink", "history.jsonl"]);
    assert_eq!((ended.code, ended.out), (Some(1), stale_read()), "{}", ended.err);
    assert!(ended.err.contains("3 operations of 53"), "{}", ended.err);
}

#[test]
fn the_folder_of_a_run_stands_for_its_history() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("store/latest")).unwrap();
    let refused = run(dir.path(), &["shrink", "store/latest"]);
    assert_eq!(refused.code, Some(65), "{refused:?}");
    assert!(refused.err.contains("there is no history in this folder: no history.jsonl"), "{}", refused.err);
    fs::write(dir.path().join("store/latest/history.jsonl"), stale_read()).unwrap();
    let ended = run(dir.path(), &["shrink", "store/latest"]);
    assert_eq!((ended.code, ended.out), (Some(1), stale_read()), "{}", ended.err);
}

#[test]
fn several_files_give_a_table_and_the_worst_exit_code() {
    let (dir, _) = file(stale_read());
    fs::write(dir.path().join("good.jsonl"), stale_read().replace("41,\"node\":1", "57,\"node\":1")).unwrap();
    let ended = run(dir.path(), &["check", "good.jsonl", "history.jsonl", "missing.jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for row in [
        "good.jsonl    \u{2506} linearizable",
        "history.jsonl \u{2506} not linearizable \u{2506} k3",
        "missing.jsonl \u{2506} cannot be read",
    ] {
        assert!(ended.out.contains(row), "{row}\n{}", ended.out);
    }
}

#[test]
fn what_an_operation_answered_is_shown() {
    let history = event(0, 1, "invoke", "contains", "s", "3") + &event(1, 1, "ok", "contains", "s", "true");
    let (dir, _) = file(history);
    let ended = run(dir.path(), &["check", "--model", "set", "history.jsonl"]);
    assert!(ended.code == Some(1) && ended.out.contains("contains s 3 -> true"), "{ended:?}");
}

#[test]
fn a_history_without_times_stays_without() {
    let untimed: String = stale_read()
        .lines()
        .map(|line| {
            let (before, after) = line.split_once("\"time\":").unwrap();
            [before, after.split_once(',').unwrap().1, "\n"].concat()
        })
        .collect();
    let (dir, _) = file(untimed.clone());
    for (command, to) in [("shrink", "small.jsonl"), ("convert", "whole.jsonl"), ("convert", "whole.edn")] {
        let ended = run(dir.path(), &[command, "history.jsonl", "-o", to]);
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
        let written = fs::read_to_string(dir.path().join(to)).unwrap();
        assert!(!written.contains("time") && written.lines().count() >= 4, "{command}:\n{written}");
        assert_eq!(run(dir.path(), &["check", to]).code, Some(1), "{written}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("whole.jsonl")).unwrap(), untimed);
}
