//! Tests of arguments that a model does not understand, options without effect, and answers without information.

use std::fs;

use crate::support::{CommandResult, file, run};

/// Makes a history of sequential operations, each by a client of its own: function, argument, outcome with result.
fn history(calls: &[(&str, &str, &str)]) -> String {
    let line = |process: usize, kind: &str, f: &str, value: &str| {
        format!(r#"{{"process":{process},"type":"{kind}","f":"{f}","value":{value}}}"#) + "\n"
    };
    let both = |(process, (f, argument, end)): (usize, &(&str, &str, &str))| {
        let (kind, value) = end.split_once(' ').unwrap_or((end, "null"));
        line(process, "invoke", f, argument) + &line(process, kind, f, value)
    };
    calls.iter().enumerate().map(both).collect()
}

fn check(calls: &[(&str, &str, &str)], options: &[&str]) -> CommandResult {
    let (dir, _) = file(history(calls));
    run(dir.path(), &[&["check"], options, &["history.jsonl"]].concat())
}

#[test]
fn an_argument_or_an_answer_that_a_model_does_not_understand_is_named() {
    for (model, call, named) in [
        ("register", ("read", "7", "ok 1"), "read with the argument 7"),
        ("register", ("read", "[7,null,1]", "info"), "read with the argument [7,null,1]"),
        ("kv", ("delete", "\"k\"", "ok"), "delete with the argument"),
        ("kv", ("append", "[1]", "ok"), "append with the argument [1]"),
        ("multi-register", ("read", "\"x\"", "ok {\"x\":1}"), "read with the argument"),
        ("set", ("read", "[1,2,3]", "ok [1]"), "read with the argument [1,2,3]"),
        ("set", ("read", "null", "ok 0"), "read that answers 0"),
        ("counter", ("read", "\"a\"", "ok 0"), "read with the argument"),
        ("counter", ("add", "null", "ok"), "add with the argument nil"),
        ("queue", ("dequeue", "2", "ok 1"), "dequeue with the argument 2"),
        ("bag", ("take", "2", "ok 1"), "take with the argument 2"),
        ("stack", ("pop", "2", "ok 1"), "pop with the argument 2"),
        ("priority-queue", ("poll", "2", "ok 1"), "poll with the argument 2"),
        ("list", ("read", "\"a\"", "ok [1]"), "read with the argument"),
        ("mutex", ("acquire", "\"lock-7\"", "ok"), "acquire with the argument"),
        ("fenced-lock", ("acquire", "\"lock-7\"", "ok 1"), "acquire with the argument"),
    ] {
        let ended = check(&[call], &["--model", model]);
        assert_eq!(ended.code, Some(2), "{model} {call:?}: {ended:?}");
        assert!(ended.out.contains(named), "{model} {call:?}: {}", ended.out);
    }
}

#[test]
fn what_is_no_register_is_judged_as_one_only_where_somebody_says_that_it_is_one() {
    for (calls, guessed) in [
        (&[("read", "null", "ok {\"0\":40,\"1\":60}")][..], 2),
        (&[("write", "1", "ok 1"), ("read", "null", "ok [1]")], 2),
        (&[("append", "1", "ok 1"), ("read", "null", "ok [1]")], 2),
        (&[("write", "[1]", "ok [1]"), ("read", "null", "ok {}")], 1),
        (&[("write", "[1]", "ok [1]"), ("read", "null", "ok [1]")], 0),
        (&[("write", "1", "ok 1"), ("read", "null", "ok 2")], 1),
    ] {
        let ended = check(calls, &[]);
        assert_eq!(ended.code, Some(guessed), "{calls:?}: {ended:?}");
        if guessed == 2 {
            assert!(ended.out.contains("give the model by --model"), "{}", ended.out);
            let model = if calls[0].0 == "append" { "kv" } else { "register" };
            assert_eq!(check(calls, &["--model", model]).code, Some(1), "{calls:?}");
        }
    }
    let began = ["--initial", "{\"0\":40}"];
    assert_eq!(check(&[("read", "null", "ok {\"0\":40}")], &began).code, Some(0));
}

#[test]
fn keys_within_values_are_said_or_told() {
    let either = [("write", "[7,1]", "ok [7,1]"), ("write", "[8,1]", "ok [8,1]"), ("read", "[7,1]", "ok [7,1]")];
    let ended = check(&either, &[]);
    assert!(ended.code == Some(65) && ended.err.contains("--keyed yes"), "{ended:?}");
    assert_eq!(check(&either, &["--keyed", "yes"]).code, Some(0));
    assert_eq!(check(&either, &["--keyed", "no"]).code, Some(1));
    let keyed = [("write", "[7,1]", "ok [7,1]"), ("write", "[8,1]", "ok [8,1]"), ("read", "[7,null]", "ok [7,1]")];
    let ended = check(&keyed, &[]);
    assert!(ended.code == Some(0) && ended.out.contains("on 2 keys"), "{ended:?}");
    let ended = check(&keyed, &["--keyed", "no"]);
    assert!(ended.code == Some(2) && ended.out.contains("read with the argument [7,null]"), "{ended:?}");
    let bare = [keyed[0], ("write", "5", "ok 5"), keyed[2]];
    assert_eq!(check(&bare, &[]).code, Some(2), "keyed values beside a bare one");
    let txns = [
        ("txn", r#"[3,[["w",0,1]]]"#, r#"ok [3,[["w",0,1]]]"#),
        ("txn", r#"[4,[["r",0,null]]]"#, r#"ok [4,[["r",0,null]]]"#),
    ];
    for options in [&[][..], &["--model", "multi-register"]] {
        assert_eq!(check(&txns, options).code, Some(0), "{options:?}");
    }
    let stale = [txns[0], ("txn", r#"[3,[["r",0,null]]]"#, r#"ok [3,[["r",0,null]]]"#)];
    for options in [&[][..], &["--model", "multi-register"]] {
        assert_eq!(check(&stale, options).code, Some(1), "{options:?}");
    }
}

#[test]
fn an_initial_value_that_is_none_is_refused_with_those_that_are() {
    for (model, initial, allowed) in [
        ("mutex", "1", "nobody holding it"),
        ("set", "5", "a list of different elements"),
        ("set", "[1,1]", "a list of different elements"),
        ("list", "\"a\"", "a list"),
        ("queue", "[null]", "other than null"),
        ("bag", "{}", "a list"),
        ("stack", "5", "a list"),
        ("priority-queue", "[\"a\"]", "whole numbers"),
        ("counter", "[]", "a whole number"),
        ("fenced-lock", "\"a\"", "a whole number"),
        ("semaphore", "-1", "a number of permits"),
        ("kv", "[1]", "text"),
    ] {
        for command in ["check", "shrink", "report"] {
            let (dir, _) = file(history(&[("read", "null", "info")]));
            let ended = run(dir.path(), &[command, "--model", model, "--initial", initial, "history.jsonl"]);
            assert_eq!(ended.code, Some(64), "{command} {model} {initial}: {ended:?}");
            assert!(ended.err.contains(allowed) && ended.err.contains("--initial"), "{}", ended.err);
        }
    }
    let append = [("append", "\"a\"", "ok")];
    assert_eq!(check(&append, &["--initial", "[1]"]).code, Some(64), "also of the model that is guessed");
    assert_eq!(check(&[("acquire", "null", "ok")], &["--model", "mutex", "--initial", "null"]).code, Some(0));
}

#[test]
fn options_without_a_meaning_are_refused() {
    let (dir, _) = file(history(&[("txn", r#"[["w",0,1]]"#, r#"ok [["w",0,1]]"#)]));
    let read = history(&[("read", "null", "ok null")]);
    for name in ["a.jsonl", "b.jsonl"] {
        fs::write(dir.path().join(name), &read).unwrap();
    }
    assert_eq!(run(dir.path(), &["convert", "a.jsonl", "a.columns"]).code, Some(0));
    for arguments in [
        &["check", "--explain", "history.jsonl"][..],
        &["check", "--explain", "a.jsonl", "b.jsonl"],
        &["check", "--keyed", "no", "a.columns"],
        &["check", "--failed-cas", "nothing", "a.columns"],
        &["convert", "--keyed", "yes", "a.columns", "b.columns"],
        &["generate", "--model", "list-append", "--violations", "3"],
    ] {
        let ended = run(dir.path(), arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
    }
    assert_eq!(run(dir.path(), &["check", "--explain", "--json", "a.jsonl", "b.jsonl"]).code, Some(0));
}

#[test]
fn a_value_that_all_saw_first_and_nobody_wrote_may_be_the_initial_one() {
    let calls = [("read", "null", "ok 42"), ("cas", "[42,43]", "ok [42,43]")];
    let ended = check(&calls, &[]);
    assert!(ended.code == Some(1) && ended.out.contains("try `--initial 42`"), "{ended:?}");
    let ended = check(&calls, &["--initial", "42"]);
    assert!(ended.code == Some(0) && !ended.out.contains("try"), "{ended:?}");
    let text = check(&[("read", "null", "ok \"a b\"")], &[]);
    assert!(text.out.contains("try `--initial '\"a b\"'`"), "{}", text.out);
    let stale = [("write", "1", "ok 1"), ("write", "2", "ok 2"), ("read", "null", "ok 1")];
    let with_another = check(&[&[("read", "null", "ok 42")], &stale[..]].concat(), &[]);
    assert!(with_another.out.contains("try `--initial 42`"), "what is wrong besides is told next: {with_another:?}");
    for others in [
        &[("read", "null", "ok 42"), ("read", "null", "ok 43"), ("write", "42", "ok 42")][..],
        &[("write", "1", "ok 1"), ("read", "null", "ok null")],
        &[("write", "1", "ok 1"), ("read", "null", "ok 2")],
        &[("read", "null", "ok 42"), ("write", "1", "ok 1"), ("read", "null", "ok 43")],
    ] {
        let ended = check(others, &[]);
        assert!(ended.code == Some(1) && !ended.out.contains("try"), "{others:?}: {ended:?}");
    }
}

#[test]
fn a_yes_that_says_nothing_is_called_weak() {
    let nothing_answered = [("write", "3", "info"), ("read", "null", "fail"), ("read", "null", "info")];
    let nothing_read = [("write", "3", "ok 3"), ("read", "null", "fail")];
    for (calls, reason, counts) in [
        (
            &nothing_answered[..],
            "nothing was answered",
            "3 operations on 1 key: 0 answered, 2 of unknown outcome, 1 failed",
        ),
        (&nothing_read, "nothing was read", "2 operations on 1 key: 1 answered, 1 failed"),
    ] {
        let ended = check(calls, &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(reason) && ended.out.contains(counts), "{}", ended.out);
        assert_eq!(check(calls, &["--fail-on", "weak"]).code, Some(2));
        let (dir, path) = file(history(calls));
        let path = path.to_str().unwrap();
        let table = run(dir.path(), &["check", path, path]);
        assert!(table.out.contains("linearizable (weak)"), "{}", table.out);
        for command in ["shrink", "report"] {
            let ended = run(dir.path(), &[command, "--fail-on", "weak", path]);
            assert!(ended.code == Some(2) && (ended.out + &ended.err).contains("weak"), "{command}");
        }
    }
    let json = check(&nothing_answered, &["--json"]).out;
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(said[0]["weak"], "nothing-answered");
    assert_eq!(said[0]["report"]["keys"][0]["unanswered"], 2);
    let strong = [("write", "3", "ok 3"), ("read", "null", "ok 3")];
    let ended = check(&strong, &["--fail-on", "weak"]);
    assert!(ended.code == Some(0) && ended.out.contains("2 operations on 1 key\n"), "{ended:?}");
}

#[test]
fn each_model_has_answers_that_could_have_been_wrong_and_others() {
    for (model, weak, strong) in [
        ("cas-register", &[("write", "1", "ok 1")][..], ("cas", "[1,2]", "ok [1,2]")),
        ("kv", &[("append", "\"a\"", "ok")], ("get", "null", "ok \"a\"")),
        ("multi-register", &[("write", "{\"x\":1}", "ok")], ("read", "{\"x\":null}", "ok {\"x\":1}")),
        ("set", &[("add", "1", "ok")], ("contains", "1", "ok true")),
        ("counter", &[("inc", "null", "ok")], ("read", "null", "ok 1")),
        ("queue", &[("enqueue", "1", "ok")], ("dequeue", "null", "ok 1")),
        ("bag", &[("add", "1", "ok")], ("take", "null", "ok 1")),
        ("stack", &[("push", "1", "ok")], ("pop", "null", "ok 1")),
        ("priority-queue", &[("insert", "1", "ok")], ("poll", "null", "ok 1")),
        ("list", &[("append", "1", "ok")], ("read", "null", "ok [1]")),
        (
            "list-append",
            &[("txn", r#"[["append",1,1]]"#, r#"ok [["append",1,1]]"#)],
            ("txn", r#"[["r",1,null]]"#, r#"ok [["r",1,[1]]]"#),
        ),
        (
            "rw-register",
            &[("txn", r#"[["w",1,1]]"#, r#"ok [["w",1,1]]"#)],
            ("txn", r#"[["r",1,null]]"#, r#"ok [["r",1,1]]"#),
        ),
    ] {
        let options = ["--model", model, "--fail-on", "weak"];
        let ended = check(weak, &options);
        assert_eq!(ended.code, Some(2), "{model}: {ended:?}");
        assert!(ended.out.contains("weak evidence: nothing was read"), "{model}: {}", ended.out);
        let ended = check(&[weak, &[strong]].concat(), &options);
        assert_eq!(ended.code, Some(0), "{model}: {ended:?}");
    }
}

#[test]
fn micro_operations_make_a_transaction_whatever_it_is_called() {
    let good = [
        ("write", r#"[["w",9,1]]"#, r#"ok [["w",9,1]]"#),
        ("read", r#"[["r",9,null],["r",8,null]]"#, r#"ok [["r",9,1],["r",8,null]]"#),
        ("txn", r#"[["r",9,null],["w",8,1]]"#, r#"ok [["r",9,1],["w",8,1]]"#),
    ];
    let ended = check(&good, &[]);
    assert!(ended.code == Some(0) && ended.out.contains("3 transactions"), "{ended:?}");
    let bad = [good[0], ("read", r#"[["r",9,null]]"#, r#"ok [["r",9,null]]"#)];
    assert_eq!(check(&bad, &[]).code, Some(1));
    assert_eq!(check(&[good[0], ("read", "null", "ok null")], &[]).code, Some(2), "transactions beside other things");
}

#[test]
fn null_that_anybody_names_is_how_a_store_of_text_begins() {
    let observed = r#"{"process":0,"type":"invoke","f":"cas","value":["a","x"]}
{"process":0,"type":"fail","f":"cas","value":["a","x"],"observed":null}
"#;
    let (dir, _) = file(observed);
    assert_eq!(run(dir.path(), &["check", "--model", "kv", "history.jsonl"]).code, Some(0), "the cas observed null");
    for (calls, code) in [
        (&[("cas", "[null,\"x\"]", "ok [null,\"x\"]"), ("get", "null", "ok \"x\"")][..], 0),
        (&[("put", "\"a\"", "ok"), ("delete", "null", "ok"), ("cas", "[null,\"x\"]", "ok [null,\"x\"]")], 0),
        (&[("get", "null", "ok \"\""), ("append", "\"a\"", "ok"), ("get", "null", "ok \"a\"")], 0),
        (&[("put", "\"a\"", "ok"), ("delete", "null", "ok"), ("get", "null", "ok null")], 0),
        (&[("put", "\"a\"", "ok"), ("delete", "null", "ok"), ("get", "null", "ok \"a\"")], 1),
    ] {
        assert_eq!(check(calls, &["--model", "kv"]).code, Some(code), "{calls:?}");
    }
}

#[test]
fn what_is_shrunk_is_judged_as_the_whole_was() {
    let stale = |last: &'static str| {
        [("put", "\"a\"", "ok"), ("append", "\"b\"", "ok"), ("get", "null", "ok \"ab\""), ("get", "null", last)]
    };
    for (calls, options, note) in [
        // The first read shows that the store begins with null; the shrunk history may or may not keep it.
        ([&[("get", "null", "ok null")][..], &stale("ok \"a\"")].concat(), &["--model", "kv"][..], true),
        ([&[("get", "null", "ok null")][..], &stale("ok \"\"")].concat(), &["--model", "kv"], true),
        (stale("ok \"\"").to_vec(), &["--model", "kv", "--initial", "\"z\""], true),
        (vec![("enqueue", "1", "ok"), ("dequeue", "null", "ok 2")], &["--model", "queue"], true),
        (vec![("write", "1", "ok 1"), ("read", "null", "ok {\"x\":1}")], &["--model", "register"], true),
        (vec![("write", "1", "ok 1"), ("read", "null", "ok 2")], &["--model", "register"], false),
        (vec![("write", "[7,1]", "ok [7,1]"), ("read", "null", "ok [7,2]")], &[], true),
        (vec![("write", "[7,1]", "ok [7,1]"), ("read", "[8,null]", "ok [8,2]")], &[], false),
    ] {
        let (dir, _) = file(history(&calls));
        let ended = run(dir.path(), &[&["shrink"], options, &["history.jsonl", "-o", "small.jsonl"]].concat());
        assert_eq!(ended.code, Some(1), "{calls:?}: {ended:?}");
        let small = fs::read_to_string(dir.path().join("small.jsonl")).unwrap();
        assert!(note || !small.contains("judge-as"), "{calls:?}: {small}");
        assert_eq!(run(dir.path(), &["check", "small.jsonl"]).code, Some(1), "{small}");
        if note {
            assert_eq!(run(dir.path(), &["convert", "small.jsonl", "small.edn"]).code, Some(0));
            assert_eq!(run(dir.path(), &["check", "small.edn"]).code, Some(1), "{small}");
        }
    }
}

#[test]
fn a_failed_cas_is_told_where_the_verdict_rests_on_it() {
    let calls = [("write", "1", "ok 1"), ("cas", "[1,2]", "fail [1,2]"), ("read", "null", "ok 1")];
    let ended = check(&calls, &[]);
    assert!(ended.code == Some(0) && ended.out.contains("--failed-cas mismatch"), "{ended:?}");
    let ended = check(&calls, &["--failed-cas", "mismatch"]);
    assert!(ended.code == Some(1) && ended.out.contains("--failed-cas nothing"), "{ended:?}");
    let log = "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1\n\
               INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 1\t:fail\t:cas\t[1 2]\n";
    let (dir, _) = file(log);
    let ended = run(dir.path(), &["check", "history.jsonl"]);
    assert!(ended.code == Some(1) && ended.out.contains("--failed-cas nothing"), "{ended:?}");
    assert_eq!(run(dir.path(), &["check", "--failed-cas", "nothing", "history.jsonl"]).code, Some(0));
    for to in ["h.jsonl", "h.edn"] {
        assert_eq!(run(dir.path(), &["convert", "history.jsonl", to]).code, Some(0));
        assert_eq!(run(dir.path(), &["check", to]).code, Some(1), "{to} says what the log meant");
    }
}
