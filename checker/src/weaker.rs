//! Hierarchy of consistency models and staleness of a history of registers in one pass: each key is prepared once.

use histories::History;

use crate::{
    Hierarchy, Options, StalenessReport,
    consistency::Evaluation,
    registers::{each_key, split},
    staleness::Measure,
};

/// Computes what [`crate::consistency`] and [`crate::staleness`] return, in little more time than one of them takes.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn weaker_models(history: &History, options: &Options<'_>) -> (Hierarchy, StalenessReport) {
    let keys = split(history, options);
    let (mut evaluation, mut measure) = (Evaluation::new(history, options), Measure::new(history));
    let done = each_key(history, options, &keys, |name, key, budget| {
        measure.key(key.as_ref().map_err(|&why| why), budget)?;
        evaluation.key(name, key, budget)
    });
    (evaluation.hierarchy(&keys, done), measure.report(options, &keys, done))
}
