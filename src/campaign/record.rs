//! The record of one run of a campaign: a small file beside the run's own, computed from them.

use std::collections::BTreeMap;

use checker::Verdict;
use serde::{Deserialize, Serialize};

use super::plan::{Cell, RunPlan};
use crate::{
    error::ExitStatus,
    run::{AuditKind, Finding, FirstSign, RESULTS_FILE, Results},
    store::{ConfinedFolder, SchemaVersion, read_json},
    terminal::words::{counted, grouped},
};

/// Classification of a run. A violation takes precedence over any later failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Category {
    NoViolation,
    /// Run without a violation that could not have caught one.
    Weak,
    /// The checker ran out of its limits.
    Unknown,
    /// The cluster did not recover within a limit after healing.
    RecoveryFailure,
    /// The run itself failed; it says nothing about the system.
    HarnessFailure,
    Violation,
}

impl Category {
    pub(crate) const ALL: [Self; 6] =
        [Self::Violation, Self::NoViolation, Self::Weak, Self::Unknown, Self::RecoveryFailure, Self::HarnessFailure];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::NoViolation => "no violation",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
            Self::RecoveryFailure => "recovery failure",
            Self::HarnessFailure => "harness failure",
        }
    }

    /// Formats a number of runs of this category: "2 violations", "3 weak".
    pub(crate) fn counted(self, runs: usize) -> String {
        match self {
            Self::Violation | Self::RecoveryFailure | Self::HarnessFailure => counted(runs, self.name()),
            Self::NoViolation | Self::Weak | Self::Unknown => format!("{} {}", grouped(runs), self.name()),
        }
    }

    /// Returns one character that stands for the category.
    pub(crate) const fn sign(self) -> char {
        match self {
            Self::Violation => '✗',
            Self::NoViolation => '✓',
            Self::Weak => 'w',
            Self::Unknown => '?',
            Self::RecoveryFailure => 'r',
            Self::HarnessFailure => '!',
        }
    }

    pub(crate) const fn status(self) -> ExitStatus {
        match self {
            Self::Violation => ExitStatus::NotLinearizable,
            Self::NoViolation | Self::Weak => ExitStatus::Linearizable,
            Self::Unknown => ExitStatus::Unknown,
            Self::RecoveryFailure | Self::HarnessFailure => ExitStatus::Failed,
        }
    }
}

/// Record of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    /// Identifier made of cell and seed; also the folder below `runs/`.
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) seed: u64,
    pub(crate) category: Category,
    /// Reason that the category alone does not give: the failure, or what a weak run lacked.
    pub(crate) why: Option<String>,
    /// Number of times that the run was started.
    pub(crate) attempts: u32,
    /// True if no other run was under way at the same time.
    pub(crate) alone: bool,
    /// Number of times that a node missed heartbeats while no fault was in force.
    pub(crate) missed_heartbeats: usize,
    /// Duration of the whole run, not only of its load.
    pub(crate) took_ms: u64,
    pub(crate) facts: Option<RunFacts>,
    /// Command that repeats the run.
    pub(crate) command: String,
}

/// Figures of a run that came to a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    pub(crate) operations: usize,
    pub(crate) ok: usize,
    pub(crate) fail: usize,
    pub(crate) info: usize,
    /// Number of operations in the smallest counterexample.
    pub(crate) evidence_operations: Option<usize>,
    /// The violation in a sentence.
    pub(crate) violation: Option<String>,
    pub(crate) stale_reads: Option<usize>,
    pub(crate) stalest_ms: Option<f64>,
    pub(crate) read_p50_ms: f64,
    pub(crate) read_p99_ms: f64,
    pub(crate) write_p50_ms: f64,
    pub(crate) write_p99_ms: f64,
    pub(crate) longest_gap_ms: u64,
    /// Moment at which the first violation that was found was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_sign: Option<FirstSign>,
    /// Audits that were made; true for those that found a violation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) audits: BTreeMap<AuditKind, bool>,
}

/// Name of the file in a run's folder that marks the run as over.
pub(crate) const RECORD_FILE: &str = "record.json";

/// Circumstances under which a run was carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunCircumstances {
    pub(crate) attempts: u32,
    pub(crate) alone: bool,
    pub(crate) took_ms: u64,
    pub(crate) command: String,
}

