//! Jepsen's and Knossos's histories: EDN op maps, in one vector or one after the other, plain or tagged (`#jepsen.history.Op{…}`).
//!
//! Their own truth: a `fail` did not happen, also of a `cas`; a process may go on after `info`; the order of the file counts.

use std::{
    io::{self, Read},
    path::Path,
};

use clojure_reader::{
    edn::{self, Edn},
    error::Code,
};

use super::{
    edn_terms,
    keys::{Gathering, Pairing, is_keyed},
    lines::{Place, line_ends},
    shape::Shape,
    watch::Watch,
};
use crate::{Edn as ValueInEdn, Event, EventType, History, HistoryBuilder, Process, ReadError, Value};

/// The largest file that is read, bytes: the format has no lines to read it by.
const MAX_BYTES: u64 = 1 << 30;
/// So many events are kept between two looks at them.
const MAX_KEPT: usize = if cfg!(test) { 100 } else { 100_000 };
/// So many bytes are looked at between two questions whether to go on.
const BYTES_PER_QUESTION: usize = 1 << 20;
/// What a part of a form takes at most when it is parsed and made to a value, which is then kept, in bytes; and what a map takes, of
/// which the smallest has room for eleven.
const PART_BYTES: usize = 128;
const MAP_BYTES: usize = 1024;
/// How deep values may be nested.
const MAX_DEPTH: u32 = 64;

pub(super) fn read(
    path: &Path,
    input: impl Read,
    watch: &Watch<'_>,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<History, ReadError> {
    let mut bytes = Vec::new();
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Place { path, line: 1 }.malformed(
            &[],
            1,
            format!("an EDN history is at most {MAX_BYTES} bytes long"),
        ));
    }
    let mut source = Source::new(path, &bytes)?;
    let text = edn_terms::plain(source.text);
    source.text = &text;
    let largest = nesting(source.text, |_| watch.ask(0)).map_err(|wrong| match wrong {
        Wrong::Deep(place) => source.wrong(place, too_deep()),
        Wrong::Io(error) => io(error),
    })?;
    watch.ask(largest).map_err(io)?;
    let mut gathering = Gathering::jepsen(watch.options());
    source.each_event(&mut |place, bytes, event| {
        watch.text(bytes, gathering.builder()).map_err(io)?;
        gathering.push(place, None, event, each)?;
        Ok(gathering.kept() <= MAX_KEPT)
    })?;
    if gathering.kept() <= MAX_KEPT {
        return gathering.finish(source.place(), each);
    }
    // Only all events say whether values are pairs of key and value, and they are too many to be kept: all are read twice.
    drop(gathering);
    source = Source { at: 0, line: 1, ..source };
    let (mut shape, nobody) = (Shape::default(), HistoryBuilder::default());
    source.each_event(&mut |_, bytes, event| {
        watch.text(bytes, &nobody).map_err(io)?;
        shape.see(&event);
        Ok(!shape.is_plain())
    })?;
    source = Source { at: 0, line: 1, ..source };
    let mut pairing = Pairing::new(watch.options(), is_keyed(&shape, source.place())?);
    source.each_event(&mut |place, bytes, event| {
        watch.text(bytes, pairing.builder()).map_err(io)?;
        pairing.push(place, None, event, each).map(|()| true)
    })?;
    pairing.finish(source.place())
}

/// A text and how far it is read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    at: usize,
    line: u64,
}

