//! From a history to the steps of each key: split by key (linearizability is local: Herlihy and Wing 1990, theorem 1), without
//! what cannot matter, and with values numbered from 0 within each key.

use histories::{Function, History, NEVER, Operation, Outcome, Value, ValueId};

use crate::{
    Model,
    memory::of_vec,
    model::{Argument, is_compound},
    patience::{OutOf, Patience},
    report::key_order,
    weight::Tally,
};

/// A value's number within one key.
pub(crate) type Val = u32;

/// The number of the initial value in every key.
pub(crate) const INITIAL: Val = 0;

const ABSENT: Val = Val::MAX;

/// What an operation does at its one moment, if it takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Finds this value: a read, or a cas that found this instead of what it expected.
    Read(Val),
    /// Finds any other value than this: a cas that did not match, and nothing else is known.
    NotEqual(Val),
    /// Finds this value and another one at once: a cas that says it did not match, and that it found what it expected.
    Contradiction(Val),
    /// Replaces the value.
    Write(Val),
    /// Finds `from` and replaces it by `to`.
    Cas {
        /// What it expected and found.
        from: Val,
        /// What it set.
        to: Val,
    },
    /// Adds this text at the end.
    Append(Val),
}

impl Action {
    /// Whether it leaves the value as it is.
    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Self::Read(_) | Self::NotEqual(_) | Self::Contradiction(_))
    }

    /// The value that it leaves behind, if that is independent of the value before.
    pub(crate) fn installs(self) -> Option<Val> {
        match self {
            Self::Write(to) | Self::Cas { to, .. } => Some(to),
            Self::Read(_) | Self::NotEqual(_) | Self::Contradiction(_) | Self::Append(_) => None,
        }
    }
}

/// An operation that happened, or may have happened, between two ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its index in the history.
    pub operation: u32,
    /// Rank of its invocation.
    pub start: u32,
    /// Rank of its completion; [`NEVER`] if nobody knows whether it happened.
    pub end: u32,
    /// What it does.
    pub action: Action,
}

impl Step {
    fn of(operation: &Operation, index: u32, action: Action) -> Self {
        Self { operation: index, start: operation.invoked, end: end(operation), action }
    }

    /// Whether it did happen.
    pub(crate) fn is_certain(&self) -> bool {
        self.end != NEVER
    }
}

/// One key's steps, in the order of their invocations.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// What happened or may have.
    pub steps: Vec<Step>,
    /// Each value's number in the history, by its number here; that of the initial value is `None` where the history does not
    /// have it.
    pub values: Vec<Option<ValueId>>,
    /// Changes that certainly did not happen: for explanations only.
    pub failed: Vec<u32>,
}

/// One key's steps by their numbers, wherever they are kept.
pub(crate) trait Steps {
    /// Larger than the number of every step.
    fn end(&self) -> u32;
    /// Larger than the number of every value.
    fn values(&self) -> usize;
    /// The step with this number; nothing where that is an operation that does not count.
    fn step(&self, number: u32) -> Option<Step>;
    /// The start and the end of the step with this number.
    fn span(&self, number: u32) -> (u32, u32);
    /// The operations that certainly changed nothing, as [`Prepared::failed`].
    fn failed(&self) -> Vec<u32>;
}

impl Steps for Prepared {
    fn end(&self) -> u32 {
        u32::try_from(self.steps.len()).expect("steps are numbered by u32")
    }

    fn values(&self) -> usize {
        self.values.len()
    }

    fn step(&self, number: u32) -> Option<Step> {
        Some(self.steps[number as usize])
    }

    fn span(&self, number: u32) -> (u32, u32) {
        let step = &self.steps[number as usize];
        (step.start, step.end)
    }

    fn failed(&self) -> Vec<u32> {
        self.failed.clone()
    }
}

/// The one key of a long history, prepared whenever it is looked at, since memory is what takes time: steps have the numbers of
/// their operations, values those of the history and one more.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    history: &'a History,
    model: Model,
    initial: Option<ValueId>,
}

impl<'a> Whole<'a> {
    /// Nothing if these operations are not all of the history.
    pub(crate) fn of(history: &'a History, model: Model, initial: &Value, operations: &[u32]) -> Option<Self> {
        let fits = operations.len() == history.operations.len();
        fits.then(|| Self { history, model, initial: history.values.find(initial) })
    }
}