impl Record {
    /// Builds the record of a run from `results.json` in `folder`; none if there is no such file, or the run was
    /// interrupted.
    ///
    /// # Errors
    /// Fails if the file exists, but cannot be read.
    pub(crate) fn of_finished(
        folder: &ConfinedFolder,
        run: &RunPlan,
        how: RunCircumstances,
    ) -> anyhow::Result<Option<Self>> {
        let Some(results) = read_json::<Results>(folder, RESULTS_FILE)? else { return Ok(None) };
        if results.live.interrupted {
            return Ok(None);
        }
        let category = match results.verdict {
            Verdict::NotLinearizable => Category::Violation,
            _ if results.violated_audits().next().is_some() => Category::Violation,
            _ if results.live.broken_rule.is_some() => Category::Violation,
            _ if results.live.harness_failed.is_some() => Category::HarnessFailure,
            _ if results.live.not_recovered.is_some() => Category::RecoveryFailure,
            Verdict::Unknown => Category::Unknown,
            _ if results.weak => Category::Weak,
            Verdict::Linearizable => Category::NoViolation,
        };
        let weak = (category == Category::Weak).then(|| results.coverage.weak.join("; "));
        let why = results.live.harness_failed.clone().or_else(|| results.live.not_recovered.clone()).or(weak);
        let missed_heartbeats = results.missed_heartbeats.len();
        Ok(Some(Self::new(run, category, why, how, missed_heartbeats, Some(RunFacts::of(results)))))
    }

    /// Builds the record of a run that failed by itself.
    pub(crate) fn of_failed(run: &RunPlan, why: String, how: RunCircumstances) -> Self {
        Self::new(run, Category::HarnessFailure, Some(why), how, 0, None)
    }

    fn new(
        run: &RunPlan,
        category: Category,
        why: Option<String>,
        how: RunCircumstances,
        missed_heartbeats: usize,
        facts: Option<RunFacts>,
    ) -> Self {
        let RunCircumstances { attempts, alone, took_ms, command } = how;
        let (id, cell, seed) = (run.id(), run.cell.clone(), run.seed);
        let schema_version = SchemaVersion::default();
        Self {
            schema_version,
            id,
            cell,
            seed,
            category,
            why,
            attempts,
            alone,
            missed_heartbeats,
            took_ms,
            facts,
            command,
        }
    }

    /// Returns true if this is the record of the given run.
    pub(crate) fn is_of(&self, run: &RunPlan) -> bool {
        self.id == run.id() && self.cell == run.cell && self.seed == run.seed
    }

    /// Describes the outcome in a sentence.
    pub(crate) fn told(&self) -> String {
        let violation = self.facts.as_ref().and_then(|facts| facts.violation.clone());
        violation.or_else(|| self.why.clone()).unwrap_or_else(|| self.category.name().to_owned())
    }

    /// Returns true if the run should be repeated alone: it starved, and found no violation, which would count all the
    /// same.
    pub(crate) fn starved(&self) -> bool {
        !self.alone && self.missed_heartbeats > 0 && self.category != Category::Violation
    }
}

impl RunFacts {
    fn of(results: Results) -> Self {
        let evidence = results.report.keys.iter().filter_map(|key| key.evidence.as_ref());
        let shortest = evidence.min_by_key(|evidence| evidence.operations.len());
        let said = results.violated_audits().flat_map(|audit| audit.finding.evidence()).next().cloned();
        let made = results.audits.iter().filter(|audit| !matches!(audit.finding, Finding::NotChecked { .. }));
        let audits = made.map(|audit| (audit.kind, audit.is_violated())).collect();
        let stale = results.staleness.map(|staleness| staleness.reads);
        let stalest = stale.as_ref().and_then(|reads| reads.behind_ns).map(|behind| behind.max);
        Self {
            operations: results.report.operations,
            ok: results.counts.ok,
            fail: results.counts.fail,
            info: results.counts.info,
            evidence_operations: shortest.map(|evidence| evidence.operations.len()),
            violation: shortest.map(|evidence| evidence.claim.clone()).or(said),
            stale_reads: stale.as_ref().map(|reads| reads.stale.count),
            stalest_ms: stalest.map(|behind_ns| std::time::Duration::from_nanos(behind_ns).as_secs_f64() * 1e3),
            read_p50_ms: results.reads.p50_ms,
            read_p99_ms: results.reads.p99_ms,
            write_p50_ms: results.writes.p50_ms,
            write_p99_ms: results.writes.p99_ms,
            longest_gap_ms: results.coverage.longest_gap_ms,
            first_sign: results.first_sign,
            audits,
        }
    }
}
