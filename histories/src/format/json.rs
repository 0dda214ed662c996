//! Reader of JSON, form by form: the events of JSON Lines that the fast path declines, and files in which an operation
//! may take several lines, in one array or in sequence.

use std::{borrow::Cow, io::Read, path::Path};

use super::{
    chunks::Chunks,
    control::ReadControl,
    cursor::{Cursor, MAX_DEPTH, ParseError, unicode},
    edn,
    event_buffer::Each,
    event_builder::{EventBuilder, ParsedEvent, kind_named},
    event_field::Field,
    intake::Intake,
};
use crate::{History, ReadError, Value, value::ESCAPE};

/// Reads operations that may span lines.
pub(super) fn read(
    path: &Path,
    input: impl Read,
    watch: &ReadControl<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let mut chunks = Chunks::new(path, input, watch);
    let mut intake = Intake::new(watch, each);
    let mut records = None;
    let (mut is_array, mut is_first, mut has_comma) = (false, true, true);
    loop {
        match chunks.skip(blank)? {
            None if is_array => return Err(chunks.wrong(0, "expected ']' or another operation, but the file ends")),
            None => break,
            Some(b'[') if is_first && !is_array => {
                is_array = true;
                chunks.pass(1);
                continue;
            }
            Some(b']') if is_array && (is_first || !has_comma) => {
                chunks.pass(1);
                if chunks.skip(blank)?.is_some() {
                    return Err(chunks.wrong(0, "expected nothing after the array of operations"));
                }
                break;
            }
            Some(b',') if is_array && !has_comma => {
                has_comma = true;
                chunks.pass(1);
                continue;
            }
            Some(_) if is_array && !has_comma => return Err(chunks.wrong(0, "expected ',' or ']' after an operation")),
            Some(_) => {}
        }
        if is_first {
            records = chunks.records(|cursor| (Scanner { cursor }).value(0))?;
            is_first = false;
        }
        chunks.take(EXPECTED, |place, cursor| {
            let mut scanner = Scanner { cursor };
            let taken = match &mut records {
                None => {
                    let drafted = scanner.operation()?;
                    intake.take(place, scanner.read(), drafted)
                }
                Some(records) => {
                    let record = scanner.value(0)?;
                    records.take(&mut intake, place, scanner.read(), &record)
                }
            };
            Ok((scanner.cursor.at, taken))
        })?;
        has_comma = false;
    }
    intake.finish(chunks.place())
}

/// Prefix of the errors for a malformed event.
pub(super) const EXPECTED: &str = "expected an event as JSON, but ";

/// Skips what stands between operations.
fn blank(cursor: Cursor<'_>) -> (usize, Result<Option<u8>, ParseError>) {
    let mut scanner = Scanner { cursor };
    let found = scanner.blank();
    (scanner.cursor.at, found)
}

/// Parses the event on this line; returns the byte at which that fails, and why.
pub(super) fn event(line: &str) -> Result<ParsedEvent<'_>, (usize, Cow<'static, str>)> {
    whole(line, Scanner::operation)
}

/// Parses the value on this line; returns the byte at which that fails, and why.
pub(super) fn value(line: &str) -> Result<Value, (usize, Cow<'static, str>)> {
    whole(line, |scanner| scanner.value(0))
}

fn whole<'a, T>(
    line: &'a str,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<T, ParseError>,
) -> Result<T, (usize, Cow<'static, str>)> {
    let mut scanner = Scanner { cursor: Cursor::new(line.as_bytes()) };
    let found = read(&mut scanner).and_then(|found| match scanner.blank()? {
        None => Ok(found),
        Some(_) => Err(scanner.cursor.wrong("something stands behind it on the line")),
    });
    found.map_err(|trouble| match trouble {
        ParseError::Incomplete => (line.len(), "it ends too early".into()),
        ParseError::Malformed(at, why) => (at, why),
    })
}

