//! The files that a command was given: patterns that the shell left alone stand for what they match.

use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::{exit::ExitStatus, ui::Failure};

/// As most shells match: `*` stays within a folder, and hidden files must be asked for.
const LIKE_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Each pattern replaced by what it matches, sorted. What exists by its literal name is no pattern; one that matches nothing
/// stays, for [`matched`] to refuse.
pub(super) fn expand(named: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::with_capacity(named.len());
    for name in named {
        let before = files.len();
        if let Some(pattern) = pattern(&name)
            && let Ok(found) = glob::glob_with(pattern, LIKE_A_SHELL)
        {
            // A folder that cannot be looked into is named, so that reading it says why.
            files.extend(found.map(|path| path.unwrap_or_else(|error| error.path().to_owned())));
        }
        if files.len() == before {
            files.push(name);
        } else {
            files[before..].sort();
        }
    }
    files
}

/// Whether a file is one at all.
///
/// # Errors
/// It is a pattern that matched nothing.
pub(super) fn matched(file: &Path) -> anyhow::Result<()> {
    let Some(pattern) = pattern(file) else { return Ok(()) };
    let what = match glob::Pattern::new(pattern) {
        Ok(_) => format!("{pattern}: no file matches this pattern"),
        Err(error) => format!("{pattern}: no such file, and no pattern: {error}"),
    };
    Err(Failure::new(ExitStatus::Unreadable, what).into())
}

/// The name as a pattern, if no file has just this name.
fn pattern(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| text.contains(['*', '?', '['])).filter(|_| name.symlink_metadata().is_err())
}
