//! `schism compare`: read modes by cost and risk.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    campaign::replace,
    interrupts::stop_on_signal,
    node_options::NodeOptionArgs,
    partition::PartitionArgs,
    run::wrong_fault,
    systems::{ReadModeParser, SystemChoice, SystemParser, find_all},
};
use crate::{
    campaign::{
        self, CampaignOptions, MatrixProgress,
        folder::{COMPARISON_FILE, Folder, Purpose, StoredPlan, read_plan, stored_summary},
        plan::{FaultMix, Seeds, WrittenPlan},
    },
    compare::{self, Comparison, HEADINGS, order_in_words},
    error::{ExitStatus, Failure},
    report,
    run::plan::parse_time_limit,
    systems::ReadMode,
    terminal::{self, Answer, Step, Table, words::counted},
};

/// Compares the cost and the risk of read modes. Each mode runs under the same load and faults, one run at a time and
/// in turn, so that a busy machine affects all alike.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism compare
  schism compare --reads lease,quorum --nodes 3,5 --read-shares 50,95
  schism compare --system mystore.toml

In the folder: compare.json, compare.html, and all that a campaign has. Exit code 0 when all runs came to a \
verdict, whichever.")]
pub(crate) struct CompareArgs {
    /// Systems under test, by their names or by files that describe them [default: schism].
    #[arg(long, value_delimiter = ',', value_name = "NAME|FILE.toml,...", value_parser = SystemParser)]
    system: Option<Vec<SystemChoice>>,
    /// Read modes; of each system those that it has [default: all].
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = ReadModeParser)]
    reads: Option<Vec<ReadMode>>,
    /// Faults, one setting each [default: none;partition:isolate-leader;clock+partition:isolate-leader, as far as the
    /// systems can be under them: no faults, honest clocks, and drift].
    #[arg(long, value_delimiter = ';', value_name = "LIST", value_parser = parse_mix)]
    faults: Option<Vec<FaultMix>>,
    /// Sizes of the cluster, in nodes, one setting each [default: 3, or as many as the systems can have].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    nodes: Option<Vec<u16>>,
    /// Percentages of operations that read, one setting each [default: 80].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    read_shares: Option<Vec<u8>>,
    #[command(flatten)]
    node_options: NodeOptionArgs,
    #[command(flatten)]
    partition: PartitionArgs,
    /// Number of runs of each mode in each setting, each with another seed [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Duration of each run's load [default: 6s].
    #[arg(long, value_name = "TIME", value_parser = parse_time_limit)]
    time_limit: Option<Duration>,
    /// Operations per second, all clients together; 0 is as fast as possible, to compare throughput [default: 0].
    #[arg(long, value_name = "R")]
    rate: Option<u32>,
    /// Number of clients [default: 6].
    #[arg(long, value_name = "C")]
    concurrency: Option<u16>,
    /// Folder of the comparison.
    #[arg(long, value_name = "DIR", default_value = "store/compare")]
    store: PathBuf,
    /// Continue the comparison in the folder by its own plan; of options, only more --rounds may change it.
    #[arg(long)]
    resume: bool,
    /// Print compare.json instead of the tables.
    #[arg(long)]
    json: bool,
}

/// Number of nodes where systems can have as many: the fewest that bear the loss of one.
const USUAL_NODES: u16 = 3;
/// Default reads, rounds and other figures of a comparison.
const READ_SHARE: u8 = 80;
const ROUNDS: u32 = 3;
const TIME_LIMIT: Duration = Duration::from_secs(6);
const CLIENTS: u16 = 6;

/// Returns the plan of a comparison without options, but for its systems and what follows from them.
fn usual_plan() -> WrittenPlan {
    WrittenPlan {
        read_shares: vec![READ_SHARE],
        seeds: Seeds::Count(ROUNDS),
        time_limit: TIME_LIMIT,
        rate: 0,
        concurrency: CLIENTS,
        ..WrittenPlan::default()
    }
}

fn parse_mix(text: &str) -> Result<FaultMix, String> {
    text.parse().map_err(|error| wrong_fault(&error))
}