impl<'a> Source<'a> {
    fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, ReadError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text, at: 0, line: 1 }),
            Err(error) => {
                let (good, _) = bytes.split_at(error.valid_up_to());
                let line = 1 + line_ends(good);
                let start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let text = bytes[start..].split(|byte| *byte == b'\n').next().unwrap_or_default();
                Err(Place { path, line }.malformed(text, good.len() - start + 1, "expected UTF-8"))
            }
        }
    }

    fn place(&self) -> Place<'a> {
        Place { path: self.path, line: self.line }
    }

    /// Hands over one event after the other with its place and its length, until all are read or `take` wants no more.
    fn each_event(
        &mut self,
        take: &mut dyn FnMut(Place<'a>, usize, Event<'static>) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let vector = self.skip().starts_with('[');
        if vector {
            self.advance(1);
        }
        loop {
            let rest = self.skip();
            if rest.is_empty() {
                let cut_off = || self.wrong(0, "expected ']' or another operation, but the file ends");
                return if vector { Err(cut_off()) } else { Ok(()) };
            }
            if vector && rest.starts_with(']') {
                self.advance(1);
                let is_over = self.skip().is_empty();
                let more = || self.wrong(0, "expected nothing after the vector of operations");
                return if is_over { Ok(()) } else { Err(more()) };
            }
            let (form, after) = edn::read(rest).map_err(|error| {
                self.wrong(
                    error.ptr.unwrap_or(rest.len()),
                    format!("expected an operation as EDN, but {}", in_words(&error.code)),
                )
            })?;
            let event = event(&form).map_err(|why| self.wrong(0, why))?;
            if !take(self.place(), rest.len() - after.len(), event)? {
                return Ok(());
            }
            self.advance(rest.len() - after.len());
        }
    }

    /// Passes over blanks, commas and comments; what follows.
    fn skip(&mut self) -> &'a str {
        loop {
            let rest = &self.text[self.at..];
            let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
            let is_comment = rest[blanks..].starts_with(';');
            let comment = if is_comment { rest[blanks..].find('\n').unwrap_or(rest.len() - blanks) } else { 0 };
            if blanks + comment == 0 {
                return rest;
            }
            self.advance(blanks + comment);
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.line += line_ends(&self.text.as_bytes()[self.at..self.at + bytes]);
        self.at += bytes;
    }

    /// What is wrong `offset` bytes from here.
    fn wrong(&self, offset: usize, reason: impl Into<String>) -> ReadError {
        let at = (self.at + offset).min(self.text.len());
        let bytes = self.text.as_bytes();
        let line = self.line + line_ends(&bytes[self.at..at]);
        let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = bytes[start..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        Place { path: self.path, line }.malformed(text, at - start + 1, reason)
    }
}

/// An op map as an event.
fn event(form: &Edn<'_>) -> Result<Event<'static>, String> {
    let map = match form {
        Edn::Map(map) => map,
        Edn::Tagged(tag, inner) if tag.ends_with("Op") => match &**inner {
            Edn::Map(map) => map,
            _ => return Err("expected a map after the tag of an operation".to_owned()),
        },
        _ => return Err("expected an operation: a map with :process, :type and :f".to_owned()),
    };
    let field = |name: &'static str| map.get(&Edn::Key(name.into()));
    let demand = |name| {
        field(name).ok_or_else(|| format!("expected :{name} in the operation")).and_then(|found| value(found, 0))
    };
    let mut event = Event::new(process(demand("process")?)?, kind(&demand("type")?)?, name(&demand("f")?)?);
    let optional = |name| field(name).map(|found| value(found, 0)).transpose();
    event.value = optional("value")?;
    event.key = optional("key")?;
    event.observed = optional("observed")?;
    event.mismatch = optional("mismatch")? == Some(Value::Bool(true));
    if let Some(Value::Int(node)) = optional("node")? {
        event.node = u16::try_from(node).ok();
    }
    if let Some(Value::Int(revision)) = optional("revision")? {
        event.revision = u64::try_from(revision).ok();
    }
    event.error = optional("error")?.map(|why| match why {
        Value::Str(text) => text.into_string().into(),
        other => other.to_string().into(),
    });
    if let Some(Value::Int(index)) = optional("index")? {
        event.index = Some(u64::try_from(index).map_err(|_| format!("expected an :index from 0 on, not {index}"))?);
    }
    if let Some(Value::Int(time)) = optional("time")? {
        event.time = u64::try_from(time).unwrap_or(0);
    }
    Ok(event)
}

/// One EDN value and nothing else.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    match parse_first(text)? {
        (value, rest) if rest.trim().is_empty() => Ok(value),
        (_, rest) => Err(format!("expected nothing after the value, not {rest:?}")),
    }
}

fn too_deep() -> String {
    format!("values are nested at most {MAX_DEPTH} deep")
}

/// Why a text is not to be parsed.
#[derive(Debug)]
enum Wrong {
    /// It is nested too deep for the parser, which recurses, at this byte: more than [`MAX_DEPTH`] brackets, or tags one after the other.
    Deep(usize),
    /// Whoever was asked whether to go on said no.
    Io(io::Error),
}

/// What the largest form of a text takes when it is parsed, in bytes, at most; asks now and then whether to go on.
fn nesting(text: &str, keep_going: impl Fn(usize) -> io::Result<()>) -> Result<usize, Wrong> {
    let (mut depth, mut tags) = (0_u32, 0_u32);
    // The vector of operations is no form of its own.
    let outside = u32::from(text.trim_start().starts_with('['));
    let (mut needs, mut largest) = (0, 0);
    let mut bytes = text.bytes().enumerate();
    let (mut in_word, mut asked) = (false, 0);
    while let Some((place, byte)) = bytes.next() {
        if place - asked > BYTES_PER_QUESTION {
            asked = place;
            keep_going(place).map_err(Wrong::Io)?;
        }
        let begins = !in_word;
        needs += match byte {
            b'{' => MAP_BYTES,
            b'[' | b'(' | b'"' => PART_BYTES,
            _ if begins => PART_BYTES,
            _ => 1,
        };
        in_word = false;
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => {
                (depth, tags) = (depth.saturating_sub(1), 0);
                if depth <= outside {
                    (needs, largest) = (0, largest.max(needs));
                }
            }
            b'#' | b'\'' | b'^' | b'@' | b'`' | b'~' => (tags, in_word) = (tags + 1, byte == b'#'),
            b'"' => {
                tags = 0;
                while let Some((_, inside)) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b';' => drop(bytes.find(|(_, inside)| *inside == b'\n')),
            b'\\' => drop(bytes.next()),
            b',' => {}
            blank if blank.is_ascii_whitespace() => {}
            _ => {
                tags = if begins { 0 } else { tags };
                in_word = true;
            }
        }
        // The vector of operations, the operation, and its value.
        if depth + tags > MAX_DEPTH + 2 {
            return Err(Wrong::Deep(place));
        }
    }
    Ok(largest.max(needs))
}

