//! Values of the options that choose a system and what it knows: `--system`, `--read` and their like.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::systems::{ReadMode, System, SystemName, systems};

/// Returns the parser of `--system`.
pub(crate) fn system_names() -> impl TypedValueParser<Value = SystemName> {
    let known = systems().map(|system| PossibleValue::new(system.name()));
    PossibleValuesParser::new(known).map(|name| SystemName::from(&*name))
}

/// Returns the parser of `--read`: the read modes of all systems. The plan says whether its system has this one.
pub(crate) fn read_modes() -> impl TypedValueParser<Value = ReadMode> {
    let mut known: Vec<PossibleValue> = Vec::new();
    for described in systems().flat_map(System::read_modes) {
        if known.iter().all(|known| known.get_name() != described.name) {
            known.push(PossibleValue::new(&*described.name).help(&*described.about));
        }
    }
    PossibleValuesParser::new(known).map(ReadMode::from)
}
