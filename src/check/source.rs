//! Input of a command: a file; or a pipe or a device, which may stay silent for ever and is waited for only within the
//! time limit.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    libc::O_NONBLOCK,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::pipe2,
};

const BUFFER_BYTES: usize = 64 << 10;
/// Longest single wait: the kernel counts milliseconds in few bits.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Input that is read within its time.
pub(crate) struct Source {
    pub(crate) file: File,
    is_late: Arc<AtomicBool>,
}

impl Source {
    /// Opens what `path` names; `-` is standard input. Anything but a regular file ends at `deadline` at the latest.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub(crate) fn open(path: &Path, deadline: Instant) -> io::Result<Self> {
        let file = if path == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            // A pipe that nobody writes to would hold whoever opens it.
            OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?
        };
        let kind = file.metadata()?.file_type();
        let is_late = Arc::new(AtomicBool::new(false));
        // To read a folder says what is wrong with it.
        let file = if kind.is_file() || kind.is_dir() { file } else { forward(file, deadline, Arc::clone(&is_late))? };
        Ok(Self { file, is_late })
    }

    /// Returns a flag that says, once all was read, whether time ran out before the end.
    pub(crate) fn lateness(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_late)
    }
}

/// Forwards the same bytes through a pipe of our own, which can be closed when time runs out.
fn forward(mut from: File, deadline: Instant, is_late: Arc<AtomicBool>) -> io::Result<File> {
    let (ours, end) = pipe2(OFlag::O_CLOEXEC)?;
    let mut to = File::from(end);
    let forward = move || {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match has_more(&from, deadline) {
                Ok(true) => {}
                Ok(false) => return is_late.store(true, Ordering::SeqCst),
                // What is wrong with it shows as an early end.
                Err(_) => return,
            }
            match from.read(&mut buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => {}
                _ => return,
            }
        }
    };
    thread::Builder::new().name("reader".into()).spawn(forward)?;
    Ok(File::from(ours))
}

/// Waits until there is something to read, or the end; returns false if time runs out before.
fn has_more(from: &File, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let wait = PollTimeout::try_from(left.min(LONGEST_WAIT)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], wait) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
