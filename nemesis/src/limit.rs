//! Limits of what a node's processes may have of the host: open files, memory. The kernel refuses the rest, as it would
//! on a host that has no more. They go with the processes, unlike control groups, whose folders stay when those who
//! made them are killed.

use std::fmt;
use std::fs;
use std::io;
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::Resource;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::fault_kind::FaultKind;
use crate::spec_options::{OptionError, TypedOptions, bytes, size};
use crate::strays::Process;

/// Maximum of a limit of open files; a greater one is more likely a typing error.
const MOST_FILES: u64 = 1_000_000;
/// Maximum of the memory that a process may still allocate, in bytes.
const MOST_BYTES: u64 = 1 << 40;

/// Limit of a node's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Number of files and sockets that each process may have open; as many as it has when the fault begins if none is
    /// given.
    OpenFiles {
        /// The number.
        files: Option<u64>,
    },
    /// Memory of its own that each process may have, which includes all that it has when the fault begins.
    Memory {
        /// Bytes that it may allocate beyond that.
        more_bytes: u64,
    },
}

impl Limit {
    /// Returns the kind of fault.
    pub fn kind(self) -> FaultKind {
        match self {
            Self::OpenFiles { .. } => FaultKind::OpenFiles,
            Self::Memory { .. } => FaultKind::Memory,
        }
    }

    fn resource(self) -> Resource {
        match self {
            Self::OpenFiles { .. } => Resource::RLIMIT_NOFILE,
            Self::Memory { .. } => Resource::RLIMIT_DATA,
        }
    }

    /// Returns how much a process may have.
    fn most(self, process: Process) -> io::Result<libc::rlim_t> {
        match self {
            Self::OpenFiles { files } => files.map_or_else(|| open_files(process), Ok),
            Self::Memory { more_bytes } => memory_bytes(process).map(|bytes| bytes + more_bytes),
        }
    }

    /// Reads the options of a fault, if it is one of this kind.
    pub(crate) fn read(kind: FaultKind, options: &mut TypedOptions<'_>) -> Result<Option<Self>, OptionError> {
        let number = |value: &str| value.parse().ok().filter(|files| *files <= MOST_FILES);
        let size = |value: &str| bytes(value).filter(|bytes| *bytes <= MOST_BYTES);
        Ok(match kind {
            FaultKind::OpenFiles => {
                Some(Self::OpenFiles { files: options.take("files", "a number from 0 to 1000000", number)? })
            }
            FaultKind::Memory => {
                let more = options.take("more", "a size from 0 to 1TiB, such as 512KiB or 4MiB", size)?;
                Some(Self::Memory { more_bytes: more.unwrap_or_default() })
            }
            _ => None,
        })
    }

    /// Returns the options as a user types them.
    pub(crate) fn options(self) -> Option<String> {
        match self {
            Self::OpenFiles { files } => files.map(|files| format!("files={files}")),
            Self::Memory { more_bytes: 0 } => None,
            Self::Memory { more_bytes } => Some(format!("more={}", size(more_bytes))),
        }
    }

    /// Writes what it does to these nodes.
    pub(crate) fn write(self, f: &mut fmt::Formatter<'_>, whom: &dyn fmt::Display) -> fmt::Result {
        match self {
            Self::OpenFiles { files: None } => write!(f, "let {whom} open no more files"),
            Self::OpenFiles { files: Some(files) } => write!(f, "let {whom} have {files} files open at most"),
            Self::Memory { more_bytes: 0 } => write!(f, "let {whom} allocate no more memory"),
            Self::Memory { more_bytes } => write!(f, "let {whom} allocate no more than {} of memory", size(more_bytes)),
        }
    }
}

/// Limits that were in force for the processes of a node before they were lowered.
#[derive(Debug)]
pub(crate) struct LoweredLimits {
    resource: Resource,
    before: Vec<(Pid, libc::rlim_t)>,
}

impl LoweredLimits {
    /// Lowers the limits of these processes. One that has just ended is left out.
    pub(crate) fn lower(processes: &[Process], limit: Limit) -> io::Result<Self> {
        let mut lowered = Self { resource: limit.resource(), before: Vec::new() };
        for process in processes {
            let set = || {
                let most = limit.most(*process)?;
                let before = change_limit(process.id, lowered.resource, |known| known.min(most))?;
                io::Result::Ok((process.id, before))
            };
            match set() {
                Ok(known) => lowered.before.push(known),
                Err(error) if has_ended(&error) => {}
                // What was lowered is raised again.
                Err(error) => return lowered.raise(processes).and(Err(error)),
            }
        }
        Ok(lowered)
    }

