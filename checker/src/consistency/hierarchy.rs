//! Hierarchy of consistency models: which of them hold, and for each that does not, the few operations
//! that violate it.

use std::fmt;

use histories::Value;
use serde::{Deserialize, Serialize};

/// Consistency model, in order from strong to weak. Each is defined in the module that tests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Linearizability: one order of all operations that respects real time explains every answer (Herlihy and Wing
    /// 1990).
    Linearizable,
    /// Regularity: each look by itself fits some order of the changes in real time (Lamport 1986; Shao, Pierce and
    /// Welch 2003).
    Regular,
    /// Sequential consistency of each key by itself: one order that keeps the order of each session explains every
    /// answer. Equivalent to all four session guarantees together, in one version order.
    SequentialPerKey,
    /// Monotonic reads: no session finds an older value than it had found before (per key).
    MonotonicReads,
    /// Monotonic writes: the values that a session sets come in the order in which it set them (per key).
    MonotonicWrites,
    /// Read your writes: no session finds an older value than it had set (per key).
    ReadYourWrites,
    /// Writes follow reads: the values that a session sets are newer than those it had found (per key).
    WritesFollowReads,
    /// Causal consistency over all keys: no operation finds a value that a change in its causal past replaced (CC of
    /// Bouajjani et al. 2017).
    Causal,
    /// Convergence: after the last change all nodes answer alike, and no acknowledged change is lost.
    Converged,
}

impl Consistency {
    /// Models in the order from strong to weak.
    pub const ALL: [Self; 9] = [
        Self::Linearizable,
        Self::Regular,
        Self::SequentialPerKey,
        Self::MonotonicReads,
        Self::MonotonicWrites,
        Self::ReadYourWrites,
        Self::WritesFollowReads,
        Self::Causal,
        Self::Converged,
    ];

    /// Returns true if `other` holds of every history of which `self` holds.
    pub fn implies(self, other: Self) -> bool {
        use Consistency as C;
        match self {
            C::Linearizable => true,
            C::SequentialPerKey => {
                matches!(other, C::MonotonicReads | C::MonotonicWrites | C::ReadYourWrites | C::WritesFollowReads)
                    || other == self
            }
            _ => other == self,
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linearizable => "linearizable",
            Self::Regular => "regular",
            Self::SequentialPerKey => "sequential per key",
            Self::MonotonicReads => "monotonic reads",
            Self::MonotonicWrites => "monotonic writes",
            Self::ReadYourWrites => "read your writes",
            Self::WritesFollowReads => "writes follow reads",
            Self::Causal => "causal",
            Self::Converged => "converged in the end",
        })
    }
}

/// Result for one model on a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", try_from = "StatusFields")]
pub enum ModelStatus {
    /// The model holds.
    Holds,
    /// The model does not hold.
    Fails {
        /// Clearest evidence.
        witness: Witness,
        /// Number of keys that fail by themselves; 1 for a model that is about all keys at once.
        keys: usize,
    },
    /// The model was not checked completely.
    NotChecked {
        /// Reason, in a few words.
        why: String,
    },
}

/// Fields of any status, as they are read: values cannot be read through serde's own tagged enums.
#[derive(Deserialize)]
struct StatusFields {
    is: String,
    witness: Option<Witness>,
    keys: Option<usize>,
    why: Option<String>,
}

impl TryFrom<StatusFields> for ModelStatus {
    type Error = String;

    fn try_from(fields: StatusFields) -> Result<Self, String> {
        match fields {
            StatusFields { is, .. } if is == "holds" => Ok(Self::Holds),
            StatusFields { is, witness: Some(witness), keys: Some(keys), .. } if is == "fails" => {
                Ok(Self::Fails { witness, keys })
            }
            StatusFields { is, why: Some(why), .. } if is == "not-checked" => Ok(Self::NotChecked { why }),
            StatusFields { is, .. } => Err(format!("no standing: {is:?}")),
        }
    }
}

