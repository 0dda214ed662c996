//! Driver of a load: keeps clients busy at their pace until the time is up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use histories::Recorder;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    Client as _, Connect as _, Connector, DriveError, Mix, Pace, Progress, Succession, Workload,
    worker::{LogicalProcess, Source, Worker, WorkerContext},
};

/// Delay between the starts of two workers.
const STAGGER: Duration = Duration::from_millis(1);

/// Load of a run: the requests of its clients, their rate and their duration.
#[derive(Clone, Debug)]
pub struct Load {
    /// Seed of the operations and their times.
    pub seed: u64,
    /// Number of clients, from 1; client `w` uses the node at index `w` modulo the number of nodes.
    pub concurrency: u16,
    /// Operations per second of all clients together; 0 means no limit.
    pub rate: u32,
    /// Time during which new operations begin.
    pub time_limit: Duration,
    /// Maximum duration of an operation; a client that exceeds it is cut off (its own limit should be a little lower).
    pub operation_limit: Duration,
    /// Operations of the clients.
    pub workload: &'static dyn Workload,
    /// Mix of these operations.
    pub mix: Mix,
}

/// Summary of a load, for the final reads.
#[derive(Clone, Debug)]
pub struct LoadSummary {
    /// Lowest process number that was not used.
    pub next_process: u64,
    /// Keys that were used, retired ones first.
    pub keys: Vec<u32>,
}

/// Clients of a load, in the order of their numbers, each of which was given the time to get ready.
#[derive(Debug)]
pub struct Clients {
    connector: Connector,
    clients: Vec<LogicalProcess>,
}

impl Clients {
    /// Opens the clients of a load, and waits until all are ready, within their own limits, or until `stop` turns true
    /// (or its sender is gone).
    ///
    /// # Errors
    /// Returns an error if a client cannot be created, or the load has none.
    pub async fn open(load: &Load, connector: Connector, stop: watch::Receiver<bool>) -> Result<Self, DriveError> {
        let nodes = connector.nodes().to_vec();
        if nodes.is_empty() || load.concurrency == 0 {
            return Err(DriveError::Nobody);
        }
        let mut opening = JoinSet::new();
        for (number, node) in (0..u64::from(load.concurrency)).zip(nodes.into_iter().cycle()) {
            let succession = Succession::new(node, number, load.concurrency.into());
            let mut process = LogicalProcess { succession, client: connector.open(node)? };
            let mut stop = stop.clone();
            opening.spawn(async move {
                tokio::select! {
                    () = process.client.ready() => {}
                    _ = stop.wait_for(|stopped| *stopped) => {}
                }
                process
            });
        }
        let mut clients = Vec::new();
        while let Some(opened) = opening.join_next().await {
            clients.push(opened.map_err(DriveError::Panic)?);
        }
        clients.sort_unstable_by_key(|process| process.succession.process());
        Ok(Self { connector, clients })
    }
}

/// Drives the load to its end. When `stop` turns true (or its sender is gone), no further operation begins; operations
/// under way are awaited, within their limit, so that each has its completion in the history.
///
/// # Errors
/// Returns an error if the harness fails; the behaviour of the system is never an error. The history then ends at the
/// failure.
pub async fn drive(
    load: &Load,
    Clients { connector, clients }: Clients,
    recorder: Arc<Recorder>,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<LoadSummary, DriveError> {
    let start = Instant::now();
    let generator = load.workload.generator(load.seed, &load.mix);
    let source = Mutex::new(Source { generator, pace: Pace::new(load.rate, load.seed) });
    let operation_limit = load.operation_limit;
    let shared = Arc::new(WorkerContext { connector, recorder, progress, operation_limit, source });
    let mut workers = JoinSet::new();
    for (number, process) in (0..load.concurrency).zip(clients) {
        let worker = Worker::new(Arc::clone(&shared), number, process);
        workers.spawn(worker.run(start, start + STAGGER * u32::from(number), start + load.time_limit, stop.clone()));
    }
    let mut next_process = u64::from(load.concurrency);
    while let Some(ended) = workers.join_next().await {
        // Returning drops the set, which aborts all other workers: without a record it makes no sense to go on.
        let process = ended.map_err(DriveError::Panic)??;
        next_process = next_process.max(process + 1);
    }
    shared.recorder.flush()?;
    let source = shared.source.lock().expect("no worker panicked");
    Ok(LoadSummary { next_process, keys: source.generator.keys() })
}
