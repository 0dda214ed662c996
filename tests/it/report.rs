//! Tests of `schism report` on histories that other tools recorded: the page shows what is known, and no more.

use std::fs;

use crate::support::{CommandResult, event, file, plan, results, run, stale_read};

/// Makes the page of a history with these options.
fn page(history: impl AsRef<[u8]>, options: &[&str]) -> (CommandResult, String) {
    let (dir, path) = file(history);
    let renamed = dir.path().join("it's a history.jsonl");
    fs::rename(path, &renamed).unwrap();
    let ended = run(dir.path(), &[&["report", "it's a history.jsonl", "-o", "page.html"], options].concat());
    let html = fs::read_to_string(dir.path().join("page.html")).unwrap_or_default();
    (ended, html)
}

/// The history of `stale_read`, as recorded by a tool without times.
const WITHOUT_TIMES: &str = r#"{"process":2,"type":"invoke","f":"write","value":41}
{"process":2,"type":"ok","f":"write","value":41}
{"process":4,"type":"invoke","f":"write","value":57}
{"process":4,"type":"ok","f":"write","value":57}
{"process":6,"type":"invoke","f":"read"}
{"process":6,"type":"ok","f":"read","value":41}
"#;

#[test]
fn the_command_judges_the_file_in_the_same_way() {
    let (ended, html) = page(stale_read(), &["--model", "kv", "--initial", "\"a b\"", "--format", "jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(html.contains("To judge it again:"));
    let command = "schism check --all --model kv --format jsonl --initial '&quot;a b&quot;' 'it'\\''s a history.jsonl'";
    assert!(html.contains(command), "{html}");
}

#[test]
fn a_history_without_times_is_told_by_its_events() {
    let (ended, html) = page(WITHOUT_TIMES, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(html.contains("read -&gt; 41                   process 6, event 4 to event 5"), "{html}");
    let body = html.split("<script").next().unwrap();
    assert!(!body.contains("0.000 s") && !body.contains("0.001 s"), "{body}");
    assert!(!body.contains("Latency and throughput"), "{body}");
}

#[test]
fn the_hierarchy_says_what_the_verdict_says_by_the_same_evidence() {
    // The read of `b` is the most outdated one, and therefore the headline; that of `a` needs fewer operations.
    let history = [
        event(1, 1, "invoke", "write", "b", "1"),
        event(2, 1, "ok", "write", "b", "1"),
        event(3, 1, "invoke", "write", "b", "2"),
        event(4, 1, "ok", "write", "b", "2"),
        event(5, 1, "invoke", "read", "a", "null"),
        event(6, 1, "ok", "read", "a", "9"),
        event(900, 1, "invoke", "read", "b", "null"),
        event(901, 1, "ok", "read", "b", "1"),
    ]
    .concat();
    let (_, html) = page(&history, &[]);
    let claim = html.split("class=\"claim\">").nth(1).and_then(|rest| rest.split(".</p>").next()).unwrap().to_owned();
    assert!(claim.contains("read of b"), "{claim}");
    let hierarchy = html.split("<th scope=\"row\">linearizable</th>").nth(1).unwrap();
    assert!(hierarchy.starts_with(&format!("<td class=\"bad\">✗ no</td><td>{claim}</td>")), "{}", &hierarchy[..400]);
    let (dir, path) = file(history);
    let json = run(dir.path(), &["check", "--json", path.to_str().unwrap()]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["ladder"]["rungs"][0]["standing"]["witness"]["key"], "b");
}

#[test]
fn linearizable_is_no_open_question_under_a_red_badge() {
    let history = [
        event(1, 1, "invoke", "append", "k", "\"a\""),
        event(2, 1, "ok", "append", "k", "\"a\""),
        event(3, 1, "invoke", "read", "k", "null"),
        event(4, 1, "ok", "read", "k", "\"b\""),
    ];
    let (ended, html) = page(history.concat(), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let row = html.split("<th scope=\"row\">linearizable</th>").nth(1).unwrap();
    assert!(row.starts_with("<td class=\"bad\">✗ no</td>"), "{}", &row[..200]);
}

/// Two transactions at once, of which each misses what the other appended, and a read of both lists before and after.
const WRITE_SKEW: &str = r#"{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]}
{"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",2]]}
{"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]}
{"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",2]]}
{"process":2,"type":"invoke","f":"txn","value":[["r","x",null],["r","y",null]]}
{"process":2,"type":"ok","f":"txn","value":[["r","x",[2]],["r","y",[1]]]}
"#;

#[test]
fn transactions_have_a_page_with_their_cycle_their_levels_and_every_anomaly() {
    let (ended, html) = page(WRITE_SKEW, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.starts_with("not strict serializable: "), "{ended:?}");
    assert!(html.contains("not strict serializable</span> <span class=\"subject\">it's a history.jsonl"), "{html}");
    let story = html.split("id=\"story\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    for part in
        ["rw x: 2 was missed", ">rw y:<", ">1 was missed<", "append 1 to y", "r y -&gt; []", "class=\"edge rw\""]
    {
        assert!(story.contains(part), "{part}: {story}");
    }
    assert!(story.contains("T1 read x at event 0 without 2, which T2 appended: so T1 must come before T2"), "{story}");
    let row = |level: &str| html.split(&format!("<th scope=\"row\">{level}</th>")).nth(1).unwrap();
    assert!(row("serializable").starts_with("<td class=\"bad\">✗ no</td><td>G2-item: "), "{html}");
    assert!(row("snapshot isolation").starts_with("<td class=\"good\">✓ yes</td>"), "{html}");
    assert!(html.contains("<strong>G2-item</strong>, found once"), "{html}");
}

#[test]
fn a_page_of_transactions_says_what_the_asked_level_is() {
    let (ended, html) = page(WRITE_SKEW, &["--level", "snapshot-isolation"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(html.contains("</span> snapshot isolation</span>"), "{html}");
    assert!(html.contains("schism check --all --level snapshot-isolation"), "{html}");
    assert!(!html.contains("What went wrong"), "{html}");
    assert!(html.contains("<strong>G2-item</strong>, found once"), "what the level allows is shown all the same");
}

#[test]
fn the_cycle_of_transactions_is_exported_as_a_picture_and_as_a_graph() {
    let (dir, _) = file(WRITE_SKEW);
    let svg = run(dir.path(), &["export", "--svg", "history.jsonl"]);
    assert!(svg.code == Some(0) && svg.out.starts_with("<svg class=\"timeline cycle\""), "{svg:?}");
    assert!(svg.out.contains("<style>") && svg.out.contains("<title>G2-item: 2 transactions of processes "), "{svg:?}");
    let dot = run(dir.path(), &["export", "--dot", "history.jsonl"]);
    assert_eq!(dot.code, Some(0), "{dot:?}");
    assert!(dot.out.starts_with("digraph \"G2-item\" {"), "{}", dot.out);
    assert!(dot.out.contains("\"T1\" -> \"T2\" [label=\"rw x: 2 was missed\", tooltip="), "{}", dot.out);
    assert!(dot.out.contains("\"T2\" -> \"T1\" [label=\"rw y: 1 was missed\", tooltip="), "{}", dot.out);
    let (dir, _) = file(stale_read());
    let refused = run(dir.path(), &["export", "--dot", "history.jsonl"]);
    assert!(refused.code == Some(64) && refused.err.contains("only transactions have a graph"), "{refused:?}");
}

#[test]
fn registers_in_transactions_name_what_was_overwritten_and_what_was_missed() {
    let history = r#"{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["w","x",1]]}
{"process":1,"type":"invoke","f":"txn","value":[["r","x",null],["w","x",2]]}
{"process":0,"type":"ok","f":"txn","value":[["r","x",null],["w","x",1]]}
{"process":1,"type":"ok","f":"txn","value":[["r","x",1],["w","x",2]]}
{"process":2,"type":"invoke","f":"txn","value":[["r","x",null]]}
{"process":2,"type":"ok","f":"txn","value":[["r","x",1]]}
"#;
    let (dir, _) = file(history);
    let dot = run(dir.path(), &["export", "--dot", "history.jsonl"]);
    assert!(dot.out.contains("rw x: 1 replaced by 2") && dot.out.contains("real time: over before"), "{}", dot.out);
}

/// A history in which reads of two keys return what was replaced before they began.
fn two_stale_reads() -> String {
    let stale = |key: &str, at: u64| {
        [
            event(at, 1, "invoke", "write", key, "1"),
            event(at + 1, 1, "ok", "write", key, "1"),
            event(at + 2, 1, "invoke", "write", key, "2"),
            event(at + 3, 1, "ok", "write", key, "2"),
            event(at + 9, 2, "invoke", "read", key, "null"),
            event(at + 11, 2, "ok", "read", key, "1"),
        ]
        .concat()
    };
    stale("a", 100) + &stale("b", 200)
}

#[test]
fn every_violated_key_opens_its_own_evidence() {
    let (ended, html) = page(two_stale_reads(), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let story = html.split("id=\"story\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let (first, other) = story.split_once("<details>").expect("the other key opens");
    assert!(first.contains("class=\"claim\">read of a by process 2"), "{first}");
    assert!(other.starts_with("<summary><strong>b</strong>: read of b by process 2"), "{other}");
    for (part, key) in [(first, "a"), (other, "b")] {
        for text in ["<svg class=\"timeline\"", "Why no order can explain it", &format!("read {key} -&gt; 1  ")] {
            assert!(part.contains(text), "{key}: {text}: {part}");
        }
    }
}

#[test]
fn the_picture_shows_where_each_operation_fits_and_where_every_order_ends() {
    // The read of 7, which nobody wrote, comes before the clearest evidence, and is none of it.
    let early = [event(1, 3, "invoke", "read", "a", "null"), event(2, 3, "ok", "read", "a", "7")].concat();
    let (_, html) = page(early + &two_stale_reads(), &[]);
    let story = html.split("id=\"story\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let picture = story.split("<svg").nth(1).unwrap();
    let words = "from here on, no order explains all answers";
    assert!(picture.matches(words).count() == 2, "on the line and in the legend: {picture}");
    assert!(picture.matches("<circle class=\"point\"").count() > 1, "no dots: {picture}");
    for sign in ["the wrong answer", "can take effect here", words] {
        assert!(picture.contains(&format!(">{sign}</text>")), "{sign} is not in the legend: {picture}");
    }
    assert!(!picture.contains("outcome unknown"), "the legend has what the picture has not: {picture}");
    let (dir, _) = file(two_stale_reads());
    let alone = run(dir.path(), &["export", "--svg", "history.jsonl"]).out;
    assert!(alone.contains("<text class=\"headline\"") && alone.contains(">read of a by process 2"), "{alone}");
}

#[test]
fn what_went_wrong_comes_before_all_else() {
    let (_, html) = page(stale_read(), &[]);
    let ids = ["id=\"verdict\"", "id=\"story\"", "id=\"judged\"", "id=\"repeat\""].map(|id| html.find(id).unwrap());
    assert!(ids.is_sorted(), "{ids:?}");
    let between = &html[ids[0]..ids[1]];
    for what in ["<pre", "class=\"claim\"", "operations on"] {
        assert!(!between.contains(what), "{what}: {between}");
    }
}

/// Makes a call on `k0` that is answered a millisecond later.
fn call(at: u64, process: u64, f: &str, asked: &str, answer: &str) -> String {
    event(at, process, "invoke", f, "k0", asked) + &event(at + 1, process, "ok", f, "k0", answer)
}

/// Makes the page of a stored run with this history, these results, and this log of every node.
fn page_of_run(history: &str, results: &serde_json::Value, workload: &str, log: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan("schism", "leader", workload).replace("\"time_limit_ms\":1000", "\"time_limit_ms\":60000");
    for (name, content) in [("history.jsonl", history), ("test.json", &plan), ("results.json", &results.to_string())] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    for node in 1..=3 {
        let folder = dir.path().join("nodes").join(node.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("node.log"), log).unwrap();
    }
    let ended = run(dir.path(), &["report", "."]);
    fs::read_to_string(dir.path().join("report.html")).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn the_page_of_an_interrupted_run_says_so_first() {
    let history = call(1, 1, "write", "1", "1") + &call(3, 1, "read", "null", "1");
    let mut results = results("linearizable");
    let whole = page_of_run(&history, &results, "register", "");
    assert!(!whole.contains("nterrupted"), "{whole}");
    results["interrupted"] = true.into();
    let sound = page_of_run(&history, &results, "register", "");
    let words = "interrupted after 1.0 s of 60.0 s";
    assert!(sound.contains(&format!("<title>linearizable, {words}: ")), "{sound}");
    let header = sound.split("<h1>").nth(1).unwrap();
    let places = [">interrupted<", "✓", "3 nodes"].map(|what| header.find(what).unwrap());
    assert!(places.is_sorted(), "{header}");
    assert!(header.contains("Interrupted after 1.0 s of 60.0 s</strong>"), "{header}");
    assert!(header.contains("that it found no violation says less than a run to the end would"), "{header}");
    let page = page_of_run(&stale_read(), &results, "register", "");
    assert!(page.contains("Interrupted after 1.0 s of 60.0 s</strong>: what it found stands"), "{page}");
}

#[test]
fn bad_news_come_before_a_green_verdict() {
    let history = call(1, 1, "write", "1", "1");
    let mut results = results("linearizable");
    (results["broken_rule"], results["interrupted"]) = ("n1 voted twice".into(), true.into());
    let page = page_of_run(&history, &results, "register", "");
    let header = page.split("<h1>").nth(1).unwrap();
    let [bad, good] = ["violated: a rule of Raft", "✓"].map(|what| header.find(what).unwrap());
    assert!(bad < good, "{header}");
    let claims: Vec<&str> = header.split("class=\"claim").skip(1).collect();
    assert!(claims[0].contains("what it found stands"), "it found something: {claims:?}");
    assert!(claims[1].contains("The nodes broke a rule</strong>: n1 voted twice."), "{claims:?}");
}

#[test]
fn a_node_that_acknowledged_what_no_majority_knew_is_marked_in_the_picture() {
    let cut_off = r#"{"time":0,"process":"nemesis","type":"info","f":"start-partition","value":{"fault":"isolate n2",
        "hit":"{\"partition\":{\"shape\":{\"isolate\":\"leader\"},\"grudge\":{\"1\":[2],\"2\":[1,3],\"3\":[2]}}}",
        "id":1,"nodes":[],"outcome":"installed","place":0}}"#;
    let cut_off = cut_off.replace("\n        ", "") + "\n";
    // Process 4 asks n2, process 3 asks n1, process 5 asks n3.
    let calls = [call(10, 4, "write", "7", "7"), call(20, 3, "write", "8", "8"), call(30, 5, "read", "null", "7")];
    let history = cut_off + &calls.concat();
    let page = page_of_run(&history, &results("not-linearizable"), "register", "");
    let story = page.split("id=\"story\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    assert!(story.contains("n2 acknowledged the write of 7"), "{story}");
    let picture = story.split("<svg").nth(1).unwrap();
    let is_marked = |node: &str| {
        let lane = picture.split("<text class=\"name wrong\"").skip(1);
        lane.map(|lane| lane.split("</text>").next().unwrap()).any(|lane| lane.ends_with(&format!(">{node}")))
    };
    assert_eq!(["n1", "n2", "n3"].map(is_marked), [false, true, true], "{picture}");
    assert_eq!(picture.matches("class=\"operation minority\" tabindex").count(), 1, "{picture}");
    assert!(picture.contains(">acknowledged by a minority</text>"), "the legend has no sign of it: {picture}");
    assert!(picture.contains("n2 was cut off from every majority"), "{picture}");
}

#[test]
fn the_logs_shown_end_where_the_violation_is_complete() {
    let event = |at: u64, process: u64, kind: &str, value: &str| {
        let time = at * 1_000_000;
        format!("{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":[{value}]}}\n")
    };
    // Each of two transactions misses what the other appended; the one that began last is over first.
    let history = event(100, 0, "invoke", r#"["r","x",null],["append","y",1]"#)
        + &event(200, 1, "invoke", r#"["r","y",null],["append","x",2]"#)
        + &event(300, 1, "ok", r#"["r","y",[]],["append","x",2]"#)
        + &event(400, 0, "ok", r#"["r","x",[]],["append","y",1]"#)
        + &event(500, 2, "invoke", r#"["r","x",null],["r","y",null]"#)
        + &event(600, 2, "ok", r#"["r","x",[2]],["r","y",[1]]"#);
    let line = |at_ms: u64| format!("{{\"mono_ns\":{},\"node\":1,\"event\":\"at-{at_ms}\"}}\n", 7 + at_ms * 1_000_000);
    let early = "{\"mono_ns\":1,\"node\":1,\"event\":\"z\"}\n{\"mono_ns\":2,\"node\":1,\"event\":\"a\"}\n";
    let log = early.to_owned() + &[250, 350, 650].map(line).concat();
    let page = page_of_run(&history, &results("not-linearizable"), "append", &log);
    let logs = page.split("id=\"logs\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let is_there = |at_ms: u64| logs.contains(&format!("at-{at_ms}"));
    assert_eq!([250, 350, 650].map(is_there), [true, true, false], "{logs}");
    assert!(logs.contains("At 0.400 s the violation was complete."), "{logs}");
    assert!(logs.find("event=z") < logs.find("event=a"), "in order of time, also before the load: {logs}");
}

#[test]
fn what_a_set_lost_is_drawn_before_what_only_fills_it() {
    let mut lines = String::new();
    for element in 1..12 {
        lines += &format!("{{\"process\":{element},\"type\":\"invoke\",\"f\":\"add\",\"value\":{element}}}\n");
        lines += &format!("{{\"process\":{element},\"type\":\"ok\",\"f\":\"add\",\"value\":{element}}}\n");
    }
    for (process, found) in [(20, "1,2,3,4,5,6,7,8,9,10,11"), (21, "1,2,3,4,5,6,7,8,9,10")] {
        lines += &format!("{{\"process\":{process},\"type\":\"invoke\",\"f\":\"read\",\"value\":null}}\n");
        lines += &format!("{{\"process\":{process},\"type\":\"ok\",\"f\":\"read\",\"value\":[{found}]}}\n");
    }
    let (ended, html) = page(lines, &["--model", "set"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let story = html.split("id=\"story\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let (first, folded) = story.split_once("<details>").expect("the others open");
    let lanes = |part: &str| {
        let names = part.split("<text class=\"name").skip(1).filter_map(|rest| rest.split('>').nth(1));
        let names = names.filter_map(|name| name.strip_suffix("</text").map(str::to_owned));
        names.filter(|name| name.starts_with("process")).collect::<Vec<_>>()
    };
    assert_eq!(lanes(first), ["process 11", "process 21"], "{first}");
    assert!(
        folded.starts_with("<summary>The same with 10 more operations, which only set what these found"),
        "{folded}"
    );
    let all = lanes(folded);
    assert_eq!(
        (all.len(), &*all[0], &*all[1]),
        (12, "process 21", "process 1"),
        "the wrong answer comes first: {all:?}"
    );
}

/// Returns the operations that the pictures of a page mark as wrong, each on one line.
fn marked(html: &str) -> Vec<&str> {
    let wrong = html.split("<g class=\"operation wrong").skip(1).filter_map(|rest| rest.split('>').next());
    wrong.filter_map(|of| of.split_once("aria-label=\"")?.1.split('"').next()).collect()
}

#[test]
fn the_picture_marks_the_operation_that_the_claim_names() {
    // The write that came too late is no wrong answer, though it was invoked last.
    let history = call(10, 3, "read", "null", "57") + &call(20, 4, "write", "57", "57");
    let page = page_of_run(&history, &results("not-linearizable"), "register", "");
    assert!(page.contains("class=\"claim\">read of k0 by process 3 at "), "{page}");
    let marked = marked(&page);
    assert!(marked.iter().all(|it| it.starts_with("read k0 -&gt; 57 process 3 on n")), "{marked:?}");
    assert_eq!(marked.len(), 1, "{marked:?}");
}

#[test]
fn the_transaction_that_the_claim_of_a_cycle_names_is_marked_and_no_other() {
    let call = |process: u64, asked: &str, answer: &str| {
        let line = |kind: &str, value: &str| {
            format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":[{value}]}}\n")
        };
        line("invoke", asked) + &line("ok", answer)
    };
    let [append, read] = [r#"["append","x",1]"#, r#"["r","x",null]"#];
    let stale = call(0, append, append) + &call(1, read, r#"["r","x",[]]"#) + &call(2, read, r#"["r","x",[1]]"#);
    let (_, html) = page(stale, &[]);
    assert!(html.contains("class=\"claim\">G-single-realtime: transaction by process 1 at "), "{html}");
    let boxes: Vec<&str> = html.split("<g class=\"transaction wrong\"").skip(1).collect();
    assert!(boxes.len() == 1 && boxes[0].split("</g>").next().unwrap().contains("process 1, event 2"), "{boxes:?}");
    assert!(marked(&html).iter().all(|it| it.contains("process 1, event 2")) && marked(&html).len() == 1, "{html}");
    let (_, html) = page(WRITE_SKEW, &[]);
    assert!(!html.contains("class=\"transaction wrong\"") && marked(&html).is_empty(), "neither is more wrong: {html}");
}

#[test]
fn a_long_answer_leaves_room_for_the_node_that_gave_it() {
    let found: Vec<String> = (1..40).map(|number| number.to_string()).collect();
    let history = call(10, 3, "read", "null", &format!("[{}]", found.join(",")));
    let page = page_of_run(&history, &results("not-linearizable"), "set", "");
    let labels = page.split("<g class=\"operation wrong").nth(1).and_then(|rest| rest.split("</g>").next()).unwrap();
    let label = labels.split("</text>").next().unwrap();
    assert!(label.contains(">read k0 -&gt; [1,2,3") && label.ends_with("… on n1"), "{label}");
}

#[test]
fn what_a_run_lacks_stands_out_as_much_as_that_it_was_interrupted() {
    let history = call(1, 1, "write", "1", "1");
    let mut results = results("linearizable");
    (results["not_recovered"], results["weak"]) = ("n1 is leader in term 1".into(), true.into());
    let page = page_of_run(&history, &results, "register", "");
    let header = page.split("<h1>").nth(1).unwrap();
    for words in [
        "<strong>The cluster did not recover after healing</strong>: n1 is leader in term 1.",
        "<strong>Weak evidence</strong>: only 1 operation was answered; the leader never changed; no deposed \
         leader was asked for a read.",
    ] {
        assert!(header.contains(&format!("<p class=\"claim unsure\">{words}</p>")), "{words}: {header}");
    }
}

#[test]
fn numbers_of_one_have_the_grammar_of_one() {
    let (_, html) = page(stale_read(), &[]);
    let hierarchy = html.split("id=\"hierarchy\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    assert!(hierarchy.contains("1 of 1 read was certainly stale"), "{hierarchy}");
    assert!(hierarchy.contains("up to 1 version behind"), "{hierarchy}");
}

#[test]
fn no_label_of_the_picture_lies_on_another() {
    let history = r#"{"process":0,"type":"invoke","f":"read","time":0}
{"process":0,"type":"ok","f":"read","value":{"0":35,"1":60},"time":1}
{"process":0,"type":"invoke","f":"read","time":2}
{"process":0,"type":"ok","f":"read","value":{"0":35,"1":65},"time":3}
{"process":0,"type":"invoke","f":"read","time":9000000}
{"process":0,"type":"ok","f":"read","value":{"0":35,"1":65},"time":9000001}
"#;
    let (ended, html) = page(history, &["--model", "bank"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let picture = html.split("<svg").nth(1).and_then(|rest| rest.split("</svg>").next()).unwrap();
    let labels = picture.matches(">read -&gt; ").count();
    assert_eq!((picture.matches("data-tip=").count(), labels), (2, 1), "{picture}");
}

#[test]
fn no_part_of_a_page_needs_times_that_nobody_recorded() {
    let (_, html) = page(WITHOUT_TIMES, &[]);
    let body = html.split("<script").next().unwrap();
    for text in ["p50", " ms", "Δ", "Latency", "0 s<"] {
        assert!(!body.contains(text), "{text}: {body}");
    }
    for event in 0..5 {
        assert_eq!(body.matches(&format!(">event {event}</text>")).count(), 1, "event {event}: {body}");
    }
}
