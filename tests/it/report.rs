//! Tests of `schism report` on histories that other tools recorded: the page shows what is known, and no more.

use std::fs;

use crate::support::{CommandResult, event, file, run, stale_read};

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
fn the_ladder_says_what_the_verdict_says_by_the_same_evidence() {
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
    let ladder = html.split("<th scope=\"row\">linearizable</th>").nth(1).unwrap();
    assert!(ladder.starts_with(&format!("<td class=\"bad\">✗ no</td><td>{claim}</td>")), "{}", &ladder[..400]);
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
