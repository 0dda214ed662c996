//! What is said of a history of registers beside its verdict, from keys that are prepared once for all of it.

use histories::{History, Value};

use crate::{
    Ladder, Model, Options, StalenessReport,
    consistency::Climb,
    patience::{OutOfTime, Patience},
    prepare::{Keys, Prepared, Preparer},
    staleness::Measure,
    zones::{Placed, place},
};

/// Why a key is not on the ladder, and not measured.
const REPEATS: &str = "values repeat";
const UNKNOWN_FUNCTION: &str = "the model has no such function";
pub(crate) const NO_TIME: &str = "time ran out";

/// As [`crate::consistency`] and [`crate::staleness`], in little more time than one of them.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn instead(history: &History, options: &Options<'_>) -> (Ladder, StalenessReport) {
    let keys = Keys::split(history);
    let (mut climb, mut measure) = (Climb::new(history, options), Measure::new(history));
    let done = each_key(history, options, &keys, |name, key, patience| {
        measure.key(key.as_ref().map_err(|&why| why), patience)?;
        climb.key(name, key, patience)
    });
    (climb.ladder(&keys, done), measure.report(options, &keys))
}

/// Whether there is something to say.
pub(crate) fn are_registers(options: &Options<'_>) -> bool {
    matches!(options.model, Model::Register | Model::KeyValue)
}

/// Takes the keys of registers one after the other, each with its name: its steps and its values, if these are all different, or
/// why not.
pub(crate) fn each_key(
    history: &History,
    options: &Options<'_>,
    keys: &Keys,
    mut take: impl FnMut(&Value, Result<(Prepared, Placed), &'static str>, &Patience<'_>) -> Result<(), OutOfTime>,
) -> Result<(), OutOfTime> {
    let patience = Patience::new(&options.limits);
    let mut preparer = Preparer::new(history, options.model, &options.initial);
    let numbers = if are_registers(options) { 0..keys.len() } else { 0..0 };
    for number in numbers {
        patience.steps(keys.operations(number).len())?;
        let key = match preparer.prepare(keys.operations(number)) {
            Ok(prepared) => place(&prepared, &patience)?.map(|placed| (prepared, placed)).ok_or(REPEATS),
            Err(_) => Err(UNKNOWN_FUNCTION),
        };
        take(history.value(keys.id(number)), key, &patience)?;
    }
    Ok(())
}
