//! Options of reading a file.

use std::fmt;

use crate::Interpretation;

/// Format of a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Our own: one JSON object per line.
    JsonLines,
    /// The same objects in one array, or spread over several lines.
    Json,
    /// The format of Jepsen and Knossos: EDN maps, in one vector or in sequence.
    Edn,
    /// The lines that Jepsen logs: process, type, function, value, separated by tabs.
    JepsenLog,
    /// Our own binary format: the input of a checker, without the events from which it was made.
    Columns,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "JSON Lines",
            Self::Json => "JSON",
            Self::Edn => "EDN",
            Self::JepsenLog => "Jepsen's log lines",
            Self::Columns => "columns",
        })
    }
}

/// Meaning of a cas that failed without stating whether it found another value than it expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCas {
    /// The cas found another value: [`crate::Outcome::Mismatch`].
    Mismatch,
    /// The cas did not happen: [`crate::Outcome::Fail`].
    Nothing,
}

/// Options of reading a file.
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// Format of the file; without one, it is detected by its content.
    pub format: Option<Format>,
    /// True if the values of clients are pairs of key and value, as Jepsen's `independent` writes them, and false if
    /// they are not; without either, the content decides, and it is an error if it does not.
    pub keyed: Option<bool>,
    /// Meaning of a cas that failed without stating what it found or why. Without one, the format decides: in Jepsen's
    /// log lines the cas found another value than it expected, elsewhere it did not happen.
    pub failed_cas: Option<FailedCas>,
    /// Interpretation that an earlier reading of the same file found; by default, reading finds it.
    pub interpretation: Interpretation,
    /// Function called every few thousand events, and before much memory is taken at once; `false` stops the reading.
    pub keep_going: &'a dyn Fn(Reading) -> bool,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self {
            format: None,
            keyed: None,
            failed_cas: None,
            interpretation: Interpretation::default(),
            keep_going: &|_| true,
        }
    }
}

impl fmt::Debug for ReadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions").field("format", &self.format).field("keyed", &self.keyed).finish_non_exhaustive()
    }
}

/// Progress of reading a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Number of bytes read from the file, before unpacking.
    pub bytes: u64,
    /// Number of operations invoked so far.
    pub operations: usize,
    /// Upper bound of the memory that is about to be taken at once, in bytes.
    pub needs: usize,
}
