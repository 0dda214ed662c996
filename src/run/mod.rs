//! One run, from plan to verdict: cluster up, load and faults side by side, heal, final reads, history, verdict.

mod availability;
mod beliefs;
mod breaking;
mod cluster;
mod context;
mod coverage;
mod faults;
mod host;
mod messages;
mod meter;
mod results;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use checker::{Ladder, Limits, Model, Options, Prefix, Report, StalenessReport, TransactionReport, Verdict};
use histories::{Event, History, Recorder, RunDir, Store, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::watch;
use workloads::{Driven, FinalReads, HttpConnector, HttpOptions, Load, Mix, Workload};

use self::{
    availability::Prober, beliefs::Beliefs, breaking::InForce, cluster::Cluster, meter::Meter, results::Results,
};
pub(crate) use self::{
    availability::{NodeAvailability, recovery_ns},
    beliefs::{Reign, Span},
    coverage::Coverage,
    faults::{FaultWindow, clock_offset_s, windows},
    host::Host,
    messages::{Exchange, Message},
    results::{Cost, Counts, Latency},
};
use crate::{
    cli::{
        allowance::Allowance,
        judging::{judge_by, model_named, processors},
        meaning::Meaning,
        transactions::as_report,
    },
    exit::ExitStatus,
    inside::{Inside, refused},
    plan::Plan,
    systems::schism::TRACE_FILE,
    ui::{
        Failure, Progress,
        verdict::{clearest, counted, grouped, of, place_on},
        write_inside,
    },
};

/// Time limit for establishing a connection; less than the limit of any operation.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Time that a client is given beyond its own timeout before it is cut off.
const CUT_OFF_AFTER: Duration = Duration::from_millis(250);
/// Limits of the final reads: their time, and the number of keys per node.
const FINAL_READS_LIMIT: Duration = Duration::from_secs(10);
const FINAL_READS_KEYS: usize = 200;
/// Limits of the checker: its time and memory.
const CHECK_LIMIT: Duration = Duration::from_mins(2);
const CHECK_MEMORY_BYTES: usize = 4 << 30;
/// Interval at which the figures of the progress bar are updated.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Name of the file with the history in columns, which is the fastest to read.
pub(crate) const COLUMNS_FILE: &str = "history.columns";

/// A finished run with everything needed to report on it.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) plan: Plan,
    pub(crate) history: History,
    pub(crate) results: Results,
    pub(crate) windows: Vec<FaultWindow>,
    dir: RunDir,
    /// The run's folder, as a root that no path can lead out of.
    folder: Inside,
    history_path: PathBuf,
    /// Error in writing the results, if any.
    pub(crate) kept: anyhow::Result<()>,
    /// Time and memory left for explanations.
    pub(crate) allowance: Allowance,
}

impl Finished {
    pub(crate) fn history_path(&self) -> &Path {
        &self.history_path
    }

    /// Reads the messages between the nodes in a span, if the nodes traced them.
    pub(crate) fn exchange(&self, during: Span) -> Exchange {
        let trace = |id: u16| {
            let name = node_file(id, TRACE_FILE);
            let found = self.folder.open(&name).ok().flatten();
            found.or_else(|| self.folder.open(name.with_added_extension("zst")).ok().flatten())
        };
        let traces = (1..=self.plan.nodes).filter_map(trace);
        let keep_going = || self.allowance.lacks(Duration::ZERO, 0).is_none();
        Exchange::read(traces, self.results.origin_mono_ns, during, &keep_going)
    }

    /// Returns a node's log; empty if it cannot be read.
    pub(crate) fn log(&self, node: u16) -> Vec<u8> {
        self.folder.read(node_file(node, LOG_FILE)).ok().flatten().unwrap_or_default()
    }

    /// Writes the results. The verdict stands even if this fails.
    fn keep(&self) -> anyhow::Result<()> {
        // Transactions have no columns.
        if self.history.transactions.is_empty() {
            write_inside(&self.folder, COLUMNS_FILE, |out| Ok(histories::write_columns(out, &self.history)?))?;
        }
        self.dir.write_json("results.json", &self.results)?;
        Ok(())
    }

    /// Returns the run's folder, as a root that no path can lead out of.
    pub(crate) fn folder(&self) -> &Inside {
        &self.folder
    }

