//! Tests of `schism check --model`: each model listed by `--help` accepts a right history and rejects a wrong one.

use crate::support::{event, file, run};

/// Function, argument, right answer and wrong answer of a call. `[…]` is JSON.
type Call = (&'static str, &'static str, &'static str, &'static str);

const NIL: &str = "null";

const MODELS: [(&str, &[Call]); 30] = [
    ("register", &[("write", "1", "1", "1"), ("read", NIL, "1", "2")]),
    ("cas-register", &[("write", "1", "1", "1"), ("cas", "[1,2]", "[1,2]", "[1,2]"), ("read", NIL, "2", "1")]),
    ("kv", &[("append", r#""a""#, NIL, NIL), ("append", r#""b""#, NIL, NIL), ("get", NIL, r#""ab""#, r#""ba""#)]),
    (
        "multi-register",
        &[("write", r#"{"x":1,"y":2}"#, NIL, NIL), ("read", r#"{"x":null}"#, r#"{"x":1}"#, r#"{"x":2}"#)],
    ),
    ("set", &[("add", "1", NIL, NIL), ("contains", "1", "true", "false")]),
    ("comments", &[("write", "1", NIL, NIL), ("write", "2", NIL, NIL), ("read", NIL, "[1,2]", "[2]")]),
    ("counter", &[("inc", NIL, NIL, NIL), ("add", "1", NIL, NIL), ("read", NIL, "2", "1")]),
    ("queue", &[("enqueue", "1", NIL, NIL), ("enqueue", "2", NIL, NIL), ("dequeue", NIL, "1", "2")]),
    ("bag", &[("add", "1", NIL, NIL), ("add", "2", NIL, NIL), ("take", NIL, "2", "3")]),
    ("stack", &[("push", "1", NIL, NIL), ("push", "2", NIL, NIL), ("pop", NIL, "2", "1")]),
    ("priority-queue", &[("insert", "2", NIL, NIL), ("insert", "1", NIL, NIL), ("poll", NIL, "1", "2")]),
    ("list", &[("append", "1", NIL, NIL), ("append", "2", NIL, NIL), ("read", NIL, "[1,2]", "[2,1]")]),
    ("mutex", &[("acquire", NIL, NIL, NIL)]),
    ("fenced-lock", &[("acquire", NIL, "1", "1"), ("release", NIL, NIL, NIL), ("acquire", NIL, "2", "1")]),
    ("semaphore", &[("acquire", NIL, NIL, NIL)]),
    ("unique-ids", &[("generate", NIL, "1", "1"), ("generate", NIL, "2", "1")]),
    ("bank", &[("read", NIL, "[5,5]", "[5,5]"), ("transfer", NIL, NIL, NIL), ("read", NIL, "[4,6]", "[4,5]")]),
    ("bank-negative-balances", &[("read", NIL, "[5,-5]", "[5,-5]"), ("read", NIL, "[-4,4]", "[-4,5]")]),
    ("set-full", &[("add", "1", NIL, NIL), ("read", NIL, "[1]", "[]")]),
    ("pn-counter", &[("add", "-2", NIL, NIL), ("read", NIL, "-2", "2")]),
    (
        "sequential",
        &[("write", "7", "7", "7"), ("read", "7", r#"[7,[null,"7_1","7_0"]]"#, r#"[7,["7_2",null,"7_0"]]"#)],
    ),
    ("causal", &[("read-init", NIL, NIL, NIL), ("write", "1", NIL, NIL), ("read", NIL, "1", NIL)]),
    (
        "causal-reverse",
        &[("write", "1", NIL, NIL), ("write", "2", NIL, NIL), ("write", "3", NIL, NIL), ("read", NIL, "[1,2]", "[2]")],
    ),
    ("g2", &[("insert", "[null,1]", "[null,1]", "[null,1]")]),
    (
        "leased-lock",
        &[
            ("acquire", NIL, "1", "2"),
            ("acquire", NIL, "2", "1"),
            ("write", "[1,7]", NIL, NIL),
            ("write", "[2,8]", NIL, NIL),
            ("release", NIL, NIL, NIL),
        ],
    ),
    (
        "monotonic",
        &[
            ("add", "0", r#"{"val":0,"sts":5}"#, r#"{"val":0,"sts":5}"#),
            ("read", NIL, r#"[{"val":0,"sts":5},{"val":1,"sts":6}]"#, r#"[{"val":1,"sts":5},{"val":0,"sts":6}]"#),
        ],
    ),
    ("kafka", &[("send", "7", "0", "0"), ("send", "8", "1", "0"), ("poll", "0", "[[0,7],[1,8]]", "[[0,7],[1,8]]")]),
    (
        "list-append",
        &[
            ("txn", r#"[["append","x",1]]"#, r#"[["append","x",1]]"#, r#"[["append","x",1]]"#),
            ("txn", r#"[["r","x",null]]"#, r#"[["r","x",[1]]]"#, r#"[["r","x",[]]]"#),
        ],
    ),
    (
        "rw-register",
        &[
            ("txn", r#"[["w","x",1]]"#, r#"[["w","x",1]]"#, r#"[["w","x",1]]"#),
            ("txn", r#"[["r","x",null]]"#, r#"[["r","x",1]]"#, r#"[["r","x",7]]"#),
        ],
    ),
    (
        "long-fork",
        &[
            ("txn", r#"[["w","x",1]]"#, r#"[["w","x",1]]"#, r#"[["w","x",1]]"#),
            ("txn", r#"[["r","x",null]]"#, r#"[["r","x",1]]"#, r#"[["r","x",7]]"#),
        ],
    ),
];

fn history(calls: &[Call], is_right: bool) -> String {
    let mut text = String::new();
    for (place, (f, argument, right, wrong)) in (0..).zip(calls) {
        let answer = if is_right { right } else { wrong };
        text += &event(2 * place, 1, "invoke", f, "k", argument);
        text += &event(2 * place + 1, 1, "ok", f, "k", answer);
    }
    // A second acquisition is wrong for a lock that is held, and so is a second insert of which there is one at most.
    if calls.len() == 1 && !is_right {
        text += &event(10, 2, "invoke", calls[0].0, "k", calls[0].1);
        text += &event(11, 2, "ok", calls[0].0, "k", calls[0].1);
    }
    // The micro-operations of a transaction name their keys themselves.
    if calls[0].0 == "txn" { text.replace(r#""key":"k","#, "") } else { text }
}

#[test]
fn each_accepts_what_is_right_and_rejects_what_is_wrong() {
    for (model, calls) in MODELS {
        for (is_right, code) in [(true, 0), (false, 1)] {
            let (dir, _) = file(history(calls, is_right));
            let ended = run(dir.path(), &["check", "--model", model, "history.jsonl"]);
            assert_eq!(ended.code, Some(code), "{model}, right: {is_right}: {ended:?}");
        }
    }
}

#[test]
fn all_that_the_help_lists_are_tested() {
    let help = run(".".as_ref(), &["check", "--help"]).out;
    let (_, after) = help.split_once("--model <MODEL>").unwrap();
    let (listed, _) = after.split_once("--level").unwrap();
    let names = listed.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'));
    assert_eq!(names.map(|(name, _)| name).collect::<Vec<_>>(), MODELS.map(|(model, _)| model));
}
