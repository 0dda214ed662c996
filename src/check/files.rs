//! Files named on the command line: a pattern that the shell did not expand stands for its matches, the folder of a run
//! for its history.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use glob::MatchOptions;

use crate::{
    error::{ExitStatus, Failure},
    terminal::{self, words::counted},
};

/// Options by which most shells match: `*` stays within a folder, and hidden files must be named.
const LIKE_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Names of the history in a run's folder, and its compressed forms, in the order in which they are looked for.
const NAMES: [&str; 4] = ["history.jsonl", "history.edn", "history.json", "history.columns"];
const ENDS: [&str; 3] = ["", "gz", "zst"];

/// Name of the file with the plan of a run, which marks a folder as a run's.
pub(crate) const TEST_FILE: &str = "test.json";

/// Replaces each pattern by its matches, sorted, and the folder of each run by its history. A pattern that matches
/// folders of runs stands for these alone, as a store has pages and links beside them. An existing file is no pattern,
/// whatever its name; a pattern without a match stays, and [`matched`] refuses it.
pub(crate) fn expand(named: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::with_capacity(named.len());
    for name in named {
        let (mut matches, mut unreadable) = (Vec::new(), Vec::new());
        for pattern in pattern(&name).map(with_compressed).unwrap_or_default() {
            let Ok(found) = glob::glob_with(&pattern, LIKE_A_SHELL) else { continue };
            for path in found {
                match path {
                    Ok(path) => matches.push(path),
                    // Reading it says why.
                    Err(error) => unreadable.push(error.path().to_owned()),
                }
            }
        }
        if matches.iter().any(|path| is_run(path)) {
            let before = matches.len();
            matches.retain(|path| is_run(path));
            tell_left_out(&name, before - matches.len());
        }
        let mut found = each_once(matches);
        found.append(&mut unreadable);
        found.sort();
        // A folder that cannot be looked into is so for each form of the pattern.
        found.dedup();
        files.extend(if found.is_empty() { vec![name] } else { found });
    }
    files.into_iter().map(|file| in_folder(&file).unwrap_or(file)).collect()
}

/// Returns true if a file is the history of a run, in the run's folder.
pub(crate) fn is_of_run(file: &Path) -> bool {
    file.file_name().is_some() && file.with_file_name(TEST_FILE).is_file()
}

fn is_run(path: &Path) -> bool {
    path.is_dir() && in_folder(path).is_some()
}

fn tell_left_out(pattern: &Path, number: usize) {
    if number > 0 {
        let paths = counted(number, "path");
        terminal::note(&format!("{}: leaving out {paths} beside the runs", pattern.display()));
    }
}

/// Leaves out paths through links to what has a path of its own, or another such path, among these.
fn each_once(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_linked = |path: &Path| !whole(path).ends_with(path.strip_prefix(".").unwrap_or(path));
    paths.sort_by_cached_key(|path| (is_linked(path), path.clone()));
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(whole(path)));
    paths
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
        let hint = "name the folder of one run, or its history; a pattern such as 'store/*/*' stands for the runs \
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

/// Checks that writing `output` keeps what it is made of: a file that is read, and in a folder the history and all
/// other records.
///
/// # Errors
/// Fails if it would overwrite one of these.
pub(crate) fn keep<'a>(inputs: impl IntoIterator<Item = &'a Path>, output: &Path) -> anyhow::Result<()> {
    let Ok(target) = output.canonicalize() else { return Ok(()) };
    let is_record = |file: &Path| {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        name.starts_with("history.") || [".json", ".sqlite"].iter().any(|end| name.ends_with(end))
    };
    let is_read = |input: &Path| {
        let input = input.canonicalize().unwrap_or_else(|_| input.to_owned());
        target == input || (input.is_dir() && target.starts_with(&input) && is_record(&target))
    };
    if !target.is_file() || !inputs.into_iter().any(is_read) {
        return Ok(());
    }
    let what = format!("{}: what is to be written is made of this file, and would overwrite it", output.display());
    Err(Failure::new(ExitStatus::Usage, what).hint("give another name for the output").into())
}

/// Returns the name as a pattern, if no file has exactly this name.
fn pattern(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| text.contains(['*', '?', '['])).filter(|_| name.symlink_metadata().is_err())
}
