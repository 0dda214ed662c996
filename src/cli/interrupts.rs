//! Interrupts: Ctrl-C or SIGTERM, and what a command does then.

use std::{
    fs,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    error::{ExitStatus, host_limits},
    terminal,
};

/// Number of times that a folder is removed that is being filled meanwhile.
const REMOVALS: usize = 10;

/// Returns a flag that is set when this process is interrupted. Runs under way are then ended; `again` says what
/// repeats them.
pub(super) fn stop_on_signal(again: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    stop_and_say(format!("interrupted: ending the runs that are under way; {again} does them again"))
}

/// Returns a flag that is set, and says this, when this process is interrupted.
pub(super) fn stop_and_say(words: String) -> anyhow::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    on_signal(move || {
        terminal::note(&words);
        stop.store(true, Ordering::Relaxed);
    })?;
    Ok(stopped)
}

/// Folder of temporary files, if there is one; held locked while it is made.
pub(super) type TemporaryFolder = Arc<Mutex<Option<PathBuf>>>;

/// Lets an interrupt end this process at once, after removing the folder of temporary files; once `must_finish` is set,
/// what is being stored is finished first.
pub(super) fn end_on_signal(temporary: TemporaryFolder, must_finish: Arc<AtomicBool>) -> anyhow::Result<()> {
    on_signal(move || {
        // Whoever makes the folder, or begins to store, holds it meanwhile, and waits here while this process ends.
        let held = temporary.lock().unwrap_or_else(PoisonError::into_inner);
        if must_finish.load(Ordering::SeqCst) {
            return terminal::note("interrupted: storing what is there already");
        }
        if let Some(folder) = &*held {
            // A file that is made meanwhile lets the removal fail.
            (0..REMOVALS).find(|_| fs::remove_dir_all(folder).is_ok() || !folder.exists());
        }
        #[expect(clippy::exit, reason = "nothing is left that would have to be ended in good order")]
        process::exit(ExitStatus::Interrupted.code().into());
    })
}

/// Calls `then` in a thread of its own when this process is interrupted.
fn on_signal(then: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let runtime = host_limits::small_runtime()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).context("watching for signals")?, signal(SignalKind::terminate())?)
    };
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        then();
    };
    thread::Builder::new().spawn(wait).map_err(|error| host_limits::no_threads(&error))?;
    Ok(())
}
