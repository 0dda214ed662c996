//! Values of the options that choose a system and what it knows: `--system`, `--read` and their like.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::{
    error::{ExitStatus, Failure},
    systems::{ReadMode, System, SystemFile, SystemName, systems},
};

/// System that a user chose.
#[derive(Clone, Debug)]
pub(crate) enum SystemChoice {
    Named(SystemName),
    File(PathBuf),
}

impl Default for SystemChoice {
    fn default() -> Self {
        Self::Named(SystemName::default())
    }
}

impl SystemChoice {
    /// Returns the system, and the file that describes it, if it is none of ours.
    ///
    /// # Errors
    /// Fails if there is no such system, or if the file cannot be read.
    pub(crate) fn find(&self) -> Result<(&'static dyn System, Option<SystemFile>), Failure> {
        match self {
            Self::Named(name) => Ok((name.find().map_err(|why| Failure::new(ExitStatus::Usage, why))?, None)),
            Self::File(path) => {
                let unreadable = |why| Failure::new(ExitStatus::Unreadable, why);
                let file = SystemFile::read(path).map_err(unreadable)?;
                let system = file.system().map_err(unreadable)?;
                Ok((system, Some(file)))
            }
        }
    }
}

/// Parser of `--system`: the name of a system, or a file whose name ends in `.toml`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemParser;

impl TypedValueParser for SystemParser {
    type Value = SystemChoice;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<SystemChoice, clap::Error> {
        if Path::new(value).extension().is_some_and(|extension| extension == "toml") {
            return Ok(SystemChoice::File(value.into()));
        }
        let names = PossibleValuesParser::new(systems().map(|system| PossibleValue::new(system.name())));
        names.parse_ref(cmd, arg, value).map(|name| SystemChoice::Named(SystemName::from(&*name)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(systems().map(|system| PossibleValue::new(system.name()))))
    }
}

/// Parser of `--read`, which offers the read modes of our systems; that of a file has others. The plan says whether its
/// system has this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadModeParser;

impl TypedValueParser for ReadModeParser {
    type Value = ReadMode;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<ReadMode, clap::Error> {
        Ok(ReadMode::from(&*value.to_string_lossy()))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(known_read_modes().into_iter()))
    }
}

/// Returns the parser of lists of read modes, those of all systems.
pub(crate) fn read_modes() -> impl TypedValueParser<Value = ReadMode> {
    PossibleValuesParser::new(known_read_modes()).map(ReadMode::from)
}

fn known_read_modes() -> Vec<PossibleValue> {
    let mut known: Vec<PossibleValue> = Vec::new();
    for described in systems().flat_map(System::read_modes) {
        if known.iter().all(|known| known.get_name() != described.name) {
            known.push(PossibleValue::new(&*described.name).help(&*described.about));
        }
    }
    known
}
