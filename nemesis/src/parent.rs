//! Death of a process together with its parent, asked of the kernel.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

/// Makes the process end when we are killed, which nothing else ensures without a PID namespace around it. Whatever
/// changes its user or user namespace before exec must come first, since that takes the request back, and the process
/// must be started by a thread that outlives it: the signal is sent at the end of that thread.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    #[allow(unsafe_code, reason = "the parent death signal is asked for between fork and exec")]
    // SAFETY: two system calls; nothing is allocated.
    unsafe {
        command.pre_exec(move || Ok(end_with(parent)?));
    }
}

/// Asks the kernel to kill this process, stopped or not, when its parent is gone. Makes two system calls and nothing
/// else.
///
/// # Errors
/// Returns an error if the parent is gone already.
pub(crate) fn end_with(parent: Pid) -> nix::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before the signal was requested.
    if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}
