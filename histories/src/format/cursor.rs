//! A place in bytes of which more may come, and what is in the way of reading on.

use std::borrow::Cow;

/// How deep values may be nested.
pub(super) const MAX_DEPTH: u32 = 64;

/// Why a form was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The bytes end before it does.
    Cut,
    /// It is none, as this byte shows.
    Wrong(usize, Cow<'static, str>),
}

/// Bytes, and how many of them are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Whether nothing comes behind the bytes.
    pub(super) is_last: bool,
}

impl<'a> Cursor<'a> {
    /// At the beginning of bytes behind which nothing comes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, is_last: true }
    }

    /// The next byte, or the end of all.
    pub(super) fn peek(&self) -> Result<Option<u8>, Trouble> {
        match self.bytes.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.is_last => Ok(None),
            None => Err(Trouble::Cut),
        }
    }

    /// The bytes up to the first for which `is_end` holds, or to the end of all; they are passed over.
    pub(super) fn until(&mut self, is_end: impl Fn(u8) -> bool) -> Result<&'a [u8], Trouble> {
        let rest = &self.bytes[self.at..];
        let length = match rest.iter().position(|byte| is_end(*byte)) {
            Some(length) => length,
            None if self.is_last => rest.len(),
            None => return Err(Trouble::Cut),
        };
        self.at += length;
        Ok(&rest[..length])
    }

    /// That something is wrong with the next byte.
    pub(super) fn wrong(&self, why: impl Into<Cow<'static, str>>) -> Trouble {
        Trouble::Wrong(self.at, why.into())
    }

    /// These bytes, which end here or stand before that, as text.
    pub(super) fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, Trouble> {
        str::from_utf8(bytes).map_err(|error| {
            let start = bytes.as_ptr().addr() - self.bytes.as_ptr().addr();
            Trouble::Wrong(start + error.valid_up_to(), "expected UTF-8".into())
        })
    }
}

/// Four hexadecimal digits at `at`, as in `\u00e9`.
pub(super) fn four_digits(cursor: &Cursor<'_>, at: usize) -> Result<u32, Trouble> {
    let digits = cursor.bytes.get(at..at + 4).ok_or(Trouble::Cut)?;
    let wrong = || Trouble::Wrong(at, "expected four hexadecimal digits after \\u".into());
    digits
        .iter()
        .try_fold(0, |number, digit| char::from(*digit).to_digit(16).map(|digit| number * 16 + digit).ok_or_else(wrong))
}

/// The character that `\u` at `at` (behind the `u`) begins, and how many bytes it takes from there: two halves make one.
pub(super) fn unicode(cursor: &Cursor<'_>, at: usize) -> Result<(char, usize), Trouble> {
    let half = || Trouble::Wrong(at, "expected both halves of a character after \\u".into());
    let first = four_digits(cursor, at)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 4));
    }
    let second_sign = &cursor.bytes[at + 4..cursor.bytes.len().min(at + 6)];
    if first >= 0xdc00 || !b"\\u".starts_with(second_sign) {
        return Err(half());
    }
    if second_sign.len() < 2 {
        return Err(Trouble::Cut);
    }
    let second = four_digits(cursor, at + 6)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(half());
    }
    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(code).ok_or_else(half)?, 10))
}
