//! Past runs as they lie in a store, those of campaigns among them.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{exit::ExitStatus, inside::Inside, ui::Failure};

/// How deep runs are looked for: a campaign's are in `campaign/runs/<cell>/seed-<n>`.
const MAX_DEPTH: u32 = 6;

/// A past run, or one that is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Kept {
    #[serde(serialize_with = "shown")]
    pub(crate) path: PathBuf,
    /// Whether it came to an end by itself.
    #[serde(skip)]
    pub(crate) is_over: bool,
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
    pub(crate) fn is_violation(&self) -> bool {
        self.verdict == "not-linearizable"
    }

    /// The run in `folder`, as it is named by `path`. What cannot be read of it is not known of it.
    fn read(folder: &Inside, path: PathBuf) -> Self {
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

/// As JSON can hold it: few paths are not UTF-8.
fn shown<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

/// The file that makes a folder that of a run.
const TEST_FILE: &str = "test.json";

/// Whether a folder is that of a run.
pub(crate) fn is_run(path: &Path) -> bool {
    Inside::of(path).is_ok_and(|folder| folder.has(TEST_FILE))
}

/// All runs below a folder, by their names.
///
/// # Errors
/// It is no folder.
pub(crate) fn find(store: &Path) -> anyhow::Result<Vec<Kept>> {
    let Ok(folder) = Inside::of(store) else {
        let what = format!("there is no store in {}", store.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint("`schism run` makes one").into());
    };
    let mut found = Vec::new();
    look(&folder, store, MAX_DEPTH, &mut found);
    found.sort();
    Ok(found)
}

/// Looks into a folder that is named by `path`.
fn look(folder: &Inside, path: &Path, depth: u32, found: &mut Vec<Kept>) {
    if folder.has(TEST_FILE) {
        found.push(Kept::read(folder, path.to_owned()));
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    // What cannot be read holds no runs that anybody could list.
    for (name, kind) in folder.entries().unwrap_or_default() {
        // Links, `latest` among them, would show runs twice, or lead out.
        if kind.is_dir()
            && let Ok(Some(below)) = folder.folder(&name)
        {
            look(&below, &path.join(&name), depth, found);
        }
    }
}