/// What is wrong with a text that is not EDN.
fn in_words(code: &Code) -> String {
    match code {
        Code::UnexpectedEOF => "it ends too early".to_owned(),
        Code::UnmatchedDelimiter(delimiter) => format!("there is a `{delimiter}` without its partner"),
        Code::HashMapDuplicateKey => "a map has a key twice".to_owned(),
        Code::SetDuplicateKey => "a set has an element twice".to_owned(),
        Code::InvalidChar => "a character cannot be read".to_owned(),
        Code::InvalidEscape => "an escape in a text cannot be read".to_owned(),
        Code::InvalidKeyword => "a keyword cannot be read".to_owned(),
        Code::InvalidNumber | Code::InvalidRadix(_) => "a number cannot be read".to_owned(),
        Code::InvalidTag => "a tag cannot be read".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The EDN value at the beginning of `text`, and what follows.
pub(super) fn parse_first(text: &str) -> Result<(Value, &str), String> {
    nesting(text, |_| Ok(())).map_err(|_| too_deep())?;
    let (form, rest) =
        edn::read(text).map_err(|error| format!("expected an EDN value, but {}", in_words(&error.code)))?;
    Ok((value(&form, 0)?, rest))
}

pub(super) fn process(value: Value) -> Result<Process, String> {
    Process::from_value(value).map_err(|error| error.to_string())
}

pub(super) fn kind(value: &Value) -> Result<EventType, String> {
    Ok(match keyword(value) {
        Some("invoke") => EventType::Invoke,
        Some("ok") => EventType::Ok,
        Some("fail") => EventType::Fail,
        Some("info") => EventType::Info,
        _ => return Err(format!("expected a type, :invoke, :ok, :fail or :info, not {value}")),
    })
}

pub(super) fn name(value: &Value) -> Result<String, String> {
    match value.name() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(format!("expected a function, a keyword such as :read, not {value}")),
    }
}

fn keyword(value: &Value) -> Option<&str> {
    match value {
        Value::Edn(edn) => match &**edn {
            ValueInEdn::Keyword(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// A value, as far as the parser keeps what was written.
fn value(form: &Edn<'_>, depth: u32) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let list = |items: &mut dyn Iterator<Item = &Edn<'_>>| {
        items.map(|item| value(item, depth + 1)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match form {
        Edn::Nil => Value::Nil,
        Edn::Bool(b) => Value::Bool(*b),
        Edn::Int(number) => Value::Int(*number),
        Edn::Double(number) => {
            Value::from_edn_number(&format!("{number:?}", number = number.0)).map_err(|error| error.to_string())?
        }
        Edn::Rational((numerator, denominator)) => {
            Value::from_edn_number(&format!("{numerator}/{denominator}")).map_err(|error| error.to_string())?
        }
        Edn::Str(text) => Value::Str((**text).into()),
        Edn::Symbol(name) => Value::symbol(name),
        Edn::Key(name) => Value::keyword(name),
        Edn::Char(c) => Value::char(*c),
        Edn::Vector(items) | Edn::List(items) => Value::List(list(&mut items.iter())?),
        Edn::Set(items) => Value::set(list(&mut items.iter())?).map_err(|error| error.to_string())?,
        Edn::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, item)| Ok((value(key, depth + 1)?, value(item, depth + 1)?)));
            Value::map(pairs.collect::<Result<_, String>>()?).map_err(|error| error.to_string())?
        }
        // Jepsen's pairs of key and value, which Clojure compares as vectors.
        Edn::Tagged(tag, inner) if &**tag == "jepsen.independent/tuple" => value(inner, depth + 1)?,
        Edn::Tagged(tag, inner) => Value::tagged(tag, value(inner, depth + 1)?).map_err(|error| error.to_string())?,
        _ => return Err("a kind of value that is not known".to_owned()),
    })
}
