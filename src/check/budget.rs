//! Budget of a command: time since its start, and memory of the whole process.

use std::{
    cell::Cell,
    fmt,
    fs::{self, File},
    mem::ManuallyDrop,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use checker::{Limits, Memory};
use histories::{History, ReadError, ReadOptions, Reading};
use nix::unistd::{SysconfVar, sysconf};

use super::{
    reading_options::{ReadingOptions, unread},
    source::Source,
};
use crate::{
    error::{ExitStatus, Failure},
    terminal::Bar,
};

/// Time to free an operation that was read, if its values are texts, in nanoseconds.
const FREE_NS: u64 = 150;

/// Time and memory that one command may take, reading included.
#[derive(Debug)]
pub(crate) struct Budget {
    deadline: Instant,
    memory: Memory,
}

impl Budget {
    /// Creates a budget that begins now.
    pub(crate) fn new(time: Duration, memory_bytes: usize) -> Self {
        let memory = match resident_bytes() {
            Some(in_use) => Memory::measured(memory_bytes, in_use),
            None => Memory::new(memory_bytes),
        };
        Self { deadline: Instant::now() + time, memory }
    }

    /// Returns true if there is time left.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Frees a value, or leaks it if time has run out.
    pub(crate) fn free<T>(&self, held: T) {
        let held = ManuallyDrop::new(held);
        if self.has_time() {
            drop(ManuallyDrop::into_inner(held));
        }
    }

    /// Returns the limit that would be exceeded by something that takes about this much, if any.
    pub(crate) fn lacks(&self, time: Duration, memory_bytes: usize) -> Option<&'static str> {
        if Instant::now() + time >= self.deadline {
            return Some("time");
        }
        (!self.memory.has_room(memory_bytes)).then_some("memory")
    }

    /// Does `work` on this many operations within the rest of the budget.
    pub(crate) fn within<T>(&self, operations: usize, work: impl FnOnce(&Limits<'_>) -> T) -> T {
        let bar = Bar::of_check(operations);
        let keep_going = || {
            bar.alive();
            self.has_time()
        };
        let decided = |operations| bar.reach(operations as u64);
        work(&Limits { keep_going: &keep_going, memory: &self.memory, abandon: true, decided: &decided })
    }

    /// Reads a history within the rest of the budget. If it cannot be read, the exit code says so.
    pub(crate) fn read(&self, file: &Path, reading: ReadingOptions) -> anyhow::Result<ReadOutcome<History>> {
        self.read_within(file, reading, |input, options| histories::read_open(file, input, options))
    }

    /// Reads like [`Budget::read`], but fails if only a part could be read.
    pub(crate) fn read_whole(&self, file: &Path, reading: ReadingOptions) -> anyhow::Result<History> {
        Ok(self.read(file, reading)?.whole(file)?)
    }

    /// Reads a file, or another named input, by `read` within the rest of the budget.
    fn read_within<T>(
        &self,
        file: &Path,
        reading: ReadingOptions,
        read: impl FnOnce(File, &ReadOptions<'_>) -> Result<T, ReadError>,
    ) -> anyhow::Result<ReadOutcome<T>> {
        let input = Source::open(file, self.deadline);
        let input = input.map_err(|source| unread(&ReadError::Io { path: file.to_owned(), source }))?;
        let came_late = input.lateness();
        let found = self.limited(file, reading, |options| read(input.file, options));
        // What ended too early looks damaged.
        let is_late = came_late.load(Ordering::SeqCst);
        let nothing = ReadCutShort { is_late, operations: 0, bytes: 0, file_bytes: 0 };
        if is_late { Ok(ReadOutcome::CutShort(nothing)) } else { found }
    }

    /// Reads a file by `read` within the rest of the budget, perhaps not for the first time.
    pub(crate) fn read_again_within<T>(
        &self,
        file: &Path,
        reading: ReadingOptions,
        read: impl FnOnce(&ReadOptions<'_>) -> Result<T, ReadError>,
    ) -> anyhow::Result<ReadOutcome<T>> {
        if file == "-" || fs::metadata(file).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let what = format!("{} is no regular file, but has to be read more than once", file.display());
            return Err(Failure::new(ExitStatus::Usage, what).hint("write its content to a file first").into());
        }
        self.limited(file, reading, read)
    }

    fn limited<T>(
        &self,
        file: &Path,
        reading: ReadingOptions,
        read: impl FnOnce(&ReadOptions<'_>) -> Result<T, ReadError>,
    ) -> anyhow::Result<ReadOutcome<T>> {
        let file_bytes = fs::metadata(file).map_or(0, |metadata| metadata.len());
        let bar = Bar::of_reading(file_bytes);
        let is_late = Cell::new(false);
        let keep_going = |reading: Reading| {
            bar.reach(reading.bytes);
            // What is taken at once is also filled at once, and what was read is given back.
            let soon = Duration::from_nanos(reading.needs as u64 + FREE_NS * reading.operations as u64);
            is_late.set(Instant::now() + soon >= self.deadline);
            !is_late.get() && self.memory.has_room(reading.needs)
        };
        match read(&ReadOptions { keep_going: &keep_going, ..reading.options() }) {
            Ok(found) => Ok(ReadOutcome::Whole(found)),
            Err(ReadError::Stopped { reading, .. }) => Ok(ReadOutcome::CutShort(ReadCutShort {
                is_late: is_late.get(),
                operations: reading.operations,
                bytes: reading.bytes,
                file_bytes,
            })),
            Err(error) => Err(unread(&error).into()),
        }
    }
}

/// Outcome of reading a file that is no error in it.
#[derive(Debug)]
pub(crate) enum ReadOutcome<T> {
    /// All of it was read.
    Whole(T),
    /// A limit was reached before the end.
    CutShort(ReadCutShort),
}

impl<T> ReadOutcome<T> {
    /// Returns what was read; fails if that is only a part of `file`.
    pub(crate) fn whole(self, file: &Path) -> Result<T, Failure> {
        match self {
            Self::Whole(found) => Ok(found),
            Self::CutShort(cut) => Err(Failure::new(ExitStatus::Unknown, format!("{}: {cut}", file.display()))),
        }
    }
}

/// Progress in reading a file at the time that a limit was reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadCutShort {
    is_late: bool,
    operations: usize,
    bytes: u64,
    file_bytes: u64,
}

impl ReadCutShort {
    /// Returns the limit.
    pub(crate) fn reason(&self) -> &'static str {
        if self.is_late { "time" } else { "memory" }
    }

    /// Returns the number of operations read before.
    pub(crate) fn operations(&self) -> usize {
        self.operations
    }
}

impl fmt::Display for ReadCutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_late, operations, bytes, file_bytes } = *self;
        let percent = (100 * bytes).checked_div(file_bytes).unwrap_or(0).min(100);
        let read = crate::terminal::words::grouped(operations);
        write!(f, "{} ran out after {read} operations were read, from {percent} % of the file; ", self.reason())?;
        f.write_str(if is_late {
            "a longer --time-limit would help, or columns, which are read faster (`schism convert`)"
        } else {
            "a higher --memory-limit would help, or a shorter history"
        })
    }
}

/// Returns a function for the memory that the process holds, as the kernel counts it; none if the kernel does not say.
fn resident_bytes() -> Option<impl Fn() -> usize + Send + Sync + 'static> {
    let page_bytes = usize::try_from(sysconf(SysconfVar::PAGE_SIZE).ok()??).ok()?;
    let counts = File::open("/proc/self/statm").ok()?;
    let pages = move || {
        let mut text = [0; 64];
        let length = counts.read_at(&mut text, 0).ok()?;
        let mut words = text[..length].split(|byte| *byte == b' ');
        str::from_utf8(words.nth(1)?).ok()?.parse::<usize>().ok()
    };
    pages()?;
    Some(move || pages().map_or(usize::MAX, |pages| pages * page_bytes))
}
