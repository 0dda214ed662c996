//! Reasons why a key could not be decided.

use std::fmt;

use histories::{History, Outcome};
use serde::{Deserialize, Serialize};

use crate::budget::Shortage;

/// Reason why a key could not be decided. `Display` gives a sentence that includes what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum UnknownWhy {
    /// Time ran out: [`crate::Limits::keep_going`] returned false.
    Time {
        /// Number of completed operations that were explained before that.
        explained: usize,
        /// Number of completed operations.
        completed: usize,
        /// Number of writes, cas and appends of unknown outcome.
        unknown_outcomes: usize,
    },
    /// Memory ran out: [`crate::Limits::memory`] was used up.
    Memory {
        /// Number of completed operations that were explained before that.
        explained: usize,
        /// Number of completed operations.
        completed: usize,
        /// Number of writes, cas and appends of unknown outcome.
        unknown_outcomes: usize,
    },
    /// Number of operations that were open at the same time exceeded the limit of the search.
    Open {
        /// Limit of the search.
        limit: usize,
    },
    /// Function that the model does not have.
    Function {
        /// Name of the function.
        name: String,
        /// Name of the model, unless it is a custom one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Argument or answer that the model does not have, of a function that it has.
    Unsupported {
        /// Description of the operation.
        what: String,
        /// Name of the model, unless it is a custom one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Value that more than one operation may have written, so that it is unknown which of them a read observed.
    WrittenTwice {
        /// Sentence that names the value.
        what: String,
    },
    /// Operations that do not fit the model, which was only guessed.
    Guessed {
        /// Description of an operation that does not fit.
        what: String,
    },
    /// Initial value that the model cannot have.
    Initial {
        /// Description of the allowed initial values.
        allowed: String,
    },
    /// Operations without a process, though the verdict depends on who carried them out.
    NoProcesses {
        /// Name of the model.
        model: String,
    },
    /// Violation in another key, which ended the check before this key.
    NotChecked,
    /// Violation that was found, but in so many operations that a second method could not confirm it within the
    /// limits.
    Unconfirmed {
        /// Number of those operations.
        operations: usize,
    },
    /// Contradiction within the checker: a bug in it, or in a custom model.
    Internal {
        /// Description of the contradiction.
        what: String,
    },
}

/// Returns the error that the model does not have what is described.
pub(crate) fn unsupported<T, E: From<UnknownWhy>>(what: impl Into<String>) -> Result<T, E> {
    Err(UnknownWhy::Unsupported { what: what.into(), model: None }.into())
}

impl UnknownWhy {
    /// Names the model that lacks a function, an argument or an answer.
    pub(crate) fn of_model(mut self, name: &str) -> Self {
        if let Self::Function { model, .. } | Self::Unsupported { model, .. } = &mut self {
            *model = Some(name.to_owned());
        }
        self
    }
}

/// Formats a model: `the model queue`.
struct ModelNamed<'a>(&'a Option<String>);

impl fmt::Display for ModelNamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the model")?;
        self.0.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

impl fmt::Display for UnknownWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ran_out = |what, explained, completed, unknown| {
            write!(f, "{what} ran out after {explained} of {completed} completed operations were explained; ")?;
            match unknown {
                0 => f.write_str(
                    "a higher limit, fewer operations per key, or values that are written only once, would help",
                ),
                n => write!(
                    f,
                    "the key has {n} change{} of unknown outcome: fewer of them per key, by moving on to new keys, \
                    would help",
                    if n == 1 { "" } else { "s" }
                ),
            }
        };
        match *self {
            Self::Time { explained, completed, unknown_outcomes } => {
                ran_out("time", explained, completed, unknown_outcomes)
            }
            Self::Memory { explained, completed, unknown_outcomes } => {
                ran_out("memory", explained, completed, unknown_outcomes)
            }
            Self::Open { limit } => {
                write!(f, "more than {limit} operations were open at once; fewer clients per key would help")
            }
            Self::Function { ref name, ref model } => write!(f, "{} has no function called {name}", ModelNamed(model)),
            Self::Unsupported { ref what, ref model } => write!(f, "{} has no place for {what}", ModelNamed(model)),
            Self::WrittenTwice { ref what } => f.write_str(what),
            Self::Guessed { ref what } => write!(
                f,
                "{what}, and nothing of the kind was ever written: this may be no register, and nobody said that it \
                is one"
            ),
            Self::Initial { ref allowed } => write!(f, "the model begins with {allowed}"),
            Self::NoProcesses { ref model } => {
                write!(f, "no operation names its process, and {model} depends on which operations are of one process")
            }
            Self::NotChecked => f.write_str("not checked, since another key already has a violation"),
            Self::Unconfirmed { operations } => write!(
                f,
                "{operations} operations seem to contradict each other, but a second method could not confirm it; a \
                higher limit, or \
                 fewer operations per key, would help"
            ),
            Self::Internal { ref what } => write!(
                f,
                "the checker contradicted itself, so it says neither yes nor no: {what}. This is a bug in schism: \
                please report it, with \
                 the history"
            ),
        }
    }
}

impl Shortage {
    /// Returns the reason for an unknown verdict: with the number of operations explained, of completed ones, and of
    /// those of unknown outcome.
    pub(crate) fn why(self, explained: usize, completed: usize, unknown_outcomes: usize) -> UnknownWhy {
        match self {
            Self::Time => UnknownWhy::Time { explained, completed, unknown_outcomes },
            Self::Memory => UnknownWhy::Memory { explained, completed, unknown_outcomes },
        }
    }

    /// Returns the reason for an unknown verdict if none of these operations (by index) was explained.
    pub(crate) fn among(self, history: &History, operations: &[u32]) -> UnknownWhy {
        let (mut completed, mut unknown_outcomes) = (0, 0);
        for &index in operations {
            match history.operations[index as usize].outcome {
                Outcome::Ok | Outcome::Mismatch => completed += 1,
                Outcome::Info => unknown_outcomes += 1,
                Outcome::Fail => {}
            }
        }
        self.why(0, completed, unknown_outcomes)
    }
}
