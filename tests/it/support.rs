//! Helpers that start the binary, and make histories for it to read.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub(crate) use crate::oracles::{are_all_asked_for, cases};

/// Returns a command for the binary, to be run in the given folder.
pub(crate) fn schism(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_schism"));
    command.current_dir(dir).env("NO_COLOR", "1").env_remove("COLUMNS").env("TMPDIR", dir);
    command
}

/// Returns a command for the binary, as root of a user namespace that permits no further ones, without any capability,
/// as on a locked-down host.
pub(crate) fn locked_down(dir: &Path) -> Command {
    let script =
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_schism")]);
    command.current_dir(dir).env("NO_COLOR", "1").env_remove("COLUMNS").env("TMPDIR", dir);
    command
}

/// Runs the binary to its end.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> CommandResult {
    CommandResult::from(schism(dir).args(arguments).output().unwrap())
}

/// Runs a command that could hang, and fails if it does not end in time.
pub(crate) fn in_time(command: &mut Command) -> CommandResult {
    within(Duration::from_secs(30), command)
}

/// Runs a command that could hang, and fails if it takes longer than `limit`.
pub(crate) fn within(limit: Duration, command: &mut Command) -> CommandResult {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let [out, err] = [read_all(child.stdout.take().unwrap()), read_all(child.stderr.take().unwrap())];
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("not within {limit:?}: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    CommandResult { code: status.code(), out: out.join().unwrap(), err: err.join().unwrap() }
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct CommandResult {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandResult {
    /// Converts output that may contain names which are not UTF-8.
    pub(crate) fn from_lossy(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl From<Output> for CommandResult {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Makes a folder with one file in it.
pub(crate) fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.jsonl");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

/// Formats one line of a history.
pub(crate) fn event(time_ms: u64, process: u64, kind: &str, f: &str, key: &str, value: &str) -> String {
    let time = time_ms * 1_000_000;
    let node = process % 3 + 1;
    format!(
        r#"{{"time":{time},"process":{process},"type":"{kind}","f":"{f}","key":"{key}","value":{value},"node":{node}}}"#
    ) + "\n"
}

/// Makes a history in which `k3` is read as 41 although the write of 57 was acknowledged 62 ms before.
pub(crate) fn stale_read() -> String {
    [
        event(4000, 2, "invoke", "write", "k3", "41"),
        event(4010, 2, "ok", "write", "k3", "41"),
        event(4100, 4, "invoke", "write", "k3", "57"),
        event(4120, 4, "ok", "write", "k3", "57"),
        event(4182, 6, "invoke", "read", "k3", "null"),
        event(4183, 6, "ok", "read", "k3", "41"),
    ]
    .concat()
}

/// Makes a history of a bank, one read of which has lost some money.
pub(crate) fn unbalanced_bank() -> String {
    let event = |kind: &str, value: &str| format!("{{:type :{kind}, :f :read, :value {value}, :process 0}}\n");
    let read = |seen: &str| event("invoke", "nil") + &event("ok", seen);
    read("{0 50, 1 50}") + &read("{0 50, 1 40}")
}

/// Makes a history of transactions over lists, the second of which misses what the first had appended.
pub(crate) fn stale_transactions() -> String {
    let event = |process: u8, kind: &str, value: &str| {
        format!("{{:type :{kind}, :f :txn, :value {value}, :process {process}}}\n")
    };
    [
        event(0, "invoke", "[[:append 0 1]]"),
        event(0, "ok", "[[:append 0 1]]"),
        event(1, "invoke", "[[:r 0 nil]]"),
        event(1, "ok", "[[:r 0 []]]"),
        event(2, "invoke", "[[:r 0 nil]]"),
        event(2, "ok", "[[:r 0 [1]]]"),
    ]
    .concat()
}

/// Makes `test.json` of a run as a schism wrote it before there was a schema version.
pub(crate) fn plan(system: &str, read: &str, workload: &str) -> String {
    serde_json::json!({
        "version": "1", "system": system, "nodes": 3, "read": read, "workload": workload, "faults": [], "seed": 7,
        "time_limit_ms": 1000, "rate": 1, "concurrency": 1, "keys": 1, "read_percent": 50,
        "operation_timeout_ms": 1000, "schedule": [],
        "settings": {"election_timeout_ms": 300, "heartbeat_interval_ms": 40, "check_quorum": false},
    })
    .to_string()
}

/// Makes `results.json` of a run of one second, likewise.
pub(crate) fn results(verdict: &str) -> serde_json::Value {
    serde_json::json!({
        "verdict": verdict, "weak": false, "interrupted": false, "not_recovered": null, "leader_after_ms": 400,
        "origin_mono_ns": 7, "load": {"from_ns": 1, "until_ns": 1_000_000_000}, "missed_heartbeats": [],
        "counts": {"ok": 2, "fail": 0, "info": 0}, "reads": {"p50_ms": 1.0, "p99_ms": 1.0},
        "writes": {"p50_ms": 1.0, "p99_ms": 1.0},
        "coverage": {"leader_changes": 0, "faults": [], "writes": 1, "longest_gap_ms": 0, "weak": [], "deposed":
            {"times": 0, "reachable_ms": 0, "reads_asked": 0, "reads_answered": 0, "writes_elsewhere": 0}},
        "report": {"verdict": verdict, "why": null, "operations": 2, "answered": 2, "unanswered": 0, "weak": null,
            "keys": []},
    })
}

/// Returns true if this host has a program, and otherwise says that the test skips, and how to install it.
pub(crate) fn is_installed(program: &str, how: &str) -> bool {
    let folders = ["/usr/bin", "/usr/sbin", "/usr/lib/postgresql/15/bin"];
    let is_there = folders.iter().any(|folder| Path::new(folder).join(program).is_file());
    if !is_there {
        eprintln!("SKIPPED: this host has no {program}; {how}");
    }
    is_there
}
