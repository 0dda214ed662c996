//! Searches by a specification alone, which share its states.

use histories::{History, NEVER, Operation, Outcome};

use super::object::{Kind, NumberedStates, Object};
use crate::{
    Limits, UnknownWhy,
    automaton::{Act, Automaton},
    budget::{Budget, Shortage},
    prepare::Step,
    search::{Racers, SearchResult, race},
    specification::Call,
};

/// Searches of an object's history, which share its states.
pub(super) struct Searches<'a> {
    pub object: &'a dyn Object,
    states: Box<dyn NumberedStates<'a> + 'a>,
}

impl<'a> Searches<'a> {
    pub(super) fn new(object: &'a dyn Object, limits: &Limits<'a>) -> Self {
        Self { object, states: object.numbered(limits) }
    }

    /// Searches for an order of the operations with these indexes, in the order of their invocations. Certain
    /// operations need not take effect if `is_optional`.
    pub(super) fn search(
        &mut self,
        history: &'a History,
        operations: &[u32],
        is_optional: impl Fn(u32) -> bool,
        racers: Racers,
        limits: &Limits<'_>,
    ) -> RaceResult {
        let object = self.object;
        let calls = operations.iter().map(|&index| {
            let operation = history.operations[index as usize];
            (index, operation, object.call(history, &operation))
        });
        match self.steps(calls, is_optional, &Budget::new(limits)) {
            Ok(steps) => self.race(&steps, racers, limits),
            Err(out) => RaceResult::Limit(out.among(history, operations)),
        }
    }

    /// Lets these searches look for an order of the steps.
    pub(super) fn race(&mut self, steps: &[Step<Kind>], racers: Racers, limits: &Limits<'_>) -> RaceResult {
        // One search for all specifications: it is long, and a step by table lookup costs more than the call.
        let object: &mut dyn Automaton<Action = Kind> = &mut *self.states;
        match race(steps, object, racers, limits) {
            SearchResult::Order(order) => {
                RaceResult::Order(order.into_iter().map(|step| steps[step as usize].operation).collect())
            }
            SearchResult::Refuted(step) => RaceResult::Refuted(steps[step].end),
            SearchResult::GaveUp(_) => unreachable!("the searches of a race give nothing up"),
            SearchResult::Limit(why) => RaceResult::Limit(why),
        }
    }

    /// Turns calls, in the order of their starts, into steps: each with its operation and the index of that.
    pub(super) fn steps(
        &mut self,
        calls: impl Iterator<Item = (u32, Operation, Call<'a>)>,
        is_optional: impl Fn(u32) -> bool,
        budget: &Budget<'_>,
    ) -> Result<Vec<Step<Kind>>, Shortage> {
        let mut steps = Vec::new();
        for (index, operation, call) in calls {
            budget.step()?;
            let is_unknown = operation.outcome == Outcome::Info || is_optional(index);
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let action = self.states.kind(call);
            // A look of unknown outcome is never needed.
            if !(is_unknown && action.is_look()) {
                let end = if is_unknown { NEVER } else { operation.completed };
                steps.push(Step { operation: index, start: operation.invoked, end, action });
            }
        }
        Ok(steps)
    }
}

/// Result of a search by a specification.
pub(crate) enum RaceResult {
    /// Linearization, as indexes of operations.
    Order(Vec<u32>),
    /// Violation: no order explains even what happened until this rank.
    Refuted(u32),
    /// Limit that was reached.
    Limit(UnknownWhy),
}
