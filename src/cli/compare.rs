//! `schism compare`: read modes by cost and risk.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    campaign::stop_on_signal,
    node_options::NodeOptionArgs,
    partition::PartitionArgs,
    run::wrong_fault,
    systems::{ReadModeParser, SystemChoice, SystemParser, find_all},
};
use crate::{
    campaign::{
        self, Manner, MatrixProgress,
        folder::{Folder, StoredPlan},
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
    /// Percentages of operations that read, one setting each.
    #[arg(long, value_delimiter = ',', value_name = "LIST", default_value = "80")]
    read_shares: Vec<u8>,
    #[command(flatten)]
    node_options: NodeOptionArgs,
    #[command(flatten)]
    partition: PartitionArgs,
    /// Number of runs of each mode in each setting, each with another seed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Duration of each run's load.
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = parse_time_limit)]
    time_limit: Duration,
    /// Operations per second, all clients together; 0 is as fast as possible, to compare throughput.
    #[arg(long, value_name = "R", default_value_t = 0)]
    rate: u32,
    /// Number of clients.
    #[arg(long, value_name = "C", default_value_t = 6)]
    concurrency: u16,
    /// Folder of the comparison.
    #[arg(long, value_name = "DIR", default_value = "store/compare")]
    store: PathBuf,
    /// Continue the comparison in the folder.
    #[arg(long)]
    resume: bool,
    /// Print compare.json instead of the tables.
    #[arg(long)]
    json: bool,
}

/// Number of nodes where systems can have as many: the fewest that bear the loss of one.
const USUAL_NODES: u16 = 3;

fn parse_mix(text: &str) -> Result<FaultMix, String> {
    text.parse().map_err(|error| wrong_fault(&error))
}

impl CompareArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let choices = self.system.unwrap_or_else(|| vec![SystemChoice::default()]);
        let (systems, system_files) = find_all(&choices, self.resume.then_some(&*self.store))?;
        let plan = WrittenPlan {
            systems,
            system_files,
            reads: self.reads,
            faults: self.faults,
            nodes: self.nodes,
            read_shares: self.read_shares,
            options: self.node_options.options(),
            partition_by: self.partition.way(),
            seeds: Seeds::Count(self.rounds),
            time_limit: self.time_limit,
            rate: self.rate,
            concurrency: self.concurrency,
            ..WrittenPlan::default()
        };
        let nodes = plan.nodes.clone().unwrap_or_else(|| vec![plan.usual_nodes(USUAL_NODES)]);
        let plan = WrittenPlan { nodes: Some(nodes), ..plan };
        let faults = plan.faults.clone().unwrap_or_else(|| compare::usual_faults(&plan));
        let plan = WrittenPlan { faults: Some(faults), ..plan }.complete();
        plan.check().map_err(|why| Failure::new(ExitStatus::Usage, why))?;
        let folder = Folder::open(&self.store, Some(StoredPlan::new(plan, None)), self.resume)?;
        let stop = stop_on_signal("--resume")?;
        let progress = MatrixProgress::new(&folder.asked.plan, &folder.runs());
        let manner = Manner { at_once: Some(1), ..Manner::default() };
        let summary = campaign::carry_out(&folder, manner, &stop, &progress)?;
        drop(progress);
        report::outputs::write(folder.inside(), &summary)?;
        let comparison = compare::measure(&summary, folder.inside())?;
        folder.write(compare::FILE, &comparison)?;
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
    Answer {
        subject,
        verdict: format!("{} of {} measured", comparison.finished, counted(comparison.planned, "run")),
        summary: format!("\n{}\n", comparison.advice()),
        steps: vec![Step::Page(folder.join(report::compare::PAGE))],
        details: text,
    }
}
