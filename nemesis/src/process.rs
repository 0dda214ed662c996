//! Processes of a node: started on its host, killed, paused, resumed, ended, and always reaped. The first leads a
//! process group of its own, which the others are in, and every signal goes to the whole group, and to those that have
//! left it, so that no process of a node escapes a fault, as far as `/proc` shows them. Where hosts are not separate, a
//! daemon is known by its environment.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::clock::{self, ClockError, Course, Keeper, Skew};
use crate::error::Error;
use crate::limit::{Limit, LoweredLimits};
use crate::node_id::NodeId;
use crate::node_log::NodeLog;
use crate::ordinary::run_as_ordinary;
use crate::own_view::OwnView;
use crate::parent::die_with_parent;
use crate::process_group::ProcessGroup;
use crate::sandbox::MARKER;
use crate::spawner::Spawner;
use crate::starvation::{DutyCycle, Starvation};
use crate::strays::{Process, Sign, living};

/// Time that the kernel gets to stop or to end a process that has been signalled.
const SIGNAL_LIMIT: Duration = Duration::from_secs(5);
const POLL_EVERY: Duration = Duration::from_millis(1);

/// Command that starts a node, repeatedly and with the same data.
#[derive(Debug, Clone)]
pub struct NodeCommand {
    /// Path of the executable.
    pub program: PathBuf,
    /// Arguments of every start.
    pub args: Vec<OsString>,
    /// Additional arguments of the very first start, when the node has no data yet.
    pub first_args: Vec<OsString>,
    /// Programs with their arguments that run beside it: they start, pause, resume and end together with it.
    pub beside: Vec<(PathBuf, Vec<OsString>)>,
    /// True if the programs refuse to run as root, so that they need a user namespace in which they are not.
    pub ordinary: bool,
    /// Files and host name that its programs see instead of those of the host.
    pub view: OwnView,
    /// Additional environment variables.
    pub env: Vec<(OsString, OsString)>,
    /// Way in which it is asked to end.
    pub stop: Stop,
    /// Time that it then has before it is killed.
    pub stop_within: Duration,
    /// Log for the node's output; appended to, and created with its folder if missing.
    pub log: NodeLog,
    /// Clock file that the node reads, if it reads one.
    pub clock: Option<PathBuf>,
}

/// Way in which a node is asked to end in good order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Signal to its processes.
    Signal(Signal),
    /// Program with its arguments, in the environment of the node and with its log, which asks the node.
    Command(PathBuf, Vec<OsString>),
}

impl Default for Stop {
    fn default() -> Self {
        Self::Signal(Signal::SIGTERM)
    }
}

/// Started process, with those beside it; they are killed and reaped when this value is dropped.
#[derive(Debug)]
pub struct NodeProcess {
    node: NodeId,
    /// The process itself, which leads the group, and then those beside it.
    children: Vec<Child>,
    group: ProcessGroup,
    /// Starvation in force; over before any of the children is reaped.
    starvation: Option<Starvation>,
    /// Keeper of its clocks while they are skewed through vDSOs; over as well before that.
    keeper: Option<Keeper>,
    /// Limits that its processes had, if they were lowered.
    limits: Option<LoweredLimits>,
    /// Place of the one that ended first.
    first_ended: Option<usize>,
    /// Exit status of that one, once all have ended and were reaped.
    status: Option<ExitStatus>,
    /// Command that started it.
    what: NodeCommand,
    /// Those that had left the group and were killed, until they have ended: they may hold its ports and locks.
    dying: BTreeSet<Pid>,
    /// Program that asks it to end.
    stopper: Option<Child>,
    /// Spawner whose thread must stay alive, as its end would kill this process.
    spawner: Arc<Spawner>,
}

/// Lets a program heed the signals that ask it to end. Whoever started us may ignore them, as a shell does for what
/// runs in the background, and programs inherit that.
fn heed_signals(command: &mut Command) {
    #[allow(unsafe_code, reason = "signals are set between fork and exec")]
    // SAFETY: system calls alone.
    unsafe {
        command.pre_exec(|| {
            for asking in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
                signal(asking, SigHandler::SigDfl)?;
            }
            Ok(())
        });
    }
}

