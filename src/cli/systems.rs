//! Values of the options that choose a system and what it knows: `--system`, `--read` and their like.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue},
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

    /// Returns the system, and the file that describes it, if it is none of ours; with the text that the plan of a
    /// campaign keeps, if it is one of `campaign`.
    ///
    /// # Errors
    /// Fails if there is no such system, or if the plan or the file cannot be read.
    pub(crate) fn find(&self, campaign: Option<&Path>) -> anyhow::Result<(&'static dyn System, Option<SystemFile>)> {
        let unreadable = |why| Failure::new(ExitStatus::Unreadable, why);
        let path = match self {
            Self::Named(name) => {
                return Ok((name.find().map_err(|why| Failure::new(ExitStatus::Usage, why))?, None));
            }
            Self::File(path) => path,
        };
        let stored = campaign.map_or(Ok(None), read_plan)?.map(|stored| stored.plan.system_files);
        let kept = stored.into_iter().flatten().find(|file| *path == Path::new(&file.path));
        let file = kept.map_or_else(|| SystemFile::read(path), Ok).map_err(unreadable)?;
        Ok((file.system().map_err(unreadable)?, Some(file)))
    }
}

/// Returns true if a word is the path of a file.
fn is_file(word: &OsStr) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "toml")
}

/// Finds all systems of a plan, and the files that describe those which are none of ours, with the texts that the plan
/// of `campaign` keeps.
///
/// # Errors
/// Fails if one of them does not exist, or if the plan or a file cannot be read.
pub(crate) fn find_all(
    choices: &[SystemChoice],
    campaign: Option<&Path>,
) -> anyhow::Result<(Vec<SystemName>, Vec<SystemFile>)> {
    let found = choices.iter().map(|choice| choice.find(campaign)).collect::<anyhow::Result<Vec<_>>>()?;
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
        let named = |name: String| SystemChoice::Named(SystemName::from(&*name));
        names.parse_ref(cmd, arg, value).map(named).map_err(|error| with_file_as_tip(error, value))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(systems().map(|system| PossibleValue::new(system.name()))))
    }
}

/// Adds to the error that no system has this name that a file may be meant, or be made.
fn with_file_as_tip(mut error: clap::Error, name: &OsStr) -> clap::Error {
    let name = Path::new(name);
    let file = name.with_extension("toml");
    let tip = if file.is_file() {
        format!("the file of this name is '{}'", file.display())
    } else {
        format!(
            "a system of yours is described by a file whose name ends in '.toml'; 'schism system new {}' writes one",
            name.display()
        )
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
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
