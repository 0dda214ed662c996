//! What can be wrong with a history's file, and where: path, line, column, what was expected, what stood there.

use std::{io, path::PathBuf};

use crate::{Format, PairingError};

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
    /// It is not written as its format demands.
    #[error("{}:{line}:{column}: {reason}, in: {excerpt}", path.display())]
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
    },
    /// It is well written, but what it says cannot have happened.
    #[error("{}:{line}: {rule}, in: {excerpt}", path.display())]
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
