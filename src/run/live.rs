//! The live part of a run: cluster up, load and faults side by side, heal, final reads. It leaves files and a few
//! figures.

use std::{
    future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use histories::{Event, RecordError, Recorder, RunDir};
use nemesis::FaultKind;
use tokio::sync::watch;
use workloads::{Clients, Connect as _, Connector, FinalReads, Load, LoadSummary, MAX_TRIES, Mix, Workload};

use super::{
    availability::Prober,
    cluster::Cluster,
    early_stop::EarlyStop,
    fault_schedule::{self, FaultsInForce},
    host::{self, Host},
    leadership::Span,
    meter::Meter,
    plan::Plan,
    results::{LiveResults, RunStart, START_FILE},
    stalls::StallWatch,
};
use crate::{
    check::judge_by,
    error::{ExitStatus, Failure},
    store::VersionedFile,
    systems::{ClientSetup, Deployment, StatusClient},
    terminal::{
        Progress,
        words::{counted, grouped, lasting_ms},
    },
};

/// Time limit for establishing a connection; less than the limit of any operation.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Time that a client is given beyond its own timeout before it is cut off.
const CLIENT_GRACE: Duration = Duration::from_millis(250);
/// Limits of the final reads: their time, and the number of keys per node.
const FINAL_READS_LIMIT: Duration = Duration::from_secs(10);
const FINAL_READS_KEYS: usize = 200;
/// Interval at which the figures of the progress bar are updated.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Interval at which events go to the file, if there are too few to do so by themselves.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// Carries out the live part of a run, and what is to be done `before_end`, while the nodes are still up. However it
/// ends after the first process has started, all nodes are stopped and all faults undone.
pub(super) async fn run_live(
    plan: &Plan,
    host: &Host,
    dir: &RunDir,
    prepared: Option<PathBuf>,
    progress: &Progress,
    before_end: impl AsyncFnOnce(&Cluster, &LiveResults) -> anyhow::Result<()>,
) -> anyhow::Result<LiveResults> {
    progress.phase(format!("starting {}", counted(plan.nodes.into(), "node")));
    let cluster = Cluster::up(plan, dir, prepared, host, host::command_log(dir)?)?;
    let results = async {
        let results = run_on_cluster(plan, &cluster, dir, progress).await?;
        before_end(&cluster, &results).await?;
        anyhow::Ok(results)
    };
    let results = results.await;
    let down = cluster.down().await;
    let mut results = results?;
    results.killed_at_end = down?;
    Ok(results)
}

/// Starts a cluster, does something with it when it is ready, and stops it, even if it is interrupted.
pub(super) async fn try_out<T>(
    plan: &Plan,
    host: &Host,
    dir: &RunDir,
    act: impl AsyncFnOnce(&Deployment, &StatusClient) -> T,
) -> anyhow::Result<T> {
    let interrupt = tokio::spawn(host::interrupted());
    let cluster = Cluster::up(plan, dir, None, host, host::command_log(dir)?)?;
    let trial = async {
        cluster.wait_until_ready().await?;
        anyhow::Ok(act(&cluster.deployment, &cluster.observer).await)
    };
    let tried = tokio::select! {
        tried = trial => tried,
        _ = interrupt => Err(Failure::new(ExitStatus::Interrupted, "interrupted; the nodes are stopped").into()),
    };
    let down = cluster.down().await;
    let tried = tried?;
    down?;
    Ok(tried)
}

async fn run_on_cluster(
    plan: &Plan,
    cluster: &Cluster,
    dir: &RunDir,
    progress: &Progress,
) -> anyhow::Result<LiveResults> {
    let ready_after = cluster.wait_until_ready().await?;
    let origin_mono_ns = host::monotonic_ns();
    let leader_after_ms = u64::try_from(ready_after.as_millis()).unwrap_or(u64::MAX);
    let began = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let start = RunStart { leader_after_ms, origin_mono_ns, began_unix_s: began.map(|began| began.as_secs()) };
    dir.write_json(START_FILE, &VersionedFile::new(&start))?;
    let origin = Instant::now();
    let recorder = Arc::new(Recorder::create(&dir.history_path(), origin)?);
    if let Some(Event { f, value: Some(model), .. }) = judge_by(plan.workload()) {
        recorder.nemesis(&f, model, None)?;
    }
    let (stopper, stop) = watch::channel(false);
    let interrupt = tokio::spawn(host::watch_for_interrupt(stopper.clone()));
    let early_stop = EarlyStop::new(plan, dir.history_path(), Arc::clone(&recorder), origin, stopper);
    let in_force = FaultsInForce::default();
    let counts = Arc::new(workloads::Progress::default());
    let ready_after = lasting_ms(leader_after_ms);
    progress.phase(format!("{} after {ready_after}; clients for {:?}", plan.readiness(), plan.time_limit()));

    let connector = plan.system().connector(&clients(plan, cluster)).context("preparing the clients")?;
    let load = load(plan);
    let clients = Clients::open(&load, connector.clone(), stop.clone()).await?;
    let driving = workloads::drive(&load, clients, Arc::clone(&recorder), Arc::clone(&counts), stop.clone());
    let (schedule, limit) = (&plan.schedule, plan.time_limit());
    let nemesis = fault_schedule::run_schedule(schedule, limit, cluster, &recorder, &in_force, stop.clone());
    let meter = Meter::default();
    let prober = if plan.no_probes { None } else { Some(Prober::new(plan, cluster, origin)?) };
    let stalls = StallWatch::new(origin, plan.system().timing(&plan.settings).probe);
    let before = meter.read(cluster).await;
    let from_ns = elapsed_ns(origin_mono_ns);
    let (driven, broken) = tokio::select! {
        both = async { tokio::join!(driving, nemesis) } => both,
        () = show_figures(progress, limit, &counts, &in_force) => unreachable!("figures are shown for ever"),
        () = meter.keep_reading(cluster) => unreachable!("the meter is read for ever"),
        never = stalls.keep_watching() => match never {},
        error = keep_flushing(&recorder) => return Err(error.into()),
        error = keep_probing(prober.as_ref()) => return Err(error.context("probing the nodes")),
        error = early_stop.keep_judging(&meter) => return Err(error.context("judging the history so far")),
    };
    let load = Span { from_ns, until_ns: elapsed_ns(origin_mono_ns) };
    let cost = meter.read(cluster).await.since(before);
    let availability = prober.map(|prober| prober.found(load.until_ns)).unwrap_or_default();

    let healed = heal(cluster, &recorder, &in_force, progress, &stop).await;
    let stopped_early = early_stop.found();
    let interrupted = *stop.borrow() && stopped_early.is_none();
    let recovery = recover(plan.workload(), &driven?, cluster, connector, &recorder, counts, stop).await;
    meter.read(cluster).await; // all have applied the same by now, if they have recovered
    interrupt.abort();
    recorder.close()?;
    // Errors here are failures of the harness, not of the system.
    let harness_failed = [broken.err(), healed.err()].into_iter().flatten().map(|error| format!("{error:#}"));
    let harness_failed = harness_failed.reduce(|all, next| format!("{all}; {next}"));
    Ok(LiveResults {
        start,
        load: Some(load),
        interrupted,
        is_unfinished: false,
        stopped_early,
        harness_failed,
        client_problems: plan.system().client_problems(),
        not_recovered: recovery?,
        broken_rule: None,
        killed_at_end: None,
        cost,
        availability,
        host_stalls: stalls.found(),
        states: meter.states(),
        host: host::in_words(),
    })
}

/// Probes until dropped, if the run has probes.
async fn keep_probing(prober: Option<&Prober>) -> anyhow::Error {
    match prober {
        Some(prober) => prober.keep_probing().await,
        None => future::pending().await,
    }
}

/// Heals what is still in force, and says so and what follows.
async fn heal(
    cluster: &Cluster,
    recorder: &Recorder,
    in_force: &FaultsInForce,
    progress: &Progress,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    if !in_force.kinds().is_empty() {
        progress.phase("healing");
    }
    let healed = fault_schedule::heal_remaining(cluster, recorder, in_force).await;
    if !*stop.borrow() {
        progress.phase("final reads");
    }
    healed
}

/// Waits until the healed cluster settles, and reads every key once more on every node. Describes what did not
/// recover, if anything.
async fn recover(
    workload: &'static dyn Workload,
    driven: &LoadSummary,
    cluster: &Cluster,
    connector: Connector,
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
    let members = cluster.members().await;
    let is_member = |node: &u16| members.as_ref().is_none_or(|members| members.contains(node));
    let reads = FinalReads {
        without: connector.nodes().iter().copied().filter(|node| !is_member(node)).collect(),
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
        let failed = counted(unread.len(), "final read");
        format!("{failed} failed, the first that of key k{} on n{}", first.key, first.node)
    }))
}

