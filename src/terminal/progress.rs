//! Progress on stderr: a bar on a terminal, a line for each phase elsewhere.

use std::{
    borrow::Cow,
    io::{self, Write as _},
    sync::{
        LazyLock, Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{columns::fitted, sanitize};

/// True if only errors are wanted on stderr.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// True if details are wanted on stderr, too.
static IS_VERBOSE: AtomicBool = AtomicBool::new(false);

/// Tells details from now on.
pub(crate) fn be_verbose() {
    IS_VERBOSE.store(true, Ordering::Relaxed);
}

/// Prints a detail like [`note`], if details are wanted.
pub(crate) fn detail(text: impl FnOnce() -> String) {
    if IS_VERBOSE.load(Ordering::Relaxed) {
        note(&text());
    }
}

/// Leaves out progress and remarks from now on.
pub(crate) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
    bars().set_draw_target(ProgressDrawTarget::hidden());
}

/// Prints a remark to stderr, above whatever bars are there, unless only errors are wanted; if stderr is closed, it is
/// dropped.
pub(crate) fn note(text: &str) {
    if !IS_QUIET.load(Ordering::Relaxed) {
        complain(text);
    }
}

/// Prints to stderr even if only errors are wanted.
pub(super) fn complain(text: &str) {
    let text = format!("{}\n", fitted(&sanitize::lines(text), io::stderr()));
    bars().suspend(|| drop(io::stderr().write_all(text.as_bytes())));
}

/// Returns the bars of this process, which all share stderr; hidden unless it is a terminal.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    &BARS
}

/// Progress of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Creates a bar named `name`, hidden unless stderr is a terminal.
    pub(crate) fn new(name: &str) -> Self {
        let bar = bars().add(ProgressBar::no_length());
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed_precise} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        tick(&bar, TICK);
        Self { bar }
    }

    /// Starts a phase; without a terminal, this prints a line.
    pub(crate) fn phase(&self, text: impl Into<Cow<'static, str>>) {
        let text = sanitize::line(&text.into());
        if self.bar.is_hidden() {
            note(&format!("{}: {text}", self.bar.prefix()));
        }
        self.bar.set_message(text);
    }

    /// Updates the figures of the phase, which only a terminal shows.
    pub(crate) fn update(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(sanitize::line(&text.into()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Interval between two ticks of a bar's spinner.
const TICK: Duration = Duration::from_millis(100);

/// Lets a bar tick by itself, if it is visible and the host can start a thread for it.
pub(crate) fn tick(bar: &ProgressBar, every: Duration) {
    let has_thread = || thread::Builder::new().spawn(|| ()).is_ok_and(|thread| thread.join().is_ok());
    if !bar.is_hidden() && has_thread() {
        bar.enable_steady_tick(every);
    }
}

/// Time that work must last before a bar appears.
const QUIET: Duration = Duration::from_secs(1);

/// Progress of work that may take long: a bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Instant,
    shown: Once,
}

impl Bar {
    /// Creates the bar of a check of the given number of operations.
    pub(crate) fn of_check(operations: usize) -> Self {
        let template = "{spinner} checking {elapsed_precise} {bar:40} {human_pos} of {human_len} operations decided";
        Self::new(operations as u64, template)
    }

    /// Creates the bar of reading a file of the given size.
    pub(crate) fn of_reading(bytes: u64) -> Self {
        Self::new(bytes, "{spinner} reading {elapsed_precise} {bar:40} {bytes} of {total_bytes}")
    }

    fn new(length: u64, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now(), shown: Once::new() }
    }

    /// Shows the bar once the work has lasted long enough.
    pub(crate) fn alive(&self) {
        if !self.shown.is_completed() && self.started.elapsed() > QUIET {
            self.shown.call_once(|| {
                tick(&bars().add(self.bar.clone()), TICK);
            });
        }
    }

    /// Sets the position of the bar.
    pub(crate) fn reach(&self, position: u64) {
        self.bar.set_position(position);
        self.alive();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
