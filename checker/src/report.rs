//! What the checker answers: a verdict for each key, with evidence for a "no" and a reason for an "unknown".

use std::{cmp::Ordering, fmt};

use histories::Value;
use serde::Serialize;

use crate::{patience::OutOf, weight::Weak};

/// Whether there is an order of the operations that explains everything that clients saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is one, and it was verified.
    Linearizable,
    /// There is none.
    NotLinearizable,
    /// A limit was reached, or the model does not know an operation.
    Unknown,
}

impl Verdict {
    /// The verdict on two parts together: no, then unknown, then yes.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotLinearizable, _) | (_, Self::NotLinearizable) => Self::NotLinearizable,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Linearizable, Self::Linearizable) => Self::Linearizable,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linearizable => "linearizable",
            Self::NotLinearizable => "not linearizable",
            Self::Unknown => "unknown",
        })
    }
}

/// How a key was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Zones of unique values (Gibbons and Korach 1997), with cas chains: near-linear.
    Zones,
    /// Every order of the operations that are open at once (Wing and Gong 1993, Lowe 2017), swept in time order.
    Search,
    /// The model's own: near-linear.
    Object,
    /// Not checked.
    None,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zones => "zones",
            Self::Search => "search",
            Self::Object => "object",
            Self::None => "none",
        })
    }
}

/// The verdict on a history, and on each of its keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of all keys together.
    pub verdict: Verdict,
    /// Why nothing is known of any key, where not even the operations of each could be told apart within the limits.
    pub why: Option<UnknownWhy>,
    /// Of each key, in the order of the keys: numbers by size, then text, with the numbers in it by size.
    pub keys: Vec<KeyReport>,
    /// How many client operations the history has; of these, failed ones did not happen.
    pub operations: usize,
    /// How many of them were answered.
    pub answered: usize,
    /// Of how many of them nobody knows whether they happened.
    pub unanswered: usize,
    /// Why a verdict of linearizable says nothing, if it does.
    pub weak: Option<Weak>,
}

impl Report {
    /// Whether some key is unknown because the checker contradicted itself.
    pub fn has_internal_error(&self) -> bool {
        let is_internal = |why: &UnknownWhy| matches!(why, UnknownWhy::Internal { .. });
        self.why.iter().chain(self.keys.iter().filter_map(|key| key.why.as_ref())).any(is_internal)
    }

    /// On a history of which nothing is known.
    pub(crate) fn unknown(operations: usize, out: OutOf) -> Self {
        Self::undecided(operations, out.why(0, operations, 0))
    }

    /// As [`Report::unknown`], for this reason.
    pub(crate) fn undecided(operations: usize, why: UnknownWhy) -> Self {
        let (keys, verdict) = (Vec::new(), Verdict::Unknown);
        Self { verdict, why: Some(why), keys, operations, answered: 0, unanswered: 0, weak: None }
    }
}

/// The verdict on one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyReport {
    /// Which; [`Value::Nil`] where the history names no keys.
    pub key: Value,
    /// Of this key alone.
    pub verdict: Verdict,
    /// Why the verdict is unknown, if it is.
    pub why: Option<UnknownWhy>,
    /// What decided.
    pub method: Method,
    /// How many operations the key has.
    pub operations: usize,
    /// How many of them were answered.
    pub answered: usize,
    /// Of how many of them nobody knows whether they happened.
    pub unanswered: usize,
    /// Why a verdict of linearizable says nothing, if it does.
    pub weak: Option<Weak>,
    /// Why it is not linearizable, if it is not.
    pub evidence: Option<Evidence>,
    /// An order that explains everything, as indexes of [`histories::History::operations`], if the key is linearizable and
    /// [`crate::Options::keep_order`] asks for it. What had no effect, or need not have had any, is not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<u32>>,
    /// How the revisions that the store gave contradict each other, or a verdict of linearizable, if they do, in one sentence. The
    /// verdict does not rest on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<String>,
}

