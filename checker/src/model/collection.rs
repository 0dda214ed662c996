//! What queues, stacks, priority queues and bags have in common: something is put in, taken out, or looked at. An answer of
//! nothing (`null`) means that it was empty.

use histories::Value;

use super::Call;
use crate::UnknownWhy;

pub(super) enum Access {
    Put,
    Take,
    Peek,
}

/// The names under which a collection is known.
pub(crate) struct Names {
    pub put: &'static [&'static str],
    pub take: &'static [&'static str],
    pub peek: &'static [&'static str],
}

impl Names {
    pub(super) fn access(&self, call: &Call<'_>) -> Option<Access> {
        let is_one_of = |names: &[&str]| names.contains(&call.function);
        match () {
            () if is_one_of(self.put) => Some(Access::Put),
            () if is_one_of(self.take) => Some(Access::Take),
            () if is_one_of(self.peek) => Some(Access::Peek),
            () => None,
        }
    }

    /// Whether a function of this name takes something out, or looks, and is not told what.
    pub(super) fn only_looks(&self, function: &str) -> bool {
        [self.take, self.peek].iter().any(|names| names.contains(&function))
    }

    pub(super) fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match self.access(call) {
            None => Err(call.unknown_function()),
            Some(Access::Put) if *call.input == Value::Nil => Err(call.unsupported_input()),
            Some(Access::Put) if !call.may_say(true) => Err(call.unsupported_output()),
            Some(Access::Take | Access::Peek) if !call.asks_for_nothing() => Err(call.unsupported_input()),
            Some(_) => Ok(()),
        }
    }

    /// The element that the call is about, or none where it found nothing. What an unknown `take` took, nobody knows.
    pub(super) fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        match (self.access(call)?, call.output) {
            (Access::Put, _) => Some(vec![call.input.clone()]),
            (Access::Take, None) => None,
            (Access::Peek, None) | (_, Some(Value::Nil)) => Some(Vec::new()),
            (_, Some(element)) => Some(vec![element.clone()]),
        }
    }
}

impl Names {
    /// The element that a take or a peek found, unless it may have been there at first.
    pub(super) fn finds(&self, call: &Call<'_>, at_first: impl Fn(&Value) -> bool) -> Vec<Value> {
        match (self.access(call), call.output) {
            (Some(Access::Take | Access::Peek), Some(found)) if *found != Value::Nil && !at_first(found) => {
                vec![found.clone()]
            }
            _ => Vec::new(),
        }
    }

    /// The element that is put in.
    pub(super) fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        if matches!(self.access(call), Some(Access::Put)) { vec![call.input.clone()] } else { Vec::new() }
    }
}

/// Whether the call may answer that it found this.
pub(super) fn may_find(call: &Call<'_>, found: Option<&Value>) -> bool {
    call.may_answer(found.unwrap_or(&Value::Nil))
}
