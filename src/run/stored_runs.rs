//! Past runs in a store, including those of campaigns, by the files that they left.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use checker::{Level, Verdict};
use serde::{Serialize, Serializer};

use super::{
    files::{HISTORY_FILE, TEST_FILE},
    plan::Plan,
    results::{RESULTS_FILE, Results, RunStart, START_FILE},
};
use crate::{
    check::options_of,
    error::{ExitStatus, Failure},
    store::{ConfinedFolder, REPORT_FILE, VersionedFile, read_json},
};

/// Maximum depth at which runs are looked for: a campaign's are in `campaign/runs/<cell>/seed-<n>`.
const MAX_DEPTH: u32 = 6;

/// A past run, or one that is under way.
#[expect(clippy::struct_excessive_bools, reason = "facts of a run that have nothing to do with each other")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct StoredRun {
    #[serde(serialize_with = "shown")]
    pub(crate) path: PathBuf,
    #[serde(skip)]
    pub(crate) stage: Stage,
    /// True if the run is known to have found no violation.
    #[serde(skip)]
    pub(crate) is_without_violation: bool,
    /// Verdict; `under way or killed` if there is none, `cannot be read` if its results cannot be.
    pub(crate) verdict: String,
    /// Verdict in the words of the run's summary, and whether the run was interrupted.
    #[serde(skip)]
    pub(crate) in_words: String,
    /// True if the run was interrupted before its end.
    pub(crate) interrupted: bool,
    /// Reason why its plan or its results cannot be read, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<String>,
    pub(crate) system: String,
    pub(crate) workload: String,
    pub(crate) read: String,
    pub(crate) faults: String,
    pub(crate) seed: u64,
    /// Time at which its clients started, if its files or the name of its folder tell.
    pub(crate) began: Option<String>,
    /// Duration of its load, ms.
    pub(crate) lasted_ms: Option<u64>,
    pub(crate) operations: Option<usize>,
    /// True if the verdict is positive, but the run could not have caught much.
    pub(crate) weak: bool,
    /// True if the run belongs to a campaign.
    pub(crate) of_campaign: bool,
}

/// Stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The run has ended by itself.
    Over,
    /// The run has no results, but wrote something within the last minute.
    UnderWay,
    /// The run has no results, and writes no more.
    Killed,
}

impl StoredRun {
    /// Reads the run in `folder`, to be listed as `path`. Fields of a plan that cannot be read stay empty.
    fn read(folder: &ConfinedFolder, path: PathBuf) -> Self {
        let plan = read_json::<Plan>(folder, TEST_FILE);
        let results = read_json::<Results>(folder, RESULTS_FILE);
        let verdict = match &results {
            Ok(Some(results)) => results.verdict.name(),
            Ok(None) => "under way or killed",
            Err(_) => "cannot be read",
        };
        let unreadable = plan.as_ref().err().or(results.as_ref().err()).map(ToString::to_string);
        let plan = plan.ok().flatten();
        let found = results.as_ref().ok().and_then(Option::as_ref);
        let stage = if folder.has(RESULTS_FILE) {
            Stage::Over
        } else if wrote_lately(folder) {
            Stage::UnderWay
        } else {
            Stage::Killed
        };
        let start = found.map(|results| results.live.start);
        let begun = || Some(read_json::<VersionedFile<RunStart>>(folder, START_FILE).ok()??.content);
        let start = start.or_else(begun).unwrap_or_default();
        let text = |of: fn(&Plan) -> String| plan.as_ref().map(of).unwrap_or_default();
        Self {
            verdict: verdict.to_owned(),
            in_words: found.map_or_else(|| verdict.to_owned(), |results| in_words(results, plan.as_ref())),
            interrupted: found.is_some_and(|results| results.live.interrupted),
            unreadable,
            began: start.began(&path),
            lasted_ms: found
                .and_then(|results| results.live.load)
                .map(|load| load.until_ns.saturating_sub(load.from_ns) / 1_000_000),
            operations: found.map(|results| results.report.operations),
            weak: found.is_some_and(|results| results.weak),
            is_without_violation: found.is_some_and(|results| results.status() != ExitStatus::NotLinearizable),
            system: text(Plan::subject),
            workload: text(|plan| plan.workload.clone()),
            read: text(|plan| plan.read.to_string()),
            faults: text(|plan| plan.faults.to_string()),
            seed: plan.as_ref().map(|plan| plan.seed).unwrap_or_default(),
            of_campaign: folder.path().ancestors().any(|above| above.join("plan.json").exists()),
            stage,
            path,
        }
    }
}

