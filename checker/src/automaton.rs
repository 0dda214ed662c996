//! What a key may do, one operation after the other, with its states numbered: what the searches walk on.

use histories::{History, Value};
use rustc_hash::FxHashMap;

use crate::{
    memory::{of_table, of_vec},
    prepare::{Action, INITIAL, Prepared, Val},
    relevance::Relevance,
};

/// A state's number. Equal states have equal numbers.
pub(crate) type State = u32;

/// A deterministic object. Whatever it is made of, its states are numbered, so that they compare in one instruction.
pub(crate) trait Automaton {
    /// The state before anything happened.
    fn initial(&self) -> State;

    /// The state after `action`; `None` if `action` cannot have seen what it saw in `state`.
    fn step(&mut self, state: State, action: Action) -> Option<State>;

    /// A state that behaves as `state` does for all that can still happen after `rank`.
    fn settle(&self, state: State, rank: u32) -> State;

    /// The last rank before which an `action` of unknown outcome can still make a difference.
    fn useful_until(&self, action: Action) -> u32;

    /// Memory held for states when there may be so many more, in bytes.
    fn memory_bytes(&self, more: usize) -> usize;

    /// Whether as many states more need no table to grow.
    fn has_room(&self, more: usize) -> bool;

    /// Lets the tables grow for as many more.
    fn reserve(&mut self, more: usize);

    /// How much was done beyond what a step takes that has nothing to do, in bytes of texts.
    fn work_bytes(&self) -> usize {
        0
    }
}

/// Read, write, cas: the state is the value.
#[derive(Debug)]
pub(crate) struct Register {
    relevance: Relevance,
}

/// A value that nobody will ask for any more.
const SETTLED: State = State::MAX;

impl Register {
    pub(crate) fn new(relevance: Relevance) -> Self {
        Self { relevance }
    }
}

impl Automaton for Register {
    fn initial(&self) -> State {
        INITIAL
    }

    fn step(&mut self, state: State, action: Action) -> Option<State> {
        match action {
            Action::Read(value) => (value == state).then_some(state),
            Action::NotEqual(value) => (state != SETTLED && value != state).then_some(state),
            Action::Write(value) => Some(value),
            Action::Cas { from, to } => (from == state).then_some(to),
            Action::Contradiction(_) | Action::Append(_) => None,
        }
    }

    fn settle(&self, state: State, rank: u32) -> State {
        if state == SETTLED || self.relevance.asked_until(state) < rank { SETTLED } else { state }
    }

    fn useful_until(&self, action: Action) -> u32 {
        action.installs().map_or(0, |value| self.relevance.asked_until(value))
    }

    fn memory_bytes(&self, _more: usize) -> usize {
        0
    }

    fn has_room(&self, _more: usize) -> bool {
        true
    }

    fn reserve(&mut self, _more: usize) {}
}

/// A register whose value can also grow at its end. The first states are the values of the history, under their numbers.
#[derive(Debug)]
pub(crate) struct Text {
    values: Vec<Value>,
    numbers: FxHashMap<Value, State>,
    appended: FxHashMap<(State, Val), State>,
    bytes: usize,
    work_bytes: usize,
}

impl Text {
    /// What the texts of the history take in it, in bytes.
    pub(crate) fn bytes(history: &History, prepared: &Prepared) -> usize {
        let length = |value: &Value| if let Value::Str(text) = value { text.len() } else { 0 };
        let values = prepared.values.iter().flatten().map(|&id| 2 * (length(history.value(id)) + 32));
        values.sum::<usize>() + prepared.values.len() * 4 * size_of::<Value>()
    }

    pub(crate) fn new(history: &History, initial: &Value, prepared: &Prepared) -> Self {
        let values: Vec<Value> = prepared
            .values
            .iter()
            .map(|id| id.map_or_else(|| initial.clone(), |id| history.value(id).clone()))
            .collect();
        let numbers = (0..).zip(&values).map(|(number, value)| (value.clone(), number)).collect();
        Self { values, numbers, appended: FxHashMap::default(), bytes: 0, work_bytes: 0 }
    }

    fn append(&mut self, state: State, suffix: Val) -> State {
        if let Some(&known) = self.appended.get(&(state, suffix)) {
            return known;
        }
        let mut text = String::new();
        for part in [&self.values[state as usize], &self.values[suffix as usize]] {
            match part {
                Value::Nil => {}
                Value::Str(part) => text.push_str(part),
                other => text.push_str(&other.to_string()),
            }
        }
        self.work_bytes += text.len();
        // The text itself, twice, as the allocator rounds it.
        self.bytes += 2 * (text.len() + 24);
        let text = Value::Str(text.into());
        let next = State::try_from(self.values.len()).expect("fewer than 2^32 texts fit in memory");
        let number = *self.numbers.entry(text.clone()).or_insert(next);
        if number == next {
            self.values.push(text);
        }
        self.appended.insert((state, suffix), number);
        number
    }
}

impl Automaton for Text {
    fn initial(&self) -> State {
        INITIAL
    }

    fn step(&mut self, state: State, action: Action) -> Option<State> {
        match action {
            Action::Read(value) => (value == state).then_some(state),
            Action::NotEqual(value) => (value != state).then_some(state),
            Action::Write(value) => Some(value),
            Action::Cas { from, to } => (from == state).then_some(to),
            Action::Append(suffix) => Some(self.append(state, suffix)),
            Action::Contradiction(_) => None,
        }
    }

    fn settle(&self, state: State, _rank: u32) -> State {
        state
    }

    fn useful_until(&self, _action: Action) -> u32 {
        u32::MAX
    }

    fn memory_bytes(&self, more: usize) -> usize {
        self.bytes + of_vec(&self.values, more) + of_table(&self.numbers, more) + of_table(&self.appended, more)
    }

    fn has_room(&self, more: usize) -> bool {
        let room = |length, capacity| length + more <= capacity;
        room(self.values.len(), self.values.capacity())
            && room(self.numbers.len(), self.numbers.capacity())
            && room(self.appended.len(), self.appended.capacity())
    }

    fn work_bytes(&self) -> usize {
        self.work_bytes
    }

    fn reserve(&mut self, more: usize) {
        self.values.reserve(more);
        self.numbers.reserve(more);
        self.appended.reserve(more);
    }
}
