//! The folder of a campaign: `plan.json`, `runs/<cell>/seed-<n>/`, and the outputs computed from them. It holds the
//! whole state of a campaign, so that one that was interrupted in any way can be resumed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};

use super::{
    plan::{CampaignPlan, RunPlan, Seeds, Shard, WrittenPlan},
    record::{RECORD_FILE, Record, RunCircumstances},
    summary::Summary,
};
use crate::{
    error::{ExitStatus, Failure},
    run::{PREPARED_FOLDER, plan::shell_words},
    store::{ConfinedFolder, SchemaVersion, make_folder, read_json, refused, write_inside},
    terminal::sanitize,
};

/// Content of `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredPlan {
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    #[serde(flatten)]
    pub(crate) plan: CampaignPlan,
    pub(crate) shard: Option<Shard>,
}

impl StoredPlan {
    pub(crate) fn new(plan: CampaignPlan, shard: Option<Shard>) -> Self {
        Self { schema_version: SchemaVersion::default(), plan, shard }
    }

    /// Returns the plan as it could have been written, with nothing left out.
    pub(crate) fn written(&self) -> WrittenPlan {
        let fields = serde_json::to_value(&self.plan).expect("a plan is plain data");
        serde_json::from_value(fields).expect("what a plan is stored as, it is read from")
    }

    /// Names the fields in which this plan differs from the one that is known, with both values if they are short.
    fn differences(&self, known: &Self) -> String {
        let fields = |stored: &Self| match serde_json::to_value(stored) {
            Ok(Json::Object(fields)) => fields,
            _ => Map::new(),
        };
        let (asked, known) = (fields(self), fields(known));
        let names: BTreeSet<&String> = asked.keys().chain(known.keys()).collect();
        let shown = |value: Option<&Json>| {
            value.map_or_else(|| "not given".to_owned(), |value| sanitize::line(&value.to_string()))
        };
        let difference = |name: &&String| {
            let [now, then] = [asked.get(*name), known.get(*name)];
            let both = format!("`{name}` is {}, not {}", shown(then), shown(now));
            let told = if both.len() > MAX_DIFFERENCE { format!("`{name}` is another") } else { both };
            (now != then).then_some(told)
        };
        names.iter().filter_map(difference).collect::<Vec<_>>().join(", ")
    }

    fn with_names_of(self, known: &Self) -> Self {
        Self { plan: self.plan.with_names_of(&known.plan), ..self }
    }

    /// Returns true if this is the same campaign with more seeds, counted from 1: it has all runs of the other.
    fn continues(&self, known: &Self) -> bool {
        let (Seeds::Count(now), Seeds::Count(then)) = (&self.plan.seeds, &known.plan.seeds) else { return false };
        let same = Self { plan: CampaignPlan { seeds: Seeds::Count(*then), ..self.plan.clone() }, ..self.clone() };
        now > then && same == *known
    }
}

/// Maximum length of the words on one field in which two plans differ.
const MAX_DIFFERENCE: usize = 120;

/// Name of the file with the figures of a comparison, which tells its folder from that of another campaign.
pub(crate) const COMPARISON_FILE: &str = "compare.json";

/// Purpose of the runs in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Campaign,
    Comparison,
}

impl Purpose {
    fn of(folder: &Path) -> Self {
        let has_figures = ConfinedFolder::of(folder).is_ok_and(|folder| folder.has(COMPARISON_FILE));
        if has_figures { Self::Comparison } else { Self::Campaign }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Comparison => "comparison",
        }
    }

    /// Returns the command that goes on with the runs in a folder by their own plan.
    pub(crate) fn resume(self, folder: &Path) -> String {
        let command = match self {
            Self::Campaign => "campaign",
            Self::Comparison => "compare",
        };
        let folder = folder.display().to_string();
        shell_words(&["schism", command, "--resume", "--store", &folder].map(str::to_owned))
    }
}

/// Exclusive access to the folder of a campaign.
#[derive(Debug)]
pub(crate) struct Folder {
    inside: ConfinedFolder,
    pub(crate) asked: StoredPlan,
    /// Lock file, held as long as this value lives.
    _lock: File,
}

