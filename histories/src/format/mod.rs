//! Readers and writers of history files. Format and compression of a file are detected by its content, never by its
//! name.

mod bare_answers;
mod chunks;
mod columns;
mod compressed;
mod control;
mod cursor;
mod edn;
mod error;
mod event_buffer;
mod event_builder;
mod event_field;
mod event_style;
mod fast;
mod intake;
mod interpreter;
mod jepsen_log;
mod json;
mod json_value;
mod jsonl;
mod key_detector;
mod lines;
mod nameless;
mod options;
mod order;
mod origin;
mod record_parts;
mod records;
mod unknown_fields;

use std::{fs::File, io::Read, path::Path};

pub use columns::write_columns;
use compressed::unpacked_within;
pub use compressed::{Compression, Packer, unpacked};
pub use error::ReadError;
pub use event_style::EventStyle;
pub use json_value::parse_value;
pub use jsonl::write_event;
pub use options::{FailedCas, Format, ReadOptions, Reading};

use crate::{Event, History};
use control::{ControlledReader, ReadControl};
use event_buffer::Each;
use lines::{Place, line_ends};
use origin::Origin;

/// Number of bytes at the beginning of a file by which its format is detected.
const SNIFF_BYTES: usize = 64 * 1024;

/// Reads a history from a file.
///
/// # Errors
/// Returns an error if the file cannot be read, is no history, or breaks a rule of histories; it names the line and the
/// reason.
pub fn read_file(path: &Path) -> Result<History, ReadError> {
    read_file_with(path, &ReadOptions::default())
}

/// Reads a history from a file as [`read_file`] does, with options.
///
/// # Errors
/// Fails like [`read_file`]; also if a format is given and the file has another one, and if `options.keep_going`
/// stopped the reading.
pub fn read_file_with(path: &Path, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    read_open(path, open(path)?, options)
}

/// Reads a history as [`read_file_with`] does, from a file that is open already, such as standard input, which may be a
/// pipe; `name` stands for its path in errors.
///
/// # Errors
/// Fails like [`read_file_with`].
pub fn read_open(name: &Path, file: File, options: &ReadOptions<'_>) -> Result<History, ReadError> {
    let mut origin = Origin::of_file(file).map_err(|source| ReadError::Io { path: name.to_owned(), source })?;
    read(name, &mut origin, options, None)
}

/// Reads a history as [`read_file_with`] does, and passes each event to `each`, in the order that counts and with keys
/// separated from values. `each(None)` means that the file is read again from its beginning, so that the events passed
/// so far must be forgotten, as they must after an error; this never happens if `options` has the interpretation of a
/// history that was read from the same file. A process may go on after an unknown outcome, which [`crate::Normalizer`]
/// corrects.
///
/// # Errors
/// Fails like [`read_file_with`].
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

/// Reads a history from memory; `name` stands for a path in errors. Without a format, it is detected by the content.
///
/// # Errors
/// Fails like [`read_file`].
pub fn read_bytes(name: &str, bytes: &[u8], format: Option<Format>) -> Result<History, ReadError> {
    read(Path::new(name), &mut Origin::of_bytes(bytes), &ReadOptions { format, ..ReadOptions::default() }, None)
}

