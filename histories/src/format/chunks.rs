//! Input read in chunks, for formats whose operations may span lines: a parser sees as much of the input as one
//! operation needs.

use std::{borrow::Cow, io::Read, path::Path};

use super::{
    control::ReadControl,
    cursor::{Cursor, ParseError},
    lines::{Place, line_ends},
    records::Records,
};
use crate::{ReadError, Value};

const CHUNK_BYTES: usize = 256 << 10;
/// Maximum length of an operation, bytes.
const MAX_FORM_BYTES: usize = 16 << 20;

/// Buffered input, with the position of its next byte.
pub(super) struct Chunks<'a, R> {
    input: R,
    watch: &'a ReadControl<'a>,
    path: &'a Path,
    bytes: Vec<u8>,
    /// Range of `bytes` that was read but not passed yet.
    start: usize,
    end: usize,
    is_last: bool,
    /// Line and column of the byte at `start`, both counted from 1.
    line: u64,
    column: u64,
}

impl<'a, R: Read> Chunks<'a, R> {
    pub(super) fn new(path: &'a Path, input: R, watch: &'a ReadControl<'a>) -> Self {
        Self { input, watch, path, bytes: Vec::new(), start: 0, end: 0, is_last: false, line: 1, column: 1 }
    }

    /// Returns the position of the next byte.
    pub(super) fn place(&self) -> Place<'a> {
        Place { path: self.path, line: self.line }
    }

    /// Returns a cursor over what is buffered of the next form. A parser that finds the form cut off asks for more and
    /// begins anew.
    fn cursor(&self) -> Cursor<'_> {
        Cursor { bytes: &self.bytes[self.start..self.end], at: 0, is_last: self.is_last }
    }

    /// Reads more input if the form was cut off; otherwise returns the error, with `expected` before its reason.
    fn more(&mut self, trouble: ParseError, expected: &str) -> Result<(), ReadError> {
        match trouble {
            ParseError::Malformed(at, why) if why.starts_with("expected") => Err(self.wrong(at, why)),
            ParseError::Malformed(at, why) => Err(self.wrong(at, format!("{expected}{why}"))),
            ParseError::Incomplete if self.is_last => {
                let at = self.end - self.start;
                Err(self.wrong(at, format!("{expected}it ends too early")))
            }
            ParseError::Incomplete => self.fill(),
        }
    }

    /// Parses the next operation with `take`, which sees what is buffered of it, and returns its length once it is
    /// complete.
    pub(super) fn take(
        &mut self,
        expected: &str,
        mut take: impl FnMut(Place<'a>, Cursor<'_>) -> Result<(usize, Result<(), ReadError>), ParseError>,
    ) -> Result<(), ReadError> {
        loop {
            match take(self.place(), self.cursor()) {
                Ok((used, taken)) => {
                    taken?;
                    self.pass(used);
                    return Ok(());
                }
                Err(trouble) => self.more(trouble, expected)?,
            }
        }
    }

    /// Skips what stands between operations, by `blank`, which returns its length; returns the byte that follows, if
    /// any does.
    pub(super) fn skip(
        &mut self,
        blank: impl Fn(Cursor<'_>) -> (usize, Result<Option<u8>, ParseError>),
    ) -> Result<Option<u8>, ReadError> {
        loop {
            let (used, found) = blank(self.cursor());
            match found {
                Ok(next) => {
                    self.pass(used);
                    return Ok(next);
                }
                Err(trouble) => self.more(trouble, "")?,
            }
        }
    }

    /// Decides by the first operation, which comes next and is a value that `value` parses, whether the file consists
    /// of records; returns their reader if it does.
    pub(super) fn records(
        &mut self,
        value: impl Fn(Cursor<'_>) -> Result<Value, ParseError>,
    ) -> Result<Option<Records>, ReadError> {
        loop {
            match value(self.cursor()) {
                Ok(value) => return Ok(Records::of_first(&value)),
                // What is wrong is said where the operation is read.
                Err(ParseError::Malformed(..)) => return Ok(None),
                Err(ParseError::Incomplete) if self.is_last => return Ok(None),
                Err(ParseError::Incomplete) => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end > MAX_FORM_BYTES {
            return Err(self.wrong(0, format!("an operation is at most {MAX_FORM_BYTES} bytes long")));
        }
        let unread = |source| Place { path: self.path, line: self.line }.unread(source);
        if self.bytes.len() < (2 * self.end).min(MAX_FORM_BYTES + 1) || self.bytes.is_empty() {
            let length = (2 * self.bytes.len()).clamp(CHUNK_BYTES, MAX_FORM_BYTES + 1);
            if self.end > 0 {
                // All of it is to be made to values, if it is one operation.
                self.watch.json(&self.bytes[..self.end]).map_err(unread)?;
                self.watch.ask(length).map_err(unread)?;
            }
            self.bytes.resize(length, 0);
        }
        while self.end < self.bytes.len() {
            match self.input.read(&mut self.bytes[self.end..]).map_err(unread)? {
                0 => {
                    self.is_last = true;
                    break;
                }
                count => self.end += count,
            }
        }
        Ok(())
    }

    /// Passes over the next `bytes` bytes, which are buffered.
    pub(super) fn pass(&mut self, bytes: usize) {
        // The end of a line between two operations, mostly.
        if bytes == 1 && self.bytes[self.start] == b'\n' {
            (self.line, self.column, self.start) = (self.line + 1, 1, self.start + 1);
            return;
        }
        let passed = &self.bytes[self.start..self.start + bytes];
        match memchr::memrchr(b'\n', passed) {
            Some(last) => {
                self.line += line_ends(passed);
                self.column = (passed.len() - last) as u64;
            }
            None => self.column += passed.len() as u64,
        }
        self.start += bytes;
    }

    /// Returns the error that something is wrong `at` bytes from here.
    pub(super) fn wrong(&self, at: usize, why: impl Into<Cow<'static, str>>) -> ReadError {
        let bytes = &self.bytes[self.start..self.end];
        let (before, after) = bytes.split_at(at.min(bytes.len()));
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        let length = memchr::memchr(b'\n', after).unwrap_or(after.len());
        let text = &bytes[line_start.unwrap_or(0)..before.len() + length];
        let within = before.len() - line_start.unwrap_or(0);
        let column = within as u64 + if line_start.is_some() { 1 } else { self.column };
        let line = self.line + line_ends(before);
        Place { path: self.path, line }.malformed_at(text, within, column, why.into())
    }
}
