//! Commands that change the network: external programs as plain data, the function that runs them within a time limit,
//! and the log and the errors that they share with requests to the kernel. All are repeatable by hand from their text.

use std::fmt;
use std::fs::File;
use std::io;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use thiserror::Error;

use super::netns;
use crate::parent::die_with_parent;

/// Time limit of a command. None here needs more than some milliseconds; one that takes this long hangs.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Program with its arguments, and the namespace to run it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Network namespace, by its name; `None` for the control process's own.
    netns: Option<String>,
    /// Program (a path) and its arguments.
    argv: Vec<String>,
}

impl Command {
    /// Creates a command that runs in the control process's own network namespace.
    pub(crate) fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { netns: None, argv: argv.into_iter().map(Into::into).collect() }
    }

    pub(crate) fn within(self, netns: &str) -> Self {
        Self { netns: Some(netns.into()), ..self }
    }
}

/// Formats the command as typed into a shell in the sandbox.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(netns) = &self.netns {
            write!(f, "nsenter --net={} ", netns::path(netns))?;
        }
        let words: Vec<String> = self.argv.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// Quotes a word for a shell, if necessary.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Failure of a command, or of a request to the kernel, which is shown as the command that does the same.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The command could not be started, so it changed nothing.
    #[error("`{command}` could not be started: {source}")]
    Start {
        /// Command in shell syntax.
        command: String,
        /// Error of the system call.
        source: io::Error,
    },
    /// The command ended with a failure.
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed {
        /// Command in shell syntax.
        command: String,
        /// Exit status of the command.
        status: String,
        /// Output on standard error.
        stderr: String,
    },
    /// The kernel refused the request.
    #[error("the kernel refused `{command}`: {source}; {remedy}")]
    Refused {
        /// Command in shell syntax.
        command: String,
        /// Answer of the kernel.
        source: io::Error,
        /// Advice.
        remedy: &'static str,
    },
    /// The command did not end, or the kernel did not answer, within the time limit; the effects until then are
    /// unknown.
    #[error("`{command}` did not end within {limit:?}")]
    TimedOut {
        /// Command in shell syntax.
        command: String,
        /// Time limit that it exceeded.
        limit: Duration,
    },
}

impl CommandError {
    /// Returns the error for a request that the kernel answered like this.
    pub(crate) fn refused(command: String, answer: impl Into<io::Error>) -> Self {
        let source = answer.into();
        let remedy = match source.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw) {
            Errno::EEXIST | Errno::EBUSY => "something of this name is there already: remove it first",
            Errno::ENODEV | Errno::ENXIO => "somebody removed the interface: create the hosts again",
            Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => "load the kernel's modules `bridge` and `veth`",
            Errno::EPERM | Errno::EACCES => "run as root, or where ordinary users may create user namespaces",
            Errno::ENOMEM | Errno::ENOBUFS | Errno::EAGAIN | Errno::ENOSPC | Errno::EMFILE | Errno::ENFILE => {
                "free some memory, or raise the limits of this user"
            }
            _ => "repeat it by hand in a namespace of your own to see more",
        };
        Self::Refused { command, source, remedy }
    }
}

/// Record of a finished command, for the log.
pub struct FinishedCommand<'a> {
    /// Command in shell syntax, or several of them, one a line.
    pub command: &'a dyn fmt::Display,
    /// Time from start to end.
    pub took: Duration,
    /// Failure, if there was one.
    pub error: Option<&'a CommandError>,
}

impl fmt::Debug for FinishedCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}, {:?})", self.command, self.took, self.error)
    }
}

