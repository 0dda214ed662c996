//! Keeps clients busy until the time is up: workers, their pace, their end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use histories::{EventType, RecordError, Recorder};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::Instant,
};

use crate::{ClientError, Connect, Register, RegisterOptions, pace::Pace, worker::Worker};

/// How long after each other the workers begin.
const STAGGER: Duration = Duration::from_millis(1);

/// What clients are to do, and for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// What the operations and their times are drawn from.
    pub seed: u64,
    /// How many clients, from 1; client `w` asks the node at place `w` modulo the number of nodes.
    pub concurrency: u16,
    /// Operations each second, all clients together; 0 is as fast as it goes.
    pub rate: u32,
    /// For how long new operations begin.
    pub time_limit: Duration,
    /// How long an operation takes at most; a client that exceeds it is cut off (its own limit should be a little less).
    pub operation_limit: Duration,
    /// The mix.
    pub register: RegisterOptions,
}

/// What was done so far; read while the run goes on.
#[derive(Debug, Default)]
pub struct Progress {
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
}

impl Progress {
    /// Operations that happened.
    pub fn ok(&self) -> u64 {
        self.ok.load(Ordering::Relaxed)
    }

    /// Operations that did not happen.
    pub fn fail(&self) -> u64 {
        self.fail.load(Ordering::Relaxed)
    }

    /// Operations of which nobody knows.
    pub fn info(&self) -> u64 {
        self.info.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, kind: EventType) {
        let counter = match kind {
            EventType::Ok => &self.ok,
            EventType::Fail => &self.fail,
            EventType::Info => &self.info,
            EventType::Invoke => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the load left behind.
#[derive(Clone, Debug)]
pub struct Driven {
    /// The first process number that nobody used.
    pub next_process: u64,
    /// Every key that was used, those last in use last.
    pub keys: Vec<u32>,
}

/// Why the load could not be carried out: a fault of the harness, not of the system under test.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// What happened could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is nobody to ask, or nobody to ask them.
    #[error("a load needs at least one node and one client")]
    Nobody,
    /// A task panicked.
    #[error("a client's task ended in a panic: {0}")]
    Panic(JoinError),
}

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared<C> {
    pub(crate) connect: C,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) operation_limit: Duration,
    /// Who has the lock takes the next request and its time, or tells what came of one; never held while waiting.
    pub(crate) source: Mutex<Source>,
}

/// Where requests come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) register: Register,
    pub(crate) pace: Pace,
}

/// Drives the load to its end. When `stop` turns true (or its sender is gone), no further operation begins; those under way are
/// waited for, within their limit, so that each has its completion in the history.
///
/// # Errors
/// The harness failed; what the system does is never an error. The history then ends where it failed.
pub async fn drive<C: Connect>(
    load: &Load,
    connect: C,
    recorder: Arc<Recorder>,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<Driven, DriveError> {
    let nodes = connect.nodes().to_vec();
    if nodes.is_empty() || load.concurrency == 0 {
        return Err(DriveError::Nobody);
    }
    let start = Instant::now();
    let register = Register::new(load.seed, load.register.clone());
    let source = Mutex::new(Source { register, pace: Pace::new(load.rate, start, load.seed) });
    let operation_limit = load.operation_limit;
    let shared = Arc::new(Shared { connect, recorder, progress, operation_limit, source });
    let mut workers = JoinSet::new();
    for (number, node) in (0..load.concurrency).zip(nodes.iter().copied().cycle()) {
        let worker = Worker::new(Arc::clone(&shared), number, load.concurrency, node)?;
        workers.spawn(worker.run(start + STAGGER * u32::from(number), start + load.time_limit, stop.clone()));
    }
    let mut next_process = u64::from(load.concurrency);
    while let Some(ended) = workers.join_next().await {
        // An error leaves by dropping the set, which ends all others: without a record there is nothing to go on for.
        let process = ended.map_err(DriveError::Panic)??;
        next_process = next_process.max(process + 1);
    }
    let source = shared.source.lock().expect("no worker panicked");
    let live: Vec<u32> = source.register.live_keys().collect();
    let retired = (0..source.register.keys_used()).filter(|key| !live.contains(key));
    let keys = retired.chain(live.iter().copied()).collect();
    Ok(Driven { next_process, keys })
}
