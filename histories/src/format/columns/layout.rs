//! Parts of a file of columns, as both its writer and its reader know them.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::{Event, Function, Note, Outcome, Value};

/// Magic numbers of the formats without and with revisions.
pub(in crate::format) const MAGICS: [&[u8; 8]; 2] = [b"schism01", b"schism02"];
pub(super) const BLOCK: usize = 1 << 16;
/// Bytes per operation, without and with a revision.
pub(super) const WIDTHS: [usize; 2] = [48, 56];
/// Maximum length of the text, bytes.
pub(super) const MAX_TEXT: u64 = 1 << 30;
/// Functions with fixed numbers; the numbers of all others follow these, in the order of their names in the text.
pub(super) const FUNCTIONS: [Function; 5] =
    [Function::Read, Function::Write, Function::Cas, Function::Append, Function::Delete];
pub(super) const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Mismatch, Outcome::Fail, Outcome::Info];

/// Added to the outcome of an operation that is called final.
pub(super) const FINAL: u8 = 128;

/// Text part of the file: everything that has no columns.
#[derive(Serialize)]
pub(super) struct Text<'a> {
    pub functions: &'a [Box<str>],
    pub values: Vec<(u32, &'a Value)>,
    pub others: &'a [Event<'static>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<(u32, &'a [Value])>,
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    pub notes: &'a [Note],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(u32, [u32; 2])>,
}

/// Text part of the file, owned, as it is read.
#[derive(Deserialize)]
pub(super) struct OwnedText<'a> {
    pub functions: Vec<Box<str>>,
    pub values: Vec<(u32, Value)>,
    #[serde(borrow)]
    pub others: Vec<Event<'a>>,
    #[serde(default)]
    pub processes: Option<(u32, Vec<Value>)>,
    #[serde(default)]
    pub notes: Vec<Note>,
    #[serde(default)]
    pub links: Vec<(u32, [u32; 2])>,
}

/// Reader or writer that computes a checksum of the bytes that pass through it.
pub(super) struct ChecksumStream<T> {
    pub inner: T,
    pub sum: u32,
}

impl<W: Write> Write for ChecksumStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for ChecksumStream<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes[..read]);
        Ok(read)
    }
}
