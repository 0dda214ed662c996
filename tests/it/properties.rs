//! Tests of models that are properties and not objects: the words of a verdict, its evidence, what is refused, and the
//! forms in which Jepsen and elle-cli write such histories.

use serde_json::Value;

use crate::support::{CommandResult, file, run};

/// Returns a history in EDN: process, type, function, value.
fn edn(events: &[(u32, &str, &str, &str)]) -> String {
    let lines = (0..).zip(events).map(|(time, (process, kind, f, value))| {
        format!("{{:type :{kind}, :f :{f}, :process {process}, :time {time}000000, :index {time}, :value {value}}}\n")
    });
    lines.collect()
}

fn check(content: &str, arguments: &[&str]) -> CommandResult {
    let (dir, _) = file(content);
    run(dir.path(), &[&["check"], arguments, &["history.jsonl"]].concat())
}

/// Judges a history by a model, which must end with this exit code.
fn judged(content: &str, model: &str, code: i32) -> CommandResult {
    let ended = check(content, &["--model", model]);
    assert_eq!(ended.code, Some(code), "{model}: {ended:?}");
    ended
}

/// Returns a transfer, and reads by two clients with these balances.
fn bank(first: &str, second: &str) -> String {
    let transfer = "{:from 1, :to 0, :amount 5}";
    edn(&[
        (0, "invoke", "transfer", transfer),
        (0, "fail", "transfer", transfer),
        (1, "invoke", "read", "nil"),
        (1, "ok", "read", first),
        (2, "invoke", "read", "nil"),
        (2, "ok", "read", second),
    ])
}

#[test]
fn a_bank_keeps_its_total() {
    let right = judged(&bank("{0 97, 1 3}", "{0 90, 1 10}"), "bank", 0);
    assert!(right.out.contains("the property bank holds: 3 operations on 1 key"), "{}", right.out);
    let wrong = bank("{0 97, 1 3}", "{0 97, 1 8}");
    let ended = judged(&wrong, "bank", 1);
    for words in [
        "the property bank is violated: ",
        "one read shows a total of 100, another 105",
        "These operations alone already violate it:",
        "read -> {0 97, 1 8}",
    ] {
        assert!(ended.out.contains(words), "{words} is not in {}", ended.out);
    }
    assert!(!ended.out.contains("linearizable") && !ended.out.contains("order"), "{}", ended.out);
    let told = check(&bank("{0 97, 1 3}", "{0 97, 1 3}"), &["--model", "bank", "--initial", "99"]);
    assert!(told.out.contains("a read shows a total of 100, though there is 99"), "{told:?}");
}

