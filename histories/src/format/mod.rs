//! Files to histories: which format a file is in, and how it is compressed, is told by its content, never by its name.

mod chunks;
mod columns;
mod compressed;
mod cursor;
mod draft;
mod edn;
mod edn_write;
mod fast;
mod intake;
mod jepsen_log;
mod json;
mod json_value;
mod jsonl;
mod keys;
mod lines;
mod order;
mod origin;
mod records;
mod shape;
mod taking;
mod watch;

use std::{fmt, fs::File, io::Read, path::Path};

pub use columns::write_columns;
use compressed::unpacked_within;
pub use compressed::{Compression, Packer, unpacked};
pub use edn_write::EdnStyle;
pub use intake::Way;
pub use json_value::parse_value;
pub use jsonl::write_event;
pub use watch::Reading;

use crate::{Event, History, ReadError};
use keys::Each;
use lines::{Place, line_ends};
use origin::Origin;
use watch::{Watch, Watched};

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ours: one JSON object a line.
    JsonLines,
    /// The same objects in one array, or over several lines.
    Json,
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
            Self::Json => "JSON",
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
    /// As an earlier reading found that it has to be; else that is found.
    pub way: Way,
    /// Asked for every few thousand events, and before much memory is taken at once; `false` ends the reading.
    pub keep_going: &'a dyn Fn(Reading) -> bool,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self { format: None, keyed: None, failed_cas: None, way: Way::default(), keep_going: &|_| true }
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
    read_open(path, open(path)?, options)
}

/// As [`read_file_with`], from a file that is open already, such as standard input, which may also be a pipe; `name` stands for its path in
/// errors.
///
/// # Errors
/// As [`read_file_with`].
pub fn read_open(name: &Path, file: File, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    let mut origin = Origin::of_file(file).map_err(|source| ReadError::Io { path: name.to_owned(), source })?;
    read(name, &mut origin, options, None)
}

