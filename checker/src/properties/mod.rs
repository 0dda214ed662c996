//! Properties of all operations on a key together, for models that are no object with one state: what must hold of the
//! answers, whatever the order of the operations. One file each; `crate::objects` lists them among the models.
//!
//! A property that is violated comes with a few operations that violate it alone. That is confirmed by a second, plain
//! definition of the property, which is also what tests compare on random histories.

mod bank;
mod causal;
mod causal_reverse;
mod final_reads;
mod g2;
mod kafka;
mod key;
mod leased_lock;
mod monotonic;
mod pn_counter;
mod sequential;
mod set_full;
mod unique_ids;

use histories::{History, Outcome, Value};

use crate::{
    Evidence, Limits, UnknownWhy,
    shrink::{MAX_CHANGES_SHOWN, merged},
    sorted::sorted,
    specification::Call,
};

pub(crate) use bank::Bank;
pub use bank::bank_total;
pub(crate) use causal::Causal;
pub(crate) use causal_reverse::CausalReverse;
pub(crate) use g2::G2;
pub(crate) use kafka::Kafka;
use key::{FewCalls, Key};
pub(crate) use leased_lock::LeasedLock;
pub(crate) use monotonic::Monotonic;
pub(crate) use pn_counter::PnCounter;
pub(crate) use sequential::Sequential;
pub(crate) use set_full::{SetFull, figures::set_figures};
pub(crate) use unique_ids::UniqueIds;

/// Property of the operations on one key, or on all of them.
pub(crate) trait Property: Sync {
    /// Checks that the property is defined for histories with this call.
    ///
    /// # Errors
    /// The reason, if it is not.
    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy>;

    /// Returns true if the property is one of all keys together, and not of each.
    fn spans_keys(&self) -> bool {
        false
    }

    /// Finds a violation, in near-linear time. Returns `None` if there is none.
    ///
    /// # Errors
    /// The reason why it cannot be said, such as a limit.
    fn violation(&self, key: &Key<'_>) -> Result<Option<Violation>, UnknownWhy>;

    /// Returns true if these operations violate the property by themselves: its plain definition.
    fn is_violated_by(&self, few: &FewCalls<'_>) -> bool;
}

/// Violation of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Indexes of the operations that violate it, alone or together with `besides`.
    operations: Vec<u32>,
    /// Further operations that count, too many to be shown, with the words that say so.
    besides: Option<Besides>,
    /// Claim of what is wrong, in one sentence.
    claim: String,
}

impl Violation {
    /// Returns a violation by these operations (indexes) alone.
    fn alone(operations: Vec<u32>, claim: String) -> Self {
        Self { operations, besides: None, claim }
    }

    /// Returns a violation by these operations (indexes) and further changes: with them where they are few.
    fn with_changes(operations: &[u32], what: &'static str, changes: Vec<u32>, claim: String) -> Self {
        if changes.len() <= MAX_CHANGES_SHOWN {
            return Self::alone(merged(&sorted(operations.to_vec()), &changes), claim);
        }
        let besides = Some(Besides { what, operations: changes });
        Self { operations: operations.to_vec(), besides, claim }
    }
}

/// Operations that count beside those that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Besides {
    /// Words that name them, in the plural.
    what: &'static str,
    /// Their indexes.
    operations: Vec<u32>,
}

/// Returns true if the property is defined for a function of this name.
pub(crate) fn has(property: &dyn Property, function: &str) -> bool {
    let nil = &Value::Nil;
    let call = Call { function, input: nil, to: nil, output: None, mismatch: false, process: 0 };
    !matches!(property.accepts(&call), Err(UnknownWhy::Function { .. }))
}

/// Decides whether a property holds of the operations (indexes) of one key, or of all. Returns the evidence if it is
/// violated.
///
/// # Errors
/// The reason why it cannot be said; also if the second opinion does not confirm a violation.
pub(crate) fn decide(
    property: &dyn Property,
    history: &History,
    initial: &Value,
    limits: &Limits<'_>,
    operations: &[u32],
) -> Result<Option<Evidence>, UnknownWhy> {
    let key = Key::new(history, initial, limits, operations)?;
    for (_, operation) in key.all() {
        key.step()?;
        if operation.outcome != Outcome::Fail {
            property.accepts(&key.call(operation))?;
        }
    }
    let Some(Violation { operations, besides, claim }) = property.violation(&key)? else { return Ok(None) };
    let (operations, others) = (sorted(operations), besides.as_ref().map_or(&[][..], |besides| &besides.operations));
    if !property.is_violated_by(&key.few(&merged(&operations, others))) {
        return Err(UnknownWhy::Internal { what: format!("a second definition does not confirm that {claim}") });
    }
    let operations = operations.into_iter().map(|index| index as usize).collect();
    let besides = besides.map(|besides| key.given_all(besides.what));
    Ok(Some(Evidence { operations, besides, claim, ..Evidence::default() }))
}

