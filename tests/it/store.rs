//! Past runs: listed, compressed, removed, served.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{run, schism, stale_read};

/// A store with a run that found something, one that did not, and one that is not over.
fn store(dir: &Path) {
    for (name, verdict) in [("bad", Some("not-linearizable")), ("good", Some("linearizable")), ("half", None)] {
        let run = dir.join("store").join(name).join("20260131T235959Z");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("test.json"), r#"{"system":"schism","read":"leader","faults":[],"seed":7}"#).unwrap();
        fs::write(run.join("history.jsonl"), stale_read()).unwrap();
        if let Some(verdict) = verdict {
            fs::write(run.join("results.json"), format!("{{\"verdict\":\"{verdict}\"}}")).unwrap();
        }
    }
}

#[test]
fn runs_are_listed_compressed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let listed = run(dir.path(), &["store", "ls"]);
    assert!(listed.out.contains("bad/20260131T235959Z") && listed.out.contains("3 runs"), "{listed:?}");
    let packed = run(dir.path(), &["store", "gc"]);
    assert!(packed.out.starts_with("0 runs removed, 2 files compressed"), "{packed:?}");
    let bad = dir.path().join("store/bad/20260131T235959Z");
    assert!(!bad.join("history.jsonl").exists(), "the history is there twice");
    let judged = run(dir.path(), &["check", "store/bad/20260131T235959Z/history.jsonl.zst"]);
    assert_eq!(judged.code, Some(1), "{judged:?}");
    assert!(dir.path().join("store/half/20260131T235959Z/history.jsonl").exists(), "a run under way was touched");
    let old = run(dir.path(), &["store", "gc", "--older-than", "0s"]);
    assert!(old.out.starts_with("1 runs removed"), "{old:?}");
    assert!(bad.exists(), "a violation was removed");
    let wrong = run(dir.path(), &["store", "rm", "store"]);
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    assert_eq!(run(dir.path(), &["store", "rm", "store/bad/20260131T235959Z"]).code, Some(0));
    assert!(!bad.exists());
    assert_eq!(run(dir.path(), &["store", "ls", "nowhere"]).code, Some(65));
}

#[test]
fn the_store_is_served_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    fs::write(dir.path().join("secret"), "not for you").unwrap();
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
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let index = ask("/");
    assert!(index.contains("bad/20260131T235959Z") && index.contains("under way"), "{index}");
    assert!(index.contains("/live/live") && index.contains("/live/half/20260131T235959Z"), "{index}");
    let live = ask("/live/live");
    assert!(live.contains("refresh: 3") && live.contains("linearizable: schism, 3 nodes"), "{live}");
    assert!(ask("/live/half/20260131T235959Z").contains("nothing happened yet"));
    assert!(ask("/bad/20260131T235959Z/test.json").contains("\"seed\":7"));
    for path in
        ["/live/../secret", "/live/link", "/../secret", "/%2e%2e/secret", "/link", "/bad/../../secret", "/nothing"]
    {
        let answer = ask(path);
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("not for you"), "{path}: {answer}");
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
