//! Outer process, which stays on the host: launches init, forwards signals, waits.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, killpg, sigaction};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, close, pipe2, setpgid};

use super::error::{SandboxError, system};
use super::init::{Init, exit_code};
use super::namespaces::UserMaps;

/// Signals forwarded to control.
const FORWARDED: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
/// Time within which a repeated signal counts as the same request: `timeout` signals its child and then the whole
/// group.
const REPEAT_WINDOW: Duration = Duration::from_millis(100);
const INIT_STACK_BYTES: usize = 1 << 20;

pub(super) enum Launch {
    /// Control is running.
    Started(StartedInit),
    /// The host refused, with the reason; nothing is running and nothing was changed.
    Refused(String),
}

pub(super) struct StartedInit {
    init: Pid,
    /// Pipe end whose closing tells init that this process is gone.
    _lifeline: OwnedFd,
}

/// Starts init in new namespaces; with maps, also in a new user namespace.
pub(super) fn launch(maps: Option<&UserMaps>) -> Result<Launch, SandboxError> {
    let pipe = |flags| pipe2(flags).map_err(io::Error::from).map_err(system("making a pipe"));
    let (outer_lives, lifeline) = pipe(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let (answer, refusal) = pipe(OFlag::O_CLOEXEC)?;
    let mask = block_signals().map_err(io::Error::from).map_err(system("blocking signals"))?;
    let init = Init { maps, outer: std::process::id(), outer_lives, refusal, mask };
    let started = clone_init(init, &lifeline).map_err(|errno| format!("making namespaces: {}", io::Error::from(errno)));
    let answered = started.and_then(|init| {
        // Init does this too: whichever is first, no signal to the group can be missed.
        setpgid(init, init).ok();
        let mut why = String::new();
        if let Ok(0) = File::from(answer).read_to_string(&mut why) {
            return Ok(init);
        }
        waitpid(init, None).ok();
        Err(why)
    });
    match answered {
        Ok(init) => Ok(Launch::Started(StartedInit { init, _lifeline: lifeline })),
        Err(why) => {
            mask.thread_set_mask().map_err(io::Error::from).map_err(system("unblocking signals"))?;
            let how = if maps.is_some() { "with" } else { "without" };
            Ok(Launch::Refused(format!("{how} a user namespace: {why}")))
        }
    }
}

/// Clones this process like fork: the child runs `init` on a copy of its memory. In this process, the pipe ends given
/// to init are closed.
fn clone_init(init: Init<'_>, lifeline: &OwnedFd) -> nix::Result<Pid> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    flags.set(CloneFlags::CLONE_NEWUSER, init.maps.is_some());
    let mut init = Some(init);
    let mut stack = vec![0; INIT_STACK_BYTES];
    let child = Box::new(|| {
        let mine = init.take().expect("called once");
        // Init must not hold the pipe end whose closing tells it that the outer process is gone.
        close(lifeline.as_raw_fd()).ok();
        isize::from(mine.run())
    });
    #[allow(unsafe_code, reason = "clone with namespaces has no safe form")]
    // SAFETY: without CLONE_VM the child has its own copy of memory, and there is no other thread that could hold a
    // lock.
    unsafe {
        clone(child, &mut stack, flags, Some(libc::SIGCHLD))
    }
}

/// Blocks the signals that `supervise` waits for; returns the previous mask. SIGCHLD is set to its default, because
/// ignoring it would reap children automatically.
fn block_signals() -> nix::Result<SigSet> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    #[allow(unsafe_code, reason = "signal dispositions are set by an unsafe call")]
    // SAFETY: no handler function is installed.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    awaited_signals().thread_swap_mask(SigmaskHow::SIG_BLOCK)
}

fn awaited_signals() -> SigSet {
    FORWARDED.into_iter().chain([Signal::SIGCHLD]).collect()
}

/// Forwards signals until init is gone; returns the exit code.
pub(super) fn supervise(started: &StartedInit) -> io::Result<u8> {
    let init = started.init;
    let awaited = awaited_signals();
    let mut last: Option<(Signal, Instant)> = None;
    loop {
        let signal = awaited.wait()?;
        if signal == Signal::SIGCHLD {
            match waitpid(init, Some(WaitPidFlag::WNOHANG)) {
                Ok(status) => {
                    if let Some(code) = exit_code(status) {
                        return Ok(code);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        } else if !last.is_some_and(|(same, at)| same == signal && at.elapsed() < REPEAT_WINDOW) {
            // Init ignores them, as it has no handler; control and the processes it started in the same group receive
            // them.
            killpg(init, signal).ok();
            last = Some((signal, Instant::now()));
        }
    }
}
