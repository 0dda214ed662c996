//! `schism export`: the picture of a violation by itself, its graph, the faults of a run as a script, or the figures of
//! a campaign or a comparison as a table.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use maud::Markup;

use super::report::with_facts;
use crate::{
    campaign::folder::{read_plan, stored_summary},
    check::{JudgingOptions, files},
    compare,
    error::{ExitStatus, Failure},
    render::dot,
    report::{
        Facts, cycle, outputs,
        timeline::{self, Extent},
    },
    run::{repeated_plan, script_of},
    store::ConfinedFolder,
    terminal,
};

/// Writes the picture of a violation by itself, its graph, the faults of a run as a script, or the figures of a
/// campaign or a comparison as a table.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism export --svg store/latest -o violation.svg
  schism export --dot transactions.edn | dot -Tpdf -o cycle.pdf
  schism export --script store/latest -o faults.toml
  schism export --csv store/campaign -o runs.csv
  schism export --markdown store/compare")]
#[command(override_usage = "schism export --svg|--dot|--script|--csv|--markdown [OPTIONS] <DIR|FILE>")]
#[command(group = ArgGroup::new("kind").required(true).args(["svg", "dot", "script", "csv", "markdown"]))]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    /// Write the timeline of the violation, or the cycle of transactions, as SVG.
    #[arg(long)]
    svg: bool,
    /// Write the cycle of transactions as a graph in Graphviz's language.
    #[arg(long)]
    dot: bool,
    /// Write the faults, with the nodes that they hit, for `schism run --script`.
    #[arg(long)]
    script: bool,
    /// Write the runs of a campaign as CSV, or the read modes of a comparison, one a line.
    #[arg(long)]
    csv: bool,
    /// Write the tables of a campaign or a comparison as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Folder of a run, or a history; for --csv and --markdown, folder of a campaign or a comparison.
    #[arg(value_name = "DIR|FILE")]
    what: PathBuf,
    /// Output file; - is stdout.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

impl ExportArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        files::keep([&*self.what], &self.output)?;
        if self.script {
            self.judging.refuse_options("a script is not judged")?;
            let script = script_of(&repeated_plan(&self.what)?.schedule);
            return self.write(&script);
        }
        if self.csv || self.markdown {
            self.judging.refuse_options("its runs are judged already")?;
            return self.write(&self.table()?);
        }
        let picture = with_facts(&self.judging, &self.what, |facts| self.picture(facts))?;
        let Some(picture) = picture else {
            let what = format!("{}: there is no violation to draw", self.what.display());
            let all = if self.what.is_dir() { "run" } else { "history" };
            return Err(Failure::new(ExitStatus::Usage, what)
                .hint(format!("`schism report` makes a page of the whole {all}"))
                .into());
        };
        self.write(&picture)
    }

    fn write(&self, text: &str) -> anyhow::Result<ExitStatus> {
        terminal::write_whole(&self.output, |out| Ok(out.write_all(text.as_bytes())?))
    }

    /// Returns the table of a comparison, or of a campaign.
    fn table(&self) -> anyhow::Result<String> {
        let folder = ConfinedFolder::named(&self.what)?;
        if read_plan(&self.what)?.is_none() {
            let what = format!("{}: this is the folder of no campaign and no comparison", self.what.display());
            let hint = "--csv and --markdown are for these; --svg, --dot and --script are for a run";
            return Err(Failure::new(ExitStatus::Unreadable, what).hint(hint).into());
        }
        let summary = stored_summary(&self.what)?;
        Ok(match compare::stored(&folder)? {
            Some(comparison) if self.csv => outputs::csv::modes(&comparison),
            Some(comparison) => outputs::markdown::comparison(&comparison),
            None if self.csv => outputs::csv::runs(&summary),
            None => outputs::markdown::page(&summary),
        })
    }

    /// Returns the picture that was asked for; none if there is no violation.
    fn picture(&self, facts: &Facts<'_>) -> anyhow::Result<Option<String>> {
        if self.dot && facts.transactions.is_none() {
            let what = format!("{}: only transactions have a graph, and there are none", self.what.display());
            return Err(Failure::new(ExitStatus::Usage, what).hint("--svg draws the operations in time").into());
        }
        Ok(match facts.anomaly() {
            Some(anomaly) if self.dot => Some(dot::graph(facts.history, anomaly)),
            Some(anomaly) => Some(cycle::svg(facts, anomaly, true).into_string()),
            None => {
                let svg = |violation| timeline::svg(facts, violation, Extent::Decisive, true);
                facts.violations.first().and_then(svg).map(Markup::into_string)
            }
        })
    }
}
