//! Sequential behaviour of one key as an automaton with numbered states: the searches walk on these states.

mod guide;
mod plain;
mod text;

use crate::{
    liveness::Liveness,
    prepare::{Action, INITIAL},
};

pub(crate) use plain::SpecificationRegister;
pub(crate) use text::Text;

/// Number of a state. Equal states have equal numbers.
pub(crate) type State = u32;

/// Deterministic object. Its states are numbered, whatever they consist of, so that comparing two takes one
/// instruction.
pub(crate) trait Automaton {
    /// Returns the state before any operation.
    fn initial(&self) -> State;

    /// Returns the state after `action`, or `None` if the result of `action` is impossible in `state`.
    fn step(&mut self, state: State, action: Action) -> Option<State>;

    /// Returns a state that behaves like `state` under everything that can still happen after `rank`.
    fn settle(&self, state: State, rank: u32) -> State;

    /// Returns the last rank up to which it can make a difference whether an `action` of unknown outcome took place.
    fn useful_until(&self, action: Action) -> u32;

    /// Returns true if this state probably comes after the state in which `look` is possible. A guess: it guides the
    /// search only.
    fn follows(&self, _state: State, _look: Action) -> bool {
        false
    }

    /// Returns true if nothing can be observed in this state until the next write.
    fn is_blank(&self, _state: State) -> bool {
        false
    }

    /// Returns the memory held for states, in bytes, once `more` have been added.
    fn memory_bytes(&self, more: usize) -> usize;

    /// Returns true if `more` states can be added without growing a table.
    fn has_room(&self, more: usize) -> bool;

    /// Grows the tables so that they have room for `more` states.
    fn reserve(&mut self, more: usize);

    /// Returns the work done beyond the constant cost of a step, measured in bytes of text.
    fn work_bytes(&self) -> usize {
        0
    }
}

/// Register with read, write and cas. Its state is its value.
#[derive(Debug)]
pub(crate) struct Register {
    liveness: Liveness,
}

/// State of every value that no later operation observes.
const SETTLED: State = State::MAX;

impl Register {
    pub(crate) fn new(liveness: Liveness) -> Self {
        Self { liveness }
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
        if state == SETTLED || self.liveness.asked_until(state) < rank { SETTLED } else { state }
    }

    fn useful_until(&self, action: Action) -> u32 {
        action.installs().map_or(0, |value| self.liveness.asked_until(value))
    }

    fn memory_bytes(&self, _more: usize) -> usize {
        0
    }

    fn has_room(&self, _more: usize) -> bool {
        true
    }

    fn reserve(&mut self, _more: usize) {}
}