impl NodeProcess {
    pub(crate) fn start(
        node: NodeId,
        what: &NodeCommand,
        netns: Option<&File>,
        spawner: &Arc<Spawner>,
    ) -> Result<Self, Error> {
        let path = what.log.path();
        let file = |source| Error::File { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(file)?;
        }
        let log = open_log(path).map_err(file)?;
        let began = log.metadata().map_err(file)?.len();
        let failed = || Error::system(format!("keeping the network namespace of {node}"));
        let sign = Sign::new(netns.map(File::try_clone).transpose().map_err(failed())?);
        let spawn = |program: &PathBuf, args: &[OsString], group: i32, sign: &Sign| {
            let mut command = to_run(program, args, what, &log)?;
            command.process_group(group);
            heed_signals(&mut command);
            sign.give(&mut command).map_err(failed())?;
            start(command, what, spawner).map_err(Error::system(format!("starting {node} ({})", program.display())))
        };
        let child = spawn(&what.program, &what.args, 0, &sign)?;
        let id = process_id(&child);
        what.log.set_began(Some(began));
        let mut started = Self {
            node,
            children: vec![child],
            group: ProcessGroup { id, children: [id].into(), sign: Arc::new(sign) },
            starvation: None,
            keeper: None,
            limits: None,
            first_ended: None,
            status: None,
            what: what.clone(),
            dying: BTreeSet::new(),
            stopper: None,
            spawner: Arc::clone(spawner),
        };
        for (program, args) in &what.beside {
            // After an error, dropping the value kills those that were started.
            started.children.push(spawn(program, args, id.as_raw(), &started.group.sign)?);
            started.group.children.extend(started.children.last().map(process_id));
        }
        Ok(started)
    }

