//! Tests of each format, and of the errors for malformed files.

use std::{fs, path::Path};

use super::{Format, read_bytes, read_file, write_event};
use crate::{
    Event, EventType, Function, History, NEVER, Outcome, PairingError, Process, ReadError, Times, Value, ValueId,
};

const LINES: &str = r#"{"index":0,"time":5,"process":0,"type":"invoke","f":"write","key":"k0","value":1,"node":2}
{"index":1,"time":9,"process":0,"type":"ok","f":"write","key":"k0"}
"#;

fn read(text: &str) -> History {
    read_bytes("h", text.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns line, column and message of the error.
fn wrong(text: impl AsRef<[u8]>) -> (u64, u64, String) {
    let error = read_bytes("dir/h", text.as_ref(), None).expect_err("it is wrong");
    let shown = error.to_string();
    let place = match &error {
        ReadError::Malformed { line, column, .. } => (*line, *column),
        ReadError::Broken { line, .. } => (*line, 0),
        ReadError::Empty { line, .. } => return (*line, 0, shown),
        _ => panic!("{error}"),
    };
    assert!(shown.starts_with(&format!("dir/h:{}:", place.0)), "{shown}");
    assert!(!shown.contains('\n') && shown.len() < 400, "{shown}");
    (place.0, place.1, shown)
}

#[test]
fn our_own_lines_are_read() {
    let history = read(LINES);
    let write = history.operations[0];
    assert_eq!((write.function, write.outcome, history.node(0)), (Function::Write, Outcome::Ok, 2));
    assert_eq!(history.times(0), Times { invoked_ns: 5, completed_ns: 9 });
    assert_eq!((history.value(write.key), history.value(write.input)), (&"k0".into(), &1.into()));
}

#[test]
fn blank_lines_other_line_ends_and_unknown_fields_do_no_harm() {
    assert_eq!(read(&format!("\n{}\n  \n", LINES.replace('\n', "\r\n"))).operations.len(), 1);
    assert_eq!(read(&LINES.replace("\"time\"", "\"clock\":{\"a\":[1]},\"time\"")).operations.len(), 1);
    assert_eq!(read(LINES.trim_end()).operations.len(), 1, "the last line needs no end");
}

#[test]
fn a_written_event_is_read_back() {
    let event = Event {
        index: Some(3),
        time: 17,
        key: Some("a \"key\"\n".into()),
        value: Some(Value::List(vec![Value::Nil, 2.into()])),
        observed: Some(Value::Nil),
        node: Some(1),
        error: Some("not matched".into()),
        ..Event::new(Process::Client(9), EventType::Fail, "cas")
    };
    let mut line = Vec::new();
    write_event(&mut line, &event).expect("memory takes it");
    assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "it is one line");
    assert_eq!(serde_json::from_slice::<Event<'_>>(&line).expect("it is an event"), event);
}

#[test]
fn a_file_without_operations_is_no_history() {
    assert_eq!(wrong(""), (0, 0, "dir/h: the file is empty".to_owned()));
    assert_eq!(wrong(" \n\n").2, "dir/h: the file is empty");
    assert_eq!(
        wrong("{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\"}\n").2,
        "dir/h: there are no operations in it"
    );
    assert_eq!(wrong("[]\n").2, "dir/h: there are no operations in it");
}

#[test]
fn a_line_cut_in_the_middle_is_named() {
    for length in LINES.find('\n').expect("two lines") + 2..LINES.trim_end().len() {
        let (line, _, shown) = wrong(&LINES[..length]);
        assert_eq!(line, 2, "{shown}");
        assert!(shown.contains("ends too early"), "{shown}");
    }
}

#[test]
fn a_wrong_line_is_named_with_what_was_expected() {
    let (line, column, shown) = wrong(LINES.replace("\"type\":\"ok\"", "\"type\":\"yes\""));
    assert_eq!((line, column), (2, 40), "{shown}");
    assert!(shown.contains("expected a type, which is invoke, ok, fail or info, not \"yes\""), "{shown}");
    assert!(shown.contains(r#"in: {"index":1,"time":9"#), "{shown}");
    assert!(!shown.contains(" at line "), "serde's own line is that of the line: {shown}");
    let (line, _, shown) = wrong(LINES.replace("{\"index\":1", "oops"));
    assert_eq!(line, 2, "{shown}");
}

#[test]
fn a_broken_rule_is_named_with_its_line() {
    let (line, _, shown) = wrong(LINES.replace("\"index\":1", "\"index\":0"));
    assert_eq!(line, 2);
    assert!(shown.contains("index 0 comes after index 0; indexes must increase"), "{shown}");
}

#[test]
fn garbage_is_refused() {
    let (line, column, shown) = wrong(b"\x7fELF\x02\x01\0\0\xff\xfe");
    assert_eq!((line, column), (1, 1));
    assert!(shown.contains("expected a history") && shown.contains("\\xff"), "{shown}");
    assert_eq!(wrong(vec![0; 100_000]).0, 1);
    assert_eq!(wrong("hello\nworld\n").0, 1);
    assert_eq!(wrong("\n\nhello").0, 3);
}

#[test]
fn invalid_utf8_is_refused_where_it_stands() {
    let mut bytes = LINES.as_bytes().to_vec();
    let at = LINES.rfind("k0").expect("it is there");
    bytes[at] = 0xff;
    assert_eq!(wrong(&bytes).0, 2);
    let (line, column, _) = wrong(b"[{:process 0, :type :invoke,\n :f \"\xff\"}]");
    assert_eq!((line, column), (2, 6));
    assert_eq!(wrong(b"INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t\xff\n").0, 2);
}

#[test]
fn a_line_has_a_limit() {
    let text = format!("{LINES}{{\"index\":\"{}\"}}", "x".repeat(17 << 20));
    let (line, _, shown) = wrong(text);
    assert_eq!(line, 3);
    assert!(shown.contains("a line is at most 16777216 bytes long"), "{shown}");
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    assert_eq!(wrong(LINES.replace("\"value\":1", &format!("\"value\":{}", deep("[", "]")))).0, 1);
    assert_eq!(wrong(format!("{{:process 0, :type :invoke, :f :write, :value {}}}", deep("[", "]"))).0, 1);
    assert_eq!(wrong(deep("[", "]")).0, 1);
    assert_eq!(wrong(deep("#a ", "")).0, 1);
}

#[test]
fn what_cannot_be_opened_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().expect("a folder");
    for path in [dir.path(), &dir.path().join("absent"), Path::new("/dev/zero")] {
        let error = read_file(path).expect_err("it is no history").to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
}

#[test]
fn a_file_may_lie_about_its_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("history.edn");
    fs::write(&path, LINES).expect("it can be written");
    assert_eq!(read_file(&path).expect("its content counts").operations.len(), 1);
}

#[test]
fn a_format_can_be_demanded() {
    assert!(read_bytes("h", LINES.as_bytes(), Some(Format::Edn)).is_err());
    assert!(read_bytes("h", LINES.as_bytes(), Some(Format::JsonLines)).is_ok());
}

#[test]
fn edn_is_read_in_a_vector_or_line_by_line_tagged_or_not() {
    let maps = "{:process 0, :type :invoke, :f :write, :value 1, :time 5, :index 0}\n; a comment [\n \
                {:process 0 :type :ok :f :write :value 1 :time 9 :index 1}";
    let tagged = maps.replace('{', "#jepsen.history.Op{");
    for text in [maps.to_owned(), tagged.clone(), format!("[{maps}]\n"), format!("; first\n[{tagged}\n\n]")] {
        let history = read(&text);
        let write = history.operations[0];
        assert_eq!(write.outcome, Outcome::Ok, "{text}");
        assert_eq!(history.times(0), Times { invoked_ns: 5, completed_ns: 9 }, "{text}");
    }
}

#[test]
fn edn_keeps_the_truth_of_jepsen() {
    let history = read(
        "[{:process 0, :type :invoke, :f :cas, :value [1 2]}
          {:process :nemesis, :type :info, :f :start, :value nil}
          {:process 0, :type :fail, :f :cas, :value [1 2]}
          {:process 1, :type :invoke, :f :write, :value 5}
          {:process 1, :type :info, :f :write, :value 5, :error :timeout}
          {:process 1, :type :invoke, :f :read, :value nil}
          {:process 1, :type :ok, :f :read, :value nil}]",
    );
    let [cas, write, read] = history.operations[..] else { panic!("{:?}", history.operations) };
    assert_eq!(cas.outcome, Outcome::Fail, "Knossos leaves out what failed");
    assert_eq!((write.outcome, write.completed), (Outcome::Info, NEVER));
    assert_eq!(read.output, ValueId::NIL);
    assert_eq!(history.others.len(), 1);
}

#[test]
fn a_keyed_history_is_told_by_its_reads_and_cas() {
    let keyed = read(
        "{:process 0, :type :invoke, :f :write, :value [7 1]}
         {:process 0, :type :ok, :f :write, :value [7 1]}
         {:process 0, :type :invoke, :f :read, :value [7 nil]}
         {:process 0, :type :ok, :f :read, :value [7 1]}
         {:process 1, :type :invoke, :f :cas, :value [8 [1 2]]}
         {:process 1, :type :fail, :f :cas, :value [8 [1 2]]}",
    );
    let parts: Vec<_> = keyed.operations.iter().map(|op| (keyed.value(op.key), keyed.value(op.input))).collect();
    let int = Value::Int;
    assert_eq!(parts, [(&int(7), &int(1)), (&int(7), &Value::Nil), (&int(8), &int(1))]);
    let plain = read(
        "{:process 0, :type :invoke, :f :read, :value nil}
         {:process 0, :type :ok, :f :read, :value nil}
         {:process 1, :type :invoke, :f :cas, :value [1 2]}",
    );
    assert!(plain.operations.iter().all(|op| op.key == ValueId::NIL));
    let cas = read("{:process 0, :type :invoke, :f :cas, :value [1 2]}");
    assert_eq!(cas.operations[0].key, ValueId::NIL, "the two parts of a plain cas are no key and value");
    let lists = read("{:process 0, :type :invoke, :f :write, :value [1 2]}");
    assert_eq!(lists.operations[0].key, ValueId::NIL, "writes alone do not tell");
}

#[test]
fn histories_of_key_value_stores_are_read() {
    let history = read(
        "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x 0 0 y\"}
         {:process 0, :type :ok, :f :append, :key \"0\", :value \"x 0 0 y\"}
         {:process 0, :type :invoke, :f :get, :key \"7\", :value nil}
         {:process 0, :type :ok, :f :get, :key \"7\", :value \"\"}",
    );
    let [append, get] = history.operations[..] else { panic!("{:?}", history.operations) };
    assert_eq!((append.function, history.value(append.input)), (Function::Append, &"x 0 0 y".into()));
    assert_eq!((get.function, history.value(get.output)), (Function::Read, &"".into()));
    assert_eq!(history.value(get.key), &"7".into());
}

#[test]
fn wrong_edn_is_named_with_its_line() {
    let good = "[{:process 0, :type :invoke, :f :read, :value nil}\n";
    for (rest, line, why) in [
        ("", 2, "expected ']'"),
        (" {:process 0, :type :ok", 2, "expected an operation as EDN"),
        (" {:process 0, :type :ok, :f :read, :value 1}}", 2, "expected an operation as EDN"),
        (" {:process 0,\n :type :ok, :f :read, :value 08x}]", 3, "expected an operation as EDN"),
        (" {:process 0, :type :yes, :f :read}]", 2, "expected a type"),
        (" {:type :ok, :f :read}]", 2, "expected a process"),
        (" {:process -2, :type :ok, :f :read}]", 2, "a process is a number from 0 on"),
        (" {:process 0, :type :ok, :f nil}]", 2, "expected a function"),
        (" 5]", 2, "expected an operation: a map"),
        ("]\n\n]", 4, "expected nothing after"),
        ("\n {:process 0, :type :invoke, :f :read, :value nil}]", 3, "one operation at a time"),
    ] {
        let (at, _, shown) = wrong(format!("{good}{rest}"));
        assert!(at == line && shown.contains(why), "{rest}: {shown}");
    }
}

#[test]
fn edn_is_read_as_clojure_prints_it() {
    let history = read(
        "{:process 0, :type :invoke, :f :write, :value 1N}\n\
         {:process :nemesis, :type :info, :f :start, :value \"a\\b\\f\\u00e9\", :exception {:cost 1.5M}}\n\
         {:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value 1}\n",
    );
    assert_eq!(history.operations[0].input, history.operations[1].output, "1N is 1");
    assert_eq!(history.others[0].value, Some("a\u{8}\u{c}\u{e9}".into()));
}

#[test]
fn a_keyed_history_without_reads_is_told_by_what_needs_no_argument() {
    let queues = read(
        "{:process 0, :type :invoke, :f :enqueue, :value [7 1]}\n{:process 0, :type :ok, :f :enqueue, :value [7 1]}\n\
         {:process 1, :type :invoke, :f :dequeue, :value [7 nil]}\n{:process 1, :type :ok, :f :dequeue, :value [7 \
         1]}\n",
    );
    let parts: Vec<_> = queues.operations.iter().map(|op| (queues.value(op.key), queues.value(op.input))).collect();
    assert_eq!(parts, [(&7.into(), &1.into()), (&7.into(), &Value::Nil)]);
    assert_eq!(queues.value(queues.operations[1].output), &1.into());
}

#[test]
fn jepsen_log_lines_are_read_among_others() {
    let history = read(
        "INFO  jepsen.core - Running test: :invoke\n\
         INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
         INFO  jepsen.util - 1   :invoke :read   nil\n\
         \tat some.trace (x.clj:5)\n\
         INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
         2024-01-01 INFO [worker 2] jepsen.util: 2\t:invoke\t:write\t3\n\
         INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n\
         INFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n\
         INFO  jepsen.util - 2\t:info\t:write\t:timed-out\n\
         INFO  jepsen.util - 5\t:invoke\t:cas\t[1 2]\n\
         INFO  jepsen.util - 5\t:fail\t:cas\t:refused\n",
    );
    let ends: Vec<_> = history.operations.iter().map(|op| (op.function, op.outcome, op.output)).collect();
    let unknown = ValueId::UNKNOWN;
    assert_eq!(
        ends,
        [
            (Function::Cas, Outcome::Mismatch, unknown),
            (Function::Read, Outcome::Fail, unknown),
            (Function::Write, Outcome::Info, unknown),
            (Function::Cas, Outcome::Fail, unknown),
        ]
    );
    assert_eq!(history.others.len(), 1);
}

#[test]
fn clients_of_a_log_may_have_names() {
    let history = read(
        "INFO  jepsen.util - :w\t:invoke\t:write\t3\n\
         2024-01-01 INFO [worker 2] jepsen.util: :r :invoke :read nil\n\
         INFO  jepsen.core - {:process 5 :type :invoke :f :read}\n\
         INFO  jepsen.util - \"x\"\t:invoke\t:write\t4\n\
         INFO  jepsen.util - -1\t:info\t:start\tnil\n\
         INFO  jepsen.util - :w\t:ok\t:write\t3\n",
    );
    let names: Vec<_> = history.operations.iter().map(|op| history.process(op.process).to_string()).collect();
    assert_eq!(names, [":w", ":r", "\"x\""]);
    assert_eq!((history.operations[0].outcome, history.others.len()), (Outcome::Ok, 1));
    let error = wrong("INFO  jepsen.util - -2\t:invoke\t:read\tnil\n");
    assert!(error.2.contains("a process is a number from 0 on"), "{error:?}");
}

#[test]
fn a_log_line_that_was_meant_as_an_operation_must_be_one() {
    let good = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n";
    for (rest, why) in [
        ("INFO  jepsen.util - 0\t:inv", "expected :invoke, :ok, :fail or :info"),
        ("INFO  jepsen.util - 0", "expected :invoke, :ok, :fail or :info"),
        ("INFO  jepsen.util -", "expected :invoke, :ok, :fail or :info"),
        ("INFO  jepsen.util", "expected :invoke, :ok, :fail or :info"),
        ("INFO  jepsen.util - 0\t:ok\t:read\t[1", "it ends too early"),
        ("INFO  jepsen.util - 0\t:ok", "function:"),
        ("INFO  jepsen.util - 0\t:ok\t:read", "value:"),
        ("INFO  jepsen.util - 0\t:ok\t:read\t[1", "value:"),
        ("INFO  jepsen.util - 0\t:ok\t7\t1", "expected a function"),
    ] {
        let (line, _, shown) = wrong(format!("{good}{rest}"));
        assert!(line == 2 && shown.contains(why), "{rest}: {shown}");
    }
    let error = read_bytes("h", format!("{good}{good}").as_bytes(), None).expect_err("two at once");
    assert!(
        matches!(error, ReadError::Broken { line: 2, rule, .. } if matches!(*rule, PairingError::AlreadyOpen { .. }))
    );
}

#[test]
fn a_format_that_is_asked_for_is_not_another() {
    let lines = br#"{"process":0,"type":"invoke","f":"read"}"#;
    let edn = b"{:process 0, :type :invoke, :f :read, :value nil}";
    let log = b"INFO  jepsen.util - 0\t:invoke\t:read\tnil";
    let all = [(Format::JsonLines, &lines[..]), (Format::Edn, edn), (Format::JepsenLog, log)];
    for (asked, _) in all {
        for (found, text) in all {
            let read = read_bytes("x", text, Some(asked));
            if asked == found {
                assert_eq!(read.expect("it is of this format").operations.len(), 1);
            } else {
                let expected = format!("x: expected {asked}, as was asked for, but this looks like {found}");
                assert_eq!(read.expect_err("it is of another").to_string(), expected);
            }
        }
    }
}

#[test]
fn what_is_nested_too_deep_is_refused_before_anything_recurses() {
    let value = |open: &str, close: &str, times| open.repeat(times) + "1" + &close.repeat(times);
    for (open, close) in [("[", "]"), ("{1 ", "}"), ("(", ")"), ("#{", "}"), ("#a ", ""), ("#a [", "]")] {
        for (times, fine) in [(20, true), (70, false), (200_000, false)] {
            let value = value(open, close, times);
            let edn = format!("{{:process 0, :type :invoke, :f :write, :value {value}}}");
            let log = format!("INFO  jepsen.util - 0\t:invoke\t:write\t{value}");
            for (format, text) in [(Format::Edn, edn), (Format::JepsenLog, log)] {
                let read = read_bytes("x", text.as_bytes(), Some(format));
                assert_eq!(read.is_ok(), fine, "{open} {times} {format}: {:?}", read.err());
            }
        }
    }
    let nested = format!(r#"{{"process":0,"type":"invoke","f":"write","value":{}}}"#, value("[", "]", 200_000));
    read_bytes("x", nested.as_bytes(), None).expect_err("too deep");
}

#[test]
fn a_long_edn_history_is_read_as_a_short_one() {
    let line = |number: u32, kind: &str, f: &str, value: &str| {
        format!("{{:process {}, :type :{kind}, :f :{f}, :value {value}}}\n", number % 5)
    };
    let pairs: String = (0..200)
        .flat_map(|number| {
            let written = format!("[{} {number}]", number % 3);
            ["invoke", "ok"].map(|kind| line(number, kind, "write", &written))
        })
        .collect();
    let with = |invoked: &str, read: &str| {
        format!("{pairs}{}{}", line(7, "invoke", "read", invoked), line(7, "ok", "read", read))
    };
    let keyed = read(&with("[1 nil]", "[1 199]"));
    assert_eq!(keyed.operations.len(), 201);
    assert_eq!(keyed.value(keyed.operations[4].key), &1.into());
    assert_eq!(keyed.value(keyed.operations[200].output), &199.into());
    // The last event shows that the pairs were plain values.
    let plain = read(&with("nil", "[1 199]"));
    assert!(plain.operations.iter().all(|operation| operation.key == ValueId::NIL));
    let error = wrong(format!("{}{{:process 1", with("nil", "nil")).as_bytes());
    assert_eq!(error.0, 403, "{error:?}");
}

#[test]
fn a_line_is_quoted_as_the_file_has_it() {
    // Read by the times, so that the lines are no longer at hand when the rule is found broken.
    let spaced = "{ \"time\": 3, \"process\": 0, \"type\": \"ok\", \"f\": \"read\", \"value\": 1 }";
    let other = spaced.replace("0,", "1,").replace("3,", "2,");
    let said = read_bytes("h", format!("{spaced}\n{other}\n").as_bytes(), None).expect_err("not invoked").to_string();
    assert!(said.starts_with("h:2: process 1 completes read, which it never invoked, in: { \"time\": 2,"), "{said}");
    // Events on one line are not told apart by their line.
    let array = format!("[{spaced},{other}]");
    let said = read_bytes("h", array.as_bytes(), None).expect_err("not invoked").to_string();
    assert_eq!(said, "h:1: process 1 completes read, which it never invoked");
}

#[test]
fn a_broken_rule_names_the_line_of_the_other_event() {
    let [invoke, ok] = ["invoke", "ok"].map(|kind| format!("{{:process 0, :type :{kind}, :f :read, :value 1}}"));
    for (lines, why) in [
        ([&invoke, "", &ok, &ok], "h:4: process 0 completes read again, which ended in line 3 already"),
        (["", &invoke, "", &invoke], "h:4: process 0 invokes read while its operation from line 2 is still open"),
    ] {
        let said = read_bytes("h", lines.join("\n").as_bytes(), None).expect_err(why).to_string();
        assert!(said.starts_with(why), "{said}");
    }
}

#[test]
fn errors_say_what_to_do_next() {
    let record = |fields: &str| {
        let first = r#"{"client":0,"input":{"op":"put","key":"a","value":1},"call":10,"output":{},"return":20}"#;
        format!("{first}\n{{{fields}}}\n")
    };
    let input = r#""input":{"op":"put","key":"a","value":1}"#;
    for (text, why) in [
        (record(input), "expected the time of the call, as `call`"),
        (
            record(&format!(r#"{input},"call":30,"returns":40"#)),
            "`returns` of a record is unknown: did you mean `return`?",
        ),
        (
            record(r#""input":{"op":"put","ky":1},"call":30"#),
            "`ky` of input in a record is unknown: did you mean `key`?",
        ),
        (record(r#""input":{"key":"a"},"call":30"#), "as `op`, such as get"),
        (record(r#""input":{"op":7,"key":"a"},"call":30"#), "0, 1 and 2 for get, put and append"),
        ("{'process': 0, 'type': 'ok', 'f': 'read'}".to_owned(), "json.dumps writes JSON"),
        ("{\"history\":[]}".to_owned(), "expected type in the operation, which has none of the fields of events"),
        (
            "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1 :key 2}"
                .to_owned(),
            "completes an operation on key 2, but it invoked one without a key",
        ),
        (
            "{:process 0 :type :invoke :f :cas :value [1 2]}\n{:process 0 :type :ok :f :cas :value [1 3]}".to_owned(),
            "cas is completed with value [1,3], but was invoked with [1,2]",
        ),
    ] {
        let said = read_bytes("h", text.as_bytes(), None).expect_err(why).to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
    let cut = read_bytes("h", b"\x28\xb5\x2f\xfd\x00", None).expect_err("it is cut off").to_string();
    assert_eq!(cut, "h: cannot be read: it ends too early, so it is cut off or damaged");
}
