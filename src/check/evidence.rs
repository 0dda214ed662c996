//! Evidence of a violation: the keys that have it, and the choice of what to show.

use checker::{Evidence, Hierarchy, KeyReport, Report, Verdict, Witness};
use histories::Value;

/// Returns the evidence that is easiest to understand: the most outdated read, or else the first evidence there is.
pub(crate) fn clearest<'a>(violated: &[&'a KeyReport]) -> Option<(&'a KeyReport, &'a Evidence)> {
    let with_evidence = violated.iter().filter_map(|key| key.evidence.as_ref().map(|evidence| (*key, evidence)));
    with_evidence.rev().max_by_key(|(_, evidence)| evidence.staleness.map(|staleness| staleness.behind_ns))
}

/// Makes the ladder agree with the report on linearizability, with the same evidence.
pub(crate) fn align(ladder: &mut Hierarchy, report: &Report) {
    let violated = keys_with(report, Verdict::NotLinearizable);
    if let Some((key, Evidence { operations, claim, .. })) = clearest(&violated) {
        let key = Some(key.key.clone()).filter(|key| *key != Value::Nil);
        ladder.refute(Witness { operations: operations.clone(), key, claim: claim.clone() }, violated.len());
    }
}

/// Returns the keys with this verdict.
pub(crate) fn keys_with(report: &Report, verdict: Verdict) -> Vec<&KeyReport> {
    report.keys.iter().filter(|key| key.verdict == verdict).collect()
}
