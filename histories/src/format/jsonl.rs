//! Our own format, JSON Lines: one [`Event`] a line.

use std::{io, path::Path};

use super::{fast, lines::Lines, watch::Watch};
use crate::{Event, History, HistoryBuilder, ReadError, TRANSACTION};

/// Writes an event as a line.
///
/// # Errors
/// `out` said no.
pub fn write_event(out: &mut impl io::Write, event: &Event<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

pub(super) fn read(
    path: &Path,
    input: impl io::Read,
    watch: &Watch<'_>,
    mut each: Option<&mut dyn FnMut(&Event<'_>)>,
) -> Result<History, ReadError> {
    let mut lines = Lines::new(path, input);
    let mut builder = HistoryBuilder::default();
    // Few histories mix transactions with other operations.
    let mut after_transaction = true;
    while let Some((place, text)) = lines.next()? {
        watch.json(text).and_then(|()| watch.text(text.len(), &builder)).map_err(|source| place.unread(source))?;
        let line =
            str::from_utf8(text).map_err(|error| place.malformed(text, error.valid_up_to() + 1, "expected UTF-8"))?;
        // Whoever wants the events wants their values too.
        let read = |micros: &mut _, values: &mut _| fast::transaction(line, micros, values);
        let is_likely = each.is_none() && after_transaction;
        if let Some(pushed) = is_likely.then(|| builder.push_transaction(read)).flatten() {
            pushed.map_err(|rule| place.broken(text, rule))?;
            continue;
        }
        let event = fast::event(line).map_or_else(|| serde_json::from_str(line), Ok).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let hint = if error.is_eof() { ": the line ends too early" } else { "" };
            place.malformed(text, error.column(), format!("expected an event as JSON, but {reason}{hint}"))
        })?;
        if let Some(each) = &mut each {
            each(&event);
        }
        after_transaction = event.f == TRANSACTION;
        builder.push(event).map_err(|rule| place.broken(text, rule))?;
    }
    let history = builder.finish();
    if history.operations.is_empty() { Err(lines.end().empty()) } else { Ok(history) }
}
