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
    campaign::folder::read_plan,
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
    /// Returns the choice that a word stands for; the path of a file starts from `folder`.
    pub(crate) fn of(word: &str, folder: &Path) -> Self {
        if is_file(word.as_ref()) { Self::File(folder.join(word)) } else { Self::Named(word.into()) }
    }

    /// Returns the system, and the file that describes it, with the text that the plan of a campaign keeps.
    ///
    /// # Errors
    /// Fails if there is no such system, or if the plan or the file cannot be read.
    pub(crate) fn find_in(&self, campaign: &Path) -> anyhow::Result<(&'static dyn System, Option<SystemFile>)> {
        let files = read_plan(campaign)?.map(|stored| stored.plan.system_files).unwrap_or_default();
        match files.into_iter().find(|file| matches!(self, Self::File(path) if *path == Path::new(&file.path))) {
            Some(file) => Ok((file.system().map_err(|why| Failure::new(ExitStatus::Unreadable, why))?, Some(file))),
            None => Ok(self.find()?),
        }
    }

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

/// Returns true if a word is the path of a file.
fn is_file(word: &OsStr) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "toml")
}

/// Finds all systems of a plan, and the files that describe those which are none of ours.
///
/// # Errors
/// Fails if one of them does not exist, or if a file cannot be read.
pub(crate) fn find_all(choices: &[SystemChoice]) -> Result<(Vec<SystemName>, Vec<SystemFile>), Failure> {
    let found = choices.iter().map(SystemChoice::find).collect::<Result<Vec<_>, _>>()?;
    let (systems, files): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok((systems.iter().map(|system| system.name().into()).collect(), files.into_iter().flatten().collect()))
}

/// Parser of `--system`: the name of a system, or a file whose name ends in `.toml`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemParser;

impl TypedValueParser for SystemParser {
    type Value = SystemChoice;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<SystemChoice, clap::Error> {
        if is_file(value) {
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

fn known_read_modes() -> Vec<PossibleValue> {
    let mut known: Vec<PossibleValue> = Vec::new();
    for described in systems().flat_map(System::read_modes) {
        if known.iter().all(|known| known.get_name() != described.name) {
            known.push(PossibleValue::new(&*described.name).help(&*described.about));
        }
    }
    known
}
