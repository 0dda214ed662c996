//! `schism merge`: parts of a campaign that ran on several machines, merged into one.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;
use clap::Args;

use super::{campaign::show, interrupts::stop_and_say};
use crate::{
    campaign::{
        folder::{Folder, Purpose, StoredPlan, read_plan, read_record, run_name},
        plan::{CampaignPlan, RunPlan},
        record::Record,
    },
    error::{ExitStatus, Failure},
    report::outputs,
    store::{ConfinedFolder, refused},
    terminal::{self, words::counted},
};

/// Merges parts of a campaign that were carried out separately, with or without --shard.
///
/// All parts must have the same plan. If several parts have the same run, the worst result counts, a violation first. A
/// run that no part has is missing; `schism campaign --resume` carries it out.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism merge night-1 night-2 night-3 --into night")]
pub(crate) struct MergeArgs {
    /// Folders of the parts.
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,
    /// Folder of the merged campaign, which must not exist.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Print campaign.json instead of the table.
    #[arg(long)]
    json: bool,
}

/// Source of a run's result.
struct ChosenPart<'a> {
    part: &'a ConfinedFolder,
    run: RunPlan,
    record: Record,
}

impl MergeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let plan = self.common_plan()?;
        let parts = self.different_parts()?;
        // All is read before the first is written.
        let chosen = choose(&plan, &parts)?;
        self.check_target()?;
        let records = self.gather(plan, chosen)?;
        let whole = Folder::open(&self.into, Purpose::Campaign, None, true)?;
        let summary = whole.write_summary(&records)?;
        let status = terminal::beside(summary.status(), outputs::write(whole.inside(), &summary));
        let status = terminal::beside(status, show(&summary, &whole.shown(), status, self.json));
        let missing = summary.planned - summary.finished;
        if missing == 0 {
            return Ok(status);
        }
        let rest = Purpose::Campaign.resume(&self.into);
        terminal::note(&format!("{} missing: {rest}", counted(missing, "run")));
        Ok(status.worst(ExitStatus::Interrupted))
    }

    /// Checks that there is nothing where the merged campaign is to be.
    ///
    /// # Errors
    /// Fails if something is there already.
    fn check_target(&self) -> anyhow::Result<()> {
        let there = if read_plan(&self.into)?.is_some() {
            format!("there is a campaign in {} already", self.into.display())
        } else if fs::read_dir(&self.into).map_or(self.into.exists(), |mut entries| entries.next().is_some()) {
            format!("{} is there already", self.into.display())
        } else {
            return Ok(());
        };
        Err(Failure::new(ExitStatus::Usage, there).hint("merge into another folder, by --into").into())
    }

    /// Copies the chosen runs, and returns their records. The merged campaign is there as a whole or not at all.
    ///
    /// # Errors
    /// Fails if something cannot be copied, or if the command is interrupted; then nothing is left.
    fn gather(&self, plan: CampaignPlan, chosen: Vec<ChosenPart<'_>>) -> anyhow::Result<BTreeMap<String, Record>> {
        let wrong = || format!("cannot make {}", self.into.display());
        let stop = stop_and_say(format!("interrupted: {} is not made", self.into.display()))?;
        let beside = self.into.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(beside).with_context(wrong)?;
        let mode = Permissions::from_mode(0o777);
        let growing = tempfile::Builder::new().prefix(".schism-").permissions(mode).tempdir_in(beside);
        let growing = growing.map_err(|error| io::Error::from(error.kind())).with_context(wrong)?;
        let plan = StoredPlan::new(plan, None);
        let whole = Folder::open(growing.path(), Purpose::Campaign, Some(plan), false).with_context(wrong)?;
        let mut records = BTreeMap::new();
        for ChosenPart { part, run, record } in chosen {
            let name = run_name(&run.id());
            let from = part.folder(&name).map_err(refused(&part.path().join(&name)))?;
            let to = whole.inside().make(&name).map_err(refused(&whole.path().join(name)))?;
            from.map_or(Ok(()), |from| copy(&from, &to, &stop))?;
            records.insert(record.id.clone(), record);
        }
        drop(whole);
        fs::rename(growing.path(), &self.into).with_context(wrong)?;
        Ok(records)
    }

    /// Returns the folders of the parts, after checking that none is or contains another one or the merged one.
    fn different_parts(&self) -> anyhow::Result<Vec<ConfinedFolder>> {
        let wrong = |one: &Path, other: &Path, how: &str| {
            let what = format!("{} {how} {}", one.display(), other.display());
            Err(Failure::new(ExitStatus::Usage, what).hint("each part and the whole need a folder of their own").into())
        };
        let into = absolute_path(&self.into).with_context(|| format!("cannot find {}", self.into.display()))?;
        let mut parts: Vec<ConfinedFolder> = Vec::new();
        for named in &self.parts {
            let part = ConfinedFolder::named(named)?;
            let path = part.path();
            if let Some(known) = parts.iter().find(|known| known.path() == path) {
                return wrong(named, known.path(), "is named twice: it is");
            }
            if path.starts_with(&into) || into.starts_with(path) {
                return wrong(&self.into, named, "overlaps with a part:");
            }
            parts.push(part);
        }
        Ok(parts)
    }

    fn common_plan(&self) -> anyhow::Result<CampaignPlan> {
        let mut common: Option<(&Path, CampaignPlan)> = None;
        for part in &self.parts {
            let Some(StoredPlan { plan, .. }) = read_plan(part)? else {
                let what = format!("there is no campaign in {}", part.display());
                return Err(Failure::new(ExitStatus::Unreadable, what)
                    .hint("name the folders given to --store")
                    .into());
            };
            match &common {
                Some((first, known)) if *known != plan => {
                    let what = format!("{} and {} have different plans", first.display(), part.display());
                    return Err(Failure::new(ExitStatus::Usage, what)
                        .hint("only parts of one campaign can be merged")
                        .into());
                }
                Some(_) => {}
                None => common = Some((part, plan)),
            }
        }
        Ok(common.context("no parts were named")?.1)
    }
}

