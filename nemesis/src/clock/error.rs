//! Reasons why the clocks of a program cannot be bent. None of them leaves it half-way.

use std::io;

use nix::libc::pid_t;
use thiserror::Error;

/// Error of bending clocks: the programs of the node still have those that they had.
#[derive(Debug, Error)]
pub(crate) enum ClockError {
    /// There is no machine code for this processor.
    #[error("clocks can be bent on x86-64 only, not on {}", std::env::consts::ARCH)]
    Processor,
    /// We may not trace the process.
    #[error("process {process} may not be traced ({source}): see `schism doctor`")]
    Refused { process: pid_t, source: io::Error },
    /// A debugger is there, or the process traces itself.
    #[error("process {process} is traced by another already ({tracer})")]
    Traced { process: pid_t, tracer: pid_t },
    /// System calls of the process are filtered by others than ours.
    #[error("process {process} has its system calls filtered (seccomp), and one that it does not expect may end it")]
    Filtered { process: pid_t },
    /// The process has no vDSO of 64 bits that tells the time.
    #[error("process {process} has no vDSO of 64 bits with functions that tell the time")]
    NoVdso { process: pid_t },
    /// No page is free near the vDSO.
    #[error("process {process} has no free address near its vDSO")]
    NoSpace { process: pid_t },
    /// A thread did not stop in time.
    #[error("a thread of process {process} does not stop")]
    Busy { process: pid_t },
    /// No thread can be started.
    #[error("starting a thread that keeps clocks: {0}")]
    Thread(#[source] io::Error),
    /// A system call failed.
    #[error("{what} of process {process}: {source}")]
    System { what: &'static str, process: pid_t, source: io::Error },
}
