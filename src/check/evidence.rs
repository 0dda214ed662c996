//! Evidence of a violation: the keys that have it, and the choice of what to show.

use checker::{Evidence, Hierarchy, KeyReport, Options, Prefix, Report, Verdict, Witness, longest_prefix};
use histories::{History, Outcome, Times, Value};

/// Returns the evidence that is easiest to understand: the most outdated read, or else the first evidence there is.
pub(crate) fn clearest<'a>(violated: &[&'a KeyReport]) -> Option<(&'a KeyReport, &'a Evidence)> {
    let with_evidence = violated.iter().filter_map(|key| key.evidence.as_ref().map(|evidence| (*key, evidence)));
    with_evidence.rev().max_by_key(|(_, evidence)| evidence.staleness.map(|staleness| staleness.behind_ns))
}

/// Returns the violated keys that have evidence, with it: the clearest first, the others in the order of the report.
pub(crate) fn clearest_first(report: &Report) -> Vec<(&KeyReport, &Evidence)> {
    let violated = keys_with(report, Verdict::NotLinearizable);
    let first = clearest(&violated);
    let others = violated.into_iter().filter(|key| first.is_none_or(|(first, _)| first.key != key.key));
    first.into_iter().chain(others.filter_map(|key| Some((key, key.evidence.as_ref()?)))).collect()
}

/// Computes how far the operations of the evidence can be ordered: by themselves if they stand alone and there is
/// memory for a copy of the history, else among all operations of their key.
pub(crate) fn prefix(history: &History, options: &Options<'_>, key: &Value, evidence: &Evidence) -> Option<Prefix> {
    const COPY_BYTES: usize = size_of::<histories::Operation>() + size_of::<Times>() + size_of::<Value>();
    if evidence.besides.is_some() || !options.limits.memory.has_room(history.operations.len() * COPY_BYTES) {
        return longest_prefix(history, options, key);
    }
    let mut alone = history.clone();
    for (index, operation) in alone.operations.iter_mut().enumerate() {
        if evidence.operations.binary_search(&index).is_err() {
            operation.outcome = Outcome::Fail;
        }
    }
    longest_prefix(&alone, options, key)
}

/// Linearization of a key, with the state that each operation leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundOrder {
    /// Indexes of the operations.
    pub(crate) operations: Vec<u32>,
    /// States in words, one for each operation; none if they are not known.
    pub(crate) states: Vec<String>,
}

/// Returns the linearizations of a report whose orders were kept, with their states as far as time and memory suffice.
pub(crate) fn found_orders(history: &History, options: &Options<'_>, report: &Report) -> Vec<FoundOrder> {
    let orders: Vec<&[u32]> = report.keys.iter().filter_map(|key| key.order.as_deref()).collect();
    let states = checker::states(history, options, &orders);
    let found = |(order, states): (&[u32], Option<Vec<String>>)| FoundOrder {
        operations: order.to_vec(),
        states: states.unwrap_or_default(),
    };
    orders.into_iter().zip(states).map(found).collect()
}

/// Makes the hierarchy agree with the report on linearizability, with the same evidence.
pub(crate) fn align(hierarchy: &mut Hierarchy, report: &Report) {
    let violated = keys_with(report, Verdict::NotLinearizable);
    if let Some((key, Evidence { operations, claim, .. })) = clearest(&violated) {
        let key = Some(key.key.clone()).filter(|key| *key != Value::Nil);
        hierarchy.refute(Witness { operations: operations.clone(), key, claim: claim.clone() }, violated.len());
    }
}

/// Returns the keys with this verdict.
pub(crate) fn keys_with(report: &Report, verdict: Verdict) -> Vec<&KeyReport> {
    report.keys.iter().filter(|key| key.verdict == verdict).collect()
}
