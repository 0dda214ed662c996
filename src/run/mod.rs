//! One run, from plan to verdict: cluster up, load and faults side by side, heal, final reads, history, verdict.

mod audits;
mod availability;
mod checkpoints;
mod cluster;
mod cluster_events;
mod context;
mod coverage;
mod early_stop;
mod fault_schedule;
mod faults;
mod files;
mod finished_run;
mod first_sign;
mod host;
mod judge;
mod leadership;
mod live;
mod messages;
mod meter;
pub(crate) mod plan;
mod progress;
mod repeat;
mod results;
mod script;
mod simulation;
mod stalls;
mod stay;
mod stored_runs;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use histories::{RunDir, Store};

pub(crate) use self::{
    audits::{Audit, AuditKind, Finding},
    availability::recovery_ns,
    cluster::ENDED_BY_ITSELF,
    context::cut_off,
    coverage::Coverage,
    fault_schedule::{LeaderSearch, waits_for_leader, with_nodes},
    faults::{FaultWindow, attempt_event, clock_offset_s, fault_windows, heal_event, outcome_event},
    files::{COLUMNS_FILE, PREPARED_FOLDER},
    finished_run::FinishedRun,
    first_sign::FirstSign,
    host::Host,
    judge::{checker_budget, quick_report, read_plan, rejudge},
    leadership::{Reign, Span},
    live::mix,
    messages::{Message, MessageLog},
    progress::{ProgressReader, WatchedStage},
    repeat::repeated_plan,
    results::{Cost, Counts, Latency, LiveResults, RESULTS_FILE, Results, RunStart, StoppedEarly},
    script::{Script, script_of},
    stay::Stay,
    stored_runs::{Stage, StoredRun, find_runs, is_run, stages_of},
};
use self::{
    cluster::Cluster,
    files::{HISTORY_FILE, LOG_FILE, TEST_FILE},
    plan::Plan,
    stay::stay_up,
};
use crate::{
    error::{Failure, host_limits},
    store::make_folder,
    systems::{Deployment, StatusClient},
    terminal::{Progress, words::reads_of},
};

/// Number of threads of a run: few suffice, as the work is done by the nodes.
const THREADS: usize = 2;

/// Location at which a run is stored.
#[derive(Debug)]
pub(crate) enum RunLocation {
    /// A new folder in this store, which becomes its latest run.
    Store(PathBuf),
    /// Exactly this folder, which must not exist yet, for a campaign in another.
    Folder { path: PathBuf, campaign: Option<PathBuf> },
}

impl RunLocation {
    /// Returns the folder of what is prepared once for all runs of the campaign, if it is one of a campaign.
    fn prepared(&self) -> Option<PathBuf> {
        match self {
            Self::Folder { campaign: Some(folder), .. } => Some(folder.join(PREPARED_FOLDER)),
            Self::Store(_) | Self::Folder { .. } => None,
        }
    }

    fn begin(&self, plan: &Plan) -> anyhow::Result<RunDir> {
        let dir = match self {
            Self::Store(root) => {
                make_folder(root)?;
                let store = Store::open(root)?;
                let dir = store.begin(&plan.name())?;
                store.set_latest(&dir)?;
                dir
            }
            Self::Folder { path, .. } => RunDir::create(path)?,
        };
        dir.write_json(TEST_FILE, plan)?;
        Ok(dir)
    }
}

impl Host {
    /// Carries out a plan, unless one of its faults is not possible here.
    ///
    /// # Errors
    /// Fails if a fault of the plan, which it names, is not possible here, before anything starts; or if the run
    /// itself fails.
    pub(crate) fn run(&self, plan: &Plan, place: &RunLocation) -> anyhow::Result<FinishedRun> {
        self.carry_out(plan, place, None)
    }

    /// Carries out a plan like [`Self::run`], and then keeps the nodes up for somebody to look at. The run is shown
    /// before that, unless it was interrupted.
    ///
    /// # Errors
    /// Fails like [`Self::run`].
    pub(crate) fn run_and_stay(&self, plan: &Plan, place: &RunLocation, stay: Stay<'_>) -> anyhow::Result<FinishedRun> {
        self.carry_out(plan, place, Some(stay))
    }