/// Returns, for each run that some part has, the part with the worst result; of equal ones the first.
fn choose<'a>(plan: &CampaignPlan, parts: &'a [ConfinedFolder]) -> anyhow::Result<Vec<ChosenPart<'a>>> {
    let mut chosen = Vec::new();
    for run in plan.runs() {
        let mut worst: Option<(&ConfinedFolder, Record)> = None;
        for part in parts {
            let Some(record) = read_record(part, &run)? else { continue };
            let Some((other, known)) = &worst else {
                worst = Some((part, record));
                continue;
            };
            let is_worse = record.category > known.category;
            let left_out = if is_worse { other } else { &part };
            terminal::note(&format!(
                "{} is in several parts; that of {} is left out",
                record.id,
                left_out.path().display()
            ));
            if is_worse {
                worst = Some((part, record));
            }
        }
        chosen.extend(worst.map(|(part, record)| ChosenPart { part, run, record }));
    }
    Ok(chosen)
}

/// Returns the absolute path of a folder that may not exist, with symbolic links resolved as far as it does.
fn absolute_path(path: &Path) -> io::Result<PathBuf> {
    let typed = std::path::absolute(path)?;
    for there in typed.ancestors() {
        match fs::canonicalize(there) {
            Ok(found) => return Ok(found.join(typed.strip_prefix(there).unwrap_or(Path::new("")))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(typed)
}

/// Copies all files and folders of a run. Links, pipes and devices are left out, as they are none of its own.
///
/// # Errors
/// Fails if one cannot be copied, or once `stop` is set.
fn copy(from: &ConfinedFolder, to: &ConfinedFolder, stop: &AtomicBool) -> anyhow::Result<()> {
    for (name, kind) in from.entries().map_err(refused(from.path()))? {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::new(ExitStatus::Interrupted, "the same command merges them").into());
        }
        let shown = from.path().join(&name);
        let wrong = || format!("cannot copy {} to {}", shown.display(), to.path().display());
        if kind.is_dir() {
            let below = from.folder(&name).map_err(refused(&shown))?;
            let made = to.make(&name).with_context(wrong)?;
            below.map_or(Ok(()), |below| copy(&below, &made, stop))?;
        } else if kind.is_file() {
            let Some(mut content) = from.open(&name).map_err(refused(&shown))? else { continue };
            let mut copied = to.create(&name).with_context(wrong)?;
            io::copy(&mut content, &mut copied).with_context(wrong)?;
        } else {
            terminal::note(&format!("{} is no regular file, and is left out", shown.display()));
        }
    }
    Ok(())
}
