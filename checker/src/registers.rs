//! Keys of a history of registers, prepared one after another for the weaker models and for staleness.

use histories::{History, Value};

use crate::{
    Options,
    budget::{Budget, Shortage},
    doubt::doubt,
    prepare::{KeySteps, Keys, Preparation, Preparer},
    zones::{KeyZones, place},
};

/// Reasons why a key has no place in the hierarchy and no staleness.
const REPEATS: &str = "values repeat";
const UNKNOWN_FUNCTION: &str = "the model has no such function";
const NO_REGISTER: &str = "this may be no register";

/// Returns true if the model is one of registers: the hierarchy and staleness apply to nothing else.
pub(crate) fn are_registers(options: &Options<'_>) -> bool {
    options.model.is_register()
}

/// Splits the history by key, within the limits.
pub(crate) fn split(history: &History, options: &Options<'_>) -> Result<Keys, Shortage> {
    Keys::split(history, &Budget::new(&options.limits))
}

/// Returns the number of keys, 0 if the history could not be split.
pub(crate) fn count(keys: &Result<Keys, Shortage>) -> usize {
    keys.as_ref().map_or(0, Keys::len)
}

/// Calls `take` for each key of registers: with its name, and with its steps and values, or with the reason why these
/// cannot be used.
pub(crate) fn each_key(
    history: &History,
    options: &Options<'_>,
    keys: &Result<Keys, Shortage>,
    mut take: impl FnMut(&Value, Result<(KeySteps, KeyZones), &'static str>, &Budget<'_>) -> Result<(), Shortage>,
) -> Result<(), Shortage> {
    let budget = Budget::new(&options.limits);
    let mut preparer = Preparer::new(history, options.model.has_edits(), &options.initial);
    let keys = keys.as_ref().map_err(|out| *out)?;
    let numbers = if are_registers(options) { 0..keys.len() } else { 0..0 };
    for number in numbers {
        let key = match preparer.prepare(keys.operations(number), &budget)? {
            Preparation::Steps(_) if doubt(history, options, keys.operations(number)).is_some() => Err(NO_REGISTER),
            Preparation::Steps(prepared) => place(&prepared, &budget)?.map(|placed| (prepared, placed)).ok_or(REPEATS),
            Preparation::UnknownOperation(_) => Err(UNKNOWN_FUNCTION),
        };
        take(history.value(keys.id(number)), key, &budget)?;
    }
    Ok(())
}
