//! What the nodes say that a run has cost: their counters begin at 0 with each process, so they are read again and again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{cluster::Cluster, results::Cost};

/// How often counters are read: what a node counts after the last reading before it is killed is lost.
const EVERY: Duration = Duration::from_millis(250);

/// Adds up the counters of all nodes over their restarts.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<BTreeMap<usize, Counter>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// Of processes that are gone.
    before: Cost,
    now: Cost,
}

impl Meter {
    /// What all nodes have counted so far.
    pub(crate) async fn read(&self, cluster: &Cluster) -> Cost {
        let statuses = cluster.observer.statuses().await;
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (node, status) in statuses.iter().enumerate() {
            let Some(status) = status else { continue };
            let read = Cost { messages: status.counters.messages_sent, fsyncs: status.counters.fsyncs };
            counters.entry(node).or_default().read(read);
        }
        counters.values().map(|counter| counter.before + counter.now).fold(Cost::default(), |sum, node| sum + node)
    }

    /// Reads until it is dropped.
    pub(crate) async fn keep_reading(&self, cluster: &Cluster) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.read(cluster).await;
        }
    }
}

impl Counter {
    fn read(&mut self, read: Cost) {
        if read.messages < self.now.messages || read.fsyncs < self.now.fsyncs {
            self.before = self.before + self.now;
        }
        self.now = read;
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Counter};

    #[test]
    fn a_restart_loses_nothing_that_was_read() {
        let mut counter = Counter::default();
        for (messages, fsyncs) in [(10, 1), (20, 5), (3, 2), (8, 2)] {
            counter.read(Cost { messages, fsyncs });
        }
        assert_eq!(counter.before + counter.now, Cost { messages: 28, fsyncs: 7 });
    }
}