/// Callback that receives each command after it ran, from any thread.
pub type Log = Arc<dyn Fn(&FinishedCommand<'_>) + Send + Sync>;

/// Runs a command to its end, in its namespace, and reports it to the log. Returns its standard output.
pub(crate) fn run(command: &Command, log: &Log) -> Result<String, CommandError> {
    let started = Instant::now();
    let result = run_silently(command);
    log(&FinishedCommand { command, took: started.elapsed(), error: result.as_ref().err() });
    result
}

fn run_silently(command: &Command) -> Result<String, CommandError> {
    let start = |source| CommandError::Start { command: command.to_string(), source };
    let mut process = process(command);
    if let Some(netns) = &command.netns {
        netns::enter(&mut process, File::open(netns::path(netns)).map_err(start)?);
    }
    finish(command, process, TIME_LIMIT)
}

/// Converts the command for the standard library, except for its namespace.
pub(crate) fn process(command: &Command) -> std::process::Command {
    let mut process = std::process::Command::new(&command.argv[0]);
    process.args(&command.argv[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_parent(&mut process);
    process
}

/// Starts the process, and waits for its end within the limit.
pub(crate) fn finish(
    command: &Command,
    mut process: std::process::Command,
    limit: Duration,
) -> Result<String, CommandError> {
    let start = |source| CommandError::Start { command: command.to_string(), source };
    let child = process.spawn().map_err(start)?;
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is a positive i32"));
    let (ended, end) = mpsc::sync_channel(1);
    let waiter = thread::Builder::new().spawn(move || ended.send(child.wait_with_output()));
    let waiter = match waiter {
        Ok(waiter) => waiter,
        Err(source) => {
            // Without a thread to wait for it, no limit can be enforced: the host is out of resources.
            kill(pid, Signal::SIGKILL).ok();
            waitpid(pid, None).ok();
            return Err(start(source));
        }
    };
    let Ok(output) = end.recv_timeout(limit) else {
        // The waiter has not reaped it, or it would have sent the output: the number is still this process's.
        kill(pid, Signal::SIGKILL).ok();
        return Err(CommandError::TimedOut { command: command.to_string(), limit });
    };
    waiter.join().ok();
    answer(command, &output.map_err(start)?)
}

fn answer(command: &Command, output: &Output) -> Result<String, CommandError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(CommandError::Failed { command: command.to_string(), status: output.status.to_string(), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Log {
        Arc::new(|_| {})
    }

    #[test]
    fn a_command_reads_as_a_shell_takes_it() {
        let rule = Command::new(["/usr/sbin/nft", "add table ip it's"]).within("n1");
        assert_eq!(rule.to_string(), r"nsenter --net=/run/netns/n1 /usr/sbin/nft 'add table ip it'\''s'");
    }

    #[test]
    fn output_and_failure_come_back_and_the_log_is_told() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log: Log = {
            let told = Arc::clone(&told);
            Arc::new(move |ran| told.lock().unwrap().push((ran.command.to_string(), ran.error.is_some())))
        };
        assert_eq!(run(&Command::new(["/bin/echo", "abc"]), &log).unwrap(), "abc\n");
        let error = run(&Command::new(["/bin/sh", "-c", "echo no >&2; exit 4"]), &log).unwrap_err();
        assert_eq!(error.to_string(), "`/bin/sh -c 'echo no >&2; exit 4'` failed (exit status: 4): no");
        let error = run(&Command::new(["/no/such"]), &silent()).unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
        let told = told.lock().unwrap();
        assert_eq!(told.iter().map(|(_, failed)| *failed).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_refusal_says_what_was_asked_what_the_kernel_answered_and_what_to_do() {
        let told = |answer: Errno| CommandError::refused("ip link set eth0 up".into(), answer).to_string();
        let of_kernel = "the kernel refused `ip link set eth0 up`: Operation not permitted (os error 1); run as root";
        assert!(told(Errno::EPERM).starts_with(of_kernel), "{}", told(Errno::EPERM));
        assert!(told(Errno::EOPNOTSUPP).ends_with("load the kernel's modules `bridge` and `veth`"));
        assert!(told(Errno::EMFILE).ends_with("raise the limits of this user"));
        assert!(told(Errno::EINVAL).contains("repeat it by hand"));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let sleep = Command::new(["/bin/sleep", "60"]);
        let error = finish(&sleep, process(&sleep), Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.to_string(), "`/bin/sleep 60` did not end within 20ms");
    }
}
