//! Folders of past runs, which no name in them leads out of, and the JSON files in them.

mod confined;
mod json;
mod schema;

pub(crate) use confined::{ConfinedFolder, refused, write_inside};
pub(crate) use json::read_json;
pub(crate) use schema::{PrintedJson, SchemaVersion, VersionedFile};

use std::{fs, path::Path};

use crate::error::{ExitStatus, Failure};

/// Makes a folder in which runs are stored, if it is not there yet.
///
/// # Errors
/// Fails if it cannot be made, or is something else.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    fs::create_dir_all(path).map_err(|error| {
        if path.exists() {
            Failure::new(ExitStatus::Failed, format!("{shown} is there already, and no folder"))
                .hint("give a folder, or a name that is not taken")
        } else {
            Failure::new(ExitStatus::Failed, format!("cannot make the folder {shown}: {error}"))
                .hint("give a folder that can be made and written to")
        }
    })
}

/// Name of the page in a run's folder.
pub(crate) const REPORT_FILE: &str = "report.html";