    /// Returns the longest prefix of a key's operations that can be ordered.
    pub(crate) fn prefix(&self, key: &Value) -> Option<Prefix> {
        let model = model_named(self.plan.workload().model())?;
        self.allowance.within(self.history.operations.len(), |limits| {
            let options = Options { limits: *limits, ..Options::new(model) };
            checker::longest_prefix(&self.history, &options, key)
        })
    }

    /// Returns the results together with the run's name and the command that repeats it.
    pub(crate) fn as_json(&self) -> RunJson<'_> {
        RunJson {
            version: &self.plan.version,
            seed: self.plan.seed,
            path: self.shown_dir().display().to_string(),
            command: self.plan.command(),
            results: &self.results,
        }
    }

    /// Returns the run's folder, relative to the current directory if possible.
    pub(crate) fn shown_dir(&self) -> PathBuf {
        let here = std::env::current_dir().unwrap_or_default();
        self.folder.path().strip_prefix(&here).unwrap_or(self.folder.path()).to_owned()
    }
}

/// A run as printed by `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct RunJson<'a> {
    /// Version of schism that carried out the run.
    version: &'a str,
    seed: u64,
    /// Path of the run's folder.
    path: String,
    /// Command that repeats the run.
    command: String,
    #[serde(flatten)]
    results: &'a Results,
}

/// Name of the log in a node's folder.
const LOG_FILE: &str = "node.log";

/// Returns the path of a node's file, relative to the run's folder.
fn node_file(node: u16, file: &str) -> PathBuf {
    Path::new("nodes").join(node.to_string()).join(file)
}

/// Place where a run is stored.
#[derive(Debug)]
pub(crate) enum Place {
    /// A new folder in this store, which becomes its latest run.
    Store(PathBuf),
    /// Exactly this folder, which must not exist yet.
    Folder(PathBuf),
}

impl Place {
    fn begin(&self, plan: &Plan) -> anyhow::Result<RunDir> {
        let dir = match self {
            Self::Store(root) => {
                let store = Store::open(root)?;
                let dir = store.begin(&plan.name())?;
                store.set_latest(&dir)?;
                dir
            }
            Self::Folder(path) => RunDir::create(path)?,
        };
        dir.write_json("test.json", plan)?;
        Ok(dir)
    }
}

/// Facts known before the load begins; written at once, so that a run that is under way or was killed can be checked.
#[derive(Debug, Deserialize, Serialize)]
struct Begun {
    leader_after_ms: u64,
    origin_mono_ns: u64,
}

/// Name of the file with these facts.
const BEGUN_FILE: &str = "begun.json";

/// Results of the live part of a run, needed to judge it; for a stored run, read from `results.json`.
#[derive(Debug, Deserialize)]
struct Lived {
    #[serde(flatten)]
    begun: Begun,
    /// Time of the load; none for a run that was killed or is under way, whose load lasts as long as its operations.
    load: Option<Span>,
    interrupted: bool,
    #[serde(default)]
    harness_failed: Option<String>,
    not_recovered: Option<String>,
    cost: Cost,
    /// Availability of the nodes; empty for runs without probes.
    #[serde(default)]
    availability: Vec<NodeAvailability>,
}

/// Carries out a plan and judges the history.
///
/// # Errors
/// Fails if the run cannot be started, or if its files cannot be read.
pub(crate) async fn run(plan: &Plan, host: &Host, place: &Place) -> anyhow::Result<Finished> {
    let dir = place.begin(plan)?;
    let progress = Progress::new(&format!("{} reads", plan.read.name()));
    let lived = live(plan, host, &dir, &progress).await?;
    progress.phase("checking");
    let plan = plan.clone();
    let judging = tokio::task::spawn_blocking(move || judge(plan, dir, lived, check_allowance()));
    let mut finished = judging.await.context("the checker ended in a panic")??;
    finished.kept = finished.keep();
    Ok(finished)
}

/// Judges a stored run again; one that is under way or was killed, as far as it got.
///
/// # Errors
/// Fails if a file of the run is missing or cannot be read.
pub(crate) fn again(path: &Path, allowance: Allowance) -> anyhow::Result<Finished> {
    let dir = RunDir::open(path)?;
    let folder = Inside::of(path).map_err(refused(path))?;
    let plan: Plan = kept(&folder, "test.json")?;
    if let Err(why) = plan.check() {
        let what = format!("{}: {why}", folder.path().join("test.json").display());
        return Err(Failure::new(ExitStatus::Unreadable, what).into());
    }
    let lived = if folder.has("results.json") || !folder.has(BEGUN_FILE) {
        kept(&folder, "results.json")?
    } else {
        Lived {
            begun: kept(&folder, BEGUN_FILE)?,
            load: None,
            interrupted: true,
            harness_failed: None,
            not_recovered: None,
            cost: Cost::default(),
            availability: Vec::new(),
        }
    };
    judge(plan, dir, lived, allowance)
}

