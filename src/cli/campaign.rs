//! `schism campaign`: many runs, one answer.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use toml::Spanned;

use super::{
    interrupts::stop_on_signal,
    node_options::NodeOptionArgs,
    partition::PartitionArgs,
    run::wrong_fault,
    systems::{ReadModeParser, SystemChoice, SystemParser, find_all},
};
use crate::{
    campaign::{
        self, CampaignOptions, MatrixProgress,
        folder::{self, Folder, Purpose, StoredPlan},
        plan::{FaultMix, Seeds, Shard, WrittenPlan, parse_mixes, parse_seeds},
    },
    check::number_at_once,
    error::{ExitStatus, Failure},
    render::describe_campaign,
    report::{campaign::INDEX, outputs},
    run::plan::parse_time_limit,
    systems::{ReadMode, SystemName},
    terminal,
};

/// Carries out a matrix of runs (read modes × faults × seeds), each in a process of its own, and shows which cells
/// hold.
///
/// Without a plan or options: all five read modes under none, kill:leader, pause:leader, partition:isolate-leader and
/// clock+partition:isolate-leader, with three seeds each, without the cells that can find nothing; of another system,
/// all its read modes under those of these faults that it can be under, at random nodes if nobody says who leads. A
/// campaign is kept in one folder. One that was interrupted in any way can be continued with --resume.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism campaign
  schism campaign --reads leader,quorum --faults none,kill,partition+clock
  schism campaign --system mystore.toml --store mine
  schism campaign night.toml --store night -j 2
  schism campaign --resume --store night
  schism campaign night.toml --shard 3/20 --store night-3
  schism merge night-* --into night

A plan is TOML; what it leaves out is as above:
  systems = [\"schism\", \"mystore.toml\"]  # names, or systems' files
  reads = [\"leader\", \"quorum\"]
  faults = [\"none\", \"partition+clock\"]   # + in turn in one cell; & at once
  seeds = 3                             # or a list of them
  time-limit = \"20s\"
  nodes = [5]
  read-shares = [50]
  rate = 500
  concurrency = 25
  keys = 5
  elections = \"basic\"                   # or \"check-quorum\"; else by read mode
  partition-by = \"netlink\"              # or \"iptables\", \"nft\"
  trace = false                         # true: diagrams, 0.8 MB a second
  every = \"1s\"                          # times of faults: how often,
  for = \"600ms\"                         # and for how long
  overlap = false                       # true: they need not take turns
  hot-key = 50                          # percentage of operations on one key
  retry = false                         # true: writes are sent again
  no-probes = false                     # true: availability is not judged
  stop-on-violation = false             # true: as far as the first violation

In the folder: campaign.json, campaign.sqlite (tables runs and cells), junit.xml, summary.md, and \
runs/<cell>/seed-<n>/ with all of each run. On GitHub Actions, annotations and the step's summary are written too. \
The exit code is that of the worst run.")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct CampaignArgs {
    /// Plan of the campaign; options override its settings.
    #[arg(value_name = "PLAN.toml")]
    plan: Option<PathBuf>,
    /// Systems under test, by their names or by files that describe them [default: schism].
    #[arg(long, value_delimiter = ',', value_name = "NAME|FILE.toml,...", value_parser = SystemParser)]
    system: Option<Vec<SystemChoice>>,
    /// Read modes; each system is tested in those that it has [default: all].
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = ReadModeParser)]
    reads: Option<Vec<ReadMode>>,
    /// Faults, one column each; + combines several in one column [default: all that the systems can be under].
    #[arg(long, value_name = "LIST", value_parser = parse_list)]
    faults: Option<FaultMixes>,
    #[arg(long, value_delimiter = ',', value_name = "LIST", help = workloads_help())]
    workloads: Option<Vec<String>>,
    /// Seeds of each cell: a number of them, from 1 on, or a range such as 5..10, without its end [default: 3].
    #[arg(long, value_name = "N|A..B", value_parser = parse_seeds)]
    seeds: Option<Seeds>,
    /// Sizes of the cluster, in nodes, one column each [default: 5, or as many as the systems can have].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    nodes: Option<Vec<u16>>,
    #[command(flatten)]
    node_options: NodeOptionArgs,
    #[command(flatten)]
    partition: PartitionArgs,
    /// Duration of each run's load [default: 8s].
    #[arg(long, value_name = "TIME", value_parser = parse_time_limit)]
    time_limit: Option<Duration>,
    /// Operations per second in each run, all clients together [default: 500].
    #[arg(long, value_name = "R")]
    rate: Option<u32>,
    /// Record every message between nodes, and draw them in each report.
    #[arg(long)]
    trace: bool,
    /// Folder of the campaign.
    #[arg(long, value_name = "DIR", default_value = "store/campaign")]
    store: PathBuf,
    /// Continue the campaign in the folder by its own plan; of options, only more --seeds may change it.
    #[arg(long)]
    resume: bool,
    /// Stop at the first violation.
    #[arg(long)]
    until_failure: bool,
    /// Carry out only this part of the runs, such as 3/20.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Maximum number of runs at a time [default: as many as the machine can take, measured].
    #[arg(short = 'j', long, alias = "threads", value_name = "N", value_parser = number_at_once())]
    at_once: Option<u16>,
    /// Print campaign.json instead of the table.
    #[arg(long)]
    json: bool,
}

fn workloads_help() -> String {
    format!("Workloads, one column each: {}", workloads::workload_names().join(", "))
}

