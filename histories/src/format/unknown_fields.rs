//! Fields of events that no reader knows. They are passed over, as tools add fields of their own, but never in silence:
//! a misspelt field would otherwise change what is judged.

use super::{event_field::Field, record_parts::is_part};
use crate::{Note, ReadError, similar_name};

/// Fields that Jepsen adds to operations, which say nothing about what an operation did.
const OF_JEPSEN: [&str; 5] = ["clock-offsets", "completion", "debug", "exception", "latency"];
/// Maximum number of names kept for one file.
pub(super) const MAX_NAMES: usize = 8;
/// Maximum length of a name that is kept, in characters.
const MAX_NAME_CHARS: usize = 40;

/// Unknown fields of one file, in the order in which they came first.
#[derive(Debug, Default)]
pub(super) struct UnknownFields {
    names: Vec<(String, usize)>,
    /// Number of events with a field that is not among the names, as there are too many.
    others: usize,
}

impl UnknownFields {
    /// Takes the unknown fields of an event into account.
    pub(super) fn see(&mut self, names: Vec<String>) {
        let mut has_other = false;
        for name in names {
            if let Some((_, events)) = self.names.iter_mut().find(|(known, _)| *known == name) {
                *events += 1;
            } else if self.names.len() < MAX_NAMES {
                self.names.push((name, 1));
            } else {
                has_other = true;
            }
        }
        self.others += usize::from(has_other);
    }

    /// Returns a note for each.
    pub(super) fn notes(&self) -> impl Iterator<Item = Note> {
        let note = |(name, events): &(String, usize)| Note::UnknownField {
            name: name.clone(),
            events: *events,
            meant: meant(name),
        };
        let others = (self.others > 0).then_some(Note::FurtherUnknownFields { events: self.others });
        self.names.iter().map(note).chain(others)
    }

    /// Adds them to the error of an event or a history, since what is missed may stand in one of them.
    pub(super) fn beside(&self, mut error: ReadError) -> ReadError {
        if let ReadError::Malformed { aside, .. } | ReadError::Broken { aside, .. } | ReadError::Keys { aside, .. } =
            &mut error
        {
            aside.extend(self.notes().map(|note| format!("; note: {note}")));
        }
        error
    }
}

/// Returns true if Jepsen itself adds fields of this name.
pub(super) fn is_of_jepsen(name: &str) -> bool {
    OF_JEPSEN.contains(&name)
}

/// Returns a name as it is shown, behind the prefix of names in its format.
pub(super) fn shown(sign: &str, name: &str) -> String {
    let mut chars = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    let sign = if name.starts_with('"') { "" } else { sign };
    let mut shown: String = sign.chars().chain(chars.by_ref().take(MAX_NAME_CHARS)).collect();
    shown.push_str(if chars.next().is_some() { "…" } else { "" });
    shown
}

/// Returns words on those of the unknown fields that may stand for the missing one.
pub(super) fn instead_of(missing: &str, unknown: &[String]) -> String {
    if let Some(name) = unknown.iter().find(|name| meant(name).is_some_and(|field| bare(&field) == missing)) {
        return format!("; it has `{name}`");
    }
    if unknown.iter().any(|name| is_part(bare(name))) {
        return "; if this is a record of a whole operation, it lacks the time of its call, as `call`".to_owned();
    }
    String::new()
}

/// Returns the field that a name may stand for, written as the name is.
fn meant(name: &str) -> Option<String> {
    let sign = if name.starts_with([':', '"']) { ":" } else { "" };
    let plain = bare(name).to_lowercase();
    similar_name(&plain, Field::NAMES.iter().map(|(name, _)| *name)).map(|field| format!("{sign}{field}"))
}

/// Returns a name without what marks it as one in EDN.
fn bare(name: &str) -> &str {
    name.trim_matches([':', '"'])
}
