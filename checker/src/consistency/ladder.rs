//! What the ladder answers: which consistency models hold, and for each that does not, the few operations that show it.

use std::fmt;

use histories::Value;
use serde::Serialize;

/// A consistency model, from strong to weak; each is defined where it is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// One order of all operations that respects real time explains every answer (Herlihy and Wing 1990).
    Linearizable,
    /// Each look by itself fits an order of the changes in real time (Lamport 1986; Shao, Pierce and Welch 2003).
    Regular,
    /// Of each key by itself, one order that keeps what each session did in its order explains every answer. The same as all four session
    /// guarantees together.
    SequentialPerKey,
    /// No session finds an older value than it had found (per key).
    MonotonicReads,
    /// What a session sets comes in the order in which it did (per key).
    MonotonicWrites,
    /// No session finds an older value than it had set (per key).
    ReadYourWrites,
    /// What a session sets is newer than what it had found (per key).
    WritesFollowReads,
    /// Over all keys, nobody finds what was replaced by something that he knows of (CC of Bouajjani et al. 2017).
    Causal,
    /// After the last change all nodes answer as one, and nothing acknowledged is lost.
    Converged,
}

impl Consistency {
    /// All of them, the strong ones first.
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

    /// Whether every history of which `self` holds is one of which `other` holds.
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

/// Whether a model holds of a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Standing {
    /// It does.
    Holds,
    /// It does not.
    Fails {
        /// The clearest reason.
        witness: Witness,
        /// How many keys fail by themselves; 1 of a model that is about all keys at once.
        keys: usize,
    },
    /// Nobody knows.
    NotChecked {
        /// Why, in a few words.
        why: String,
    },
}

/// The few operations that already contradict a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Witness {
    /// Indexes into [`histories::History::operations`], ascending. They stand alone, as [`crate::Evidence::operations`] do.
    pub operations: Vec<usize>,
    /// Where it is about one key, which.
    pub key: Option<Value>,
    /// What contradicts the model, in one sentence.
    pub claim: String,
}

/// A model, and how the history stands to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// Which.
    pub model: Consistency,
    /// How.
    pub standing: Standing,
}

/// All models, and how the history stands to each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ladder {
    /// In the order of [`Consistency::ALL`].
    pub rungs: Vec<Rung>,
    /// How many keys the history has.
    pub keys: usize,
    /// How many sessions: processes. One ends with an operation of unknown outcome, for its process never comes back.
    pub sessions: usize,
}

impl Ladder {
    /// How the history stands to a model.
    pub fn standing(&self, model: Consistency) -> &Standing {
        let rung = self.rungs.iter().find(|rung| rung.model == model);
        &rung.expect("each model has its rung").standing
    }

    /// Says of linearizability what the check itself found out: that `violated` keys fail, as this witness shows.
    pub fn refute(&mut self, witness: Witness, violated: usize) {
        let rung = self.rungs.iter_mut().find(|rung| rung.model == Consistency::Linearizable);
        rung.expect("each model has its rung").standing = Standing::Fails { witness, keys: violated };
    }

    /// The models that hold and that no stronger one that holds implies.
    pub fn strongest(&self) -> Vec<Consistency> {
        let holds: Vec<Consistency> =
            self.rungs.iter().filter(|rung| rung.standing == Standing::Holds).map(|rung| rung.model).collect();
        let implied = |model: Consistency| holds.iter().any(|&other| other != model && other.implies(model));
        holds.iter().copied().filter(|&model| !implied(model)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Consistency as C, Ladder, Rung, Standing, Witness};

    fn ladder(holds: &[C]) -> Ladder {
        let standing = |model: &C| {
            if holds.contains(model) { Standing::Holds } else { Standing::NotChecked { why: "a test".to_owned() } }
        };
        let rungs = C::ALL.iter().map(|model| Rung { model: *model, standing: standing(model) }).collect();
        Ladder { rungs, keys: 1, sessions: 1 }
    }

    #[test]
    fn the_strongest_models_are_those_that_no_other_implies() {
        assert_eq!(ladder(&C::ALL).strongest(), [C::Linearizable]);
        let below = ladder(&C::ALL[1..]).strongest();
        assert_eq!(below, [C::Regular, C::SequentialPerKey, C::Causal, C::Converged]);
        let sessions = [C::MonotonicReads, C::ReadYourWrites, C::Converged];
        assert_eq!(ladder(&sessions).strongest(), sessions);
        assert_eq!(ladder(&[]).strongest(), []);
    }

    #[test]
    fn the_verdict_stands_on_the_ladder_too() {
        let mut ladder = ladder(&[C::Causal]);
        let witness = Witness { operations: vec![1, 4], key: Some(7.into()), claim: "stale".to_owned() };
        ladder.refute(witness.clone(), 3);
        assert_eq!(ladder.standing(C::Linearizable), &Standing::Fails { witness, keys: 3 });
        assert_eq!(ladder.strongest(), [C::Causal]);
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
