//! Past runs in a store, including those of campaigns.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::ConfinedFolder;
use crate::error::{ExitStatus, Failure};

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
    /// Verdict, or `under way or killed` if there is none.
    pub(crate) verdict: String,
    pub(crate) system: String,
    pub(crate) read: String,
    pub(crate) faults: String,
    pub(crate) seed: u64,
    /// True if the run belongs to a campaign.
    pub(crate) of_campaign: bool,
}

impl StoredRun {
    pub(crate) fn is_violation(&self) -> bool {
        self.verdict == "not-linearizable"
    }

    /// Reads the run in `folder`, to be listed as `path`. Fields that cannot be read stay empty.
    fn read(folder: &ConfinedFolder, path: PathBuf) -> Self {
        let [test, results] = ["test.json", "results.json"]
            .map(|file| folder.read(file).ok().flatten().and_then(|text| serde_json::from_slice::<Value>(&text).ok()));
        let (test, results) = (test.unwrap_or_default(), results.unwrap_or_default());
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let verdict = results["verdict"].as_str().unwrap_or("under way or killed").to_owned();
        let faults: Result<nemesis::FaultSpecs, _> = serde_json::from_value(test["faults"].clone());
        Self {
            verdict,
            system: text(&test["system"]),
            read: text(&test["read"]),
            faults: faults.map(|faults| faults.to_string()).unwrap_or_default(),
            seed: test["seed"].as_u64().unwrap_or_default(),
            of_campaign: folder.path().ancestors().any(|above| above.join("plan.json").exists()),
            is_over: folder.has("results.json"),
            path,
        }
    }
}

/// Serializes a path for JSON, with replacements where it is not UTF-8.
fn shown<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

/// Name of the file that marks a folder as a run's.
const TEST_FILE: &str = "test.json";

/// Returns true if a folder is that of a run.
pub(crate) fn is_run(path: &Path) -> bool {
    ConfinedFolder::of(path).is_ok_and(|folder| folder.has(TEST_FILE))
}

/// Finds all runs below a folder, sorted by path.
///
/// # Errors
/// Fails if it is not a folder.
pub(crate) fn find(store: &Path) -> anyhow::Result<Vec<StoredRun>> {
    let Ok(folder) = ConfinedFolder::of(store) else {
        let what = format!("there is no store in {}", store.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint("`schism run` makes one").into());
    };
    let mut found = Vec::new();
    look(&folder, store, MAX_DEPTH, &mut found);
    found.sort();
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
