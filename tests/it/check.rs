//! Tests of `schism check`: verdicts, and messages about files that cannot be read.

use std::fmt::Write as _;

use crate::support::{event, file, plan, run, stale_read};

#[test]
fn a_stale_read_is_told_with_times_and_nodes() {
    let (dir, path) = file(stale_read());
    let ended = run(dir.path(), &["check", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let claim = "read of k3 by process 6 at 4.182 s on n1 returned 41, although the write of 57 by process 4 had been \
                 acknowledged at 4.120 s, 62 ms before the read began";
    assert!(ended.out.contains(claim), "{}", ended.out);
}

#[test]
fn a_fresh_read_is_linearizable() {
    let (dir, path) = file(stale_read().replace("41,\"node\":1", "57,\"node\":1"));
    let ended = run(dir.path(), &["check", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("linearizable: 3 operations on 1 key"), "{}", ended.out);
}

#[test]
fn a_function_that_the_model_lacks_is_looked_for_in_others() {
    let calls = |f| event(1, 1, "invoke", f, "k", "1") + &event(2, 1, "ok", f, "k", "1");
    for (f, hint) in [
        (
            "add",
            "models that have add: set, counter, bag, stack, priority-queue, list, set-full, pn-counter, \
            monotonic; --model chooses one",
        ),
        ("enqueue", "models that have enqueue: queue, bag, priority-queue; --model chooses one"),
        ("fold", "no model has fold"),
    ] {
        let (dir, path) = file(calls(f));
        let ended = run(dir.path(), &["check", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.out.contains(&format!("the model register has no function called {f}\n  {hint}\n")),
            "{}",
            ended.out
        );
        assert_eq!(ended.out.matches(hint).count(), 1, "it is told once: {}", ended.out);
    }
}

#[test]
fn an_argument_that_the_model_lacks_is_told_with_what_to_do() {
    let (dir, path) = file(event(1, 1, "invoke", "add", "k", r#""x""#) + &event(2, 1, "ok", "add", "k", r#""x""#));
    let ended = run(dir.path(), &["check", "--model", "counter", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let said = "the model counter has no place for add with the argument \"x\"\n  the reference of models says what \
                each of them takes; --model chooses another\n";
    assert!(ended.out.contains(said), "{}", ended.out);
}

#[test]
fn json_is_data_for_other_programs() {
    let (dir, path) = file(stale_read());
    let ended = run(dir.path(), &["check", "--json", path.to_str().unwrap()]);
    let reports: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(reports[0]["report"]["verdict"], "not-linearizable");
    assert_eq!(reports[0]["report"]["keys"][0]["evidence"]["staleness"]["behind_ns"], 62_000_000);
}

/// Adds revisions to the successful completions of a history, in their order.
fn numbered(history: &str, revisions: [u64; 3]) -> String {
    let mut revisions = revisions.into_iter();
    let number = |line: &str| match line.strip_suffix('}') {
        Some(line) if line.contains(r#""type":"ok""#) => {
            format!("{line},\"revision\":{}}}\n", revisions.next().unwrap())
        }
        _ => format!("{line}\n"),
    };
    history.lines().map(number).collect()
}

#[test]
fn revisions_are_told_beside_a_violation_whatever_the_format() {
    let (dir, _) = file(numbered(&stale_read(), [790, 812, 790]));
    let said = "The store itself numbered them: the write of 57 by process 4 is its revision 812, and the read of 41 \
                by process 6 was answered at revision 790, 22 earlier";
    for name in ["history.jsonl", "history.edn", "history.columns"] {
        if name != "history.jsonl" {
            assert_eq!(run(dir.path(), &["convert", "history.jsonl", name]).code, Some(0), "{name}");
        }
        let ended = run(dir.path(), &["check", name]);
        assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
        assert!(ended.out.contains(&format!("\n\n  {said}.\n\n")), "{name}: {}", ended.out);
        let json: serde_json::Value = serde_json::from_str(&run(dir.path(), &["check", "--json", name]).out).unwrap();
        assert_eq!(json[0]["report"]["keys"][0]["evidence"]["revisions"], said, "{name}");
    }
    assert_eq!(run(dir.path(), &["report", "history.jsonl", "-o", "page.html"]).code, Some(1));
    assert!(std::fs::read_to_string(dir.path().join("page.html")).unwrap().contains(said));
}

#[test]
fn revisions_that_contradict_the_verdict_are_told_and_change_no_exit_code() {
    let fresh = stale_read().replace("41,\"node\":1", "57,\"node\":1");
    let (dir, path) = file(numbered(&fresh, [790, 812, 811]));
    let ended = run(dir.path(), &["check", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let note = "note for key k3, which does not affect the verdict: The store's own revisions are not consistent \
                with real time: the write of 57 by process 4 is its revision 812, and the read of 57 by process 6 was \
                answered at revision 811, although that began after the other had ended\n";
    assert!(ended.out.contains(note), "{}", ended.out);
}

#[test]
fn a_violation_outweighs_an_unreadable_file() {
    let (dir, path) = file(stale_read());
    let ended = run(dir.path(), &["check", "missing.jsonl", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("missing.jsonl"), "{}", ended.err);
}

#[test]
fn unreadable_files_name_the_line_and_exit_with_65() {
    let good = stale_read();
    let cut = &good[..good.len() - 20];
    let nobody = good.replacen(r#""type":"invoke","#, r#""type":"ok","#, 1);
    for (content, line) in [
        (cut.as_bytes().to_vec(), 6),
        (nobody.into_bytes(), 1),
        (good.replacen("\"value\":57", "\"value\":}", 1).into_bytes(), 3),
        ([good.as_bytes(), b"\xff\xfe\x00garbage\n"].concat(), 7),
        ((0..=255).cycle().take(5000).collect(), 1),
        (good.replacen(r#""f":"write""#, r#""f":7"#, 1).into_bytes(), 1),
    ] {
        let shown = String::from_utf8_lossy(&content).into_owned();
        let (dir, path) = file(content);
        let ended = run(dir.path(), &["check", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(65), "{shown}\n{ended:?}");
        assert!(ended.err.contains(&format!("history.jsonl:{line}")), "line {line} of:\n{shown}\n{}", ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
    for (content, said) in
        [("", "the file is empty"), ("\n", "the file is empty"), ("[]\n", "there are no operations in it")]
    {
        let (dir, _) = file(content);
        let ended = run(dir.path(), &["check", "history.jsonl"]);
        assert_eq!((ended.code, ended.err), (Some(65), format!("error: history.jsonl: {said}\n")), "{content:?}");
    }
}

#[test]
fn a_file_that_is_a_folder_or_is_missing_is_named() {
    let (dir, _) = file("");
    for name in [".", "missing"] {
        let ended = run(dir.path(), &["check", name]);
        assert_eq!(ended.code, Some(65), "{ended:?}");
        assert!(ended.err.contains(name), "{}", ended.err);
    }
}

#[test]
fn a_pattern_that_no_shell_expanded_stands_for_what_it_matches() {
    let (dir, path) = file(stale_read());
    for name in ["runs/b.jsonl", "runs/a.jsonl", "runs/[x].jsonl", "runs/.hidden.jsonl", "runs/other.txt"] {
        std::fs::create_dir_all(dir.path().join("runs")).unwrap();
        std::fs::copy(&path, dir.path().join(name)).unwrap();
    }
    let files = |arguments: &[&str]| {
        let ended = run(dir.path(), &[&["check", "--json"], arguments].concat());
        let reports: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        let judged = reports.as_array().unwrap().iter().filter(|result| result["report"].is_object());
        let names = judged.map(|result| result["file"].as_str().unwrap().to_owned());
        (ended.code, names.collect::<Vec<_>>(), ended.err)
    };
    let (code, names, _) = files(&["runs/*.jsonl"]);
    assert_eq!((code, &*names), (Some(1), &["runs/[x].jsonl", "runs/a.jsonl", "runs/b.jsonl"].map(str::to_owned)[..]));
    assert_eq!(files(&["runs/[ab].jsonl", "*.jsonl"]).1, ["runs/a.jsonl", "runs/b.jsonl", "history.jsonl"]);
    assert_eq!(files(&["runs/[x].jsonl"]).1, ["runs/[x].jsonl"], "a file of that name is taken as it is");
    let (code, names, said) = files(&["runs/*.edn", "runs/?.jsonl"]);
    assert_eq!((code, names.len()), (Some(1), 2), "a violation outweighs the pattern");
    assert!(said.contains("runs/*.edn: no file matches this pattern"), "{said}");
    for pattern in ["runs/*.edn", "runs/[.jsonl"] {
        let (code, names, said) = files(&[pattern]);
        assert_eq!((code, names.len()), (Some(65), 0), "{said}");
        assert!(said.contains(pattern), "{said}");
    }
}

#[test]
fn a_pattern_over_a_store_stands_for_each_of_its_runs_once() {
    let (dir, path) = file(stale_read());
    for name in ["store/quorum/1", "store/lease/2", "store/compare"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
        let file = if name.ends_with("compare") { "index.html" } else { "history.jsonl" };
        std::fs::copy(&path, dir.path().join(name).join(file)).unwrap();
    }
    std::os::unix::fs::symlink("quorum/1", dir.path().join("store/latest")).unwrap();
    std::os::unix::fs::symlink("1", dir.path().join("store/quorum/latest")).unwrap();
    for (pattern, said) in [
        ("store/*/*", "store/*/*: leaving out 2 paths beside the runs\n"),
        ("./store/*/*", "./store/*/*: leaving out 2 paths beside the runs\n"),
        ("store/*/*/history.jsonl", ""),
    ] {
        let ended = run(dir.path(), &["check", pattern]);
        assert_eq!((ended.code, &*ended.err), (Some(1), said), "{ended:?}");
        for name in ["store/lease/2/history.jsonl", "store/quorum/1/history.jsonl"] {
            assert_eq!(ended.out.matches(name).count(), 1, "{pattern}: {}", ended.out);
        }
        assert!(!ended.out.contains("latest"), "{pattern}: {}", ended.out);
    }
}

#[test]
fn a_history_without_keys_has_none_that_is_named() {
    let (dir, path) = file(stale_read().replace(r#""key":"k3","#, ""));
    std::fs::copy(&path, dir.path().join("same.jsonl")).unwrap();
    let said = |arguments: &[&str]| {
        let ended = run(dir.path(), arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.out + &ended.err
    };
    let table = said(&["check", "history.jsonl", "same.jsonl"]);
    assert!(table.contains("┆ yes ") && !table.contains("nil"), "{table}");
    let note = said(&["check", "--linearization", "order.jsonl", "history.jsonl"]);
    assert!(note.contains("history.jsonl: not linearizable, so there is no order to write"), "{note}");
    let few = said(&["shrink", "-o", "small.jsonl", "history.jsonl"]);
    assert_eq!(few, "history.jsonl: 3 operations of 3 are not linearizable by themselves\n");
}

#[test]
fn every_key_of_a_run_is_checked_as_it_was_in_the_run() {
    let others = stale_read().replace("k3", "k4").replace(r#""process":"#, r#""process":1"#);
    let (dir, path) = file(stale_read() + &others);
    let unchecked = || run(dir.path(), &["check", "-j", "1", "history.jsonl"]).out.contains("1 key not checked");
    assert!(unchecked(), "this is no run");
    std::fs::write(path.with_file_name("test.json"), plan("schism", "leader", "register")).unwrap();
    assert!(!unchecked());
}

#[test]
fn one_is_not_spoken_of_as_many() {
    let cas = |kind: &str| event(1, 1, kind, "cas", "k", "[1,2]");
    let (dir, _) = file(cas("invoke") + &cas("fail"));
    let said = run(dir.path(), &["check", "history.jsonl"]).out;
    let one = "1 failed cas does not say what it found, and counts as not having happened; with --failed-cas mismatch \
        it counts as having found another value than expected";
    assert_eq!(said.matches(one).count(), 1, "{said}");
    let (dir, _) = file(event(1, 1, "invoke", "read", "k", "null") + &event(2, 1, "ok", "read", "k", "7"));
    let said = run(dir.path(), &["shrink", "history.jsonl", "-o", "small.jsonl"]).err;
    assert_eq!(said, "history.jsonl: key k: 1 operation of 1 is not linearizable by itself\n");
}

#[test]
fn running_out_of_time_is_unknown() {
    let history: String = (0..20_000)
        .map(|round| {
            let value = (round % 3).to_string();
            event(round, 1, "invoke", "write", "k", &value) + &event(round, 1, "ok", "write", "k", &value)
        })
        .collect();
    let (dir, path) = file(history);
    let ended = run(dir.path(), &["check", "--time-limit", "0s", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("time ran out"), "{}", ended.out);
}

#[test]
fn reading_that_is_cut_off_is_unknown_in_every_output() {
    let (dir, path) = file(stale_read());
    let path = path.to_str().unwrap();
    for (limit, reason) in [(["--time-limit", "0s"], "time"), (["--memory-limit", "1"], "memory")] {
        let told = format!("{reason} ran out after 0 operations were read");
        for arguments in [vec!["check", path], vec!["shrink", path], vec!["report", path]] {
            let ended = run(dir.path(), &[&arguments[..], &limit].concat());
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert!(ended.out.contains(&told) || ended.err.contains(&told), "{ended:?}");
        }
        let ended = run(dir.path(), &[&["check", "--json", path][..], &limit].concat());
        let reports: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(reports[0]["report"]["verdict"], "unknown");
        assert_eq!(reports[0]["report"]["why"]["reason"], reason);
        let ended = run(dir.path(), &[&["check", path, path][..], &limit].concat());
        assert!(ended.out.contains("unknown") && ended.code == Some(2), "{ended:?}");
    }
}

/// Checks histories in the formats of other tools against the verdicts of those tools' own test suites.
#[test]
fn peers_histories_have_their_verdicts() {
    let Some(folder) = std::env::var_os("SCHISM_PEER_HISTORIES").map(std::path::PathBuf::from) else {
        eprintln!("SKIPPED: set SCHISM_PEER_HISTORIES to a folder with porcupine's and Knossos' test data");
        return;
    };
    let verdicts = std::fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let mut wrong = String::new();
    for line in verdicts.lines().skip(1) {
        let [name, _, linearizable] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let ended = run(&folder, &["check", name]);
        let expected = i32::from(linearizable == "no");
        if ended.code != Some(expected) {
            writeln!(wrong, "{name}: expected {expected}, got {:?}: {}{}", ended.code, ended.out, ended.err).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_counter_that_answers_no_number_is_not_accused() {
    let read = |value: &str| event(1, 1, "invoke", "read", "c", "null") + &event(2, 1, "ok", "read", "c", value);
    for (value, code) in
        [("null", 2), ("\"many\"", 2), ("0", 0), ("-9223372036854775808", 1), ("9223372036854775807", 1)]
    {
        let (dir, path) =
            file(event(0, 2, "invoke", "inc", "c", "null") + &event(0, 2, "info", "inc", "c", "null") + &read(value));
        let ended = run(dir.path(), &["check", "--model", "counter", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(code), "{value}: {ended:?}");
    }
}

#[test]
fn json_has_each_file_with_a_head_and_says_why_one_was_not_judged() {
    let (dir, _) = file(stale_read());
    let transactions = r#"{"process":1,"type":"invoke","f":"txn","value":[["append","x",1]]}
{"process":1,"type":"ok","f":"txn","value":[["append","x",1]]}
"#;
    std::fs::write(dir.path().join("transactions.jsonl"), transactions).unwrap();
    std::fs::write(dir.path().join("bad.jsonl"), "{").unwrap();
    let ended = run(dir.path(), &["check", "--json", "history.jsonl", "transactions.jsonl", "bad.jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    for (row, name) in json.as_array().unwrap().iter().zip(["history.jsonl", "transactions.jsonl", "bad.jsonl"]) {
        let head = (&row["schema_version"], &row["version"], &row["file"]);
        assert_eq!(head, (&1.into(), &env!("CARGO_PKG_VERSION").into(), &name.into()), "{row}");
        let is_bad = name == "bad.jsonl";
        assert_eq!((row["report"].is_object(), row["error"].is_string()), (!is_bad, is_bad), "{row}");
    }
    assert_eq!(json.as_array().unwrap().len(), 3);
}

#[test]
fn the_next_steps_are_shown_wherever_options_of_all_commands_stand() {
    let (dir, _) = file(stale_read());
    for asked in [&["--color", "never", "-q", "check", "history.jsonl"][..], &["check", "history.jsonl"]] {
        let told = run(dir.path(), asked).out;
        assert!(told.contains("  page:   schism report ") && told.contains("  proof:  schism check "), "{told}");
    }
}

#[test]
fn with_all_keys_checked_the_page_and_the_proof_are_named_as_well() {
    let two = stale_read() + &stale_read().replace("k3", "k4").replace("\"time\":4", "\"time\":5");
    let (dir, _) = file(two);
    let ended = run(dir.path(), &["check", "--all", "history.jsonl"]);
    assert!(ended.code == Some(1) && ended.out.contains("page:   schism report history.jsonl\n"), "{}", ended.out);
    assert!(ended.out.contains("proof:  schism check --all history.jsonl --explain\n"), "{}", ended.out);
}

#[test]
fn the_model_has_the_name_that_was_given() {
    let (dir, _) = file(stale_read());
    for (given, name) in
        [(&["--model", "cas-register"][..], "cas-register"), (&["--model", "kv"], "kv"), (&[], "register")]
    {
        let ended = run(dir.path(), &[&["check", "--json", "history.jsonl"], given].concat());
        let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(json[0]["options"]["model"], name, "{given:?}");
    }
}
