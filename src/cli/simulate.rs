//! `schism simulate`: runs on virtual time, one or many.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use checker::Verdict;
use clap::Args;
use nemesis::FaultSpecs;
use serde::Serialize;

use super::{
    interrupts::{TemporaryFolder, end_on_signal, stop_and_say},
    node_options::NodeOptionArgs,
    run::{TimingArgs, check_size, draw_seed, parse_faults, usage, workload_names},
    systems::ReadModeParser,
};
use crate::{
    campaign::plan::parse_range,
    check::{number_at_once, processors, status_of},
    error::{ExitStatus, Failure},
    render::run_summary,
    report,
    run::{
        FinishedRun, RunLocation,
        plan::{Plan, Simulation, default_workload, parse_time_limit, usual_partition},
        script_of,
    },
    simulate::{Found, Search, SimulationError, Tally, impossible, shrunk, simulate_and_store},
    store::PrintedJson,
    systems::{ReadMode, SystemName, schism::simulated_settings},
    terminal::{
        self, Answer, Progress,
        words::{counted, counted_u64, grouped, parse_time, reads_of},
    },
};

/// Name under which the script of a finding's faults is to be stored.
const SCRIPT: &str = "faults.toml";
/// Number of findings that are named.
const MAX_NAMED: usize = 10;

/// Runs a cluster on virtual time, in one thread and from one seed, and judges what its clients saw.
///
/// The nodes are those of `schism run`: the same code, on a simulated clock, network and disk. The same options and the
/// same seed give the same bytes, on every machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism simulate --read leader --seeds 1000 --until-violation
  schism simulate --read quorum --faults kill,pause,partition --seeds 10000 -j 8
  schism simulate --read lease --faults clock,partition --seed 7 --store store
