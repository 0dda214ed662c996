//! Errors of commands: a sentence, the exit status that says it, and the next step. Nothing here prints.

pub(crate) mod host_limits;
mod status;

pub(crate) use status::ExitStatus;

/// An error with its exit code and a hint on the next step.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    pub(crate) status: ExitStatus,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: ExitStatus, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
