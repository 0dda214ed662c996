//! `schism merge`: the parts of a campaign, done on several machines, as one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;

use super::campaign::show;
use crate::{
    campaign::{
        folder::{Asked, Folder, RUNS, read_plan, read_record},
        outputs,
        plan::CampaignPlan,
    },
    exit::ExitStatus,
    ui::{self, Failure},
};

/// Puts the parts of a campaign together that were done apart, by --shard or by chance.
///
/// All must have the same plan. A run that several parts have is taken from the first of them. What no part has is missing, and
/// `schism campaign --resume` does it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism merge night-1 night-2 night-3 --into night")]
pub(crate) struct MergeArgs {
    /// The folders of the parts.
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,
    /// The folder of the whole, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Print campaign.json instead of the table.
    #[arg(long)]
    json: bool,
}

impl MergeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let plan = self.common_plan()?;
        let whole = Folder::open(&self.into, Some(Asked { plan, shard: None }), false)?;
        let mut records = BTreeMap::new();
        for run in whole.runs() {
            for part in &self.parts {
                let dir = part.join(RUNS).join(run.id());
                let Some(record) = read_record(&dir)? else { continue };
                if records.contains_key(&record.id) {
                    ui::note(&format!("{} is in several parts; that of {} is left out", record.id, part.display()));
                    continue;
                }
                copy(&dir, &whole.run_dir(&run))?;
                records.insert(record.id.clone(), record);
            }
        }
        let summary = whole.write_summary(&records)?;
        outputs::write(whole.path(), &summary)?;
        show(&summary, whole.path(), self.json)?;
        let missing = summary.planned - summary.finished;
        if missing == 0 {
            return Ok(summary.status());
        }
        ui::note(&format!("{missing} runs are missing: schism campaign --resume --store {}", self.into.display()));
        Ok(summary.status().worst(ExitStatus::Interrupted))
    }

    fn common_plan(&self) -> anyhow::Result<CampaignPlan> {
        let mut common: Option<(&Path, CampaignPlan)> = None;
        for part in &self.parts {
            let Some(Asked { plan, .. }) = read_plan(part)? else {
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

/// A folder with all below it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let wrong = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).with_context(wrong)?;
    for entry in fs::read_dir(from).with_context(wrong)? {
        let entry = entry.with_context(wrong)?;
        let target = to.join(entry.file_name());
        if entry.file_type().with_context(wrong)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(wrong)?;
        }
    }
    Ok(())
}
