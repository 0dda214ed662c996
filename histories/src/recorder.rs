//! Writes down what happens, as it happens: each event gets its place, its time and its line in the file at once.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{Event, EventType, Process, Value, write_event};

/// Why an event could not be recorded. A run that cannot record must end: what is not in its history did not get judged.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system said no.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The history was ended.
    #[error("{}: the history is closed", path.display())]
    Closed {
        /// Which file.
        path: PathBuf,
    },
    /// An earlier event is missing or torn, so nothing may follow it.
    #[error("{}: an earlier event could not be written, so none is written after it", path.display())]
    Stopped {
        /// Which file.
        path: PathBuf,
    },
}

/// The history of a run that goes on. Shared by all who act in it.
///
/// One lock covers index, time and file, so their orders are the same. Each event is one `write(2)` of one line: after a
/// SIGKILL the file holds every event that was recorded, and at most its last line is torn if the machine itself stopped.
/// Invocations are to be recorded before the request leaves, completions after the response arrived.
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
    line: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Torn,
    Closed,
}

impl Recorder {
    /// Begins a history in a new file. Times count from `origin`, the start of the run.
    ///
    /// # Errors
    /// The file exists, or cannot be made.
    pub fn create(path: &Path, origin: Instant) -> Result<Self, RecordError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| RecordError::Io { path: path.to_owned(), source })?;
        Ok(Self::over(path, origin, file))
    }

    fn over(path: &Path, origin: Instant, file: File) -> Self {
        let inner = Inner { file, next_index: 0, line: Vec::with_capacity(256), state: State::Open };
        Self { path: path.to_owned(), origin, inner: Mutex::new(inner) }
    }

    /// Records `event` now; its `index` and `time` are set here. Returns the time, ns since the origin.
    ///
    /// # Errors
    /// The line could not be written. From then on every call fails, since a history with a gap proves nothing.
    pub fn record(&self, mut event: Event<'_>) -> Result<u64, RecordError> {
        let mut inner = self.lock();
        match inner.state {
            State::Open => {}
            State::Torn => return Err(RecordError::Stopped { path: self.path.clone() }),
            State::Closed => return Err(RecordError::Closed { path: self.path.clone() }),
        }
        event.index = Some(inner.next_index);
        event.time = u64::try_from(self.origin.elapsed().as_nanos()).expect("a run is shorter than 584 years");
        inner.write(&event).map_err(|source| {
            inner.state = State::Torn;
            RecordError::Io { path: self.path.clone(), source }
        })?;
        Ok(event.time)
    }

    /// Records that a fault begins or was carried out (`info`, process `nemesis`): twice for each, as it begins and as it is done.
    /// `value` describes it; `error` says why it was skipped, or why nobody knows.
    ///
    /// # Errors
    /// As [`Recorder::record`].
    pub fn nemesis(&self, f: &str, value: Value, error: Option<&str>) -> Result<u64, RecordError> {
        let event = Event::new(Process::nemesis(), EventType::Info, f);
        self.record(Event { value: Some(value), error: error.map(Into::into), ..event })
    }

    /// How many events there are so far.
    pub fn len(&self) -> u64 {
        self.lock().next_index
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the history: whatever comes later is refused, and what there is reaches the disk.
    ///
    /// # Errors
    /// The disk said no.
    pub fn close(&self) -> Result<(), RecordError> {
        let mut inner = self.lock();
        inner.state = State::Closed;
        inner.file.sync_all().map_err(|source| RecordError::Io { path: self.path.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole lines behind: `state` is what says that one is torn.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.line.clear();
        write_event(&mut self.line, event)?;
        self.file.write_all(&self.line)?;
        self.next_index += 1;
        Ok(())
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
        // The reader refuses an index or a time that goes back, and two operations of one process at once.
        let history = read_file(&path).expect("it is a history");
        assert_eq!((history.operations.len(), recorder.len()), (2000, 4000));
    }

    #[test]
    fn each_event_is_in_the_file_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Instant::now()).expect("a new file");
        assert!(recorder.is_empty());
        let time = record(&recorder, 7, EventType::Invoke).expect("it is written");
        let line =
            format!("{{\"index\":0,\"time\":{time},\"process\":7,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}}\n");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), line);
    }

    #[test]
    fn what_the_nemesis_did_is_in_the_history() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Instant::now()).expect("a new file");
        record(&recorder, 0, EventType::Invoke).expect("it is written");
        recorder.nemesis("kill", "n1".into(), None).expect("it is written");
        recorder.nemesis("kill", "n1".into(), Some("no such process")).expect("it is written");
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
