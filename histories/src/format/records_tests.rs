//! Tests of records of whole operations.

use super::peers::{ranks, read, wrong};
use crate::{History, Note, Operation, Outcome, Value, ValueId};

fn reads(history: &History) -> Vec<(Outcome, &Value, &Value)> {
    let shown = |operation: &Operation| {
        let output = if operation.output == ValueId::UNKNOWN { &Value::Nil } else { history.value(operation.output) };
        (operation.outcome, history.value(operation.key), output)
    };
    history.operations.iter().map(shown).collect()
}

#[test]
fn records_of_whole_operations_are_read_in_many_forms() {
    let (a, x) = (Value::from("a"), Value::from("x"));
    for text in [
        r#"{"ClientId":0,"Input":{"op":"put","key":"a","value":"x"},"Call":0,"Output":{},"Return":100}
           {"ClientId":1,"Input":{"op":"get","key":"a"},"Call":110,"Output":{"value":"x"},"Return":120}"#,
        r#"[{"client_id":0,"input":{"Op":1,"Key":"a","Value":"x"},"call_time":0,"output":{"Value":""},"return_time":100},
    {"client_id":1,"input":{"Op":0,"Key":"a","Value":""},"call_time":110,"output":{"Value":"x"},"return_time":120}]"#,
        r#"{"process":0,"op":"PUT","key":"a","value":"x","start_ns":0,"end_ns":100}
           {"process":1,"op":"GET","key":"a","value":"x","start_ns":110,"end_ns":120}"#,
        r#"{"client":0,"op":"write","key":"a","value":"x","start":0,"end":100,"ok":true}
           {"client":1,"op":"read","key":"a","result":"x","start":110,"end":120,"error":""}"#,
        r#"{:client 1, :input {:op :get, :key "a"}, :call 110, :output "x", :return 120}
           {:client 0, :input {:op :put, :key "a", :value "x"}, :call 0, :output nil, :return 100}"#,
    ] {
        let history = read(text);
        assert_eq!(ranks(&history), [(0, 1), (2, 3)], "{text}");
        assert_eq!(reads(&history)[1], (Outcome::Ok, &a, &x), "{text}");
        assert_eq!(history.value(history.operations[0].input), &x);
        assert_eq!(history.notes, []);
    }
}

#[test]
fn records_of_one_time_are_concurrent_and_what_never_ended_is_unknown() {
    let history = read(
        r#"{"client":0,"input":{"op":"put","key":"a","value":"x"},"call":10,"output":{},"return":20}
           {"client":1,"input":{"op":"put","key":"a","value":"y"},"call":20,"return":9223372036854775807}
           {"client":1,"input":{"op":"put","key":"a","value":"z"},"call":30}
           {"input":{"op":"put","key":"a","value":"u"},"call":40,"output":{"err":"timeout"},"return":50}
           {"input":{"op":"get","key":"a"},"call":60,"output":{"err":"ErrNoKey"},"return":60}
           {"input":{"op":"cas","key":"a","from":"x","to":"y"},"call":70,"output":{"ok":false},"return":80}"#,
    );
    let ends: Vec<_> = history.operations.iter().map(|operation| operation.outcome).collect();
    let (ok, unknown) = (Outcome::Ok, Outcome::Info);
    assert_eq!(ends, [ok, unknown, unknown, unknown, ok, Outcome::Mismatch]);
    assert!(history.operations[1].invoked < history.operations[0].completed, "both at 20: concurrent");
    assert_eq!(history.notes, [Note::NoClients]);
}

