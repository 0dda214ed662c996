//! Causal consistency of all operations, taken by itself and without what the order of the zones says: for a model that
//! asks for nothing else.

use histories::{History, Operation, Outcome, Value, ValueId};
use rustc_hash::FxHashMap;

use super::{AccessEvent, AccessEvents, AccessKind, CausalViolation, causal_claim, find_causal_violation};
use crate::{
    Limits, UnknownWhy,
    budget::{Budget, Shortage},
    unknown::unsupported,
};

/// Memory for each operation, in bytes: its accesses, its values in tables with room to grow, and its place in lists.
const BYTES: usize = 4 * size_of::<AccessEvent>() + 96;

/// Value that an operation looks at, and value that it sets.
type Touched = (Option<ValueId>, Option<ValueId>);

/// Returns few of these operations (indexes, of any keys) that are not causally consistent, and the claim of what is
/// wrong; `None` if all are.
/// `touched` tells what an operation that was answered or may have happened looks at and sets. All keys begin with
/// `initial`.
///
/// # Errors
/// The reason why it cannot be said: a limit, a value that is set twice, or a process that goes on after an operation
/// of unknown outcome.
pub(crate) fn causal_violation(
    history: &History,
    initial: &Value,
    limits: &Limits<'_>,
    operations: &[u32],
    touched: impl Fn(&Operation) -> Touched,
) -> Result<Option<(Vec<usize>, String)>, UnknownWhy> {
    let budget = Budget::new(limits);
    let within = |asked: Result<(), Shortage>| asked.map_err(|out| out.among(history, operations));
    within(budget.may_take(operations.len() * BYTES))?;
    let mut values = ValuesOfKeys::new(history, initial);
    let (mut setters, mut open) = (FxHashMap::default(), Vec::new());
    let mut last: FxHashMap<u32, Outcome> = FxHashMap::default();
    for &index in operations {
        within(budget.step())?;
        let operation = &history.operations[index as usize];
        if operation.outcome == Outcome::Fail {
            continue;
        }
        if last.insert(operation.process, operation.outcome) == Some(Outcome::Info) {
            return unsupported("a process that goes on after an operation of unknown outcome");
        }
        let (look, set) = touched(operation);
        if let Some(value) = set {
            let number = values.number(operation.key, value);
            if values.is_initial(number) || setters.insert(number, index).is_some() {
                let value = history.value(value);
                return unsupported(format!("a write of {value} to a key that had this value before"));
            }
        }
        if operation.outcome != Outcome::Info && (look.is_some() || set.is_some()) {
            open.push(index);
        }
    }
    let mut events = Vec::with_capacity(2 * operations.len());
    // What has an unknown outcome took place if somebody saw what it set.
    while let Some(index) = open.pop() {
        within(budget.step())?;
        let operation = &history.operations[index as usize];
        let (look, set) = touched(operation);
        let certain = operation.outcome != Outcome::Info;
        let mut add = |value: u32, touch| {
            events.push(AccessEvent { operation: index, process: operation.process, value, touch, certain });
        };
        if let Some(value) = set {
            add(values.number(operation.key, value), AccessKind::Set);
        }
        if let Some(value) = look {
            let value = values.number(operation.key, value);
            add(value, AccessKind::Look);
            let setter = setters.get(&value).copied();
            let is_unsure = |setter: &u32| history.operations[*setter as usize].outcome == Outcome::Info;
            if let Some(setter) = setter.filter(is_unsure) {
                setters.remove(&value);
                open.push(setter);
            }
        }
    }
    AccessEvent::sort(&mut events);
    let all = AccessEvents { events, keys: values.keys, initial: values.initial_of };
    let found = find_causal_violation(&all, limits.memory, &budget).map_err(|out| out.among(history, operations))?;
    if let Some(CausalViolation::TooMany { .. }) = found {
        return Err(Shortage::Memory.among(history, operations));
    }
    Ok(found.and_then(|found| causal_claim(history, initial, &all.events, &found)))
}

/// Numbers of the values of all keys: each key's initial value has one, and each value that is looked at or set.
struct ValuesOfKeys {
    initial: Option<ValueId>,
    numbers: FxHashMap<(ValueId, Option<ValueId>), u32>,
    /// Number of the key of each value.
    keys: Vec<u32>,
    /// Number of the initial value of each key.
    initial_of: Vec<u32>,
}

impl ValuesOfKeys {
    fn new(history: &History, initial: &Value) -> Self {
        let initial = history.values.find(initial);
        Self { initial, numbers: FxHashMap::default(), keys: Vec::new(), initial_of: Vec::new() }
    }

    /// Returns the number of a value of a key.
    fn number(&mut self, key: ValueId, value: ValueId) -> u32 {
        let Self { initial, numbers, keys, initial_of } = self;
        let next = |keys: &[u32]| u32::try_from(keys.len()).expect("values are counted by u32");
        let first = *numbers.entry((key, None)).or_insert_with(|| {
            let number = next(keys);
            keys.push(u32::try_from(initial_of.len()).expect("keys are counted by u32"));
            initial_of.push(number);
            number
        });
        if *initial == Some(value) {
            return first;
        }
        let of_key = keys[first as usize];
        *numbers.entry((key, Some(value))).or_insert_with(|| {
            let number = next(keys);
            keys.push(of_key);
            number
        })
    }

    fn is_initial(&self, number: u32) -> bool {
        self.initial_of[self.keys[number as usize] as usize] == number
    }
}
