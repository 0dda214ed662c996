//! Results of a run, written to `results.json` and reported on the terminal.

use checker::{Ladder, Report, StalenessReport, TransactionReport, Verdict};
use histories::{History, Outcome};
use serde::{Deserialize, Serialize};

use super::{
    availability::NodeAvailability,
    beliefs::{Missed, Reign, Span},
    coverage::Coverage,
};
use crate::{check::status_of, error::ExitStatus};

/// Results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) verdict: Verdict,
    /// True if the history is linearizable, but the run could not have caught much; `coverage.weak` gives the reasons.
    pub(crate) weak: bool,
    /// True if the run was interrupted.
    pub(crate) interrupted: bool,
    /// Error in injecting or healing faults, which says nothing about the system.
    pub(crate) harness_failed: Option<String>,
    /// Reason why the cluster did not recover after healing, if it did not.
    pub(crate) not_recovered: Option<String>,
    pub(crate) counts: Counts,
    pub(crate) reads: Latency,
    pub(crate) writes: Latency,
    /// Time from the start of the first process to a leader that a majority follows.
    pub(crate) leader_after_ms: u64,
    /// Time in which clients were active.
    pub(crate) load: Span,
    /// Cost in that time, as counted by the nodes.
    pub(crate) cost: Cost,
    /// Availability of each node in that time, by probes.
    pub(crate) availability: Vec<NodeAvailability>,
    /// Heartbeats missed in that time although no fault was in force: the host was too busy, or the system is to
    /// blame.
    pub(crate) missed_heartbeats: Vec<Missed>,
    pub(crate) coverage: Coverage,
    pub(crate) report: Report,
    /// Isolation levels and anomalies, if the history is one of transactions; `report` has the clearest anomaly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transactions: Option<TransactionReport>,
    /// Weaker models that hold, if the history is not linearizable.
    pub(crate) ladder: Option<Ladder>,
    /// Staleness of the reads, if the history is not linearizable.
    pub(crate) staleness: Option<StalenessReport>,
    /// Sentences on the context of the violation.
    pub(crate) context: Vec<String>,
    /// Spans of time in which each node believed that it led.
    pub(crate) reigns: Vec<Reign>,
    /// Reading of the host's monotonic clock at time 0 of the history, ns; relates the nodes' logs to the history.
    pub(crate) origin_mono_ns: u64,
}

impl Results {
    /// Returns the exit status of the run.
    pub(crate) fn status(&self) -> ExitStatus {
        let mut status = status_of(self.verdict);
        if self.report.has_internal_error() {
            status = status.worst(ExitStatus::Internal);
        }
        if self.not_recovered.is_some() || self.harness_failed.is_some() {
            status = status.worst(ExitStatus::Failed);
        }
        if self.interrupted {
            status = status.worst(ExitStatus::Interrupted);
        }
        status
    }

    /// Returns the lower bound on the staleness of the most outdated read, ns.
    pub(crate) fn stalest_ns(&self) -> Option<u64> {
        let evidence = self.report.keys.iter().filter_map(|key| key.evidence.as_ref());
        evidence.filter_map(|evidence| evidence.staleness).map(|staleness| staleness.behind_ns).max()
    }
}

/// Work of all nodes by their own counters. What a node counted in the quarter of a second before it was killed is
/// missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Messages sent to peers.
    pub(crate) messages: u64,
    pub(crate) fsyncs: u64,
}

impl Cost {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(before.messages),
            fsyncs: self.fsyncs.saturating_sub(before.fsyncs),
        }
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, fsyncs: self.fsyncs + other.fsyncs }
    }
}

/// Number of operations by outcome.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) ok: usize,
    /// Operations of cas that found another value.
    pub(crate) mismatch: usize,
    pub(crate) fail: usize,
    pub(crate) info: usize,
}

impl Counts {
    pub(crate) fn of(history: &History) -> Self {
        let mut counts = Self::default();
        for operation in &history.operations {
            match operation.outcome {
                Outcome::Ok => counts.ok += 1,
                Outcome::Mismatch => counts.mismatch += 1,
                Outcome::Fail => counts.fail += 1,
                Outcome::Info => counts.info += 1,
            }
        }
        counts
    }
}

/// Latency of successful operations, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latency {
    /// Computes the latency of all operations that only read, or of all others.
    pub(crate) fn of(history: &History, reads: bool) -> Self {
        let done = history.operations.iter().enumerate().filter(|(_, operation)| operation.outcome == Outcome::Ok);
        let wanted = done.filter(|(index, _)| workloads::only_reads(history, *index) == reads);
        let times = wanted.map(|(index, _)| history.times(index));
        Self::from_ns(times.map(|times| times.completed_ns - times.invoked_ns).collect())
    }

    fn from_ns(mut all_ns: Vec<u64>) -> Self {
        if all_ns.is_empty() {
            return Self::default();
        }
        all_ns.sort_unstable();
        let at = |percent: usize| {
            let place = (all_ns.len() * percent).div_ceil(100).max(1) - 1;
            std::time::Duration::from_nanos(all_ns[place]).as_secs_f64() * 1e3
        };
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100) }
    }
}

/// Facts known before the load begins; written at once, so that a run that is under way or was killed can be checked.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Begun {
    pub(crate) leader_after_ms: u64,
    pub(crate) origin_mono_ns: u64,
}

/// Name of the file with these facts.
pub(crate) const BEGUN_FILE: &str = "begun.json";

/// Results of the live part of a run, needed to judge it; for a stored run, read from `results.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Lived {
    #[serde(flatten)]
    pub(crate) begun: Begun,
    /// Time of the load; none for a run that was killed or is under way, whose load lasts as long as its operations.
    pub(crate) load: Option<Span>,
    pub(crate) interrupted: bool,
    #[serde(default)]
    pub(crate) harness_failed: Option<String>,
    pub(crate) not_recovered: Option<String>,
    pub(crate) cost: Cost,
    /// Availability of the nodes; empty for runs without probes.
    #[serde(default)]
    pub(crate) availability: Vec<NodeAvailability>,
}

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let ms = |n: u64| n * 1_000_000;
        let all = Latency::from_ns((1..=200).rev().map(ms).collect());
        assert_eq!(all, Latency { p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        assert_eq!(Latency::from_ns(vec![ms(7)]), Latency { p50_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 });
        assert_eq!(Latency::from_ns(Vec::new()), Latency::default());
    }
}
