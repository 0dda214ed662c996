//! Probes that measure when each node is available: short reads and writes with a low time limit. The clients of a load
//! cannot measure that, since one that waits for an answer measures its own patience.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{Answer, AnyClient, Client as _, ClientError, Connect as _, Connector, DriveError, Workload};

/// Divisor of the pause after a failed probe, so that the end of an outage is noticed soon.
const FAILURE_DIVISOR: u32 = 4;
/// Maximum number of outages remembered per node and kind of probe.
const MAX_OUTAGES: usize = 10_000;

/// Options of the probes.
#[derive(Clone, Copy, Debug)]
pub struct ProbeOptions {
    /// Workload whose reads and writes these are.
    pub workload: &'static dyn Workload,
    /// Interval between the beginnings of two probes.
    pub every: Duration,
    /// Time limit of a probe: a later answer does not count.
    pub limit: Duration,
    /// Highest key that is read and written; must be far above those of the load.
    pub key: u32,
}

/// Results of the probes of one kind at one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Number of probes that ended.
    pub all: u64,
    /// Number of probes that were answered in time and with success.
    pub answered: u64,
    /// Outages, each from the beginning of the first failed probe to the end of the next successful one; the end of the
    /// last may be open.
    pub outages: Vec<(Instant, Option<Instant>)>,
}

impl Probes {
    fn count(&mut self, began: Instant, ended: Instant, answered: bool) {
        self.all += 1;
        self.answered += u64::from(answered);
        let room = self.outages.len() < MAX_OUTAGES;
        match self.outages.last_mut() {
            Some((_, until @ None)) if answered => *until = Some(ended),
            Some((_, None)) => {}
            _ if !answered && room => self.outages.push((began, None)),
            _ => {}
        }
    }
}

/// Results of the probes of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeProbes {
    /// Results of reads, in the read mode of the load.
    pub reads: Probes,
    /// Results of writes.
    pub writes: Probes,
}

/// Results of the probes of all nodes so far.
#[derive(Debug, Default)]
pub struct Availability(Mutex<BTreeMap<u16, NodeProbes>>);

impl Availability {
    /// Returns the results of each node.
    pub fn by_node(&self) -> BTreeMap<u16, NodeProbes> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, NodeProbes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Probes every node until the future is dropped, with reads and writes independently.
///
/// # Errors
/// Returns an error if a client cannot be created or a task panics.
pub async fn keep_probing(
    probing: ProbeOptions,
    connector: Connector,
    availability: Arc<Availability>,
) -> Result<Infallible, DriveError> {
    let mut tasks = JoinSet::new();
    for node in connector.nodes().to_vec() {
        for writes in [false, true] {
            let (connector, availability) = (connector.clone(), Arc::clone(&availability));
            let prober = NodeProber { probing, connector, availability, node, writes };
            tasks.spawn(prober.run());
        }
    }
    match tasks.join_next().await {
        Some(ended) => ended.map_err(DriveError::Panic)?.map_err(DriveError::Client),
        None => Err(DriveError::Nobody),
    }
}

struct NodeProber {
    probing: ProbeOptions,
    connector: Connector,
    availability: Arc<Availability>,
    node: u16,
    writes: bool,
}

impl NodeProber {
    /// Opens a client, and waits until it is ready: a probe measures the node, not the start of its client.
    async fn open(&self) -> Result<AnyClient, ClientError> {
        let mut client = self.connector.open(self.node)?;
        client.ready().await;
        Ok(client)
    }

    async fn run(self) -> Result<Infallible, ClientError> {
        let ProbeOptions { workload, every, limit, key } = self.probing;
        let mut client = self.open().await?;
        for number in 0.. {
            let request = if self.writes { workload.probe_write(key, number) } else { workload.probe_read(key) };
            let began = Instant::now();
            let answer = timeout(limit, client.invoke(&request)).await;
            let answer = answer.map_or(Answer::Unknown(String::new()), |answered| answered.answer);
            let answered = matches!(answer, Answer::Value(_) | Answer::Done | Answer::Mismatch(_));
            {
                let mut all = self.availability.lock();
                let of_node = all.entry(self.node).or_default();
                let probes = if self.writes { &mut of_node.writes } else { &mut of_node.reads };
                probes.count(began, Instant::now(), answered);
            }
            if matches!(answer, Answer::Unknown(_)) {
                client = self.open().await?;
            }
            sleep_until(began + if answered { every } else { every / FAILURE_DIVISOR }).await;
        }
        unreachable!("there are more numbers than any run has time for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_next_answer() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut probes = Probes::default();
        for (began, ended, answered) in
            [(0, 1, true), (80, 160, false), (160, 161, false), (180, 182, true), (260, 261, true), (340, 420, false)]
        {
            probes.count(at(began), at(ended), answered);
        }
        assert_eq!((probes.all, probes.answered), (6, 3));
        assert_eq!(probes.outages, [(at(80), Some(at(182))), (at(340), None)]);
    }
}
