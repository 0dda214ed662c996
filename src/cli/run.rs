//! `schism run`: one run of a workload under faults.

use std::{cell::Cell, path::PathBuf, time::Duration};

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _},
};
use nemesis::{FaultKind, FaultSpecs, FaultTiming, PartitionBy, SHAPES, SpecError, Spread, TARGETS};
use workloads::WORKLOADS;

use super::{
    node_options::NodeOptionArgs,
    partition::PartitionArgs,
    systems::{ReadModeParser, SystemChoice, SystemParser},
};
use crate::{
    campaign::plan::{FaultMix, FaultTime, WrittenPlan},
    check::decided_at_the_end,
    error::{ExitStatus, Failure},
    render::run_summary,
    report,
    run::{
        FinishedRun, Host, RunLocation, Script, Stay,
        plan::{Plan, check_faults, parse_fault_time, parse_time_limit, usual_partition, usual_workload},
        repeated_plan,
    },
    systems::ReadMode,
    terminal::{self, words::did_you_mean},
};

/// Starts a cluster, runs clients while faults come and go, and judges what the clients saw.
#[derive(Debug, Args)]
#[command(after_help = examples_and_faults())]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct RunArgs {
    /// Number of nodes in the cluster.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// System under test, by its name or by a file that describes it [default: schism].
    #[arg(long, value_name = "NAME|FILE.toml", value_parser = SystemParser)]
    system: Option<SystemChoice>,
    /// Read mode: how nodes answer reads [default: quorum].
    #[arg(long, value_name = "MODE", value_parser = ReadModeParser)]
    read: Option<ReadMode>,
    /// Workload: operations of the clients [default: register, or the first that the system has].
    #[arg(long, value_name = "NAME", value_parser = workload_names())]
    workload: Option<String>,
    /// Faults to inject during the load [default: partition:isolate-leader, or partition if nobody says who leads].
    #[arg(long, value_name = "LIST", value_parser = parse_faults)]
    faults: Option<FaultSpecs>,
    #[command(flatten)]
    timing: TimingArgs,
    /// Script of faults: which one comes at which time, or when something happens, and whom it hits.
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["faults", "every", "lasts", "overlap"])]
    script: Option<PathBuf>,
    /// Repeat this run: its plan, with faults on the nodes that they hit in it.
    #[arg(long, value_name = "DIR", conflicts_with_all = SHAPING)]
    replay: Option<PathBuf>,
    /// Duration of the load.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_time_limit)]
    time_limit: Duration,
    /// Operations per second, all clients together; 0 is as fast as possible.
    #[arg(long, value_name = "R", default_value_t = 500)]
    rate: u32,
    /// Number of clients, each bound to one node in turn.
    #[arg(long, value_name = "C", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Number of keys in use at once.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1024))]
    keys: u16,
    /// Percentage of operations on one of the keys in use, the hot one; the others are spread evenly.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    hot_key: u8,
    /// Send writes that were not answered again, through other nodes too, in sessions in which each takes effect once.
    #[arg(long)]
    retry: bool,
    /// Do not probe the nodes for availability: probes write to each node, which may bring on what it fails to do by
    /// itself.
    #[arg(long)]
    no_probes: bool,
    /// Percentage of operations that only read; of a register's others, a fifth is cas.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    read_share: u8,
    /// Seed of all random choices [default: drawn, and shown].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Folder of the stored runs.
    #[arg(long, value_name = "DIR", default_value = "store")]
    store: PathBuf,
    /// Store the run in exactly this folder, which must not exist.
    #[arg(long, value_name = "DIR", hide = true, conflicts_with = "store")]
    folder: Option<PathBuf>,
    /// Folder of the campaign to which the run belongs, whose plan keeps the texts of systems' files.
    #[arg(long, value_name = "DIR", hide = true)]
    campaign: Option<PathBuf>,
    /// End as soon as this process, which started the run, does.
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) with_parent: Option<i32>,
    #[command(flatten)]
    node_options: NodeOptionArgs,
    #[command(flatten)]
    partition: PartitionArgs,
    /// Write the frames of each host's port to pcap/n1.pcap and so on in the run's folder.
    #[arg(long)]
    pcap: bool,
    /// Record every message between nodes, and draw them in the report.
    #[arg(long)]
    trace: bool,
    /// Judge the history while it grows, and end the load with the first violation.
    #[arg(long)]
    stop_on_violation: bool,
    /// Keep the nodes up after the verdict, until Ctrl-C, or for this long [10m if no time is given].
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m",
        value_parser = parse_time_limit)]
    leave_running: Option<Duration>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Options for the times of faults.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct TimingArgs {
    /// Time from the beginning of one fault to that of the next; the first one is early [default: by the system].
    #[arg(long, value_name = "TIME", value_parser = parse_fault_time, requires = "lasts")]
    every: Option<Duration>,
    /// Duration of a fault that has none of its own [default: by the system].
    #[arg(long = "for", id = "lasts", value_name = "TIME", value_parser = parse_fault_time, requires = "every")]
    lasts: Option<Duration>,
    /// Distribution of these times: always the same, or exponential with them as means.
    #[arg(long, value_name = "NAME", default_value = "exponential", requires = "every",
        value_parser = PossibleValuesParser::new([Spread::Exponential.name(), Spread::Fixed.name()])
            .map(|name| Spread::from_name(&name).expect("it is one of the possible values")))]
    fault_timing: Spread,
    /// Let the next fault begin before one has ended; partitions still wait for each other.
    #[arg(long)]
    pub(super) overlap: bool,
}