/// Why a key could not be decided. `Display` says it in a sentence, with what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum UnknownWhy {
    /// [`crate::Limits::keep_going`] said no.
    Time {
        /// Completed operations that were explained before that.
        explained: usize,
        /// Completed operations in all.
        completed: usize,
        /// Writes, cas and appends of unknown outcome.
        unknown_outcomes: usize,
    },
    /// [`crate::Limits::memory`] was used up.
    Memory {
        /// Completed operations that were explained before that.
        explained: usize,
        /// Completed operations in all.
        completed: usize,
        /// Writes, cas and appends of unknown outcome.
        unknown_outcomes: usize,
    },
    /// More operations were open at the same time than the search can tell apart.
    Open {
        /// That many can be.
        limit: usize,
    },
    /// The model has no such function.
    Function {
        /// Its name.
        name: String,
    },
    /// The model has the function, but not with such an argument or answer.
    Unsupported {
        /// What.
        what: String,
    },
    /// More than one may have written a value, so that nobody knows whose a read found.
    WrittenTwice {
        /// Which value, in a sentence.
        what: String,
    },
    /// Nobody said what the model is, and the operations are not those of the one that was guessed.
    Guessed {
        /// What speaks against it.
        what: String,
    },
    /// The model cannot begin so.
    Initial {
        /// What it can begin with.
        allowed: &'static str,
    },
    /// A violation in another key ended the check.
    NotChecked,
    /// A violation was found, but in so many operations that a second method could not confirm it within the limits.
    Unconfirmed {
        /// How many they are.
        operations: usize,
    },
    /// The checker contradicted itself: a bug in it, or in a model of one's own.
    Internal {
        /// What it said.
        what: String,
    },
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
                    "the key has {n} changes of unknown outcome: fewer of them per key, by moving on to new keys, would help"
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
            Self::Function { ref name } => write!(f, "the model has no function called {name}"),
            Self::Unsupported { ref what } => write!(f, "the model has no place for {what}"),
            Self::WrittenTwice { ref what } => f.write_str(what),
            Self::Guessed { ref what } => write!(
                f,
                "{what}, and nothing of the kind was ever written: this may be no register, and nobody said that it is one"
            ),
            Self::Initial { allowed } => write!(f, "the model begins with {allowed}"),
            Self::NotChecked => f.write_str("not checked, since another key is already not linearizable"),
            Self::Unconfirmed { operations } => write!(
                f,
                "{operations} operations seem to contradict each other, but a second method could not confirm it; a higher limit, or \
                 fewer operations per key, would help"
            ),
            Self::Internal { ref what } => write!(
                f,
                "the checker contradicted itself, so it says neither yes nor no: {what}. This is a bug in schism: please report it, with \
                 the history"
            ),
        }
    }
}

/// Why a key is not linearizable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The few operations that already cannot be ordered, as indexes into [`histories::History::operations`], ascending.
    ///
    /// They stand alone: no order of just these explains them, unless `besides` says what else counts. An operation that failed can be
    /// among them; it did not happen.
    pub operations: Vec<usize>,
    /// Of what else they have no order, in words that follow "these operations contradict each other", where they are few only because of
    /// that: a cas whose expected value others of the key set, but none of these, counts as a write; a counter is incremented by
    /// others; other elements are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub besides: Option<String>,
    /// What is wrong, in one sentence.
    pub claim: String,
    /// What must come before what, and why, until it closes on itself.
    pub reasons: Vec<String>,
    /// How out of date the read was, where that is certain.
    pub staleness: Option<Staleness>,
    /// What a correct system could have answered instead, in one sentence, where the violation is one of reads and writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub possible: Option<String>,
    /// What the revisions that the store gave its answers say about it, if they say something, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<String>,
}

/// Certain lower bounds of how far behind a read was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Staleness {
    /// Nanoseconds from when a newer value was certainly in effect until the read began.
    pub behind_ns: u64,
    /// How many newer values were certainly in effect when the read began; at least 1.
    pub writes: usize,
}

/// The order of keys in a report.
pub(crate) fn key_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ordering::Equal,
        (Value::Nil, _) => Ordering::Less,
        (_, Value::Nil) => Ordering::Greater,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Int(_), _) => Ordering::Less,
        (_, Value::Int(_)) => Ordering::Greater,
        (Value::Str(a), Value::Str(b)) => with_number(a).cmp(&with_number(b)).then_with(|| a.cmp(b)),
        (Value::Str(_), _) => Ordering::Less,
        (_, Value::Str(_)) => Ordering::Greater,
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

/// `k10` as (`k`, 10).
fn with_number(text: &str) -> (&str, u64) {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    (name, text[name.len()..].parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_outweighs_an_unknown_and_an_unknown_a_yes() {
        use Verdict::{Linearizable as Yes, NotLinearizable as No, Unknown};
        assert_eq!([Yes, Unknown, No, Unknown].into_iter().reduce(Verdict::merge), Some(No));
        assert_eq!([Yes, Unknown, Yes].into_iter().reduce(Verdict::merge), Some(Unknown));
        assert_eq!([Yes, Yes].into_iter().reduce(Verdict::merge), Some(Yes));
    }

    #[test]
    fn keys_are_ordered_by_the_numbers_in_them() {
        let mut keys: Vec<Value> = vec!["k10".into(), "k9".into(), 10.into(), "a".into(), 9.into(), Value::Nil];
        keys.sort_by(key_order);
        assert_eq!(keys, [Value::Nil, 9.into(), 10.into(), "a".into(), "k9".into(), "k10".into()]);
    }
}