/// A list of faults, as one argument.
#[derive(Clone, Debug)]
struct FaultMixes(Vec<FaultMix>);

fn parse_list(text: &str) -> Result<FaultMixes, String> {
    parse_mixes(text).map(FaultMixes).map_err(|error| wrong_fault(&error))
}

impl CampaignArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let folder = Folder::open(&self.store, Purpose::Campaign, self.asked()?, self.resume)?;
        let stop = stop_on_signal("--resume")?;
        let options =
            CampaignOptions { at_once: self.at_once, until_failure: self.until_failure, ..CampaignOptions::default() };
        let progress = MatrixProgress::new(&folder.asked.plan, &folder.runs());
        let summary = campaign::carry_out(&folder, options, &stop, &progress)?;
        drop(progress);
        let status = terminal::beside(summary.status(), outputs::write(folder.inside(), &summary));
        let status = terminal::beside(status, show(&summary, &folder.shown(), status, self.json));
        let cut_short =
            summary.finished < summary.planned && !(self.until_failure && status == ExitStatus::NotLinearizable);
        Ok(if cut_short { status.worst(ExitStatus::Interrupted) } else { status })
    }

    /// Returns the requested plan; none if the plan in the folder is to be used.
    fn asked(&self) -> anyhow::Result<Option<StoredPlan>> {
        // What no option says is as in the folder, if the campaign there goes on, or else as usual.
        let stored = if self.resume && self.plan.is_none() { folder::read_plan(&self.store)? } else { None };
        let mut plan = match (&self.plan, &stored) {
            (Some(path), _) => read_plan(path)?,
            (None, Some(stored)) => stored.written(),
            (None, None) => WrittenPlan::default(),
        };
        let mut given = self.plan.is_some() || self.system.is_some() || self.shard.is_some();
        let mut set = |is_given: bool| given |= is_given;
        set(replace(&mut plan.reads, self.reads.clone().map(Some)));
        set(replace(&mut plan.faults, self.faults.clone().map(|mixes| Some(mixes.0))));
        set(replace(&mut plan.workloads, self.workloads.clone().map(Some)));
        set(replace(&mut plan.seeds, self.seeds.clone()));
        set(replace(&mut plan.nodes, self.nodes.clone().map(Some)));
        set(plan.options.replace(&self.node_options.options()));
        set(replace(&mut plan.partition_by, self.partition.partition_by));
        set(replace(&mut plan.time_limit, self.time_limit));
        set(replace(&mut plan.rate, self.rate));
        set(replace(&mut plan.trace, self.trace.then_some(true)));
        if self.resume && !given {
            return Ok(None);
        }
        if stored.is_none() || self.system.is_some() {
            (plan.systems, plan.system_files) =
                find_all(&self.choices(&plan.systems), self.resume.then_some(&*self.store))?;
        }
        if let Some(differences) = plan.differences() {
            terminal::note(&differences);
        }
        let plan = plan.complete();
        plan.check().map_err(|why| Failure::new(ExitStatus::Usage, why))?;
        let shard = self.shard.or(stored.and_then(|stored| stored.shard));
        Ok(Some(StoredPlan::new(plan.with_current_names(), shard)))
    }

    /// Returns the choice of systems: that of the command line, or else that of the plan, whose files are beside it.
    fn choices(&self, planned: &[SystemName]) -> Vec<SystemChoice> {
        let folder = self.plan.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let choice = |name: &SystemName| SystemChoice::of(&name.to_string(), folder);
        self.system.clone().unwrap_or_else(|| planned.iter().map(choice).collect())
    }
}

/// Replaces a value if there is another one, and returns whether there was.
pub(super) fn replace<T>(value: &mut T, with: Option<T>) -> bool {
    with.map(|with| *value = with).is_some()
}

fn read_plan(path: &Path) -> anyhow::Result<WrittenPlan> {
    let unreadable = |why: String| Failure::new(ExitStatus::Unreadable, format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let wrong = |error: toml::de::Error| {
        let line = line_of_wrong_field(&text).or_else(|| line_at(&text, error.span()?.start));
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let failure = unreadable(format!("{place}{}", error.message().trim_end()));
        failure.hint("`schism campaign --help` shows what a plan looks like")
    };
    Ok(toml::from_str(&text).map_err(wrong)?)
}

/// Returns the line of the first field that is wrong by itself.
fn line_of_wrong_field(text: &str) -> Option<usize> {
    let fields: BTreeMap<Spanned<String>, Spanned<toml::Value>> = toml::from_str(text).ok()?;
    let wrong = |(name, value): &(&Spanned<String>, &Spanned<toml::Value>)| {
        let alone = text.get(name.span().start..value.span().end).unwrap_or_default();
        toml::from_str::<WrittenPlan>(alone).is_err()
    };
    let at = fields.iter().filter(wrong).map(|(name, _)| name.span().start).min()?;
    line_at(text, at)
}

fn line_at(text: &str, at: usize) -> Option<usize> {
    Some(1 + text.get(..at)?.matches('\n').count())
}

/// Prints the results of a campaign.
pub(super) fn show(
    summary: &campaign::summary::Summary,
    folder: &Path,
    status: ExitStatus,
    json: bool,
) -> anyhow::Result<ExitStatus> {
    if json {
        terminal::print_json(summary)
    } else {
        terminal::print_answer(&describe_campaign(summary, &folder.join(INDEX)), status)
    }
}