impl TimingArgs {
    /// Returns the times that were asked for, if any.
    pub(super) fn timing(self) -> Result<Option<FaultTiming>, String> {
        let Self { fault_timing: spread, overlap, .. } = self;
        let Some((every, lasts)) = self.every.zip(self.lasts) else { return Ok(None) };
        if lasts < every || overlap {
            return Ok(Some(FaultTiming { every, lasts, spread }));
        }
        Err(format!(
            "faults that come every {every:?} for {lasts:?} would overlap: add --overlap, or choose other times"
        ))
    }
}

/// Options that shape the plan of a run, which is given if a run is repeated.
const SHAPING: [&str; 27] = [
    "nodes",
    "system",
    "read",
    "workload",
    "faults",
    "script",
    "every",
    "lasts",
    "fault_timing",
    "overlap",
    "pcap",
    "time_limit",
    "rate",
    "concurrency",
    "keys",
    "hot_key",
    "retry",
    "no_probes",
    "read_share",
    "seed",
    "elections",
    "check_quorum",
    "defect",
    "snapshot_after",
    "request_timeout",
    "trace",
    "stop_on_violation",
];

fn examples_and_faults() -> String {
    let line = |kind: &FaultKind| {
        let (usage, about) = (kind.usage(), kind.about());
        let gap = if usage.len() < WIDTH { "" } else { "\n" };
        let indent = if gap.is_empty() { WIDTH - usage.len() } else { WIDTH + 2 };
        format!("  {usage}{gap}{:indent$}{about}\n", "")
    };
    let kinds: String = FaultKind::ALL.iter().map(line).collect();
    format!(
        "{EXAMPLES}\nFaults, separated by commas (joined by + if at once), take turns:\n{kinds}  none\n\
         TARGET is {TARGETS}.\nSHAPE is one of {SHAPES}."
    )
}

const EXAMPLES: &str = "Examples:
  schism run --read leader
  schism run --read lease --faults clock,partition:isolate-leader
  schism run --read quorum --faults kill,pause,partition --seed 7
  schism run --nodes 3 --faults none --rate 0 --concurrency 64
  schism run --replay store/latest
";
/// Width of the column with the forms of faults.
const WIDTH: usize = 20;

