//! Register with read, write and cas as an automaton: a value that nothing observes any more is as good as any other.

use crate::{
    automaton::{Automaton, State},
    liveness::Liveness,
    prepare::{Action, INITIAL},
};

/// Register with read, write and cas. Its state is its value.
#[derive(Debug)]
pub(crate) struct RegisterAutomaton {
    liveness: Liveness,
}

/// State of every value that no later operation observes.
const SETTLED: State = State::MAX;

impl RegisterAutomaton {
    pub(crate) fn new(liveness: Liveness) -> Self {
        Self { liveness }
    }
}

impl Automaton for RegisterAutomaton {
    type Action = Action;

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