A finding is made smaller and printed as a command. Faults are those of schism run; of packets, loss, delay, reorder, \
duplicate and corrupt:checksum=wrong; of disks, power-loss, disk-slow and disk-error.")]
pub(crate) struct SimulateArgs {
    /// Number of nodes in the cluster.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// Read mode: how nodes answer reads [default: quorum].
    #[arg(long, value_name = "MODE", value_parser = ReadModeParser)]
    read: Option<ReadMode>,
    /// Workload: operations of the clients [default: register].
    #[arg(long, value_name = "NAME", value_parser = workload_names())]
    workload: Option<String>,
    /// Faults to inject during the load; a node that is killed loses what it has not synced [default:
    /// partition:isolate-leader].
    #[arg(long, value_name = "LIST", value_parser = parse_faults)]
    faults: Option<FaultSpecs>,
    #[command(flatten)]
    timing: TimingArgs,
    /// Virtual duration of the load.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time_limit)]
    time_limit: Duration,
    /// Operations per virtual second, all clients together; 0 is as fast as possible.
    #[arg(long, value_name = "R", default_value_t = 100)]
    rate: u32,
    /// Number of clients, each bound to one node in turn.
    #[arg(long, value_name = "C", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Number of keys in use at once.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1024))]
    keys: u16,
    /// Percentage of operations that only read; of a register's others, a fifth is cas.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    read_share: u8,
    /// Seed of a single run, which is described [default: drawn, and shown].
    #[arg(long, value_name = "S", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Seeds of many runs: a number of them, from 0 on, or a range such as 500..1000.
    #[arg(long, value_name = "N|A..B", value_parser = parse_range)]
    seeds: Option<Range<u64>>,
    /// End at the first finding, make it smaller, and show it.
    #[arg(long, requires = "seeds", conflicts_with = "seed")]
    until_violation: bool,
    /// Number of runs at once [default: one for each processor].
    #[arg(short = 'j', long, alias = "threads", value_name = "N", value_parser = number_at_once())]
    at_once: Option<u16>,
    /// Store the run of --seed, or the smaller one of a finding, in this folder, with its report.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[command(flatten)]
    conditions: ConditionArgs,
    #[command(flatten)]
    node_options: NodeOptionArgs,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Options for the simulated network, disks and clocks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulated hosts")]
struct ConditionArgs {
    /// Time that most frames between two hosts take at most; one in 128 takes eight times as long.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = parse_microseconds)]
    latency: u32,
    /// Frames between nodes that are lost, in a thousand.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=1000))]
    loss: u16,
    /// Messages between nodes that arrive twice, in a thousand.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=1000))]
    repeated: u16,
    /// Messages between nodes that may overtake others, in a thousand.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    reordered: u16,
    /// Time that most syncs of a disk take at most; one in a hundred takes eight times as long.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = parse_microseconds)]
    sync: u32,
    /// Syncs that fail, in a million; the node then ends, and is started again.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    disk_errors: u32,
    /// Deviation of a node's clock from true time, at most, in millionths.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=500_000))]
    drift: u32,
    /// Let clients send an unanswered write again, to the next node and in a session, in which it takes effect
    /// once; the history has it as one operation.
    #[arg(long)]
    retry: bool,
    /// Faults of the schedule that are kept, by their places from 0 on, such as 0,2; or none [default: all].
    #[arg(long, value_name = "LIST", value_parser = parse_places)]
    keep_faults: Option<Places>,
}

/// Places in a schedule.
#[derive(Clone, Debug)]
struct Places(Vec<usize>);

fn parse_places(text: &str) -> Result<Places, String> {
    if text == "none" {
        return Ok(Places(Vec::new()));
    }
    let place = |word: &str| word.parse().map_err(|_| format!("{word:?} is no place; expected numbers such as 0,2"));
    text.split(',').map(place).collect::<Result<_, _>>().map(Places)
}

fn parse_microseconds(text: &str) -> Result<u32, String> {
    let span = parse_time(text)?;
    let in_range = |us: &u32| (1..=10_000_000).contains(us);
    u32::try_from(span.as_micros()).ok().filter(in_range).ok_or_else(|| "expected from 1us to 10s".to_owned())
}

impl SimulateArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        match self.seeds.clone() {
            Some(_) if self.store.is_some() && !self.until_violation => {
                let hint = "add --until-violation, or run one of them again with --seed";
                Err(usage("--store keeps the run of --seed, or of a finding made smaller".to_owned()).hint(hint).into())
            }
            Some(seeds) => self.search(seeds),
            None => self.one(),
        }
    }

    /// Carries out a single run, and describes it like a run of real processes.
    fn one(self) -> anyhow::Result<ExitStatus> {
        let plan = self.plan(self.seed.unwrap_or_else(draw_seed))?;
        let kept = self.store.as_deref();
        let (temporary, is_stored) = (TemporaryFolder::default(), Arc::new(AtomicBool::new(false)));
        end_on_signal(Arc::clone(&temporary), Arc::clone(&is_stored))?;
        let mut held = temporary.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = kept.is_none().then(tempfile::tempdir).transpose()?;
        *held = folder.as_ref().map(|folder| folder.path().to_owned());
        let place = match (&*held, kept) {
            (Some(folder), _) => RunLocation::Folder { path: folder.join("run"), campaign: None },
            (None, store) => RunLocation::Store(store.expect("there is no other place").to_owned()),
        };
        drop(held);
        let finished = simulate_and_store(&plan, &place, || {
            let _held = temporary.lock().unwrap_or_else(PoisonError::into_inner);
            is_stored.store(kept.is_some(), Ordering::SeqCst);
        });
        let finished = finished.map_err(with_remedy)?;
        let page = if kept.is_some() { report::of_run(&finished) } else { Ok(()) };
        let printed = if self.json {
            terminal::print_json(&finished.as_json(kept.is_some()))
        } else {
            terminal::print_answer(&run_summary::describe_run(&finished, kept.is_some()), finished.results.status())
        };
        Ok(terminal::beside(terminal::beside(finished.results.status(), printed), page))
    }

    /// Carries out many runs, and names those that found something.
    fn search(&self, seeds: Range<u64>) -> anyhow::Result<ExitStatus> {
        let plan = self.plan(seeds.start)?;
        let threads = self.at_once.map_or_else(processors, usize::from);
        let search = Search { plan, seeds, threads, until_violation: self.until_violation };
        let progress = Progress::new(&format!("simulating {}", reads_of(search.plan.read.name())));
        let stop = stop_and_say("interrupted: ending the runs that are under way".to_owned())?;
        let tally = search.run(&stop, |tally| {
            progress.update(format!("{}, {}", counted_u64(tally.runs, "run"), counted_u64(tally.findings, "finding")));
        });
        drop(progress);
        let first =
            tally.found.first().filter(|_| self.until_violation).map(|found| self.smaller(&search, found, &stop));
        let shrunk = first.transpose()?;
        let status = status_of_tally(&tally);
        let status = if search.is_cut_short(&tally) { status.worst(ExitStatus::Interrupted) } else { status };
        let printed = if self.json {
            terminal::print_json(&PrintedJson::new(SearchJson::of(&search, &tally, shrunk.as_ref())))
        } else {
            terminal::print_answer(&described(&search, &tally, shrunk.as_ref()), status)
        };
        let stored = shrunk.as_ref().and_then(|shrunk| shrunk.stored.as_ref()).filter(|_| !self.json);
        let printed = printed.and_then(|printed| {
            let Some(run) = stored else { return Ok(printed) };
            terminal::print("\n")?;
            terminal::print_answer(&run_summary::describe_run(run, true), run.results.status())
        });
        Ok(terminal::beside(status, printed))
    }

    /// Makes a finding smaller, as far as there is time until `stop` is set, and stores it if that was asked for.
    fn smaller(&self, search: &Search, found: &Found, stop: &AtomicBool) -> anyhow::Result<Shrunk> {
        let plan = Plan { seed: found.seed, ..search.plan.clone() }.schedule();
        let (plan, runs) = shrunk(&plan, stop);
        let stored =
            self.store.as_ref().map(|store| simulate_and_store(&plan, &RunLocation::Store(store.clone()), || ()));
        let stored = stored.transpose()?;
        if let Some(stored) = &stored {
            report::of_run(stored)?;
        }
        Ok(Shrunk { plan, runs, stored })
    }

    pub(super) fn plan(&self, seed: u64) -> anyhow::Result<Plan> {
        let system = SystemName::default().find().map_err(usage)?;
        let read = self.read.clone().unwrap_or_else(|| system.default_read());
        system.check_read(&read).map_err(usage)?;
        let usual = || usual_partition(true).parse().expect("it is a list of faults");
        let ConditionArgs { latency, loss, repeated, reordered, sync, disk_errors, drift, retry, keep_faults } =
            &self.conditions;
        let plan = Plan {
            nodes: self.nodes,
            settings: simulated_settings(&read, &self.node_options.options()).map_err(usage)?,
            read,
            workload: self.workload.clone().unwrap_or_else(default_workload),
            faults: self.faults.clone().unwrap_or_else(usual),
            timing: self.timing.timing().map_err(usage)?,
            overlap: self.timing.overlap,
            seed,
            time_limit_ms: u64::try_from(self.time_limit.as_millis()).unwrap_or(u64::MAX),
            rate: self.rate,
            concurrency: self.concurrency,
            keys: self.keys,
            read_percent: self.read_share,
            simulation: Some(Simulation {
                latency_us: *latency,
                loss_per_mille: *loss,
                repeated_per_mille: *repeated,
                reordered_per_mille: *reordered,
                sync_us: *sync,
                disk_errors_ppm: *disk_errors,
                drift_ppm: *drift,
                retry: *retry,
                kept_faults: keep_faults.clone().map(|places| places.0),
            }),
            ..Plan::default()
        };
        plan.check().map_err(usage)?;
        if let Some(fault) = impossible(&plan.faults) {
            let why = format!("no simulated host can have the fault `{fault}`");
            return Err(usage(why).hint("leave it out, or let schism run inject it").into());
        }
        check_size(&plan, self.faults.is_none())?;
        let plan = plan.schedule();
        let kept = plan.simulation.as_ref().and_then(|conditions| conditions.kept_faults.as_ref());
        let furthest = kept.and_then(|places| places.iter().max()).filter(|_| self.seeds.is_none());
        match furthest {
            Some(place) if *place >= plan.schedule.len() => {
                let faults = counted(plan.schedule.len(), "fault");
                let why = format!("--keep-faults {place}: seed {seed} has {faults}, whose places count from 0");
                Err(usage(why).hint("--seed gives the seed that they are of").into())
            }
            _ => Ok(plan),
        }
    }
}

