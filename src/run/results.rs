//! Results of a run, written to `results.json` and reported on the terminal.

use std::path::Path;

use checker::{Hierarchy, Report, StalenessReport, TransactionReport, Verdict};
use histories::{History, Outcome};
use serde::{Deserialize, Serialize};

use super::{
    audits::Audit,
    availability::NodeAvailability,
    checkpoints::StateComparison,
    coverage::Coverage,
    first_sign::FirstSign,
    leadership::{MissedHeartbeat, Reign, Span},
};
use crate::{
    check::status_of,
    error::ExitStatus,
    store::SchemaVersion,
    systems::PlantedDefect,
    terminal::words::{stamp_in_words, time_in_words},
};

/// Results of a run: those of its live part, and what judging made of the files that it left.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    /// Defect that was planted in the nodes, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) defect: Option<PlantedDefect>,
    pub(crate) verdict: Verdict,
    /// True if the history is linearizable, but the run could not have caught much; `coverage.weak` gives the reasons.
    pub(crate) weak: bool,
    #[serde(flatten)]
    pub(crate) live: LiveResults,
    pub(crate) counts: Counts,
    /// Moment at which the first violation was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_sign: Option<FirstSign>,
    pub(crate) reads: Latency,
    pub(crate) writes: Latency,
    /// Heartbeats missed under load although no fault was in force: the host was too busy, or the system is to blame.
    pub(crate) missed_heartbeats: Vec<MissedHeartbeat>,
    pub(crate) coverage: Coverage,
    pub(crate) report: Report,
    /// Verdicts on other properties than that of the history.
    #[serde(default)]
    pub(crate) audits: Vec<Audit>,
    /// Isolation levels and anomalies, if the history is one of transactions; `report` has the clearest anomaly.
    /// Shown with the verdict; not read back, since it names transactions by their places in a history, which is judged
    /// anew to be shown.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) transactions: Option<TransactionReport>,
    /// Weaker models that hold, if the history is not linearizable.
    #[serde(default, rename = "ladder")]
    pub(crate) hierarchy: Option<Hierarchy>,
    /// Staleness of the reads, if the history is not linearizable.
    #[serde(default)]
    pub(crate) staleness: Option<StalenessReport>,
    /// Sentences on the context of the violation.
    #[serde(default)]
    pub(crate) context: Vec<String>,
    /// Spans of time in which each node believed that it led.
    #[serde(default)]
    pub(crate) reigns: Vec<Reign>,
}

impl Results {
    /// Returns the exit status of the run.
    pub(crate) fn status(&self) -> ExitStatus {
        let mut status = status_of(self.verdict);
        if self.violated_audits().next().is_some() {
            status = status.worst(ExitStatus::NotLinearizable);
        }
        if self.report.has_internal_error() {
            status = status.worst(ExitStatus::Internal);
        }
        if self.live.broken_rule.is_some() {
            status = status.worst(ExitStatus::NotLinearizable);
        }
        if self.live.not_recovered.is_some() || self.live.harness_failed.is_some() {
            status = status.worst(ExitStatus::Failed);
        }
        if self.live.interrupted {
            status = status.worst(ExitStatus::Interrupted);
        }
        status
    }

    /// Iterates over the audits that found a violation.
    pub(crate) fn violated_audits(&self) -> impl Iterator<Item = &Audit> {
        self.audits.iter().filter(|audit| audit.is_violated())
    }

    /// Names what was violated, whatever the verdict on the history: audits, and rules of Raft.
    pub(crate) fn violated_names(&self) -> String {
        let rule = self.live.broken_rule.as_ref().map(|_| "a rule of Raft");
        self.violated_audits().map(|audit| audit.kind.name()).chain(rule).collect::<Vec<_>>().join(", ")
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
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) ok: usize,
    /// Operations of cas that found another value.
    #[serde(default)]
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

/// Moment at which the load was ended because a violation had been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoppedEarly {
    /// Time since the beginning of the history.
    pub(crate) after_ms: u64,
    /// Number of operations that had begun.
    pub(crate) operations: usize,
}

/// Latency of successful operations, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    #[serde(default)]
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
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RunStart {
    /// Time from the start of the first process to a leader that a majority follows.
    pub(crate) leader_after_ms: u64,
    /// Reading of the host's monotonic clock at time 0 of the history, ns; relates the nodes' logs to the history.
    pub(crate) origin_mono_ns: u64,
    /// Seconds from the Unix epoch to time 0 of the history, by the host's clock; none of simulated runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began_unix_s: Option<u64>,
}

impl RunStart {
    /// Returns the time at which the clients of a run in this folder started: as the name of the folder says if nothing
    /// else does.
    pub(crate) fn began(&self, folder: &Path) -> Option<String> {
        let by_name = || folder.file_name().and_then(|name| stamp_in_words(name.to_str()?));
        self.began_unix_s.map(time_in_words).or_else(by_name)
    }
}

/// Name of the file with these facts.
pub(crate) const START_FILE: &str = "begun.json";

/// Name of the file with the results.
pub(crate) const RESULTS_FILE: &str = "results.json";

