//! Helpers that start the binary, and make histories for it to read.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Returns a command for the binary, to be run in the given folder.
pub(crate) fn schism(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_schism"));
    command.current_dir(dir).env("NO_COLOR", "1");
    command
}

/// Runs the binary to its end.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Ended {
    Ended::from(schism(dir).args(arguments).output().unwrap())
}

/// Runs a command that could hang, and fails if it does not end in time.
pub(crate) fn in_time(command: &mut Command) -> Ended {
    const LIMIT: Duration = Duration::from_secs(30);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let [out, err] = [read_all(child.stdout.take().unwrap()), read_all(child.stderr.take().unwrap())];
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("not within {LIMIT:?}: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Ended { code: status.code(), out: out.join().unwrap(), err: err.join().unwrap() }
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
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Converts output that may contain names which are not UTF-8.
    pub(crate) fn from_lossy(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl From<Output> for Ended {
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