/// Adds what helps if the simulated hosts are such that no node can be elected.
fn with_remedy(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<SimulationError>() {
        Some(SimulationError::NoLeader) => Failure::new(ExitStatus::Failed, format!("{error} of virtual time"))
            .hint("lower --loss, --latency, --sync, --disk-errors or --drift")
            .into(),
        _ => error,
    }
}

/// A finding made smaller.
struct Shrunk {
    plan: Plan,
    /// Number of runs that it took.
    runs: usize,
    stored: Option<FinishedRun>,
}

impl Shrunk {
    /// Returns the command that starts real processes under the same plan, and the script of its faults if only some of
    /// the schedule are kept.
    fn real(&self) -> (String, Option<String>) {
        let mut plan = Plan { simulation: None, ..self.plan.clone() };
        let kept = self.plan.simulation.as_ref().and_then(|conditions| conditions.kept_faults.as_ref());
        let is_kept = |place: usize| kept.is_none_or(|kept| kept.contains(&place));
        let faults: Vec<_> = (0..).zip(&plan.schedule).filter(|(place, _)| is_kept(*place)).map(|(_, it)| it).collect();
        let script =
            (!faults.is_empty() && faults.len() < plan.schedule.len()).then(|| script_of(faults.iter().copied()));
        if faults.is_empty() {
            plan.faults = "none".parse().expect("it is a list of faults");
        }
        plan.script = script.as_ref().map(|_| SCRIPT.to_owned());
        (plan.command(), script)
    }
}

