//! Notes on how a history was read, each in a line that names the file.

use std::path::Path;

use histories::History;

use crate::terminal;

/// Returns the notes of a history that was read from this file.
pub(crate) fn lines(file: &Path, history: &History) -> impl Iterator<Item = String> {
    history.notes.iter().map(|note| format!("{}: note: {note}", file.display()))
}

/// Tells them, for commands that write another file from the history.
pub(crate) fn tell(file: &Path, history: &History) {
    lines(file, history).for_each(|line| terminal::note(&line));
}