fn kept<T: DeserializeOwned>(folder: &Inside, file: &str) -> anyhow::Result<T> {
    let unreadable = |why: String| {
        let failure = Failure::new(ExitStatus::Unreadable, format!("{}: {why}", folder.path().join(file).display()));
        failure.hint("a run that was killed too early has no results")
    };
    let found = folder.read(file).and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()));
    let text = found.map_err(|error| unreadable(error.to_string()))?;
    Ok(serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?)
}

/// Carries out the live part of a run. However it ends after the first process has started, all nodes are stopped and
/// all faults undone.
async fn live(plan: &Plan, host: &Host, dir: &RunDir, progress: &Progress) -> anyhow::Result<Lived> {
    progress.phase(format!("starting {}", counted(plan.nodes.into(), "node")));
    let cluster = Cluster::up(plan, dir, host.sandbox(), host.capabilities(), host::command_log(dir)?)?;
    let lived = on_cluster(plan, &cluster, dir, progress).await;
    let down = cluster.down().await;
    let lived = lived?;
    down?;
    Ok(lived)
}

async fn on_cluster(plan: &Plan, cluster: &Cluster, dir: &RunDir, progress: &Progress) -> anyhow::Result<Lived> {
    let leader_after = cluster.wait_for_leader().await?;
    let origin_mono_ns = host::monotonic_ns();
    let leader_after_ms = u64::try_from(leader_after.as_millis()).unwrap_or(u64::MAX);
    let begun = Begun { leader_after_ms, origin_mono_ns };
    dir.write_json(BEGUN_FILE, &begun)?;
    let origin = Instant::now();
    let recorder = Arc::new(Recorder::create(&dir.history_path(), origin)?);
    if let Some(Event { f, value: Some(model), .. }) = judge_by(plan.workload().model()) {
        recorder.nemesis(&f, model, None)?;
    }
    let (stopper, stop) = watch::channel(false);
    let interrupt = tokio::spawn(host::watch_for_interrupt(stopper));
    let in_force = InForce::default();
    let counts = Arc::new(workloads::Progress::default());
    progress.phase(format!("a leader after {leader_after_ms} ms; clients for {:?}", plan.time_limit()));

    let connector = connector(plan, cluster);
    let from_ns = elapsed_ns(origin_mono_ns);
    let load = load(plan);
    let driving = workloads::drive(&load, connector.clone(), Arc::clone(&recorder), Arc::clone(&counts), stop.clone());
    let breaking = breaking::carry_out(&plan.schedule, cluster, &recorder, &in_force, progress, stop.clone());
    let (meter, prober) = (Meter::default(), Prober::new(plan, cluster, origin));
    let before = meter.read(cluster).await;
    let (driven, broken) = tokio::select! {
        both = async { tokio::join!(driving, breaking) } => both,
        () = show_figures(progress, &counts, &in_force) => unreachable!("figures are shown for ever"),
        () = meter.keep_reading(cluster) => unreachable!("the meter is read for ever"),
        error = prober.keep_probing() => return Err(error.context("probing the nodes")),
    };
    let cost = meter.read(cluster).await.since(before);
    let load = Span { from_ns, until_ns: elapsed_ns(origin_mono_ns) };
    let availability = prober.found(load.until_ns);

    progress.phase("healing");
    let healed = breaking::heal_all(cluster, &recorder, &in_force).await;
    let interrupted = *stop.borrow();
    let recovery = recover(plan.workload(), &driven?, cluster, connector, &recorder, counts, stop).await;
    interrupt.abort();
    recorder.close()?;
    // This was a failure of the harness, not of the system.
    let harness_failed = [broken.err(), healed.err()].into_iter().flatten().map(|error| format!("{error:#}"));
    let harness_failed = harness_failed.reduce(|all, next| format!("{all}; {next}"));
    Ok(Lived { begun, load: Some(load), interrupted, harness_failed, not_recovered: recovery?, cost, availability })
}

