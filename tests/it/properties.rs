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
        "showed a total of 105, although read by process ",
        "These operations alone already violate it:",
        "read -> {0 97, 1 8}",
    ] {
        assert!(ended.out.contains(words), "{words} is not in {}", ended.out);
    }
    assert!(!ended.out.contains("linearizable") && !ended.out.contains("order"), "{}", ended.out);
    let told = check(&bank("{0 97, 1 3}", "{0 97, 1 3}"), &["--model", "bank", "--initial", "99"]);
    assert!(told.out.contains(" showed a total of 100, although the bank began with 99"), "{told:?}");
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
    assert!(
        lost.out.contains(" lacks 1, although read by process 2 at ") && lost.out.contains("0 never read, 1 lost"),
        "{}",
        lost.out
    );
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
    assert!(twice.out.contains(" returned \"n1-1\", although generate by process "), "{}", twice.out);
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
            "went from offset 0 to 3 of log 5, and no poll shows 11, which send by process 0 at 0.002 s put at offset \
                2: it \
            was lost",
        ),
        (
            "[[:poll {5 [[0 10] [2 12]]}]]",
            "says that offset 2 of log 5 has 12, although send by process 0 at 0.002 s \
            says that it has 11",
        ),
        ("[[:poll {5 [[2 11] [0 10]]}]]", "returned offset 0 of log 5, although it had to go on after 2"),
        ("[[:poll {5 [[0 10] [1 77]]}]]", "returned 77 at offset 1 of log 5, which nobody ever sent"),
    ] {
        let wrong = judged(&logs(poll), "kafka", 1);
        assert!(wrong.out.contains(claim), "{claim} is not in {}", wrong.out);
    }
    let mixed = logs("[[:poll {}]]").replace("[[:poll]]", "[[:r 5 nil]]");
    let refused = check(&mixed, &["--model", "kafka"]);
    assert!(refused.code != Some(0) && refused.code != Some(1), "{refused:?}");
}

#[test]
fn reads_that_a_history_calls_final_are_the_final_ones_in_every_format() {
    let plain = edn(&[
        (0, "invoke", "add", "5"),
        (0, "ok", "add", "5"),
        (1, "invoke", "read", "nil"),
        (1, "ok", "read", "0"),
        (2, "invoke", "read", "nil"),
        (2, "ok", "read", "5"),
    ]);
    judged(&plain, "pn-counter", 1);
    let called = plain.replace(":process 2", ":process 2, :final? true");
    judged(&called, "pn-counter", 0);
    let (dir, _) = file(&called);
    for (from, to) in [("history.jsonl", "h.edn"), ("h.edn", "h.jsonl"), ("h.jsonl", "h.columns")] {
        let converted = run(dir.path(), &["convert", from, to]);
        assert_eq!(converted.code, Some(0), "{converted:?}");
        let again = run(dir.path(), &["check", "--model", "pn-counter", to]);
        assert_eq!(again.code, Some(0), "{to}: {again:?}");
    }
}

#[test]
fn a_bank_has_the_accounts_that_it_began_with() {
    let strange = bank("{0 97, 1 3}", "{0 90, 7 10}");
    let ended = check(&strange, &["--model", "bank", "--initial", "{0 50, 1 50}"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains(" showed an account 7, which the bank does not have"), "{}", ended.out);
    assert_eq!(check(&strange, &["--model", "bank"]).code, Some(0), "nobody said which it has");
    let without = check(&bank("{0 97, 1 3}", "{0 100, 1 nil}"), &["--model", "bank"]);
    assert!(without.out.contains(" showed no balance of account 1"), "{}", without.out);
    let debts = bank("{0 97, 1 3}", "{0 105, 1 -5}");
    assert_eq!(check(&debts, &["--model", "bank"]).code, Some(1));
    assert_eq!(check(&debts, &["--model", "bank-negative-balances"]).code, Some(0));
}

/// Returns Jepsen's causal order of one process on key 3, whose last read finds this.
fn causal_order(last: &str) -> String {
    edn(&[
        (0, "invoke", "read-init", "[3 nil]"),
        (0, "ok", "read-init", "[3 0]"),
        (0, "invoke", "write", "[3 1]"),
        (0, "ok", "write", "[3 1]"),
        (0, "invoke", "read", "[3 nil]"),
        (0, "ok", "read", "[3 1]"),
        (0, "invoke", "write", "[3 2]"),
        (0, "ok", "write", "[3 2]"),
        (0, "invoke", "read", "[3 nil]"),
        (0, "ok", "read", last),
    ])
}

#[test]
fn causes_count_over_all_keys() {
    let judged = |history: &str| check(history, &["--model", "causal", "--initial", "0"]);
    let right = judged(&causal_order("[3 2]"));
    assert_eq!(right.code, Some(0), "{right:?}");
    assert!(right.out.contains("the property causal holds: 5 operations on all keys together"), "{}", right.out);
    let wrong = judged(&causal_order("[3 1]"));
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.out.contains("returned 1, although its process knew"), "{}", wrong.out);
    let over_keys = |seen| {
        edn(&[
            (0, "invoke", "write", "[:x 1]"),
            (0, "ok", "write", "[:x 1]"),
            (0, "invoke", "write", "[:y 2]"),
            (0, "ok", "write", "[:y 2]"),
            (1, "invoke", "read", "[:y nil]"),
            (1, "ok", "read", "[:y 2]"),
            (1, "invoke", "read", "[:x nil]"),
            (1, "ok", "read", seen),
        ])
    };
    assert_eq!(judged(&over_keys("[:x 1]")).code, Some(0));
    let (dir, _) = file(over_keys("[:x 0]"));
    let options = ["--model", "causal", "--initial", "0", "history.jsonl"];
    assert_eq!(run(dir.path(), &[&["check"], &options[..]].concat()).code, Some(1));
    let shrunk = run(dir.path(), &[&["shrink"], &options[..], &["-o", "small.jsonl"]].concat());
    assert_eq!(shrunk.code, Some(1), "{shrunk:?}");
    assert_eq!(run(dir.path(), &["check", "small.jsonl"]).code, Some(1), "it says how it is to be judged");
}

