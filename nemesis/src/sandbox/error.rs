//! Errors of the sandbox.

use std::io;

use thiserror::Error;

/// Reason why no sandbox could even be tried.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Threads are running, but namespaces can only be entered before the first thread is started.
    #[error("the sandbox must be entered before any thread is started, but there are {0} threads")]
    Threads(usize),
    /// A system call failed that no host refuses.
    #[error("{step}: {source}")]
    System {
        /// Action that failed.
        step: &'static str,
        /// Error of the system call.
        source: io::Error,
    },
}

/// Returns the error of a system call in this step.
pub(super) fn system(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::System { step, source }
}
