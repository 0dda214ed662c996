//! Notes on how a history was read: facts that its file does not give, so that a verdict cannot rest on them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Note on how a history was read that every reader of its verdict must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The order of lines contradicts the times of events, and the times decide.
    ByTime {
        /// The first line that contradicts them.
        line: u64,
    },
    /// Clients ended an operation and began the next at a moment when another client did so too, so their own order
    /// does not count there.
    EqualTimes {
        /// Number of times that this happened.
        times: usize,
    },
    /// The history has completions only, no invocations.
    CompletionsOnly,
    /// Operations came as whole records, and some do not name their client.
    NoClients,
    /// No event of a client names its process.
    NoProcesses {
        /// Number of operations of which nobody can tell which completion is theirs.
        unsure: usize,
    },
    /// Reads that ask for a key are answered without it.
    AnswersWithoutKey,
    /// Events of clients have a field that no reader knows.
    UnknownField {
        /// Its name, as it is written in the file.
        name: String,
        /// Number of events that have it.
        events: usize,
        /// The field that may be meant.
        meant: Option<String>,
    },
    /// Events of clients have more unknown fields than are named.
    FurtherUnknownFields {
        /// Number of events that have such a field.
        events: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByTime { line } => write!(
                f,
                "the order of lines contradicts the times, in line {line} first: the times decide, and events of the \
                same time are concurrent"
            ),
            Self::EqualTimes { times } => write!(
                f,
                "{} a client went on at the very time of its completion, as did another client: operations \
                of the same time are not ordered by their client there",
                if *times == 1 { "once".to_owned() } else { format!("{times} times") }
            ),
            Self::CompletionsOnly => f.write_str(
                "only completions are known: every transaction may have come before or after every other, so neither \
                real time nor the order of a client is checked",
            ),
            Self::NoClients => {
                f.write_str("some operations name no client, so that the order of their clients is not checked")
            }
            Self::NoProcesses { unsure } => {
                f.write_str(
                    "no operation names its process: each counts as one by a client of its own, so that the order of \
                    a client is not checked",
                )?;
                match unsure {
                    0 => Ok(()),
                    1 => f.write_str("; one of them counts from the begin of an earlier one that asks for the same"),
                    n => write!(f, "; {n} of them count from the begin of an earlier one that asks for the same"),
                }
            }
            Self::AnswersWithoutKey => f.write_str(
                "reads ask for [key, null] and are answered without the key: what they are answered counts as the \
                value of that key",
            ),
            Self::UnknownField { name, events, meant } => {
                write!(f, "the field `{name}` is unknown and was ignored, in {}", counted(*events))?;
                meant.as_ref().map_or(Ok(()), |meant| write!(f, ": did you mean `{meant}`?"))
            }
            Self::FurtherUnknownFields { events } => {
                write!(f, "further unknown fields were ignored, in {}", counted(*events))
            }
        }
    }
}

fn counted(events: usize) -> String {
    if events == 1 { "1 event".to_owned() } else { format!("{events} events") }
}