impl Steps for Whole<'_> {
    fn end(&self) -> u32 {
        u32::try_from(self.history.operations.len()).expect("operations are numbered by u32")
    }

    fn values(&self) -> usize {
        self.history.values.len() + 1
    }

    #[inline]
    fn step(&self, number: u32) -> Option<Step> {
        let operation = &self.history.operations[number as usize];
        let value = |id: ValueId| if self.initial == Some(id) { INITIAL } else { id.0 + 1 };
        // What the model does not have, no method for plain registers has either.
        let action = action(operation, self.model, value).unwrap_or(Some(Action::Append(INITIAL)))?;
        Some(Step::of(operation, number, action))
    }

    #[inline]
    fn span(&self, number: u32) -> (u32, u32) {
        let operation = &self.history.operations[number as usize];
        (operation.invoked, end(operation))
    }

    fn failed(&self) -> Vec<u32> {
        let all = (0..).zip(&self.history.operations);
        all.filter(|(_, operation)| is_failed_change(operation)).map(|(index, _)| index).collect()
    }
}

/// Prepares one key after the other, with the same tables.
#[derive(Debug)]
pub(crate) struct Preparer<'a> {
    history: &'a History,
    model: Model,
    initial: Option<ValueId>,
    numbers: Vec<Val>,
}

impl<'a> Preparer<'a> {
    pub(crate) fn new(history: &'a History, model: Model, initial: &Value) -> Self {
        Self { history, model, initial: history.values.find(initial), numbers: Vec::new() }
    }

    /// What it and the steps of so many operations take, in bytes.
    fn bytes(&self, operations: usize) -> usize {
        let values = 2 * operations.min(self.history.values.len());
        operations * size_of::<Step>()
            + values * size_of::<Option<ValueId>>()
            + of_vec(&self.numbers, self.history.values.len() - self.numbers.len())
    }

    /// The steps of the operations with these indexes; the first that the model does not have, if one may have happened.
    pub(crate) fn prepare(
        &mut self,
        operations: &[u32],
        patience: &Patience<'_>,
    ) -> Result<Result<Prepared, u32>, OutOf> {
        patience.room(self.bytes(operations.len()))?;
        self.numbers.resize(self.history.values.len(), ABSENT);
        let mut prepared =
            Prepared { steps: Vec::with_capacity(operations.len()), values: vec![self.initial], failed: Vec::new() };
        if let Some(initial) = self.initial {
            self.numbers[initial.0 as usize] = INITIAL;
        }
        let ended = operations.iter().find_map(|&index| {
            if let Err(out) = patience.step() {
                return Some(Err(out));
            }
            let operation = &self.history.operations[index as usize];
            if is_failed_change(operation) {
                prepared.failed.push(index);
            }
            let values = &mut prepared.values;
            let number = |id: ValueId| {
                let number = &mut self.numbers[id.0 as usize];
                if *number == ABSENT {
                    *number = u32::try_from(values.len()).expect("a key has fewer values than the history");
                    values.push(Some(id));
                }
                *number
            };
            match action(operation, self.model, number) {
                Ok(Some(Action::Append(_))) if is_compound(self.history.value(operation.input)) => Some(Ok(index)),
                Ok(Some(action)) => {
                    prepared.steps.push(Step::of(operation, index, action));
                    None
                }
                Ok(None) => None,
                Err(Foreign) => Some(Ok(index)),
            }
        });
        for value in prepared.values.iter().flatten() {
            self.numbers[value.0 as usize] = ABSENT;
        }
        ended.transpose().map(|unknown| unknown.map_or(Ok(prepared), Err))
    }
}

fn is_failed_change(operation: &Operation) -> bool {
    operation.outcome == Outcome::Fail && operation.input != ValueId::UNKNOWN
}

/// When an operation ended: never, if nobody knows whether it happened.
fn end(operation: &Operation) -> u32 {
    if operation.outcome == Outcome::Info { NEVER } else { operation.completed }
}

/// That the model has no such operation.
struct Foreign;

