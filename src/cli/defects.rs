//! `schism defects`: the defects that can be planted in a node.

use clap::Args;
use node::{Defect, DefectDescription, UnknownDefect};
use serde::Serialize;
use serde_json::json;

use crate::{
    error::ExitStatus,
    store::PrintedJson,
    terminal::{
        self, Table,
        words::{counted, did_you_mean},
    },
};

/// Lists the defects that can be planted in nodes: rules that they break on purpose, to learn whether a test finds it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism defects
  schism defects votes-twice
  schism run --defect read-asks-nobody --faults partition:isolate-leader")]
pub(crate) struct DefectsArgs {
    /// Defect to describe in full.
    #[arg(value_name = "NAME", value_parser = parse_defect)]
    defect: Option<Defect>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Parses the name of a defect.
///
/// # Errors
/// Fails with the defect that may be meant by an unknown name.
pub(super) fn parse_defect(name: &str) -> Result<Defect, String> {
    let known = || Defect::ALL.iter().map(|defect| defect.name());
    name.parse().map_err(|error: UnknownDefect| format!("{error}{}", did_you_mean(name, known())))
}

/// Defect, as printed by `--json`.
#[derive(Debug, Serialize)]
struct DefectJson {
    name: &'static str,
    /// Broken rule, in a sentence or two.
    about: &'static str,
    sign: &'static str,
    source: &'static str,
    /// Command of a run that should show the defect.
    command: String,
}

impl DefectJson {
    fn of(defect: Defect) -> Self {
        let description = defect.description();
        let DefectDescription { name, sign, source, .. } = description;
        let command = format!("schism run --defect {name} {}", defect.load().options());
        Self { name, about: description.about(), sign: sign.name(), source, command }
    }
}

impl DefectsArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let chosen = self.defect.map_or_else(|| Defect::ALL.to_vec(), |defect| vec![defect]);
        let defects: Vec<DefectJson> = chosen.into_iter().map(DefectJson::of).collect();
        match &defects[..] {
            all if self.json => terminal::print_json(&PrintedJson::new(json!({ "defects": all }))),
            [only] => terminal::print(&in_full(only)),
            all => terminal::print(&table(all)),
        }
    }
}

fn in_full(defect: &DefectJson) -> String {
    let DefectJson { name, about, sign, source, command } = defect;
    format!("{name}: {about}\n\n  shows as: {sign}\n  source:   {source}\n  try:      {command}\n")
}

fn table(defects: &[DefectJson]) -> String {
    let mut table = Table::new(["defect", "shows as", "broken rule"]);
    for DefectJson { name, about, sign, .. } in defects {
        table.add_row([*name, *sign, *about]);
    }
    let count = counted(defects.len(), "defect");
    table.above(&format!("{count}; `schism defects NAME` tells the source of one, and a run that should show it\n"))
}