impl CompareArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let folder = Folder::open(&self.store, Purpose::Comparison, self.asked()?, self.resume)?;
        if !folder.inside().has(COMPARISON_FILE) {
            // From now on, whatever interrupts it, this is the folder of a comparison.
            let nothing_yet = compare::measure(&stored_summary(&self.store)?, folder.inside())?;
            folder.write(COMPARISON_FILE, &nothing_yet)?;
        }
        let stop = stop_on_signal("--resume")?;
        let progress = MatrixProgress::new(&folder.asked.plan, &folder.runs());
        let options = CampaignOptions { at_once: Some(1), ..CampaignOptions::default() };
        let summary = campaign::carry_out(&folder, options, &stop, &progress)?;
        drop(progress);
        report::outputs::write(folder.inside(), &summary)?;
        let comparison = compare::measure(&summary, folder.inside())?;
        folder.write(COMPARISON_FILE, &comparison)?;
        report::compare::write(&comparison, folder.inside())?;
        let done = summary.runs.iter().filter(|run| run.facts.is_some()).count();
        let status = match (done == summary.planned, summary.finished == summary.planned) {
            (true, _) => ExitStatus::Linearizable,
            (false, true) => ExitStatus::Failed,
            (false, false) => ExitStatus::Interrupted,
        };
        if self.json {
            terminal::print_json(&comparison)?;
        } else {
            terminal::print_answer(&describe(&comparison, &folder.shown()), status)?;
        }
        Ok(status)
    }

    /// Returns the requested plan; none if the plan in the folder is to be used.
    fn asked(&self) -> anyhow::Result<Option<StoredPlan>> {
        // What no option says is as in the folder, if the comparison there goes on, or else as usual.
        let stored = if self.resume { read_plan(&self.store)? } else { None };
        let mut plan = stored.as_ref().map_or_else(usual_plan, StoredPlan::written);
        let mut given = self.system.is_some();
        let mut set = |is_given: bool| given |= is_given;
        set(replace(&mut plan.reads, self.reads.clone().map(Some)));
        set(replace(&mut plan.faults, self.faults.clone().map(Some)));
        set(replace(&mut plan.nodes, self.nodes.clone().map(Some)));
        set(replace(&mut plan.read_shares, self.read_shares.clone()));
        set(plan.options.replace(&self.node_options.options()));
        set(replace(&mut plan.partition_by, self.partition.partition_by));
        set(replace(&mut plan.seeds, self.rounds.map(Seeds::Count)));
        set(replace(&mut plan.time_limit, self.time_limit));
        set(replace(&mut plan.rate, self.rate));
        set(replace(&mut plan.concurrency, self.concurrency));
        if self.resume && !given {
            return Ok(None);
        }
        if stored.is_none() || self.system.is_some() {
            let choices = self.system.clone().unwrap_or_else(|| vec![SystemChoice::default()]);
            (plan.systems, plan.system_files) = find_all(&choices, self.resume.then_some(&*self.store))?;
        }
        let nodes = plan.nodes.clone().unwrap_or_else(|| vec![plan.usual_nodes(USUAL_NODES)]);
        let plan = WrittenPlan { nodes: Some(nodes), ..plan };
        let faults = plan.faults.clone().unwrap_or_else(|| compare::usual_faults(&plan));
        let plan = WrittenPlan { faults: Some(faults), ..plan }.complete();
        plan.check().map_err(|why| Failure::new(ExitStatus::Usage, why))?;
        Ok(Some(StoredPlan::new(plan, None)))
    }
}

fn describe(comparison: &Comparison, folder: &Path) -> Answer {
    let subject = comparison.plan.subject_in_words().map_or_else(String::new, |subject| subject + "\n");
    let mut text = String::new();
    for setting in &comparison.settings {
        let mut table = Table::new(HEADINGS);
        for mode in &setting.modes {
            table.add_row(mode.words());
        }
        let orders = format!(
            "  reads, fastest first: {}\n  throughput, highest first: {}\n",
            order_in_words(&setting.by_read_latency, " < "),
            order_in_words(&setting.by_throughput, " > ")
        );
        text += &format!("\n{}\n{}", setting.name, table.above(&orders));
    }
    let mut steps = vec![Step::Page(folder.join(report::compare::PAGE))];
    if comparison.finished < comparison.planned {
        steps.push(Step::Command("resume", Purpose::Comparison.resume(folder)));
    }
    Answer {
        subject,
        verdict: format!("{} of {} measured", comparison.finished, counted(comparison.planned, "run")),
        summary: format!("\n{}\n", comparison.advice()),
        steps,
        details: text,
    }
}
