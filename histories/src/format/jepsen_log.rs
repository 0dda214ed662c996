//! Reader of the lines that Jepsen logs: `INFO  jepsen.util - 0 :invoke :read nil`, separated by tabs or blanks. All
//! other lines of a log are skipped.
//!
//! Unless [`super::ReadOptions::failed_cas`] says otherwise, a `cas` that failed with its arguments found another
//! value, and one that failed with a reason did not happen.

use std::{io::Read, path::Path};

use super::{
    control::ReadControl,
    edn,
    event_buffer::Each,
    event_builder::{self, ParsedEvent},
    intake::Intake,
    lines::Lines,
};
use crate::{Event, History, Process, ReadError};

/// Text before the process of an operation.
const MARKER: &[u8] = b"jepsen.util - ";
const TYPES: [&[u8]; 4] = [b":invoke", b":ok", b":fail", b":info"];

pub(super) fn read(
    path: &Path,
    input: impl Read,
    watch: &ReadControl<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let mut lines = Lines::new(path, input);
    let mut intake = Intake::new(watch, each).in_logs();
    while let Some((place, text)) = lines.next()? {
        if is_operation(text) {
            let line = std::str::from_utf8(text)
                .map_err(|error| place.malformed(text, error.valid_up_to() + 1, "expected UTF-8"))?;
            let event = event(line).map_err(|(column, reason)| place.malformed(text, column + 1, reason))?;
            intake.take(place, text, ParsedEvent::of_fixed_form(event, None))?;
        }
    }
    intake.finish(lines.end())
}

/// Returns true if a line is, or was meant to be, an operation; it must then be a complete one.
pub(super) fn is_operation(line: &[u8]) -> bool {
    let is_process = |word: &[u8]| {
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        word == b":nemesis" || (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    };
    let after = line.windows(MARKER.len()).position(|part| part == MARKER).map(|at| &line[at + MARKER.len()..]);
    // A client with a name, as opposed to the field of an operation that is printed as a map.
    let is_name = |word: &[u8]| word.starts_with(b":") && word != b":type";
    let words: Vec<_> = words_of(line).collect();
    // The last line of a log that was cut off.
    let is_cut = words.last().is_some_and(|word| *word == b"jepsen.util") || words.ends_with(&[b"jepsen.util", b"-"]);
    is_cut
        || after.and_then(|rest| words_of(rest).next()).is_some_and(is_process)
        || after.and_then(|rest| words_of(rest).nth(1)).is_some_and(|word| TYPES.contains(&word))
        || words.windows(2).any(|pair| is_process(pair[0]) && TYPES.contains(&pair[1]))
        || words.windows(3).any(|part| is_name(part[0]) && TYPES.contains(&part[1]) && part[2].starts_with(b":"))
}

fn words_of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Parses process, type, function, value and possibly an error; returns the byte at which that fails, and why.
fn event(line: &str) -> Result<Event<'static>, (usize, String)> {
    let type_at = words(line).find(|(_, word)| TYPES.contains(&word.as_bytes()));
    let (type_at, kind) = type_at.ok_or_else(|| (line.len(), "expected :invoke, :ok, :fail or :info".to_owned()))?;
    let (process_at, process) = words(&line[..type_at]).last().unwrap_or((0, ""));
    let process = edn::parse(process)
        .and_then(|process| Process::from_value(process).map_err(|error| error.to_string()))
        .map_err(|why| (process_at, why))?;
    let kind = edn::parse(kind).and_then(|kind| event_builder::kind(&kind)).map_err(|why| (type_at, why))?;

    let mut rest = &line[type_at..];
    let mut next = |name| {
        let (value, after) =
            edn::parse_first(rest).map_err(|why| (line.len() - rest.len(), format!("{name}: {why}")))?;
        rest = after;
        Ok(value)
    };
    next("type")?;
    let f = next("function")?;
    let value = next("value")?;
    let error = rest.trim();
    let mut event = Event::new(process, kind, event_builder::function(&f).map_err(|why| (type_at, why))?.to_owned());
    event.value = Some(value);
    event.error = (!error.is_empty()).then(|| error.to_owned().into());
    Ok(event)
}

/// Returns the words of a line, each with the byte at which it begins.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split_whitespace().map(|word| (word.as_ptr().addr() - line.as_ptr().addr(), word))
}
