//! Past runs as they lie in a store, those of campaigns among them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use crate::{exit::ExitStatus, ui::Failure};

/// How deep runs are looked for: a campaign's are in `campaign/runs/<cell>/seed-<n>`.
const MAX_DEPTH: u32 = 6;

/// A past run, or one that is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// `under way or killed` where there is none yet.
    pub(crate) verdict: String,
    pub(crate) system: String,
    pub(crate) read: String,
    pub(crate) faults: String,
    pub(crate) seed: u64,
    /// Whether it belongs to a campaign.
    pub(crate) of_campaign: bool,
}

impl Kept {
    pub(crate) fn is_over(&self) -> bool {
        self.path.join("results.json").exists()
    }

    pub(crate) fn is_violation(&self) -> bool {
        self.verdict == "not-linearizable"
    }

    fn read(path: PathBuf) -> Self {
        let [test, results] = ["test.json", "results.json"]
            .map(|file| fs::read(path.join(file)).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok()));
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
            of_campaign: path.ancestors().any(|above| above.join("plan.json").exists()),
            path,
        }
    }
}

/// Whether a folder is that of a run.
pub(crate) fn is_run(path: &Path) -> bool {
    path.join("test.json").is_file()
}

/// All runs below a folder, by their names.
///
/// # Errors
/// It is no folder.
pub(crate) fn find(store: &Path) -> anyhow::Result<Vec<Kept>> {
    if !store.is_dir() {
        let what = format!("there is no store in {}", store.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint("`schism run` makes one").into());
    }
    let mut found = Vec::new();
    look(store, MAX_DEPTH, &mut found);
    found.sort();
    Ok(found)
}

fn look(path: &Path, depth: u32, found: &mut Vec<Kept>) {
    if is_run(path) {
        found.push(Kept::read(path.to_owned()));
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // Links, `latest` among them, would show runs twice.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&entry.path(), depth, found);
        }
    }
}
