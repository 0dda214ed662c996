//! Files to histories: which format a file is in, and how it is compressed, is told by its content, never by its name.

mod columns;
mod compressed;
mod edn;
mod edn_terms;
mod edn_write;
mod fast;
mod jepsen_log;
mod json_value;
mod jsonl;
mod keys;
mod lines;
mod shape;
mod taking;
mod watch;

use std::{fmt, fs::File, io::Read, path::Path};

pub use columns::write_columns;
use compressed::unpacked_within;
pub use compressed::{Compression, Packer, unpacked};
pub use edn_write::EdnStyle;
pub use json_value::parse_value;
pub use jsonl::write_event;
pub use watch::Reading;

use crate::{Event, History, ReadError};
use lines::{Place, line_ends};
use watch::{Watch, Watched};

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ours: one JSON object a line.
    JsonLines,
    /// Jepsen's and Knossos's: EDN maps, in one vector or one after the other.
    Edn,
    /// The lines that Jepsen logged: process, type, function, value, with tabs between.
    JepsenLog,
    /// Ours, in binary: what a checker reads, without the events of which it was made.
    Columns,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "JSON Lines",
            Self::Edn => "EDN",
            Self::JepsenLog => "Jepsen's log lines",
            Self::Columns => "columns",
        })
    }
}

/// How much of a file is looked at to tell its format, bytes.
const SNIFF_BYTES: usize = 64 * 1024;

/// What a cas is taken for that ended as failed, and nobody says whether it found another value than it expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCas {
    /// It found another value: [`crate::Outcome::Mismatch`].
    Mismatch,
    /// It did not happen: [`crate::Outcome::Fail`].
    Nothing,
}

/// How a file is read.
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// In which format; without one, the content tells.
    pub format: Option<Format>,
    /// Whether the values of clients are pairs of key and value, as Jepsen's `independent` has them; without it, the content tells, or it
    /// is an error.
    pub keyed: Option<bool>,
    /// What a cas has seen that ended as failed, without a word about what it found or why; without it, the format tells: in Jepsen's log
    /// lines it found another value than it expected, elsewhere nothing, since it did not happen.
    pub failed_cas: Option<FailedCas>,
    /// Asked for every few thousand events, and before much memory is taken at once; `false` ends the reading.
    pub keep_going: &'a dyn Fn(Reading) -> bool,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self { format: None, keyed: None, failed_cas: None, keep_going: &|_| true }
    }
}

impl fmt::Debug for ReadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions").field("format", &self.format).field("keyed", &self.keyed).finish_non_exhaustive()
    }
}

/// Reads a history from a file.
///
/// # Errors
/// Where the file cannot be read, is no history, or breaks a rule of histories: the line, and why.
pub fn read_file(path: &Path) -> Result<History, ReadError> {
    read_file_with(path, &ReadOptions::default())
}

/// As [`read_file`], by options of one's own.
///
/// # Errors
/// As [`read_file`]; where a format is given and the file is of another one, which; and that it was told to stop.
pub fn read_file_with(path: &Path, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    read(path, open(path)?, options, None)
}

/// As [`read_file_with`], from a file that is open already, which may also be a pipe; `name` stands for its path in errors.
///
/// # Errors
/// As [`read_file_with`].
pub fn read_open(name: &Path, file: File, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    read(name, file, options, None)
}

/// As [`read_file_with`], and hands over each event on the way, in order; keys are told from values, and what is handed over before an
/// error is to be forgotten. An event of another tool may break our rules, which [`crate::OurRules`] mends.
///
/// # Errors
/// As [`read_file_with`].
pub fn read_events(
    path: &Path,
    options: &ReadOptions<'_>,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<History, ReadError> {
    read(path, open(path)?, options, Some(each))
}

fn open(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

/// Reads a history from memory; `name` stands for a path in errors. Without a format, the content tells.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(name: &str, bytes: &[u8], format: Option<Format>) -> Result<History, ReadError> {
    read(Path::new(name), bytes, &ReadOptions { format, ..ReadOptions::default() }, None)
}

fn read(
    path: &Path,
    input: impl Read,
    options: &ReadOptions<'_>,
    each: Option<&mut dyn FnMut(&Event<'_>)>,
) -> Result<History, ReadError> {
    let watch = Watch::new(options);
    watch.outcome(path, read_watched(path, input, options.format, &watch, each))
}

fn read_watched(
    path: &Path,
    input: impl Read,
    asked: Option<Format>,
    watch: &Watch<'_>,
    each: Option<&mut dyn FnMut(&Event<'_>)>,
) -> Result<History, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let input = unpacked_within(Watched { input, watch, is_file: true }, |bytes| watch.ask(bytes)).map_err(io)?;
    let mut input = Watched { input, watch, is_file: false };
    let mut start = Vec::new();
    input.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut start).map_err(io)?;
    let found = detect(path, &start);
    let (format, found) = match asked {
        Some(asked) => (asked, found.ok()),
        None => (found?, None),
    };
    if format == Format::Columns {
        let ReadOptions { keyed, failed_cas, .. } = watch.options();
        let option = keyed.map(|_| "whether values have keys").or(failed_cas.map(|_| "what a failed cas has seen"));
        if let Some(option) = option {
            return Err(ReadError::NoUse { path: path.to_owned(), option, found: format });
        }
    }
    let whole = start.chain(input);
    let nobody: &mut dyn FnMut(&Event<'_>) = &mut |_| {};
    let history = match format {
        Format::JsonLines => jsonl::read(path, whole, watch, each),
        Format::Edn => edn::read(path, whole, watch, each.unwrap_or(nobody)),
        Format::JepsenLog => jepsen_log::read(path, whole, watch, each.unwrap_or(nobody)),
        Format::Columns if each.is_some() => Err(Place { path, line: 1 }.malformed(
            b"",
            1,
            "a file of columns keeps no events: take the JSON Lines of which it was made",
        )),
        Format::Columns => columns::read(path, whole, watch),
    };
    match (history, asked, found) {
        (Err(ReadError::Malformed { .. } | ReadError::Empty { .. }), Some(asked), Some(found)) if asked != found => {
            Err(ReadError::OtherFormat { path: path.to_owned(), asked, found })
        }
        (history, ..) => history,
    }
}

/// The format by the beginning of a file: JSON objects begin with `{"`, EDN with `{:`, `[`, `#` or `;`, and a log has a line that
/// is an operation.
fn detect(path: &Path, start: &[u8]) -> Result<Format, ReadError> {
    if columns::MAGICS.iter().any(|magic| start.starts_with(*magic)) {
        return Ok(Format::Columns);
    }
    let text = start.trim_ascii_start();
    let line = 1 + line_ends(&start[..start.len() - text.len()]);
    let place = Place { path, line };
    match text {
        [] => return Err(Place { path, line: 1 }.empty()),
        [b'{', rest @ ..] if matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}') | None) => {
            return Ok(Format::JsonLines);
        }
        [b'{' | b'[' | b'(' | b'#' | b';', ..] => return Ok(Format::Edn),
        _ if text.split(|byte| *byte == b'\n').any(jepsen_log::is_operation) => return Ok(Format::JepsenLog),
        _ => {}
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let expected = "expected a history: JSON objects, EDN maps or Jepsen's log lines";
    Err(place.malformed(first, 1, expected))
}

#[cfg(test)]
mod meanings;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod tests;