#[cfg(test)]
pub(crate) mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process};
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    use super::*;
    use crate::words::by;

    /// Operation in sequence or overlapping others: function, argument, answer; `None` if its outcome is unknown.
    pub(crate) type RandomCall = (&'static str, Value, Option<Value>);

    /// Builds a history of these events: process, kind, function, value.
    pub(crate) fn history(events: &[(u64, EventType, &'static str, Value)]) -> History {
        let mut builder = HistoryBuilder::default();
        for (time, (process, kind, f, value)) in (0..).zip(events) {
            let event = Event::new(Process::Client(*process), *kind, *f);
            builder.push(Event { time: time * 1_000_000, value: Some(value.clone()), ..event }).unwrap();
        }
        builder.finish()
    }

    /// Returns what is decided about the operations of a history without keys.
    pub(crate) fn decided(
        property: &dyn Property,
        history: &History,
        initial: &Value,
    ) -> Result<Option<Evidence>, UnknownWhy> {
        let decided = decide(property, history, initial, &Limits::none(), &all(history));
        if let Ok(Some(Evidence { operations, claim, .. })) = &decided {
            let is_named = |index: &usize| claim.contains(&by(history, *index));
            assert!(operations.iter().any(is_named), "whom does it name: {claim}");
        }
        decided
    }

    /// Returns the indexes of all operations.
    pub(crate) fn all(history: &History) -> Vec<u32> {
        (0..u32::try_from(history.operations.len()).unwrap()).collect()
    }

    /// Returns the operations of the evidence and the claim, if the property is violated.
    pub(crate) fn found(property: &dyn Property, history: &History, initial: &Value) -> Option<(Vec<usize>, String)> {
        decided(property, history, initial).unwrap().map(|evidence| (evidence.operations, evidence.claim))
    }

    /// Returns true if the property is violated, as `found` says; the plain definition must agree.
    pub(crate) fn agreed(
        property: &dyn Property,
        history: &History,
        initial: &Value,
        found: Option<&Evidence>,
        seed: u64,
    ) -> bool {
        let all = all(history);
        let key = Key::new(history, initial, &Limits::none(), &all).unwrap();
        assert_eq!(found.is_some(), property.is_violated_by(&key.few(&all)), "seed {seed}: {found:?} {history:?}");
        found.is_some()
    }

    /// Returns a list of numbers.
    pub(crate) fn list(numbers: &[i64]) -> Value {
        Value::List(numbers.iter().copied().map(Value::Int).collect())
    }

    /// Builds a random history of up to `most` calls, which overlap; one in ten fails, and one in ten has an unknown
    /// outcome.
    pub(crate) fn random(seed: u64, most: u64, mut call: impl FnMut(&mut Pcg64) -> RandomCall) -> History {
        let mut random = Pcg64::seed_from_u64(seed);
        let (mut events, mut open, mut process) = (Vec::new(), Vec::new(), 0);
        for _ in 0..random.random_range(1..=most) {
            process += 1;
            let (f, argument, answer) = call(&mut random);
            events.push((process, EventType::Invoke, f, argument.clone()));
            open.push((process, f, argument, answer));
            while !open.is_empty() && random.random_range(0..3) > 0 {
                let (process, f, argument, answer) = open.swap_remove(random.random_range(0..open.len()));
                events.push(match (answer, random.random_range(0..10)) {
                    (_, 0) => (process, EventType::Fail, f, argument),
                    (None, _) | (_, 1) => (process, EventType::Info, f, argument),
                    (Some(answer), _) => (process, EventType::Ok, f, answer),
                });
            }
        }
        history(&events)
    }

    /// Compares both definitions on random histories, and counts those that hold and those that do not.
    pub(crate) fn compare(
        property: &dyn Property,
        initial: &Value,
        most: u64,
        mut call: impl FnMut(&mut Pcg64) -> RandomCall,
    ) {
        compare_if(property, initial, most, &mut call, |found| Some(found.unwrap()));
    }

    /// Compares both definitions like [`compare`], leaving out what is unknown.
    pub(crate) fn compare_where_known(
        property: &dyn Property,
        initial: &Value,
        most: u64,
        mut call: impl FnMut(&mut Pcg64) -> RandomCall,
    ) {
        compare_if(property, initial, most, &mut call, Result::ok);
    }

    fn compare_if(
        property: &dyn Property,
        initial: &Value,
        most: u64,
        call: &mut dyn FnMut(&mut Pcg64) -> RandomCall,
        counts_if: impl Fn(Result<Option<Evidence>, UnknownWhy>) -> Option<Option<Evidence>>,
    ) {
        let mut counts = [0; 2];
        for seed in 0..2000 {
            let history = random(seed, most, &mut *call);
            let Some(found) = counts_if(decided(property, &history, initial)) else { continue };
            counts[usize::from(agreed(property, &history, initial, found.as_ref(), seed))] += 1;
        }
        assert!(counts.iter().all(|count| *count > 200), "the comparison is one-sided: {counts:?}");
    }
}