/// Results of the live part of a run, needed to judge it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LiveResults {
    #[serde(flatten)]
    pub(crate) start: RunStart,
    /// Time in which clients were active; none for a run that was killed or is under way, whose load lasts as long as
    /// its operations.
    pub(crate) load: Option<Span>,
    /// True if the run was interrupted, or is not over.
    pub(crate) interrupted: bool,
    /// True if the run left no results, as it is under way or was killed: it is judged as far as it got.
    #[serde(skip)]
    pub(crate) is_unfinished: bool,
    /// Moment at which the load was ended because of a violation, if that was asked for and there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped_early: Option<StoppedEarly>,
    /// Error in injecting or healing faults, which says nothing about the system.
    #[serde(default)]
    pub(crate) harness_failed: Option<String>,
    /// Problems with the clients themselves, such as shims that ended, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_problems: Option<String>,
    /// Reason why the cluster did not recover after healing, if it did not.
    pub(crate) not_recovered: Option<String>,
    /// First rule of Raft that simulated nodes broke, if they did, whatever their clients saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broken_rule: Option<String>,
    /// Nodes that did not end in time when they were asked at the end of the run, and were killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) killed_at_end: Option<String>,
    /// Cost of the load, as counted by the nodes.
    #[serde(default)]
    pub(crate) cost: Cost,
    /// Availability of each node under load, by probes; empty for runs without probes.
    #[serde(default)]
    pub(crate) availability: Vec<NodeAvailability>,
    /// Times under load in which the host was too busy to let the harness go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) host_stalls: Vec<Span>,
    /// Comparison of the nodes' states; none if they do not tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) states: Option<StateComparison>,
    /// Host of the run in a few words, as figures depend on it; none if the run was simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::{Latency, LiveResults, Results};

    /// Results as a schism wrote them that knew of no schema version, probes, or leaders that step down.
    const OLD: &str = r#"{
        "verdict": "not-linearizable", "weak": false, "interrupted": false, "not_recovered": null,
        "counts": {"ok": 5, "fail": 1, "info": 2},
        "reads": {"p50_ms": 0.5, "p99_ms": 1.5}, "writes": {"p50_ms": 1.0, "p99_ms": 2.0},
        "leader_after_ms": 400, "origin_mono_ns": 7, "load": {"from_ns": 1, "until_ns": 9},
        "cost": {"messages": 3, "fsyncs": 2}, "missed_heartbeats": [{"node": 2, "time_ns": 8}],
        "coverage": {"leader_changes": 1, "deposed": {"times": 1, "reachable_ms": 2, "reads_asked": 3,
            "reads_answered": 4, "writes_elsewhere": 5}, "faults": [{"fault": "kill n1", "from_ns": 1, "until_ns": 2,
            "ok": 1, "fail": 0, "info": 0}], "writes": 6, "longest_gap_ms": 7, "weak": ["nothing was written"]},
        "report": {"verdict": "not-linearizable", "why": null, "operations": 8, "answered": 5, "unanswered": 2,
            "weak": null, "keys": [{"key": "k3", "verdict": "not-linearizable", "why": null, "method": "zones",
            "operations": 8, "answered": 5, "unanswered": 2, "weak": null, "evidence": {"operations": [1, 2],
            "claim": "stale", "reasons": ["so"], "staleness": {"behind_ns": 62, "writes": 1}}},
            {"key": "k4", "verdict": "unknown", "why": {"reason": "initial", "allowed": "null"}, "method": "none",
            "operations": 0, "answered": 0, "unanswered": 0, "weak": "nothing-read", "evidence": null}]},
        "ladder": {"rungs": [{"model": "regular", "standing": {"is": "fails", "witness": {"operations": [1],
            "key": "k3", "claim": "old"}, "keys": 1}}], "keys": 1, "sessions": 2},
        "staleness": null, "context": ["n1 led term 2."],
        "reigns": [{"node": 1, "term": 2, "from_ns": 0, "until_ns": 9}]
    }"#;

    #[test]
    fn results_without_a_schema_version_are_read() {
        let old: Results = serde_json::from_str(OLD).unwrap();
        assert_eq!((old.status().code(), old.stalest_ns(), old.coverage.retired.times), (1, Some(62), 0));
        assert_eq!(old.audits, []);
        let live: LiveResults = serde_json::from_str(OLD).unwrap();
        assert_eq!((live.start.origin_mono_ns, live.cost.fsyncs, live.availability.len()), (7, 2, 0));
    }

    #[test]
    fn results_are_read_back_as_written() {
        let results: Results = serde_json::from_str(OLD).unwrap();
        let written = serde_json::to_value(&results).unwrap();
        let again: Results = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), written);
        let old: serde_json::Value = serde_json::from_str(OLD).unwrap();
        let missing: Vec<_> = old.as_object().unwrap().keys().filter(|name| written.get(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_violated_audit_has_the_exit_code_of_a_violation() {
        let holds = OLD.replace("\"not-linearizable\"", "\"linearizable\"");
        let with =
            |audit: &str| holds.replacen('{', &format!("{{\"audits\": [{{\"audit\": \"leaders\", {audit}}}], "), 1);
        for (audit, code) in [
            (r#""verdict": "violated", "evidence": ["Term 2 was led by two"]"#, 1),
            (r#""verdict": "holds", "looked_at": "2 terms""#, 0),
            (r#""verdict": "not-checked", "why": "no log says who led""#, 0),
        ] {
            let results: Results = serde_json::from_str(&with(audit)).unwrap();
            assert_eq!(results.status().code(), code, "{audit}");
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let ms = |n: u64| n * 1_000_000;
        let all = Latency::from_ns((1..=200).rev().map(ms).collect());
        assert_eq!(all, Latency { p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        assert_eq!(Latency::from_ns(vec![ms(7)]), Latency { p50_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 });
        assert_eq!(Latency::from_ns(Vec::new()), Latency::default());
    }
}
