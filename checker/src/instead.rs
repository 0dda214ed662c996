//! Consistency ladder and staleness of a history of registers in one pass, with each key prepared once for both.

use histories::{History, Value};

use crate::{
    Ladder, Model, Options, StalenessReport,
    consistency::Climb,
    doubt::doubt,
    patience::{OutOf, Patience},
    prepare::{Keys, Prepared, Preparer},
    staleness::Measure,
    zones::{Placed, place},
};

/// Reasons why a key has no place on the ladder and no staleness.
const REPEATS: &str = "values repeat";
const UNKNOWN_FUNCTION: &str = "the model has no such function";
const NO_REGISTER: &str = "this may be no register";

/// Computes what [`crate::consistency`] and [`crate::staleness`] return, in little more time than one of them takes.
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn instead(history: &History, options: &Options<'_>) -> (Ladder, StalenessReport) {
    let keys = split(history, options);
    let (mut climb, mut measure) = (Climb::new(history, options), Measure::new(history));
    let done = each_key(history, options, &keys, |name, key, patience| {
        measure.key(key.as_ref().map_err(|&why| why), patience)?;
        climb.key(name, key, patience)
    });
    (climb.ladder(&keys, done), measure.report(options, &keys, done))
}

/// Returns true if the model is one of registers: the ladder and staleness apply to nothing else.
pub(crate) fn are_registers(options: &Options<'_>) -> bool {
    matches!(options.model, Model::Register | Model::KeyValue)
}

/// Splits the history by key, within the limits.
pub(crate) fn split(history: &History, options: &Options<'_>) -> Result<Keys, OutOf> {
    Keys::split(history, &Patience::new(&options.limits))
}

/// Returns the number of keys, 0 if the history could not be split.
pub(crate) fn count(keys: &Result<Keys, OutOf>) -> usize {
    keys.as_ref().map_or(0, Keys::len)
}

/// Calls `take` for each key of registers: with its name, and with its steps and values, or with the reason why these
/// cannot be used.
pub(crate) fn each_key(
    history: &History,
    options: &Options<'_>,
    keys: &Result<Keys, OutOf>,
    mut take: impl FnMut(&Value, Result<(Prepared, Placed), &'static str>, &Patience<'_>) -> Result<(), OutOf>,
) -> Result<(), OutOf> {
    let patience = Patience::new(&options.limits);
    let mut preparer = Preparer::new(history, options.model, &options.initial);
    let keys = keys.as_ref().map_err(|out| *out)?;
    let numbers = if are_registers(options) { 0..keys.len() } else { 0..0 };
    for number in numbers {
        let key = match preparer.prepare(keys.operations(number), &patience)? {
            Ok(_) if doubt(history, options, keys.operations(number)).is_some() => Err(NO_REGISTER),
            Ok(prepared) => place(&prepared, &patience)?.map(|placed| (prepared, placed)).ok_or(REPEATS),
            Err(_) => Err(UNKNOWN_FUNCTION),
        };
        take(history.value(keys.id(number)), key, &patience)?;
    }
    Ok(())
}
