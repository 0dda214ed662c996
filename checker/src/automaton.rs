//! What a key may do, one operation after the other, with its states numbered: what the searches walk on.

mod guide;
mod plain;
mod text;

use crate::{
    prepare::{Action, INITIAL},
    relevance::Relevance,
};

pub(crate) use plain::Plain;
pub(crate) use text::Text;

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

    /// Whether this state should come after that in which `look` is possible, by the best guess.
    fn follows(&self, _state: State, _look: Action) -> bool {
        false
    }

    /// Whether nobody can see anything until the next write after this state.
    fn is_blank(&self, _state: State) -> bool {
        false
    }

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
