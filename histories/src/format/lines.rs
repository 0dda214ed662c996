//! Text line by line, with the position of each line; and errors that name that position.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
};

use crate::{PairingError, ReadError};

/// Maximum length of a line, bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// Length of the text shown in an error, bytes before and after the position.
const EXCERPT_BYTES: usize = 60;

/// Position in a file: one of its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    /// Number of the line, counted from 1.
    pub(super) line: u64,
}

impl Place<'_> {
    /// Returns the error for a whole line, `text`, that goes wrong at byte `column`, counted from 1.
    pub(super) fn malformed(self, text: &[u8], column: usize, reason: impl Into<String>) -> ReadError {
        self.malformed_at(text, column.saturating_sub(1), column as u64, reason)
    }

    /// Returns the error for a line of which `text` is only a part, which goes wrong at offset `at` of that part.
    pub(super) fn malformed_at(self, text: &[u8], at: usize, column: u64, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed {
            path: self.path.to_owned(),
            line: self.line,
            column,
            reason: reason.into(),
            excerpt: excerpt(text, at),
            format: None,
            aside: String::new(),
        }
    }

    pub(super) fn broken(self, text: &[u8], rule: PairingError) -> ReadError {
        ReadError::Broken {
            path: self.path.to_owned(),
            line: self.line,
            rule: Box::new(rule),
            excerpt: beginning(text),
            aside: String::new(),
        }
    }

    /// Returns the error that values are not pairs of key and value, or that it cannot be decided whether they are.
    pub(super) fn unkeyed(self, why: String) -> ReadError {
        ReadError::Keys { path: self.path.to_owned(), line: self.line, why, aside: String::new() }
    }

    pub(super) fn unread(self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.to_owned(), source }
    }

    pub(super) fn empty(self) -> ReadError {
        ReadError::Empty { path: self.path.to_owned(), line: self.line }
    }
}

/// Returns the text of a line as errors show it, unless it cannot be read, or only a part of it could be shown and may
/// belong to another event, as in an array of events on one line.
pub(super) fn text_of_line(path: &Path, input: impl Read, line: u64) -> Option<String> {
    let mut lines = Lines::new(path, input);
    while let Ok(Some((place, text))) = lines.next() {
        if place.line == line {
            let is_list = text.trim_ascii_start().starts_with(b"[") || text.trim_ascii_start().starts_with(b"(");
            return (!is_list || text.len() <= EXCERPT_BYTES).then(|| beginning(text));
        }
    }
    None
}

/// Returns the number of line ends in `text`.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Returns the beginning of a line as a whole of it is shown.
fn beginning(text: &[u8]) -> String {
    excerpt(text, EXCERPT_BYTES)
}

/// Returns the text around a position of a line, on one line and printable.
fn excerpt(text: &[u8], at: usize) -> String {
    let from = at.min(text.len()).saturating_sub(EXCERPT_BYTES);
    let to = at.saturating_add(EXCERPT_BYTES).min(text.len());
    let mut shown = String::from(if from > 0 { "…" } else { "" });
    for chunk in text[from..to].utf8_chunks() {
        shown.extend(chunk.valid().chars().map(|c| if c.is_control() { ' ' } else { c }));
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02x}").expect("a String takes everything");
        }
    }
    shown.push_str(if to < text.len() { "…" } else { "" });
    shown
}

/// Reader of the lines of an input, without their ends; blank lines are skipped.
#[derive(Debug)]
pub(super) struct Lines<'a, R> {
    input: BufReader<R>,
    /// Text of the line, if it is not contiguous in the buffer of the input.
    text: Vec<u8>,
    /// Length of the line within that buffer, in bytes; 0 if it is not there.
    buffered: usize,
    place: Place<'a>,
}

impl<'a, R: Read> Lines<'a, R> {
    pub(super) fn new(path: &'a Path, input: R) -> Self {
        let input = BufReader::with_capacity(BUFFER_BYTES, input);
        Self { input, text: Vec::new(), buffered: 0, place: Place { path, line: 0 } }
    }

    /// Returns the next line and its position.
    pub(super) fn next(&mut self) -> Result<Option<(Place<'a>, &[u8])>, ReadError> {
        loop {
            let length = self.advance().map_err(|source| self.place.unread(source))?;
            if length == 0 {
                return Ok(None);
            }
            self.place.line += 1;
            if length as u64 > MAX_LINE_BYTES {
                let reason = format!("a line is at most {MAX_LINE_BYTES} bytes long");
                return Err(self.place.malformed(&self.text[..EXCERPT_BYTES], 1, reason));
            }
            if !self.line().trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.place, self.line().trim_ascii_end())))
    }

    /// Advances to the next line and returns its length; 0 at the end of the input.
    fn advance(&mut self) -> io::Result<usize> {
        self.input.consume(std::mem::take(&mut self.buffered));
        self.text.clear();
        // Most lines need no copy.
        if let Some(end) = memchr::memchr(b'\n', self.input.fill_buf()?) {
            self.buffered = end + 1;
            return Ok(self.buffered);
        }
        self.input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut self.text)
    }

    /// Returns the current line, with its end.
    fn line(&self) -> &[u8] {
        if self.buffered > 0 { &self.input.buffer()[..self.buffered] } else { &self.text }
    }

    /// Returns the position of the last line; line 1 of a file without any.
    pub(super) fn end(&self) -> Place<'a> {
        Place { line: self.place.line.max(1), ..self.place }
    }
}