impl Folder {
    /// Begins the campaign `asked` in a new folder, or resumes the one already there, with more seeds if `asked` has
    /// more. Without `asked`, the folder's own plan is used.
    ///
    /// # Errors
    /// Fails if the folder holds another campaign or one for another purpose, holds one but `resume` is false, or one
    /// with the file of a system that says something else by now, holds none and none is asked for, or is in use by
    /// another process.
    pub(crate) fn open(path: &Path, purpose: Purpose, asked: Option<StoredPlan>, resume: bool) -> anyhow::Result<Self> {
        let wrong = |what: String, hint: &str| Err(Failure::new(ExitStatus::Usage, what).hint(hint).into());
        let known = read_plan(path)?;
        let asked = asked.map(|asked| known.iter().fold(asked, StoredPlan::with_names_of));
        let (shown, held) = (path.display(), if known.is_some() { Purpose::of(path) } else { purpose });
        let (name, go_on) = (held.name(), held.resume(path));
        if resume && held != purpose {
            let what = format!("there is a {name} in {shown}, not a {}", purpose.name());
            return wrong(what, &format!("go on with it: {go_on}"));
        }
        if resume && let Some(file) = known.as_ref().and_then(|known| known.plan.changed_file()) {
            return wrong(
                format!("{file} has changed since the {name} in {shown} began"),
                "its runs would not be of one system: undo the change, or begin a new one with another --store",
            );
        }
        let asked = match (known, asked) {
            (Some(_), _) if !resume => {
                return wrong(
                    format!("there is a {name} in {shown} already"),
                    &format!("go on with it: {go_on}; another --store begins a new one"),
                );
            }
            (Some(known), Some(asked)) if asked.continues(&known) => asked,
            (Some(known), Some(asked)) if known != asked => {
                return wrong(
                    format!("the {name} in {shown} has another plan: there, {}", asked.differences(&known)),
                    &format!("go on by its own plan: {go_on}; another --store begins a new one"),
                );
            }
            (Some(known), _) => known,
            (None, None) => {
                return wrong(format!("there is no {name} in {shown}"), "without --resume a new one begins");
            }
            (None, Some(asked)) => asked,
        };
        make_folder(path)?;
        let inside = ConfinedFolder::of(path).with_context(|| format!("cannot find {shown}"))?;
        let lock = lock(&inside, name)?;
        write_json(&inside, PLAN_FILE, &asked)?;
        Ok(Self { inside, asked, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.inside.path()
    }

    /// Returns the path of the folder for people.
    pub(crate) fn shown(&self) -> PathBuf {
        self.inside.shown()
    }

    /// Returns the folder, confined: no path in it leads outside.
    pub(crate) fn inside(&self) -> &ConfinedFolder {
        &self.inside
    }

    /// Returns the runs of this shard, in the order of the plan.
    pub(crate) fn runs(&self) -> Vec<RunPlan> {
        let belongs = |place: usize| self.asked.shard.is_none_or(|shard| shard.has(place));
        let all = self.asked.plan.runs().into_iter().enumerate();
        all.filter(|(place, _)| belongs(*place)).map(|(_, run)| run).collect()
    }

    /// Returns the path of a run's folder, which may not exist yet.
    ///
    /// # Errors
    /// Fails if a symbolic link is in the way.
    pub(crate) fn run_dir(&self, run: &RunPlan) -> anyhow::Result<PathBuf> {
        let name = run_name(&run.id());
        self.inside.resolve(&name).map_err(refused(&self.path().join(name)))
    }

    /// Prepares a run: makes the parent of its folder, and the file for its log.
    ///
    /// # Errors
    /// Fails if they cannot be made.
    pub(crate) fn prepare(&self, run: &RunPlan) -> anyhow::Result<File> {
        let (cell, log) = (Path::new(RUNS).join(&run.cell_folder), log_name(run));
        self.inside.make(&cell).map_err(refused(&self.path().join(cell)))?;
        self.inside.make(LOGS).map_err(refused(&self.path().join(LOGS)))?;
        self.inside.create(&log).map_err(refused(&self.path().join(log)))
    }

    /// Returns the log of a run.
    pub(crate) fn said(&self, run: &RunPlan) -> Vec<u8> {
        self.inside.read(log_name(run)).ok().flatten().unwrap_or_default()
    }

    /// Returns the record of a run that is over; none for any other. A run with a harness failure is not over: it may
    /// succeed when repeated.
    ///
    /// # Errors
    /// Fails if its files cannot be read.
    pub(crate) fn finished(&self, run: &RunPlan, how: RunCircumstances) -> anyhow::Result<Option<Record>> {
        match read_record(&self.inside, run)? {
            Some(record) if record.category == super::record::Category::HarnessFailure => Ok(None),
            Some(record) => Ok(Some(record)),
            None => {
                // The campaign was killed between the end of the run and the writing of its record.
                let record = self.results(run, how)?;
                record.iter().filter(|record| !record.starved()).try_for_each(|record| self.keep(run, record))?;
                Ok(record)
            }
        }
    }

    /// Builds the record of a run from its results; none if it wrote no results.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub(crate) fn results(&self, run: &RunPlan, how: RunCircumstances) -> anyhow::Result<Option<Record>> {
        let name = run_name(&run.id());
        let folder = self.inside.folder(&name).map_err(refused(&self.path().join(name)))?;
        folder.map_or(Ok(None), |folder| Record::of_finished(&folder, run, how))
    }

    /// Removes what an earlier attempt at a run left behind.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub(crate) fn clear(&self, run: &RunPlan) -> anyhow::Result<()> {
        let name = run_name(&run.id());
        self.inside.remove_all(&name).with_context(|| format!("cannot remove {}", self.path().join(name).display()))
    }

