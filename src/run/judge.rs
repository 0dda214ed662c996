//! Judging of a run by the files that it left, right after its end or at any later time.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use checker::{Hierarchy, Level, Limits, Options, Report, StalenessReport, TransactionReport, Verdict};
use histories::{History, RunDir};
use nemesis::FaultKind;
use serde::de::DeserializeOwned;

use super::{
    audits::{Audit, AuditedRun, audits},
    context,
    coverage::{self, Leadership},
    faults::{FaultWindow, fault_windows},
    files::{HISTORY_FILE, LOG_FILE, TEST_FILE, node_file},
    finished_run::FinishedRun,
    first_sign::FirstSign,
    leadership::{self, Beliefs, Reign, Span},
    plan::Plan,
    results::{Counts, Latency, LiveResults, RESULTS_FILE, Results, RunStart, START_FILE},
};
use crate::{
    check::{Budget, ReadingOptions, evidence, options_of, processors, transactions::as_report},
    error::{ExitStatus, Failure},
    store::{ConfinedFolder, SchemaVersion, VersionedFile, read_json, refused},
};

/// Limits of the checker: its time and memory.
const CHECK_LIMIT: Duration = Duration::from_mins(2);
const CHECK_MEMORY_BYTES: usize = 4 << 30;
/// Maximum duration of a check that is repeated on beginnings of the history, to find the first violation.
const QUICK_CHECK: Duration = Duration::from_secs(2);

/// Judges a stored run again; one that is under way or was killed, as far as it got.
///
/// # Errors
/// Fails if a file of the run is missing or cannot be read.
pub(crate) fn rejudge(path: &Path, budget: Budget) -> anyhow::Result<FinishedRun> {
    let folder = ConfinedFolder::named(path)?;
    let dir = RunDir::open(path)?;
    let plan = read_plan(&folder)?;
    let live = if folder.has(RESULTS_FILE) || !folder.has(START_FILE) {
        read::<VersionedFile<LiveResults>>(&folder, RESULTS_FILE)?.content
    } else {
        let start = read::<VersionedFile<RunStart>>(&folder, START_FILE)?.content;
        LiveResults { start, interrupted: true, is_unfinished: true, ..LiveResults::default() }
    };
    judge(plan, dir, live, budget)
}

/// Reads the plan of a run.
pub(crate) fn read_plan(folder: &ConfinedFolder) -> anyhow::Result<Plan> {
    let plan: Plan = read(folder, TEST_FILE)?;
    if let Err(why) = plan.check() {
        let what = format!("{}: {why}", folder.path().join(TEST_FILE).display());
        return Err(Failure::new(ExitStatus::Unreadable, what).into());
    }
    Ok(plan)
}

/// Reads a file that a run must have left.
fn read<T: DeserializeOwned>(folder: &ConfinedFolder, file: &str) -> anyhow::Result<T> {
    let missing = || {
        if file == TEST_FILE {
            let what = format!("{}: this is not the folder of a run: it has no {file}", folder.shown().display());
            return Failure::new(ExitStatus::Unreadable, what).hint("`schism store ls` names the runs of a store");
        }
        let what = format!("{}: {}", folder.path().join(file).display(), io::Error::from(io::ErrorKind::NotFound));
        Failure::new(ExitStatus::Unreadable, what).hint("a run that was killed too early has no results")
    };
    Ok(read_json(folder, file)?.ok_or_else(missing)?)
}

/// Returns the default limits for checking a run.
pub(crate) fn checker_budget() -> Budget {
    Budget::new(CHECK_LIMIT, CHECK_MEMORY_BYTES)
}