/// As [`read_file_with`], and hands over each event on the way, in the order that counts; keys are told from values. With nothing it says
/// that the file is read again from its beginning, so that what was handed over before is to be forgotten, as it is before an error;
/// never so if `options` has the way of a history that was read from the same file. A process may go on after an unknown outcome,
/// which [`crate::OurRules`] mends.
///
/// # Errors
/// As [`read_file_with`].
pub fn read_events(
    path: &Path,
    options: &ReadOptions<'_>,
    each: &mut dyn FnMut(Option<&Event<'_>>),
) -> Result<History, ReadError> {
    let mut origin = Origin::of_file(open(path)?).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    read(path, &mut origin, options, Some(each))
}

fn open(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

/// Reads a history from memory; `name` stands for a path in errors. Without a format, the content tells.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(name: &str, bytes: &[u8], format: Option<Format>) -> Result<History, ReadError> {
    read(Path::new(name), &mut Origin::of_bytes(bytes), &ReadOptions { format, ..ReadOptions::default() }, None)
}

/// Takes each event, or nothing where the file is read again.
type EachOrAgain<'a> = &'a mut dyn FnMut(Option<&Event<'_>>);

fn read(
    path: &Path,
    origin: &mut Origin<'_>,
    options: &ReadOptions<'_>,
    mut each: Option<EachOrAgain<'_>>,
) -> Result<History, ReadError> {
    let watch = Watch::new(options);
    loop {
        let found = match &mut each {
            None => read_watched(path, &mut *origin, options.format, &watch, None),
            Some(each) => {
                let mut each = |event: &Event<'_>| each(Some(event));
                read_watched(path, &mut *origin, options.format, &watch, Some(&mut each))
            }
        };
        if !watch.take_again() {
            return watch.outcome(path, found);
        }
        origin.rewind().map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if let Some(each) = &mut each {
            each(None);
        }
    }
}

fn read_watched(
    path: &Path,
    input: impl Read,
    asked: Option<Format>,
    watch: &Watch<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let input = unpacked_within(Watched { input, watch, is_file: true }, |bytes| watch.ask(bytes)).map_err(io)?;
    let mut input = Watched { input, watch, is_file: false };
    let mut start = Vec::new();
    input.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut start).map_err(io)?;
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    let found = detect(path, &start);
    let (format, found) = match (asked, found) {
        // Both are JSON, and its content says how it is laid out.
        (Some(Format::JsonLines | Format::Json), Ok(found @ (Format::JsonLines | Format::Json))) => (found, None),
        (Some(asked), found) => (asked, found.ok()),
        (None, found) => (found?, None),
    };
    if format == Format::Columns {
        let ReadOptions { keyed, failed_cas, .. } = watch.options();
        let option = keyed.map(|_| "whether values have keys").or(failed_cas.map(|_| "what a failed cas has seen"));
        if let Some(option) = option {
            return Err(ReadError::NoUse { path: path.to_owned(), option, found: format });
        }
    }
    let whole = start.chain(input);
    let history = match format {
        Format::JsonLines => jsonl::read(path, whole, watch, each),
        Format::Json => json::read(path, whole, watch, each),
        Format::Edn => edn::read(path, whole, watch, each),
        Format::JepsenLog => jepsen_log::read(path, whole, watch, each),
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
        (Err(ReadError::Malformed { path, line, column, reason, excerpt, .. }), ..) => {
            Err(ReadError::Malformed { path, line, column, reason, excerpt, format: Some(format) })
        }
        (history, ..) => history,
    }
}

/// With it begins text as some editors and shells write it; it says nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The format by the beginning of a file: JSON objects begin with `{"`, an array of them with `[{"`, EDN with `{:`, `[`, `(`, `#`, `^` or
/// `;`, and a log has a line that is an operation.
fn detect(path: &Path, start: &[u8]) -> Result<Format, ReadError> {
    if columns::MAGICS.iter().any(|magic| start.starts_with(*magic)) {
        return Ok(Format::Columns);
    }
    if is_utf16(start) {
        let why = "this is UTF-16: save it as UTF-8, in which all formats of histories are written";
        return Err(Place { path, line: 1 }.malformed(&start[..start.len().min(2)], 1, why));
    }
    let text = start.trim_ascii_start();
    let line = 1 + line_ends(&start[..start.len() - text.len()]);
    let place = Place { path, line };
    let second = text.get(1..).unwrap_or_default().trim_ascii_start();
    match (text.first(), second.first()) {
        (None, _) => return Err(Place { path, line: 1 }.empty()),
        (Some(b'{'), Some(b'"' | b'}') | None) => {
            return Ok(if is_spread(text) { Format::Json } else { Format::JsonLines });
        }
        (Some(b'['), Some(b'{')) if matches!(second[1..].trim_ascii_start().first(), Some(b'"' | b'}')) => {
            return Ok(Format::Json);
        }
        (Some(b'{' | b'[' | b'(' | b'#' | b'^' | b';'), _) => return Ok(Format::Edn),
        _ if text.split(|byte| *byte == b'\n').any(jepsen_log::is_operation) => return Ok(Format::JepsenLog),
        _ => {}
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let expected = "expected a history: JSON objects, EDN maps or Jepsen's log lines";
    Err(place.malformed(first, 1, expected))
}

/// Whether the first object of a text goes on behind its first line: one that was cut off there is followed by another.
fn is_spread(text: &[u8]) -> bool {
    let (first, rest) = match memchr::memchr(b'\n', text) {
        Some(end) => text.split_at(end),
        None => return false,
    };
    let is_whole = str::from_utf8(first).is_ok_and(|line| json::value(line).is_ok());
    !is_whole && rest.trim_ascii_start().first().is_some_and(|byte| *byte != b'{')
}

/// Whether a text is written with two bytes a character, as its mark or every second byte of its beginning says.
fn is_utf16(start: &[u8]) -> bool {
    start.starts_with(b"\xff\xfe")
        || start.starts_with(b"\xfe\xff")
        || matches!(start, [0, 0x09..=0x7e, 0, 0x09..=0x7e, ..] | [0x09..=0x7e, 0, 0x09..=0x7e, 0, ..])
}

#[cfg(test)]
mod meanings;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod tests;
