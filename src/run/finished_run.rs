//! A finished run, with what can be read from its folder.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use checker::{Evidence, Options, Prefix};
use histories::{History, RunDir, Value};
use serde::Serialize;

use super::{
    faults::FaultWindow,
    files::{COLUMNS_FILE, LOG_FILE, TEST_FILE, node_file},
    leadership::Span,
    messages::MessageLog,
    plan::Plan,
    results::{RESULTS_FILE, Results},
};
use crate::{
    check::{
        Budget,
        evidence::{self, FoundOrder},
        options_of,
    },
    store::{ConfinedFolder, write_inside},
};

/// Maximum number of operations of a run that are ordered once more for its page.
const MAX_ORDERED: usize = 400_000;

/// A finished run with everything needed to report on it.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub(crate) plan: Plan,
    pub(crate) history: History,
    pub(crate) results: Results,
    pub(crate) fault_windows: Vec<FaultWindow>,
    pub(super) dir: RunDir,
    /// The run's folder, confined: no path in it leads outside.
    pub(super) folder: ConfinedFolder,
    pub(super) history_path: PathBuf,
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
        let traces = (1..=self.plan.all_nodes()).filter_map(trace);
        let keep_going = || self.budget.lacks(Duration::ZERO, 0).is_none();
        MessageLog::read(system, traces, self.results.live.start.origin_mono_ns, during, &keep_going)
    }

    /// Returns the paths of its files that a person may want to look at and that are never compressed, relative to its
    /// folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let logs = (1..=self.plan.all_nodes()).map(|node| node_file(node, LOG_FILE));
        let logs = logs.filter(|log| self.folder.has(log));
        [TEST_FILE, RESULTS_FILE].map(PathBuf::from).into_iter().chain(logs)
    }

    /// Returns a node's log; empty if it cannot be read.
    pub(crate) fn log(&self, node: u16) -> Vec<u8> {
        self.folder.read(node_file(node, LOG_FILE)).ok().flatten().unwrap_or_default()
    }

    /// Writes the results. The verdict stands even if this fails.
    pub(super) fn write_results(&self) -> anyhow::Result<()> {
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

    /// Computes how far the operations of the evidence of a key can be ordered.
    pub(crate) fn prefix(&self, key: &Value, of: &Evidence) -> Option<Prefix> {
        let options = options_of(self.plan.workload())?;
        self.budget.within(self.history.operations.len(), |limits| {
            evidence::prefix(&self.history, &Options { limits: *limits, ..options }, key, of)
        })
    }

    /// Computes a linearization of each linearizable key, with its states, as far as time and memory suffice.
    pub(crate) fn orders(&self) -> Vec<FoundOrder> {
        let operations = self.history.operations.len();
        let options = options_of(self.plan.workload()).filter(|options| !options.model.is_property());
        let Some(options) = options.filter(|_| operations <= MAX_ORDERED) else { return Vec::new() };
        self.budget.within(operations, |limits| {
            let options = Options { all: true, keep_order: true, limits: *limits, ..options };
            evidence::found_orders(&self.history, &options, &checker::check(&self.history, &options))
        })
    }

    /// Returns the results together with the run's plan and the command that repeats it, and its path if its folder is
    /// kept.
    pub(crate) fn as_json(&self, is_kept: bool) -> RunJson<'_> {
        RunJson {
            version: &self.plan.version,
            seed: self.plan.seed,
            path: is_kept.then(|| self.shown_dir().display().to_string()),
            command: self.plan.command(),
            plan: &self.plan,
            results: &self.results,
        }
    }

    /// Returns the run's folder, relative to the current directory if possible.
    pub(crate) fn shown_dir(&self) -> PathBuf {
        self.folder.shown()
    }
}

/// A run as printed by `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct RunJson<'a> {
    /// Version of schism that carried out the run.
    version: &'a str,
    seed: u64,
    /// Path of the run's folder, if it is kept.
    path: Option<String>,
    /// Command that repeats the run.
    command: String,
    /// Options and schedule of the run, as in `test.json`.
    plan: &'a Plan,
    #[serde(flatten)]
    results: &'a Results,
}