/// Waits until the healed cluster settles, and reads every key once more on every node. Describes what did not come
/// back, if anything.
async fn recover(
    workload: &'static dyn Workload,
    driven: &Driven,
    cluster: &Cluster,
    connector: HttpConnector,
    recorder: &Arc<Recorder>,
    counts: Arc<workloads::Progress>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<String>> {
    if *stop.borrow() {
        return Ok(None);
    }
    if let Some(seen) = cluster.settle().await? {
        return Ok(Some(seen));
    }
    let reads = FinalReads {
        workload,
        keys: driven.keys.clone(),
        max_keys: FINAL_READS_KEYS,
        first_process: driven.next_process,
        time_limit: FINAL_READS_LIMIT,
        operation_limit: FINAL_READS_LIMIT,
    };
    let unread = workloads::final_reads(&reads, connector, Arc::clone(recorder), counts, stop.clone()).await?;
    let interrupted = *stop.borrow();
    let first = unread.first().filter(|_| !interrupted);
    Ok(first.map(|first| {
        format!("{} final reads failed, the first that of key k{} on n{}", unread.len(), first.key, first.node)
    }))
}

/// Returns the default limits for checking a run.
pub(crate) fn check_allowance() -> Allowance {
    Allowance::new(CHECK_LIMIT, CHECK_MEMORY_BYTES)
}

/// Checks the history of a run and collects everything that explains the verdict.
fn judge(plan: Plan, dir: RunDir, lived: Lived, allowance: Allowance) -> anyhow::Result<Finished> {
    let folder = Inside::of(dir.path()).map_err(refused(dir.path()))?;
    let history_path = history_of(&folder)?;
    let history = allowance.read_whole(&history_path, Meaning::default())?;
    let model = model_named(plan.workload().model());
    let Judgement { report, transactions, ladder, staleness } =
        allowance.within(history.operations.len(), |limits| Judgement::of(&history, model, limits));
    let ends = (0..history.operations.len()).map(|index| history.times(index).completed_ns);
    let end_ns = ends.chain(lived.load.map(|load| load.until_ns)).max().unwrap_or_default();
    let load = lived.load.unwrap_or(Span { from_ns: 0, until_ns: end_ns });
    let Begun { leader_after_ms, origin_mono_ns } = lived.begun;
    let windows = windows(&history.others, end_ns);
    let beliefs = beliefs(&plan, &folder, &windows, origin_mono_ns, end_ns, &allowance);
    // A violation takes precedence over the failure to explain it.
    let Beliefs { reigns, missed } = beliefs.map_err(|error| match report.verdict {
        Verdict::NotLinearizable => Failure::new(ExitStatus::NotLinearizable, format!("{error:#}")).into(),
        _ => error,
    })?;
    let faults: Vec<Span> = windows.iter().map(|window| window.span).collect();
    let coverage = coverage::measure(&history, &reigns, &windows, load, plan.settings.elections, &lived.availability);
    let violated = of(&report, Verdict::NotLinearizable);
    let evidence = clearest(&violated).map(|(_, evidence)| evidence);
    let results = Results {
        verdict: report.verdict,
        weak: report.verdict == Verdict::Linearizable && !coverage.weak.is_empty(),
        interrupted: lived.interrupted,
        harness_failed: lived.harness_failed,
        not_recovered: lived.not_recovered,
        counts: Counts::of(&history),
        reads: Latency::of(&history, true),
        writes: Latency::of(&history, false),
        leader_after_ms,
        load,
        context: evidence.map_or_else(Vec::new, |evidence| context::around(&history, evidence, &reigns, &windows)),
        missed_heartbeats: beliefs::without_a_fault(&missed, &faults, load),
        cost: lived.cost,
        availability: lived.availability,
        coverage,
        report,
        transactions,
        ladder,
        staleness,
        reigns,
        origin_mono_ns,
    };
    Ok(Finished { plan, history, results, windows, dir, folder, history_path, kept: Ok(()), allowance })
}

/// Judgement of a history by the model of its workload.
struct Judgement {
    report: Report,
    transactions: Option<TransactionReport>,
    ladder: Option<Ladder>,
    staleness: Option<StalenessReport>,
}

impl Judgement {
    /// Judges by `model`, or as transactions if there is none. Weaker models and staleness are defined for reads and
    /// writes only.
    fn of(history: &History, model: Option<Model>, limits: &Limits<'_>) -> Self {
        let Some(model) = model else {
            let found = checker::check_transactions(history, limits);
            let report = as_report(history, &found);
            return Self { report, transactions: Some(found), ladder: None, staleness: None };
        };
        let options = &Options { limits: *limits, threads: processors(), ..Options::new(model) };
        let report = checker::check(history, options);
        let has_weaker = report.verdict == Verdict::NotLinearizable && model.has("cas");
        let (mut ladder, staleness) = has_weaker.then(|| checker::instead(history, options)).unzip();
        if let Some(ladder) = &mut ladder {
            place_on(ladder, &report);
        }
        Self { report, transactions: None, ladder, staleness }
    }
}

/// Returns the path of a run's history, compressed or not.
fn history_of(folder: &Inside) -> anyhow::Result<PathBuf> {
    let [plain, compressed] = ["history.jsonl", "history.jsonl.zst"];
    let refuse = |name| refused(&folder.path().join(name));
    if let Some(path) = folder.file(plain).map_err(refuse(plain))? {
        return Ok(path);
    }
    let found = folder.file(compressed).map_err(refuse(compressed))?;
    found.ok_or_else(|| refuse(plain)(io::ErrorKind::NotFound.into()))
}

fn beliefs(
    plan: &Plan,
    folder: &Inside,
    windows: &[FaultWindow],
    origin_ns: u64,
    end_ns: u64,
    allowance: &Allowance,
) -> anyhow::Result<Beliefs> {
    let mut all = Beliefs::default();
    for id in 1..=plan.nodes {
        let kills = windows.iter().filter(|window| window.kind == "kill" && window.nodes.contains(&id));
        let deaths: Vec<u64> = kills.map(|window| window.span.from_ns).collect();
        let name = node_file(id, LOG_FILE);
        let bytes = folder.open(&name).ok().flatten().and_then(|log| log.metadata().ok()).map_or(0, |log| log.len());
        // A log that is not valid UTF-8 is held in memory twice.
        if let Some(lacking) = allowance.lacks(Duration::ZERO, usize::try_from(2 * bytes).unwrap_or(usize::MAX)) {
            let what = format!("{}: there is too little {lacking} left for it", folder.path().join(name).display());
            return Err(Failure::new(ExitStatus::Unknown, what).hint("give a higher limit").into());
        }
        let said = folder.read(&name).and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()));
        let said = said.map_err(refused(&folder.path().join(name)))?;
        let Beliefs { reigns, missed } = beliefs::beliefs(id, &said, origin_ns, &deaths, end_ns);
        all.reigns.extend(reigns);
        all.missed.extend(missed);
    }
    all.reigns.sort_by_key(|reign| (reign.term, reign.node));
    all.missed.sort_by_key(|missed| missed.time_ns);
    Ok(all)
}

