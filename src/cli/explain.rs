//! `schism explain`: what linearizable means, shown on a run.

use std::path::PathBuf;

use clap::Args;

use crate::{
    error::ExitStatus,
    render::describe_lesson,
    run::{checker_budget, rejudge},
    terminal,
};

/// Explains what linearizable means, with the operations of a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism explain
  schism explain store/schism-register-leader/20260131T235959Z")]
pub(crate) struct ExplainArgs {
    /// Folder of the run.
    #[arg(value_name = "RUN", default_value = "store/latest")]
    run: PathBuf,
}

impl ExplainArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let finished = rejudge(&self.run, checker_budget())?;
        let status = finished.results.status();
        Ok(terminal::beside(status, terminal::print_answer(&describe_lesson(&finished), status)))
    }
}
