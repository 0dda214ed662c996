//! Files of JSON in a store: one way to read them, so that each says the same of a file that cannot be read.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::ConfinedFolder;
use crate::error::{ExitStatus, Failure};

/// Reads a file of JSON in a folder; none if there is no such file.
///
/// # Errors
/// Fails if it cannot be read, or does not have the expected layout.
pub(crate) fn read_json<T: DeserializeOwned>(
    folder: &ConfinedFolder,
    file: impl AsRef<Path>,
) -> Result<Option<T>, Failure> {
    let shown = folder.path().join(&file);
    let unreadable = |why: String| Failure::new(ExitStatus::Unreadable, format!("{}: {why}", shown.display()));
    let Some(text) = folder.read(file).map_err(|error| unreadable(error.to_string()))? else { return Ok(None) };
    serde_json::from_slice(&text).map(Some).map_err(|error| unreadable(error.to_string()))
}
