//! Our own format, JSON Lines: one [`Event`] a line.

use std::{io, path::Path};

use super::{fast, keys::Gathering, lines::Lines, watch::Watch};
use crate::{Event, History, ReadError, TRANSACTION};

/// After so many events it is decided whether values are pairs of key and value.
const MAX_KEPT: usize = if cfg!(test) { 100 } else { 100_000 };

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
    each: Option<&mut dyn FnMut(&Event<'_>)>,
) -> Result<History, ReadError> {
    let mut lines = Lines::new(path, input);
    let mut gathering = Gathering::ours(watch.options());
    let (are_wanted, nobody): (_, &mut dyn FnMut(&Event<'_>)) = (each.is_some(), &mut |_| {});
    let each = each.unwrap_or(nobody);
    // Few histories mix transactions with other operations.
    let mut after_transaction = true;
    while let Some((place, text)) = lines.next()? {
        watch
            .json(text)
            .and_then(|()| watch.text(text.len(), gathering.builder()))
            .map_err(|source| place.unread(source))?;
        let line =
            str::from_utf8(text).map_err(|error| place.malformed(text, error.valid_up_to() + 1, "expected UTF-8"))?;
        // Whoever wants the events wants their values too.
        let read = |micros: &mut _, values: &mut _| fast::transaction(line, micros, values);
        let is_likely = !are_wanted && after_transaction;
        if let Some(pushed) = is_likely.then(|| gathering.push_transaction(place, text, read)).flatten() {
            pushed?;
            continue;
        }
        let event = fast::event(line).map_or_else(|| serde_json::from_str(line), Ok).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let hint = if error.is_eof() { ": the line ends too early" } else { "" };
            place.malformed(text, error.column(), format!("expected an event as JSON, but {reason}{hint}"))
        })?;
        after_transaction = event.f == TRANSACTION;
        gathering.push(place, Some(text), event, each)?;
        if gathering.kept() > MAX_KEPT {
            // What comes later and does not fit is an error.
            gathering.settle(place, each)?;
        }
    }
    gathering.finish(lines.end(), each)
}
