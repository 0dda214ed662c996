//! Tests of stored runs: listing, compression, removal, serving.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

use crate::support::{plan, results, run, schism, stale_read};

/// Makes a store with a run that found a violation, one that found none, and one that is not over.
fn store(dir: &Path) {
    for (name, verdict) in [("bad", Some("not-linearizable")), ("good", Some("linearizable")), ("half", None)] {
        let run = dir.join("store").join(name).join("20260131T235959Z");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("test.json"), plan("schism", "leader", "queue")).unwrap();
        fs::write(run.join("history.jsonl"), stale_read()).unwrap();
        if let Some(verdict) = verdict {
            fs::write(run.join("results.json"), results(verdict).to_string()).unwrap();
        }
    }
}

#[test]
fn runs_are_listed_compressed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let listed = run(dir.path(), &["store", "ls"]);
    assert!(listed.out.contains("bad/20260131T235959Z") && listed.out.contains("3 runs"), "{listed:?}");
    assert!(listed.out.contains("not linearizable") && listed.out.contains(" 1.0 s "), "{listed:?}");
    assert!(listed.out.contains(" workload ") && listed.out.contains(" queue "), "{listed:?}");
    let json = run(dir.path(), &["store", "ls", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let rows = json["runs"].as_array().unwrap();
    let of_bad = rows.iter().find(|row| row["path"] == "store/bad/20260131T235959Z").unwrap();
    let facts = ["verdict", "system", "workload", "read", "faults"].map(|name| of_bad[name].as_str().unwrap());
    assert_eq!(facts, ["not-linearizable", "schism", "queue", "leader", "none"]);
    let packed = run(dir.path(), &["store", "gc"]);
    assert!(packed.out.starts_with("0 runs removed, 2 files compressed"), "{packed:?}");
    let bad = dir.path().join("store/bad/20260131T235959Z");
    assert!(!bad.join("history.jsonl").exists(), "the history is there twice");
    let judged = run(dir.path(), &["check", "store/bad/20260131T235959Z/history.jsonl.zst"]);
    assert_eq!(judged.code, Some(1), "{judged:?}");
    assert!(dir.path().join("store/half/20260131T235959Z/history.jsonl").exists(), "a run under way was touched");
    let old = run(dir.path(), &["store", "gc", "--older-than", "0s"]);
    assert!(old.out.starts_with("1 run removed"), "{old:?}");
    assert!(bad.exists(), "a violation was removed");
    assert_eq!(
        run(dir.path(), &["check", "store/bad/20260131T235959Z/history.jsonl"]).code,
        Some(1),
        "it is compressed"
    );
    let wrong = run(dir.path(), &["store", "rm", "store"]);
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    assert_eq!(run(dir.path(), &["store", "rm", "store/nowhere"]).code, Some(65));
    let outside = run(dir.path(), &["store", "rm", "--store", "store/half", "../bad/20260131T235959Z"]);
    assert!(outside.code == Some(65) && bad.exists(), "{outside:?}");
    let removed = run(dir.path(), &["store", "rm", "bad/20260131T235959Z"]);
    assert!(removed.out.starts_with("removed the run in ") && removed.code == Some(0), "{removed:?}");
    assert!(!bad.exists());
    assert_eq!(run(dir.path(), &["store", "ls", "nowhere"]).code, Some(65));
}

#[test]
fn results_of_a_later_schism_are_refused_by_name_and_never_taken_for_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let good = dir.path().join("store/good/20260131T235959Z");
    let newer = |json: &str| {
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["schema_version"] = 99.into();
        json.to_string()
    };
    fs::write(good.join("results.json"), newer(&results("linearizable").to_string())).unwrap();
    let listed = run(dir.path(), &["store", "ls"]);
    assert!(listed.out.contains("cannot be read"), "{listed:?}");
    let old = run(dir.path(), &["store", "gc", "--older-than", "0s"]);
    assert!(old.out.starts_with("0 runs removed") && good.exists(), "{old:?}");
    let begun = r#"{"leader_after_ms":1,"origin_mono_ns":1}"#;
    for (file, content) in [
        ("results.json", results("linearizable").to_string()),
        ("test.json", plan("schism", "leader", "register")),
        ("begun.json", begun.to_owned()),
    ] {
        for (name, content) in [("test.json", plan("schism", "leader", "register")), ("begun.json", begun.to_owned())] {
            fs::write(good.join(name), content).unwrap();
        }
        fs::remove_file(good.join("results.json")).ok();
        fs::write(good.join(file), newer(&content)).unwrap();
        let judged = run(dir.path(), &["report", "store/good/20260131T235959Z"]);
        assert_eq!(judged.code, Some(65), "{file}: {judged:?}");
        let why = "schema version 99 is of a later schism: this one reads versions up to 1; read it with the one that";
        assert!(judged.err.contains(file) && judged.err.contains(why), "{file}: {judged:?}");
    }
}

