//! Queues, stacks, priority queues and bags have calls in common: one puts an element in, takes one out, or looks at
//! one. The answer nil (`null`) means that the collection was empty.

use histories::Value;

use crate::{
    UnknownWhy,
    specification::{Argument, Call},
};

/// Name of a drain, and of the takes that it is judged as, so that they are told as what was read.
pub(crate) const DRAIN: &str = "drain";

pub(in crate::objects) enum Access {
    Put,
    Take,
    Peek,
}

/// Function names of a collection.
#[derive(Debug)]
pub(crate) struct Names {
    pub put: &'static [&'static str],
    pub take: &'static [&'static str],
    pub peek: &'static [&'static str],
}

impl Names {
    pub(in crate::objects) fn access(&self, call: &Call<'_>) -> Option<Access> {
        let is_one_of = |names: &[&str]| names.contains(&call.function);
        match () {
            () if is_one_of(self.put) => Some(Access::Put),
            () if is_one_of(self.take) => Some(Access::Take),
            () if is_one_of(self.peek) => Some(Access::Peek),
            () => None,
        }
    }

    /// Returns true if a function of this name takes an element out, or looks at one, without being told which.
    fn only_looks(&self, function: &str) -> bool {
        [self.take, self.peek].iter().any(|names| names.contains(&function))
    }

    /// Returns the argument that a function of this name takes.
    pub(in crate::objects) fn argument(&self, function: &str) -> Argument {
        if self.only_looks(function) { Argument::NoneOrAnswer } else { Argument::Any }
    }

    /// Returns true if the call answered with the element that it took or looked at.
    pub(in crate::objects) fn finds_something(&self, call: &Call<'_>) -> bool {
        call.output.is_some() && self.only_looks(call.function)
    }

    pub(in crate::objects) fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        match self.access(call) {
            None => Err(call.unknown_function()),
            Some(Access::Put) if *call.input == Value::Nil => Err(call.unsupported_input()),
            Some(Access::Put) if !call.may_say(true) => Err(call.unsupported_output()),
            Some(Access::Take | Access::Peek) if !call.asks_for_nothing() => Err(call.unsupported_input()),
            Some(_) => Ok(()),
        }
    }

    /// Returns the element that the call is about, or none if it found the collection empty. Returns `None` for a
    /// `take` of unknown outcome, which may have taken any.
    pub(in crate::objects) fn about(&self, call: &Call<'_>) -> Option<Vec<Value>> {
        match (self.access(call)?, call.output) {
            (Access::Put, _) => Some(vec![call.input.clone()]),
            (Access::Take, None) => None,
            (Access::Peek, None) | (_, Some(Value::Nil)) => Some(Vec::new()),
            (_, Some(element)) => Some(vec![element.clone()]),
        }
    }

    /// Returns the element that a take or a peek found, unless it may have been there initially.
    pub(in crate::objects) fn finds(&self, call: &Call<'_>, at_first: impl Fn(&Value) -> bool) -> Vec<Value> {
        match (self.access(call), call.output) {
            (Some(Access::Take | Access::Peek), Some(found)) if *found != Value::Nil && !at_first(found) => {
                vec![found.clone()]
            }
            _ => Vec::new(),
        }
    }

    /// Returns the element that is put in.
    pub(in crate::objects) fn leaves(&self, call: &Call<'_>) -> Vec<Value> {
        if matches!(self.access(call), Some(Access::Put)) { vec![call.input.clone()] } else { Vec::new() }
    }
}

/// Returns true if the call may have answered that it found `found`.
pub(in crate::objects) fn may_find(call: &Call<'_>, found: Option<&Value>) -> bool {
    call.may_answer(found.unwrap_or(&Value::Nil))
}
