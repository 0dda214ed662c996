//! The terminal, and the only place that prints. Data goes to stdout, everything else to stderr; a closed pipe is
//! success. Text of a history, a log or a record goes through [`sanitize`] first.

mod answer;
mod columns;
mod output;
mod progress;
pub(crate) mod sanitize;
mod table;
pub(crate) mod words;

use std::io::{self, Write as _};

pub(crate) use anstream::ColorChoice;
pub(crate) use answer::{Answer, Step};
pub(crate) use output::{is_taken_back, replace, write_whole};
pub(crate) use progress::{Bar, Progress, bars, be_quiet, be_verbose, detail, note, tick};
pub(crate) use table::Table;

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;

use self::{columns::fitted, output::to_stdout, progress::complain};
use crate::error::{ExitStatus, Failure, host_limits};

/// Prints text to stdout, wrapped to its width.
///
/// # Errors
/// Fails if stdout cannot be written; a closed pipe is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<ExitStatus> {
    print_as_it_is(&fitted(&sanitize::lines(text), io::stdout()))
}

/// Prints an answer to stdout; the status gives its verdict the colour.
///
/// # Errors
/// Fails like [`print()`].
pub(crate) fn print_answer(answer: &Answer, status: ExitStatus) -> anyhow::Result<ExitStatus> {
    print_to(answer::stdout(), &fitted(&answer.text(status), io::stdout()))
}

/// Prints text for other programs, such as a completion script or commands for a CI, as it is.
///
/// # Errors
/// Fails like [`print()`].
pub(crate) fn print_as_it_is(text: &str) -> anyhow::Result<ExitStatus> {
    print_to(io::stdout().lock(), text)
}

fn print_to(mut out: impl io::Write, text: &str) -> anyhow::Result<ExitStatus> {
    to_stdout(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints data as JSON to stdout.
///
/// # Errors
/// Fails like [`print()`].
pub(crate) fn print_json(data: &impl Serialize) -> anyhow::Result<ExitStatus> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = sanitize::write_json(&mut out, data).map_err(io::Error::from);
    to_stdout(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Prints an error with its causes and its hint, and returns its exit status.
pub(crate) fn failure(error: &anyhow::Error) -> ExitStatus {
    complain(&format!("error: {}", with_causes(error)));
    let known = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(hint) = known.and_then(|failure| failure.hint.as_deref()).or_else(|| host_limits::lacking_in(error)) {
        complain(&format!("\nhint: {hint}"));
    }
    known.map_or(ExitStatus::Failed, |failure| failure.status)
}

/// Returns an error with its causes, without those that it tells itself.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.ends_with(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

/// Combines the status of a command with the result of a later step: prints its error, and returns the worse status.
pub(crate) fn beside<T>(status: ExitStatus, result: anyhow::Result<T>) -> ExitStatus {
    result.map_or_else(|error| status.worst(failure(&error)), |_| status)
}

/// Prints a message of clap: help and version are success, all else is wrong usage.
pub(crate) fn usage(asked: &clap::Error) -> ExitStatus {
    let text = asked.render().to_string();
    if sanitize::lines(&text) != text {
        complain(text.trim_end());
    } else if asked.use_stderr() {
        // Reasons of ours are wrapped by nobody else.
        let styled = asked.render().ansi().to_string();
        drop(answer::stderr().write_all(fitted(&styled, io::stderr()).as_bytes()));
    } else {
        return beside(ExitStatus::Linearizable, to_stdout(asked.print()));
    }
    let is_negative =
        |word: &str| word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    for wrong in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        if let Some(ContextValue::String(word)) = asked.get(wrong)
            && is_negative(word)
        {
            complain(&format!("\nhint: no option but --initial takes a negative number such as {word}"));
        }
    }
    if asked.use_stderr() { ExitStatus::Usage } else { ExitStatus::Linearizable }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use anyhow::Context as _;

    use super::with_causes;

    #[test]
    fn a_cause_is_told_once_even_if_the_error_tells_it_too() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let bare = Err::<(), _>(missing()).context("making the store").unwrap_err();
        assert_eq!(with_causes(&bare), "making the store: entity not found");
        let telling = histories::RunDir::open(Path::new("/no/such")).unwrap_err();
        let said = with_causes(&anyhow::Error::from(telling).context("judging"));
        assert!(said.starts_with("judging: /no/such: ") && said.matches("No such file").count() == 1, "{said}");
    }
}
