//! Tests of `schism check` on transactions: the options that apply to them, and the output.

use crate::support::{CommandResult, file, run};

/// Makes a history of sequential transactions, each `[micro-operations as invoked, as completed]`, by processes 0, 1,
/// 2 and so on.
fn one_after_another(transactions: &[[&str; 2]]) -> String {
    let line = |process: usize, kind: &str, value: &str| {
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n")
    };
    let all = transactions.iter().enumerate();
    all.map(|(process, [asked, answered])| line(process, "invoke", asked) + &line(process, "ok", answered)).collect()
}

fn check(history: &str, options: &[&str]) -> CommandResult {
    let (dir, _) = file(history);
    run(dir.path(), &[&["check"], options, &["history.jsonl"]].concat())
}

const APPENDED: [[&str; 2]; 2] =
    [[r#"[["append","x",1]]"#, r#"[["append","x",1]]"#], [r#"[["r","x",null]]"#, r#"[["r","x",[0,1]]]"#]];
const WRITTEN: [[&str; 2]; 2] =
    [[r#"[["r","x",null]]"#, r#"[["r","x",42]]"#], [r#"[["w","x",1]]"#, r#"[["w","x",1]]"#]];

#[test]
fn lists_and_registers_begin_with_what_is_said() {
    let (lists, registers) = (one_after_another(&APPENDED), one_after_another(&WRITTEN));
    for (history, initial) in [(&lists, "[0]"), (&registers, "42")] {
        assert_eq!(check(history, &[]).code, Some(1));
        let ended = check(history, &["--initial", initial]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let ended = check(&lists, &["--initial", "[7]"]);
    assert!(ended.code == Some(1) && ended.out.contains("without what was in it at first"), "{ended:?}");
    assert_eq!(check(&registers, &["--initial", "41"]).code, Some(1));
    let nothing = one_after_another(&[[r#"[["r","x",null]]"#, r#"[["r","x",null]]"#], WRITTEN[1]]);
    assert_eq!(check(&nothing, &[]).code, Some(0));
    assert_eq!(check(&nothing, &["--initial", "42"]).code, Some(1), "it read nothing where 42 was");
}

#[test]
fn what_cannot_be_there_at_first_is_refused() {
    for (history, initial, key) in [(&APPENDED, "0", "x"), (&WRITTEN, "[42]", "x")] {
        let ended = check(&one_after_another(history), &["--initial", initial]);
        assert_eq!(ended.code, Some(64), "{ended:?}");
        assert!(ended.err.contains("--initial") && ended.err.contains(key), "{}", ended.err);
    }
}

#[test]
fn a_level_is_refused_where_there_are_no_transactions() {
    let history = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n\
        {\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n";
    assert_eq!(check(history, &[]).code, Some(0));
    for options in [&["--level", "serializable"][..], &["--model", "register", "--level", "strict-serializable"]] {
        let ended = check(history, options);
        assert_eq!(ended.code, Some(64), "{ended:?}");
        assert!(ended.err.contains("--level") && ended.err.contains("transactions"), "{}", ended.err);
    }
    let (dir, _) = file(history);
    assert_eq!(run(dir.path(), &["shrink", "--level", "serializable", "history.jsonl"]).code, Some(64));
}

#[test]
fn a_value_that_was_appended_twice_is_noted_beside_a_level_that_holds() {
    let append = [r#"[["append","x",1]]"#; 2];
    let read = |seen| one_after_another(&[append, append, [r#"[["r","x",null]]"#, seen]]);
    let ended = check(&read(r#"[["r","x",[1,1]]]"#), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let note = "note: 1 was appended to x more than once: whose value a read found is then not known";
    assert!(ended.out.contains(note), "{}", ended.out);
    assert!(!ended.out.contains("weak evidence"), "once would have been wrong: {}", ended.out);
    for wrong in [r#"[["r","x",[1]]]"#, r#"[["r","x",[1,1,1]]]"#] {
        let ended = check(&read(wrong), &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.contains(note), "{}", ended.out);
    }
    let once = one_after_another(&[append, [r#"[["r","x",null]]"#, r#"[["r","x",[1]]]"#]]);
    assert!(!check(&once, &[]).out.contains("note:"));
}

#[test]
fn a_value_that_was_written_twice_is_named_where_it_matters() {
    let mut transactions = vec![[r#"[["w","x",5]]"#; 2], [r#"[["w","x",5]]"#; 2]];
    let reads = [r#"[["r","x",null]]"#, r#"[["r","x",5]]"#];
    transactions.extend([reads; 10]);
    let ended = check(&one_after_another(&transactions), &[]);
    assert_eq!(ended.code, Some(0), "there is an order all the same: {ended:?}");
    transactions.extend([[r#"[["w","x",6]]"#; 2], reads]);
    let ended = check(&one_after_another(&transactions), &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("5 was written to x more than once"), "{}", ended.out);
    // If there are few transactions, all orders are tried.
    let few = [transactions[0], transactions[1], transactions[12], reads];
    assert_eq!(check(&one_after_another(&few), &[]).code, Some(1));
}

#[test]
fn evidence_shows_the_micro_operations_and_json_how_much_was_seen() {
    let ended = check(&one_after_another(&APPENDED), &[]);
    assert!(ended.out.contains("r x -> [0 1]"), "{}", ended.out);
    let ended = check(&one_after_another(&WRITTEN), &["--json", "--initial", "42"]);
    let said: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let report = &said[0]["report"];
    assert_eq!((&report["answered"], &report["reads"]), (&2.into(), &1.into()), "{said}");
    assert!(report["dependencies"].as_u64() > Some(0), "{said}");
}
