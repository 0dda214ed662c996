//! Report of a check: a verdict for each key, with evidence for a violation and a reason for an unknown verdict.

use std::{cmp::Ordering, fmt};

use histories::Value;
use serde::{Deserialize, Serialize};

use crate::{UnknownWhy, budget::Shortage};

/// Answer to the question if some order of the operations explains everything that clients saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes: there is such an order, and it was verified.
    Linearizable,
    /// Violation: there is no such order.
    NotLinearizable,
    /// Undecided: a limit was reached, or the model does not know an operation.
    Unknown,
}

impl Verdict {
    /// Merges the verdicts on two parts: "not linearizable" wins over "unknown", which wins over "linearizable".
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotLinearizable, _) | (_, Self::NotLinearizable) => Self::NotLinearizable,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Linearizable, Self::Linearizable) => Self::Linearizable,
        }
    }
}

impl Verdict {
    /// Returns the name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::NotLinearizable => "not-linearizable",
            Self::Unknown => "unknown",
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

/// Method that decided a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Zones of unique values (Gibbons and Korach 1997), with cas chains. Near-linear.
    Zones,
    /// Search over all orders of the operations that are open at once (Wing and Gong 1993, Lowe 2017), swept in time
    /// order.
    Search,
    /// Method of its own that the model has. Near-linear.
    Object,
    /// Definition of a property, in one pass. Near-linear.
    Property,
    /// Placeholder for a key that was not checked.
    None,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zones => "zones",
            Self::Search => "search",
            Self::Object => "object",
            Self::Property => "property",
            Self::None => "none",
        })
    }
}

/// Verdict on a history, and on each of its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Verdict on all keys together.
    pub verdict: Verdict,
    /// Reason why no key was checked: a limit was reached before the history was even split by key, or the model
    /// cannot begin with the given initial value.
    pub why: Option<UnknownWhy>,
    /// Report on each key, in the order of the keys: integers by size, then text, with a number at its end compared
    /// by size.
    pub keys: Vec<KeyReport>,
    /// Number of client operations in the history. Failed ones, which did not take place, are included.
    pub operations: usize,
    /// Number of operations that were answered.
    pub answered: usize,
    /// Number of operations of unknown outcome.
    pub unanswered: usize,
    /// Reason why a verdict of linearizable says nothing about the system, if so.
    pub weak: Option<WeakVerdict>,
    /// Name of the property, if one was judged and not linearizability. [`Verdict::Linearizable`] then says that it
    /// holds, [`Verdict::NotLinearizable`] that it is violated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Figures on the elements, if the property is `set-full`, and within the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<SetFigures>,
}

impl Report {
    /// Returns the verdict in words: `linearizable`, or `the property bank holds`.
    pub fn verdict_in_words(&self) -> String {
        match (&self.property, self.verdict) {
            (Some(name), Verdict::Linearizable) => format!("the property {name} holds"),
            (Some(name), Verdict::NotLinearizable) => format!("the property {name} is violated"),
            (None, _) | (_, Verdict::Unknown) => self.verdict.to_string(),
        }
    }

    /// Returns true if some key is unknown because the checker contradicted itself.
    pub fn has_internal_error(&self) -> bool {
        let is_internal = |why: &UnknownWhy| matches!(why, UnknownWhy::Internal { .. });
        self.why.iter().chain(self.keys.iter().filter_map(|key| key.why.as_ref())).any(is_internal)
    }

    /// Returns the report on a history about which nothing could be found out within the limits.
    pub(crate) fn unknown(operations: usize, out: Shortage) -> Self {
        Self::undecided(operations, out.why(0, operations, 0))
    }

    /// Returns a report like [`Report::unknown`] with this reason.
    pub(crate) fn undecided(operations: usize, why: UnknownWhy) -> Self {
        let (keys, verdict) = (Vec::new(), Verdict::Unknown);
        Self {
            verdict,
            why: Some(why),
            keys,
            operations,
            answered: 0,
            unanswered: 0,
            weak: None,
            property: None,
            figures: None,
        }
    }
}

