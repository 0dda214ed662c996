//! What can be wrong with a history's file, and where: path, line, column, what was expected, what stood there.

use std::{io, path::PathBuf};

use crate::{Format, PairingError, Reading};

/// Why a history could not be read. Lines and columns count from 1; columns count bytes.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read at all.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no operation in it.
    #[error("{}:{line}: no operations", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// Where it ends.
        line: u64,
    },
    /// It is of another format than it was said to be.
    #[error("{}: expected {asked}, as was asked for, but this looks like {found}", path.display())]
    OtherFormat {
        /// Which file.
        path: PathBuf,
        /// What it was said to be.
        asked: Format,
        /// What its content says.
        found: Format,
    },
    /// Values may be pairs of key and value, and nothing tells; or were taken for such, and one is none. `ReadOptions::keyed` says it.
    #[error("{}:{line}: {}", path.display(), shortened(why))]
    Keys {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: u64,
        /// What cannot be told, or what is no pair.
        why: String,
    },
    /// It says already what was to be told by an option.
    #[error("{}: {option} says how events are read, and {found} have none", path.display())]
    NoUse {
        /// Which file.
        path: PathBuf,
        /// Which option.
        option: &'static str,
        /// What it is.
        found: Format,
    },
    /// Whoever reads was told to stop.
    #[error("{}: told to stop after {} operations", path.display(), reading.operations)]
    Stopped {
        /// Which file.
        path: PathBuf,
        /// How far it was read.
        reading: Reading,
    },
    /// It is not written as its format demands.
    #[error("{}:{line}:{column}: {}, in: {excerpt}{}", path.display(), shortened(reason), tried(*format))]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: u64,
        /// Which byte of the line.
        column: u64,
        /// What was expected, and what stands there.
        reason: String,
        /// The line's text around that place, shortened and escaped.
        excerpt: String,
        /// As what it was read, where that is known.
        format: Option<Format>,
    },
    /// It is well written, but what it says cannot have happened.
    #[error("{}:{line}: {}, in: {excerpt}", path.display(), shortened(&rule.to_string()))]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: u64,
        /// The rule that it breaks.
        rule: Box<PairingError>,
        /// The line's text, shortened and escaped.
        excerpt: String,
    },
}

/// As what a file was read, and why.
fn tried(format: Option<Format>) -> String {
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

/// A reason, which may quote the file, on one line and printable; of a long one its beginning and its end.
fn shortened(reason: &str) -> String {
    const MAX_HALF: usize = 160;
    let mut chars: Vec<char> = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.len() > 2 * MAX_HALF {
        chars.splice(MAX_HALF..chars.len() - MAX_HALF, ['…']);
    }
    chars.into_iter().collect()
}