fn status_of_tally(tally: &Tally) -> ExitStatus {
    let worst = |status: ExitStatus, found: &Found| {
        let problem = found.outcome.problem.as_ref().map_or(ExitStatus::Linearizable, |_| ExitStatus::Failed);
        let broken = found.outcome.broken.as_ref().map_or(ExitStatus::Linearizable, |_| ExitStatus::NotLinearizable);
        status.worst(status_of(found.outcome.verdict)).worst(broken).worst(problem)
    };
    let undecided = if tally.unknown > 0 { ExitStatus::Unknown } else { ExitStatus::Linearizable };
    tally.found.iter().fold(undecided, worst)
}

fn described(search: &Search, tally: &Tally, shrunk: Option<&Shrunk>) -> Answer {
    let plan = &search.plan;
    let planned = counted_u64(search.seeds.end - search.seeds.start, "simulated run");
    let subject = format!(
        "{} of {}, {}, faults {}: ",
        if search.is_cut_short(tally) {
            format!("interrupted after {} of {planned}", grouped_u64(tally.runs))
        } else {
            counted_u64(tally.runs, "simulated run")
        },
        counted(plan.nodes.into(), "node"),
        reads_of(plan.read.name()),
        plan.faults,
    );
    let verdict = if tally.findings == 0 { "nothing found".to_owned() } else { counted_u64(tally.findings, "finding") };
    let mut text = "\n".to_owned();
    if tally.unknown > 0 {
        text += &format!("  {} could not be decided\n", counted_u64(tally.unknown, "run"));
    }
    for found in tally.found.iter().take(MAX_NAMED) {
        text += &format!("  seed {}: {}\n", found.seed, found.outcome.finding().unwrap_or_default());
    }
    if tally.found.len() > MAX_NAMED {
        text += &format!("  and {} more\n", grouped(tally.found.len() - MAX_NAMED));
    }
    if let Some(shrunk) = shrunk {
        text += &format!("\nThe smallest that still shows it, after {}:\n", counted(shrunk.runs, "more run"));
        text += &format!("  {}\n", shrunk.plan.command());
        text += "The same plan for real processes, whose times differ; it may take some tries:\n";
        let (real, script) = shrunk.real();
        text += &format!("  {real}\n");
        if let Some(script) = script {
            text += &format!("with this {SCRIPT}:\n{}\n", script.trim_end());
        }
    }
    Answer { subject, verdict, summary: text, details: rules(tally), ..Answer::default() }
}

