//! Past runs in a store: their folders, which no name in them leads out of, and their content.

mod confined;
mod schema;
mod stored_runs;

pub(crate) use confined::{ConfinedFolder, refused, write_inside};
pub(crate) use schema::SchemaVersion;
pub(crate) use stored_runs::{StoredRun, find, is_run};

/// Name of the page in a run's folder.
pub(crate) const REPORT_FILE: &str = "report.html";
