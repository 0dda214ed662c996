//! Processes of shims: how one is started, asked, and ended with all its children.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use nix::{
    errno::Errno,
    libc::PIPE_BUF,
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Pid, read},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, sleep, timeout_at},
};

use super::{
    ShimProblemKind,
    protocol::{AnswerLine, Failure, LineKind},
    stderr::{StderrFile, StderrReader},
};
use crate::{Request, Response, answers::quoted};

/// Time limit for finding out how a process that has closed its output ended.
const EXIT_LIMIT: Duration = Duration::from_millis(500);
/// Pause between two looks at a process that is about to end.
const EXIT_POLL: Duration = Duration::from_millis(1);

/// Limits of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Time limit for the `ready` line; none if the first request is sent at once.
    pub(super) start: Option<Duration>,
    /// Maximum length of a line, bytes.
    pub(super) line_bytes: usize,
}

/// Progress of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The process is ready for requests.
    Ready,
    /// It is still starting, and may take longer.
    UnderWay,
}

/// Process of a shim. Dropping it kills it and its children.
#[derive(Debug)]
pub(super) struct ShimProcess {
    /// The process; the runtime reaps it after the drop.
    _child: Child,
    /// Its process group, which nobody else can have as long as the process is not reaped.
    group: Pid,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    stderr: StderrReader,
    /// Time until which it must be ready; none when it is.
    starting_until: Option<Instant>,
    max_line_bytes: usize,
    /// Line under way.
    line: Vec<u8>,
    /// Numbers of the first and the last request that it has answered.
    answered: Option<(u64, u64)>,
}

impl ShimProcess {
    /// Starts a process in a group of its own.
    pub(super) fn start(
        mut command: Command,
        node: u16,
        limits: Limits,
        stderr_file: &Arc<StderrFile>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let pid = child.id().expect("nobody has waited for it");
        let stderr = child.stderr.take().expect("it is a pipe");
        let prefix = format!("node {node}, process {pid}: ");
        Ok(Self {
            group: Pid::from_raw(pid.try_into().expect("a process id is a positive i32")),
            input: child.stdin.take().expect("it is a pipe"),
            output: BufReader::new(child.stdout.take().expect("it is a pipe")),
            stderr: StderrReader::start(stderr, prefix, Arc::clone(stderr_file)),
            _child: child,
            starting_until: limits.start.map(|limit| Instant::now() + limit),
            max_line_bytes: limits.line_bytes,
            line: Vec::new(),
            answered: None,
        })
    }

    /// Waits until the shim is ready, or `deadline`.
    pub(super) async fn wait_until_ready(&mut self, deadline: Instant) -> Result<Start, Failure> {
        let Some(until) = self.starting_until else { return Ok(Start::Ready) };
        match timeout_at(deadline.min(until), self.read_line()).await {
            Ok(line) => {
                let line = AnswerLine::parse(&line?)?;
                if line.kind != LineKind::Ready {
                    return Err(Failure::new(
                        ShimProblemKind::NotReady,
                        "its first line does not say that it is ready",
                    ));
                }
                self.starting_until = None;
                Ok(Start::Ready)
            }
            Err(_) if until <= deadline => Err(Failure::new(ShimProblemKind::NotReady, "it wrote no ready line")),
            Err(_) => Ok(Start::UnderWay),
        }
    }

    /// Returns the problem if the shim has ended, or has written something, although it has answered all requests.
    pub(super) fn unasked(&self) -> Option<Failure> {
        let (_, last) = self.answered?;
        let mut fresh = [0; 4096];
        let bytes = match self.output.buffer() {
            // Past the runtime, which may not have been told yet; the pipe does not block.
            [] => match read(self.output.get_ref(), &mut fresh) {
                Ok(0) => return Some(Failure::new(ShimProblemKind::Crashed, "its output ended between two requests")),
                Ok(count) => &fresh[..count],
                Err(Errno::EAGAIN) => return None,
                Err(error) => return Some(unreadable(&error.into())),
            },
            bytes => bytes,
        };
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let kind = match AnswerLine::parse(line) {
            Ok(line) if line.id == Some(last) => ShimProblemKind::SecondAnswer,
            Ok(_) => ShimProblemKind::UnknownId,
            Err(failure) => return Some(failure),
        };
        Some(Failure::new(kind, format!("{} after the answer to request {last}", quoted(line))))
    }

