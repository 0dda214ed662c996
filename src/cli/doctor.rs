//! `schism doctor`: faults that this host can inject, and remedies for those that it cannot.

use std::path::{Path, PathBuf};

use clap::Args;
use nemesis::{Capability, FaultKind};
use serde_json::json;

use super::partition::PartitionArgs;
use crate::{
    error::ExitStatus,
    store::PrintedJson,
    terminal::{self, Table},
};

/// Shows which faults this host can inject, and what to do about those that it cannot. Exit code 1 if it lacks
/// something that the demo needs: its partitions, or a writable store.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Folder of the stored runs, which must be writable.
    #[arg(long, value_name = "DIR", default_value = "store")]
    store: PathBuf,
    #[command(flatten)]
    partition: PartitionArgs,
    /// Print the table as JSON.
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    pub(crate) fn execute(self) -> ExitStatus {
        let can = nemesis::probe(self.partition.way());
        let store = writable(&self.store);
        let has_demo = can.supports_kind(FaultKind::Partition).is_ok() && store.is_ok();
        let status = if has_demo { ExitStatus::Linearizable } else { ExitStatus::NotLinearizable };
        if self.json {
            let problem = store.as_ref().err();
            let store =
                json!({ "path": self.store.display().to_string(), "writable": store.is_ok(), "problem": problem });
            let found = json!({ "demo_can_run": has_demo, "capabilities": can.list(), "store": store });
            return terminal::beside(status, terminal::print_json(&PrintedJson::new(found)));
        }
        let mut table = Table::new(["capability", "here", "detail", "enables", "where it is missing"]);
        for row in can.list() {
            table.add_row([row.name, yes_or_no(row.present), &row.detail, row.enables, remedy(row)]);
        }
        let detail = store.as_ref().err().map_or_else(|| self.store.display().to_string(), Clone::clone);
        let remedy = if store.is_ok() { "" } else { "choose another with --store" };
        table.add_row(["writable store", yes_or_no(store.is_ok()), &detail, "keeping runs", remedy]);
        let demo = if has_demo { "can run here" } else { "lacks something here: see above" };
        terminal::beside(status, terminal::print(&table.above(&format!("The demo {demo}.\n"))))
    }
}

fn remedy(row: &Capability) -> &str {
    if row.present { "" } else { &row.remedy }
}

fn yes_or_no(present: bool) -> &'static str {
    if present { "yes" } else { "NO" }
}

/// Checks that runs can be stored there, and leaves nothing behind.
fn writable(store: &Path) -> Result<(), String> {
    let existing = store.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    tempfile::tempfile_in(existing).map(drop).map_err(|error| format!("{}: {error}", existing.display()))
}
