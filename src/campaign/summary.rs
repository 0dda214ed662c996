//! The summary of a campaign: the runs counted by cell, and compared with theory.

use std::collections::{BTreeMap, HashMap};

use checker::Share;
use serde::{Deserialize, Serialize};

use super::{
    plan::{CampaignPlan, Cell, RunPlan, Shard},
    record::{Category, Record},
};
use crate::{error::ExitStatus, run::AuditKind, store::SchemaVersion, systems::Expectation};

/// Summary of a campaign, as stored in `campaign.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Version of schism that wrote the summary.
    #[serde(default = "SchemaVersion::unversioned")]
    pub(crate) schema_version: SchemaVersion,
    pub(crate) version: String,
    pub(crate) plan: CampaignPlan,
    /// The part of the plan summarized, if not all of it.
    pub(crate) shard: Option<Shard>,
    /// Number of runs planned in this part.
    pub(crate) planned: usize,
    /// Number of runs that are over.
    pub(crate) finished: usize,
    pub(crate) cells: Vec<CellSummary>,
    /// Records of the runs, in the order of the plan.
    pub(crate) runs: Vec<Record>,
}

/// Summary of a cell's runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CellSummary {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) expected: Expectation,
    /// True if the runs agree with theory: no violation if the mode must hold, at least one if it must fail, unless
    /// all runs were weak, and no audit violated that no read mode explains. None until a run has a verdict, weak or
    /// not.
    pub(crate) as_expected: Option<bool>,
    /// Share of runs with a violation among those that had one or could have found one.
    pub(crate) violations: Share,
    /// Number of runs that the share is taken of.
    pub(crate) of: usize,
    pub(crate) weak: usize,
    pub(crate) unknown: usize,
    pub(crate) recovery_failures: usize,
    pub(crate) harness_failures: usize,
    /// Audits of the runs that made them.
    #[serde(default)]
    pub(crate) audits: BTreeMap<AuditKind, AuditCount>,
    /// Identifier of the run with the smallest counterexample.
    pub(crate) shortest: Option<String>,
}

/// Number of runs in which an audit was made, and found a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuditCount {
    pub(crate) made: usize,
    pub(crate) violated: usize,
}

impl AuditCount {
    /// Describes the counts in the words of a cell; says nothing of an audit that was not made.
    pub(crate) fn words(self) -> String {
        if self.made > 0 { format!("{} of {} fail", self.violated, self.made) } else { String::new() }
    }
}