pub(super) fn workload_names() -> PossibleValuesParser {
    let known = WORKLOADS.iter().map(|workload| PossibleValue::new(workload.name()).help(workload.about()));
    PossibleValuesParser::new(known)
}

impl RunArgs {
    pub(crate) fn execute(self, host: &Host) -> anyhow::Result<ExitStatus> {
        let json = self.json;
        let location = match self.folder.clone() {
            Some(path) => RunLocation::Folder { path, campaign: self.campaign.clone() },
            None => RunLocation::Store(self.store.clone()),
        };
        let plan = self.plan()?;
        let shown = Cell::new(None);
        let show_it = |finished: &FinishedRun| shown.set(Some(show(finished, json)));
        let finished = match self.leave_running {
            Some(limit) => host.run_and_stay(&plan, &location, Stay { limit, show: &show_it })?,
            None => host.run(&plan, &location)?,
        };
        // One that was interrupted has not been shown yet.
        let shown = shown.take().unwrap_or_else(|| show(&finished, json));
        Ok(terminal::beside(terminal::beside(finished.results.status(), shown), finished.results_written))
    }

    /// Checks that the run is possible at all.
    ///
    /// # Errors
    /// Fails if one of the faults cannot work in a cluster of this size, or the system lacks what is asked of it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let plan = self.plan()?;
        check_size(&plan, self.faults.is_none() && self.script.is_none() && self.replay.is_none())?;
        check_faults(plan.system(), &plan.schedule).map_err(|refused| usage(refused.what).hint(refused.remedy))?;
        Ok(())
    }

    /// Returns the way to partition hosts: the one that was asked for, or that of the run that is repeated.
    ///
    /// # Errors
    /// Fails if that run cannot be read.
    pub(crate) fn partition_by(&self) -> anyhow::Result<PartitionBy> {
        match &self.replay {
            Some(run) if self.partition.partition_by.is_none() => {
                Ok(repeated_plan(run)?.partition_by.unwrap_or_default())
            }
            _ => Ok(self.partition.way()),
        }
    }

    /// Returns the plan of a campaign with one cell, that of this run, as it is written.
    pub(super) fn as_cell(&self) -> anyhow::Result<WrittenPlan> {
        let Plan { system, read, workload, faults, nodes, read_percent, rate, concurrency, keys, .. } = self.plan()?;
        Ok(WrittenPlan {
            systems: vec![system],
            reads: Some(vec![read]),
            workloads: Some(vec![workload]),
            faults: Some(vec![FaultMix::of(&faults)]),
            nodes: Some(vec![nodes]),
            read_shares: vec![read_percent],
            rate,
            concurrency,
            keys,
            hot_key: self.hot_key,
            retry: self.retry,
            no_probes: self.no_probes,
            every: self.timing.every.map(FaultTime),
            lasts: self.timing.lasts.map(FaultTime),
            overlap: self.timing.overlap,
            stop_on_violation: self.stop_on_violation,
            options: self.node_options.options(),
            ..WrittenPlan::default()
        })
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        if let Some(run) = &self.replay {
            let plan = repeated_plan(run)?;
            return Ok(Plan { partition_by: self.partition.partition_by.or(plan.partition_by), ..plan });
        }
        let choice = self.system.clone().unwrap_or_default();
        let (system, system_file) = choice.find(self.campaign.as_deref())?;
        let read = self.read.clone().unwrap_or_else(|| system.default_read());
        system.check_read(&read).map_err(usage)?;
        let settings = system.settings(&read, &self.node_options.options(), self.trace).map_err(usage)?;
        let usual = || usual_partition(system.has_roles()).parse().expect("it is a list of faults");
        let plan = Plan {
            system: system.name().into(),
            system_file,
            nodes: self.nodes,
            read,
            workload: self.workload.clone().unwrap_or_else(|| usual_workload(&[system])),
            faults: self.faults.clone().unwrap_or_else(usual),
            partition_by: Some(self.partition.way()),
            timing: self.timing.timing().map_err(usage)?,
            overlap: self.timing.overlap,
            pcap: self.pcap,
            seed: self.seed.unwrap_or_else(draw_seed),
            time_limit_ms: u64::try_from(self.time_limit.as_millis()).unwrap_or(u64::MAX),
            rate: self.rate,
            concurrency: self.concurrency,
            keys: self.keys,
            hot_key_percent: self.hot_key,
            retry: self.retry,
            no_probes: self.no_probes,
            read_percent: self.read_share,
            settings,
            stop_on_violation: self.stop_on_violation,
            ..Plan::default()
        };
        plan.check().map_err(usage)?;
        if let Some(property) = decided_at_the_end(plan.workload()).filter(|_| self.stop_on_violation) {
            let why = format!("only the end of a history decides the property {property}");
            return Err(usage(why).hint("leave --stop-on-violation out, or choose another workload").into());
        }
        let Some(path) = &self.script else { return Ok(plan.schedule()) };
        let unreadable = |why| Failure::new(ExitStatus::Unreadable, why);
        let script = Script::read(path, plan.nodes, plan.time_limit()).map_err(unreadable)?;
        let options = plan.schedule_options();
        let wrong = |why| unreadable(format!("{}: {why}", path.display()));
        let schedule = script.schedule(plan.seed, &options).map_err(wrong)?;
        Ok(Plan { faults: script.faults(), script: Some(path.display().to_string()), schedule, ..plan })
    }
}

