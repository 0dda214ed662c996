//! Parser of EDN as Clojure prints it, form by form: one pass over the bytes, and copies only where they are needed.

use std::borrow::Cow;

use crate::format::cursor::{Cursor, MAX_DEPTH, ParseError, unicode};
use crate::{Edn, Value, ValueError};

/// Bytes that end a number, keyword or symbol.
const IS_END: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b" \t\n\r\x0b\x0c,;\"\\()[]{}^@`~";
    let mut at = 0;
    while at < ends.len() {
        table[ends[at] as usize] = true;
        at += 1;
    }
    table
};

/// Bytes that may not begin a form: blanks, and bytes that need a closer look.
const IS_BETWEEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = matches!(at, 0..=0x20 | 0x23 | 0x2c | 0x3b | 0x80..);
        at += 1;
    }
    table
};

/// Number of digits that fit every integer type here.
const SAFE_DIGITS: usize = 18;

/// Parser of forms, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    /// Skips blanks, commas, comments and forms discarded by `#_`; returns the byte that follows, if any does.
    pub(super) fn blank(&mut self, depth: u32) -> Result<Option<u8>, ParseError> {
        loop {
            let Some(byte) = self.cursor.peek()? else { return Ok(None) };
            match byte {
                b' ' | b'\n' | b',' | b'\r' | b'\t' | 0x0b | 0x0c | 0x1c..=0x1f => self.cursor.at += 1,
                b';' => drop(self.cursor.until(|byte| byte == b'\n')?),
                b'#' => {
                    let next = self.cursor.bytes.get(self.cursor.at + 1);
                    match next {
                        Some(b'_') => {
                            self.cursor.at += 2;
                            self.value(deeper(&self.cursor, depth)?)?;
                        }
                        None if !self.cursor.is_last => return Err(ParseError::Incomplete),
                        _ => return Ok(Some(byte)),
                    }
                }
                0x80.. if self.is_wide_blank()? => {}
                _ => return Ok(Some(byte)),
            }
        }
    }

    /// Skips a blank outside ASCII, if one comes next.
    fn is_wide_blank(&mut self) -> Result<bool, ParseError> {
        let rest = &self.cursor.bytes[self.cursor.at..];
        let Some(c) = rest[..rest.len().min(4)].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next())
        else {
            return if rest.len() < 4 && !self.cursor.is_last { Err(ParseError::Incomplete) } else { Ok(false) };
        };
        if c.is_whitespace() {
            self.cursor.at += c.len_utf8();
        }
        Ok(c.is_whitespace())
    }

    /// Returns the first byte of the next form, which must be there.
    #[inline]
    pub(super) fn begin(&mut self, depth: u32) -> Result<u8, ParseError> {
        // Mostly a form stands here, or behind one blank or comma.
        for _ in 0..3 {
            match self.cursor.bytes.get(self.cursor.at) {
                Some(byte) if !IS_BETWEEN[usize::from(*byte)] => return Ok(*byte),
                Some(b' ' | b',' | b'\n') => self.cursor.at += 1,
                _ => break,
            }
        }
        self.blank(depth)?.ok_or(ParseError::Incomplete)
    }

    /// Parses the next form, at this nesting depth.
    pub(super) fn value(&mut self, depth: u32) -> Result<Value, ParseError> {
        match self.begin(depth)? {
            b'0'..=b'9' => self.number(),
            b'"' => Ok(Value::Str(self.text()?.into())),
            b':' => self.keyword().map(Value::keyword),
            b'[' => self.items(b']', depth).map(Value::List),
            b'(' => self.items(b')', depth).map(Value::List),
            b'{' => self.map(None, depth),
            b'#' => self.dispatched(depth),
            b'\\' => self.character().map(Value::char),
            b'^' => {
                self.metadata(depth)?;
                self.value(deeper(&self.cursor, depth)?)
            }
            b'+' | b'-' if self.is_number()? => self.number(),
            byte @ (b')' | b']' | b'}') => {
                Err(self.cursor.wrong(format!("there is a `{}` without its partner", char::from(byte))))
            }
            byte @ (b'\'' | b'`' | b'~' | b'@') => {
                Err(self.cursor.wrong(format!("`{}` begins code, not EDN", char::from(byte))))
            }
            _ => self.symbol(),
        }
    }

    /// Returns true if a digit follows the sign that comes next.
    fn is_number(&self) -> Result<bool, ParseError> {
        match self.cursor.bytes.get(self.cursor.at + 1) {
            Some(byte) => Ok(byte.is_ascii_digit()),
            None if self.cursor.is_last => Ok(false),
            None => Err(ParseError::Incomplete),
        }
    }

    /// Parses and drops the metadata of the form that follows; it is no part of that form's value.
    pub(super) fn metadata(&mut self, depth: u32) -> Result<(), ParseError> {
        self.cursor.at += 1;
        self.value(deeper(&self.cursor, depth)?).map(drop)
    }

    /// Returns the bytes up to the next one that ends words.
    pub(super) fn word(&mut self) -> Result<&'a [u8], ParseError> {
        self.cursor.until(|byte| IS_END[usize::from(byte)])
    }

    /// Parses a whole number without a sign, if one comes next and is not too long; otherwise passes over nothing.
    #[inline]
    pub(super) fn natural(&mut self) -> Option<i64> {
        let rest = &self.cursor.bytes[self.cursor.at..];
        let mut number = 0;
        for (length, byte) in rest.iter().enumerate().take(SAFE_DIGITS + 1) {
            if byte.is_ascii_digit() && length < SAFE_DIGITS {
                number = number * 10 + i64::from(byte - b'0');
            } else if IS_END[usize::from(*byte)] && length > 0 && (rest[0] != b'0' || length == 1) {
                self.cursor.at += length;
                return Some(number);
            } else {
                break;
            }
        }
        None
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        if let Some(number) = self.natural() {
            return Ok(Value::Int(number));
        }
        let start = self.cursor.at;
        let word = self.word()?;
        Value::from_edn_number(self.cursor.utf8(word)?).map_err(|error| wrong_value(start, &error))
    }

    /// Parses a keyword and returns its name, without the colon.
    pub(super) fn keyword(&mut self) -> Result<&'a str, ParseError> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        let word = self.word()?;
        let name = self.cursor.utf8(word)?;
        let (Some(first), Some(last)) = (word.first(), word.last()) else {
            return Err(ParseError::Malformed(start, "`:` is no keyword".into()));
        };
        let is_name = !matches!(first, b':' | b'/') && !matches!(last, b':' | b'/');
        if is_name || name == "/" {
            return Ok(name);
        }
        Err(ParseError::Malformed(start, format!("`:{}` is no keyword", shown(name)).into()))
    }

    fn symbol(&mut self) -> Result<Value, ParseError> {
        let start = self.cursor.at;
        let word = self.word()?;
        Ok(match self.cursor.utf8(word)? {
            "nil" => Value::Nil,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            name if is_symbol(name) => Value::symbol(name),
            name => return Err(ParseError::Malformed(start, format!("`{}` is no EDN value", shown(name)).into())),
        })
    }

    /// Parses text in quotes.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.cursor.at += 1;
        let mut whole = String::new();
        loop {
            let rest = &self.cursor.bytes[self.cursor.at..];
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or(ParseError::Incomplete)?;
            let part = self.cursor.utf8(&rest[..length])?;
            self.cursor.at += length;
            if rest[length] == b'"' {
                self.cursor.at += 1;
                return Ok(if whole.is_empty() { part.into() } else { (whole + part).into() });
            }
            whole.push_str(part);
            whole.push(self.escape()?);
        }
    }

    /// Parses an escape within text.
    fn escape(&mut self) -> Result<char, ParseError> {
        let at = self.cursor.at + 1;
        let byte = *self.cursor.bytes.get(at).ok_or(ParseError::Incomplete)?;
        let (c, length) = match byte {
            b't' => ('\t', 1),
            b'r' => ('\r', 1),
            b'n' => ('\n', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'"' | b'\\' => (char::from(byte), 1),
            b'u' => {
                let (c, length) = unicode(&self.cursor, at + 1)?;
                (c, length + 1)
            }
            b'0'..=b'7' => self.octal(at)?,
            _ => return Err(self.cursor.wrong("an escape in a text cannot be read")),
        };
        self.cursor.at = at + length;
        Ok(c)
    }

    /// Parses one to three octal digits at `at`; returns the character and the number of digits.
    fn octal(&self, at: usize) -> Result<(char, usize), ParseError> {
        let rest = &self.cursor.bytes[at..];
        let length = rest.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
        if length == rest.len() && !self.cursor.is_last {
            return Err(ParseError::Incomplete);
        }
        let code = rest[..length].iter().fold(0, |code, digit| code * 8 + u32::from(digit - b'0'));
        let c = char::from_u32(code).filter(|_| length > 0 && code <= 0o377);
        c.map(|c| (c, length))
            .ok_or_else(|| ParseError::Malformed(at, "expected up to three octal digits, to 377".into()))
    }

    /// Parses a single character, such as `\a`, `\newline`, `\u00e9`.
    fn character(&mut self) -> Result<char, ParseError> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        let rest = &self.cursor.bytes[self.cursor.at..];
        // The first may be one that ends words.
        let first = rest[..rest.len().min(4)].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        let Some(first) = first else {
            let is_short = rest.len() < 4 && !self.cursor.is_last || rest.is_empty();
            return Err(if is_short { ParseError::Incomplete } else { self.cursor.wrong("expected UTF-8") });
        };
        self.cursor.at += first.len_utf8();
        let word = self.word()?;
        if word.is_empty() {
            return Ok(first);
        }
        let name = self.cursor.utf8(&rest[..first.len_utf8() + word.len()])?;
        let found = match name {
            "newline" => Some('\n'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "return" => Some('\r'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            _ if name.starts_with('u') && name.len() == 5 => {
                u32::from_str_radix(&name[1..], 16).ok().and_then(char::from_u32)
            }
            _ if name.starts_with('o') && name.len() <= 4 => {
                u32::from_str_radix(&name[1..], 8).ok().filter(|code| *code <= 0o377).and_then(char::from_u32)
            }
            _ => None,
        };
        found.ok_or_else(|| ParseError::Malformed(start, format!("`\\{}` is no character", shown(name)).into()))
    }

    /// Parses the forms between an opening bracket, which comes next, and the one that closes it.
    fn items(&mut self, close: u8, depth: u32) -> Result<Vec<Value>, ParseError> {
        let depth = deeper(&self.cursor, depth)?;
        self.cursor.at += 1;
        let mut items = Vec::new();
        while self.begin(depth)? != close {
            items.push(self.value(depth)?);
        }
        self.cursor.at += 1;
        Ok(items)
    }

    /// Parses a map, whose bracket comes next; the namespace is that of `#:a{…}`.
    fn map(&mut self, namespace: Option<&str>, depth: u32) -> Result<Value, ParseError> {
        let start = self.cursor.at;
        let depth = deeper(&self.cursor, depth)?;
        self.cursor.at += 1;
        let mut pairs = Vec::new();
        while self.begin(depth)? != b'}' {
            let key = self.value(depth)?;
            if self.begin(depth)? == b'}' {
                return Err(self.cursor.wrong("a map has a key without a value"));
            }
            let key = if let Some(namespace) = namespace { within(namespace, key) } else { key };
            pairs.push((key, self.value(depth)?));
        }
        self.cursor.at += 1;
        Value::map(pairs).map_err(|error| wrong_value(start, &error))
    }

    /// Parses a form that begins with `#`.
    fn dispatched(&mut self, depth: u32) -> Result<Value, ParseError> {
        let start = self.cursor.at;
        match *self.cursor.bytes.get(start + 1).ok_or(ParseError::Incomplete)? {
            b'{' => {
                self.cursor.at += 1;
                let items = self.items(b'}', depth)?;
                Value::set(items).map_err(|error| wrong_value(start, &error))
            }
            b'#' => {
                let word = self.word()?;
                Value::from_edn_number(self.cursor.utf8(word)?).map_err(|error| wrong_value(start, &error))
            }
            b':' => {
                self.cursor.at += 1;
                let namespace = self.keyword()?;
                if self.begin(depth)? != b'{' {
                    return Err(self.cursor.wrong("expected a map after its namespace"));
                }
                self.map(Some(namespace), depth)
            }
            b'^' => {
                self.cursor.at += 1;
                self.metadata(depth)?;
                self.value(deeper(&self.cursor, depth)?)
            }
            _ => {
                let tag = self.tag()?;
                let value = self.value(deeper(&self.cursor, depth)?)?;
                // Jepsen's pairs of key and value, which Clojure compares as vectors.
                if tag == "jepsen.independent/tuple" {
                    return Ok(value);
                }
                Value::tagged(tag, value).map_err(|error| wrong_value(start, &error))
            }
        }
    }

    /// Parses a tag, such as `#inst`, and returns its name without the sign.
    pub(super) fn tag(&mut self) -> Result<&'a str, ParseError> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        let word = self.word()?;
        let tag = self.cursor.utf8(word)?;
        if tag.starts_with(char::is_alphabetic) && is_symbol(tag) {
            return Ok(tag);
        }
        Err(ParseError::Malformed(start, format!("`#{}` is no tag that can be read", shown(tag)).into()))
    }
}

