//! A text line by line, with where each stands; and errors that say so.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
};

use crate::{PairingError, ReadError};

/// The longest line that is read, bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// How much of a line is shown in an error, bytes before and after the place.
const EXCERPT_BYTES: usize = 60;

/// A line of a file, or a place in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    /// Counted from 1.
    pub(super) line: u64,
}

impl Place<'_> {
    /// `text` is the whole line, `column` the byte (from 1) where it goes wrong.
    pub(super) fn malformed(self, text: &[u8], column: usize, reason: impl Into<String>) -> ReadError {
        self.malformed_at(text, column.saturating_sub(1), column as u64, reason)
    }

    /// As [`Place::malformed`], where `text` is only a part of the line, which goes wrong `at` there.
    pub(super) fn malformed_at(self, text: &[u8], at: usize, column: u64, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed {
            path: self.path.to_owned(),
            line: self.line,
            column,
            reason: reason.into(),
            excerpt: excerpt(text, at),
            format: None,
        }
    }

    pub(super) fn broken(self, text: &[u8], rule: PairingError) -> ReadError {
        ReadError::Broken {
            path: self.path.to_owned(),
            line: self.line,
            rule: Box::new(rule),
            excerpt: excerpt(text, 0),
        }
    }

    /// It cannot be told, or is not so, that values are pairs of key and value.
    pub(super) fn unkeyed(self, why: String) -> ReadError {
        ReadError::Keys { path: self.path.to_owned(), line: self.line, why }
    }

    pub(super) fn unread(self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.to_owned(), source }
    }

    pub(super) fn empty(self) -> ReadError {
        ReadError::Empty { path: self.path.to_owned(), line: self.line }
    }
}

/// How many lines end in `text`.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// The text around a place of a line, on one line itself and printable.
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

/// The lines of an input, without their ends; those that are blank are left out.
#[derive(Debug)]
pub(super) struct Lines<'a, R> {
    input: BufReader<R>,
    /// The line, where it is not whole in the buffer of the input.
    text: Vec<u8>,
    /// How many bytes of that buffer are the line, if it is.
    buffered: usize,
    place: Place<'a>,
}

impl<'a, R: Read> Lines<'a, R> {
    pub(super) fn new(path: &'a Path, input: R) -> Self {
        let input = BufReader::with_capacity(BUFFER_BYTES, input);
        Self { input, text: Vec::new(), buffered: 0, place: Place { path, line: 0 } }
    }

    /// The next line and where it stands.
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

    /// Goes on to the next line, and says how long it is; 0 at the end.
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

    /// The line where it stands now.
    fn line(&self) -> &[u8] {
        if self.buffered > 0 { &self.input.buffer()[..self.buffered] } else { &self.text }
    }

    /// Where the last line stood; line 1 of a file without any.
    pub(super) fn end(&self) -> Place<'a> {
        Place { line: self.place.line.max(1), ..self.place }
    }
}
