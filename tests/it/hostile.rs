//! Tests that histories, files and records cannot control the terminal, break JSON, or give commands to a CI.

use std::fs;

use serde_json::{Value, json};

use crate::support::{CommandResult, plan, run};

/// Text with colours, a window title, reversed direction, a workflow command on its own line, and a hidden letter.
const HOSTILE: &str = "k\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\n::error::x\n  \
::add-mask::y\n##[group]z\u{200b}\u{2028}\u{feff}|<b>";

fn does_harm(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

fn assert_harmless(ended: &CommandResult, what: &str) {
    for said in [&ended.out, &ended.err] {
        assert!(!said.chars().any(does_harm), "{what}: {said:?}");
        for line in said.lines() {
            assert!(!line.trim().starts_with("::") && !line.contains("##["), "{what}: {line:?}");
        }
    }
}

fn line(time: u64, process: u64, kind: &str, f: &str, value: &Value) -> String {
    let event =
        json!({ "time": time, "process": process, "type": kind, "f": f, "key": HOSTILE, "value": value, "node": 1 });
    format!("{event}\n")
}

/// Makes a history with a stale read of hostile text under a hostile key, and a hostile nemesis.
fn stale() -> String {
    let (first, second) = (json!(format!("1{HOSTILE}")), json!(format!("2{HOSTILE}")));
    let nemesis = json!({ "time": 1, "process": "nemesis", "type": "info", "f": HOSTILE, "value": HOSTILE });
    [
        format!("{nemesis}\n"),
        line(2, 1, "invoke", "write", &first),
        line(3, 1, "ok", "write", &first),
        line(4, 1, "invoke", "write", &second),
        line(5, 1, "ok", "write", &second),
        line(6, 2, "invoke", "read", &Value::Null),
        line(7, 2, "ok", "read", &first),
    ]
    .concat()
}

#[test]
fn what_is_shown_of_a_history_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let name = "bad\u{1b}[31m\u{202e}\n::error::x.jsonl";
    fs::write(dir.path().join(name), stale()).unwrap();
    let odd = line(1, 1, "invoke", HOSTILE, &Value::Null) + &line(2, 1, "ok", HOSTILE, &Value::Null);
    fs::write(dir.path().join("odd.jsonl"), odd).unwrap();
    fs::write(dir.path().join("broken.jsonl"), format!("{}{HOSTILE}", stale())).unwrap();
    fs::write(dir.path().join("broken.edn"), format!("{{:type :invoke, :f {HOSTILE}")).unwrap();
    for command in [
        &["check", name][..],
        &["check", "--explain", name],
        &["check", "--json", name],
        &["check", "--json", "--explain", name],
        &["check", name, "odd.jsonl"],
        &["check", "odd.jsonl"],
        &["check", "--json", "odd.jsonl"],
        &["check", "--model", "set", "odd.jsonl"],
        &["check", "broken.jsonl", "broken.edn", "missing\u{9b}31m\n::error::x"],
        &["check", "broken.jsonl"],
        &["report", name, "-o", "page.html"],
        &["shrink", name, "-o", "small.jsonl"],
        &["convert", "broken.edn", "out.jsonl"],
        &["store", "ls", "missing\u{9b}31m\n::error::x"],
    ] {
        let ended = run(dir.path(), command);
        assert!(ended.code != Some(0) || !ended.out.is_empty(), "{command:?}: {ended:?}");
        assert_harmless(&ended, &format!("{command:?}"));
    }
    let json = run(dir.path(), &["check", "--json", name]).out;
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told[0]["report"]["keys"][0]["key"], HOSTILE, "escaped, and the same text");
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(!page.contains("\u{202e}") && !page.contains("\u{9b}") && !page.contains("<b>"), "a page shows it");
}

#[test]
fn what_is_shown_of_a_store_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("store/x\u{1b}[31m\n::error::x/1");
    fs::create_dir_all(&run_dir).unwrap();
    fs::write(run_dir.join("test.json"), plan(HOSTILE, HOSTILE, HOSTILE)).unwrap();
    fs::write(run_dir.join("results.json"), json!({ "verdict": HOSTILE }).to_string()).unwrap();
    assert!(run(dir.path(), &["store", "ls", "--json"]).out.contains("\"workload\""), "the plan is read");
    for command in [&["store", "ls"][..], &["store", "ls", "--json"], &["store", "gc"], &["store", "rm", "store"]] {
        assert_harmless(&run(dir.path(), command), &format!("{command:?}"));
    }
}
