//! `schism faults`: every fault, with its parameters, and whether this host can inject it.

use clap::Args;
use nemesis::{Capabilities, FaultKind, Parameter, PartitionBy};
use serde::Serialize;
use serde_json::json;

use crate::{
    error::ExitStatus,
    store::PrintedJson,
    terminal::{self, Table},
};

/// Lists the faults: what each does, its parameters, what it needs, and whether this host can inject it.
#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Row of the table: a kind of fault on this host.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    /// Form in which it is asked for.
    usage: &'static str,
    about: &'static str,
    parameters: Vec<Parameter>,
    /// Capabilities of the host, and what the system must offer.
    needs: Vec<&'static str>,
    /// True if this host can inject it.
    here: bool,
    /// Reason why it cannot, if so.
    why: Option<String>,
    /// Remedy, if it cannot.
    remedy: Option<String>,
}

impl FaultsArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let can = nemesis::probe(PartitionBy::default());
        let rows: Vec<Row> = FaultKind::ALL.iter().map(|kind| Row::of(*kind, &can)).collect();
        if self.json {
            return terminal::print_json(&PrintedJson::new(json!({ "faults": rows })));
        }
        let mut table = Table::new(["fault", "what it does", "parameters", "needs", "here"]);
        for row in rows {
            table.add_row([row.usage, row.about, &row.parameters(), &row.needs.join("\n"), &row.here()]);
        }
        terminal::print(&format!("{table}\n"))
    }
}

impl Row {
    fn of(kind: FaultKind, can: &Capabilities) -> Self {
        let refused = can.supports_kind(kind).err();
        Self {
            name: kind.name(),
            usage: kind.usage(),
            about: kind.about(),
            parameters: kind.parameters(),
            needs: can.needed_for(kind).map(|needed| needed.name).chain(kind.needs_of_system()).collect(),
            here: refused.is_none(),
            why: refused.as_ref().map(|refused| refused.why.clone()),
            remedy: refused.map(|refused| refused.remedy),
        }
    }

    fn parameters(&self) -> String {
        let line = |of: &Parameter| format!("{}: {} [{}]", of.name, of.values, of.default);
        self.parameters.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn here(&self) -> String {
        let missing = self.why.iter().chain(&self.remedy).map(String::as_str).collect::<Vec<_>>().join("; ");
        if self.here { "yes".to_owned() } else { format!("NO: {missing}") }
    }
}
