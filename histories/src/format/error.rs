//! Errors of reading a history from a file: path, line and column, what was expected and what was found.

use std::{io, path::PathBuf};

use super::options::{Format, Reading};
use crate::PairingError;

/// Reason why a history could not be read. Lines and columns count from 1; columns count bytes.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {}", path.display(), io_in_words(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file contains no operation.
    #[error("{}: {}", path.display(), if *line == 0 { "the file is empty" } else { "there are no operations in it" })]
    Empty {
        /// The file.
        path: PathBuf,
        /// The line at which the file ends, 0 if there is nothing in it.
        line: u64,
    },
    /// The file has another format than the one that was asked for.
    #[error("{}: expected {asked}, as was asked for, but this looks like {found}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format that was asked for.
        asked: Format,
        /// The format that the content shows.
        found: Format,
    },
    /// The values may or may not be pairs of key and value, and nothing decides it; or they were read as such pairs and
    /// one of them is none. `ReadOptions::keyed` decides it.
    #[error("{}:{line}: {}{aside}", path.display(), shortened(why))]
    Keys {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The ambiguity, or the value that is no pair.
        why: String,
        /// Notes that may explain the error, to stand behind it.
        aside: String,
    },
    /// An option was given for something that the file itself states.
    #[error("{}: {option} applies to events, and {found} have none", path.display())]
    NoUse {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// The format of the file.
        found: Format,
    },
    /// Reading was stopped by `ReadOptions::keep_going`.
    #[error("{}: stopped on request after {} operations", path.display(), reading.operations)]
    Stopped {
        /// The file.
        path: PathBuf,
        /// Progress when reading stopped.
        reading: Reading,
    },
    /// The file violates the syntax of its format.
    #[error(
        "{}:{line}:{column}: {}{}{}{aside}",
        path.display(),
        shortened(reason),
        quoted(excerpt),
        format_suffix(*format)
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The byte within the line.
        column: u64,
        /// The expectation, and what was found instead.
        reason: String,
        /// The text of the line around that byte, shortened and escaped.
        excerpt: String,
        /// The format in which the file was read, if it is known.
        format: Option<Format>,
        /// Notes that may explain the error, to stand behind it.
        aside: String,
    },
    /// The syntax is right, but the events cannot have happened.
    #[error("{}:{line}: {}{}{aside}", path.display(), shortened(&rule.to_string()), quoted(excerpt))]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The rule that the event breaks.
        rule: Box<PairingError>,
        /// The text of the line, shortened and escaped.
        excerpt: String,
        /// Notes that may explain the error, to stand behind it.
        aside: String,
    },
}

/// Returns an error of reading in words.
fn io_in_words(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early, so it is cut off or damaged".to_owned(),
        _ => source.to_string(),
    }
}

/// Returns the text of a line as a suffix of a message, if it has any.
fn quoted(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(", in: {excerpt}") }
}

/// Returns the format in which a file was read, and the reason for choosing it, as a suffix of a message.
fn format_suffix(format: Option<Format>) -> String {
    let Some(format) = format else { return String::new() };
    let why = match format {
        Format::JsonLines => "as it begins with an object",
        Format::Json => "as it begins with an array, or an object over several lines",
        Format::Edn => "as it begins with a map, a bracket, a tag or a comment of EDN",
        Format::JepsenLog => "as some line is an operation of such a log",
        Format::Columns => "as its first bytes say",
    };
    format!(" (read as {format}, {why})")
}

/// Returns a reason, which may quote the file, on one line and without control characters; a long one is cut in the
/// middle.
fn shortened(reason: &str) -> String {
    const MAX_HALF: usize = 160;
    let mut chars: Vec<char> = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.len() > 2 * MAX_HALF {
        chars.splice(MAX_HALF..chars.len() - MAX_HALF, ['…']);
    }
    chars.into_iter().collect()
}
