//! Readings of the nodes' own counters, which begin at 0 with each process and are therefore read repeatedly, and of
//! their states.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    checkpoints::{CheckpointLog, StateComparison},
    cluster::Cluster,
    results::Cost,
};

/// Interval at which counters are read: what a node counts between the last reading and its death is lost.
const EVERY: Duration = Duration::from_millis(250);

/// Sum of the counters of all nodes over their restarts, and their states.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counters: Mutex<BTreeMap<usize, Counter>>,
    checkpoints: Mutex<CheckpointLog>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// Sum over the processes that have ended.
    before: Cost,
    now: Cost,
}

impl Meter {
    /// Compares the states that the nodes had when they were read; none if they do not tell them.
    pub(crate) fn states(&self) -> Option<StateComparison> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).compared()
    }

    /// Reads the counters and states of all nodes and returns the sum of the counters so far; nothing where asking is
    /// not for a load.
    pub(crate) async fn read(&self, cluster: &Cluster) -> Cost {
        if !cluster.observer.effort().suits_load {
            return Cost::default();
        }
        let statuses = cluster.observer.statuses().await;
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).add(&statuses);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (node, status) in statuses.iter().enumerate() {
            let Some(status) = status else { continue };
            let read = Cost { messages: status.counters.messages, fsyncs: status.counters.fsyncs };
            counters.entry(node).or_default().read(read);
        }
        counters.values().map(|counter| counter.before + counter.now).fold(Cost::default(), |sum, node| sum + node)
    }

    /// Reads the counters until dropped.
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