impl Summary {
    pub(crate) fn new(plan: &CampaignPlan, shard: Option<Shard>, mut runs: Vec<Record>) -> Self {
        let in_order: HashMap<String, usize> = plan.runs().iter().map(RunPlan::id).zip(0..).collect();
        let belongs = |place: usize| shard.is_none_or(|shard| shard.has(place));
        let planned = (0..in_order.len()).filter(|&place| belongs(place)).count();
        runs.sort_by_key(|run| in_order.get(&run.id).copied());
        let cells = plan.cells().into_iter().map(|cell| CellSummary::new(cell, plan, &runs)).collect();
        let (plan, finished) = (plan.clone(), runs.len());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema_version: SchemaVersion::default(), version, plan, shard, planned, finished, cells, runs }
    }

    /// Returns the exit status of the worst run.
    pub(crate) fn status(&self) -> ExitStatus {
        let of_runs = self.runs.iter().map(|run| run.category.status());
        of_runs.fold(ExitStatus::Linearizable, ExitStatus::worst)
    }

    /// Returns the cells that contradict theory.
    pub(crate) fn surprises(&self) -> impl Iterator<Item = &CellSummary> {
        self.cells.iter().filter(|cell| cell.as_expected == Some(false))
    }

    /// Returns the names of rows and of columns, in the order of the plan.
    pub(crate) fn axes(&self) -> (Vec<String>, Vec<String>) {
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        for CellSummary { cell, .. } in &self.cells {
            for (names, name) in [(&mut rows, cell.row(&self.plan)), (&mut columns, cell.column(&self.plan))] {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        (rows, columns)
    }

    pub(crate) fn cell(&self, row: &str, column: &str) -> Option<&CellSummary> {
        let at = |cell: &Cell| cell.row(&self.plan) == row && cell.column(&self.plan) == column;
        self.cells.iter().find(|summary| at(&summary.cell))
    }

    /// Returns the audits that some run made, each with its counts by column, over all rows.
    pub(crate) fn audits(&self, columns: &[String]) -> BTreeMap<AuditKind, Vec<AuditCount>> {
        let mut rows: BTreeMap<AuditKind, Vec<AuditCount>> = BTreeMap::new();
        for CellSummary { cell, audits, .. } in &self.cells {
            let column = cell.column(&self.plan);
            let Some(place) = columns.iter().position(|name| *name == column) else { continue };
            for (kind, count) in audits {
                let sum = &mut rows.entry(*kind).or_insert_with(|| vec![AuditCount::default(); columns.len()])[place];
                sum.made += count.made;
                sum.violated += count.violated;
            }
        }
        rows
    }

    /// Returns the number of runs in a category.
    pub(crate) fn count(&self, category: Category) -> usize {
        self.runs.iter().filter(|run| run.category == category).count()
    }

    pub(crate) fn run(&self, id: &str) -> Option<&Record> {
        self.runs.iter().find(|run| run.id == id)
    }
}

impl CellSummary {
    fn new(cell: Cell, plan: &CampaignPlan, runs: &[Record]) -> Self {
        let of_cell: Vec<&Record> = runs.iter().filter(|run| run.cell == cell).collect();
        let count = |category| of_cell.iter().filter(|run| run.category == category).count();
        let (violations, held) = (count(Category::Violation), count(Category::NoViolation));
        let of = violations + held;
        let weak = count(Category::Weak);
        let expected = cell.expected(plan);
        let audits = audits_of(&of_cell);
        // A read mode may explain revisions that fall; nothing but a defect explains the others.
        let explained = |(kind, count): (&AuditKind, &AuditCount)| *kind == AuditKind::Revisions || count.violated == 0;
        let is_explained = plan.defect().is_some() || audits.iter().all(explained);
        let as_expected = (of + weak > 0).then_some(match expected {
            Expectation::Holds => violations == 0,
            Expectation::MayFail => is_explained,
            Expectation::Fails => is_explained && (violations > 0 || of == 0),
        });
        let size = |run: &&&Record| run.facts.as_ref().and_then(|facts| facts.evidence_operations);
        let failed = of_cell.iter().filter(|run| run.category == Category::Violation);
        let shortest = failed.min_by_key(|run| (size(run).unwrap_or(usize::MAX), run.seed)).map(|run| run.id.clone());
        Self {
            expected,
            as_expected,
            violations: Share::new(violations, of),
            of,
            weak,
            unknown: count(Category::Unknown),
            recovery_failures: count(Category::RecoveryFailure),
            harness_failures: count(Category::HarnessFailure),
            audits,
            shortest,
            cell,
        }
    }

    /// Describes the cell in a few words: failures, their interval, and the runs without a verdict.
    pub(crate) fn words(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.0}", share * 100.0);
        let mut words = Vec::new();
        if self.of > 0 {
            let Share { count, low, high, .. } = self.violations;
            words.push(format!("{count} of {} fail", self.of));
            words.push(format!("{} to {} %", percent(low), percent(high)));
        }
        let apart = [
            (self.weak, "weak"),
            (self.unknown, "unknown"),
            (self.recovery_failures, "not recovered"),
            (self.harness_failures, "not run"),
        ];
        words.extend(apart.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")));
        words
    }
}

fn audits_of(runs: &[&Record]) -> BTreeMap<AuditKind, AuditCount> {
    let mut audits: BTreeMap<AuditKind, AuditCount> = BTreeMap::new();
    for (kind, is_violated) in runs.iter().filter_map(|run| run.facts.as_ref()).flat_map(|facts| &facts.audits) {
        let count = audits.entry(*kind).or_default();
        count.made += 1;
        count.violated += usize::from(*is_violated);
    }
    audits
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{AuditCount, CampaignPlan, Category, Record, Summary};
    use crate::{
        campaign::{
            plan::parse_mixes,
            record::{RunCircumstances, RunFacts},
        },
        run::AuditKind,
    };

    /// Makes up the facts of a run that made these audits; true for those that found a violation.
    pub(crate) fn made_up_facts(audits: &[(AuditKind, bool)]) -> RunFacts {
        let old = r#"{"operations": 9, "ok": 9, "fail": 0, "info": 0, "read_p50_ms": 1, "read_p99_ms": 1,
            "write_p50_ms": 1, "write_p99_ms": 1, "longest_gap_ms": 1}"#;
        RunFacts { audits: audits.iter().copied().collect(), ..serde_json::from_str(old).unwrap() }
    }

    /// Makes up a campaign with the given category for each run.
    pub(crate) fn made_up(category: impl Fn(usize) -> Option<Category>) -> Summary {
        let faults = parse_mixes("none,kill,pause,partition,clock,all").unwrap();
        let plan = CampaignPlan { faults, skips_idle_cells: false, ..CampaignPlan::default() };
        let runs = plan.runs().into_iter().enumerate().filter_map(|(place, run)| {
            let how = RunCircumstances {
                attempts: 1,
                command: format!("schism run --seed {}", run.seed),
                ..RunCircumstances::default()
            };
            let record =
                Record::of_failed(&run, "it \u{1b}[31m\u{0} <b>broke</b> & | \"quoted\"]]>\nhere".to_owned(), how);
            Some(Record { category: category(place)?, ..record })
        });
        Summary::new(&plan, None, runs.collect())
    }

    #[test]
    fn cells_keep_apart_what_is_not_a_verdict() {
        let summary = made_up(|place| {
            Some(match place {
                0 => Category::Violation,
                30 => Category::Weak,
                60 => Category::HarnessFailure,
                _ => Category::NoViolation,
            })
        });
        let cell = summary.cell("local", "none").unwrap();
        assert_eq!((cell.violations.count, cell.of, cell.weak, cell.harness_failures), (1, 1, 1, 1));
        assert_eq!(cell.words(), ["1 of 1 fail", "21 to 100 %", "1 weak", "1 not run"]);
        assert_eq!(cell.as_expected, Some(true));
        let other = summary.cell("local", "kill").unwrap();
        assert_eq!(
            (other.words(), other.as_expected),
            (vec!["0 of 3 fail".to_owned(), "0 to 56 %".to_owned()], Some(false))
        );
        assert_eq!(summary.status().code(), 1);
    }

    #[test]
    fn audits_have_rows_of_their_own_and_what_no_read_mode_explains_is_no_surprise_less() {
        let mut summary = made_up(|place| Some(if place < 6 { Category::Violation } else { Category::NoViolation }));
        for run in &mut summary.runs {
            let is_first = run.cell.read.name() == "local" && run.seed == 1;
            let kind = if run.cell.faults.to_string() == "none" { AuditKind::Revisions } else { AuditKind::Leaders };
            run.facts = Some(made_up_facts(&[(kind, is_first)]));
        }
        let summary = Summary::new(&summary.plan, None, summary.runs);
        let (_, columns) = summary.axes();
        let audits = summary.audits(&columns);
        let count = |made, violated| AuditCount { made, violated };
        assert_eq!(audits[&AuditKind::Revisions][..2], [count(15, 1), count(0, 0)]);
        assert_eq!(audits[&AuditKind::Leaders][..2], [count(0, 0), count(15, 1)]);
        assert_eq!(audits[&AuditKind::Leaders][1].words(), "1 of 15 fail");
        let as_expected = |faults: &str| summary.cell("local", faults).unwrap().as_expected;
        assert_eq!((as_expected("none"), as_expected("kill")), (Some(true), Some(false)));
    }

    #[test]
    fn the_worst_run_decides_and_no_run_is_no_surprise() {
        assert_eq!(made_up(|_| None).status().code(), 0);
        assert_eq!(made_up(|_| None).surprises().count(), 0);
        assert_eq!(made_up(|place| (place < 4).then_some(Category::Unknown)).status().code(), 2);
        let mixed = |place| Some(if place == 7 { Category::RecoveryFailure } else { Category::Unknown });
        assert_eq!(made_up(mixed).status().code(), 3);
    }
}
