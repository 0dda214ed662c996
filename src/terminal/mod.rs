//! The terminal, and the only place that prints. Data goes to stdout, everything else to stderr; a closed pipe is
//! success. Text of a history, a log or a record goes through [`sanitize`] first.

mod columns;
mod output;
mod progress;
pub(crate) mod sanitize;
mod table;
pub(crate) mod words;

use std::{
    borrow::Cow,
    io::{self, Write as _},
    os::fd::AsFd,
};

pub(crate) use output::{replace, write_whole};
pub(crate) use progress::{Bar, Progress, tick};
pub(crate) use table::Table;

use serde::Serialize;

use crate::error::{ExitStatus, Failure, host_limits};

/// Prints text to stdout, wrapped to its width.
///
/// # Errors
/// Fails if stdout cannot be written; a closed pipe is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<ExitStatus> {
    print_as_it_is(&fitted(&sanitize::lines(text), io::stdout()))
}

/// Wraps text to the width of a stream, if it has one.
fn fitted<'a>(text: &'a str, stream: impl AsFd) -> Cow<'a, str> {
    columns::columns(stream).map_or(Cow::Borrowed(text), |columns| columns::wrap(text, columns).into())
}

/// Prints workflow commands for a CI that reads the output, without sanitizing them.
///
/// # Errors
/// Fails like [`print()`].
pub(crate) fn print_commands(commands: &str) -> anyhow::Result<ExitStatus> {
    print_as_it_is(commands)
}

fn print_as_it_is(text: &str) -> anyhow::Result<ExitStatus> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitStatus::Linearizable),
    }
}

/// Prints data as JSON to stdout.
///
/// # Errors
/// Fails like [`print()`].
pub(crate) fn print_json(data: &impl Serialize) -> anyhow::Result<ExitStatus> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = sanitize::write_json(&mut out, data).map_err(io::Error::from);
    match written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitStatus::Linearizable),
    }
}

/// Prints a remark to stderr; if stderr is closed, it is dropped.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr(), "{}", fitted(&sanitize::lines(text), io::stderr())));
}

/// Prints an error with its causes and its hint, and returns its exit status.
pub(crate) fn failure(error: &anyhow::Error) -> ExitStatus {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    note(&format!("error: {}", causes.join(": ")));
    let known = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(hint) = known.and_then(|failure| failure.hint.as_deref()).or_else(|| host_limits::lacking_in(error)) {
        note(&format!("\nhint: {hint}"));
    }
    known.map_or(ExitStatus::Failed, |failure| failure.status)
}

/// Combines the status of a command with the result of a later step: prints its error, and returns the worse status.
pub(crate) fn beside<T>(status: ExitStatus, result: anyhow::Result<T>) -> ExitStatus {
    result.map_or_else(|error| status.worst(failure(&error)), |_| status)
}

/// Prints a message of clap: help and version are success, all else is wrong usage.
pub(crate) fn usage(asked: &clap::Error) -> ExitStatus {
    let text = asked.render().to_string();
    if sanitize::lines(&text) == text {
        drop(asked.print());
    } else {
        note(text.trim_end());
    }
    if asked.use_stderr() { ExitStatus::Usage } else { ExitStatus::Linearizable }
}
