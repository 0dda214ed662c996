//! One run of a plan: its name, its arguments, and its time limit.

use std::time::Duration;

use nemesis::PartitionBy;

use super::{CampaignPlan, Cell, parts::file_of};
use crate::{run::plan::system_arguments, systems::Timing};

/// Maximum duration of what else there is to a run: preparation, healing, final reads, the verdict.
const BESIDES: Duration = Duration::from_mins(4);

/// One run of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunPlan {
    pub(crate) cell: Cell,
    /// Name of the cell's folder.
    pub(crate) cell_folder: String,
    pub(crate) seed: u64,
}

impl CampaignPlan {
    /// Returns all runs, seed after seed: the matrix fills evenly, and read modes alternate, so that a busy host
    /// affects all alike.
    pub(crate) fn runs(&self) -> Vec<RunPlan> {
        let cells = self.cells();
        let columns = self.faults.len() * self.read_shares.len() * self.nodes.len() * self.workloads.len();
        let mut by_column: Vec<&Cell> = cells.iter().collect();
        by_column.sort_by_key(|cell| (cell.number - 1) % columns);
        let of_seed = |seed: u64| {
            by_column.iter().map(move |cell| RunPlan { cell: Cell::clone(cell), cell_folder: cell.folder(self), seed })
        };
        self.seeds.list().into_iter().flat_map(of_seed).collect()
    }
}

impl RunPlan {
    /// Returns the identifier of the run in its campaign, which is also its folder below `runs/`.
    pub(crate) fn id(&self) -> String {
        format!("{}/seed-{}", self.cell_folder, self.seed)
    }

    /// Returns the maximum duration of the run: of its load, and of what its system needs before and after it.
    ///
    /// # Errors
    /// Fails if the system is not known, or does not know what is asked of it.
    pub(crate) fn time_limit(&self, plan: &CampaignPlan) -> Result<Duration, String> {
        let Cell { system, read, options, .. } = &self.cell;
        let system = plan.find_system(system)?;
        let Timing { ready_within, settled_within, settle, stop_within, .. } =
            system.timing(&system.settings(read, options, plan.trace)?);
        Ok(plan.time_limit + ready_within + settled_within + 2 * settle + stop_within + BESIDES)
    }

    /// Returns the arguments of `schism` that repeat the run.
    pub(crate) fn arguments(&self, plan: &CampaignPlan) -> Vec<String> {
        let cell = &self.cell;
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(system_arguments(&cell.system, file_of(&cell.system, &plan.system_files)));
        for (name, value) in [
            ("--read", cell.read.name().to_owned()),
            ("--faults", cell.faults.specs.to_string()),
            ("--workload", cell.workload.clone()),
            ("--nodes", cell.nodes.to_string()),
            ("--read-share", cell.read_share.to_string()),
            ("--time-limit", humantime::format_duration(plan.time_limit).to_string().replace(' ', "")),
            ("--rate", plan.rate.to_string()),
            ("--concurrency", plan.concurrency.to_string()),
            ("--keys", plan.keys.to_string()),
            ("--seed", self.seed.to_string()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        if plan.partition_by != PartitionBy::default() {
            arguments.extend(["--partition-by".to_owned(), plan.partition_by.to_string()]);
        }
        let times = [("--every", plan.every), ("--for", plan.lasts)];
        let times = times.into_iter().filter_map(|(name, time)| Some([name.to_owned(), time?.into()]));
        arguments.extend(times.flatten());
        if plan.hot_key > 0 {
            arguments.extend(["--hot-key".to_owned(), plan.hot_key.to_string()]);
        }
        let switches = [(plan.overlap, "--overlap"), (plan.retry, "--retry"), (plan.no_probes, "--no-probes")];
        arguments.extend(switches.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name.to_owned()));
        arguments.extend(cell.options.arguments());
        arguments.extend(plan.trace.then(|| "--trace".to_owned()));
        arguments.extend(plan.stop_on_violation.then(|| "--stop-on-violation".to_owned()));
        arguments
    }
}
