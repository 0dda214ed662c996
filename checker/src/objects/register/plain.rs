//! Register exactly as its specification defines it, for the second opinion. It shares nothing with the other
//! automata but the trait.
//!
//! A state is a value that [`Specification::apply`] has computed. The only exception is [`BLANK`]: it stands for all
//! values that no operation expects and that are not the beginning of an expected text. Appending to such a value
//! cannot make it an expected one.

use histories::{History, NEVER, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::specification::{Register, as_text};
use crate::{
    automaton::{Automaton, State, TEXT_BYTES_PER_STEP},
    memory::{of_table, of_vec},
    prepare::{Action, INITIAL, KeySteps, Val},
    specification::{Call, Specification},
};

/// State of all values that no operation expects and that cannot become expected without a write.
const BLANK: State = State::MAX;

#[derive(Debug)]
pub(crate) struct SpecificationRegister<'a> {
    register: Register<'a>,
    /// Values by their numbers in the key.
    values: Vec<&'a Value>,
    asked: FxHashSet<&'a Value>,
    /// Texts of the expected values, sorted. Empty if there are no appends.
    texts: Vec<String>,
    states: Vec<Value>,
    numbers: FxHashMap<Value, State>,
    steps: FxHashMap<(State, Action), Option<State>>,
    bytes: usize,
}

impl<'a> SpecificationRegister<'a> {
    pub(crate) fn new(history: &'a History, initial: &'a Value, prepared: &KeySteps) -> Self {
        let values: Vec<&Value> = prepared.values.iter().map(|id| id.map_or(initial, |id| history.value(id))).collect();
        let asked: FxHashSet<&Value> =
            prepared.steps.iter().filter_map(|step| wanted(step.action)).map(|value| values[value as usize]).collect();
        let appends = prepared.steps.iter().any(|step| matches!(step.action, Action::Append(_)));
        let mut texts: Vec<String> =
            asked.iter().filter(|_| appends).map(|value| as_text(value).into_owned()).collect();
        texts.sort_unstable();
        let (states, numbers, steps) = (Vec::new(), FxHashMap::default(), FxHashMap::default());
        let mut plain =
            Self { register: Register::new(initial, true), values, asked, texts, states, numbers, steps, bytes: 0 };
        plain.number(initial.clone());
        plain
    }

    /// Returns the memory for the expected texts, in bytes.
    pub(crate) fn bytes(history: &History, prepared: &KeySteps) -> usize {
        let length = |value: Val| match prepared.values[value as usize].map(|id| history.value(id)) {
            Some(Value::Str(text)) => text.len(),
            _ => size_of::<Value>(),
        };
        let asked = prepared.steps.iter().filter_map(|step| wanted(step.action));
        asked.map(|value| 2 * length(value) + 64).sum()
    }

    fn number(&mut self, value: Value) -> State {
        if let Some(&known) = self.numbers.get(&value) {
            return known;
        }
        let text = as_text(&value);
        let place = self.texts.partition_point(|other| **other < *text);
        let is_begun = self.texts.get(place).is_some_and(|other| other.starts_with(&*text));
        let state = if self.asked.contains(&value) || is_begun {
            self.bytes += text.len();
            self.states.push(value.clone());
            State::try_from(self.states.len() - 1).expect("memory ends before the numbers do")
        } else {
            BLANK
        };
        self.numbers.insert(value, state);
        state
    }

    fn step_anew(&mut self, state: State, action: Action) -> Option<State> {
        let nil = Value::Nil;
        let call = Call { function: "read", input: &nil, to: &nil, output: None, mismatch: false, process: 0 };
        let value = |value: Val| self.values[value as usize];
        let call = match action {
            Action::Contradiction(_) => return None,
            Action::Read(seen) => Call { output: Some(value(seen)), ..call },
            Action::NotEqual(other) => Call { function: "cas", input: value(other), mismatch: true, ..call },
            Action::Write(to) => Call { function: "write", input: value(to), ..call },
            Action::Cas { from, to } => Call { function: "cas", input: value(from), to: value(to), ..call },
            Action::Append(suffix) => Call { function: "append", input: value(suffix), ..call },
        };
        if state == BLANK {
            return match action {
                Action::Write(to) => Some(self.number(self.values[to as usize].clone())),
                Action::NotEqual(_) | Action::Append(_) => Some(BLANK),
                Action::Read(_) | Action::Cas { .. } | Action::Contradiction(_) => None,
            };
        }
        let mut next = self.states[state as usize].clone();
        if self.register.apply(&mut next, &call) { Some(self.number(next)) } else { None }
    }
}

/// Returns the value that a step expects to find.
fn wanted(action: Action) -> Option<Val> {
    match action {
        Action::Read(value) | Action::NotEqual(value) | Action::Cas { from: value, .. } => Some(value),
        Action::Write(_) | Action::Append(_) | Action::Contradiction(_) => None,
    }
}

impl Automaton for SpecificationRegister<'_> {
    type Action = Action;

    fn initial(&self) -> State {
        self.numbers[self.values[INITIAL as usize]]
    }

    fn step(&mut self, state: State, action: Action) -> Option<State> {
        if let Some(&known) = self.steps.get(&(state, action)) {
            return known;
        }
        let next = self.step_anew(state, action);
        self.steps.insert((state, action), next);
        next
    }

    fn settle(&self, state: State, _rank: u32) -> State {
        state
    }

    fn useful_until(&self, _action: Action) -> u32 {
        NEVER
    }

    fn memory_bytes(&self, more: usize) -> usize {
        self.bytes + of_vec(&self.states, more) + of_table(&self.numbers, more) + of_table(&self.steps, more)
    }

    fn has_room(&self, more: usize) -> bool {
        let room = |length, capacity| length + more <= capacity;
        room(self.states.len(), self.states.capacity())
            && room(self.numbers.len(), self.numbers.capacity())
            && room(self.steps.len(), self.steps.capacity())
    }

    fn reserve(&mut self, more: usize) {
        self.states.reserve(more);
        self.numbers.reserve(more);
        self.steps.reserve(more);
    }

    fn work(&self) -> usize {
        self.bytes / TEXT_BYTES_PER_STEP
    }
}
