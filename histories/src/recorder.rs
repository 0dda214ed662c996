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
    stopped: bool,
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
        let inner = Inner { file, next_index: 0, line: Vec::with_capacity(256), stopped: false };
        Ok(Self { path: path.to_owned(), origin, inner: Mutex::new(inner) })
    }

    /// Records `event` now; its `index` and `time` are set here. Returns the time, ns since the origin.
    ///
    /// # Errors
    /// The line could not be written. From then on every call fails, since a history with a gap proves nothing.
    pub fn record(&self, mut event: Event<'_>) -> Result<u64, RecordError> {
        let mut inner = self.lock();
        if inner.stopped {
            return Err(RecordError::Stopped { path: self.path.clone() });
        }
        event.index = Some(inner.next_index);
        event.time = u64::try_from(self.origin.elapsed().as_nanos()).expect("a run is shorter than 584 years");
        inner.write(&event).map_err(|source| {
            inner.stopped = true;
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
        inner.stopped = true;
        inner.file.sync_all().map_err(|source| RecordError::Io { path: self.path.clone(), source })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole lines behind: `stopped` is what says that one is torn.
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