    /// Sends a request, and returns the answer. After a failure, the process must not be used any more; neither if the
    /// future is dropped.
    pub(super) async fn ask(
        &mut self,
        id: u64,
        line: &[u8],
        request: &Request,
        deadline: Instant,
    ) -> Result<Response, AskError> {
        match timeout_at(deadline, self.input.write_all(line)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let failure = Failure::new(ShimProblemKind::Crashed, format!("it takes no requests: {error}"));
                // Up to this size, the kernel writes all or nothing.
                let sent = line.len() > PIPE_BUF;
                return Err(AskError { failure, sent });
            }
            Err(_) => return Err(AskError { failure: self.time_out("it does not read its input"), sent: true }),
        }
        let answer = match timeout_at(deadline, self.answer(id)).await {
            Ok(answer) => answer.and_then(|line| line.answer(request)),
            Err(_) => Err(self.time_out("no answer")),
        };
        let response = answer.map_err(|failure| AskError { failure, sent: true })?;
        let first = self.answered.map_or(id, |(first, _)| first);
        self.answered = Some((first, id));
        Ok(response)
    }

    fn time_out(&self, what: &str) -> Failure {
        // The usual mistake of a new shim.
        let hint = if self.answered.is_none() { " (does it flush its output after each line?)" } else { "" };
        Failure::new(ShimProblemKind::TimedOut, format!("{what}{hint}"))
    }

    /// Returns the next answer, which must have this number.
    async fn answer(&mut self, id: u64) -> Result<AnswerLine, Failure> {
        let mut line = AnswerLine::parse(&self.read_line().await?)?;
        // A shim may always say that it is ready, whether somebody waits for that or not.
        if line.kind == LineKind::Ready && self.answered.is_none() {
            line = AnswerLine::parse(&self.read_line().await?)?;
        }
        let kind = match (line.id, self.answered) {
            (Some(other), _) if other == id => return Ok(line),
            (Some(other), Some((first, last))) if (first..=last).contains(&other) => ShimProblemKind::SecondAnswer,
            _ => ShimProblemKind::UnknownId,
        };
        let answered = line.id.map_or("an answer without an id".to_owned(), |id| format!("an answer to request {id}"));
        Err(Failure::new(kind, format!("{answered} instead of {id}")))
    }

    /// Reads a line, without its end. If the future is dropped, a later one goes on.
    async fn read_line(&mut self) -> Result<Vec<u8>, Failure> {
        let most = self.max_line_bytes;
        let room = (most + 1).saturating_sub(self.line.len());
        let read = (&mut self.output).take(room as u64).read_until(b'\n', &mut self.line).await;
        read.map_err(|error| unreadable(&error))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(std::mem::take(&mut self.line));
        }
        Err(if self.line.len() > most {
            let quote = quoted(&self.line);
            Failure::new(ShimProblemKind::LineTooLong, format!("more than {most} bytes: {quote}"))
        } else {
            Failure::new(ShimProblemKind::Crashed, "its output ended")
        })
    }

    /// Describes the end of a process whose output has ended, and what it said last. Waits for that until `deadline`,
    /// and for [`EXIT_LIMIT`] at most.
    pub(super) async fn last_words(&mut self, kind: ShimProblemKind, deadline: Instant) -> String {
        let until = deadline.min(Instant::now() + EXIT_LIMIT);
        let mut how = String::new();
        if kind == ShimProblemKind::Crashed {
            how = loop {
                match self.exit() {
                    Some(exit) => break exit,
                    None if Instant::now() >= until => break ", but it still runs".to_owned(),
                    None => sleep(EXIT_POLL).await,
                }
            };
            self.stderr.wait_for_end(until.saturating_duration_since(Instant::now())).await;
        }
        how + &self.stderr.last_line()
    }

    /// Returns how the process ended, without reaping it; none if it runs.
    fn exit(&self) -> Option<String> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.group), flags) {
            Ok(WaitStatus::Exited(_, code)) => Some(format!(", exit code {code}")),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!(", killed by {signal}")),
            Ok(_) => None,
            Err(error) => Some(format!(", {error}")),
        }
    }
}

impl Drop for ShimProcess {
    fn drop(&mut self) {
        // It fails only if all processes of the group have ended.
        killpg(self.group, Signal::SIGKILL).ok();
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(ShimProblemKind::Crashed, format!("its output cannot be read: {error}"))
}

/// Failure of a request.
#[derive(Debug)]
pub(super) struct AskError {
    pub(super) failure: Failure,
    /// True unless the shim certainly never got the request.
    pub(super) sent: bool,
}
