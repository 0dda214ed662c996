//! Cursor over bytes of which more may follow, and the reasons why parsing stops.

use std::borrow::Cow;

/// Maximum nesting depth of values.
pub(super) const MAX_DEPTH: u32 = 64;

/// Reason why a form could not be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParseError {
    /// The bytes end before the form does.
    Incomplete,
    /// The form is malformed at this byte.
    Malformed(usize, Cow<'static, str>),
}

/// Bytes, and the position of the parser in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// True if nothing follows the bytes.
    pub(super) is_last: bool,
}

impl<'a> Cursor<'a> {
    /// Returns a cursor at the beginning of bytes that nothing follows.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, is_last: true }
    }

    /// Returns the next byte, or none at the end of the input.
    pub(super) fn peek(&self) -> Result<Option<u8>, ParseError> {
        match self.bytes.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.is_last => Ok(None),
            None => Err(ParseError::Incomplete),
        }
    }

    /// Returns and passes the bytes up to the first for which `is_end` holds, or up to the end of the input.
    pub(super) fn until(&mut self, is_end: impl Fn(u8) -> bool) -> Result<&'a [u8], ParseError> {
        let rest = &self.bytes[self.at..];
        let length = match rest.iter().position(|byte| is_end(*byte)) {
            Some(length) => length,
            None if self.is_last => rest.len(),
            None => return Err(ParseError::Incomplete),
        };
        self.at += length;
        Ok(&rest[..length])
    }

    /// Returns the error that something is wrong with the next byte.
    pub(super) fn wrong(&self, why: impl Into<Cow<'static, str>>) -> ParseError {
        ParseError::Malformed(self.at, why.into())
    }

    /// Returns these bytes, a part of those of the cursor, as text.
    pub(super) fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, ParseError> {
        str::from_utf8(bytes).map_err(|error| {
            let start = bytes.as_ptr().addr() - self.bytes.as_ptr().addr();
            ParseError::Malformed(start + error.valid_up_to(), "expected UTF-8".into())
        })
    }
}

/// Parses four hexadecimal digits at `at`, as in `\u00e9`.
pub(super) fn four_digits(cursor: &Cursor<'_>, at: usize) -> Result<u32, ParseError> {
    let digits = cursor.bytes.get(at..at + 4).ok_or(ParseError::Incomplete)?;
    let wrong = || ParseError::Malformed(at, "expected four hexadecimal digits after \\u".into());
    digits
        .iter()
        .try_fold(0, |number, digit| char::from(*digit).to_digit(16).map(|digit| number * 16 + digit).ok_or_else(wrong))
}

/// Returns the character that `\u` introduces, with `at` just behind the `u`, and the number of bytes it takes from
/// there; a surrogate pair makes one character.
pub(super) fn unicode(cursor: &Cursor<'_>, at: usize) -> Result<(char, usize), ParseError> {
    let half = || ParseError::Malformed(at, "expected both halves of a character after \\u".into());
    let first = four_digits(cursor, at)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 4));
    }
    let second_sign = &cursor.bytes[at + 4..cursor.bytes.len().min(at + 6)];
    if first >= 0xdc00 || !b"\\u".starts_with(second_sign) {
        return Err(half());
    }
    if second_sign.len() < 2 {
        return Err(ParseError::Incomplete);
    }
    let second = four_digits(cursor, at + 6)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(half());
    }
    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(code).ok_or_else(half)?, 10))
}