    fn carry_out(&self, plan: &Plan, place: &RunLocation, stay: Option<Stay<'_>>) -> anyhow::Result<FinishedRun> {
        self.refuse_unsupported(plan)?;
        host_limits::can_open(files_of(plan), "this run")?;
        let runtime = host_limits::runtime(THREADS)?;
        let finished = runtime.block_on(run(plan, self, place, stay));
        runtime.shutdown_timeout(Duration::from_secs(1));
        finished
    }

    /// Starts the cluster of a plan, does something with it, and stops it. Its folder is kept only if the error says
    /// where it is, as that of a cluster that does not start.
    ///
    /// # Errors
    /// Fails if the cluster cannot be started or stopped.
    pub(crate) fn try_out<T>(
        &self,
        plan: &Plan,
        act: impl AsyncFnOnce(&Deployment, &StatusClient) -> T,
    ) -> anyhow::Result<T> {
        self.refuse_unsupported(plan)?;
        let folder = tempfile::tempdir().context("making a folder")?;
        let dir = RunDir::create(&folder.path().join("run"))?;
        let runtime = host_limits::runtime(THREADS)?;
        let tried = runtime.block_on(live::try_out(plan, self, &dir, act));
        runtime.shutdown_timeout(Duration::from_secs(1));
        if tried.as_ref().is_err_and(|error| names(error, folder.path())) {
            let _kept = folder.keep();
        }
        tried
    }
}

/// Returns true if an error, or the hint that goes with it, names something in this folder.
fn names(error: &anyhow::Error, folder: &Path) -> bool {
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.hint.clone());
    format!("{error:#} {}", hint.unwrap_or_default()).contains(&*folder.to_string_lossy())
}

/// Files of a run that took place elsewhere.
#[derive(Debug)]
pub(crate) struct RunFiles {
    /// The history, as lines of JSON.
    pub(crate) history: Vec<u8>,
    /// Logs of the nodes, in order of their numbers.
    pub(crate) logs: Vec<Vec<u8>>,
    pub(crate) live: LiveResults,
}

/// Stores a run that took place elsewhere, and judges it like any other.
///
/// # Errors
/// Fails if a file cannot be written, or read again.
pub(crate) fn store_run(plan: &Plan, place: &RunLocation, files: RunFiles) -> anyhow::Result<FinishedRun> {
    let dir = place.begin(plan)?;
    dir.write(HISTORY_FILE, &files.history)?;
    for (id, log) in (1..).zip(&files.logs) {
        fs::write(dir.node_dir(id)?.join(LOG_FILE), log).with_context(|| format!("writing the log of n{id}"))?;
    }
    let mut finished = judge::judge(plan.clone(), dir, files.live, checker_budget())?;
    finished.results_written = finished.write_results();
    Ok(finished)
}

/// Estimates the maximum number of files that a run has open: two connections per client, some files per node, and the
/// rest.
fn files_of(plan: &Plan) -> u64 {
    64 + 2 * u64::from(plan.concurrency) + 8 * u64::from(plan.nodes)
}

/// Carries out a plan and judges the history.
///
/// # Errors
/// Fails if the run cannot be started, or if its files cannot be read.
async fn run(plan: &Plan, host: &Host, place: &RunLocation, stay: Option<Stay<'_>>) -> anyhow::Result<FinishedRun> {
    let dir = place.begin(plan)?;
    let progress = Progress::new(&reads_of(plan.read.name()));
    let before_end = async |cluster: &Cluster, live: &LiveResults| {
        let Some(Stay { limit, show }) = stay.filter(|_| !live.interrupted) else { return Ok(()) };
        progress.phase("checking");
        show(&judged(plan, &dir, live).await?);
        stay_up(cluster, limit).await;
        Ok(())
    };
    let live = live::run_live(plan, host, &dir, place.prepared(), &progress, before_end).await?;
    if stay.is_none() || live.interrupted {
        progress.phase("checking");
    }
    judged(plan, &dir, &live).await
}

/// Judges a run by its files, and writes the results.
async fn judged(plan: &Plan, dir: &RunDir, live: &LiveResults) -> anyhow::Result<FinishedRun> {
    let (plan, dir, live) = (plan.clone(), dir.clone(), live.clone());
    let judging = tokio::task::spawn_blocking(move || judge::judge(plan, dir, live, checker_budget()));
    let mut finished = judging.await.context("the checker ended in a panic")??;
    finished.results_written = finished.write_results();
    Ok(finished)
}
