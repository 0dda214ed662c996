//! Files named on the command line: a pattern that the shell did not expand stands for its matches, the folder of a run
//! for its history.

use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::error::{ExitStatus, Failure};

/// Options by which most shells match: `*` stays within a folder, and hidden files must be named.
const LIKE_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Names of the history in a run's folder, and its compressed forms, in the order in which they are looked for.
const NAMES: [&str; 4] = ["history.jsonl", "history.edn", "history.json", "history.columns"];
const ENDS: [&str; 3] = ["", "gz", "zst"];

/// Replaces each pattern by its matches, sorted, and the folder of each run by its history. An existing file is no
/// pattern, whatever its name; a pattern without a match stays, and [`matched`] refuses it.
pub(crate) fn expand(named: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::with_capacity(named.len());
    for name in named {
        let before = files.len();
        for pattern in pattern(&name).map(with_compressed).unwrap_or_default() {
            let Ok(found) = glob::glob_with(&pattern, LIKE_A_SHELL) else { continue };
            // A folder that cannot be looked into is named, so that reading it says why.
            files.extend(found.map(|path| path.unwrap_or_else(|error| error.path().to_owned())));
        }
        if files.len() == before {
            files.push(name);
        } else {
            files[before..].sort();
            // A folder that cannot be looked into is so for each form of the pattern.
            files.dedup();
        }
    }
    files.into_iter().map(|file| in_folder(&file).unwrap_or(file)).collect()
}

/// Returns a pattern, and if it names the histories of runs, those for the ones that have been compressed since.
fn with_compressed(pattern: &str) -> Vec<String> {
    let names_histories = NAMES.iter().any(|name| Path::new(pattern).file_name().is_some_and(|last| last == *name));
    let ends = ENDS.iter().filter(|end| names_histories && !end.is_empty());
    [pattern.to_owned()].into_iter().chain(ends.map(|end| format!("{pattern}.{end}"))).collect()
}

/// Returns the history in the folder of a run, or that with this name which has been compressed since.
fn in_folder(name: &Path) -> Option<PathBuf> {
    let with_ends =
        |path: PathBuf| ENDS.map(|end| if end.is_empty() { path.clone() } else { path.with_added_extension(end) });
    if name.is_dir() {
        return NAMES.iter().flat_map(|history| with_ends(name.join(history))).find(|path| path.is_file());
    }
    let is_gone = NAMES.iter().any(|history| name.ends_with(history)) && !name.exists();
    with_ends(name.to_owned()).into_iter().find(|path| is_gone && path.is_file())
}

/// Returns the one file that a name means: the history in the folder of a run, or the file itself.
///
/// # Errors
/// Fails if it is a folder without a history.
pub(crate) fn history_of(name: PathBuf) -> anyhow::Result<PathBuf> {
    let file = in_folder(&name).unwrap_or(name);
    if file.is_dir() { matched(&file).map(|()| file) } else { Ok(file) }
}

/// Checks that a name means a file.
///
/// # Errors
/// Fails if it is a pattern that matched nothing, or a folder without a history.
pub(crate) fn matched(file: &Path) -> anyhow::Result<()> {
    if file.is_dir() {
        let what = format!("{}: there is no history in this folder: no {}", file.display(), NAMES.join(", no "));
        let hint = "name the folder of one run, or its history; a pattern such as 'store/*/*' stands for the folders \
        that it matches";
        return Err(Failure::new(ExitStatus::Unreadable, what).hint(hint).into());
    }
    let Some(pattern) = pattern(file) else { return Ok(()) };
    let what = match glob::Pattern::new(pattern) {
        Ok(_) => format!("{pattern}: no file matches this pattern"),
        Err(error) => format!("{pattern}: no such file, and no pattern: {error}"),
    };
    Err(Failure::new(ExitStatus::Unreadable, what).into())
}

/// Returns the name as a pattern, if no file has exactly this name.
fn pattern(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| text.contains(['*', '?', '['])).filter(|_| name.symlink_metadata().is_err())
}