/// Checks the history of a run and collects everything that explains the verdict.
pub(super) fn judge(plan: Plan, dir: RunDir, live: LiveResults, budget: Budget) -> anyhow::Result<FinishedRun> {
    let folder = ConfinedFolder::named(dir.path())?;
    let history_path = history_of(&folder)?;
    let history = budget.read_whole(&history_path, ReadingOptions::default())?;
    let options = options_of(plan.workload());
    let can_be_quick = options.as_ref().is_some_and(|options| !options.model.is_property());
    let began = Instant::now();
    let Judgement { report, transactions, hierarchy, staleness } =
        budget.within(history.operations.len(), |limits| Judgement::of(&history, options, limits));
    let can_repeat = began.elapsed() < QUICK_CHECK && can_be_quick;
    let ends = (0..history.operations.len()).map(|index| history.times(index).completed_ns);
    let end_ns = ends.chain(live.load.map(|load| load.until_ns)).max().unwrap_or_default();
    let load = live.load.unwrap_or(Span { from_ns: 0, until_ns: end_ns });
    let origin_mono_ns = live.start.origin_mono_ns;
    let fault_windows = fault_windows(&history.others, end_ns);
    let beliefs = beliefs_of_nodes(&plan, &folder, &fault_windows, origin_mono_ns, end_ns, &budget);
    // A violation takes precedence over the failure to explain it.
    let Beliefs { reigns, missed, ballots } = beliefs.map_err(|error| match report.verdict {
        Verdict::NotLinearizable => Failure::new(ExitStatus::NotLinearizable, format!("{error:#}")).into(),
        _ => error,
    })?;
    let faults: Vec<Span> = fault_windows.iter().map(|window| window.span).collect();
    let leadership = unseen_roles(&plan, &fault_windows).map_or_else(|| Ok(leadership(&plan, &reigns)), Err);
    let coverage = coverage::measure(&history, leadership, &fault_windows, load, &live.availability);
    let live = LiveResults { load: Some(load), ..live };
    let audits = audits(AuditedRun {
        plan: &plan,
        history: &history,
        report: &report,
        load,
        has_final_reads: !live.interrupted && live.not_recovered.is_none() && live.stopped_early.is_none(),
        availability: &live.availability,
        host_stalls: &live.host_stalls,
        states: live.states.as_ref(),
        reigns: &reigns,
        ballots: &ballots,
        faults: &fault_windows,
    });
    let violated = evidence::keys_with(&report, Verdict::NotLinearizable);
    let evidence = evidence::clearest(&violated).map(|(_, evidence)| evidence);
    let results = Results {
        schema_version: SchemaVersion::default(),
        defect: plan.defect(),
        verdict: report.verdict,
        weak: report.verdict == Verdict::Linearizable && !coverage.weak.is_empty(),
        live,
        counts: Counts::of(&history),
        first_sign: first_sign(&plan, &history, (&report, &audits), &budget, can_repeat),
        reads: Latency::of(&history, true),
        writes: Latency::of(&history, false),
        context: evidence
            .map_or_else(Vec::new, |evidence| context::around(&history, evidence, plan.nodes, &reigns, &fault_windows)),
        missed_heartbeats: leadership::without_a_fault(&missed, &faults, load),
        coverage,
        report,
        audits,
        transactions,
        hierarchy,
        staleness,
        reigns,
    };
    Ok(FinishedRun {
        plan,
        history,
        results,
        fault_windows,
        dir,
        folder,
        history_path,
        results_written: Ok(()),
        budget,
    })
}

fn leadership<'a>(plan: &Plan, reigns: &'a [Reign]) -> Leadership<'a> {
    let around = plan.system().timing(&plan.settings).around_change;
    Leadership {
        reigns,
        linger: plan.system().deposed_leaders_linger(&plan.settings),
        around_ns: u64::try_from(around.as_nanos()).unwrap_or(u64::MAX),
    }
}

/// Finds the first violation, of the history or of audits: of the former among all if the check can be repeated.
fn first_sign(
    plan: &Plan,
    history: &History,
    (report, audits): (&Report, &[Audit]),
    budget: &Budget,
    can_repeat: bool,
) -> Option<FirstSign> {
    let of_history = budget.within(history.operations.len(), |limits| {
        let is_violated = |beginning: &History| {
            quick_report(plan, beginning, &Limits { decided: &|_| {}, ..*limits }).verdict == Verdict::NotLinearizable
        };
        FirstSign::of(history, &report.keys, can_repeat.then_some(&is_violated as &dyn Fn(&History) -> bool))
    });
    let of_audits = audits.iter().filter_map(Audit::first_ms).map(|first_ms| FirstSign::at_time(history, first_ms));
    of_history.into_iter().chain(of_audits).min_by_key(|sign| sign.time_ms)
}

/// Judges a history of a plan, without evidence for every key.
pub(crate) fn quick_report(plan: &Plan, history: &History, limits: &Limits<'_>) -> Report {
    if let Some(options) = options_of(plan.workload()) {
        return checker::check(history, &Options { all: false, limits: *limits, ..options });
    }
    as_report(history, &checker::check_transactions(history, limits), Level::StrictSerializable)
}

