//! Which endings a command is to tell from success, beside those that always are.

use clap::{Args, ValueEnum};

use crate::error::ExitStatus;

/// What shall not end as success.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct FailOn {
    /// End with exit code 2 also where a history is linearizable only because nothing in it could have been wrong.
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Option<What>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// a yes that says nothing: nothing was answered, or nothing was read
    Weak,
}

impl FailOn {
    /// Whether anything is asked for.
    pub(super) fn is_given(self) -> bool {
        self.fail_on.is_some()
    }

    /// How a verdict ends, given whether it is weak.
    pub(super) fn status(self, status: ExitStatus, is_weak: bool) -> ExitStatus {
        match self.fail_on {
            Some(What::Weak) if is_weak => status.worst(ExitStatus::Unknown),
            _ => status,
        }
    }
}
