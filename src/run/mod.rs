//! One run, from plan to verdict: cluster up, load and faults side by side, heal, final reads, history, verdict.

mod availability;
mod cluster;
mod context;
mod coverage;
mod fault_schedule;
mod faults;
mod host;
mod judge;
mod leadership;
mod live;
mod messages;
mod meter;
pub(crate) mod plan;
mod results;
mod stored_runs;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use checker::{Options, Prefix};
use histories::{History, RunDir, Store, Value};
use serde::Serialize;

use self::plan::Plan;
pub(crate) use self::{
    availability::recovery_ns,
    coverage::Coverage,
    faults::{FaultWindow, clock_offset_s, fault_windows},
    host::Host,
    judge::{checker_budget, rejudge},
    leadership::{Reign, Span},
    messages::{Message, MessageLog},
    results::{Counts, Latency, RESULTS_FILE, Results},
    stored_runs::{StoredRun, find_runs, is_run},
};
use crate::{
    check::{Budget, model_named},
    store::{ConfinedFolder, write_inside},
    terminal::Progress,
};

/// Name of the file with the history in columns, which is the fastest to read.
pub(crate) const COLUMNS_FILE: &str = "history.columns";

/// A finished run with everything needed to report on it.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub(crate) plan: Plan,
    pub(crate) history: History,
    pub(crate) results: Results,
    pub(crate) fault_windows: Vec<FaultWindow>,
    dir: RunDir,
    /// The run's folder, confined: no path in it leads outside.
    folder: ConfinedFolder,
    history_path: PathBuf,
    /// Error in writing the results, if any.
    pub(crate) results_written: anyhow::Result<()>,
    /// Time and memory left for explanations.
    pub(crate) budget: Budget,
}

impl FinishedRun {
    pub(crate) fn history_path(&self) -> &Path {
        &self.history_path
    }

    /// Reads the messages between the nodes in a span, if the nodes traced them.
    pub(crate) fn message_log(&self, during: Span) -> MessageLog {
        let system = self.plan.system();
        let file = system.trace_file();
        let trace = |id: u16| {
            let name = node_file(id, file?);
            let found = self.folder.open(&name).ok().flatten();
            found.or_else(|| self.folder.open(name.with_added_extension("zst")).ok().flatten())
        };
        let traces = (1..=self.plan.nodes).filter_map(trace);
        let keep_going = || self.budget.lacks(Duration::ZERO, 0).is_none();
        MessageLog::read(system, traces, self.results.live.start.origin_mono_ns, during, &keep_going)
    }

    /// Returns a node's log; empty if it cannot be read.
    pub(crate) fn log(&self, node: u16) -> Vec<u8> {
        self.folder.read(node_file(node, LOG_FILE)).ok().flatten().unwrap_or_default()
    }

    /// Writes the results. The verdict stands even if this fails.
    fn write_results(&self) -> anyhow::Result<()> {
        // Transactions have no columns.
        if self.history.transactions.is_empty() {
            write_inside(&self.folder, COLUMNS_FILE, |out| Ok(histories::write_columns(out, &self.history)?))?;
        }
        self.dir.write_json(RESULTS_FILE, &self.results)?;
        Ok(())
    }

    /// Returns the run's folder, confined: no path in it leads outside.
    pub(crate) fn folder(&self) -> &ConfinedFolder {
        &self.folder
    }

    /// Returns the longest prefix of a key's operations that can be ordered.
    pub(crate) fn prefix(&self, key: &Value) -> Option<Prefix> {
        let model = model_named(self.plan.workload().model())?;
        self.budget.within(self.history.operations.len(), |limits| {
            let options = Options { limits: *limits, ..Options::new(model) };
            checker::longest_prefix(&self.history, &options, key)
        })
    }

    /// Returns the results together with the run's name and the command that repeats it.
    pub(crate) fn as_json(&self) -> RunJson<'_> {
        RunJson {
            version: &self.plan.version,
            seed: self.plan.seed,
            path: self.shown_dir().display().to_string(),
            command: self.plan.command(),
            results: &self.results,
        }
    }

    /// Returns the run's folder, relative to the current directory if possible.
    pub(crate) fn shown_dir(&self) -> PathBuf {
        let here = std::env::current_dir().unwrap_or_default();
        self.folder.path().strip_prefix(&here).unwrap_or(self.folder.path()).to_owned()
    }
}

/// A run as printed by `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct RunJson<'a> {
    /// Version of schism that carried out the run.
    version: &'a str,
    seed: u64,
    /// Path of the run's folder.
    path: String,
    /// Command that repeats the run.
    command: String,
    #[serde(flatten)]
    results: &'a Results,
}

/// Name of the file with the plan, which marks a folder as a run's.
const TEST_FILE: &str = "test.json";

/// Name of the log in a node's folder.
const LOG_FILE: &str = "node.log";

/// Returns the path of a node's file, relative to the run's folder.
fn node_file(node: u16, file: &str) -> PathBuf {
    Path::new("nodes").join(node.to_string()).join(file)
}

/// Name of the folder of what is prepared once, in that of a campaign, or else in that of the run.
pub(crate) const PREPARED_FOLDER: &str = "prepared";

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

/// Carries out a plan and judges the history.
///
/// # Errors
/// Fails if the run cannot be started, or if its files cannot be read.
pub(crate) async fn run(plan: &Plan, host: &Host, place: &RunLocation) -> anyhow::Result<FinishedRun> {
    let dir = place.begin(plan)?;
    let progress = Progress::new(&format!("{} reads", plan.read.name()));
    let live = live::run_live(plan, host, &dir, place.prepared(), &progress).await?;
    progress.phase("checking");
    let plan = plan.clone();
    let judging = tokio::task::spawn_blocking(move || judge::judge(plan, dir, live, checker_budget()));
    let mut finished = judging.await.context("the checker ended in a panic")??;
    finished.results_written = finished.write_results();
    Ok(finished)
}
