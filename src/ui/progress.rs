//! Progress on stderr: a bar where somebody watches, a line for each phase where nobody does.

use std::{
    borrow::Cow,
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::harmless;

/// How far a run is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar named `name`, hidden unless stderr is a terminal.
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed_precise} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        tick(&bar, TICK);
        Self { bar }
    }

    /// A phase begins; without a terminal this is a line of its own.
    pub(crate) fn phase(&self, text: impl Into<Cow<'static, str>>) {
        let text = harmless::line(&text.into());
        if self.bar.is_hidden() {
            super::note(&format!("{}: {text}", self.bar.prefix()));
        }
        self.bar.set_message(text);
    }

    /// Figures within the phase; shown only where somebody watches.
    pub(crate) fn update(&self, text: impl Into<Cow<'static, str>>) {
        self.bar.set_message(harmless::line(&text.into()));
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        self.bar.suspend(|| super::note(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How often what moves on a bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Lets a bar move by itself, where somebody sees it and the host has a thread for it.
pub(super) fn tick(bar: &ProgressBar, every: Duration) {
    let has_thread = || thread::Builder::new().spawn(|| ()).is_ok_and(|thread| thread.join().is_ok());
    if !bar.is_hidden() && has_thread() {
        bar.enable_steady_tick(every);
    }
}

/// What takes less goes without a bar.
const QUIET: Duration = Duration::from_secs(1);

/// How far something is that can take long: a bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Instant,
    shown: Once,
}

impl Bar {
    /// Of a check of so many operations.
    pub(crate) fn of_check(operations: usize) -> Self {
        let template = "{spinner} checking {elapsed_precise} {bar:40} {human_pos} of {human_len} operations decided";
        Self::new(operations as u64, template)
    }

    /// Of a file of so many bytes that is read.
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

    /// It still goes on.
    pub(crate) fn alive(&self) {
        if !self.shown.is_completed() && self.started.elapsed() > QUIET {
            self.shown.call_once(|| {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                tick(&self.bar, TICK);
            });
        }
    }

    /// So much is done.
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