    /// Checks that the limits of these processes may be changed, which the kernel grants for those of other users to
    /// root alone. One that has just ended is left out.
    pub(crate) fn check(processes: &[Process], limit: Limit) -> io::Result<()> {
        for process in processes {
            match change_limit(process.id, limit.resource(), |known| known) {
                Err(error) if !has_ended(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Raises the limits of these processes to what they were; those that were started meanwhile have inherited the
    /// limit, and get that of the others.
    pub(crate) fn raise(&self, processes: &[Process]) -> io::Result<()> {
        let Some((_, usual)) = self.before.first() else { return Ok(()) };
        for process in processes {
            let known = self.before.iter().find(|(id, _)| *id == process.id).map_or(*usual, |(_, limit)| *limit);
            match change_limit(process.id, self.resource, |lowered| lowered.max(known)) {
                Err(error) if !has_ended(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

/// Returns the number that no file has which a process has open, nor any greater one.
fn open_files(process: Process) -> io::Result<u64> {
    let entries = fs::read_dir(process.folder().join("fd"))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    Ok(numbers.max().map_or(0, |greatest| greatest + 1))
}

/// Returns the size of a process's own memory that can be written, in bytes, which the kernel counts for its limit.
fn memory_bytes(process: Process) -> io::Result<u64> {
    let status = fs::read_to_string(process.folder().join("status"))?;
    // A process that has ended has none any more.
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap_or("0 kB");
    let kilobytes = line.trim().strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other(format!("no size: VmData:{line}")))
}

/// Changes the limit that is in force for a process, up to its hard limit, and returns what it was.
fn change_limit(
    process: Pid,
    resource: Resource,
    change: impl Fn(libc::rlim_t) -> libc::rlim_t,
) -> io::Result<libc::rlim_t> {
    let prlimit = |set: *const libc::rlimit, known: *mut libc::rlimit| {
        #[allow(unsafe_code, reason = "nix has limits of this process only")]
        // SAFETY: both pointers are null, or to limits that live until the call returns.
        let result = unsafe { libc::prlimit(process.as_raw(), resource as _, set, known) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    };
    let mut known = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    prlimit(ptr::null(), &raw mut known)?;
    let now = libc::rlimit { rlim_cur: change(known.rlim_cur).min(known.rlim_max), ..known };
    prlimit(&raw const now, ptr::null_mut())?;
    Ok(known.rlim_cur)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_limit_of_memory_includes_what_a_process_has() {
        // It ends with its input, and says when it has memory of its own.
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        io::Write::write_all(child.stdin.as_mut().unwrap(), b"x").unwrap();
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let process = Process::find(Pid::from_raw(i32::try_from(child.id()).unwrap())).unwrap();
        let limit = Limit::Memory { more_bytes: 1 << 20 };
        let lowered = LoweredLimits::lower(&[process], limit).unwrap();
        let now = || change_limit(process.id, Resource::RLIMIT_DATA, |known| known).unwrap();
        let has = memory_bytes(process).unwrap();
        assert!(has > 0 && now() >= (1 << 20), "{has} {}", now());
        lowered.raise(&[process]).unwrap();
        assert_eq!(now(), lowered.before[0].1);
        child.kill().unwrap();
        child.wait().unwrap();
        let lowered = LoweredLimits::lower(&[process], limit).unwrap();
        assert!(lowered.before.is_empty(), "a process that has ended is left out");
    }

    #[test]
    fn no_file_can_be_opened_below_the_limit_and_again_after_it() {
        let script =
            "echo ready; read go; true 3</dev/null && echo opened; read go; true 3</dev/null && echo opened; :";
        let piped = || Stdio::piped();
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let processes = [Process::find(id).unwrap()];
        let mut go = child.stdin.take().unwrap();
        // Before that, it opens its libraries.
        let mut out = io::BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            io::BufRead::read_line(&mut out, &mut line).map(|_| line).unwrap()
        };
        assert_eq!(line(), "ready\n");
        let lowered = LoweredLimits::lower(&processes, Limit::OpenFiles { files: Some(3) }).unwrap();
        io::Write::write_all(&mut go, b"go\n").unwrap();
        let mut said = String::new();
        let mut err = io::BufReader::new(child.stderr.take().unwrap());
        io::BufRead::read_line(&mut err, &mut said).unwrap();
        assert!(said.contains("Too many open files"), "{said}");
        lowered.raise(&processes).unwrap();
        io::Write::write_all(&mut go, b"go\n").unwrap();
        assert_eq!((line(), line()), ("opened\n".to_owned(), String::new()));
        child.wait().unwrap();
    }
}
