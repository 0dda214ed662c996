//! `schism demo`: basic Raft reads fail, quorum reads hold, in under a minute.

use std::path::PathBuf;

use checker::Verdict;
use clap::Args;
use serde::Serialize;

use super::{partition::PartitionArgs, run::draw_seed};
use crate::{
    check::evidence::clearest_first,
    error::ExitStatus,
    render::run_summary::{coverage_in_words, explain},
    report,
    run::{
        FinishedRun, Host, RunLocation,
        plan::{Plan, shell_words},
    },
    store::{PrintedJson, REPORT_FILE},
    systems::{
        Options,
        schism::{LEADER, QUORUM},
    },
    terminal::{
        self, Answer, Step, Table,
        words::{grouped, lasting_ms, measured_ms, reads_of, seconds},
    },
};

/// Shows on real processes that basic Raft reads are not linearizable and that quorum reads are.
///
/// Runs five nodes and isolates their leaders again and again: first with leader reads, which a node that believes it
/// leads answers by itself (basic Raft), then with quorum reads, for which it asks a majority first. Exit code 0 if the
/// first history is not linearizable and the second is. It takes half a minute.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Seed of all random choices [default: drawn, and shown].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    #[command(flatten)]
    pub(crate) partition: PartitionArgs,
    /// Folder of the stored runs.
    #[arg(long, value_name = "DIR", default_value = "store")]
    store: PathBuf,
    /// Print both verdicts, with where their runs are, as JSON.
    #[arg(long)]
    json: bool,
}

const EXPECTED: [(&str, Verdict); 2] = [(LEADER, Verdict::NotLinearizable), (QUORUM, Verdict::Linearizable)];

impl DemoArgs {
    pub(crate) fn execute(self, host: &Host) -> anyhow::Result<ExitStatus> {
        let seed = self.seed.unwrap_or_else(draw_seed);
        let faults = host.demo_faults()?;
        let location = RunLocation::Store(self.store);
        let (mut finished, mut unwritten) = (Vec::new(), Vec::new());
        for (read, _) in EXPECTED {
            let plan = Plan::default();
            let settings = plan.system().settings(&read.into(), &Options::default(), true);
            let settings = settings.expect("each read mode can be traced, with the elections that are its own");
            let (read, faults) = (read.into(), faults.clone());
            let partition_by = Some(self.partition.way());
            let plan = Plan { read, seed, faults, partition_by, time_limit_ms: 12_000, settings, ..plan }.schedule();
            let mut run = host.run(&plan, &location)?;
            unwritten.extend(report::of_run(&run).err());
            unwritten.extend(std::mem::replace(&mut run.results_written, Ok(())).err());
            finished.push(run);
            if finished.last().is_some_and(|last| last.results.live.interrupted) {
                break;
            }
        }
        let status = status(&finished);
        let again = format!("schism demo --seed {seed}");
        let printed = if self.json {
            terminal::print_json(&PrintedJson::new(DemoJson::of(&finished, seed, again)))
        } else {
            terminal::print_answer(&describe(&finished, again), status)
        };
        let status = terminal::beside(status, printed);
        Ok(unwritten.into_iter().fold(status, |status, error| terminal::beside::<()>(status, Err(error))))
    }
}

/// Returns success if both verdicts are as expected, otherwise the status of the unexpected one.
fn status(finished: &[FinishedRun]) -> ExitStatus {
    let mut status = ExitStatus::Linearizable;
    for (run, (read, expected)) in finished.iter().zip(EXPECTED) {
        let shown = match (run.results.verdict == expected, read) {
            (true, LEADER) => ExitStatus::Linearizable,
            // It had no time to find the violation.
            (false, LEADER) if run.results.live.interrupted => ExitStatus::Interrupted,
            (false, LEADER) => ExitStatus::Failed,
            _ => run.results.status(),
        };
        let interrupted = if run.results.live.interrupted { ExitStatus::Interrupted } else { ExitStatus::Linearizable };
        status = status.worst(shown).worst(interrupted);
    }
    status
}

/// The demo as printed by `--json`.
#[derive(Serialize)]
struct DemoJson<'a> {
    seed: u64,
    /// Command that repeats it.
    command: String,
    /// True if both verdicts are as expected.
    as_expected: bool,
    runs: Vec<DemoRun<'a>>,
}

/// One of its runs; `results.json` in its folder has all about it.
#[derive(Serialize)]
struct DemoRun<'a> {
    path: String,
    page: String,
    read: &'a str,
    expected: Verdict,
    verdict: Verdict,
    weak: bool,
    operations: usize,
    read_p50_ms: f64,
    read_p99_ms: f64,
    leader_after_ms: u64,
    /// Lower bound on the staleness of the most outdated read, ns.
    stale_by_ns: Option<u64>,
    /// Sentence that says what is wrong.
    claim: Option<&'a str>,
}

