//! Sandbox of a run: user, mount, PID and network namespaces of its own, which the kernel removes with every process,
//! interface, mount and rule in them, however the run ends.
//!
//! Three processes hold it. The *outer* process stays on the host, unchanged; it forwards signals and waits. *Init*
//! is PID 1 of the new namespaces: it reaps orphans. *Control* is the same executable with the same arguments,
//! started again inside. When the outer process dies, the kernel kills init (parent death signal); when init dies,
//! the kernel kills all others in the PID namespace; when control ends, init ends. So SIGKILL of any of the three
//! leaves nothing behind.

mod error;
mod init;
mod namespaces;
mod outer;

use std::env;
use std::fs;
use std::io;

use error::system;
use nix::net::if_::if_nameindex;
use nix::sys::{prctl::set_pdeathsig, signal::Signal};
use nix::unistd::{Pid, getpid, getppid};

pub use error::SandboxError;
pub(crate) use init::MARKER;
pub(crate) use namespaces::{UserMaps, is_root, make_mounts_private};

/// Environment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sandbox {
    /// Namespaces of its own.
    Isolated,
    /// Host itself, which refused the namespaces.
    Plain {
        /// Attempts and their errors.
        reason: String,
    },
}

/// Result of [`enter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The run continues in this process.
    Inside(Sandbox),
    /// The run took place in a sandbox and is over: this process must exit with its code (128 + the number of the
    /// signal that ended it).
    Over {
        /// Code to exit with.
        exit_code: u8,
    },
}

/// Enters a sandbox. Call it first in `main`, before any thread, in a command that runs a cluster. In the outer
/// process it returns when the run is over; in control it returns at once. If the host refuses, nothing has been
/// changed and the run continues with [`Sandbox::Plain`].
///
/// Root is mapped to the calling user, so that files written by control belong to that user. `/run` keeps its
/// contents, but new entries stay in the sandbox. Control is a background process group of the terminal: it must not
/// read from it, and only the outer process is stopped by Ctrl-Z.
///
/// # Errors
/// Returns an error if threads are already running, or the system fails for a reason other than permission.
pub fn enter() -> Result<Entry, SandboxError> {
    if env::var_os(MARKER).is_some() && is_control() {
        return Ok(Entry::Inside(Sandbox::Isolated));
    }
    let threads = fs::read_dir("/proc/self/task").map_err(system("counting threads"))?.count();
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    let mut refusals = Vec::new();
    for maps in UserMaps::to_try() {
        match outer::launch(maps.as_ref())? {
            outer::Launch::Started(started) => {
                let exit_code = outer::supervise(&started).map_err(system("waiting for the sandbox"))?;
                return Ok(Entry::Over { exit_code });
            }
            outer::Launch::Refused(why) => refusals.push(why),
        }
    }
    Ok(Entry::Inside(Sandbox::Plain { reason: refusals.join("; ") }))
}

/// Makes this process, and with it the sandbox that it enters, end when its parent ends in any way. Call it before
/// [`enter`]; in control, which has another parent, it does nothing.
///
/// # Errors
/// Returns an error if `parent` is not, or no longer, the process that started this one.
pub fn end_with(parent: i32) -> Result<(), SandboxError> {
    if env::var_os(MARKER).is_some() && is_control() {
        return Ok(());
    }
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| system("asking to end with the parent")(errno.into()))?;
    if getppid() != Pid::from_raw(parent) {
        let gone = io::Error::other(format!("process {parent} is not the parent of this one, or no longer"));
        return Err(system("asking to end with the parent")(gone));
    }
    Ok(())
}

/// Returns the number, on the host, of the outer process of the sandbox that this process runs in, if it does: init is
/// its only child, by which the sandbox can be entered.
pub fn outer_process() -> Option<u32> {
    env::var(MARKER).ok()?.parse().ok().filter(|_| is_started_by_init())
}

/// Returns true if this process was started by init. Anyone could set the marker; together with this check that does
/// no harm, as the process then has only an empty network namespace.
fn is_control() -> bool {
    is_started_by_init() && if_nameindex().is_ok_and(|all| all.iter().all(|interface| interface.name() == c"lo"))
}

/// Returns true if this process has the number, and the parent, of the one that init starts; by then the hosts of a run
/// may have interfaces.
fn is_started_by_init() -> bool {
    getpid() == Pid::from_raw(2) && getppid() == Pid::from_raw(1)
}