/// Parser of forms, one after the other.
struct Scanner<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Scanner<'a> {
    /// Returns the bytes read so far.
    fn read(&self) -> &'a [u8] {
        &self.cursor.bytes[..self.cursor.at]
    }

    /// Skips blanks; returns the byte that follows, if any does.
    fn blank(&mut self) -> Result<Option<u8>, ParseError> {
        loop {
            match self.cursor.peek()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.cursor.at += 1,
                other => return Ok(other),
            }
        }
    }

    fn begin(&mut self) -> Result<u8, ParseError> {
        self.blank()?.ok_or(ParseError::Incomplete)
    }

    /// Parses the next operation.
    fn operation(&mut self) -> Result<ParsedEvent<'a>, ParseError> {
        if self.begin()? != b'{' {
            return Err(self.cursor.wrong("expected an operation: an object with \"process\", \"type\" and \"f\""));
        }
        let start = self.cursor.at;
        let mut draft = EventBuilder::new();
        self.pairs(|scanner, at, name| {
            let Some(field) = Field::named(name.as_bytes()) else {
                draft.pass_over(name);
                return scanner.value(1).map(drop);
            };
            if !draft.is_new(field) {
                return Err(ParseError::Malformed(at, format!("an operation says \"{name}\" twice").into()));
            }
            let next = scanner.begin()?;
            let at = scanner.cursor.at;
            match (field, next) {
                // Mostly so, and then nothing is copied.
                (Field::Type, b'"') => {
                    let name = scanner.text()?;
                    let why = || format!("expected a type, which is invoke, ok, fail or info, not \"{name}\"");
                    draft.set_kind(kind_named(&name).ok_or_else(|| ParseError::Malformed(at, why().into()))?);
                }
                (Field::F, b'"') => {
                    let name = scanner.text()?;
                    if name.is_empty() {
                        return Err(ParseError::Malformed(at, "expected a function, a name such as read".into()));
                    }
                    draft.set_function(name);
                }
                _ => {
                    let value = scanner.value(1)?;
                    draft.take(field, value).map_err(|why| ParseError::Malformed(at, why.into()))?;
                }
            }
            Ok(())
        })?;
        draft.finish("").map_err(|why| ParseError::Malformed(start, why.into()))
    }

    /// Parses the next object; calls `each` with the position and the text of each name, to parse the value that
    /// follows.
    fn pairs(
        &mut self,
        mut each: impl FnMut(&mut Self, usize, Cow<'a, str>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.cursor.at += 1;
        if self.begin()? == b'}' {
            self.cursor.at += 1;
            return Ok(());
        }
        loop {
            if self.begin()? != b'"' {
                return Err(self.cursor.wrong("expected a name in quotes"));
            }
            let at = self.cursor.at;
            let name = self.text()?;
            if self.begin()? != b':' {
                return Err(self.cursor.wrong("expected ':' after a name"));
            }
            self.cursor.at += 1;
            each(self, at, name)?;
            match self.begin()? {
                b',' => self.cursor.at += 1,
                b'}' => break,
                _ => return Err(self.cursor.wrong("expected ',' or '}' after a value")),
            }
        }
        self.cursor.at += 1;
        Ok(())
    }

    /// Parses the next value, at this nesting depth.
    fn value(&mut self, depth: u32) -> Result<Value, ParseError> {
        // The array of operations, the operation, and its value.
        if depth > MAX_DEPTH + 2 {
            return Err(self.cursor.wrong(format!("values are nested at most {MAX_DEPTH} deep")));
        }
        match self.begin()? {
            b'"' => Ok(Value::Str(self.text()?.into())),
            b'[' => self.items(depth).map(Value::List),
            b'{' => self.map(depth),
            b'-' | b'0'..=b'9' => {
                let at = self.cursor.at;
                let word = self.word()?;
                Value::from_json_number(self.cursor.utf8(word)?)
                    .map_err(|error| ParseError::Malformed(at, error.to_string().into()))
            }
            _ => {
                let at = self.cursor.at;
                match self.word()? {
                    b"null" => Ok(Value::Nil),
                    b"true" => Ok(Value::Bool(true)),
                    b"false" => Ok(Value::Bool(false)),
                    _ => Err(ParseError::Malformed(at, "expected a value".into())),
                }
            }
        }
    }

    fn word(&mut self) -> Result<&'a [u8], ParseError> {
        let is_end =
            |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"');
        self.cursor.until(is_end)
    }

    fn items(&mut self, depth: u32) -> Result<Vec<Value>, ParseError> {
        self.cursor.at += 1;
        let mut items = Vec::new();
        if self.begin()? != b']' {
            loop {
                items.push(self.value(depth + 1)?);
                match self.begin()? {
                    b',' => self.cursor.at += 1,
                    b']' => break,
                    _ => return Err(self.cursor.wrong("expected ',' or ']' after a value")),
                }
            }
        }
        self.cursor.at += 1;
        Ok(items)
    }

    fn map(&mut self, depth: u32) -> Result<Value, ParseError> {
        let start = self.cursor.at;
        let mut pairs = Vec::new();
        self.pairs(|scanner, _, name| {
            pairs.push((Value::Str(name.into()), scanner.value(depth + 1)?));
            Ok(())
        })?;
        let found = match &pairs[..] {
            [(Value::Str(name), Value::Str(text))] if **name == *ESCAPE => unescaped(text),
            _ => Value::map(pairs).map_err(|error| error.to_string()),
        };
        found.map_err(|why| ParseError::Malformed(start, why.into()))
    }

    /// Parses text in quotes.
    fn text(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.cursor.at += 1;
        let mut whole = String::new();
        loop {
            let rest = &self.cursor.bytes[self.cursor.at..];
            let length =
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).ok_or(ParseError::Incomplete)?;
            let part = self.cursor.utf8(&rest[..length])?;
            self.cursor.at += length;
            match rest[length] {
                b'"' => {
                    self.cursor.at += 1;
                    return Ok(if whole.is_empty() { part.into() } else { (whole + part).into() });
                }
                b'\\' => {
                    whole.push_str(part);
                    whole.push(self.escape()?);
                }
                _ => return Err(self.cursor.wrong("a text has a control character, which has to be escaped")),
            }
        }
    }

    /// Parses an escape within text.
    fn escape(&mut self) -> Result<char, ParseError> {
        let at = self.cursor.at + 1;
        let (c, length) = match *self.cursor.bytes.get(at).ok_or(ParseError::Incomplete)? {
            b't' => ('\t', 1),
            b'r' => ('\r', 1),
            b'n' => ('\n', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            byte @ (b'"' | b'\\' | b'/') => (char::from(byte), 1),
            b'u' => {
                let (c, length) = unicode(&self.cursor, at + 1)?;
                (c, length + 1)
            }
            _ => return Err(self.cursor.wrong("an escape in a text cannot be read")),
        };
        self.cursor.at = at + length;
        Ok(c)
    }
}

/// Returns the value that this text of EDN, taken from a `$edn` object, stands for.
fn unescaped(text: &str) -> Result<Value, String> {
    let value = edn::parse(text).map_err(|why| format!("\"{ESCAPE}\" stands before a value in EDN: {why}"))?;
    if value.is_json() {
        return Err(format!("\"{ESCAPE}\" stands before what only EDN can say, not before {value}"));
    }
    Ok(value)
}
