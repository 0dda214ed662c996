//! One run of a campaign: a process of its own with a time limit, so that a crash cannot harm other runs.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::error::host_limits;

/// Interval at which a run is polled.
const POLL: Duration = Duration::from_millis(20);
/// Length of the end of a failed run's log that is kept, in characters.
const LAST_WORDS: usize = 600;

/// End of a process.
#[derive(Debug)]
pub(crate) enum ProcessEnd {
    /// The process ended by itself.
    Exited(ExitStatus),
    /// The process exceeded this limit.
    TooLate(Duration),
    /// The process could not be started on this host.
    NotStarted(String),
    /// The campaign was stopped.
    Stopped,
}

/// Runs `schism` with these arguments, for the campaign in a folder, in a process group of its own, with stderr going
/// to `log`. The process ends with this thread.
///
/// # Errors
/// Fails if the process cannot be waited for or killed.
pub(crate) fn run_process(
    arguments: &[String],
    campaign: &Path,
    folder: &Path,
    log: File,
    limit: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<ProcessEnd> {
    let started = Command::new("/proc/self/exe")
        .args(arguments)
        .arg("--campaign")
        .arg(campaign)
        .arg("--folder")
        .arg(folder)
        .args(["--with-parent", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let why = host_limits::lacking(&error).map(|why| format!(": {why}")).unwrap_or_default();
            return Ok(ProcessEnd::NotStarted(format!("cannot start a run: {error}{why}")));
        }
    };
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a run")? {
            return Ok(ProcessEnd::Exited(status));
        }
        if stop.load(Ordering::Relaxed) {
            kill(&mut child)?;
            return Ok(ProcessEnd::Stopped);
        }
        if Instant::now() > end {
            kill(&mut child)?;
            return Ok(ProcessEnd::TooLate(limit));
        }
        std::thread::sleep(POLL);
    }
}

/// Kills a run; its sandbox goes with it.
fn kill(child: &mut Child) -> anyhow::Result<()> {
    child.kill().context("cannot end a run")?;
    child.wait().context("cannot wait for a run")?;
    Ok(())
}

/// Returns the end of the log of a failed run.
pub(crate) fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let last: Vec<char> = text.trim().chars().rev().take(LAST_WORDS).collect();
    last.into_iter().rev().collect()
}
