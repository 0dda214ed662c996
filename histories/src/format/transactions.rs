use crate::{Format, History, MicroOperation, ReadResult, Value, read_bytes};

fn read(text: &str) -> Result<History, String> {
    read_bytes("h", text.as_bytes(), None).map_err(|error| error.to_string())
}

/// Reads a line on both paths: as the recorder writes it, and with a blank, which only the general parser accepts.
fn both(text: &str) -> [Result<History, String>; 2] {
    [read(text), read(&text.replace("\"f\":", "\"f\": "))]
}

fn shown(history: &History, transaction: usize) -> String {
    let value = |id| history.value(id).to_string();
    let all = history.transactions.micro_operations(transaction).map(|micro| match micro {
        MicroOperation::Append { key, value: added } => format!("append {} {}", value(key), value(added)),
        MicroOperation::Write { key, value: written } => format!("w {} {}", value(key), value(written)),
        MicroOperation::Read { key, found: ReadResult::Unknown } => format!("r {} ?", value(key)),
        MicroOperation::Read { key, found: ReadResult::Value(found) } => format!("r {} {}", value(key), value(found)),
        MicroOperation::Read { key, found: ReadResult::List(list) } => {
            format!("r {} {:?}", value(key), list.iter().map(|id| value(*id)).collect::<Vec<_>>())
        }
    });
    all.collect::<Vec<_>>().join(", ")
}

const INVOKE: &str = r#"{"index":0,"time":5,"process":0,"type":"invoke","f":"txn","value":[["append",5,1],["r",5,null],["w","x",2],["r","x",null]],"node":1}"#;

fn completed(kind: &str, value: &str) -> String {
    format!("{INVOKE}\n{{\"index\":1,\"time\":9,\"process\":0,\"type\":\"{kind}\",\"f\":\"txn\"{value}}}\n")
}

