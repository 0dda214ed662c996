//! Tests of `schism check --linearization`: the order that was found, for other programs.

use std::fs;

use serde_json::{Value, json};

use crate::support::{event, file, run, stale_read};

fn lines(dir: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("order.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const CHECK: [&str; 4] = ["check", "--all", "--linearization", "order.jsonl"];

#[test]
fn operations_stand_in_the_order_in_which_they_can_have_happened() {
    // The read of 57 was invoked after the write of 41 and before the write of 57, which the order must put first.
    let history = event(0, 1, "invoke", "write", "k", "41")
        + &event(1, 1, "ok", "write", "k", "41")
        + &event(2, 2, "invoke", "read", "k", "null")
        + &event(3, 3, "invoke", "write", "k", "57")
        + &event(4, 2, "ok", "read", "k", "57")
        + &event(5, 1, "invoke", "cas", "k", "[57,7]")
        + &event(6, 1, "ok", "cas", "k", "[57,7]");
    let (dir, _) = file(history);
    let ended = run(dir.path(), &[&CHECK[..], &["history.jsonl"]].concat());
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    let expected = [
        json!({"key": "k", "index": 0, "process": 1, "node": 2, "type": "ok", "f": "write", "value": 41}),
        json!({"key": "k", "index": 2, "process": 3, "node": 1, "type": "info", "f": "write", "value": 57}),
        json!({"key": "k", "index": 1, "process": 2, "node": 3, "type": "ok", "f": "read", "answer": 57}),
        json!({"key": "k", "index": 3, "process": 1, "node": 2, "type": "ok", "f": "cas", "value": [57, 7]}),
    ];
    assert_eq!(lines(dir.path()), expected);
}

#[test]
fn a_key_without_an_order_is_named_and_files_are_told_apart() {
    let other = event(5000, 9, "invoke", "write", "k1", "1") + &event(5001, 9, "ok", "write", "k1", "1");
    let (dir, _) = file(stale_read() + &other);
    fs::write(dir.path().join("good.jsonl"), &other).unwrap();
    let ended = run(dir.path(), &[&CHECK[..], &["history.jsonl", "good.jsonl"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("history.jsonl: key k3: not linearizable"), "{}", ended.err);
    let found: Vec<_> = lines(dir.path()).iter().map(|line| (line["file"].clone(), line["key"].clone())).collect();
    assert_eq!(found, [(json!("history.jsonl"), json!("k1")), (json!("good.jsonl"), json!("k1"))]);
}

#[test]
fn transactions_have_one_order() {
    let of = |time, process, kind: &str, value: &str| {
        event(time, process, kind, "txn", "", value).replace("\"key\":\"\",", "")
    };
    let history = of(0, 1, "invoke", r#"[["append","x",1]]"#)
        + &of(1, 2, "invoke", r#"[["r","x",null]]"#)
        + &of(2, 2, "ok", r#"[["r","x",[1]]]"#)
        + &of(3, 1, "ok", r#"[["append","x",1]]"#);
    let (dir, _) = file(history);
    let ended = run(dir.path(), &[&CHECK[..], &["history.jsonl"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let found: Vec<_> = lines(dir.path()).iter().map(|line| (line["index"].clone(), line["value"].clone())).collect();
    assert_eq!(found, [(json!(0), json!([["append", "x", 1]])), (json!(1), json!([["r", "x", [1]]]))]);
}

#[test]
fn what_cannot_be_written_is_said_and_stdout_is_taken() {
    let (dir, _) = file(stale_read());
    let ended = run(dir.path(), &["check", "--linearization", "missing/order.jsonl", "history.jsonl"]);
    // The verdict stands even though the order cannot be written.
    assert!(ended.code == Some(1) && ended.err.contains("missing/order.jsonl"), "{ended:?}");
    let ended = run(dir.path(), &["check", "--linearization", "-", "history.jsonl"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
}

#[test]
fn a_violation_without_any_order_leaves_no_file() {
    let (dir, _) = file(stale_read());
    let ended = run(dir.path(), &[&CHECK[..], &["history.jsonl"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!dir.path().join("order.jsonl").exists());
}