#[test]
fn what_nobody_knows_of_a_record_is_refused_by_name() {
    let record =
        |input: &str, output: &str| format!(r#"{{"client":0,"input":{input},"call":1,"output":{output},"return":2}}"#);
    for (text, why) in [
        (record(r#"{"op":"put","key":"a","value":"x","version":0}"#, "{}"), "`version` of input in a record"),
        (record(r#"{"op":"get","key":"a"}"#, r#"{"value":"x","lease":7}"#), "`lease` of output in a record"),
        (record(r#"{"op":"get","key":"a","value":"x"}"#, r#"{"value":"x"}"#), "with the value"),
        (record(r#"{"op":"get","key":"a"}"#, "{}"), "the value that was read"),
        (record(r#"{"op":"put","key":"a","value":"x"}"#, r#"{"value":"y"}"#), "with the answer"),
        (record(r#"{"op":7,"key":"a"}"#, "{}"), "names no operation"),
        (record(r#"{"op":"cas","key":"a"}"#, "true"), "the value that it expects"),
        (record(r#"{"op":"cas","key":"a","from":1,"to":2}"#, "{}"), "the outcome of the cas"),
        (
            r#"{"client":0,"op":"get","key":"a","value":"x","start":3,"end":2}"#.to_owned(),
            "at 2 ns, before it invoked it at 3 ns",
        ),
        (
            r#"{"client":0,"op":"get","key":"a","value":"x","start":1,"end":2,"weight":9}"#.to_owned(),
            "`weight` of a record",
        ),
        (
            format!(
                "{}\n{{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}}",
                record(r#"{"op":"get","key":"a"}"#, "\"x\"")
            ),
            "type repeats",
        ),
    ] {
        let said = wrong(&text);
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn what_never_ended_needs_no_answer() {
    let history = read(
        r#"{"client":0,"input":{"op":"put","key":"a","value":1},"call":0,"output":{},"return":10}
           {"client":1,"input":{"op":"get","key":"a"},"call":20}
           {"client":2,"input":{"op":"cas","key":"a","from":1,"to":2},"call":20,"return":null}
           {"client":3,"input":{"op":"cas","key":"a","from":1,"to":2},"call":20,"output":{"ok":false}}"#,
    );
    let ends: Vec<_> = history.operations.iter().map(|operation| operation.outcome).collect();
    assert_eq!(ends, [Outcome::Ok, Outcome::Info, Outcome::Info, Outcome::Info]);
}

#[test]
fn an_error_or_a_status_is_none_where_it_says_so_and_refused_where_it_may_mean_either() {
    let outcomes = |output: &str| {
        let of = |input: &str, call: u32, output: &str| {
            format!(r#"{{"client":0,"input":{input},"call":{call},"output":{output},"return":{call}}}"#)
        };
        let history = read(&format!(
            "{}\n{}",
            of(r#"{"op":"put","key":"a","value":1}"#, 1, output),
            of(r#"{"op":"get","key":"a"}"#, 2, &output.replace('{', r#"{"value":1,"#)),
        ));
        [0, 1].map(|at: usize| history.operations[at].outcome)
    };
    for none in ["null", "false", "\"\"", "\"OK\"", "\"none\"", "\"<nil>\""] {
        assert_eq!(outcomes(&format!(r#"{{"error":{none}}}"#)), [Outcome::Ok; 2], "{none}");
    }
    for some in ["true", "\"timeout\"", "\"false alarm\"", r#"{"code":5}"#, "[5]"] {
        assert_eq!(outcomes(&format!(r#"{{"err":{some}}}"#)), [Outcome::Info, Outcome::Fail], "{some}");
    }
    for (status, done) in [("null", true), ("\"COMPLETED\"", true), ("\"Timed_Out\"", false), ("\"failed\"", false)] {
        let expected = if done { [Outcome::Ok; 2] } else { [Outcome::Info, Outcome::Fail] };
        assert_eq!(outcomes(&format!(r#"{{"status":{status}}}"#)), expected, "{status}");
    }
    for unclear in [r#""error":0"#, r#""error":[]"#, r#""error":{}"#, r#""status":200"#, r#""status":"maybe""#] {
        let said = wrong(&format!(
            r#"{{"client":0,"input":{{"op":"put","key":"a","value":1}},"call":1,"output":{{{unclear}}},"return":2}}"#
        ));
        assert!(said.contains("may or may not mean that the operation"), "{unclear}: {said}");
    }
}