/// The name of its folder says when a run began only where nobody chose it.
#[test]
fn a_list_tells_when_a_run_began_by_its_files_and_otherwise_by_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let chosen = dir.path().join("store/chosen");
    fs::create_dir(&chosen).unwrap();
    fs::write(chosen.join("test.json"), plan("schism", "leader", "register")).unwrap();
    let began = |name: &str| {
        let listed = run(dir.path(), &["store", "ls", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
        let runs = listed["runs"].as_array().unwrap();
        let of = runs.iter().find(|run| run["path"].as_str().is_some_and(|path| path.ends_with(name))).unwrap();
        of["began"].clone()
    };
    assert_eq!(began("good/20260131T235959Z"), "2026-01-31 23:59:59 UTC");
    assert_eq!(began("chosen"), serde_json::Value::Null);
    let begun = r#"{"leader_after_ms":1,"origin_mono_ns":1,"began_unix_s":1769903999}"#;
    fs::write(chosen.join("begun.json"), begun).unwrap();
    assert_eq!(began("chosen"), "2026-01-31 23:59:59 UTC", "it is under way, or was killed");
    let mut over = results("linearizable");
    over["began_unix_s"] = 1_769_904_000.into();
    fs::write(chosen.join("results.json"), over.to_string()).unwrap();
    assert_eq!(began("chosen"), "2026-02-01 00:00:00 UTC");
}

#[test]
fn the_store_is_served_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    fs::write(dir.path().join("secret"), "not for you").unwrap();
    let audited = dir.path().join("store/audited");
    fs::create_dir(&audited).unwrap();
    let mut found = results("linearizable");
    found["audits"] = serde_json::json!([{"audit": "leaders", "verdict": "violated", "evidence": ["two in term 1"]}]);
    for (name, content) in [("test.json", plan("schism", "leader", "register")), ("results.json", found.to_string())] {
        fs::write(audited.join(name), content).unwrap();
    }
    let one = ["run", "--nodes", "3", "--faults", "none", "--time-limit", "1s", "--folder", "store/live"];
    assert_eq!(run(dir.path(), &one).code, Some(0));
    fs::remove_file(dir.path().join("store/live/results.json")).unwrap(); // as if it were under way
    fs::remove_file(dir.path().join("store/live/report.html")).unwrap();
    std::os::unix::fs::symlink("../secret", dir.path().join("store/link")).unwrap();
    let mut child =
        schism(dir.path()).args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let index = ask("/");
    assert!(index.contains("bad/20260131T235959Z") && index.contains("under way"), "{index}");
    assert!(index.contains("/-/live/live") && index.contains("/-/live/half/20260131T235959Z"), "{index}");
    assert!(index.contains("2026-01-31 23:59:59 UTC") && index.contains("✗ not linearizable"), "{index}");
    assert!(index.contains("✗ linearizable; violated: leaders"), "bad news are no good news: {index}");
    assert!(index.contains("connect-src 'self'"), "{index}");
    let live = ask("/-/live/live");
    assert!(live.contains("data-events=\"/-/events/live\"") && live.contains("schism, 3 nodes"), "{live}");
    assert!(live.contains("connect-src 'self'") && !live.to_lowercase().contains("refresh"), "{live}");
    let judged = ask("/-/judged/live");
    let title = judged.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
    assert!(title.starts_with("linearizable, judged after 1.0 s of 1.0 s, before its end: schism, 3"), "{title}");
    assert!(!judged.contains("nterrupted"), "nobody did: {judged}");
    assert!(ask("/-/judged/half/20260131T235959Z").contains("nothing happened yet"));
    assert!(ask("/bad/20260131T235959Z/test.json").contains("\"seed\":7"));
    for path in [
        "/-/live/../secret",
        "/-/live/link",
        "/-/events/link",
        "/-/judged/link",
        "/../secret",
        "/%2e%2e/secret",
        "/link",
        "/bad/../../secret",
        "/nothing",
    ] {
        let answer = ask(path);
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("not for you"), "{path}: {answer}");
    }
    fs::write(dir.path().join("store/live/report.html"), "the report").unwrap();
    let over = ask("/-/live/live").to_lowercase();
    assert!(over.starts_with("http/1.1 303") && over.contains("location: /live/report.html"), "{over}");
    assert!(ask("/live/report.html").ends_with("the report"));
    let folder = ask("/bad/20260131T235959Z/");
    assert!(folder.contains("<a href=\"/bad/20260131T235959Z/test.json\">test.json</a>"), "{folder}");
    assert!(folder.contains("<a href=\"/bad/\">bad</a>"), "it does not say where it lies: {folder}");
    let head = ask("/bad/20260131T235959Z/test.json");
    assert!(head.contains("content-type: application/json") && head.contains("nosniff"), "{head}");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Starts a server of a store, and returns it with its address.