/// Judgement of a history by the model of its workload.
struct Judgement {
    report: Report,
    transactions: Option<TransactionReport>,
    hierarchy: Option<Hierarchy>,
    staleness: Option<StalenessReport>,
}

impl Judgement {
    /// Judges by `options`, or as transactions if there are none. Weaker models and staleness are defined for reads and
    /// writes only.
    fn of(history: &History, options: Option<Options<'static>>, limits: &Limits<'_>) -> Self {
        let Some(options) = options else {
            let found = checker::check_transactions(history, limits);
            let report = as_report(history, &found, Level::StrictSerializable);
            return Self { report, transactions: Some(found), hierarchy: None, staleness: None };
        };
        let options = &Options { limits: *limits, threads: processors(), ..options };
        let report = checker::check(history, options);
        let has_weaker = report.verdict == Verdict::NotLinearizable && options.model.is_register();
        let (mut hierarchy, staleness) = has_weaker.then(|| checker::weaker_models(history, options)).unzip();
        if let Some(hierarchy) = &mut hierarchy {
            evidence::align(hierarchy, &report);
        }
        Self { report, transactions: None, hierarchy, staleness }
    }
}

/// Returns the path of a run's history, compressed or not.
pub(super) fn history_of(folder: &ConfinedFolder) -> anyhow::Result<PathBuf> {
    let [plain, compressed] = [HISTORY_FILE, "history.jsonl.zst"];
    let refuse = |name| refused(&folder.path().join(name));
    if let Some(path) = folder.file(plain).map_err(refuse(plain))? {
        return Ok(path);
    }
    let found = folder.file(compressed).map_err(refuse(compressed))?;
    found.ok_or_else(|| refuse(plain)(io::ErrorKind::NotFound.into()))
}

/// Returns the reason why nobody knows who led at which time, unless the nodes' logs say so, at times that are right.
fn unseen_roles(plan: &Plan, fault_windows: &[FaultWindow]) -> Option<&'static str> {
    if plan.system().logs_roles() {
        let is_skewed = fault_windows.iter().any(FaultWindow::skews_logs);
        return is_skewed.then_some("the times in the nodes' logs are skewed");
    }
    Some(if plan.system().has_roles() {
        "nodes say who leads when they are asked, to aim faults, but no log that schism reads says it at all times"
    } else {
        "the system does not say"
    })
}

fn beliefs_of_nodes(
    plan: &Plan,
    folder: &ConfinedFolder,
    fault_windows: &[FaultWindow],
    origin_ns: u64,
    end_ns: u64,
    budget: &Budget,
) -> anyhow::Result<Beliefs> {
    let mut all = Beliefs::default();
    if unseen_roles(plan, fault_windows).is_some() {
        return Ok(all);
    }
    for id in 1..=plan.all_nodes() {
        let kills =
            fault_windows.iter().filter(|window| window.is(FaultKind::ends_processes) && window.nodes.contains(&id));
        let deaths: Vec<u64> = kills.map(|window| window.span.from_ns).collect();
        let name = node_file(id, LOG_FILE);
        let bytes = folder.open(&name).ok().flatten().and_then(|log| log.metadata().ok()).map_or(0, |log| log.len());
        // A log that is not valid UTF-8 is held in memory twice.
        if let Some(lacking) = budget.lacks(Duration::ZERO, usize::try_from(2 * bytes).unwrap_or(usize::MAX)) {
            let what = format!("{}: there is too little {lacking} left for it", folder.path().join(name).display());
            return Err(Failure::new(ExitStatus::Unknown, what).hint("give a higher limit").into());
        }
        let said = folder.read(&name).and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()));
        let said = said.map_err(refused(&folder.path().join(name)))?;
        let beliefs = leadership::beliefs_in(plan.system(), id, &said, origin_ns, &deaths, end_ns);
        all.reigns.extend(beliefs.reigns);
        all.missed.extend(beliefs.missed);
        all.ballots.extend(beliefs.ballots);
    }
    all.reigns.sort_by_key(|reign| (reign.term, reign.node));
    all.missed.sort_by_key(|missed| missed.time_ns);
    Ok(all)
}