/// Callback that takes each event, or `None` when the file is read again.
type EachOrAgain<'a> = &'a mut dyn FnMut(Option<&Event<'_>>);

fn read(
    path: &Path,
    origin: &mut Origin<'_>,
    options: &ReadOptions<'_>,
    mut each: Option<EachOrAgain<'_>>,
) -> Result<History, ReadError> {
    let watch = ReadControl::new(options);
    loop {
        let found = match &mut each {
            None => read_watched(path, &mut *origin, options.format, &watch, None),
            Some(each) => {
                let mut each = |event: &Event<'_>| each(Some(event));
                read_watched(path, &mut *origin, options.format, &watch, Some(&mut each))
            }
        };
        if !watch.take_again() {
            return watch.outcome(path, found).map_err(|error| quoted(error, path, origin));
        }
        origin.rewind().map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if let Some(each) = &mut each {
            each(None);
        }
    }
}

/// Returns an error with the text of its line, if the event was kept without it.
fn quoted(mut error: ReadError, path: &Path, origin: &mut Origin<'_>) -> ReadError {
    if let ReadError::Broken { line, excerpt, .. } = &mut error
        && excerpt.is_empty()
        && origin.rewind().is_ok()
        && let Ok(input) = unpacked(origin)
    {
        *excerpt = lines::text_of_line(path, input, *line).unwrap_or_default();
    }
    error
}

fn read_watched(
    path: &Path,
    input: impl Read,
    asked: Option<Format>,
    watch: &ReadControl<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let input =
        unpacked_within(ControlledReader { input, watch, is_file: true }, |bytes| watch.ask(bytes)).map_err(io)?;
    let mut input = ControlledReader { input, watch, is_file: false };
    let mut start = Vec::new();
    input.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut start).map_err(io)?;
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    let found = detect(path, &start);
    let (format, found) = match (asked, found) {
        // Both are JSON, and the content decides how it is laid out.
        (Some(Format::JsonLines | Format::Json), Ok(found @ (Format::JsonLines | Format::Json))) => (found, None),
        (Some(asked), found) => (asked, found.ok()),
        (None, found) => (found?, None),
    };
    if format == Format::Columns {
        let ReadOptions { keyed, failed_cas, .. } = watch.options();
        let option = failed_cas.map(|_| "the interpretation of failed cas");
        let option = keyed.map(|_| "the choice whether values have keys").or(option);
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
        (Err(ReadError::Malformed { path, line, column, reason, excerpt, aside, .. }), ..) => {
            Err(ReadError::Malformed { path, line, column, reason, excerpt, format: Some(format), aside })
        }
        (history, ..) => history,
    }
}

/// Byte order mark, with which some editors and shells begin a text; it is skipped.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Detects the format by the beginning of a file: JSON objects begin with `{"`, an array of them with `[{"`, EDN with
/// `{:`, `[`, `(`, `#`, `^` or `;`, and a log has a line that is an operation.
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
        (None, _) => return Err(Place { path, line: 0 }.empty()),
        (Some(b'{'), Some(b'"' | b'}') | None) => {
            return Ok(if is_spread(text) { Format::Json } else { Format::JsonLines });
        }
        (Some(b'['), Some(b'{')) if matches!(second[1..].trim_ascii_start().first(), Some(b'"' | b'}')) => {
            return Ok(Format::Json);
        }
        (Some(b'{'), Some(b'\'')) => {
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let why = "expected names in double quotes, as JSON has them; Python prints a dict otherwise, and \
                json.dumps writes JSON";
            return Err(place.malformed(first, 2, why));
        }
        (Some(b'{' | b'[' | b'(' | b'#' | b'^' | b';'), _) => return Ok(Format::Edn),
        _ if text.split(|byte| *byte == b'\n').any(jepsen_log::is_operation) => return Ok(Format::JepsenLog),
        _ => {}
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let expected = "expected a history: JSON objects, EDN maps or Jepsen's log lines";
    Err(place.malformed(first, 1, expected))
}

/// Returns true if the first object of a text goes on behind its first line. An object that was cut off there, as
/// opposed to spread over lines, is followed by another one.
fn is_spread(text: &[u8]) -> bool {
    let (first, rest) = match memchr::memchr(b'\n', text) {
        Some(end) => text.split_at(end),
        None => return false,
    };
    let is_whole = str::from_utf8(first).is_ok_and(|line| json::value(line).is_ok());
    !is_whole && rest.trim_ascii_start().first().is_some_and(|byte| *byte != b'{')
}

/// Returns true if a text is written with two bytes per character, judging by its byte order mark or by zeros in its
/// first bytes.
fn is_utf16(start: &[u8]) -> bool {
    start.starts_with(b"\xff\xfe")
        || start.starts_with(b"\xfe\xff")
        || matches!(start, [0, 0x09..=0x7e, 0, 0x09..=0x7e, ..] | [0x09..=0x7e, 0, 0x09..=0x7e, 0, ..])
}

#[cfg(test)]
mod bare_answers_tests;
#[cfg(test)]
mod columns_tests;
#[cfg(test)]
mod meanings;
#[cfg(test)]
mod nameless_tests;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod records_tests;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod unknown_fields_tests;
