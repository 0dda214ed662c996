//! Tests of the rules that hold in every format: keys within values, transactions under other names, failed cas.

use crate::{FailedCas, History, Outcome, ReadError, ReadOptions, Value, read_bytes, read_file_with};

/// Operations in sequence, each by a client of its own: function, argument, answer, in EDN; `!` before an answer marks
/// a failure, and a missing answer an unknown outcome.
type Calls<'a> = &'a [(&'a str, &'a str, Option<&'a str>)];

fn edn(calls: Calls<'_>) -> String {
    let line = |process: usize, kind: &str, f: &str, value: &str| {
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    let both = |(process, (f, argument, answer)): (usize, &(&str, &str, Option<&str>))| {
        let end = match answer.map(|answer| (answer.strip_prefix('!'), answer)) {
            None => String::new(),
            Some((Some(failed), _)) => line(process, "fail", f, failed),
            Some((None, answer)) => line(process, "ok", f, answer),
        };
        line(process, "invoke", f, argument) + &end
    };
    calls.iter().enumerate().map(both).collect()
}

/// Returns the calls as JSON: in the values used here, blanks become commas and keywords become quoted text.
fn json(calls: Calls<'_>) -> String {
    edn(calls)
        .replace(":process ", "\"process\":")
        .replace(", :type :", ",\"type\":\"")
        .replace(", :f :", "\",\"f\":\"")
        .replace(", :value ", "\",\"value\":")
        .replace("nil", "null")
        .replace("[:", "[\"")
        .replace("r ", "r\" ")
        .replace("w ", "w\" ")
        .replace(' ', ",")
}

fn log(calls: Calls<'_>) -> String {
    edn(calls)
        .replace("{:process ", "INFO  jepsen.util - ")
        .replace(", :type ", "\t")
        .replace(", :f ", "\t")
        .replace(", :value ", "\t")
        .replace('}', "")
}

fn read_by(text: &str, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    std::fs::write(&path, text).unwrap();
    read_file_with(&path, options)
}

/// Returns the keys of all operations, after checking that all formats agree, also on the error where the keys cannot
/// be decided.
fn keys(calls: Calls<'_>, keyed: Option<bool>) -> Result<Vec<String>, String> {
    let read = |text: String| {
        let history = read_by(&text, &ReadOptions { keyed, ..ReadOptions::default() });
        let history = history.map_err(|error| match error {
            ReadError::Keys { why, .. } => why,
            other => panic!("{other}\n{text}"),
        })?;
        let key = |operation: &crate::Operation| history.value(operation.key).to_string();
        Ok(history.operations.iter().map(key).collect())
    };
    let found = read(edn(calls));
    assert_eq!(found, read(json(calls)), "{}", json(calls));
    assert_eq!(found, read(log(calls)), "{}", log(calls));
    found
}

#[test]
fn values_are_told_from_pairs_of_key_and_value_in_every_format() {
    let keyed: [(Calls<'_>, [&str; 2]); 11] = [
        (&[("write", "[7 1]", Some("[7 1]")), ("read", "[7 nil]", Some("[7 1]"))], ["7", "7"]),
        (&[("write", "[7 1]", None), ("read", "[8 nil]", None)], ["7", "8"]),
        (&[("write", "[7 1]", Some("nil")), ("cas", "[8 [1 2]]", Some("![8 [1 2]]"))], ["7", "8"]),
        (&[("write", "[7 1]", None), ("cas", "[8 [1 2]]", Some("!nil"))], ["7", "8"]),
        (&[("add", "[0 5]", Some("[0 5]")), ("contains", "[0 5]", Some("[0 true]"))], ["0", "0"]),
        (&[("add", "[0 5]", Some("[0 true]")), ("add", "[1 5]", None)], ["0", "1"]),
        (&[("enqueue", "[7 1]", Some("[7 1]")), ("dequeue", "[7 nil]", Some("[7 1]"))], ["7", "7"]),
        (&[("txn", "[3 [[:r 9 nil]]]", Some("[3 [[:r 9 1]]]")), ("txn", "[4 []]", None)], ["3", "4"]),
        (&[("read", "[3 [[:r 9 nil]]]", None), ("write", "[4 [[:w 9 1]]]", None)], ["3", "4"]),
        (&[("write", "[[1 2] 3]", None), ("cas", "[[1 2] [3 4]]", None)], ["[1,2]", "[1,2]"]),
        (&[("read", "[[1 2] nil]", None), ("cas", "[[1 2] [3 4]]", None)], ["[1,2]", "[1,2]"]),
    ];
    for (calls, expected) in keyed {
        assert_eq!(keys(calls, None), Ok(expected.map(str::to_owned).to_vec()), "{calls:?}");
        assert_eq!(keys(calls, Some(true)), keys(calls, None), "{calls:?}");
    }
}

#[test]
fn values_that_are_no_pairs_of_key_and_value_stay_as_they_are() {
    let plain: [Calls<'_>; 11] = [
        &[("write", "[7 1]", Some("[7 1]"))],
        &[("write", "[7 nil]", None)],
        &[("write", "[7 1]", None), ("read", "nil", Some("[7 1]"))],
        &[("write", "[7 1]", None), ("read", "[7 nil]", Some("[8 5]"))],
        &[("write", "5", None), ("read", "[7 nil]", Some("[7 1]"))],
        &[("cas", "[1 2]", None)],
        &[("write", "[1 2]", Some("[1 2]")), ("cas", "[[1 2] [3 4]]", Some("[[1 2] [3 4]]"))],
        &[("cas", "[[1 2] [3 4]]", None), ("cas", "[[3 4] [5 6]]", None)],
        &[("cas", "[nil [1 2]]", None), ("write", "[7 1]", None)],
        &[("add", "[0 5]", None), ("contains", "[0 5]", Some("true"))],
        &[("txn", "[[:r 9 nil] [:w 8 1]]", None)],
    ];
    for calls in plain {
        let nil = vec!["nil".to_owned(); calls.len()];
        assert_eq!(keys(calls, None), Ok(nil.clone()), "{calls:?}");
        assert_eq!(keys(calls, Some(false)), Ok(nil), "{calls:?}");
    }
}

#[test]
fn what_can_be_told_either_way_is_not_guessed() {
    let either: [(Calls<'_>, &str, [&str; 2]); 3] = [
        (&[("write", "[7 1]", None), ("read", "[7 1]", Some("[7 1]"))], "a read of a pair", ["7", "7"]),
        (&[("write", "[8 1]", None), ("cas", "[[1 2] [3 4]]", None)], "a cas of two pairs", ["8", "[1,2]"]),
        (&[("cas", "[[1 2] [3 4]]", None), ("cas", "[[1 2] [5 6]]", None)], "a cas of two pairs", ["[1,2]", "[1,2]"]),
    ];
    for (calls, what, by_key) in either {
        let why = keys(calls, None).unwrap_err();
        assert!(why.contains(what), "{calls:?}: {why}");
        assert_eq!(keys(calls, Some(true)), Ok(by_key.map(str::to_owned).to_vec()), "{calls:?}");
        assert_eq!(keys(calls, Some(false)), Ok(vec!["nil".to_owned(); 2]), "{calls:?}");
    }
}

#[test]
fn a_value_without_a_key_is_named_where_all_are_said_to_have_one() {
    for (value, shown) in [("5", "5"), ("[1 2 3]", "[1,2,3]"), ("nil", "nil")] {
        let why = keys(&[("write", "[7 1]", None), ("write", value, None)], Some(true)).unwrap_err();
        assert!(why.contains(&format!("which {shown} is not")), "{why}");
    }
}

#[test]
fn all_of_a_file_tells_however_late_it_does() {
    let write = ("write", "[7 1]", Some("[7 1]"));
    let with = |first, last| {
        let mut calls = vec![first];
        calls.resize(200, write);
        calls.push(last);
        json(&calls)
    };
    let read = |text: &str| read_by(text, &ReadOptions::default());
    let (keyed, plain) = (("read", "[7 nil]", None), ("read", "nil", None));
    assert_eq!(read(&with(keyed, write)).unwrap().operations.len(), 201);
    for first in [keyed, write] {
        let history = read(&with(first, plain)).unwrap();
        assert!(history.operations.iter().all(|operation| history.value(operation.key) == &Value::Nil));
    }
}

#[test]
fn micro_operations_are_a_transaction_whatever_it_is_called() {
    let calls: Calls<'_> = &[
        ("write", "[[:w 9 1]]", Some("[[:w 9 1]]")),
        ("read", "[[:r 9 nil] [:r 8 nil]]", Some("[[:r 9 1] [:r 8 nil]]")),
        ("txn", "[[:r 9 nil] [:w 8 1]]", Some("[[:r 9 1] [:w 8 1]]")),
        ("add", "[[:w 9 2]]", Some("!nil")),
    ];
    for text in [edn(calls), json(calls), log(calls)] {
        let history = read_bytes("h", text.as_bytes(), None).unwrap();
        assert_eq!((history.transactions.len(), history.operations.len()), (4, 4), "{text}");
        let names = history.operations.iter().map(|operation| history.function_name(operation.function));
        assert!(names.eq(["txn"; 4]), "{text}");
    }
    for calls in [
        &[("read", "nil", Some("nil")), ("write", "[[:w 9 1]]", None)] as Calls<'_>,
        &[("write", "[[:foo 9 1]]", None)],
        &[("write", "[]", None)],
    ] {
        let history = read_bytes("h", edn(calls).as_bytes(), None).unwrap();
        assert!(history.transactions.is_empty(), "{calls:?}");
    }
}

#[test]
fn a_cas_that_failed_is_what_its_format_says_or_who_reads_it() {
    use FailedCas::{Mismatch, Nothing};

    let cas = |answer| [("cas", "[1 2]", Some(answer))];
    let outcome = |text: String, failed_cas| {
        let history = read_by(&text, &ReadOptions { failed_cas, ..ReadOptions::default() }).unwrap();
        (history.operations[0].outcome, history.failed_cas.mismatch, history.failed_cas.nothing)
    };
    for (asked, in_log, elsewhere) in [
        (None, (Outcome::Mismatch, 1, 0), (Outcome::Fail, 0, 1)),
        (Some(Mismatch), (Outcome::Mismatch, 1, 0), (Outcome::Mismatch, 1, 0)),
        (Some(Nothing), (Outcome::Fail, 0, 1), (Outcome::Fail, 0, 1)),
    ] {
        assert_eq!(outcome(log(&cas("![1 2]")), asked), in_log);
        assert_eq!(outcome(edn(&cas("![1 2]")), asked), elsewhere);
        assert_eq!(outcome(json(&cas("![1 2]")), asked), elsewhere);
        let said = json(&cas("![1 2]")).replace("[1,2]}\n{", "[1,2]}\n{\"error\":\"refused\",");
        assert_eq!(outcome(said, asked), (Outcome::Fail, 0, 0), "a reason is a reason");
        let observed = json(&cas("![1 2]")).replace("[1,2]}\n{", "[1,2]}\n{\"observed\":null,");
        assert_eq!(outcome(observed, asked), (Outcome::Mismatch, 0, 0), "it says what it found");
    }
}

#[test]
fn columns_are_not_read_otherwise_than_they_were_written() {
    let mut columns = Vec::new();
    crate::write_columns(&mut columns, &read_bytes("h", edn(&[("read", "nil", None)]).as_bytes(), None).unwrap())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    std::fs::write(&path, columns).unwrap();
    for options in [
        ReadOptions { keyed: Some(false), ..ReadOptions::default() },
        ReadOptions { failed_cas: Some(FailedCas::Nothing), ..ReadOptions::default() },
    ] {
        assert!(matches!(read_file_with(&path, &options), Err(ReadError::NoUse { .. })));
    }
    assert!(read_file_with(&path, &ReadOptions::default()).is_ok());
}