    /// Kills the process by SIGKILL, paused or not, with all its children, and reaps it once all have ended.
    ///
    /// # Errors
    /// Returns [`Error::Unkillable`] if the kernel takes longer than 5 s.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        (self.starvation, self.keeper) = (None, None);
        self.kill_all()?;
        self.await_exit(SIGNAL_LIMIT)?.ok_or(Error::Unkillable(self.node))
    }

    /// Stops the process by SIGSTOP. Returns true if it is known to be stopped, and false if it has ended or did not
    /// stop within 5 s.
    ///
    /// # Errors
    /// Returns an error if the system refuses to signal or to wait.
    pub fn pause(&mut self) -> Result<bool, Error> {
        if !self.is_running()? {
            return Ok(false);
        }
        self.signal(Signal::SIGSTOP)?;
        let until = Instant::now() + SIGNAL_LIMIT;
        loop {
            match self.peek(self.group.id, WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED)? {
                WaitStatus::Stopped(..) => return Ok(true),
                WaitStatus::StillAlive if Instant::now() < until => thread::sleep(POLL_EVERY),
                _ => return Ok(false),
            }
        }
    }

    /// Resumes the process by SIGCONT; without effect if it was not paused or has ended.
    ///
    /// # Errors
    /// Returns an error if the system refuses to signal.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.signal(Signal::SIGCONT).map(drop)
    }

    /// Lets the process run for a percentage, 1 to 99, of each period only, until [`Self::feed`].
    ///
    /// # Errors
    /// Returns an error if no thread can be started for it.
    pub fn starve(&mut self, cpu_percent: u8, period_ms: u64) -> Result<(), Error> {
        if self.is_running()? {
            let begun = Starvation::begin(self.group.clone(), DutyCycle::new(cpu_percent, period_ms));
            self.starvation = Some(begun.map_err(Error::system(format!("starting to starve {}", self.node)))?);
        }
        Ok(())
    }

    /// Lets a starved process run all the time; without effect if it was not starved.
    pub fn feed(&mut self) {
        self.starvation = None;
    }

    /// Checks that what its processes may have of the host can be limited.
    pub(crate) fn check_limit(&self, limit: Limit) -> io::Result<()> {
        LoweredLimits::check(&self.members(), limit)
    }

    /// Limits what its processes may have of the host, until [`Self::unlimit`].
    ///
    /// # Errors
    /// Returns an error if the system refuses to.
    pub fn limit(&mut self, limit: Limit) -> Result<(), Error> {
        let lowered = LoweredLimits::lower(&self.members(), limit);
        self.limits = Some(lowered.map_err(Error::system(format!("limiting {}", self.node)))?);
        Ok(())
    }

    /// Gives its processes the limits back that they had; without effect if they had no others.
    ///
    /// # Errors
    /// Returns an error if the system refuses to.
    pub fn unlimit(&mut self) -> Result<(), Error> {
        let raised = self.limits.take().map_or(Ok(()), |lowered| lowered.raise(&self.members()));
        raised.map_err(Error::system(format!("raising the limits of {}", self.node)))
    }

    /// Checks that its clocks can be skewed through the vDSOs of its programs, and prepares these.
    pub(crate) fn prepare_clocks(&self) -> Result<(), ClockError> {
        clock::prepare(&|| self.members())
    }

    /// Skews its clocks through the vDSOs of its programs, or makes them right again.
    pub(crate) fn bend_clocks(&mut self, skew: Skew) -> Result<Course, ClockError> {
        self.keeper = None;
        let course = clock::bend(&|| self.members(), skew)?;
        if skew != Skew::NONE {
            self.keep_clocks(&course)?;
        }
        Ok(course)
    }

    /// Gives its programs, which have just been started, the clocks of a course that began before.
    pub(crate) fn follow_clocks(&mut self, course: &Course) -> Result<(), ClockError> {
        clock::follow(&|| self.members(), course)?;
        self.keep_clocks(course)
    }

    fn keep_clocks(&mut self, course: &Course) -> Result<(), ClockError> {
        if self.status.is_none() {
            self.keeper = Some(Keeper::begin(self.group.clone(), course).map_err(ClockError::Thread)?);
        }
        Ok(())
    }

    /// Returns all its processes; none once they were reaped.
    fn members(&self) -> Vec<Process> {
        if self.status.is_some() { Vec::new() } else { self.group.members() }
    }

    /// Asks the process to end in its own way, resuming it in case it is paused, without waiting.
    ///
    /// # Errors
    /// Returns an error if the system refuses to signal, or if the program that asks cannot be started.
    pub fn ask_to_end(&mut self) -> Result<(), Error> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        self.starvation = None;
        match &self.what.stop {
            Stop::Signal(signal) => drop(self.signal(*signal)?),
            Stop::Command(program, args) => {
                let path = self.what.log.path();
                let log = open_log(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
                let mut command = to_run(program, args, &self.what, &log)?;
                command.process_group(0);
                let what = format!("asking {} to end ({})", self.node, program.display());
                self.stopper = Some(start(command, &self.what, &self.spawner).map_err(Error::system(what))?);
            }
        }
        self.signal(Signal::SIGCONT).map(drop)
    }

    /// Waits for the end of a process that was asked to end, and kills it after `limit`. Returns true if it had to be
    /// killed.
    ///
    /// # Errors
    /// Returns the errors of [`Self::kill`].
    pub fn end_within(&mut self, limit: Duration) -> Result<bool, Error> {
        let has_ended = self.await_exit(limit)?.is_some();
        if !has_ended {
            self.kill()?;
        }
        if let Some(mut stopper) = self.stopper.take() {
            // It is not reaped, so the number still refers to it and its children.
            killpg(process_id(&stopper), Signal::SIGKILL).ok();
            stopper.wait().map_err(Error::system(format!("reaping what asked {} to end", self.node)))?;
        }
        Ok(!has_ended)
    }

    /// Returns true if the process has not ended; a paused process counts as running.
    ///
    /// # Errors
    /// Returns an error if the system refuses to wait.
    pub fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.exit_status()?.is_none())
    }

    /// Returns the exit status; `None` as long as the process or one beside it runs. Once one of them has ended, kills
    /// the rest of the group and whoever has left it, and reaps all when they have ended.
    ///
    /// # Errors
    /// Returns an error if the system refuses to wait.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        if self.first_ended.is_none() {
            self.first_ended = self.find_child(true)?;
        }
        let Some(first) = self.first_ended else { return Ok(None) };
        // The process is not reaped yet, so the number still refers to this group.
        (self.starvation, self.keeper) = (None, None);
        self.kill_all()?;
        self.dying = living(std::mem::take(&mut self.dying));
        if self.find_child(false)?.is_some() || !self.dying.is_empty() {
            return Ok(None);
        }
        let reaped = self.children.iter_mut().map(Child::wait).collect::<io::Result<Vec<_>>>();
        self.what.log.set_began(None);
        self.status = Some(reaped.map_err(Error::system(format!("reaping {}", self.node)))?[first]);
        Ok(self.status)
    }

    /// Returns the place of the first child, none of which was reaped, that has ended, or else that has not.
    fn find_child(&self, has_ended: bool) -> Result<Option<usize>, Error> {
        for (place, child) in self.children.iter().enumerate() {
            let runs = matches!(self.peek(process_id(child), WaitPidFlag::WEXITED)?, WaitStatus::StillAlive);
            if runs != has_ended {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Returns the process id, as seen from the control process.
    pub fn id(&self) -> u32 {
        self.children[0].id()
    }

    fn await_exit(&mut self, limit: Duration) -> Result<Option<ExitStatus>, Error> {
        let until = Instant::now() + limit;
        loop {
            let status = self.exit_status()?;
            if status.is_some() || Instant::now() >= until {
                return Ok(status);
            }
            thread::sleep(POLL_EVERY);
        }
    }

    /// Returns the state of a child without consuming it: an ended process remains to be reaped.
    fn peek(&self, child: Pid, of: WaitPidFlag) -> Result<WaitStatus, Error> {
        loop {
            match waitid(Id::Pid(child), of | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
                Err(Errno::EINTR) => {}
                result => {
                    return result
                        .map_err(io::Error::from)
                        .map_err(Error::system(format!("waiting for {}", self.node)));
                }
            }
        }
    }

    /// Kills all processes, and keeps in mind those that are not our children.
    fn kill_all(&mut self) -> Result<(), Error> {
        let strays = self.signal(Signal::SIGKILL)?;
        self.dying.extend(strays);
        Ok(())
    }

    /// Returns a function that kills all processes at once, to be called while they live: at the moment at which one of
    /// them does a certain thing.
    pub(crate) fn killer(&self) -> Box<dyn FnOnce() + Send> {
        let group = self.group.clone();
        Box::new(move || drop(group.signal(Signal::SIGKILL))) // They may have ended meanwhile.
    }

    /// Signals all processes, and returns those that have left the group; does nothing once they were reaped, as the
    /// numbers may belong to others by then.
    fn signal(&self, signal: Signal) -> Result<BTreeSet<Pid>, Error> {
        if self.status.is_some() {
            return Ok(BTreeSet::new());
        }
        self.group.signal(signal).map_err(Error::system(format!("sending {signal} to {}", self.node)))
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Returns a program of a node, not started yet, with its environment and its log.
fn to_run(program: &Path, args: &[OsString], what: &NodeCommand, log: &File) -> Result<Command, Error> {
    let file = |source| Error::File { path: what.log.path().to_owned(), source };
    let mut command = Command::new(program);
    command.args(args).envs(what.env.iter().map(|(name, value)| (name, value))).env_remove(MARKER);
    let [out, err] = [log.try_clone().map_err(file)?, log.try_clone().map_err(file)?];
    let input = empty_input(Path::new("/dev/null")).map_err(Error::system("making an empty input"))?;
    command.stdin(input).stdout(out).stderr(err);
    Ok(command)
}

/// Returns an input that is at its end: that of the device `null`, or where there is none, as in an empty container, a
/// pipe that nobody writes to.
fn empty_input(null: &Path) -> io::Result<Stdio> {
    if null.exists() { Ok(Stdio::null()) } else { io::pipe().map(|(end, _)| end.into()) }
}

/// Starts a program of a node as its user, and with its view of the host.
fn start(mut command: Command, what: &NodeCommand, spawner: &Spawner) -> io::Result<Child> {
    what.view.give(&mut command)?;
    if what.ordinary {
        run_as_ordinary(&mut command);
    }
    die_with_parent(&mut command);
    spawner.spawn(command)
}

fn process_id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is a positive i32"))
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // The error cannot be reported any more; in a sandbox the kernel kills the process in any case.
        self.kill().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_at_its_end_with_and_without_a_device() {
        for null in ["/dev/null", "/no/such/device"] {
            let input = empty_input(Path::new(null)).unwrap();
            let read = Command::new("cat").stdin(input).output().unwrap();
            assert!(read.status.success() && read.stdout.is_empty(), "{null}: {read:?}");
        }
    }
}