impl<'a> DemoJson<'a> {
    fn of(finished: &'a [FinishedRun], seed: u64, command: String) -> Self {
        let runs = finished.iter().zip(EXPECTED).map(|(run, (_, expected))| DemoRun::of(run, expected)).collect();
        Self { seed, command, as_expected: is_as_expected(finished), runs }
    }
}

impl<'a> DemoRun<'a> {
    fn of(run: &'a FinishedRun, expected: Verdict) -> Self {
        let (results, dir) = (&run.results, run.shown_dir());
        Self {
            path: dir.display().to_string(),
            page: dir.join(REPORT_FILE).display().to_string(),
            read: run.plan.read.name(),
            expected,
            verdict: results.verdict,
            weak: results.weak,
            operations: results.report.operations,
            read_p50_ms: results.reads.p50_ms,
            read_p99_ms: results.reads.p99_ms,
            leader_after_ms: results.live.start.leader_after_ms,
            stale_by_ns: results.stalest_ns(),
            claim: clearest_first(&results.report).first().map(|(_, evidence)| &*evidence.claim),
        }
    }
}

fn describe(finished: &[FinishedRun], again: String) -> Answer {
    let (verdict, why) = conclusion(finished);
    let pages = finished.iter().map(|run| Step::Page(run.shown_dir().join(REPORT_FILE)));
    let mut text = String::new();
    for run in finished {
        let results = &run.results;
        let Answer { verdict, summary, details, .. } = explain(run);
        text += &format!("\n{}: {verdict}{summary}{details}", reads_of(run.plan.read.name()));
        text += &coverage_in_words(&results.coverage);
        if results.verdict == Verdict::Linearizable && results.weak {
            text += &format!("  weak evidence: {}\n", results.coverage.weak.join("; "));
        }
    }
    Answer {
        verdict: verdict.to_owned(),
        summary: format!("\n{why}\n{}\n", table(finished)),
        steps: pages.chain([Step::Command("again", again)]).collect(),
        details: text + &invitation(finished),
        ..Answer::default()
    }
}

fn table(finished: &[FinishedRun]) -> Table {
    let header = ["reads", "verdict", "expected", "operations", "read p50", "read p99", "stale by", "leader after"];
    let mut table = Table::new(header);
    for (run, (_, expected)) in finished.iter().zip(EXPECTED) {
        let results = &run.results;
        table.add_row([
            run.plan.read.name().to_owned(),
            results.verdict.to_string(),
            expected.to_string(),
            grouped(results.report.operations),
            measured_ms(results.reads.p50_ms, 1),
            measured_ms(results.reads.p99_ms, 1),
            results.stalest_ns().map_or_else(|| "-".to_owned(), seconds),
            lasting_ms(results.live.start.leader_after_ms),
        ]);
    }
    table
}

/// Returns true if both runs are over, with the verdicts that were expected.
fn is_as_expected(finished: &[FinishedRun]) -> bool {
    finished.len() == EXPECTED.len() && status(finished) == ExitStatus::Linearizable
}

/// Returns whether the verdicts are as expected, and what follows from that.
fn conclusion(finished: &[FinishedRun]) -> (&'static str, &'static str) {
    if is_as_expected(finished) {
        (
            "As expected: basic Raft reads are not linearizable, quorum reads are.",
            "A leader that does not know yet that it was deposed answers basic reads from its own state. Before it \
            answers a quorum read, it makes sure that a majority still follows it.\n",
        )
    } else if status(finished) == ExitStatus::Interrupted {
        ("Interrupted.", "Nothing follows from a part of the demo; the command below begins it again.\n")
    } else {
        ("This is not as expected.", "Please look at the pages, and try another --seed.\n")
    }
}

/// Returns commands to go on with.
fn invitation(finished: &[FinishedRun]) -> String {
    let first = finished.first().map(|run| run.shown_dir().display().to_string()).unwrap_or_default();
    let commands = [
        vec!["schism", "explain", &first],
        vec!["schism", "check", "--explain", &first],
        vec!["schism", "run", "--read", "lease", "--faults", "clock,partition:isolate-leader"],
    ];
    let line =
        |words: Vec<&str>| format!("  {}\n", shell_words(&words.into_iter().map(str::to_owned).collect::<Vec<_>>()));
    format!(
        "\nTo go on: what linearizable means, by these operations; how far they can be ordered; reads that trust \
        clocks\n{}",
        commands.map(line).concat()
    )
}