/// Describes how much was simulated, and how often each rule of Raft decided something.
fn rules(tally: &Tally) -> String {
    let mut text = format!(
        "\n  {} in {}\n",
        counted_u64(tally.operations, "operation"),
        counted_u64(tally.lasted_ns / 1_000_000_000, "virtual second")
    );
    for (rule, times) in tally.rules.iter() {
        text += &format!("    {:>14}  {}\n", grouped_u64(times), rule.name());
    }
    text
}

fn grouped_u64(number: u64) -> String {
    grouped(usize::try_from(number).unwrap_or(usize::MAX))
}

/// A search as printed by `--json`.
#[derive(Serialize)]
struct SearchJson<'a> {
    /// First seed, and the one after the last.
    seeds: [u64; 2],
    /// Options of the runs, as in `test.json`, with the schedule of the first seed.
    plan: &'a Plan,
    runs: u64,
    /// True if it was interrupted, and so has fewer runs.
    interrupted: bool,
    operations: u64,
    virtual_seconds: u64,
    unknown: u64,
    findings: u64,
    /// Number of times that each rule of Raft decided something.
    rules: BTreeMap<&'static str, u64>,
    found: Vec<FoundJson>,
    /// Command that shows the finding with the lowest seed, made smaller, and the same for real processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    smallest: Option<SmallestJson>,
}

#[derive(Serialize)]
struct FoundJson {
    seed: u64,
    verdict: Verdict,
    /// First rule of Raft that the nodes broke, if they did.
    broken_rule: Option<String>,
    problem: Option<String>,
    command: String,
}

#[derive(Serialize)]
struct SmallestJson {
    seed: u64,
    /// Folder of the run, if it was stored.
    path: Option<String>,
    command: String,
    real: String,
    /// Script of the faults that `real` names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    runs: usize,
}

impl<'a> SearchJson<'a> {
    fn of(search: &'a Search, tally: &Tally, shrunk: Option<&Shrunk>) -> Self {
        let found = |found: &Found| FoundJson {
            seed: found.seed,
            verdict: found.outcome.verdict,
            broken_rule: found.outcome.broken.as_ref().map(ToString::to_string),
            problem: found.outcome.problem.clone(),
            command: Plan { seed: found.seed, ..search.plan.clone() }.command(),
        };
        let smallest = |shrunk: &Shrunk| {
            let (real, script) = shrunk.real();
            let path = shrunk.stored.as_ref().map(|stored| stored.shown_dir().display().to_string());
            let (seed, command) = (shrunk.plan.seed, shrunk.plan.command());
            SmallestJson { seed, path, command, real, script, runs: shrunk.runs }
        };
        Self {
            seeds: [search.seeds.start, search.seeds.end],
            plan: &search.plan,
            runs: tally.runs,
            interrupted: search.is_cut_short(tally),
            operations: tally.operations,
            virtual_seconds: tally.lasted_ns / 1_000_000_000,
            unknown: tally.unknown,
            findings: tally.findings,
            rules: tally.rules.iter().map(|(rule, times)| (rule.name(), times)).collect(),
            found: tally.found.iter().map(found).collect(),
            smallest: shrunk.map(smallest),
        }
    }
}