/// Writes the page of a run, and prints what was found.
fn show(finished: &FinishedRun, json: bool) -> anyhow::Result<()> {
    let page = report::of_run(finished);
    if json {
        terminal::print_json(&finished.as_json(true))?;
    } else {
        terminal::print_answer(&run_summary::describe_run(finished, true), finished.results.status())?;
    }
    page
}

/// Parses a list of faults.
///
/// # Errors
/// Fails with the reason, and the fault that may be meant by an unknown name.
pub(super) fn parse_faults(text: &str) -> Result<FaultSpecs, String> {
    text.parse().map_err(|error| wrong_fault(&error))
}

/// Describes what is wrong with a fault, and which one may be meant by an unknown name.
pub(super) fn wrong_fault(error: &SpecError) -> String {
    let similar = match error {
        SpecError::UnknownFault(name) => did_you_mean(name, FaultKind::ALL.iter().map(|kind| kind.name())),
        _ => String::new(),
    };
    format!("{error}{similar}")
}

/// Checks that the faults of a plan can work in a cluster of its size; the default ones may, or may not, be meant.
///
/// # Errors
/// Fails with the first that cannot, with an alternative.
pub(super) fn check_size(plan: &Plan, are_default: bool) -> Result<(), Failure> {
    plan.faults.check(plan.nodes).map_err(|why| {
        if are_default {
            usage(format!("--faults is not given, and its default {why}"))
                .hint("name others, such as --faults kill:all, or --faults none")
        } else {
            usage(why.to_string())
        }
    })
}

pub(super) fn usage(why: String) -> Failure {
    Failure::new(ExitStatus::Usage, why)
}

/// Draws a seed short enough to be typed again.
pub(crate) fn draw_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos() ^ std::process::id().rotate_left(16)) % 1_000_000
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::{RunArgs, SHAPING};

    #[test]
    fn what_shapes_a_plan_is_refused_beside_one() {
        // Where the run goes, what is shown of it, and what another host may need otherwise.
        let others = ["replay", "store", "folder", "campaign", "with_parent", "partition_by", "leave_running", "json"];
        let command = RunArgs::augment_args(Command::new("run"));
        let ids = command.get_arguments().map(|argument| argument.get_id().as_str());
        let forgotten: Vec<_> = ids.filter(|id| !SHAPING.contains(id) && !others.contains(id)).collect();
        assert!(forgotten.is_empty(), "beside --replay these would be ignored: {forgotten:?}");
    }
}
