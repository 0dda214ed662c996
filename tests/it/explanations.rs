//! Tests of the exact words in which `schism check` explains ten violations: `tests/explanations/*.txt`.
//!
//! `SCHISM_WRITE_EXPLANATIONS=1 cargo test --test it explanations` rewrites the files, which must be reviewed before a
//! commit.

use std::{fs, path::Path};

use crate::support::{event, file, run, stale_read};

/// Makes a history of calls on one register, `k`: invocation and completion in ms, process, function, argument,
/// outcome and result.
fn calls(calls: &[(u64, u64, u64, &str, &str, &str, &str)]) -> String {
    let mut events: Vec<(u64, String)> = Vec::new();
    for &(begin, end, process, f, argument, kind, answer) in calls {
        events.push((begin, event(begin, process, "invoke", f, "k", argument)));
        events.push((end, event(end, process, kind, f, "k", answer)));
    }
    events.sort_by_key(|&(time, _)| time);
    events.into_iter().map(|(_, line)| line).collect()
}

/// Compares the output of `check` for a history with the file of the given name.
fn explained(name: &str, model: &str, history: &str) {
    let (dir, _) = file(history);
    let ended = run(dir.path(), &["check", "--model", model, "history.jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explanations").join(format!("{name}.txt"));
    if std::env::var_os("SCHISM_WRITE_EXPLANATIONS").is_some() {
        fs::write(&path, &ended.out).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(ended.out, expected, "{name} is told otherwise than in {}", path.display());
}

#[test]
fn a_stale_read() {
    explained("stale-read", "register", &stale_read());
}

#[test]
fn a_lost_write() {
    let history = calls(&[
        (1000, 1010, 1, "write", "57", "ok", "57"),
        (1020, 1022, 2, "read", "null", "ok", "57"),
        (3000, 3002, 2, "read", "null", "ok", "null"),
        (3100, 3103, 3, "read", "null", "ok", "null"),
    ]);
    explained("lost-write", "register", &history);
}

#[test]
fn a_value_that_nobody_wrote() {
    let history = calls(&[(1000, 1010, 1, "write", "57", "ok", "57"), (1020, 1022, 2, "read", "null", "ok", "58")]);
    explained("value-nobody-wrote", "register", &history);
}

#[test]
fn a_failed_write_that_was_seen() {
    let history = calls(&[
        (1000, 1010, 1, "write", "41", "ok", "41"),
        (1100, 1200, 2, "write", "57", "fail", "57"),
        (1300, 1302, 3, "read", "null", "ok", "57"),
    ]);
    explained("failed-write-seen", "register", &history);
}

#[test]
fn a_read_from_the_future() {
    let history = calls(&[(1000, 1002, 3, "read", "null", "ok", "57"), (1100, 1110, 1, "write", "57", "ok", "57")]);
    explained("read-from-the-future", "register", &history);
}

#[test]
fn a_flip_flop() {
    let history = calls(&[
        (1000, 1200, 1, "write", "41", "ok", "41"),
        (1001, 1201, 2, "write", "57", "ok", "57"),
        (1010, 1012, 3, "read", "null", "ok", "41"),
        (1020, 1022, 4, "read", "null", "ok", "57"),
        (1030, 1032, 3, "read", "null", "ok", "41"),
    ]);
    explained("flip-flop", "register", &history);
}

#[test]
fn two_cas_that_took_the_same_value() {
    let history = calls(&[
        (1000, 1010, 1, "write", "41", "ok", "41"),
        (1100, 1110, 2, "cas", "[41,57]", "ok", "[41,57]"),
        (1105, 1120, 3, "cas", "[41,58]", "ok", "[41,58]"),
    ]);
    explained("two-cas-took-the-same", "cas-register", &history);
}

#[test]
fn a_queue_out_of_order() {
    let history = calls(&[
        (1000, 1010, 1, "enqueue", "41", "ok", "41"),
        (1020, 1030, 1, "enqueue", "57", "ok", "57"),
        (1100, 1110, 2, "dequeue", "null", "ok", "57"),
        (1200, 1210, 3, "dequeue", "null", "ok", "41"),
    ]);
    explained("queue-out-of-order", "queue", &history);
}

#[test]
fn a_lock_held_twice() {
    let history = calls(&[
        (1000, 1010, 1, "acquire", "null", "ok", "null"),
        (1100, 1110, 2, "acquire", "null", "ok", "null"),
        (1200, 1210, 1, "release", "null", "ok", "null"),
    ]);
    explained("lock-held-twice", "mutex", &history);
}

#[test]
fn a_stale_transaction() {
    let txn = |begin, end, process, asked, answered| (begin, end, process, "txn", asked, "ok", answered);
    let history = calls(&[
        txn(1000, 1010, 1, r#"[["append","x",1]]"#, r#"[["append","x",1]]"#),
        txn(1100, 1110, 2, r#"[["append","x",2],["append","y",3]]"#, r#"[["append","x",2],["append","y",3]]"#),
        txn(1200, 1210, 3, r#"[["r","x",null],["r","y",null]]"#, r#"[["r","x",[1]],["r","y",[3]]]"#),
        txn(1300, 1310, 4, r#"[["r","x",null]]"#, r#"[["r","x",[1,2]]]"#),
    ]);
    explained("torn-transaction", "list-append", &history.replace(r#""key":"k","#, ""));
}
