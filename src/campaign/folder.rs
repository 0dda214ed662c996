//! The folder of a campaign: `plan.json`, `runs/<cell>/seed-<n>/`, and what is made of them. All that is known of a campaign is
//! in it, so that one that was interrupted, however that happened, goes on from there.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{
    plan::{CampaignPlan, RunPlan, Shard},
    record::{Carried, RECORD_FILE, Record},
    summary::Summary,
};
use crate::{exit::ExitStatus, ui::Failure};

/// What `plan.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    #[serde(flatten)]
    pub(crate) plan: CampaignPlan,
    pub(crate) shard: Option<Shard>,
}

/// The folder of a campaign that nobody else works in.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) asked: Asked,
    /// Held as long as this lives.
    _lock: File,
}

impl Folder {
    /// Begins the campaign `asked` in a new folder, or goes on with the one that is there. Without `asked`, the one that is there says
    /// what was asked.
    ///
    /// # Errors
    /// There is another campaign, one that `resume` does not allow to go on, none to go on with, or somebody is at it.
    pub(crate) fn open(path: &Path, asked: Option<Asked>, resume: bool) -> anyhow::Result<Self> {
        let wrong = |what: String, hint: &str| Err(Failure::new(ExitStatus::Usage, what).hint(hint).into());
        let known = read_plan(path)?;
        let shown = path.display();
        let asked = match (known, asked) {
            (Some(_), _) if !resume => {
                return wrong(
                    format!("there is a campaign in {shown} already"),
                    "--resume goes on with it; another --store begins a new one",
                );
            }
            (Some(known), Some(asked)) if known != asked => {
                return wrong(
                    format!("the campaign in {shown} has another plan"),
                    "--resume without a plan goes on with it; another --store begins a new one",
                );
            }
            (Some(known), _) => known,
            (None, None) => {
                return wrong(format!("there is no campaign in {shown}"), "without --resume a new one begins");
            }
            (None, Some(asked)) => asked,
        };
        fs::create_dir_all(path).with_context(|| format!("cannot make {shown}"))?;
        let path = fs::canonicalize(path).with_context(|| format!("cannot find {shown}"))?;
        let lock = lock(&path)?;
        write_json(&path.join(PLAN_FILE), &asked)?;
        Ok(Self { path, asked, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The runs that belong here, in the order of the plan.
    pub(crate) fn runs(&self) -> Vec<RunPlan> {
        let belongs = |place: usize| self.asked.shard.is_none_or(|shard| shard.has(place));
        let all = self.asked.plan.runs().into_iter().enumerate();
        all.filter(|(place, _)| belongs(*place)).map(|(_, run)| run).collect()
    }

    pub(crate) fn run_dir(&self, run: &RunPlan) -> PathBuf {
        self.path.join(RUNS).join(run.id())
    }

    /// Where what a run says while it goes is kept.
    pub(crate) fn log_of(&self, run: &RunPlan) -> PathBuf {
        self.path.join("logs").join(format!("{}.log", run.id().replace('/', "-")))
    }

    /// What is known of a run that is over; nothing of one that is not. One that failed by itself is not over: it may go well now.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub(crate) fn finished(&self, run: &RunPlan, how: Carried) -> anyhow::Result<Option<Record>> {
        let dir = self.run_dir(run);
        match read_record(&dir)? {
            Some(record) if record.category == super::record::Category::HarnessFailure => Ok(None),
            Some(record) => Ok(Some(record)),
            None => {
                // Whoever carried it out was killed before it could say so.
                let record = Record::of_finished(&dir, run, how)?;
                record.iter().filter(|record| !record.starved()).try_for_each(|record| self.keep(run, record))?;
                Ok(record)
            }
        }
    }

    /// Takes away what a run has left that is to be done again.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn clear(&self, run: &RunPlan) -> anyhow::Result<()> {
        let dir = self.run_dir(run);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what is known of a run: from now on it is over.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn keep(&self, run: &RunPlan, record: &Record) -> anyhow::Result<()> {
        let dir = self.run_dir(run);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        write_json(&dir.join(RECORD_FILE), record)
    }

    /// Writes `campaign.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_summary(&self, records: &BTreeMap<String, Record>) -> anyhow::Result<Summary> {
        let summary = Summary::new(&self.asked.plan, self.asked.shard, records.values().cloned().collect());
        write_json(&self.path.join("campaign.json"), &summary)?;
        Ok(summary)
    }
}

impl Folder {
    /// Writes another file of it as JSON.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, file: &str, content: &impl Serialize) -> anyhow::Result<()> {
        write_json(&self.path.join(file), content)
    }
}

const PLAN_FILE: &str = "plan.json";
/// Below it, a folder a cell, and there one a run.
pub(crate) const RUNS: &str = "runs";

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join(".lock");
    let lock = File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let what = format!("another process is at the campaign in {}", path.display());
            Err(Failure::new(ExitStatus::Failed, what).hint("wait for it, or give this one another --store").into())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", file.display())),
    }
}

/// What was asked of the campaign in a folder; nothing where there is none.
///
/// # Errors
/// `plan.json` is there, but cannot be read.
pub(crate) fn read_plan(path: &Path) -> anyhow::Result<Option<Asked>> {
    read_json(&path.join(PLAN_FILE))
}

/// The record of the run in a folder, if there is one.
///
/// # Errors
/// It is there, but cannot be read.
pub(crate) fn read_record(dir: &Path) -> anyhow::Result<Option<Record>> {
    read_json(&dir.join(RECORD_FILE))
}

/// What the runs in the folder of a campaign came to so far.
///
/// # Errors
/// There is no campaign, or a file cannot be read.
pub(crate) fn stored_summary(path: &Path) -> anyhow::Result<Summary> {
    let Some(Asked { plan, shard }) = read_plan(path)? else {
        anyhow::bail!(Failure::new(ExitStatus::Unreadable, format!("there is no campaign in {}", path.display())));
    };
    let mut records = Vec::new();
    for run in plan.runs() {
        records.extend(read_record(&path.join(RUNS).join(run.id()))?);
    }
    Ok(Summary::new(&plan, shard, records))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => {
            let read = serde_json::from_slice(&text).map_err(|error| {
                Failure::new(ExitStatus::Unreadable, format!("{}: {error}", path.display()))
                    .hint("the file is damaged, or from another version of schism")
            })?;
            Ok(Some(read))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write_json(path: &Path, content: &impl Serialize) -> anyhow::Result<()> {
    crate::ui::write_whole(path, |out| {
        serde_json::to_writer_pretty(&mut *out, content)?;
        Ok(out.write_all(b"\n")?)
    })
    .map(drop)
}
