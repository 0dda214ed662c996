//! `--fail-on`: further verdicts that end a command with an exit code other than 0.

use clap::{Args, ValueEnum};

use crate::error::ExitStatus;

/// Options for exit codes.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct FailOn {
    /// End with exit code 2 as well if a history is linearizable only because nothing in it could have been wrong.
    #[arg(long, value_enum, value_name = "weak")]
    fail_on: Option<FailureKind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailureKind {
    /// a positive verdict without evidence: nothing was answered, or nothing was read
    Weak,
}

impl FailOn {
    /// Returns true if the option was given.
    pub(super) fn is_given(self) -> bool {
        self.fail_on.is_some()
    }

    /// Returns the exit status of a verdict, given whether it is weak.
    pub(super) fn status(self, status: ExitStatus, is_weak: bool) -> ExitStatus {
        match self.fail_on {
            Some(FailureKind::Weak) if is_weak => status.worst(ExitStatus::Unknown),
            _ => status,
        }
    }
}
