//! What a history is not told by its file, and so what a verdict on it does not say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something about how a history was read that whoever reads its verdict must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The order of lines contradicts the times of events, which count.
    ByTime {
        /// The first line that does.
        line: u64,
    },
    /// So many times a client ended an operation and went on in a moment in which another did so, too: its own order does not count there.
    EqualTimes {
        /// How many times.
        times: usize,
    },
    /// There are completions only.
    CompletionsOnly,
    /// Operations came whole, and nobody says who did some of them.
    NoClients,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByTime { line } => write!(
                f,
                "the order of lines contradicts the times, in line {line} first: the times count, and what has one time is concurrent"
            ),
            Self::EqualTimes { times } => write!(
                f,
                "{times} times a client went on in the moment of its completion, as did another: what is concurrent by its time has no \
                 order of the client there"
            ),
            Self::CompletionsOnly => f.write_str(
                "only completions are known: every transaction may have come before or after every other, so nothing is said of real time \
                 or of the order of a client",
            ),
            Self::NoClients => {
                f.write_str("some operations name no client: nothing is said of the order of clients there")
            }
        }
    }
}
