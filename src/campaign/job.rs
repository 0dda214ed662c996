//! One run of a campaign: a process of its own, with a limit in time, so that a crash harms no other.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::host;

/// What a run needs beside the time of its load, at most: a leader, healing, final reads, the verdict.
const AROUND_THE_LOAD: Duration = Duration::from_mins(4);
/// How often a run is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How much of what a failed run said last is kept, characters.
const LAST_WORDS: usize = 600;

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than this.
    TooLate(Duration),
    /// The host let it not be started.
    NotStarted(String),
    /// Somebody wants no more runs.
    Stopped,
}

/// Carries out a run: `schism` with these arguments, in a process group of its own; what it says goes to `log`. The process
/// ends with this thread.
///
/// # Errors
/// It cannot be started, or waited for.
pub(crate) fn carry_out(
    arguments: &[String],
    folder: &Path,
    log: File,
    load: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<Ended> {
    let started = Command::new("/proc/self/exe")
        .args(arguments)
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
            let why = host::lacking(&error).map(|why| format!(": {why}")).unwrap_or_default();
            return Ok(Ended::NotStarted(format!("cannot start a run: {error}{why}")));
        }
    };
    let limit = load + AROUND_THE_LOAD;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a run")? {
            return Ok(Ended::Exited(status));
        }
        if stop.load(Ordering::Relaxed) {
            kill(&mut child)?;
            return Ok(Ended::Stopped);
        }
        if Instant::now() > end {
            kill(&mut child)?;
            return Ok(Ended::TooLate(limit));
        }
        std::thread::sleep(POLL);
    }
}

/// Its sandbox goes with it.
fn kill(child: &mut Child) -> anyhow::Result<()> {
    child.kill().context("cannot end a run")?;
    child.wait().context("cannot wait for a run")?;
    Ok(())
}

/// What a run that failed said last.
pub(crate) fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let last: Vec<char> = text.trim().chars().rev().take(LAST_WORDS).collect();
    last.into_iter().rev().collect()
}
