//! Steps of each key of a history: split by key (linearizability is local: Herlihy and Wing 1990, theorem 1), without
//! the operations that cannot matter, and with values numbered from 0 within each key.

use histories::{Function, History, NEVER, Operation, Outcome, Value, ValueId};

use crate::{
    budget::{Budget, Shortage},
    index::OptionalIndex,
    memory::of_vec,
    report::key_order,
    specification::{Argument, is_compound},
    tally::Tally,
};

/// Number of a value within one key.
pub(crate) type Val = u32;

/// Number of the initial value in every key.
pub(crate) const INITIAL: Val = 0;

/// Effect of an operation at its linearization point, if it takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Finds this value: a read, or a cas that did not match and reported this value.
    Read(Val),
    /// Finds any value but this one: a cas that did not match and did not report what it found.
    NotEqual(Val),
    /// Finds this value and another one at once: a cas that did not match, yet reported the value it expected.
    Contradiction(Val),
    /// Sets the value.
    Write(Val),
    /// Finds `from` and sets `to`.
    Cas {
        /// Value that it expected and found.
        from: Val,
        /// Value that it set.
        to: Val,
    },
    /// Appends this text.
    Append(Val),
}

impl Action {
    /// Returns true if it leaves the value unchanged.
    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Self::Read(_) | Self::NotEqual(_) | Self::Contradiction(_))
    }

    /// Returns the value that it leaves behind, if that does not depend on the value before.
    pub(crate) fn installs(self) -> Option<Val> {
        match self {
            Self::Write(to) | Self::Cas { to, .. } => Some(to),
            Self::Read(_) | Self::NotEqual(_) | Self::Contradiction(_) | Self::Append(_) => None,
        }
    }
}

/// Operation that took place, or may have, between two ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step<A = Action> {
    /// Index of the operation in the history.
    pub operation: u32,
    /// Rank of its invocation.
    pub start: u32,
    /// Rank of its completion; [`NEVER`] if the outcome is unknown.
    pub end: u32,
    /// Effect of the operation.
    pub action: A,
}

impl Step {
    fn of(operation: &Operation, index: u32, action: Action) -> Self {
        Self { operation: index, start: operation.invoked, end: end(operation), action }
    }
}

impl<A> Step<A> {
    /// Returns true if it certainly took place.
    pub(crate) fn is_certain(&self) -> bool {
        self.end != NEVER
    }
}

/// Steps of one key, in the order of their invocations.
#[derive(Clone, Debug)]
pub(crate) struct KeySteps {
    /// Operations that took place or may have.
    pub steps: Vec<Step>,
    /// Number of each value in the history, by its number in the key; `None` for an initial value that the history
    /// does not contain.
    pub values: Vec<Option<ValueId>>,
    /// Changes that certainly did not take place, by index in the history; used only for explanations.
    pub failed: Vec<u32>,
}

/// Steps of one key by their numbers, wherever they are stored.
pub(crate) trait Steps {
    /// Returns an upper bound (exclusive) on the numbers of steps.
    fn end(&self) -> u32;
    /// Returns an upper bound (exclusive) on the numbers of values.
    fn values(&self) -> usize;
    /// Returns the step with this number, or `None` if that operation does not count.
    fn step(&self, number: u32) -> Option<Step>;
    /// Returns the operation of the step with this number.
    fn operation(&self, number: u32) -> u32;
    /// Returns the start and the end of the step with this number.
    fn span(&self, number: u32) -> (u32, u32);
    /// Returns the operations that certainly changed nothing, like [`KeySteps::failed`].
    fn failed(&self) -> Vec<u32>;
}

impl Steps for KeySteps {
    fn end(&self) -> u32 {
        u32::try_from(self.steps.len()).expect("steps are numbered by u32")
    }

    fn values(&self) -> usize {
        self.values.len()
    }

    fn step(&self, number: u32) -> Option<Step> {
        Some(self.steps[number as usize])
    }

    fn operation(&self, number: u32) -> u32 {
        self.steps[number as usize].operation
    }

    fn span(&self, number: u32) -> (u32, u32) {
        let step = &self.steps[number as usize];
        (step.start, step.end)
    }