fn load(plan: &Plan) -> Load {
    Load {
        seed: plan.seed,
        concurrency: plan.concurrency,
        rate: plan.rate,
        time_limit: plan.time_limit(),
        operation_limit: operation_limit(plan),
        workload: plan.workload(),
        mix: mix(plan),
    }
}

/// Returns the time in which a client answers: that of an operation, or of each time that it is sent.
fn operation_limit(plan: &Plan) -> Duration {
    let once = Duration::from_millis(plan.operation_timeout_ms) + CLIENT_GRACE;
    if plan.retry { once * MAX_TRIES } else { once }
}

/// Returns the mix of the operations of a plan.
pub(crate) fn mix(plan: &Plan) -> Mix {
    let writes_percent = 100 - plan.read_percent;
    Mix {
        keys: plan.keys,
        hot_key_percent: plan.hot_key_percent,
        read_percent: plan.read_percent,
        cas_percent: if plan.system().has_cas() { writes_percent / 5 } else { 0 },
        ..Mix::default()
    }
}

fn clients<'a>(plan: &'a Plan, cluster: &'a Cluster) -> ClientSetup<'a> {
    ClientSetup {
        deployment: &cluster.deployment,
        read: &plan.read,
        connect_timeout: CONNECT_TIMEOUT,
        operation_timeout: Duration::from_millis(plan.operation_timeout_ms),
        retry: plan.retry,
        are_probes: false,
    }
}

/// Writes what the recorder holds back, until that fails.
async fn keep_flushing(recorder: &Recorder) -> RecordError {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = recorder.flush() {
            return error;
        }
    }
}

async fn show_figures(progress: &Progress, limit: Duration, counts: &workloads::Progress, in_force: &FaultsInForce) {
    let start = Instant::now();
    loop {
        let kinds: Vec<_> = in_force.kinds().into_iter().map(FaultKind::name).collect();
        // The end may not fit the terminal.
        let faults = if kinds.is_empty() { String::new() } else { format!("{} in force: ", kinds.join(", ")) };
        let [ok, fail, info] = [counts.ok(), counts.fail(), counts.info()]
            .map(|count| grouped(usize::try_from(count).unwrap_or(usize::MAX)));
        let (passed, all) = (start.elapsed().min(limit).as_secs_f64(), limit.as_secs_f64());
        progress.update(format!("{passed:.0} of {all:.0} s: {faults}{ok} ok, {fail} failed, {info} unknown"));
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}

fn elapsed_ns(origin_mono_ns: u64) -> u64 {
    host::monotonic_ns() - origin_mono_ns
}
