//! Our own format, JSON Lines: one [`Event`] per line.

use std::{io, path::Path};

use super::{
    control::ReadControl,
    event_buffer::Each,
    event_builder::{Moment, ParsedEvent},
    fast,
    intake::Intake,
    json,
    lines::Lines,
    records::Records,
};
use crate::{Event, History, ReadError, TRANSACTION};

/// Writes an event as a line.
///
/// # Errors
/// Returns an error if `out` cannot be written.
pub fn write_event(out: &mut impl io::Write, event: &Event<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

pub(super) fn read(
    path: &Path,
    input: impl io::Read,
    watch: &ReadControl<'_>,
    each: Each<'_>,
) -> Result<History, ReadError> {
    let mut lines = Lines::new(path, input);
    let mut intake = Intake::new(watch, each);
    let (mut is_first, mut records) = (true, None);
    // Few histories mix transactions with other operations.
    let mut after_transaction = true;
    while let Some((place, text)) = lines.next()? {
        watch.json(text).map_err(|source| place.unread(source))?;
        let line =
            str::from_utf8(text).map_err(|error| place.malformed(text, error.valid_up_to() + 1, "expected UTF-8"))?;
        let wrong = |(at, why): (usize, std::borrow::Cow<'static, str>)| {
            let is_whole = why.starts_with("expected");
            place.malformed(text, at + 1, if is_whole { why.into_owned() } else { format!("{}{why}", json::EXPECTED) })
        };
        if std::mem::take(&mut is_first) {
            records = json::value(line).ok().and_then(|value| Records::of_first(&value));
        }
        if let Some(records) = &mut records {
            records.take(&mut intake, place, text, &json::value(line).map_err(wrong)?)?;
            continue;
        }
        let read = |micros: &mut _, values: &mut _| fast::transaction(line, micros, values);
        if let Some(pushed) = after_transaction.then(|| intake.transaction(place, text, read)).flatten() {
            pushed?;
            continue;
        }
        let drafted = match fast::event(line) {
            Some(event) => {
                let time = Some(Moment::Whole(event.time.into()));
                ParsedEvent::of_fixed_form(event, time)
            }
            None => json::event(line).map_err(wrong)?,
        };
        after_transaction = drafted.event.f == TRANSACTION;
        intake.take(place, text, drafted)?;
    }
    intake.finish(lines.end())
}
