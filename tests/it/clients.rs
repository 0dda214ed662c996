//! Tests that clients are told from other processes, and equal values from different ones, alike in every format.

use std::fmt::Write as _;

use crate::support::{CommandResult, file, run};

fn check(content: &str, more: &[&str]) -> CommandResult {
    let (dir, path) = file(content);
    run(dir.path(), &[&["check", path.to_str().unwrap()], more].concat())
}

/// Makes a history of a write by one client, then a read by another.
fn written_and_read(is_json: bool, [writer, reader]: [&str; 2], written: &str, read: &str) -> String {
    let mut text = String::new();
    for (process, kind, f, value) in [
        (writer, "invoke", "write", written),
        (writer, "ok", "write", written),
        (reader, "invoke", "read", if is_json { "null" } else { "nil" }),
        (reader, "ok", "read", read),
    ] {
        let line = if is_json {
            writeln!(text, r#"{{"process":{process},"type":"{kind}","f":"{f}","value":{value}}}"#)
        } else {
            writeln!(text, "{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}")
        };
        line.unwrap();
    }
    text
}

#[test]
fn clients_with_names_are_judged_and_named() {
    for (is_json, names) in [
        (true, [r#""writer-1""#, r#""reader-1""#]),
        (true, [r#""1""#, "1"]),
        (true, ["99999999999999999999", "4294967296"]),
        (false, [":writer", ":reader"]),
        (false, [r#""writer""#, "reader"]),
        (false, ["1", ":1a"]),
    ] {
        let good = check(&written_and_read(is_json, names, "7", "7"), &[]);
        assert_eq!(good.code, Some(0), "{names:?}: {good:?}");
        let bad = check(&written_and_read(is_json, names, "7", "8"), &[]);
        assert_eq!(bad.code, Some(1), "{names:?}: {bad:?}");
        assert!(bad.out.contains(&format!("read of the register by process {} ", names[1])), "{}", bad.out);
    }
}

#[test]
fn only_the_nemesis_is_left_out() {
    let good = written_and_read(true, ["0", "1"], "7", "7");
    for nemesis in [r#""nemesis""#, "-1"] {
        let fault = format!("{{\"process\":{nemesis},\"type\":\"info\",\"f\":\"kill\"}}\n");
        let ended = check(&(fault + &good), &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    for (process, code) in [(r#""checker""#, 65), ("-2", 65), ("null", 65), ("0.5", 65), ("[1]", 65)] {
        let fault = format!("{{\"process\":{process},\"type\":\"info\",\"f\":\"kill\"}}\n");
        let ended = check(&(fault + &good), &[]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

#[test]
fn a_page_and_json_name_the_clients() {
    let (dir, path) = file(written_and_read(true, [r#""w <1>""#, r#""r-1""#], "7", "8"));
    let path = path.to_str().unwrap();
    let ended = run(dir.path(), &["report", path, "-o", "page.html"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let page = std::fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(
        page.contains("process &quot;r-1&quot;") || page.contains("process \"r-1\""),
        "the timeline names the reader"
    );
    assert!(!page.contains("w <1>"), "a name is text, not markup");
    let (dir, path) =
        file(written_and_read(true, [r#""w""#, ":r"].map(|name| if name == ":r" { "3" } else { name }), "7", "7"));
    let ended = run(dir.path(), &["check", path.to_str().unwrap(), "--linearization", "order.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let order = std::fs::read_to_string(dir.path().join("order.jsonl")).unwrap();
    assert!(order.contains(r#""process":"w""#) && order.contains(r#""process":3"#), "{order}");
}

#[test]
fn values_are_equal_exactly_if_their_format_says_so() {
    let json_equal = [
        ("1", "1.0"),
        ("1e400", "10e399"),
        ("18446744073709551616", "18446744073709551616"),
        (r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"d":3.0,"c":2},"a":1}"#),
        (r#""é""#, r#""\u00e9""#),
        ("0", "-0"),
        ("[]", "[ ]"),
    ];
    let json_other = [
        ("18446744073709551616", "18446744073709551617"),
        ("9223372036854775808", "9223372036854775809"),
        ("0.1", "0.10000000000000000555"),
        ("1e400", "1e401"),
        ("1", r#""1""#),
        (r#"":a""#, r#""a""#),
        (r#"{"1":1}"#, r#"{"1":true}"#),
        ("[1,2]", "[2,1]"),
        ("1e-400", "0"),
    ];
    let edn_equal = [
        ("1", "1N"),
        ("1/2", "2/4"),
        ("[1 2]", "(1 2)"),
        ("#{1 2}", "#{2 1}"),
        ("{:a 1 :b 2}", "{:b 2, :a 1}"),
        ("1.0M", "1.00M"),
    ];
    let edn_other = [
        ("1", "1.0"),
        ("1.0", "1.0M"),
        ("1/2", r#""1/2""#),
        ("1/2", "0.5"),
        (":a", r#"":a""#),
        (":a", "a"),
        ("#{1 2}", "[1 2]"),
        (r#"#inst "2020-01-01T00:00:00Z""#, r#""2020-01-01T00:00:00Z""#),
        ("{1 2}", r#"{"1" 2}"#),
        ("{:a 1}", r#"{":a" 1}"#),
        (r"\a", r#""a""#),
    ];
    for (is_json, pairs, code) in
        [(true, &json_equal[..], 0), (true, &json_other, 1), (false, &edn_equal, 0), (false, &edn_other, 1)]
    {
        for (written, read) in pairs {
            let history = written_and_read(is_json, ["0", "1"], written, read);
            let ended = check(&history, &["--model", "register"]);
            assert_eq!(ended.code, Some(code), "{written} and {read}: {ended:?}");
        }
    }
}

#[test]
fn an_initial_value_is_json_or_edn_but_not_either() {
    let read = "{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :type :ok, :f :read, :value 1.0}\n";
    for (initial, code) in [("1.0", 64), ("1", 1), (r#"{"$edn":"1.0"}"#, 0), ("0.5", 1), ("[:a", 64), ("1e3", 64)] {
        let ended = check(read, &["--model", "register", "--initial", initial]);
        assert_eq!(ended.code, Some(code), "{initial}: {ended:?}");
    }
    let keyword = read.replace("1.0", ":a");
    assert_eq!(check(&keyword, &["--model", "register", "--initial", ":a"]).code, Some(0));
    assert_eq!(check(&keyword, &["--model", "register", "--initial", r#"":a""#]).code, Some(1));
}