/// Operations, as few as possible, that already violate a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// Indexes into [`histories::History::operations`], ascending. They stand alone, as
    /// [`crate::Evidence::operations`] do.
    pub operations: Vec<usize>,
    /// Key of the violation, if it is about a single key.
    pub key: Option<Value>,
    /// Claim of what violates the model, in one sentence.
    pub claim: String,
}

/// Model with its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HierarchyLevel {
    /// Consistency model.
    pub model: Consistency,
    /// Result for the model.
    #[serde(rename = "standing")]
    pub status: ModelStatus,
}

/// Results for all models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Results in the order of [`Consistency::ALL`].
    #[serde(rename = "rungs")]
    pub levels: Vec<HierarchyLevel>,
    /// Number of keys in the history.
    pub keys: usize,
    /// Number of sessions, which are processes. A session ends with an operation of unknown outcome, because its
    /// process is never used again.
    pub sessions: usize,
}

impl Hierarchy {
    /// Returns the result for a model.
    pub fn status(&self, model: Consistency) -> &ModelStatus {
        let level = self.levels.iter().find(|level| level.model == model);
        &level.expect("each model has its level").status
    }

    /// Replaces the result for linearizability by that of the check itself: `violated` keys fail, as this witness
    /// shows.
    pub fn refute(&mut self, witness: Witness, violated: usize) {
        let level = self.levels.iter_mut().find(|level| level.model == Consistency::Linearizable);
        level.expect("each model has its level").status = ModelStatus::Fails { witness, keys: violated };
    }

    /// Returns the models that hold and that are not implied by a stronger one that holds.
    pub fn strongest(&self) -> Vec<Consistency> {
        let holds: Vec<Consistency> =
            self.levels.iter().filter(|level| level.status == ModelStatus::Holds).map(|level| level.model).collect();
        let implied = |model: Consistency| holds.iter().any(|&other| other != model && other.implies(model));
        holds.iter().copied().filter(|&model| !implied(model)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Consistency as C, Hierarchy, HierarchyLevel, ModelStatus, Witness};

    fn hierarchy(holds: &[C]) -> Hierarchy {
        let status = |model: &C| {
            if holds.contains(model) {
                ModelStatus::Holds
            } else {
                ModelStatus::NotChecked { why: "a test".to_owned() }
            }
        };
        let levels = C::ALL.iter().map(|model| HierarchyLevel { model: *model, status: status(model) }).collect();
        Hierarchy { levels, keys: 1, sessions: 1 }
    }

    #[test]
    fn the_strongest_models_are_those_that_no_other_implies() {
        assert_eq!(hierarchy(&C::ALL).strongest(), [C::Linearizable]);
        let below = hierarchy(&C::ALL[1..]).strongest();
        assert_eq!(below, [C::Regular, C::SequentialPerKey, C::Causal, C::Converged]);
        let sessions = [C::MonotonicReads, C::ReadYourWrites, C::Converged];
        assert_eq!(hierarchy(&sessions).strongest(), sessions);
        assert_eq!(hierarchy(&[]).strongest(), []);
    }

    #[test]
    fn the_verdict_stands_on_the_ladder_too() {
        let mut hierarchy = hierarchy(&[C::Causal]);
        let witness = Witness { operations: vec![1, 4], key: Some(7.into()), claim: "stale".to_owned() };
        hierarchy.refute(witness.clone(), 3);
        assert_eq!(hierarchy.status(C::Linearizable), &ModelStatus::Fails { witness, keys: 3 });
        assert_eq!(hierarchy.strongest(), [C::Causal]);
    }

    #[test]
    fn sequential_per_key_implies_the_sessions_and_itself_but_not_what_spans_keys() {
        let implied: Vec<C> = C::ALL.into_iter().filter(|&other| C::SequentialPerKey.implies(other)).collect();
        let sessions = [C::MonotonicReads, C::MonotonicWrites, C::ReadYourWrites, C::WritesFollowReads];
        assert_eq!(implied, [&[C::SequentialPerKey][..], &sessions].concat());
        assert!(C::ALL.into_iter().all(|other| C::Linearizable.implies(other)));
        assert!(C::ALL.into_iter().all(|model| model.implies(model)));
        assert!(!C::Causal.implies(C::MonotonicReads));
    }
}
