//! `schism export`: the timeline of a violation as a picture of its own.

use std::path::PathBuf;

use clap::Args;

use super::report::with_facts;
use crate::{
    check::JudgingOptions,
    error::{ExitStatus, Failure},
    report::timeline,
    terminal,
};

/// Writes the timeline of a violation as a picture of its own.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism export --svg store/latest -o violation.svg")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    judging: JudgingOptions,
    /// Write SVG, the only format.
    #[arg(long, required = true)]
    svg: bool,
    /// Folder of a run, or a history.
    #[arg(value_name = "DIR|FILE")]
    what: PathBuf,
    /// Output file; - is stdout.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

impl ExportArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        debug_assert!(self.svg, "clap demands it");
        let picture = with_facts(&self.judging, &self.what, |facts| Ok(timeline::svg(facts, true)))?;
        let Some(picture) = picture else {
            let what = format!("{}: there is no violation to draw", self.what.display());
            return Err(Failure::new(ExitStatus::Failed, what).hint("`schism report` shows the whole run").into());
        };
        terminal::write_whole(&self.output, |out| Ok(out.write_all(picture.into_string().as_bytes())?))
    }
}
