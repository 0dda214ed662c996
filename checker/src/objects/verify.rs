//! The second opinion on objects: replays the order behind a "yes", and tries every order of the few operations behind a "no".
//!
//! Knows only histories: it shares no code with the methods that it verifies.

use std::collections::{BTreeSet, VecDeque};

use histories::{History, Operation, Outcome, Value, ValueId};
use rustc_hash::FxHashSet;

use crate::Model;

/// An object's state.
#[derive(Clone, PartialEq, Eq, Hash)]
enum State {
    Set(BTreeSet<ValueId>),
    Counter {
        count: i64,
        /// Whether others may increment too, at any time.
        others: bool,
    },
    Mutex(Option<u32>),
    Queue(VecDeque<ValueId>),
    Stack(Vec<ValueId>),
    PriorityQueue(BTreeSet<i64>),
}

impl State {
    fn new(history: &History, model: Model, initial: &Value, others: bool) -> Self {
        match (model, initial) {
            (Model::Set, Value::List(items)) => {
                Self::Set(items.iter().filter_map(|item| history.values.find(item)).collect())
            }
            (Model::Set, _) => Self::Set(BTreeSet::new()),
            (Model::Counter, Value::Int(count)) => Self::Counter { count: *count, others },
            (Model::Counter, _) => Self::Counter { count: 0, others },
            (Model::Queue, _) => Self::Queue(VecDeque::new()),
            (Model::Stack, _) => Self::Stack(Vec::new()),
            (Model::PriorityQueue, _) => Self::PriorityQueue(BTreeSet::new()),
            (Model::Mutex | Model::Register | Model::KeyValue, _) => Self::Mutex(None),
        }
    }

    /// Lets an operation happen; `false` if it cannot have answered so.
    fn apply(&mut self, history: &History, operation: &Operation) -> bool {
        let (argument, answer) = (operation.input, history.value(operation.output));
        match (self, history.function_name(operation.function)) {
            (Self::Set(elements), "add") => {
                elements.insert(argument);
                true
            }
            (Self::Set(elements), "remove") => {
                elements.remove(&argument);
                true
            }
            (Self::Set(elements), "contains") => *answer == Value::Bool(elements.contains(&argument)),
            (Self::Counter { count, .. }, "inc" | "add") => {
                *count += 1;
                true
            }
            (Self::Counter { count, others }, "read") => {
                let seen = if let Value::Int(seen) = answer { *seen } else { i64::MIN };
                let legal = seen == *count || *others && seen > *count;
                *count = seen;
                legal
            }
            (Self::Mutex(owner), "acquire") => owner.replace(operation.process).is_none(),
            (Self::Mutex(owner), "release") => owner.take() == Some(operation.process),
            (Self::Queue(items), "enqueue") => {
                items.push_back(argument);
                true
            }
            (Self::Queue(items), "dequeue") => may_find(operation, items.pop_front()),
            (Self::Stack(items), "push") => {
                items.push(argument);
                true
            }
            (Self::Stack(items), "pop") => may_find(operation, items.pop()),
            (Self::PriorityQueue(items), "insert") => {
                let Value::Int(number) = *history.value(argument) else { return false };
                items.insert(number)
            }
            (Self::PriorityQueue(items), "poll") => {
                let first = items.pop_first().map_or(Value::Nil, Value::Int);
                operation.outcome == Outcome::Info || *answer == first
            }
            _ => false,
        }
    }
}

/// Whether a take may have found this.
fn may_find(operation: &Operation, found: Option<ValueId>) -> bool {
    operation.outcome == Outcome::Info || operation.output == found.unwrap_or(ValueId::NIL)
}

/// Why `order` (indexes of operations) is no linearization of the operations with the indexes `all`; nothing if it is one.
pub(super) fn replay(
    history: &History,
    model: Model,
    initial: &Value,
    all: &[u32],
    order: &[u32],
) -> Result<(), String> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("an operation twice".to_owned());
    }
    let missing = |index: &&u32| {
        history.operations[**index as usize].outcome == Outcome::Ok && sorted.binary_search(index).is_err()
    };
    if let Some(index) = all.iter().find(missing) {
        return Err(format!("operation {index} is missing"));
    }
    let mut state = State::new(history, model, initial, false);
    let mut last_start = 0;
    for &index in order {
        let operation = &history.operations[index as usize];
        if operation.completed < last_start {
            return Err(format!("operation {index} after one that began when it was over"));
        }
        last_start = last_start.max(operation.invoked);
        if operation.outcome == Outcome::Fail || !state.apply(history, operation) {
            return Err(format!("operation {index} could not have answered so"));
        }
    }
    Ok(())
}

/// Whether some order explains these operations (indexes) alone; nothing if there are too many of them to try within `tries`.
/// With `others`, increments beside these may have happened at any time.
pub(super) fn can_be_ordered(
    history: &History,
    model: Model,
    initial: &Value,
    indexes: &[usize],
    others: bool,
    tries: usize,
) -> Option<bool> {
    if indexes.len() > 128 {
        return None;
    }
    let operations: Vec<&Operation> = indexes.iter().map(|&index| &history.operations[index]).collect();
    let mut trial = Trial { history, operations, dead_ends: FxHashSet::default(), tries };
    trial.go(0, &State::new(history, model, initial, others))
}

struct Trial<'a> {
    history: &'a History,
    operations: Vec<&'a Operation>,
    dead_ends: FxHashSet<(u128, State)>,
    tries: usize,
}

impl Trial<'_> {
    /// Whether the rest can follow those in `done`.
    fn go(&mut self, done: u128, state: &State) -> Option<bool> {
        let rest: Vec<usize> = (0..self.operations.len()).filter(|place| done >> place & 1 == 0).collect();
        let certain = rest.iter().map(|&place| self.operations[place]).filter(|o| o.outcome == Outcome::Ok);
        let Some(end) = certain.map(|operation| operation.completed).min() else { return Some(true) };
        if !self.dead_ends.insert((done, state.clone())) {
            return Some(false);
        }
        self.tries = self.tries.checked_sub(1)?;
        for place in rest {
            let mut next = state.clone();
            if self.operations[place].invoked < end
                && next.apply(self.history, self.operations[place])
                && self.go(done | 1 << place, &next)?
            {
                return Some(true);
            }
        }
        Some(false)
    }
}