#[test]
fn json_names_the_property() {
    let ended = check(&bank("{0 97, 1 3}", "{0 97, 1 8}"), &["--model", "bank", "--json"]);
    let rows: Value = serde_json::from_str(&ended.out).unwrap();
    let report = &rows[0]["report"];
    assert_eq!((&report["property"], &report["verdict"]), (&"bank".into(), &"not-linearizable".into()));
    assert_eq!(report["keys"][0]["evidence"]["operations"], serde_json::json!([1, 2]));
    assert_eq!((&rows[0]["ladder"], &rows[0]["staleness"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_property_is_shrunk_and_drawn_but_has_no_order() {
    let (dir, _) = file(bank("{0 97, 1 3}", "{0 97, 1 8}"));
    let shrunk = run(dir.path(), &["shrink", "--model", "bank", "history.jsonl", "-o", "small.jsonl"]);
    assert_eq!(shrunk.code, Some(1), "{shrunk:?}");
    assert!(shrunk.err.contains("2 operations of 3 violate the property by themselves"), "{shrunk:?}");
    let again = run(dir.path(), &["check", "small.jsonl"]);
    assert!(again.out.contains("the property bank is violated: 2 operations"), "{again:?}");
    let page = run(dir.path(), &["report", "--model", "bank", "history.jsonl"]);
    assert_eq!(page.code, Some(1), "{page:?}");
    let page = std::fs::read_to_string(dir.path().join("history.html")).unwrap();
    assert!(page.contains("Total of all balances over time") && page.contains("the property bank is violated"));
    assert!(!page.contains("What holds instead"));
    for option in [&["--explain"][..], &["--linearization", "order.jsonl"]] {
        let refused = run(dir.path(), &[&["check", "--model", "bank", "history.jsonl"], option].concat());
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.err.contains(&format!("{} has no meaning for bank", option[0])), "{refused:?}");
    }
}

/// Returns adds of 0 and 1, and reads by two clients with these elements.
fn set(first: &str, second: &str) -> String {
    edn(&[
        (0, "invoke", "add", "0"),
        (0, "ok", "add", "0"),
        (1, "invoke", "add", "1"),
        (1, "info", "add", "1"),
        (2, "invoke", "read", "nil"),
        (2, "ok", "read", first),
        (3, "invoke", "read", "nil"),
        (3, "ok", "read", second),
    ])
}

#[test]
fn a_set_that_shows_elements_late_is_told_from_one_that_loses_them() {
    let late = judged(&set("#{}", "#{0 1}"), "set-full", 0);
    let figures = "Of 2 elements, 1 acknowledged: 1 shown at once, 1 late (by 3.0 ms at most, 3.0 ms at p50, 3.0 ms at \
        p95, 3.0 ms at p99), 0 never read, 0 lost";
    assert!(late.out.contains(figures), "{}", late.out);
    let lost = judged(&set("#{0 1}", "#{0}"), "set-full", 1);
    assert!(lost.out.contains("1 was lost: ") && lost.out.contains("0 never read, 1 lost"), "{}", lost.out);
    // elle-cli has pairs as elements.
    judged(&set("#{[0 0]}", "#{[0 0]}").replace(":value 0", ":value [0 0]"), "set-full", 0);
}

#[test]
fn a_counter_must_be_right_in_the_end() {
    let counter = |last: &str| {
        edn(&[
            (0, "invoke", "add", "-3"),
            (1, "invoke", "read", "nil"),
            (1, "ok", "read", "77"),
            (0, "ok", "add", "-3"),
            (2, "invoke", "add", "4"),
            (2, "info", "add", "4"),
            (3, "invoke", "read", "nil"),
            (3, "ok", "read", last),
        ])
    };
    for (last, code) in [("-3", 0), ("1", 0), ("0", 1)] {
        judged(&counter(last), "pn-counter", code);
    }
    let (dir, _) = file(counter("0"));
    let shrunk = run(dir.path(), &["shrink", "--model", "pn-counter", "history.jsonl", "-o", "small.jsonl"]);
    assert_eq!(shrunk.code, Some(1), "{shrunk:?}");
    assert_eq!(run(dir.path(), &["check", "small.jsonl"]).code, Some(1), "all additions are kept");
}

#[test]
fn an_id_is_given_out_once() {
    let ids = |second: &str| {
        edn(&[
            (0, "invoke", "generate", "nil"),
            (0, "ok", "generate", "\"n1-1\""),
            (1, "invoke", "generate", "nil"),
            (1, "ok", "generate", second),
        ])
    };
    judged(&ids("\"n2-1\""), "unique-ids", 0);
    let twice = judged(&ids("\"n1-1\""), "unique-ids", 1);
    assert!(twice.out.contains("the id \"n1-1\" was given out twice"), "{}", twice.out);
}

/// Returns sends of 10 and 11 to log 5 by one process, and a poll by another, as Jepsen writes them.
fn logs(poll: &str) -> String {
    edn(&[
        (0, "invoke", "send", "[[:send 5 10]]"),
        (0, "ok", "send", "[[:send 5 [0 10]]]"),
        (0, "invoke", "send", "[[:send 5 11]]"),
        (0, "ok", "send", "[[:send 5 [2 11]]]"),
        (0, "invoke", "send", "[[:send 5 12]]"),
        (0, "ok", "send", "[[:send 5 [3 12]]]"),
        (1, "invoke", "assign", "[5]"),
        (1, "ok", "assign", "[5]"),
        (1, "invoke", "poll", "[[:poll]]"),
        (1, "ok", "poll", poll),
    ])
}

#[test]
fn a_log_keeps_its_offsets_and_loses_nothing_that_is_read_past() {
    let right = judged(&logs("[[:poll {5 [[0 10] [2 11] [3 12]]}]]"), "kafka", 0);
    assert!(right.out.contains("the property kafka holds: 5 operations"), "{}", right.out);
    for (poll, claim) in [
        (
            "[[:poll {5 [[0 10] [3 12]]}]]",
            "11 at offset 2 of log 5 was lost: no poll shows it, and one goes from 0 to 3",
        ),
        ("[[:poll {5 [[0 10] [2 12]]}]]", "offset 2 has 11 and also 12 (log 5)"),
        ("[[:poll {5 [[2 11] [0 10]]}]]", "a poll shows offset 0 of log 5, though it goes on after 2"),
        ("[[:poll {5 [[0 10] [1 77]]}]]", "a poll shows 77, which nobody had sent (log 5)"),
    ] {
        let wrong = judged(&logs(poll), "kafka", 1);
        assert!(wrong.out.contains(claim), "{claim} is not in {}", wrong.out);
    }
    let mixed = logs("[[:poll {}]]").replace(":f :poll", ":f :txn");
    let refused = check(&mixed, &["--model", "kafka"]);
    assert!(refused.code != Some(0) && refused.code != Some(1), "{refused:?}");
}
