//! Final reads, after all faults are healed: every node is asked for every key once more, to reveal lost writes and
//! nodes that did not converge. The workload says what a final read is.

use std::{sync::Arc, time::Duration};

use histories::{EventType, Recorder};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    Client as _, Connect as _, Connector, DriveError, Progress, Succession, Workload,
    worker::{LogicalProcess, wait_until},
};

/// Pause between a failed read and the next.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Options of the final reads.
#[derive(Clone, Debug)]
pub struct FinalReads {
    /// Nodes that are not asked, as they are no members of the cluster.
    pub without: Vec<u16>,
    /// Workload whose keys these are.
    pub workload: &'static dyn Workload,
    /// Keys, in the order of [`crate::LoadSummary::keys`]; if there are more than `max_keys`, the last ones are read.
    pub keys: Vec<u32>,
    /// Maximum number of keys read on each node.
    pub max_keys: usize,
    /// Number of the process that reads on the first node; [`crate::LoadSummary::next_process`].
    pub first_process: u64,
    /// Time limit for all keys of a node together.
    pub time_limit: Duration,
    /// Maximum duration of an operation.
    pub operation_limit: Duration,
}

/// Key that a node did not return within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadKey {
    /// The node.
    pub node: u16,
    /// The key.
    pub key: u32,
}

/// Reads the keys on every node, each until it succeeds; each attempt is an operation of the history. Returns the keys
/// that could not be read.
///
/// # Errors
/// Returns an error if the harness fails.
pub async fn final_reads(
    reads: &FinalReads,
    connector: Connector,
    recorder: Arc<Recorder>,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<Vec<UnreadKey>, DriveError> {
    let keys: Arc<[u32]> = reads.keys[reads.keys.len().saturating_sub(reads.max_keys)..].into();
    let end = Instant::now() + reads.time_limit;
    let mut nodes = JoinSet::new();
    let step = connector.nodes().len() as u64;
    let asked = connector.nodes().iter().copied().filter(|node| !reads.without.contains(node));
    for (number, node) in (reads.first_process..).zip(asked.collect::<Vec<_>>()) {
        let succession = Succession::new(node, number, step);
        let process = LogicalProcess { succession, client: connector.open(node)? };
        let reader = KeyReader {
            connector: connector.clone(),
            recorder: Arc::clone(&recorder),
            progress: Arc::clone(&progress),
            operation_limit: reads.operation_limit,
            workload: reads.workload,
            process,
        };
        nodes.spawn(reader.read_all(Arc::clone(&keys), end, stop.clone()));
    }
    let mut unread = Vec::new();
    while let Some(ended) = nodes.join_next().await {
        unread.extend(ended.map_err(DriveError::Panic)??);
    }
    recorder.flush()?;
    unread.sort_unstable();
    Ok(unread)
}

struct KeyReader {
    connector: Connector,
    recorder: Arc<Recorder>,
    progress: Arc<Progress>,
    operation_limit: Duration,
    workload: &'static dyn Workload,
    process: LogicalProcess,
}

impl KeyReader {
    async fn read_all(
        mut self,
        keys: Arc<[u32]>,
        end: Instant,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Vec<UnreadKey>, DriveError> {
        // A client that is not ready in time shows in its answers.
        timeout_at(end, self.process.client.ready()).await.ok();
        let mut left = keys.iter().copied().peekable();
        let mut ready = Instant::now();
        while let Some(key) = left.peek().copied()
            && wait_until(ready, end, &mut stop).await.is_some()
        {
            let request = self.workload.final_read(key);
            let ending = self.process.execute(&request, &self.recorder, &self.progress, self.operation_limit).await?;
            ready = Instant::now();
            let is_last = self.workload.ends_final_read(&ending.answer);
            if is_last && ending.event.kind != EventType::Info {
                left.next();
            }
            if ending.event.kind != EventType::Ok && !is_last {
                ready += RETRY_AFTER;
            }
            if ending.reconnect {
                self.process.client = self.connector.open(self.process.succession.node())?;
            }
        }
        Ok(left.map(|key| UnreadKey { node: self.process.succession.node(), key }).collect())
    }
}
