//! Reader of histories of Jepsen and Knossos: EDN op maps, in a vector, in a list, or in sequence, plain or tagged
//! (`#jepsen.history.Op{…}`). Records, one map per whole operation, are read as well ([`super::records`]).
//!
//! In this format a `fail` means that the operation did not happen, even for a `cas`.

mod scan;

use std::{io::Read, path::Path};

use super::{
    chunks::Chunks,
    control::ReadControl,
    cursor::{Cursor, ParseError},
    event_buffer::Each,
    event_builder::{EventBuilder, ParsedEvent, kind_named},
    event_field::Field,
    intake::Intake,
};
use crate::{History, ReadError, Value};
use scan::{Scanner, deeper};

pub(super) fn read(
    path: &Path,
    input: impl Read,
    watch: &ReadControl<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let mut chunks = Chunks::new(path, input, watch);
    let mut intake = Intake::new(watch, each);
    let mut records = None;
    // The bracket around all operations, if there is one.
    let mut close = None;
    let mut is_first = true;
    loop {
        let next = chunks.skip(blank)?;
        match next {
            None if close.is_some() => {
                let expected = format!("expected '{}' or another operation, but the file ends", close.unwrap_or(' '));
                return Err(chunks.wrong(0, expected));
            }
            None => break,
            Some(b'[' | b'(') if is_first && close.is_none() => {
                close = Some(if next == Some(b'[') { ']' } else { ')' });
                chunks.pass(1);
                continue;
            }
            Some(byte) if close == Some(char::from(byte)) => {
                chunks.pass(1);
                if chunks.skip(blank)?.is_some() {
                    return Err(chunks.wrong(0, "expected nothing after the operations"));
                }
                break;
            }
            Some(_) => {}
        }
        if is_first {
            records = chunks.records(|cursor| (Scanner { cursor }).value(0))?;
            is_first = false;
        }
        chunks.take("expected an operation as EDN, but ", |place, cursor| {
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
    }
    intake.finish(chunks.place())
}

/// Skips what stands between operations.
fn blank(cursor: Cursor<'_>) -> (usize, Result<Option<u8>, ParseError>) {
    let mut scanner = Scanner { cursor };
    let found = scanner.blank(0);
    (scanner.cursor.at, found)
}

impl<'a> Scanner<'a> {
    /// Returns the bytes read so far.
    fn read(&self) -> &'a [u8] {
        &self.cursor.bytes[..self.cursor.at]
    }

    /// Parses the next operation.
    fn operation(&mut self) -> Result<ParsedEvent<'a>, ParseError> {
        let start = self.cursor.at;
        let mut depth = 0;
        loop {
            match self.begin(depth)? {
                b'{' => break,
                b'^' => self.metadata(depth)?,
                b'#' if self.cursor.bytes.get(self.cursor.at + 1).is_some_and(u8::is_ascii_alphabetic) => {
                    let at = self.cursor.at;
                    let tag = self.tag()?;
                    if !tag.ends_with("Op") {
                        return Err(ParseError::Malformed(at, format!("expected an operation, not #{tag}").into()));
                    }
                }
                byte @ (b')' | b']' | b'}') => {
                    let why = format!("there is a `{}` without its partner", char::from(byte));
                    return Err(self.cursor.wrong(why));
                }
                _ => return Err(self.cursor.wrong("expected an operation: a map with :process, :type and :f")),
            }
            depth = deeper(&self.cursor, depth)?;
        }
        self.cursor.at += 1;
        let mut draft = EventBuilder::new();
        loop {
            match self.begin(1)? {
                b'}' => break,
                b':' => self.field(&mut draft)?,
                _ => {
                    draft.pass_over_other(&self.value(1)?);
                    self.value(1)?;
                }
            }
        }
        self.cursor.at += 1;
        draft.finish(":").map_err(|why| ParseError::Malformed(start, why.into()))
    }

    /// Parses a key of an operation and its value.
    fn field(&mut self, draft: &mut EventBuilder<'a>) -> Result<(), ParseError> {
        let at = self.cursor.at;
        self.cursor.at += 1;
        let name = self.word()?;
        let Some(field) = Field::named(name) else {
            self.cursor.at = at;
            draft.pass_over(self.keyword()?.into());
            return self.value(1).map(drop);
        };
        if !draft.is_new(field) {
            return Err(ParseError::Malformed(
                at,
                format!("an operation says :{} twice", self.cursor.utf8(name)?).into(),
            ));
        }
        let next = self.begin(1)?;
        let at = self.cursor.at;
        match (field, next) {
            // Mostly so, and then nothing is copied.
            (Field::Type, b':') => {
                let name = self.keyword()?;
                let why = || format!("expected a type, :invoke, :ok, :fail or :info, not :{name}");
                draft.set_kind(kind_named(name).ok_or_else(|| ParseError::Malformed(at, why().into()))?);
            }
            (Field::F, b':') => draft.set_function(self.keyword()?),
            _ => {
                let value = self.value(1)?;
                draft.take(field, value).map_err(|why| ParseError::Malformed(at, why.into()))?;
            }
        }
        Ok(())
    }
}

/// Parses one EDN value and nothing else.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    match parse_first(text)? {
        (value, rest) if rest.trim().is_empty() => Ok(value),
        (_, rest) => Err(format!("expected nothing after the value, not {rest:?}")),
    }
}

/// Parses the EDN value at the beginning of `text`; returns it and the rest of the text.
pub(super) fn parse_first(text: &str) -> Result<(Value, &str), String> {
    let mut scanner = Scanner::new(text.as_bytes());
    match scanner.value(0) {
        Ok(value) => Ok((value, &text[scanner.cursor.at..])),
        Err(ParseError::Incomplete) => Err("expected an EDN value, but it ends too early".to_owned()),
        Err(ParseError::Malformed(_, why)) => Err(format!("expected an EDN value, but {why}")),
    }
}

#[cfg(test)]
mod tests;
