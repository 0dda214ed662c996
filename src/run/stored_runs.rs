//! Past runs in a store, including those of campaigns, by the files that they left.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use checker::Verdict;
use serde::{Serialize, Serializer};

use super::{
    files::TEST_FILE,
    plan::Plan,
    results::{RESULTS_FILE, Results},
};
use crate::{
    error::{ExitStatus, Failure},
    store::{ConfinedFolder, read_json},
};

/// Maximum depth at which runs are looked for: a campaign's are in `campaign/runs/<cell>/seed-<n>`.
const MAX_DEPTH: u32 = 6;

/// A past run, or one that is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct StoredRun {
    #[serde(serialize_with = "shown")]
    pub(crate) path: PathBuf,
    /// True if the run has ended by itself.
    #[serde(skip)]
    pub(crate) is_over: bool,
    /// True if the run is known to have found no violation.
    #[serde(skip)]
    pub(crate) is_without_violation: bool,
    /// Verdict; `under way or killed` if there is none, `cannot be read` if its results cannot be.
    pub(crate) verdict: String,
    pub(crate) system: String,
    pub(crate) workload: String,
    pub(crate) read: String,
    pub(crate) faults: String,
    pub(crate) seed: u64,
    /// Duration of the load, ms; none if the run is not over.
    pub(crate) load_ms: Option<u64>,
    /// True if the run belongs to a campaign.
    pub(crate) of_campaign: bool,
}

impl StoredRun {
    /// Reads the run in `folder`, to be listed as `path`. Fields of a plan that cannot be read stay empty.
    fn read(folder: &ConfinedFolder, path: PathBuf) -> Self {
        let plan = read_json::<Plan>(folder, TEST_FILE).ok().flatten();
        let results = read_json::<Results>(folder, RESULTS_FILE);
        let verdict = match &results {
            Ok(Some(results)) => results.verdict.name(),
            Ok(None) => "under way or killed",
            Err(_) => "cannot be read",
        };
        let text = |of: fn(&Plan) -> String| plan.as_ref().map(of).unwrap_or_default();
        Self {
            verdict: verdict.to_owned(),
            load_ms: results.as_ref().ok().and_then(Option::as_ref).and_then(|results| {
                results.live.load.map(|load| load.until_ns.saturating_sub(load.from_ns) / 1_000_000)
            }),
            is_without_violation: matches!(results, Ok(Some(results)) if results.verdict != Verdict::NotLinearizable),
            system: text(Plan::subject),
            workload: text(|plan| plan.workload.clone()),
            read: text(|plan| plan.read.to_string()),
            faults: text(|plan| plan.faults.to_string()),
            seed: plan.as_ref().map(|plan| plan.seed).unwrap_or_default(),
            of_campaign: folder.path().ancestors().any(|above| above.join("plan.json").exists()),
            is_over: folder.has(RESULTS_FILE),
            path,
        }
    }
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
    fn begun(&self) -> Option<SystemTime> {
        fs::symlink_metadata(self.path.join(TEST_FILE)).and_then(|found| found.modified()).ok()
    }
}

/// Finds all runs below a folder, the newest first, and those of one time by path.
///
/// # Errors
/// Fails if it is not a folder.
pub(crate) fn find_runs(store: &Path) -> anyhow::Result<Vec<StoredRun>> {
    let Ok(folder) = ConfinedFolder::of(store) else {
        let what = format!("there is no store in {}", store.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint("`schism run` makes one").into());
    };
    let mut found = Vec::new();
    look(&folder, store, MAX_DEPTH, &mut found);
    found.sort();
    found.sort_by_key(|run| Reverse(run.begun()));
    Ok(found)
}

/// Searches a folder that is to be listed as `path`.
fn look(folder: &ConfinedFolder, path: &Path, depth: u32, found: &mut Vec<StoredRun>) {
    if folder.has(TEST_FILE) {
        found.push(StoredRun::read(folder, path.to_owned()));
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