    fn failed(&self) -> Vec<u32> {
        self.failed.clone()
    }
}

/// Steps of a history with a single key, computed on each access instead of stored, because memory access dominates
/// the time. Steps have the numbers of their operations; values have their numbers in the history plus one.
#[derive(Debug)]
pub(crate) struct SingleKeySteps<'a> {
    history: &'a History,
    /// True if keys can be appended to and deleted.
    edits: bool,
    initial: Option<ValueId>,
}

impl Steps for SingleKeySteps<'_> {
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
        // An operation that the model lacks becomes an append, which no method for plain registers accepts either.
        let action = action(operation, self.edits, value).unwrap_or(Some(Action::Append(INITIAL)))?;
        Some(Step::of(operation, number, action))
    }

    fn operation(&self, number: u32) -> u32 {
        number
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

/// Result of preparing one key.
pub(crate) enum Preparation {
    /// Steps of all operations that took place or may have.
    Steps(KeySteps),
    /// Index of the first operation that may have taken place and that the model does not have.
    UnknownOperation(u32),
}

impl Preparation {
    /// Returns the steps, if the model has all operations.
    pub(crate) fn steps(self) -> Option<KeySteps> {
        match self {
            Self::Steps(prepared) => Some(prepared),
            Self::UnknownOperation(_) => None,
        }
    }
}

/// Prepares one key after another, reusing its tables.
#[derive(Debug)]
pub(crate) struct Preparer<'a> {
    history: &'a History,
    /// True if keys can be appended to and deleted.
    edits: bool,
    initial: Option<ValueId>,
    /// Number in the key of each value of the history; none between keys, and for values of others.
    numbers: Vec<OptionalIndex>,
}

impl<'a> Preparer<'a> {
    pub(crate) fn new(history: &'a History, edits: bool, initial: &Value) -> Self {
        Self { history, edits, initial: history.values.find(initial), numbers: Vec::new() }
    }

    /// Returns the steps of these operations where they are stored, if they are all of the history.
    pub(crate) fn single(&self, operations: &[u32]) -> Option<SingleKeySteps<'a>> {
        let Self { history, edits, initial, .. } = *self;
        (operations.len() == history.operations.len()).then_some(SingleKeySteps { history, edits, initial })
    }

    /// Returns the memory for its tables and the steps of this many operations, in bytes.
    fn bytes(&self, operations: usize) -> usize {
        let values = 2 * operations.min(self.history.values.len());
        operations * size_of::<Step>()
            + values * size_of::<Option<ValueId>>()
            + of_vec(&self.numbers, self.history.values.len() - self.numbers.len())
    }

    /// Prepares the operations with these indexes.
    pub(crate) fn prepare(&mut self, operations: &[u32], budget: &Budget<'_>) -> Result<Preparation, Shortage> {
        budget.may_take(self.bytes(operations.len()))?;
        self.numbers.resize(self.history.values.len(), OptionalIndex::NONE);
        let mut prepared =
            KeySteps { steps: Vec::with_capacity(operations.len()), values: vec![self.initial], failed: Vec::new() };
        if let Some(initial) = self.initial {
            self.numbers[initial.0 as usize] = INITIAL.into();
        }
        let ended = operations.iter().find_map(|&index| {
            if let Err(out) = budget.step() {
                return Some(Err(out));
            }
            let operation = &self.history.operations[index as usize];
            if is_failed_change(operation) {
                prepared.failed.push(index);
            }
            let values = &mut prepared.values;
            let number = |id: ValueId| {
                let number = &mut self.numbers[id.0 as usize];
                number.get().unwrap_or_else(|| {
                    let next = u32::try_from(values.len()).expect("a key has fewer values than the history");
                    values.push(Some(id));
                    *number = next.into();
                    next
                })
            };
            match action(operation, self.edits, number) {
                Ok(Some(Action::Append(_))) if is_compound(self.history.value(operation.input)) => Some(Ok(index)),
                Ok(Some(action)) => {
                    prepared.steps.push(Step::of(operation, index, action));
                    None
                }
                Ok(None) => None,
                Err(UnknownFunction) => Some(Ok(index)),
            }
        });
        for value in prepared.values.iter().flatten() {
            self.numbers[value.0 as usize] = OptionalIndex::NONE;
        }
        ended.transpose().map(|unknown| unknown.map_or(Preparation::Steps(prepared), Preparation::UnknownOperation))
    }
}