#[test]
fn a_write_does_not_appear_without_those_before_it() {
    let writes = |seen| {
        edn(&[
            (0, "invoke", "write", "[1 5]"),
            (0, "ok", "write", "[1 5]"),
            (1, "invoke", "write", "[1 6]"),
            (1, "ok", "write", "[1 6]"),
            (2, "invoke", "read", "[1 nil]"),
            (2, "ok", "read", seen),
        ])
    };
    for (seen, code) in [("[1 #{}]", 0), ("[1 #{5}]", 0), ("[1 #{5 6}]", 0), ("[1 #{6}]", 1), ("[1 [6]]", 1)] {
        let ended = check(&writes(seen), &["--model", "causal-reverse"]);
        assert_eq!(ended.code, Some(code), "{seen}: {ended:?}");
    }
}

#[test]
fn a_long_fork_is_two_reads_that_see_two_writes_in_different_orders() {
    let fork = |second: &str, third: &str| {
        edn(&[
            (0, "invoke", "txn", "[[:w 0 1]]"),
            (1, "invoke", "txn", "[[:w 1 1]]"),
            (0, "ok", "txn", "[[:w 0 1]]"),
            (1, "ok", "txn", "[[:w 1 1]]"),
            (2, "invoke", "txn", "[[:r 0 nil] [:r 1 nil]]"),
            (2, "ok", "txn", second),
            (3, "invoke", "txn", "[[:r 1 nil] [:r 0 nil]]"),
            (3, "ok", "txn", third),
        ])
    };
    let stale = fork("[[:r 0 1] [:r 1 nil]]", "[[:r 1 nil] [:r 0 1]]");
    let judged = check(&stale, &["--model", "long-fork"]);
    assert_eq!(judged.code, Some(0), "both are old, in the same way: {judged:?}");
    assert_eq!(check(&stale, &["--model", "rw-register"]).code, Some(1), "they are not recent");
    let forked = check(&fork("[[:r 0 1] [:r 1 nil]]", "[[:r 1 1] [:r 0 nil]]"), &["--model", "long-fork"]);
    assert_eq!(forked.code, Some(1), "{forked:?}");
}

#[test]
fn a_lock_with_a_lease_guards_what_tokens_guard() {
    let writes = |last: &str| {
        edn(&[
            (0, "invoke", "acquire", "nil"),
            (0, "ok", "acquire", "3"),
            (1, "invoke", "acquire", "nil"),
            (1, "ok", "acquire", "5"),
            (1, "invoke", "write", "[5 :b]"),
            (1, "ok", "write", "[5 :b]"),
            (0, "invoke", "write", "[3 :a]"),
            (0, last, "write", "[3 :a]"),
        ])
    };
    assert_eq!(check(&writes("fail"), &["--model", "leased-lock"]).code, Some(0));
    let late = check(&writes("ok"), &["--model", "leased-lock"]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.out.contains("was accepted under the token 3, although write [5"), "{}", late.out);
    assert_eq!(check(&writes("fail"), &["--model", "fenced-lock"]).code, Some(2), "it has no write");
}

#[test]
fn a_set_has_no_write() {
    let written = edn(&[(0, "invoke", "write", "1"), (0, "ok", "write", "1")]);
    let refused = check(&written, &["--model", "set"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.out.contains("write") && refused.out.contains("comments"), "{}", refused.out);
    assert_eq!(check(&written, &["--model", "comments"]).code, Some(0));
}