/// Describes the verdict on a run, that of transactions by their level, and whether the run was interrupted.
fn in_words(results: &Results, plan: Option<&Plan>) -> String {
    let workload = plan.and_then(|plan| workloads::workload(&plan.workload));
    let are_transactions = workload.is_some_and(|workload| options_of(workload).is_none());
    let verdict = match results.verdict {
        Verdict::Linearizable if are_transactions => Level::StrictSerializable.to_string(),
        Verdict::NotLinearizable if are_transactions => format!("not {}", Level::StrictSerializable),
        _ => results.report.verdict_in_words(),
    };
    let violated = Some(results.violated_names()).filter(|names| !names.is_empty());
    let violated = violated.map_or_else(String::new, |names| format!("; violated: {names}"));
    let interrupted = if results.live.interrupted { " (interrupted)" } else { "" };
    format!("{verdict}{violated}{interrupted}")
}

/// Maximum age of the last event of a run that is under way.
const LATELY: Duration = Duration::from_mins(1);

/// Returns true if the history of a run grew lately: a run that was killed stays as it is for good.
pub(super) fn wrote_lately(folder: &ConfinedFolder) -> bool {
    let history = folder.open(HISTORY_FILE).ok().flatten();
    let changed = history.and_then(|file| file.metadata().ok()?.modified().ok());
    changed.is_some_and(|changed| changed.elapsed().unwrap_or_default() < LATELY)
}

/// Serializes a path for JSON, with replacements where it is not UTF-8.
fn shown<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

/// Returns true if a folder is that of a run.
pub(crate) fn is_run(path: &Path) -> bool {
    ConfinedFolder::of(path).is_ok_and(|folder| folder.has(TEST_FILE))
}

impl StoredRun {
    /// Returns the time at which the run began, if its files tell.
    pub(crate) fn begun(&self) -> Option<SystemTime> {
        fs::symlink_metadata(self.path.join(TEST_FILE)).and_then(|found| found.modified()).ok()
    }
}

/// Finds all runs below a folder, the newest first, and those of one time by path.
///
/// # Errors
/// Fails if it is not a folder.
pub(crate) fn find_runs(store: &Path) -> anyhow::Result<Vec<StoredRun>> {
    let folder = ConfinedFolder::of(store).map_err(|error| {
        let unreadable = |what| Failure::new(ExitStatus::Unreadable, what);
        match error.kind() {
            ErrorKind::NotFound => {
                unreadable(format!("there is no store in {}", store.display())).hint("`schism run` makes one")
            }
            ErrorKind::NotADirectory => {
                unreadable(format!("{} is no folder, so no store", store.display())).hint("name the folder of a store")
            }
            _ => unreadable(format!("{}: {error}", store.display())),
        }
    })?;
    let mut found = Vec::new();
    look(&folder, store, MAX_DEPTH, &mut |folder, path| found.push(StoredRun::read(folder, path.to_owned())));
    found.sort();
    found.sort_by_key(|run| Reverse(run.begun()));
    Ok(found)
}

/// Returns all runs below a folder with what is there of each, its results and its report: whatever changes in a list
/// of these runs changes this.
pub(crate) fn stages_of(store: &Path) -> BTreeMap<PathBuf, [bool; 2]> {
    let mut found = BTreeMap::new();
    if let Ok(folder) = ConfinedFolder::of(store) {
        look(&folder, store, MAX_DEPTH, &mut |folder, path| {
            found.insert(path.to_owned(), [RESULTS_FILE, REPORT_FILE].map(|file| folder.has(file)));
        });
    }
    found
}

/// Calls `found` for each run in a folder that is to be listed as `path`.
fn look(folder: &ConfinedFolder, path: &Path, depth: u32, found: &mut dyn FnMut(&ConfinedFolder, &Path)) {
    if folder.has(TEST_FILE) {
        found(folder, path);
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    // Folders that cannot be read are skipped.
    for (name, kind) in folder.entries().unwrap_or_default() {
        // Links, such as `latest`, would list runs twice, or lead out of the store.
        if kind.is_dir()
            && let Ok(Some(below)) = folder.folder(&name)
        {
            look(&below, &path.join(&name), depth, found);
        }
    }
}