/// What an operation does, given each value's number; nothing if it did not happen, or only looked and nobody knows what it saw.
#[inline]
fn action(
    operation: &Operation,
    model: Model,
    mut number: impl FnMut(ValueId) -> Val,
) -> Result<Option<Action>, Foreign> {
    let certain = match operation.outcome {
        Outcome::Fail => return Ok(None),
        // What a read asks for, nobody here knows.
        _ if operation.function == Function::Read && !Argument::NoneOrAnswer.fits(operation) => return Err(Foreign),
        Outcome::Info => false,
        Outcome::Ok | Outcome::Mismatch => true,
    };
    // Nobody says what was not said.
    let mut number = |id: ValueId| number(if id == ValueId::UNKNOWN { ValueId(0) } else { id });
    let action = match (operation.function, model) {
        (Function::Read, _) if !certain || operation.output == ValueId::UNKNOWN => return Ok(None),
        (Function::Read, _) => Action::Read(number(operation.output)),
        (Function::Cas, _) if operation.outcome == Outcome::Mismatch => {
            let expected = number(operation.input);
            match operation.output {
                ValueId::UNKNOWN => Action::NotEqual(expected),
                found if found == operation.input => Action::Contradiction(expected),
                found => Action::Read(number(found)),
            }
        }
        (Function::Cas, _) => Action::Cas { from: number(operation.input), to: number(operation.to) },
        (_, _) if operation.outcome == Outcome::Mismatch => return Ok(None),
        (Function::Write, _) => Action::Write(number(operation.input)),
        (Function::Append, Model::KeyValue) => Action::Append(number(operation.input)),
        (Function::Delete, Model::KeyValue) if operation.input == ValueId::NIL => Action::Write(INITIAL),
        _ => return Err(Foreign),
    };
    Ok(Some(action))
}

/// The operations of each key, by their indexes, in the order of their invocations; keys in the order of the report.
pub(crate) struct Keys {
    operations: Vec<u32>,
    keys: Vec<(ValueId, std::ops::Range<usize>)>,
    /// How all of them ended, where they are of one key: they were looked at already.
    whole: Option<Tally>,
}

impl Keys {
    pub(crate) fn split(history: &History, patience: &Patience<'_>) -> Result<Self, OutOf> {
        let all = &history.operations;
        patience.room(all.len() * size_of::<u32>())?;
        let mut tally = Tally::default();
        let mut is_of = |operation: &Operation, key| {
            tally.add(operation);
            operation.key == key
        };
        if let Some(first) = all.first().filter(|first| all.iter().all(|operation| is_of(operation, first.key))) {
            let operations = (0..).zip(all).map(|(index, _)| index).collect();
            return Ok(Self { operations, keys: vec![(first.key, 0..all.len())], whole: Some(tally) });
        }
        patience.room(all.len() * size_of::<u32>() + history.values.len() * size_of::<usize>())?;
        let mut ends = vec![0_usize; history.values.len()];
        for operation in &history.operations {
            ends[operation.key.0 as usize] += 1;
        }
        let count = ends.iter().filter(|end| **end > 0).count();
        // They are sorted with room for half of them.
        patience.room(all.len() * size_of::<u32>() + 2 * count * size_of::<(ValueId, std::ops::Range<usize>)>())?;
        let mut keys = Vec::with_capacity(count);
        let mut total = 0;
        for (id, end) in ends.iter_mut().enumerate() {
            let count = std::mem::replace(end, total);
            if count > 0 {
                keys.push((ValueId(u32::try_from(id).expect("value numbers are u32")), total..total + count));
                total += count;
            }
        }
        let mut operations = vec![0; total];
        for (index, operation) in (0_u32..).zip(&history.operations) {
            let place = &mut ends[operation.key.0 as usize];
            operations[*place] = index;
            *place += 1;
        }
        keys.sort_by(|a, b| key_order(history.value(a.0), history.value(b.0)));
        Ok(Self { operations, keys, whole: None })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn id(&self, key: usize) -> ValueId {
        self.keys[key].0
    }

    /// How the operations of a key ended.
    pub(crate) fn tally(&self, history: &History, key: usize) -> Tally {
        self.whole.unwrap_or_else(|| Tally::of(history, self.operations(key)))
    }

    pub(crate) fn operations(&self, key: usize) -> &[u32] {
        &self.operations[self.keys[key].1.clone()]
    }
}
