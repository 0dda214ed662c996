//! Options for reading a file, for what the file alone does not tell: its format, keys within values, failed cas.

use clap::{Args, ValueEnum, builder::PossibleValue};
use histories::{FailedCas, Format, ReadError, ReadOptions};

use crate::error::{ExitStatus, Failure, host_limits};

/// Options for reading files.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct ReadingOptions {
    /// Format of the files [default: recognised by content].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatName>,
    /// Interpretation of values as pairs [key, value], as Jepsen's `independent` writes them; it is an error if that is
    /// left open.
    #[arg(long, value_enum, value_name = "auto|yes|no", default_value_t = KeyedValues::Auto)]
    keyed: KeyedValues,
    /// Interpretation of a failed cas that says neither what it found nor why it failed [default: nothing; in Jepsen's
    /// log lines, mismatch].
    #[arg(long, value_enum, value_name = "mismatch|nothing")]
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
enum KeyedValues {
    /// recognised by the results of reads, cas and the like
    #[default]
    Auto,
    /// values are pairs
    Yes,
    /// values are values, even those that look like pairs
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailedCasName {
    /// it found another value than the expected one
    Mismatch,
    /// it had no effect, and says nothing about the value
    Nothing,
}

impl ReadingOptions {
    /// Returns the options for reading.
    pub(crate) fn options(self) -> ReadOptions<'static> {
        ReadOptions {
            format: self.format.map(Format::from),
            keyed: match self.keyed {
                KeyedValues::Auto => None,
                KeyedValues::Yes => Some(true),
                KeyedValues::No => Some(false),
            },
            failed_cas: self.failed_cas.map(|name| match name {
                FailedCasName::Mismatch => FailedCas::Mismatch,
                FailedCasName::Nothing => FailedCas::Nothing,
            }),
            ..ReadOptions::default()
        }
    }

    /// Returns the given options, each with its value.
    pub(crate) fn given(self) -> Vec<(&'static str, String)> {
        let name = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned());
        let given = [
            ("--format", self.format.and_then(|format| name(format.to_possible_value()))),
            (
                "--keyed",
                Some(self.keyed)
                    .filter(|keyed| *keyed != KeyedValues::Auto)
                    .and_then(|keyed| name(keyed.to_possible_value())),
            ),
            ("--failed-cas", self.failed_cas.and_then(|cas| name(cas.to_possible_value()))),
        ];
        given.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
    }
}

/// Returns the failure to read a file, with the next step: mostly the file is to blame, sometimes the host.
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
