//! A process whose threads we have stopped, by ptrace: its memory, its registers, and calls of the kernel in its name.
//!
//! Only the thread that stopped it may use it. Whatever happens, the kernel lets all go when that thread ends.

use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};
use nix::unistd::Pid;

use super::error::ClockError;
use super::target::Registers;
use crate::strays::Process;

/// Time that the kernel gets for a call in the name of a thread, which cannot be taken back.
const CALL_LIMIT: Duration = Duration::from_secs(5);
const POLL_EVERY: Duration = Duration::from_micros(100);
/// Event in the status of a thread that has stopped since we asked it to, or since its process is stopped.
const STOP_EVENT: c_int = 128;
/// Status of a thread that has stopped before or after a call of the kernel.
const AT_CALL: c_int = libc::SIGTRAP | 0x80;

/// Stopped process. When the value is dropped, its threads go on.
#[derive(Debug)]
pub(super) struct Tracee {
    process: Process,
    memory: File,
    threads: Vec<Thread>,
}

/// Stopped thread.
#[derive(Debug)]
struct Thread {
    id: Pid,
    /// Signal that it was about to receive, or 0.
    signal: c_int,
}

impl Tracee {
    /// Stops all threads of a process; none if it has ended.
    pub(super) fn stop(process: Process, until: Instant) -> Result<Option<Self>, ClockError> {
        let memory = match File::open(process.folder().join("mem")) {
            Ok(memory) => memory,
            Err(error) => return refused(process, error).map_or(Ok(None), Err),
        };
        let mut stopped = Self { process, memory, threads: Vec::new() };
        let mut tried: Vec<Pid> = Vec::new();
        loop {
            // A thread that is not stopped yet may start others.
            let new: Vec<Pid> = process.threads().into_iter().filter(|thread| !tried.contains(thread)).collect();
            if new.is_empty() {
                return Ok((!stopped.threads.is_empty()).then_some(stopped));
            }
            let first = stopped.threads.len();
            for &id in &new {
                match seize(id) {
                    Ok(()) => stopped.threads.push(Thread { id, signal: 0 }),
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return refused(process, error).map_or(Ok(None), Err),
                }
            }
            tried.extend(new);
            for place in (first..stopped.threads.len()).rev() {
                let thread = &mut stopped.threads[place];
                match await_stop(thread.id, until).map_err(|_| ClockError::Busy { process: process.id.as_raw() })? {
                    Some(status) if status >> 8 == STOP_EVENT => {}
                    Some(signal) => thread.signal = signal,
                    None => drop(stopped.threads.swap_remove(place)),
                }
            }
        }
    }

    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// Returns true if a thread is at an instruction in this range.
    pub(super) fn is_inside(&self, range: &Range<u64>) -> Result<bool, ClockError> {
        for thread in &self.threads {
            match Registers::of(thread.id) {
                Ok(registers) if range.contains(&registers.instruction()) => return Ok(true),
                Err(error) if !is_gone(&error) => return Err(self.error("reading the registers")(error)),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Reads as much of this length as there is at an address.
    pub(super) fn read(&self, address: u64, length: usize) -> Vec<u8> {
        read(&self.memory, address, length)
    }

    /// Writes to any page of the process, writable or not; without effect if it has been killed.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), ClockError> {
        for (place, chunk) in (address..).step_by(8).zip(bytes.chunks(8)) {
            let Ok(mut word) = <[u8; 8]>::try_from(self.read(place, 8)) else { return Ok(()) };
            word[..chunk.len()].copy_from_slice(chunk);
            let word = c_long::from_ne_bytes(word);
            match ptrace(libc::PTRACE_POKEDATA.into(), self.threads[0].id, place.cast_signed(), word) {
                Err(error) if is_gone(&error) => return Ok(()),
                written => written.map_err(self.error("writing to the memory"))?,
            }
        }
        Ok(())
    }

    /// Maps a page that can be read and executed at an address where nothing is, by an instruction that calls the
    /// kernel.
    pub(super) fn map_page(&self, instruction: u64, address: u64, length: u64) -> Result<(), ClockError> {
        let busy = ClockError::Busy { process: self.process.id.as_raw() };
        let thread = self.threads.iter().find(|thread| thread.signal == 0).ok_or(busy)?.id;
        let what = || self.error("mapping a page into the memory");
        let before = Registers::of(thread).map_err(what())?;
        let mask = signal_mask(thread).map_err(what())?;
        let mapped = call(thread, &before.for_mmap(instruction, address, length));
        before.set(thread).and_then(|()| set_signal_mask(thread, mask)).map_err(what())?;
        if mapped.map_err(what())? == address { Ok(()) } else { Err(what()(Errno::EEXIST.into())) }
    }

    /// Returns a function that says what failed.
    pub(super) fn error(&self, what: &'static str) -> impl FnOnce(io::Error) -> ClockError + use<> {
        let process = self.process.id.as_raw();
        move |source| ClockError::System { what, process, source }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        for thread in &self.threads {
            // It may have been killed meanwhile, or not have stopped yet: then it goes on when our thread ends.
            ptrace(libc::PTRACE_DETACH.into(), thread.id, 0, thread.signal.into()).ok();
        }
    }
}

/// Reads as much of this length as there is at an address of a process.
pub(super) fn read(memory: &File, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // Whatever cannot be read is not there.
    let read = memory.read_at(&mut bytes, address).unwrap_or_default();
    bytes.truncate(read);
    bytes
}

/// Returns the reason why we may not trace a process; none if it has ended.
fn refused(process: Process, source: io::Error) -> Option<ClockError> {
    let tracer = process.status().as_deref().and_then(|status| Process::number(status, "TracerPid"));
    let process_id = process.id.as_raw();
    match tracer {
        _ if process.threads().is_empty() || is_gone(&source) => None,
        Some(tracer) if tracer != 0 => Some(ClockError::Traced { process: process_id, tracer }),
        _ => Some(ClockError::Refused { process: process_id, source }),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}

/// Begins to trace a thread, and asks it to stop.
fn seize(thread: Pid) -> io::Result<()> {
    ptrace(libc::PTRACE_SEIZE.into(), thread, 0, libc::PTRACE_O_TRACESYSGOOD.into())?;
    ptrace(libc::PTRACE_INTERRUPT.into(), thread, 0, 0)
}

/// Calls the kernel with these registers in the name of a thread that has stopped, which is then stopped again before
/// it runs any instruction of its own. Its registers and signal mask are left changed.
fn call(thread: Pid, registers: &Registers) -> io::Result<u64> {
    let until = Instant::now() + CALL_LIMIT;
    // A signal must not be taken for the call, nor be lost.
    set_signal_mask(thread, u64::MAX)?;
    registers.set(thread)?;
    for _ in ["before the call", "after the call"] {
        resume(thread, libc::PTRACE_SYSCALL.into(), until, |status| status == AT_CALL)?;
    }
    let result = Registers::of(thread)?.result();
    // The kernel repeats a call that it has interrupted only on the way from such a stop.
    ptrace(libc::PTRACE_INTERRUPT.into(), thread, 0, 0)?;
    resume(thread, libc::PTRACE_CONT.into(), until, |status| status >> 8 == STOP_EVENT)?;
    result
}

/// Lets a thread go on until it stops with such a status.
fn resume(thread: Pid, request: c_long, until: Instant, is_it: impl Fn(c_int) -> bool) -> io::Result<()> {
    loop {
        ptrace(request, thread, 0, 0)?;
        if is_it(await_stop(thread, until)?.ok_or(Errno::ESRCH)?) {
            return Ok(());
        }
    }
}

/// Waits until a traced thread has stopped, and returns its status; none if it has ended, which is left for its parent
/// to see.
fn await_stop(thread: Pid, until: Instant) -> io::Result<Option<c_int>> {
    loop {
        // A stop is shown to whoever traces, whatever is waited for, so that only its code tells it from an end.
        match wait(thread, libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT) {
            Ok(None) => {}
            Ok(Some(change)) if change.is_stop => {
                // It may have been killed since.
                if let Some(stop) = wait(thread, libc::WSTOPPED)?.filter(|change| change.is_stop) {
                    return Ok(Some(stop.status));
                }
            }
            Ok(Some(_)) | Err(Errno::ECHILD) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(POLL_EVERY);
    }
}

/// Change of a thread's state.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// True if the thread has stopped, false if it has ended.
    is_stop: bool,
    status: c_int,
}

/// Returns how a thread has changed, if it has changed to such a state.
fn wait(thread: Pid, state: c_int) -> nix::Result<Option<Change>> {
    #[allow(
        unsafe_code,
        reason = "nix does not know all signals, and an error would come after the status is consumed"
    )]
    // SAFETY: all bytes of the structure may be zero; the kernel fills it in.
    let (result, found) = unsafe {
        let mut found: libc::siginfo_t = mem::zeroed();
        let id = thread.as_raw().cast_unsigned();
        (libc::waitid(libc::P_PID, id, &raw mut found, state | libc::WNOHANG | libc::__WALL), found)
    };
    Errno::result(result)?;
    #[allow(unsafe_code, reason = "fields of a union")]
    // SAFETY: the structure is that of a change of a child, or zero.
    let (process, status) = unsafe { (found.si_pid(), found.si_status()) };
    let is_stop = [libc::CLD_TRAPPED, libc::CLD_STOPPED].contains(&found.si_code);
    Ok((process != 0).then_some(Change { is_stop, status }))
}

fn signal_mask(thread: Pid) -> io::Result<u64> {
    let mut mask = 0_u64;
    let length = c_long::try_from(size_of_val(&mask)).expect("it is 8");
    ptrace(libc::PTRACE_GETSIGMASK.into(), thread, length, number(&raw mut mask))?;
    Ok(mask)
}

fn set_signal_mask(thread: Pid, mask: u64) -> io::Result<()> {
    let length = c_long::try_from(size_of_val(&mask)).expect("it is 8");
    ptrace(libc::PTRACE_SETSIGMASK.into(), thread, length, number(&raw const mask))
}

/// Returns an address as the kernel takes it.
fn number(address: *const u64) -> c_long {
    c_long::try_from(address.expose_provenance()).expect("no address of a program has its highest bit set")
}

/// Makes a request of ptrace whose data are a number, or the address of something that lives long enough.
fn ptrace(request: c_long, thread: Pid, address: c_long, data: c_long) -> io::Result<()> {
    #[allow(unsafe_code, reason = "one system call, as nix has only some of its requests")]
    // SAFETY: of our own memory, the kernel reads and writes only a signal mask of a caller.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, request, thread.as_raw(), address, data) };
    Errno::result(result)?;
    Ok(())
}