fn load(plan: &Plan) -> Load {
    let writes_percent = 100 - plan.read_percent;
    Load {
        seed: plan.seed,
        concurrency: plan.concurrency,
        rate: plan.rate,
        time_limit: plan.time_limit(),
        operation_limit: Duration::from_millis(plan.operation_timeout_ms) + CUT_OFF_AFTER,
        workload: plan.workload(),
        mix: Mix {
            keys: plan.keys,
            read_percent: plan.read_percent,
            cas_percent: writes_percent / 5,
            ..Mix::default()
        },
    }
}

fn connector(plan: &Plan, cluster: &Cluster) -> HttpConnector {
    HttpConnector::new(HttpOptions {
        nodes: (1..).zip(cluster.addresses.iter().map(|address| address.client)).collect(),
        read_mode: plan.read.name().to_owned(),
        connect_timeout: CONNECT_TIMEOUT,
        operation_timeout: Duration::from_millis(plan.operation_timeout_ms),
    })
}

async fn show_figures(progress: &Progress, counts: &workloads::Progress, in_force: &InForce) {
    loop {
        let kinds = in_force.kinds();
        let faults = if kinds.is_empty() { String::new() } else { format!("; in force: {}", kinds.join(", ")) };
        let [ok, fail, info] = [counts.ok(), counts.fail(), counts.info()]
            .map(|count| grouped(usize::try_from(count).unwrap_or(usize::MAX)));
        progress.update(format!("load: {ok} ok, {fail} failed, {info} unknown{faults}"));
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}

fn elapsed_ns(origin_mono_ns: u64) -> u64 {
    host::monotonic_ns() - origin_mono_ns
}