fn is_failed_change(operation: &Operation) -> bool {
    operation.outcome == Outcome::Fail && operation.input != ValueId::UNKNOWN
}

/// Returns the rank at which an operation ended, [`NEVER`] if its outcome is unknown.
fn end(operation: &Operation) -> u32 {
    if operation.outcome == Outcome::Info { NEVER } else { operation.completed }
}

/// Error: the model has no such operation.
struct UnknownFunction;

/// Returns the effect of an operation, given the number of each value. Returns `None` if it did not take place, or
/// was a read of unknown result.
#[inline]
fn action(
    operation: &Operation,
    edits: bool,
    mut number: impl FnMut(ValueId) -> Val,
) -> Result<Option<Action>, UnknownFunction> {
    let certain = match operation.outcome {
        Outcome::Fail => return Ok(None),
        // A read with an argument asks for something that these models do not have.
        _ if operation.function == Function::Read && !Argument::NoneOrAnswer.fits(operation) => {
            return Err(UnknownFunction);
        }
        Outcome::Info => false,
        Outcome::Ok | Outcome::Mismatch => true,
    };
    // An unknown value counts as nil.
    let mut number = |id: ValueId| number(if id == ValueId::UNKNOWN { ValueId(0) } else { id });
    let action = match (operation.function, edits) {
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
        (Function::Append, true) => Action::Append(number(operation.input)),
        (Function::Delete, true) if operation.input == ValueId::NIL => Action::Write(INITIAL),
        _ => return Err(UnknownFunction),
    };
    Ok(Some(action))
}

/// Indexes of each key's operations, in the order of their invocations. Keys are in the order of the report.
pub(crate) struct Keys {
    operations: Vec<u32>,
    keys: Vec<(ValueId, std::ops::Range<usize>)>,
    /// Tally of all operations if they belong to a single key: it is counted while checking that.
    whole: Option<Tally>,
}

impl Keys {
    pub(crate) fn split(history: &History, budget: &Budget<'_>) -> Result<Self, Shortage> {
        let all = &history.operations;
        budget.may_take(all.len() * size_of::<u32>())?;
        let mut tally = Tally::default();
        let mut is_of = |operation: &Operation, key| {
            tally.add(operation);
            operation.key == key
        };
        if let Some(first) = all.first().filter(|first| all.iter().all(|operation| is_of(operation, first.key))) {
            let operations = (0..).zip(all).map(|(index, _)| index).collect();
            return Ok(Self { operations, keys: vec![(first.key, 0..all.len())], whole: Some(tally) });
        }
        budget.may_take(all.len() * size_of::<u32>() + history.values.len() * size_of::<usize>())?;
        let mut ends = vec![0_usize; history.values.len()];
        for operation in &history.operations {
            ends[operation.key.0 as usize] += 1;
        }
        let count = ends.iter().filter(|end| **end > 0).count();
        // The sort of the keys needs room for half of them.
        budget.may_take(all.len() * size_of::<u32>() + 2 * count * size_of::<(ValueId, std::ops::Range<usize>)>())?;
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

    /// Returns all operations as those of one key without a name.
    pub(crate) fn joined(history: &History, budget: &Budget<'_>) -> Result<Self, Shortage> {
        let count = history.operations.len();
        budget.may_take(count * size_of::<u32>())?;
        let operations = (0..).zip(&history.operations).map(|(index, _)| index).collect();
        let keys = if count == 0 { Vec::new() } else { vec![(ValueId::NIL, 0..count)] };
        Ok(Self { operations, keys, whole: None })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn id(&self, key: usize) -> ValueId {
        self.keys[key].0
    }

    /// Returns the tally of a key's operations.
    pub(crate) fn tally(&self, history: &History, key: usize) -> Tally {
        self.whole.unwrap_or_else(|| Tally::of(history, self.operations(key)))
    }

    pub(crate) fn operations(&self, key: usize) -> &[u32] {
        &self.operations[self.keys[key].1.clone()]
    }
}