fn serving(dir: &Path) -> (Child, String) {
    let mut child = schism(dir).args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned())
}

/// Sends a request and returns the answer, up to the end of the connection.
fn answer(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_empty_store_is_served_and_says_what_fills_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("store")).unwrap();
    let (mut child, address) = serving(dir.path());
    let index = answer(&address, &format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"));
    assert!(index.starts_with("HTTP/1.1 200") && index.contains("<code>schism run</code> makes a run"), "{index}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_store_is_served_under_its_own_names_only() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    mkfifo(&dir.path().join("store/pipe"), Mode::S_IRWXU).unwrap();
    let (mut child, address) = serving(dir.path());
    let port = address.rsplit(':').next().unwrap();
    let ask = |path: &str, host: &str| {
        answer(&address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert!(ask("/", &host).starts_with("HTTP/1.1 200"), "{host}");
        assert!(ask("/pipe", &host).starts_with("HTTP/1.1 404"), "{host}");
    }
    for host in [format!("evil.example:{port}"), "127.0.0.1".to_owned(), "localhost:1".to_owned(), "x".to_owned()] {
        for path in ["/", "/bad/20260131T235959Z/test.json", "/-/events", "/-/events/half/20260131T235959Z", "/nothing"]
        {
            let told = ask(path, &host);
            assert!(told.starts_with("HTTP/1.1 421") && !told.contains("seed"), "{host} {path}: {told}");
        }
    }
    let told = answer(&address, "GET / HTTP/1.0\r\n\r\n");
    assert!(told.starts_with("HTTP/1.0 421") || told.starts_with("HTTP/1.1 421"), "{told}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Begins to listen to the events of a page, and returns what comes line by line.
fn listening(address: &str, path: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    BufReader::new(stream).lines().map_while(Result::ok)
}

#[test]
fn a_page_of_a_run_under_way_is_told_of_its_progress_and_then_of_the_report() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let folder = dir.path().join("store/half/20260131T235959Z");
    fs::remove_file(folder.join("history.jsonl")).unwrap();
    let (mut child, address) = serving(dir.path());
    let mut events = listening(&address, "/-/events/half/20260131T235959Z");
    assert!(events.any(|line| line.contains("text/event-stream")));
    assert!(events.any(|line| line.contains(r#""stage":"starting""#)));
    let invoked = r#"{"time":1000000,"process":1,"type":"invoke","f":"read","value":null}"#;
    fs::write(folder.join("history.jsonl"), format!("{invoked}\n")).unwrap();
    assert!(events.any(|line| line.contains(r#""stage":"under-way""#) && line.contains(r#""invoked":1"#)));
    fs::write(folder.join("report.html"), "the report").unwrap();
    assert!(events.any(|line| line == "event: over"));
    assert_eq!(events.next().unwrap(), "data: \"/half/20260131T235959Z/report.html\"");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_list_is_told_of_a_run_that_begins_and_no_more_pages_than_there_are_places() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let (mut child, address) = serving(dir.path());
    let mut list = listening(&address, "/-/events");
    assert!(list.any(|line| line == "event: same"));
    let run = dir.path().join("store/new/20260201T000000Z");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("test.json"), "{}").unwrap();
    assert!(list.any(|line| line == "event: changed"));
    let mut others: Vec<_> = (0..20).map(|_| listening(&address, "/-/events")).collect();
    let answers: Vec<String> = others.iter_mut().map(|other| other.next().unwrap()).collect();
    // All stay open, and there are 16 places.
    assert!(answers.iter().filter(|first| first.contains("503")).count() >= 4, "{answers:?}");
    drop(list);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn serving_ends_within_a_moment_whoever_is_connected() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let (mut child, address) = serving(dir.path());
    // One connection sends nothing, one sends half a request, and one is kept alive after an answer.
    let silent = TcpStream::connect(&address).unwrap();
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let mut kept = TcpStream::connect(&address).unwrap();
    write!(kept, "GET /nothing HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 404");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let asked = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    drop((silent, half, kept));
}

#[test]
fn the_newest_run_is_listed_first_and_linked_once_that_after_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let simulate = |seed: &str| {
        let arguments = ["simulate", "--seed", seed, "--faults", "none", "--time-limit", "1s", "--store", "store"];
        assert_eq!(run(dir.path(), &arguments).code, Some(0));
        fs::canonicalize(dir.path().join("store/latest")).unwrap()
    };
    let (first, second) = (simulate("1"), simulate("2"));
    let json = run(dir.path(), &["store", "ls", "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = &json["runs"];
    assert_eq!((&rows[0]["seed"], &rows[1]["seed"]), (&2.into(), &1.into()));
    assert!(rows[0]["lasted_ms"].as_u64().unwrap() >= 900, "{json}");
    assert_eq!(run(dir.path(), &["store", "rm", "store/latest"]).code, Some(0));
    assert!(!second.exists());
    assert_eq!(fs::canonicalize(dir.path().join("store/latest")).unwrap(), first);
    assert_eq!(run(dir.path(), &["store", "gc"]).code, Some(0));
    for of_latest in ["store/latest", "store/latest/history.jsonl"] {
        assert_eq!(run(dir.path(), &["check", of_latest]).code, Some(0), "{of_latest}");
    }
}

/// Commands of README and docs/ that name a stored run, with their exit codes for one with a violation.
const OF_STORED_RUNS: [(&[&str], i32); 11] = [
    (&["check", "store/latest"], 1),
    (&["check", "store/latest/history.jsonl"], 1),
    (&["check", "store/*/*/history.jsonl"], 1),
    (&["report", "store/latest"], 1),
    (&["report", "store/latest/history.jsonl", "-o", "page.html"], 1),
    (&["explain"], 1),
    (&["export", "--svg", "store/latest"], 0),
    (&["export", "--script", "store/latest"], 0),
    (&["shrink", "store/latest", "-o", "small.jsonl"], 1),
    (&["shrink", "store/latest/history.jsonl", "-o", "small.jsonl"], 1),
    (&["convert", "store/latest/history.jsonl", "history.edn"], 0),
];

#[test]
fn whatever_names_a_stored_run_still_works_once_it_is_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let simulate = |seed: &str, code: i32| {
        let asked = ["simulate", "--read", "leader", "--seed", seed, "--time-limit", "5s", "--store", "store"];
        assert_eq!(run(dir.path(), &asked).code, Some(code), "seed {seed}");
    };
    simulate("3", 1);
    let before: Vec<_> = OF_STORED_RUNS.iter().map(|(command, _)| run(dir.path(), command)).collect();
    let packed = run(dir.path(), &["store", "gc"]);
    assert!(packed.out.starts_with("0 runs removed, 1 file compressed"), "{packed:?}");
    for ((command, code), before) in OF_STORED_RUNS.iter().zip(before) {
        let after = run(dir.path(), command);
        assert_eq!((before.code, after.code), (Some(*code), Some(*code)), "{command:?}: {before:?} {after:?}");
        assert_eq!(after.out.replace("history.jsonl.zst", "history.jsonl"), before.out, "{command:?}");
    }
    simulate("4", 1);
    let both = run(dir.path(), &["check", "--json", "store/*/*/history.jsonl"]);
    let both: serde_json::Value = serde_json::from_str(&both.out).unwrap();
    assert_eq!(both.as_array().unwrap().len(), 2, "one is compressed, and one is not: {both}");
}