#[test]
fn a_completion_fills_in_what_was_read() {
    let text = completed("ok", r#","value":[["append",5,1],["r",5,[7,1]],["w","x",2],["r","x","two"]]"#);
    for history in both(&text).map(Result::unwrap) {
        assert_eq!(shown(&history, 0), r#"append 5 1, r 5 ["7", "1"], w "x" 2, r "x" "two""#);
        assert_eq!(
            (history.transactions.len(), history.transactions.at(0), history.transactions.at(1)),
            (1, Some(0), None)
        );
        assert_eq!(history.node(0), 1);
    }
}

#[test]
fn what_nobody_knows_stays_unknown() {
    for (kind, value) in [
        ("info", ""),
        ("fail", r#","value":null"#),
        ("info", r#","value":"timeout""#),
        ("fail", r#","value":[["append",5,1],["r",5,[7]],["w","x",2],["r","x",3]]"#),
    ] {
        for history in both(&completed(kind, value)).map(Result::unwrap) {
            assert_eq!(shown(&history, 0), r#"append 5 1, r 5 ?, w "x" 2, r "x" ?"#, "{kind} {value}");
        }
    }
}

#[test]
fn lists_of_several_transactions_do_not_mix() {
    let line = |kind: &str, process: u32, value: &str| {
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n")
    };
    let text = [
        line("invoke", 0, r#"[["r",1,null],["r",2,null]]"#),
        line("invoke", 1, r#"[["r",1,null]]"#),
        line("invoke", 2, "[]"),
        line("ok", 1, r#"[["r",1,[]]]"#),
        line("ok", 0, r#"[["r",1,[1,2]],["r",2,[3]]]"#),
        line("ok", 2, "[]"),
    ];
    let history = read(&text.concat()).unwrap();
    assert_eq!([0, 1, 2].map(|place| shown(&history, place)), [r#"r 1 ["1", "2"], r 2 ["3"]"#, "r 1 []", ""]);
    assert_eq!(history.transactions.micro_operation_count(), 3);
}

#[test]
fn what_breaks_a_rule_is_named_with_its_line() {
    for (value, why) in [
        (r#"[["append",5,1]]"#, "1 micro-operations, but was invoked with 4"),
        (r#"[["append",5,2],["r",5,[]],["w","x",2],["r","x",3]]"#, "another micro-operation in place 1"),
        (r#"[["append",5,1],["r",6,[]],["w","x",2],["r","x",3]]"#, "another micro-operation in place 2"),
        (r#"[["append",5,1],["r",5,[]],["append","x",2],["r","x",3]]"#, "another micro-operation in place 3"),
        (r#"[["append",5,1],["r",5,[]],["w","x",2],["w","x",3]]"#, "another micro-operation in place 4"),
        (r#"[["append",5,1],["r",5,[]],["w","x",2],["r","x"]]"#, "a read that ended ok must have a value"),
        (r#"[["append",5,1],["r",5,[]],["w","x",2],["get","x",1]]"#, r#"not ["get","x",1]"#),
        ("[5]", "not 5"),
        ("7", "list of micro-operations, not 7"),
        ("null", "list of micro-operations, not nil"),
    ] {
        for error in both(&completed("ok", &format!(",\"value\":{value}"))).map(Result::unwrap_err) {
            assert!(error.contains("h:2") && error.contains(why), "{value}: {error}");
        }
    }
}

#[test]
fn a_read_is_not_answered_otherwise_than_its_invocation_foresaw() {
    let read_of = |invoked: &str, completed: &str, kind: &str| {
        let line = |kind, found: &str| {
            format!("{{\"process\":0,\"type\":\"{kind}\",\"f\":\"txn\",\"value\":[[\"w\",8,1],[\"r\",9,{found}]]}}\n")
        };
        read(&(line("invoke", invoked) + &line(kind, completed)))
    };
    for (invoked, completed) in [("null", "7"), ("7", "7"), ("[1,2]", "[1,2]"), ("null", "[]")] {
        assert!(read_of(invoked, completed, "ok").is_ok(), "{invoked} {completed}");
    }
    for (invoked, completed) in [("7", "8"), ("7", "null"), ("[1]", "[1,2]"), ("[]", "null"), ("7", "[7]")] {
        let error = read_of(invoked, completed, "ok").unwrap_err();
        assert!(error.contains("another micro-operation in place 2"), "{invoked} {completed}: {error}");
        assert!(read_of(invoked, completed, "info").is_ok(), "nobody knows what it found");
    }
}

#[test]
fn transactions_of_independent_objects_are_one_history_with_their_keys_joined() {
    let line = |process, key, kind, found| {
        format!(
            "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"key\":{key},\"value\":[[\"r\",9,{found}]]}}\n"
        )
    };
    let events = [(0, 3, "invoke", "null"), (1, 4, "invoke", "null"), (0, 3, "ok", "1"), (1, 4, "ok", "2")];
    let text: String = events.map(|(process, key, kind, found)| line(process, key, kind, found)).concat();
    let history = read(&text).unwrap();
    let keys = |history: &History| -> Vec<(Value, Value)> {
        let of = |transaction| {
            let micro = history.transactions.micro_operations(transaction).next();
            let Some(MicroOperation::Read { key, .. }) = micro else { panic!("{micro:?}") };
            history.value(key).clone()
        };
        (0..2).map(|at| (history.value(history.operations[at].key).clone(), of(at))).collect()
    };
    assert_eq!(keys(&history), [(3.into(), 9.into()), (4.into(), 9.into())]);
    let joined = history.with_keys_joined();
    let pair = |key: i64| Value::List(vec![key.into(), 9.into()]);
    assert_eq!(keys(&joined), [(Value::Nil, pair(3)), (Value::Nil, pair(4))]);
    assert_eq!(keys(&joined.with_keys_joined()), keys(&joined), "once is enough");
}

#[test]
fn edn_has_keywords() {
    let text = "{:process 0, :type :invoke, :f :txn, :value [[:append 5 1] [:r :x nil]], :time 1}\n\
                {:process 0, :type :ok, :f :txn, :value [[:append 5 1] [:r :x [4 5]]], :time 2}\n";
    assert_eq!(shown(&read(text).unwrap(), 0), r#"append 5 1, r :x ["4", "5"]"#);
    let long = "{:process 0, :type :invoke, :f :txn, :value [[:write :x 1] [:read :y nil]]}";
    assert_eq!(shown(&read(long).unwrap(), 0), "w :x 1, r :y ?", "as Knossos says it of several registers");
    let log = "INFO  jepsen.util - 0\t:invoke\t:txn\t[[:append 5 1] [:r 5 nil]]\nINFO  jepsen.util - \
    0\t:info\t:txn\t:timed-out\n";
    assert_eq!(shown(&read(log).unwrap(), 0), "append 5 1, r 5 ?");
}

/// Compares both paths on every line in which a few bytes are left out, repeated or replaced.
#[test]
fn the_short_cut_takes_only_what_is_right() {
    let line = r#"{"index":1,"time":9,"process":0,"type":"ok","f":"txn","value":[["append",5,1],["r",5,[7,1]],["w","x",2],["r","x",null]],"node":3}"#;
    let (mut good, mut bad) = (0, 0);
    let mut agree = |changed: &str| {
        let read = |text: &str| {
            let text = format!("{INVOKE}\n{text}\n");
            read_bytes("h", text.as_bytes(), Some(Format::JsonLines)).ok().map(|history| shown(&history, 0))
        };
        let (fast, slow) = (read(changed), read(&changed.replacen('{', "{ ", 1)));
        assert_eq!(fast, slow, "{changed}");
        *if fast.is_some() { &mut good } else { &mut bad } += 1;
    };
    for at in 0..line.len() {
        for until in at..(at + 6).min(line.len()) {
            agree(&format!("{}{}", &line[..at], &line[until..]));
            agree(&format!("{}{}{}", &line[..until], &line[at..until], &line[until..]));
            for byte in ["[", "]", ",", "0", "7", "null", "\"", "-", ".5", "\"r\"", "[[", " "] {
                agree(&format!("{}{byte}{}", &line[..at], &line[until..]));
            }
        }
    }
    assert!(good > 100 && bad > 1000, "{good} {bad}: the test compares nothing");
}

#[test]
fn a_value_of_another_kind_is_no_list() {
    let text = completed("ok", r#","value":[["append",5,1],["r",5,{"a":[1]}],["w","x",2],["r","x",[[1],null]]]"#);
    let history = read(&text).unwrap();
    assert_eq!(shown(&history, 0), r#"append 5 1, r 5 {"a":[1]}, w "x" 2, r "x" ["[1]", "nil"]"#);
    assert!(history.values.find(&Value::Nil).is_some());
}

/// Reads operations on logs, one of each outcome, and returns the operations with their values.
fn of_logs(text: &str) -> Vec<(String, String, String)> {
    let history = read(text).unwrap();
    assert!(history.transactions.is_empty(), "they are no transactions of lists and registers");
    let shown = |operation: &crate::Operation| {
        let output = if operation.output == crate::ValueId::UNKNOWN { None } else { Some(operation.output) };
        let output = output.map_or_else(|| "?".to_owned(), |id| history.value(id).to_string());
        let function = history.function_name(operation.function);
        (function.to_owned(), history.value(operation.input).to_string(), output)
    };
    history.operations.iter().map(shown).collect()
}

#[test]
fn transactions_of_logs_keep_what_they_found_whatever_their_outcome() {
    let edn = "{:process 0, :type :invoke, :f :txn, :value [[:send 5 1] [:poll]]}\n\
               {:process 0, :type :ok, :f :txn, :value [[:send 5 [0 1]] [:poll {6 [[3 4]]}]]}\n\
               {:process 0, :type :invoke, :f :txn, :value [[:send 5 2] [:poll]]}\n\
               {:process 0, :type :fail, :f :txn, :value [[:send 5 [1 2]] [:poll]]}\n\
               {:process 0, :type :invoke, :f :txn, :value [[:poll]]}\n\
               {:process 0, :type :info, :f :txn, :value [[:poll {6 [[4 5]]}]], :rebalance-log \
               ({:type :revoked, :keys [6 7]} {:keys [8]})}\n\
               {:process 1, :type :invoke, :f :txn, :value [[:poll]]}\n\
               {:process 1, :type :fail, :f :txn, :value nil, :error :timeout}\n";
    let all = |value: &str| value.replace('"', "");
    let expected = [
        ("[[send,5,1],[poll]]", "[[send,5,[0,1]],[poll,{6 [[3 4]]}]]"),
        ("[[send,5,2],[poll]]", "[[send,5,[1,2]],[poll]]"),
        ("[[poll]]", "[[poll,{6 [[4 5]]}],[rebalance,[6,7,8]]]"),
        ("[[poll]]", "?"),
    ];
    for ((f, input, output), (asked, found)) in of_logs(edn).iter().zip(expected) {
        assert_eq!((f.as_str(), &*all(input), &*all(output)), ("txn", asked, found));
    }
    let json = r#"{"process":0,"type":"invoke","f":"txn","value":[["send",5,1],["poll"]]}
{"process":0,"type":"info","f":"txn","value":[["send",5,[0,1]],["poll",{"6":[[3,4]]}]],"rebalance-log":[{"keys":[6]}]}
"#;
    let read = of_logs(json);
    assert_eq!(all(&read[0].2), "[[send,5,[0,1]],[poll,{6:[[3,4]]}],[rebalance,[6]]]");
}

#[test]
fn two_micro_operations_of_logs_are_no_key_and_value() {
    let text = "{:process 0, :type :invoke, :f :send, :value [[:send 5 1] [:send 6 1]]}\n\
                {:process 0, :type :ok, :f :send, :value [[:send 5 [0 1]] [:send 6 [0 1]]]}\n";
    assert_eq!(of_logs(text)[0].1, "[[:send,5,1],[:send,6,1]]");
}
