//! Hunts for planted defects: for each, campaigns under the faults that should show it, under faults that know nothing
//! of it, and of the sound system under the same load, each in a folder of its own; and what they found.

use std::collections::BTreeMap;

use checker::Share;
use serde::Serialize;

use super::{
    record::{Category, Record},
    summary::Summary,
};
use crate::{
    run::{AuditKind, ENDED_BY_ITSELF},
    store::SchemaVersion,
};

/// Result of a hunt, as stored in `hunt.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Hunt {
    pub(crate) schema_version: SchemaVersion,
    pub(crate) version: String,
    /// The sound system under faults that know nothing of any defect.
    pub(crate) sound: Option<Catch>,
    /// Defects that were hunted so far, survivors too.
    pub(crate) defects: Vec<HuntedDefect>,
}

/// Results on one defect.
#[derive(Debug, Serialize)]
pub(crate) struct HuntedDefect {
    pub(crate) name: String,
    /// Kind of sign by which it should show.
    pub(crate) sign: String,
    /// Options of `schism run` under which it should show.
    pub(crate) options: String,
    /// Reason why none of these shows it, where that is known; empty if one does.
    pub(crate) survives: String,
    /// Under these options.
    pub(crate) fitting: Option<Catch>,
    /// Under faults that know nothing of the defect.
    pub(crate) blind: Option<Catch>,
    /// The sound system under these options.
    pub(crate) sound: Option<Catch>,
}

/// Findings of the runs of one campaign.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Catch {
    /// Share of the runs that came to an end with any sign of a defect.
    pub(crate) caught: Share,
    /// Number of runs that came to an end.
    pub(crate) runs: usize,
    /// Numbers of runs by their signs: a verdict, a cluster that did not recover, a node that ended by itself.
    pub(crate) violations: usize,
    /// Numbers of runs in which an audit found a violation.
    pub(crate) audits: BTreeMap<AuditKind, usize>,
    pub(crate) unavailable: usize,
    pub(crate) ended: usize,
    /// Number of runs that failed by themselves, which say nothing.
    pub(crate) failed: usize,
    /// Medians over the violations, of the time and the number of operations until the first of a run was complete.
    pub(crate) time_ms: Option<u64>,
    pub(crate) operations: Option<usize>,
}

impl Catch {
    pub(crate) fn of(summary: &Summary) -> Self {
        let count = |is: &dyn Fn(&Record) -> bool| summary.runs.iter().filter(|run| is(run)).count();
        let has_ended = |run: &Record| run.why.as_ref().is_some_and(|why| why.contains(ENDED_BY_ITSELF));
        let violations = count(&|run| run.category == Category::Violation);
        let ended = count(&|run| run.category == Category::RecoveryFailure && has_ended(run));
        let unavailable = count(&|run| run.category == Category::RecoveryFailure && !has_ended(run));
        let failed = count(&|run| run.category == Category::HarnessFailure);
        let runs = summary.runs.len() - failed;
        let mut audits = BTreeMap::new();
        for (kind, is_violated) in summary.runs.iter().filter_map(|run| run.facts.as_ref()).flat_map(|it| &it.audits) {
            *audits.entry(*kind).or_default() += usize::from(*is_violated);
        }
        audits.retain(|_, violated| *violated > 0);
        let signs: Vec<_> = summary.runs.iter().filter_map(|run| run.facts.as_ref()?.first_sign).collect();
        Self {
            caught: Share::new(violations + ended + unavailable, runs),
            runs,
            violations,
            audits,
            unavailable,
            ended,
            failed,
            time_ms: median(signs.iter().map(|sign| sign.time_ms).collect()),
            operations: median(signs.iter().map(|sign| sign.operations).collect()),
        }
    }

    /// Returns true if more than half of the runs found something.
    pub(crate) fn is_usual(&self) -> bool {
        2 * self.caught.count > self.runs
    }

    /// Describes the findings in a few words: how many runs, the interval of their share, and by what.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self { caught: Share { count, low, high, .. }, runs, .. } = self;
        let mut words = vec![format!("{count} of {runs}"), format!("{:.0} to {:.0} %", low * 100.0, high * 100.0)];
        let signs = [
            (self.violations, "by verdict"),
            (self.unavailable, "not recovered"),
            (self.ended, "node ended by itself"),
        ];
        words.extend(signs.iter().filter(|(count, _)| *count > 0).map(|(count, sign)| format!("{count} {sign}")));
        words.extend(self.audits.iter().map(|(kind, count)| format!("{count} by {}", kind.name())));
        words.extend((self.failed > 0).then(|| format!("{} not run", self.failed)));
        words
    }
}

/// Returns the lower median; none of nothing.
pub(super) fn median<T: Ord + Copy>(mut of: Vec<T>) -> Option<T> {
    of.sort_unstable();
    of.get(of.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{Catch, median};
    use crate::campaign::{
        record::{Category, Record},
        summary::tests::{made_up, made_up_facts},
    };
    use crate::run::AuditKind;

    #[test]
    fn signs_are_told_apart_and_failures_of_the_harness_are_none() {
        let mut summary = made_up(|place| {
            Some(match place {
                0 | 1 => Category::Violation,
                2 | 3 => Category::RecoveryFailure,
                4 => Category::HarnessFailure,
                _ => Category::NoViolation,
            })
        });
        let recovery = |run: &&mut Record| run.category == Category::RecoveryFailure;
        summary.runs.iter_mut().find(recovery).unwrap().why = Some("n2 ended by itself (exit 101)".to_owned());
        summary.runs[0].facts = Some(made_up_facts(&[(AuditKind::ReplicaStates, true), (AuditKind::Leaders, false)]));
        let Catch { caught, runs, violations, unavailable, ended, failed, .. } = Catch::of(&summary);
        assert_eq!((caught.count, runs, violations, unavailable, ended, failed), (4, 89, 2, 1, 1, 1));
        let words = Catch::of(&summary).words().join("; ");
        assert_eq!(
            words,
            "4 of 89; 2 to 11 %; 2 by verdict; 1 not recovered; 1 node ended by itself; \
            1 by replica states; 1 not run"
        );
    }

    #[test]
    fn the_median_is_one_of_the_numbers() {
        assert_eq!((median(vec![3, 1, 2]), median(vec![4, 1]), median::<u64>(vec![])), (Some(2), Some(1), None));
    }
}
