//! Meaning of the events of a file where the file alone does not tell: its format, keys within values, failed cas.

use clap::{Args, ValueEnum, builder::PossibleValue};
use histories::{FailedCas, Format, ReadError, ReadOptions};

use crate::error::{ExitStatus, Failure, host_limits};

/// How files are read.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Meaning {
    /// In which format the files are [default: as the content of each says].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatName>,
    /// Whether the values of clients are pairs [key, value], as Jepsen's `independent` has them; an error where it
    /// cannot be told.
    #[arg(long, value_enum, value_name = "WHETHER", default_value_t = Keyed::Auto)]
    keyed: Keyed,
    /// What a cas is taken for that ended as failed, without a word about what it found or why [default: nothing; in
    /// Jepsen's log lines a mismatch].
    #[arg(long, value_enum, value_name = "WHAT")]
    failed_cas: Option<FailedCasName>,
}

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// schism's own JSON Lines, or the same objects in one array
    Jsonl,
    /// Jepsen's and Knossos' operation maps
    Edn,
    /// the lines that Jepsen logged
    JepsenLog,
    /// porcupine's key-value histories: operation maps, too
    PorcupineKv,
    /// schism's own columns
    Columns,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Jsonl => Self::JsonLines,
            FormatName::Edn | FormatName::PorcupineKv => Self::Edn,
            FormatName::JepsenLog => Self::JepsenLog,
            FormatName::Columns => Self::Columns,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Keyed {
    /// as reads, cas and the like tell
    #[default]
    Auto,
    /// they are
    Yes,
    /// they are values as they stand
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailedCasName {
    /// it found another value than it expected
    Mismatch,
    /// it did not happen, and says nothing
    Nothing,
}

impl Meaning {
    /// As a reader is told it.
    pub(crate) fn options(self) -> ReadOptions<'static> {
        ReadOptions {
            format: self.format.map(Format::from),
            keyed: match self.keyed {
                Keyed::Auto => None,
                Keyed::Yes => Some(true),
                Keyed::No => Some(false),
            },
            failed_cas: self.failed_cas.map(|name| match name {
                FailedCasName::Mismatch => FailedCas::Mismatch,
                FailedCasName::Nothing => FailedCas::Nothing,
            }),
            ..ReadOptions::default()
        }
    }

    /// The options that were given, each with its value.
    pub(crate) fn given(self) -> Vec<(&'static str, String)> {
        let name = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned());
        let given = [
            ("--format", self.format.and_then(|format| name(format.to_possible_value()))),
            (
                "--keyed",
                Some(self.keyed)
                    .filter(|keyed| *keyed != Keyed::Auto)
                    .and_then(|keyed| name(keyed.to_possible_value())),
            ),
            ("--failed-cas", self.failed_cas.and_then(|cas| name(cas.to_possible_value()))),
        ];
        given.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
    }
}

/// Why a file is not read, with what to do about it: mostly the file is to blame, sometimes the host.
pub(crate) fn unread(error: &ReadError) -> Failure {
    let failure = |status| Failure::new(status, error.to_string());
    match error {
        ReadError::Io { source, .. } => match host_limits::lacking(source) {
            Some(why) => failure(ExitStatus::Failed).hint(why),
            None => failure(ExitStatus::Unreadable),
        },
        ReadError::Keys { .. } => failure(ExitStatus::Unreadable)
            .hint("--keyed yes takes each value as [key, value], --keyed no as it stands"),
        ReadError::NoUse { .. } => failure(ExitStatus::Usage).hint("leave out --keyed and --failed-cas"),
        _ => failure(ExitStatus::Unreadable),
    }
}
