//! `schism export`: the timeline of a violation as a picture of its own, or the faults of a run as a script.

use std::path::PathBuf;

use clap::Args;

use super::report::with_facts;
use crate::{
    check::JudgingOptions,
    error::{ExitStatus, Failure},
    report::timeline,
    run::{repeated_plan, script_of},
    terminal,
};

/// Writes the timeline of a violation as a picture of its own, or the faults of a run as a script.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism export --svg store/latest -o violation.svg
  schism export --script store/latest -o faults.toml")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    /// Write the timeline, as SVG.
    #[arg(long, required_unless_present = "script")]
    svg: bool,
    /// Write the faults, with the nodes that they hit, for `schism run --script`.
    #[arg(long, conflicts_with = "svg")]
    script: bool,
    /// Folder of a run, or a history.
    #[arg(value_name = "DIR|FILE")]
    what: PathBuf,
    /// Output file; - is stdout.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

impl ExportArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        if self.script {
            self.judging.refuse_options("a script is not judged")?;
            let script = script_of(&repeated_plan(&self.what)?.schedule);
            return terminal::write_whole(&self.output, |out| Ok(out.write_all(script.as_bytes())?));
        }
        let picture = with_facts(&self.judging, &self.what, |facts| Ok(timeline::svg(facts, true)))?;
        let Some(picture) = picture else {
            let what = format!("{}: there is no violation to draw", self.what.display());
            return Err(Failure::new(ExitStatus::Failed, what).hint("`schism report` shows the whole run").into());
        };
        terminal::write_whole(&self.output, |out| Ok(out.write_all(picture.into_string().as_bytes())?))
    }
}
