//! PID 1 of the sandbox: prepares it, starts control in it, reaps orphans, and ends with control.

use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{Pid, read, setpgid, write};

use super::namespaces::{self, UserMaps};
use crate::net::raise_loopback;

/// Environment variable that tells the executable that it is control, with the number of the outer process. It has no
/// effect outside a sandbox: see `is_control`.
pub(crate) const MARKER: &str = "SCHISM_SANDBOX";

/// Inputs of init from the outer process.
pub(super) struct Init<'a> {
    /// Maps for the user namespace; `None` if root needs none.
    pub(super) maps: Option<&'a UserMaps>,
    /// Number of the outer process.
    pub(super) outer: u32,
    /// Pipe that is closed when the outer process is gone.
    pub(super) outer_lives: OwnedFd,
    /// Pipe for the reason why the sandbox was refused; closed without output once control runs.
    pub(super) refusal: OwnedFd,
    /// Signal mask that the outer process was started with.
    pub(super) mask: SigSet,
}

impl Init<'_> {
    /// Runs PID 1 until control ends. Returns its exit code.
    pub(super) fn run(self) -> u8 {
        // The outer process may have died before the death signal was requested: then its end of the pipe is closed.
        if set_pdeathsig(Signal::SIGKILL).is_err() || !is_open(&self.outer_lives) {
            return 1;
        }
        let started = self.prepare().and_then(|()| self.start_control());
        let control = match started {
            Ok(control) => control,
            Err(why) => {
                // If the outer process is gone, nobody needs the reason.
                write(self.refusal.as_fd(), why.as_bytes()).ok();
                return 1;
            }
        };
        drop(self.refusal);
        reap_until(control)
    }

    fn prepare(&self) -> Result<(), String> {
        // Use a separate process group: a signal from a terminal to its foreground group reaches control once,
        // through the outer process.
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(failed_step("leaving the process group"))?;
        if let Some(maps) = self.maps {
            maps.apply().map_err(failed_step("mapping the user"))?;
        }
        namespaces::make_mounts_private().map_err(failed_step("making mounts private"))?;
        namespaces::mount_proc();
        namespaces::mount_run().map_err(failed_step("mounting a private /run"))?;
        raise_loopback().map_err(failed_step("raising the loopback interface"))
    }

    fn start_control(&self) -> Result<Pid, String> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_else(|| "schism".into());
        // A background process that writes to a terminal must not be stopped for it (stty tostop).
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        #[allow(unsafe_code, reason = "signal dispositions are set by an unsafe call")]
        // SAFETY: no handler function is installed.
        unsafe { sigaction(Signal::SIGTTOU, &ignore) }.map_err(failed_step("ignoring SIGTTOU"))?;
        self.mask.thread_set_mask().map_err(failed_step("unblocking signals"))?;
        let control =
            Command::new("/proc/self/exe").arg0(name).args(arguments).env(MARKER, self.outer.to_string()).spawn();
        let control = control.map_err(failed_step("starting itself again by /proc/self/exe"))?;
        Ok(Pid::from_raw(i32::try_from(control.id()).expect("a process id is a positive i32")))
    }
}

/// Returns true if a process still holds the other end of an empty pipe.
fn is_open(pipe: &OwnedFd) -> bool {
    matches!(read(pipe, &mut [0]), Err(Errno::EAGAIN))
}

/// Waits for control, and reaps every orphan in the meantime.
fn reap_until(control: Pid) -> u8 {
    loop {
        match wait() {
            Ok(status) if status.pid() == Some(control) && !matches!(status, WaitStatus::StillAlive) => {
                return exit_code(status).unwrap_or(1);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

fn failed_step<E: Into<io::Error>>(step: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{step}: {}", error.into())
}

/// Returns the exit code as a shell reports it; `None` while the process lives.
pub(super) fn exit_code(status: WaitStatus) -> Option<u8> {
    match status {
        WaitStatus::Exited(_, code) => Some(u8::try_from(code).unwrap_or(u8::MAX)),
        WaitStatus::Signaled(_, signal, _) => Some(128 + u8::try_from(signal as i32).unwrap_or(0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    #[test]
    fn a_lifeline_is_open_until_its_holder_is_gone() {
        let (end, held) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        assert!(is_open(&end));
        drop(held);
        assert!(!is_open(&end));
    }
}
