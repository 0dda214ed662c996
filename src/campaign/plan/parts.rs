//! Parts of a plan: its systems, seeds and mixes of faults.

use std::{fmt, ops::Range, str::FromStr};

use nemesis::{FaultKind, FaultSpecs, ScheduleOptions};
use serde::{Deserialize, Serialize};

use crate::{
    run::plan::check_faults,
    systems::{System, SystemFile, SystemName},
};

/// Maximum number of runs in a campaign.
pub(super) const MAX_RUNS: usize = 100_000;

/// Returns the file that describes the system of this name, if it is none of ours.
pub(super) fn file_of<'a>(name: &SystemName, files: &'a [SystemFile]) -> Option<&'a SystemFile> {
    files.iter().find(|file| file.system().is_ok_and(|system| *name == system.name().into()))
}

/// Returns the system of this name, ours or that of a file.
pub(super) fn find_system(name: &SystemName, files: &[SystemFile]) -> Result<&'static dyn System, String> {
    match file_of(name, files) {
        Some(file) => Ok(file.system()?),
        None => name.find(),
    }
}

/// Checks that a system can be under a mix of faults.
pub(super) fn check_mix(system: &dyn System, mix: &FaultMix) -> Result<(), String> {
    let options =
        ScheduleOptions { faults: mix.specs.0.clone(), has_leader: system.has_roles(), ..ScheduleOptions::default() };
    check_faults(system, &nemesis::plan(0, &options))
        .map_err(|impossible| format!("{}; {}", impossible.what, impossible.remedy))
}

/// Seeds of a campaign: a count, meaning 1 to that number, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seeds {
    Count(u32),
    These(Vec<u64>),
}

impl Seeds {
    /// Returns the number of seeds without listing them.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Count(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            Self::These(seeds) => seeds.len(),
        }
    }

    pub(crate) fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(count) => (1..=u64::from(*count)).collect(),
            Self::These(seeds) => seeds.clone(),
        }
    }
}

/// Parses the seeds of a campaign: a number of them, or a range.
pub(crate) fn parse_seeds(text: &str) -> Result<Seeds, String> {
    if text.contains("..") {
        let range = parse_range(text)?;
        let is_small = range.end - range.start <= MAX_RUNS as u64;
        return is_small.then(|| Seeds::These(range.collect())).ok_or_else(|| format!("at most {MAX_RUNS} seeds"));
    }
    match text.parse() {
        Ok(0) => Err("expected at least one seed".to_owned()),
        Ok(count) => Ok(Seeds::Count(count)),
        Err(_) if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) => {
            Err(format!("at most {MAX_RUNS} seeds"))
        }
        Err(_) => Err(format!("{text:?} is no number; expected 3, or 5..10")),
    }
}

/// Parses a range of seeds, `500..1000`, or a number of them, from 0 on.
pub(crate) fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number; expected 1000, or 500..1000"));
    let (start, end) = match text.split_once("..") {
        Some((start, end)) => (number(start)?, number(end)?),
        None => (0, number(text)?),
    };
    if start < end { Ok(start..end) } else { Err("expected at least one seed".to_owned()) }
}

/// Faults of a cell, as written by the user: `kill`, `partition:isolate-leader+clock`, `all`, `none`; `+` joins those
/// that take turns, and `&` those that are in force at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct FaultMix {
    pub(super) text: String,
    pub(crate) specs: FaultSpecs,
}

/// Returns the list of faults that `all` stands for.
fn every_kind() -> String {
    FaultKind::USUAL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

impl FaultMix {
    /// Returns the mix of these faults of a run.
    pub(crate) fn of(specs: &FaultSpecs) -> Self {
        Self { text: specs.to_string().replace('+', "&"), specs: specs.clone() }
    }
}

impl FromStr for FaultMix {
    type Err = nemesis::SpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let specs =
            if text == "all" { every_kind().parse()? } else { text.replace('+', ",").replace('&', "+").parse()? };
        Ok(Self { text: text.to_owned(), specs })
    }
}

impl TryFrom<String> for FaultMix {
    type Error = nemesis::SpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FaultMix> for String {
    fn from(mix: FaultMix) -> Self {
        mix.text
    }
}

impl fmt::Display for FaultMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Parses a list of mixes such as `none,kill,clock:rate=0.2,jump=5s`; `jump=5s` is an option of the clock before it.
pub(crate) fn parse_mixes(text: &str) -> Result<Vec<FaultMix>, nemesis::SpecError> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim) {
        match parts.last_mut() {
            Some(last) if part.contains('=') && !part.split('=').next().is_some_and(|name| name.contains(':')) => {
                last.push(',');
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts.iter().map(|part| part.parse()).collect()
}
