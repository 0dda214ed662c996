//! Shortage of resources on the host, reported so that nobody takes it for a fault of schism or of the system under
//! test.

use std::{io, thread};

use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, rlim_t},
};
use tokio::runtime::{Builder, Runtime};

use super::{ExitStatus, Failure};

/// Explanation for the user if threads or processes run out.
const NO_THREADS: &str = "this host allows no more threads or processes: raise the limit (`ulimit -u`, or the \
container's), or end something else";
const NO_FILES: &str = "this host allows no more open files: raise the limit (`ulimit -n`)";
const NO_MEMORY: &str = "this host refuses more memory: see `ulimit -v` and the free memory";

/// Returns the resource that the host ran out of, if that is the cause of an error.
pub(crate) fn lacking(error: &io::Error) -> Option<&'static str> {
    match Errno::from_raw(error.raw_os_error()?) {
        Errno::EAGAIN => Some(NO_THREADS),
        Errno::EMFILE | Errno::ENFILE => Some(NO_FILES),
        Errno::ENOMEM => Some(NO_MEMORY),
        _ => None,
    }
}

/// Returns the resource that the host ran out of, if that is among the causes of an error.
pub(crate) fn lacking_in(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>().and_then(lacking))
}

/// Returns true if `text` contains one of the messages that blame the host.
pub(crate) fn is_blamed_in(text: &str) -> bool {
    [NO_THREADS, NO_FILES, NO_MEMORY, "this host refuses more memory", "this host lets"]
        .iter()
        .any(|why| text.contains(why))
}

/// Creates the failure for a lack of threads or processes.
pub(crate) fn no_threads(error: &io::Error) -> Failure {
    Failure::new(ExitStatus::Failed, format!("a thread cannot be started: {error}"))
        .hint(lacking(error).unwrap_or(NO_THREADS))
}

/// Creates a runtime for a command that waits more than it computes. It makes threads only for blocking calls.
///
/// # Errors
/// Fails if the host allows no further thread.
pub(crate) fn small_runtime() -> anyhow::Result<Runtime> {
    can_make_threads(1)?;
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Creates a runtime with the given number of threads.
///
/// # Errors
/// Fails if the host does not allow that many threads.
pub(crate) fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    // One more thread for blocking calls.
    can_make_threads(threads + 1)?;
    Ok(Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}

/// Checks that the given number of threads can be made by making them: the libraries that make them later panic if
/// refused.
fn can_make_threads(count: usize) -> Result<(), Failure> {
    let made: io::Result<Vec<_>> = (0..count).map(|_| thread::Builder::new().spawn(thread::park)).collect();
    made.map_err(|error| no_threads(&error))?.into_iter().for_each(|thread| {
        thread.thread().unpark();
        // The thread only parked.
        drop(thread.join());
    });
    Ok(())
}

/// Checks that the given number of files can be open at once.
///
/// # Errors
/// Fails if the limit is lower.
pub(crate) fn can_open(files: u64, what: &str) -> anyhow::Result<()> {
    let limit: rlim_t = getrlimit(Resource::RLIMIT_NOFILE).map_or(rlim_t::MAX, |(soft, _)| soft);
    if limit >= files {
        return Ok(());
    }
    let why = format!("this host lets a process open {limit} files, and {what} needs up to {files}");
    Err(Failure::new(ExitStatus::Failed, why).hint(format!("raise the limit: ulimit -n {files}")).into())
}

/// Returns the failure that the message of a panic stands for, if a library panicked because it could not start a
/// thread.
pub(crate) fn thread_failure(panic: &str) -> Option<Failure> {
    let is_of_threads = ["failed to spawn thread", "OS can't spawn"].iter().any(|start| panic.starts_with(start));
    is_of_threads.then(|| Failure::new(ExitStatus::Failed, panic.replace('\n', " ")).hint(NO_THREADS))
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;
    use nix::errno::Errno;

    use super::{is_blamed_in, lacking_in};

    #[test]
    fn the_host_is_blamed_for_what_it_lacks_and_for_nothing_else() {
        for (errno, what) in [(Errno::EAGAIN, "ulimit -u"), (Errno::EMFILE, "ulimit -n"), (Errno::ENOMEM, "ulimit -v")]
        {
            let error = Err::<(), _>(io::Error::from(errno)).context("starting n1").unwrap_err();
            let said = lacking_in(&error).unwrap();
            assert!(said.contains(what) && is_blamed_in(&format!("n1 said: {said}")), "{said}");
        }
        for other in [io::Error::from(Errno::ENOENT), io::ErrorKind::WouldBlock.into(), io::Error::other("no")] {
            assert_eq!(lacking_in(&other.into()), None);
        }
    }
}
