//! Recorder of a running history: each event gets its index and its time, and is written to the file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Event, EventType, Process, Value, write_event};

/// Minimum time between two writes to the file, if there is room in the buffer.
const WRITE_EVERY: Duration = Duration::from_millis(1);

/// Number of bytes that are written at once, whatever the time.
const MAX_BUFFERED_BYTES: usize = 1 << 14;

/// Reason why an event could not be recorded. A run that cannot record must end: an event missing from the history
/// would never be checked.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The history was closed.
    #[error("{}: the history is closed", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// An earlier event is missing or torn, so nothing may follow it.
    #[error("{}: an earlier event could not be written, so none is written after it", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

/// Recorder of the history of a run, shared by all clients and the nemesis.
///
/// One lock covers index, time and file, so their orders agree. An event is written at once if nothing was written for
/// a millisecond, and otherwise by the next event after that, or by [`Recorder::flush`]: a write for each event would
/// cost more than all the rest. A SIGKILL therefore cuts off the last events, which can accuse nobody: whatever an
/// answer in the file rests on was recorded before it. Invocations must be recorded before the request is
/// sent, completions after the response arrived.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    origin: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    next_index: u64,
    /// Events that are not in the file yet, as lines.
    lines: Vec<u8>,
    /// Time of the last write, since the origin.
    written: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Torn,
    Closed,
}

