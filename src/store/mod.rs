//! Folders of past runs, which no name in them leads out of, and the JSON files in them.

mod confined;
mod json;
mod schema;

pub(crate) use confined::{ConfinedFolder, refused, write_inside};
pub(crate) use json::read_json;
pub(crate) use schema::{PrintedJson, SchemaVersion, VersionedFile};

/// Name of the page in a run's folder.
pub(crate) const REPORT_FILE: &str = "report.html";