/// Figures on the elements of all sets of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetFigures {
    /// Number of elements that may have been added.
    pub attempted: usize,
    /// Number of elements whose addition was acknowledged.
    pub acknowledged: usize,
    /// Number of elements that no read shows, though none that began later misses them for certain.
    pub never_read: usize,
    /// Number of elements that were lost.
    pub lost: usize,
    /// Number of elements that reads showed, but that some read missed before, although they were known.
    pub stale: usize,
    /// Number of elements that no read missed once they were known.
    pub stable: usize,
    /// Times, in nanoseconds, for which stale elements were still missed after they were known: at half of them, at 95
    /// and 99 percent, and the longest; none if no element was stale, or the history has no times.
    pub stale_ns: Option<[u64; 4]>,
}

/// Verdict on one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyReport {
    /// Name of the key; [`Value::Nil`] if the history names no keys.
    pub key: Value,
    /// Verdict on this key alone.
    pub verdict: Verdict,
    /// Reason for an unknown verdict.
    pub why: Option<UnknownWhy>,
    /// Method that decided the key.
    pub method: Method,
    /// Number of operations on the key.
    pub operations: usize,
    /// Number of operations that were answered.
    pub answered: usize,
    /// Number of operations of unknown outcome.
    pub unanswered: usize,
    /// Reason why a verdict of linearizable says nothing about the system, if so.
    pub weak: Option<WeakVerdict>,
    /// Evidence of the violation, if the key is not linearizable.
    pub evidence: Option<Evidence>,
    /// Linearization, as indexes of [`histories::History::operations`], if the key is linearizable and
    /// [`crate::Options::keep_order`] is set. Operations without effect, or that need not have had one, are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<u32>>,
    /// Contradiction among the revisions that the store returned, or between them and a verdict of linearizable, in
    /// one sentence. The verdict does not rest on revisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<String>,
}

/// Reason why a verdict of linearizable says nothing about the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakVerdict {
    /// Lack of any answer.
    NothingAnswered,
    /// Lack of any answer that could have been wrong.
    NothingRead,
    /// Lack of any read that shows that one transaction comes before another.
    NothingRelated,
}

impl WeakVerdict {
    /// Returns the reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NothingAnswered => "nothing was answered",
            Self::NothingRead => "nothing was read: no answer could have been wrong",
            Self::NothingRelated => "nothing that was read shows that one transaction comes before another",
        }
    }
}

/// Maximum number of operations in evidence that includes all that make it stand alone, for example the setters of
/// all expected values. Larger evidence is shown without them, with an assumption about the rest of the history.
pub(crate) const MAX_EVIDENCE: usize = 24;

/// Evidence of a violation in one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Operations, as few as possible, that already cannot be ordered, as indexes into
    /// [`histories::History::operations`], ascending.
    ///
    /// They stand alone: no order of just these explains their answers, except for what `besides` says. A failed
    /// operation can be among them; it did not take place.
    pub operations: Vec<usize>,
    /// Those of the operations that the claim is about, ascending, where the others only set what these found, so that
    /// all stand alone. Empty if the claim is about all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisive: Vec<usize>,
    /// Assumption about the rest of the history that makes so few operations suffice, in words that follow "these
    /// operations contradict each other": for example, a cas whose expected value is set by operations that are not
    /// among these counts as a write; a counter is also incremented by others; other elements are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub besides: Option<String>,
    /// Claim of what is wrong, in one sentence.
    pub claim: String,
    /// Reasons why one operation must come before another, one after the other until they form a cycle.
    pub reasons: Vec<String>,
    /// Staleness of the read, where that is certain.
    pub staleness: Option<Staleness>,
    /// Sentence about what a correct system could have answered instead, for a violation of reads and writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub possible: Option<String>,
    /// Sentence about what the revisions that the store returned say of the violation, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<String>,
}

/// Certain lower bounds on how stale a read was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staleness {
    /// Nanoseconds from the moment when a newer value was certainly in effect until the read began.
    pub behind_ns: u64,
    /// Number of newer values that were certainly in effect when the read began; at least 1.
    pub writes: usize,
}

/// Compares two keys in the order of a report.
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

/// Splits a text into its name and the number at its end: `k10` into (`k`, 10).
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