impl Recorder {
    /// Creates a history in a new file. Times count from `origin`, the start of the run.
    ///
    /// # Errors
    /// Returns an error if the file exists or cannot be created.
    pub fn create(path: &Path, origin: Instant) -> Result<Self, RecordError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| RecordError::Io { path: path.to_owned(), source })?;
        Ok(Self::over(path, origin, file))
    }

    fn over(path: &Path, origin: Instant, file: File) -> Self {
        let lines = Vec::with_capacity(2 * MAX_BUFFERED_BYTES);
        let inner = Inner { file, next_index: 0, lines, written: None, state: State::Open };
        Self { path: path.to_owned(), origin, inner: Mutex::new(inner) }
    }

    /// Records `event` now and sets its `index` and `time`. Returns the time, ns since the origin.
    ///
    /// # Errors
    /// Returns an error if the line cannot be written. From then on every call fails, since a history with a gap proves
    /// nothing.
    pub fn record(&self, mut event: Event<'_>) -> Result<u64, RecordError> {
        let mut inner = self.lock();
        match inner.state {
            State::Open => {}
            State::Torn => return Err(RecordError::Stopped { path: self.path.clone() }),
            State::Closed => return Err(RecordError::Closed { path: self.path.clone() }),
        }
        let now = self.origin.elapsed();
        event.index = Some(inner.next_index);
        event.time = u64::try_from(now.as_nanos()).expect("a run is shorter than 584 years");
        inner.take(&event, now).map_err(|source| RecordError::Io { path: self.path.clone(), source })?;
        Ok(event.time)
    }

    /// Writes the events that are not in the file yet.
    ///
    /// # Errors
    /// Returns an error if they cannot be written, as [`Recorder::record`] does.
    pub fn flush(&self) -> Result<(), RecordError> {
        let written = self.lock().write(self.origin.elapsed());
        written.map_err(|source| RecordError::Io { path: self.path.clone(), source })
    }

    /// Records that a fault begins or has been carried out (`info`, process `nemesis`); each fault is recorded at both
    /// moments. `value` describes it; `error` says why it was skipped, or why its outcome is unknown.
    ///
    /// # Errors
    /// Fails like [`Recorder::record`].
    pub fn nemesis(&self, f: &str, value: Value, error: Option<&str>) -> Result<u64, RecordError> {
        let event = Event::new(Process::nemesis(), EventType::Info, f);
        self.record(Event { value: Some(value), error: error.map(Into::into), ..event })
    }

    /// Returns the number of events recorded so far.
    pub fn len(&self) -> u64 {
        self.lock().next_index
    }

    /// Returns true if nothing has been recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes the history: later events are refused, and those already written are flushed to disk.
    ///
    /// # Errors
    /// Returns an error if the file cannot be synced.
    pub fn close(&self) -> Result<(), RecordError> {
        let mut inner = self.lock();
        let written = inner.write(self.origin.elapsed());
        inner.state = State::Closed;
        written
            .and_then(|()| inner.file.sync_all())
            .map_err(|source| RecordError::Io { path: self.path.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves only whole lines behind; a torn line is what `state` records.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know of errors has closed it.
        drop(self.flush());
    }
}

impl Inner {
    fn take(&mut self, event: &Event<'_>, now: Duration) -> io::Result<()> {
        write_event(&mut self.lines, event)?;
        let is_due = self.written.is_none_or(|written| now >= written + WRITE_EVERY);
        if is_due || self.lines.len() >= MAX_BUFFERED_BYTES {
            self.write(now)?;
        }
        self.next_index += 1;
        Ok(())
    }

    /// Writes all lines. After an error, the end of the file is unknown.
    fn write(&mut self, now: Duration) -> io::Result<()> {
        if self.state == State::Torn {
            return Ok(());
        }
        let written = self.file.write_all(&self.lines);
        self.lines.clear();
        self.written = Some(now);
        if written.is_err() {
            self.state = State::Torn;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc, thread, time::Instant};

    use super::{RecordError, Recorder};
    use crate::{Event, EventType, Process, Value, read_file};

    fn record(recorder: &Recorder, process: u64, kind: EventType) -> Result<u64, RecordError> {
        recorder.record(Event { value: Some(Value::Int(1)), ..Event::new(Process::Client(process), kind, "write") })
    }

    #[test]
    fn index_time_and_file_have_one_order_whoever_records() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Arc::new(Recorder::create(&path, Instant::now()).expect("a new file"));
        let threads: Vec<_> = (0..4)
            .map(|process| {
                let recorder = Arc::clone(&recorder);
                thread::spawn(move || {
                    for _ in 0..500 {
                        record(&recorder, process, EventType::Invoke).expect("it is written");
                        record(&recorder, process, EventType::Ok).expect("it is written");
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("it ends");
        }
        recorder.flush().expect("it is written");
        // The reader rejects a decreasing index or time, and two open operations of one process.
        let history = read_file(&path).expect("it is a history");
        assert_eq!((history.operations.len(), recorder.len()), (2000, 4000));
    }

    #[test]
    fn an_event_is_in_the_file_at_once_and_those_right_after_it_when_it_is_flushed() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Instant::now()).expect("a new file");
        assert!(recorder.is_empty());
        let time = record(&recorder, 7, EventType::Invoke).expect("it is written");
        let line =
            format!("{{\"index\":0,\"time\":{time},\"process\":7,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}}\n");
        let lines = || fs::read_to_string(&path).expect("it is there");
        assert_eq!(lines(), line);
        record(&recorder, 7, EventType::Ok).expect("it is taken");
        recorder.flush().expect("it is written");
        assert_eq!(lines().lines().count(), 2);
        record(&recorder, 8, EventType::Invoke).expect("it is taken");
        drop(recorder);
        assert_eq!(lines().lines().count(), 3);
    }

    #[test]
    fn what_is_in_the_file_is_always_a_beginning_of_what_was_recorded() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Instant::now()).expect("a new file");
        for count in 0..20_000 {
            record(&recorder, count, EventType::Invoke).expect("it is taken");
        }
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.ends_with('\n'));
        let indices = text.lines().map(|line| serde_json::from_str::<Event<'_>>(line).expect("an event").index);
        assert!(indices.eq((0..).take(text.lines().count()).map(Some)));
        assert!(text.len() > 1 << 20, "only the last lines are held back");
    }

    #[test]
    fn what_the_nemesis_did_is_in_the_history() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Instant::now()).expect("a new file");
        record(&recorder, 0, EventType::Invoke).expect("it is written");
        recorder.nemesis("kill", "n1".into(), None).expect("it is written");
        recorder.nemesis("kill", "n1".into(), Some("no such process")).expect("it is written");
        recorder.flush().expect("it is written");
        let history = read_file(&path).expect("it is a history");
        let errors: Vec<_> = history.others.iter().map(|event| event.error.as_deref()).collect();
        assert_eq!(errors, [None, Some("no such process")]);
        assert!(
            history.others.iter().all(|event| event.kind == EventType::Info && event.process == Process::nemesis())
        );
    }

    #[test]
    fn an_older_history_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        fs::write(&path, "old").expect("it can be written");
        let error = Recorder::create(&path, Instant::now()).expect_err("it is there").to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_taken() {
        let recorder = Recorder::over(
            Path::new("/dev/full"),
            Instant::now(),
            fs::File::options().write(true).open("/dev/full").expect("Linux has it"),
        );
        let first = record(&recorder, 0, EventType::Invoke).expect_err("the device is full");
        assert!(first.to_string().starts_with("/dev/full: cannot be written"), "{first}");
        assert!(matches!(record(&recorder, 0, EventType::Ok), Err(RecordError::Stopped { .. })));
        assert_eq!(recorder.len(), 0);
    }

    #[test]
    fn a_closed_history_takes_nothing_more() {
        let dir = tempfile::tempdir().expect("a folder");
        let recorder = Recorder::create(&dir.path().join("history.jsonl"), Instant::now()).expect("a new file");
        recorder.close().expect("it reaches the disk");
        assert!(matches!(record(&recorder, 0, EventType::Invoke), Err(RecordError::Closed { .. })));
    }
}
