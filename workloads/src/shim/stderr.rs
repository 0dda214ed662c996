//! Messages that shims write to stderr: kept in a file for the report, up to a limit, and the last line for messages.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use super::{ShimProblemKind, ShimProblems};
use crate::answers::quoted;

/// Maximum size of what is kept of all shims of a connector together, bytes.
const MAX_FILE_BYTES: usize = 4 << 20;
/// Maximum length of a line; a longer one is kept as several.
const MAX_LINE_BYTES: u64 = 4096;
/// Time limit for the rest of what a shim has written when it has ended.
const LINGER: Duration = Duration::from_millis(500);

/// File with the stderr of all shims of a connector.
#[derive(Debug)]
pub(super) struct StderrFile {
    path: Option<PathBuf>,
    state: Mutex<State>,
    problems: Arc<ShimProblems>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unopened,
    Open {
        file: File,
        bytes_left: usize,
    },
    Closed,
}

impl StderrFile {
    /// Returns the file at this path, to be created with its first line; without a path, nothing is kept.
    pub(super) fn new(path: Option<PathBuf>, problems: Arc<ShimProblems>) -> Self {
        Self { path, state: Mutex::default(), problems }
    }

    fn write(&self, prefix: &str, line: &[u8]) {
        let Some(path) = &self.path else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.write(path, prefix, line) {
            *state = State::Closed;
            self.problems.add(ShimProblemKind::StderrLost, format!("{}: {error}", path.display()));
        }
    }
}

impl State {
    fn write(&mut self, path: &Path, prefix: &str, line: &[u8]) -> io::Result<()> {
        if matches!(self, Self::Unopened) {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            *self = Self::Open { file, bytes_left: MAX_FILE_BYTES };
        }
        let Self::Open { file, bytes_left } = self else { return Ok(()) };
        let text = format!("{prefix}{}\n", String::from_utf8_lossy(line).trim_end());
        if let Some(left) = bytes_left.checked_sub(text.len()) {
            *bytes_left = left;
            // One call a line: several connectors may write to the same file.
            return file.write_all(text.as_bytes());
        }
        let note = format!("schism: what shims write after these {MAX_FILE_BYTES} bytes is not kept\n");
        let written = file.write_all(note.as_bytes());
        *self = Self::Closed;
        written
    }
}

/// Reader of the stderr of one process. When it is dropped, the rest is still read, within a limit.
#[derive(Debug)]
pub(super) struct StderrReader {
    last_line: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
    /// Tells the task by its end that the process has ended.
    _alive: oneshot::Sender<()>,
}

impl StderrReader {
    /// Reads from `stderr` in a task of its own, so that the process never waits for a reader.
    pub(super) fn start(
        stderr: impl AsyncRead + Unpin + Send + 'static,
        prefix: String,
        file: Arc<StderrFile>,
    ) -> Self {
        let last_line = Arc::default();
        let (alive, mut ended) = oneshot::channel::<()>();
        let reading = read_lines(stderr, prefix, file, Arc::clone(&last_line));
        let task = tokio::spawn(async move {
            tokio::pin!(reading);
            tokio::select! {
                () = &mut reading => {}
                _ = &mut ended => drop(timeout(LINGER, reading).await),
            }
        });
        Self { last_line, task, _alive: alive }
    }

    /// Waits until the process has closed its stderr, at most this long.
    pub(super) async fn wait_for_end(&mut self, limit: Duration) {
        if !self.task.is_finished() {
            timeout(limit, &mut self.task).await.ok();
        }
    }

    /// Returns the last line so far as part of a sentence; nothing if there is none.
    pub(super) fn last_line(&self) -> String {
        let line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_empty() { String::new() } else { format!("; last on stderr: {}", quoted(&line)) }
    }
}

async fn read_lines(
    stderr: impl AsyncRead + Unpin,
    prefix: String,
    file: Arc<StderrFile>,
    last_line: Arc<Mutex<Vec<u8>>>,
) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut stderr).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await {
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            file.write(&prefix, text);
            text.clone_into(&mut last_line.lock().unwrap_or_else(PoisonError::into_inner));
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keep(text: &[u8], file: &Arc<StderrFile>) -> String {
        let mut reader = StderrReader::start(io::Cursor::new(text.to_vec()), "node 1: ".to_owned(), Arc::clone(file));
        reader.wait_for_end(Duration::from_secs(5)).await;
        assert!(reader.task.is_finished());
        reader.last_line()
    }

    #[tokio::test]
    async fn lines_are_kept_with_their_origin_up_to_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shims.log");
        let file = Arc::new(StderrFile::new(Some(path.clone()), Arc::default()));
        assert_eq!(keep(b"", &file).await, "");
        assert!(!path.exists(), "silence needs no file");
        assert_eq!(keep(b"one\n\ntw\xffo", &file).await, "; last on stderr: \"tw\u{fffd}o\"");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "node 1: one\nnode 1: tw\u{fffd}o\n");
        keep(&vec![b'x'; MAX_FILE_BYTES + 1], &file).await;
        keep(b"later\n", &file).await;
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() < MAX_FILE_BYTES + 100, "{} bytes", text.len());
        assert!(text.ends_with("bytes is not kept\n"));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_a_problem_and_no_more() {
        let problems = Arc::new(ShimProblems::default());
        let file = Arc::new(StderrFile::new(Some("/no/such/folder/shims.log".into()), Arc::clone(&problems)));
        assert_eq!(keep(b"one\ntwo\n", &file).await, "; last on stderr: \"two\"");
        assert_eq!(problems.count(ShimProblemKind::StderrLost), 1);
        assert!(problems.to_string().contains("/no/such/folder/shims.log: No such file"), "{problems}");
    }
}
