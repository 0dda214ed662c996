//! The host of a run: its sandbox, its capabilities, and the signals that interrupt the run.

use std::{
    fs::File,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use histories::RunDir;
use nemesis::{Capabilities, Fault, FaultSpecs, PartitionBy, Sandbox, SkewWay};
use nix::time::{ClockId, clock_gettime};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    error::{ExitStatus, Failure},
    run::plan::{Plan, check_faults},
    terminal::{self, words::counted},
};

/// A host with its sandbox and capabilities.
#[derive(Debug)]
pub(crate) struct Host {
    sandbox: Sandbox,
    can: Capabilities,
}

impl Host {
    /// Probes the capabilities of this host, with partitions in this way, and prints a note if there is no sandbox.
    pub(crate) fn new(sandbox: Sandbox, by: PartitionBy) -> Self {
        if let Sandbox::Plain { reason } = &sandbox {
            terminal::note(&format!(
                "no sandbox on this host ({reason}): all nodes share 127.0.0.1, and there are no partitions. \
                 `schism doctor` says what to do about it."
            ));
        }
        Self { sandbox, can: nemesis::probe(by) }
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    /// Returns the faults of the demo: isolated leaders, or paused ones if there can be no partitions.
    pub(crate) fn demo_faults(&self) -> anyhow::Result<FaultSpecs> {
        let cut: FaultSpecs = "partition:isolate-leader".parse()?;
        let plan = Plan { faults: cut, ..Plan::default() }.schedule();
        match self.refuse_unsupported(&plan) {
            Ok(()) => Ok(plan.faults),
            Err(refused) => {
                terminal::note(&format!("{refused:#}; pausing leaders instead"));
                Ok("pause:leader".parse()?)
            }
        }
    }

    /// Checks that this host can carry out a plan.
    ///
    /// # Errors
    /// Names what it lacks.
    pub(super) fn refuse_unsupported(&self, plan: &Plan) -> anyhow::Result<()> {
        if let Some((program, remedy)) = plan.system().missing_program() {
            let what = format!("{} needs the program {program}, which this host lacks", plan.system);
            return Err(Failure::new(ExitStatus::Failed, what).hint(remedy).into());
        }
        for need in plan.system().node_needs() {
            let mut refused = self.can.supports_node(need).err().map(|refused| (refused.to_string(), refused.remedy));
            if let (true, Sandbox::Plain { reason }) = (need.needs_sandbox(), &self.sandbox) {
                let what = format!("cannot {need} on this host: {reason}");
                refused = refused.or(Some((what, "see `schism doctor`".to_owned())));
            }
            if let Some((what, remedy)) = refused {
                return Err(Failure::new(ExitStatus::Failed, what).hint(remedy).into());
            }
        }
        if let (true, Sandbox::Plain { reason }) = (plan.pcap, &self.sandbox) {
            let what = format!("cannot capture the frames of hosts that share one network: {reason}");
            return Err(Failure::new(ExitStatus::Failed, what).hint("leave --pcap out, or see `schism doctor`").into());
        }
        check_faults(plan.system(), &plan.schedule)
            .map_err(|impossible| Failure::new(ExitStatus::Usage, impossible.what).hint(impossible.remedy))?;
        let is_traced = plan.system().writes_trace(&plan.settings);
        for planned in &plan.schedule {
            let refused = match (self.can.supports(&planned.fault, plan.system().reads_clock_file()), &self.sandbox) {
                (Err(unsupported), _) => Some((unsupported.to_string(), unsupported.remedy)),
                _ if is_traced && skews_logs(&planned.fault, plan) => {
                    let what = format!("cannot {} in a traced run: it skews the times in the traces", planned.fault);
                    Some((what, "leave --trace out, or skew clocks by their file".to_owned()))
                }
                (Ok(()), Sandbox::Plain { reason }) if planned.fault.kind().needs_sandbox() => {
                    let what = format!("cannot {} on this host: {reason}", planned.fault);
                    Some((what, "see `schism doctor`".to_owned()))
                }
                (Ok(()), _) => None,
            };
            if let Some((what, remedy)) = refused {
                return Err(Failure::new(ExitStatus::Failed, what).hint(remedy).into());
            }
        }
        Ok(())
    }
}

/// Returns true if a fault skews all times that a node of this plan tells.
fn skews_logs(fault: &Fault, plan: &Plan) -> bool {
    matches!(fault, Fault::Clock { skew, .. } if skew.way(plan.system().reads_clock_file()) == SkewWay::Vdso)
}

/// Describes the host in a few words: its kernel, and how many processors a run may use; none if it does not say.
pub(super) fn in_words() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let processors = std::thread::available_parallelism().ok()?;
    Some(format!("Linux {}, {}", kernel.trim(), counted(processors.get(), "processor")))
}

/// Reads the host's monotonic clock, which the logs of all nodes share, in ns.
pub(super) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has a monotonic clock");
    u64::try_from(Duration::from(now).as_nanos()).expect("a host is not up for 584 years")
}

/// Opens a log of every command that changes the network, so that it can be repeated by hand.
pub(super) fn command_log(dir: &RunDir) -> anyhow::Result<nemesis::Log> {
    let path = dir.path().join("commands.log");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    let file = Mutex::new(file);
    Ok(Arc::new(move |ran| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A failure to write this log is no reason to end the run.
        let error = ran.error.map_or_else(String::new, |error| format!("  # {error}"));
        writeln!(file, "{}{error}", ran.command).ok();
        let in_lines = |command: String| command.replace('\n', "\n    ");
        terminal::detail(|| format!("  $ {}{error}  # {:.1?}", in_lines(ran.command.to_string()), ran.took));
    }))
}

/// Waits until this command is interrupted; for ever if nobody can say so.
pub(super) async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Sends the signal to stop when the run is interrupted.
pub(super) async fn watch_for_interrupt(stopper: watch::Sender<bool>) {
    interrupted().await;
    terminal::note("interrupted: healing, saving and checking what there is");
    stopper.send(true).ok();
    std::future::pending::<()>().await;
}
