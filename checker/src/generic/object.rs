//! Object as the code that is the same for all objects knows it: without the type of its states.

use histories::{History, Operation, Value};

use super::unexplained::UnexplainedValue;
use crate::{
    Limits, UnknownWhy,
    automaton::{Act, Automaton, Effect},
    budget::{Budget, Shortage},
    specification::Call,
    verify::Verify,
};

/// Kind of call: equal calls have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub number: u32,
    pub is_read_only: bool,
}

impl Act for Kind {
    fn effect(self) -> Effect {
        if self.is_read_only { Effect::Look } else { Effect::Conditional }
    }
}

/// States of an object, numbered as searches find them.
pub(crate) trait NumberedStates<'a>: Automaton<Action = Kind> {
    /// Returns the kind of a call.
    fn kind(&mut self, call: Call<'a>) -> Kind;
}

/// Object that can be judged: any [`crate::Specification`], without the type of its states. What takes no state is the
/// same code for all objects.
pub(crate) trait Object: Verify {
    /// Returns true if it has a function of this name.
    fn has(&self, function: &str) -> bool;

    /// Checks that the object has all these calls.
    ///
    /// # Errors
    /// The first call that it does not have.
    fn knows(&self, history: &History, operations: &[u32]) -> Result<(), UnknownWhy>;

    /// Returns the call of an operation.
    fn call<'h>(&self, history: &'h History, operation: &Operation) -> Call<'h>;

    /// Returns true if such a call never changes any state ([`crate::Specification::is_read_only`]).
    fn only_looks(&self, call: &Call<'_>) -> bool;

    /// Returns the part of the object that the call is about ([`crate::Specification::part`]).
    fn part_of(&self, call: &Call<'_>) -> Option<Value>;

    /// Returns the values that the call is about ([`crate::Specification::about`]).
    fn values_of(&self, call: &Call<'_>) -> Option<Vec<Value>>;

    /// Returns the values that the call must have found ([`crate::Specification::finds`]).
    fn values_found(&self, call: &Call<'_>) -> Vec<Value>;

    /// Returns the values that the call may leave for others to find ([`crate::Specification::leaves`]).
    fn values_left(&self, call: &Call<'_>) -> Vec<Value>;

    /// Returns an operation that found a value which no other can have left by then ([`crate::Specification::finds`]).
    fn find_unexplained_value(
        &self,
        history: &History,
        operations: &[u32],
        budget: &Budget<'_>,
    ) -> Result<Option<UnexplainedValue>, Shortage>;

    /// Returns the state after each operation of an order, in words; `None` if the object does not allow the order, or
    /// a limit was reached.
    fn states(&self, history: &History, order: &[u32], budget: &Budget<'_>) -> Option<Vec<String>>;

    /// Numbers its states for a search.
    fn numbered<'a>(&'a self, limits: &Limits<'a>) -> Box<dyn NumberedStates<'a> + 'a>;

    /// Returns true if some order explains these calls; `None` if that takes too long
    /// ([`crate::verify::some_order`]).
    fn has_order(
        &self,
        operations: &[Operation],
        calls: &[Call<'_>],
        tries: usize,
        budget: &Budget<'_>,
    ) -> Option<bool>;
}