/// Returns the depth one level deeper, or an error if that exceeds the limit.
pub(super) fn deeper(cursor: &Cursor<'_>, depth: u32) -> Result<u32, ParseError> {
    // The vector of operations, the operation, and its value.
    if depth > MAX_DEPTH + 2 {
        return Err(cursor.wrong(format!("values are nested at most {MAX_DEPTH} deep")));
    }
    Ok(depth + 1)
}

fn wrong_value(at: usize, error: &ValueError) -> ParseError {
    ParseError::Malformed(at, error.to_string().into())
}

/// Returns the full form of a key within `#:namespace{…}`: a key with a namespace keeps it, and the namespace `_`
/// stands for none.
fn within(namespace: &str, key: Value) -> Value {
    let full = |name: &str| match name.split_once('/') {
        Some(("_", bare)) => bare.to_owned(),
        Some(_) => name.to_owned(),
        None => format!("{namespace}/{name}"),
    };
    match &key {
        Value::Edn(edn) => match &**edn {
            Edn::Keyword(name) => Value::keyword(&full(name)),
            Edn::Symbol(name) => Value::symbol(&full(name)),
            _ => key,
        },
        _ => key,
    }
}

fn is_symbol(name: &str) -> bool {
    let is_path = name == "/" || !name.starts_with('/') && !name.ends_with('/');
    !name.is_empty() && is_path && !name.starts_with(|first: char| first.is_ascii_digit() || first == ':')
}

/// Returns a word for display, shortened if it is long.
fn shown(word: &str) -> String {
    const MAX_CHARACTERS: usize = 40;
    if word.chars().count() > MAX_CHARACTERS {
        word.chars().take(MAX_CHARACTERS).chain(['…']).collect()
    } else {
        word.to_owned()
    }
}
