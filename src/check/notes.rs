//! Notes on how a history was read, for commands that write another file from it.

use std::path::Path;

use histories::History;

use crate::terminal;

/// Tells the notes of a history that was read from this file.
pub(crate) fn tell(file: &Path, history: &History) {
    for note in &history.notes {
        terminal::note(&format!("{}: note: {note}", file.display()));
    }
}
