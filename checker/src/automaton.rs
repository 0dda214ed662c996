//! Sequential behaviour of an object as an automaton with numbered states: the searches walk on these states.

use std::{fmt::Debug, hash::Hash};

use crate::prepare::Action;

/// Number of a state. Equal states have equal numbers.
pub(crate) type State = u32;

/// Effect of an action, by which the search prunes. [`Effect::Conditional`] is always right for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It leaves every state in which it is possible unchanged.
    Look,
    /// It may change the state, and be possible in some states only.
    Conditional,
    /// It is possible in every state.
    Extension,
    /// It is possible in every state, and the state before it cannot be observed after it.
    Overwrite,
}

/// Action of a step. Equal actions have equal effects.
pub(crate) trait Act: Copy + Eq + Hash + Debug {
    /// Returns the kind of its effect.
    fn effect(self) -> Effect;

    /// Returns true if it leaves every state in which it is possible unchanged.
    fn is_look(self) -> bool {
        self.effect() == Effect::Look
    }

    /// Returns true if the previous state cannot be observed after it.
    fn is_blind(self) -> bool {
        self.effect() == Effect::Overwrite
    }

    /// Returns true if it is possible in every state: then it is not observed if a blind action follows.
    fn can_hide(self) -> bool {
        matches!(self.effect(), Effect::Extension | Effect::Overwrite)
    }
}

impl Act for Action {
    fn effect(self) -> Effect {
        match self {
            Self::Write(_) => Effect::Overwrite,
            Self::Append(_) => Effect::Extension,
            Self::Cas { from, to } if from != to => Effect::Conditional,
            Self::Cas { .. } | Self::Read(_) | Self::NotEqual(_) | Self::Contradiction(_) => Effect::Look,
        }
    }
}

/// Bytes of text that are looked at in the time of one step.
pub(crate) const TEXT_BYTES_PER_STEP: usize = 512;

/// Deterministic object. Its states are numbered, whatever they consist of, so that comparing two takes one
/// instruction.
pub(crate) trait Automaton {
    /// Type of its actions.
    type Action: Act;

    /// Returns the state before any operation.
    fn initial(&self) -> State;

    /// Returns the state after `action`, or `None` if the result of `action` is impossible in `state`.
    fn step(&mut self, state: State, action: Self::Action) -> Option<State>;

    /// Returns a state that behaves like `state` under everything that can still happen after `rank`.
    fn settle(&self, state: State, rank: u32) -> State;

    /// Returns the last rank up to which it can make a difference whether an `action` of unknown outcome took place.
    fn useful_until(&self, action: Self::Action) -> u32;

    /// Returns true if this state probably comes after the state in which `look` is possible. A guess: it guides the
    /// search only.
    fn follows(&self, _state: State, _look: Self::Action) -> bool {
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

    /// Asks for memory for `more` states, if the automaton keeps an account of its own. Returns true if there is any.
    fn may_grow(&mut self, _more: usize) -> bool {
        true
    }

    /// Returns the work done so far beyond the constant cost of each step, in steps.
    fn work(&self) -> usize {
        0
    }
}