    /// Removes what was prepared once for all runs.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub(crate) fn forget_prepared(&self) -> anyhow::Result<()> {
        let removed = self.inside.remove_all(PREPARED_FOLDER);
        removed.with_context(|| format!("cannot remove {}", self.path().join(PREPARED_FOLDER).display()))
    }

    /// Writes the record of a run, which marks it as over.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub(crate) fn keep(&self, run: &RunPlan, record: &Record) -> anyhow::Result<()> {
        let name = run_name(&run.id());
        let folder = self.inside.make(&name).map_err(refused(&self.path().join(name)))?;
        write_json(&folder, RECORD_FILE, record)
    }

    /// Writes `campaign.json`.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub(crate) fn write_summary(&self, records: &BTreeMap<String, Record>) -> anyhow::Result<Summary> {
        let summary = Summary::new(&self.asked.plan, self.asked.shard, records.values().cloned().collect());
        write_json(&self.inside, "campaign.json", &summary)?;
        Ok(summary)
    }
}

impl Folder {
    /// Writes another file of the campaign as JSON.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub(crate) fn write(&self, file: &str, content: &impl Serialize) -> anyhow::Result<()> {
        write_json(&self.inside, file, content)
    }
}

const PLAN_FILE: &str = "plan.json";
/// Folder of the runs: one folder per cell, and in it one per run.
const RUNS: &str = "runs";
/// Folder of the runs' logs.
const LOGS: &str = "logs";

/// Returns the path of a run's folder, relative to the campaign's.
pub(crate) fn run_name(id: &str) -> PathBuf {
    Path::new(RUNS).join(id)
}

fn log_name(run: &RunPlan) -> PathBuf {
    Path::new(LOGS).join(format!("{}.log", run.id().replace('/', "-")))
}

fn lock(folder: &ConfinedFolder, name: &str) -> anyhow::Result<File> {
    let file = folder.path().join(".lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    let lock = options.open(&file).with_context(|| format!("cannot write {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let what = format!("another process is at the {name} in {}", folder.path().display());
            Err(Failure::new(ExitStatus::Failed, what).hint("wait for it, or give this one another --store").into())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", file.display())),
    }
}

/// Reads the plan of the campaign in a folder; none if there is no campaign.
///
/// # Errors
/// Fails if `plan.json` exists, but cannot be read or is not a valid plan.
pub(crate) fn read_plan(path: &Path) -> anyhow::Result<Option<StoredPlan>> {
    let Ok(folder) = ConfinedFolder::of(path) else { return Ok(None) };
    let Some(asked) = read::<StoredPlan>(&folder, PLAN_FILE)? else { return Ok(None) };
    let wrong = asked.plan.check().err().or_else(|| asked.shard.and_then(|shard| shard.check().err()));
    match wrong {
        None => Ok(Some(asked)),
        Some(why) => {
            let what = format!("{}: {why}", path.join(PLAN_FILE).display());
            Err(Failure::new(ExitStatus::Unreadable, what).hint(DAMAGED).into())
        }
    }
}

/// Reads the record of a run from the folder of its campaign; none if there is none.
///
/// # Errors
/// Fails if the record exists, but cannot be read or belongs to another run.
pub(crate) fn read_record(folder: &ConfinedFolder, run: &RunPlan) -> anyhow::Result<Option<Record>> {
    let file = run_name(&run.id()).join(RECORD_FILE);
    let Some(record) = read::<Record>(folder, &file)? else { return Ok(None) };
    if record.is_of(run) {
        return Ok(Some(record));
    }
    let what = format!("{}: this is the record of another run", folder.path().join(file).display());
    Err(Failure::new(ExitStatus::Unreadable, what).hint(DAMAGED).into())
}

/// Summarizes the runs recorded so far in the folder of a campaign.
///
/// # Errors
/// Fails if there is no campaign, or if a file cannot be read.
pub(crate) fn stored_summary(path: &Path) -> anyhow::Result<Summary> {
    let Some(StoredPlan { plan, shard, .. }) = read_plan(path)? else {
        anyhow::bail!(Failure::new(ExitStatus::Unreadable, format!("there is no campaign in {}", path.display())));
    };
    let folder = ConfinedFolder::named(path)?;
    let mut records = Vec::new();
    for run in plan.runs() {
        records.extend(read_record(&folder, &run)?);
    }
    Ok(Summary::new(&plan, shard, records))
}

const DAMAGED: &str = "the file is damaged, or from another version of schism";

fn read<T: DeserializeOwned>(folder: &ConfinedFolder, file: impl AsRef<Path>) -> anyhow::Result<Option<T>> {
    Ok(read_json(folder, file).map_err(|failure| failure.hint(DAMAGED))?)
}

fn write_json(folder: &ConfinedFolder, file: &str, content: &impl Serialize) -> anyhow::Result<()> {
    write_inside(folder, file, |out| {
        serde_json::to_writer_pretty(&mut *out, content)?;
        Ok(out.write_all(b"\n")?)
    })
    .map(drop)
}
