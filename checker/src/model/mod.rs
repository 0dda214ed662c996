//! Sequential specifications: the behaviour of each object under one call after another.
//!
//! They are definitions, not methods: the second opinion (`verify`) and the general search know objects only through
//! them.

pub(crate) mod bag;
mod collection;
mod counter;
pub(crate) mod fenced_lock;
mod list;
pub(crate) mod multi_register;
pub(crate) mod mutex;
pub(crate) mod priority_queue;
pub(crate) mod queue;
pub(crate) mod register;
mod set;
pub(crate) mod stack;

use std::collections::BTreeSet;

use histories::{History, Operation, Outcome, Value, ValueId};

use crate::{
    Model,
    specification::{Argument, Call, elements, is_compound, items},
};

pub(crate) use collection::Names;
pub(crate) use counter::{Counter, is_increment};
pub(crate) use list::{List, appends};
pub(crate) use mutex::acquires;
pub(crate) use register::Register;
pub(crate) use set::{Function as SetFunction, Set};

/// Returns true if the call has an answer that could be wrong. In a model in which any write is possible, only reads
/// have one.
pub(crate) fn tells(model: Model, call: &Call<'_>) -> bool {
    let is_answered = call.output.is_some();
    match model {
        Model::Register | Model::KeyValue => is_answered || call.function == "cas",
        Model::MultiRegister => multi_register::reads(call),
        Model::Set => match SetFunction::named(call.function) {
            Some(SetFunction::Add | SetFunction::Remove) => !call.says_nothing(),
            _ => is_answered,
        },
        Model::Counter => is_answered && call.function == "read",
        Model::List => is_answered && appends(call.function) == Some(false),
        Model::Queue => is_answered && queue::NAMES.only_looks(call.function),
        Model::Bag => is_answered && bag::NAMES.only_looks(call.function),
        Model::Stack => is_answered && stack::NAMES.only_looks(call.function),
        Model::PriorityQueue => is_answered && priority_queue::NAMES.only_looks(call.function),
        // A lock that one process holds is not free for others.
        Model::Mutex | Model::FencedLock => true,
    }
}

impl Model {
    /// Returns the argument that a function of this name takes, as far as that is known without looking at values;
    /// any argument for a function that the model does not have.
    pub(crate) fn argument(self, function: &str) -> Argument {
        let is_look = match self {
            Self::Register | Self::KeyValue | Self::Counter => function == "read",
            Self::MultiRegister => false,
            Self::Set => SetFunction::named(function) == Some(SetFunction::Read),
            Self::Queue => queue::NAMES.only_looks(function),
            Self::Bag => bag::NAMES.only_looks(function),
            Self::Stack => stack::NAMES.only_looks(function),
            Self::PriorityQueue => priority_queue::NAMES.only_looks(function),
            Self::List => appends(function) == Some(false),
            Self::FencedLock => acquires(function) == Some(true),
            Self::Mutex => return Argument::None,
        };
        match self {
            _ if is_look => Argument::NoneOrAnswer,
            Self::Counter if counter::needs_number(function) => Argument::Some,
            _ => Argument::Any,
        }
    }

    /// Checks that objects of this model can begin with this value.
    ///
    /// # Errors
    /// A description of the allowed initial values, if they cannot.
    pub fn begins_with(self, initial: &Value) -> Result<(), &'static str> {
        let is_list_of = |fits: &dyn Fn(&Value) -> bool| match initial {
            Value::Nil => true,
            Value::List(items) => items.iter().all(fits),
            _ => false,
        };
        let is_bunch_of = |fits: &dyn Fn(&Value) -> bool| {
            *initial == Value::Nil || items(initial).is_some_and(|items| items.iter().all(fits))
        };
        let is_number = |value: &Value| matches!(value, Value::Int(_));
        let (fits, allowed) = match self {
            Self::Register | Self::MultiRegister => (true, "any value"),
            Self::KeyValue => (!is_compound(initial), "null, text, a number, true or false"),
            Self::Set => {
                let elements: Vec<Value> = elements(initial).collect();
                let differ = elements.iter().collect::<BTreeSet<_>>().len() == elements.len();
                (is_bunch_of(&|_| true) && differ, "a list of different elements, or null for none")
            }
            Self::List => (is_list_of(&|_| true), "a list, or null for an empty one"),
            Self::Bag => {
                (is_bunch_of(&|element| *element != Value::Nil), "a list of values other than null, or null for none")
            }
            Self::Queue | Self::Stack => {
                (is_list_of(&|element| *element != Value::Nil), "a list of values other than null, or null for none")
            }
            Self::PriorityQueue => (is_bunch_of(&is_number), "a list of whole numbers, or null for none"),
            Self::Counter => (*initial == Value::Nil || is_number(initial), "a whole number, or null for 0"),
            Self::FencedLock => (
                *initial == Value::Nil || is_number(initial),
                "a whole number, above which all tokens are, or null for none",
            ),
            Self::Mutex => (*initial == Value::Nil, "nobody holding it, which needs not be said"),
        };
        if fits { Ok(()) } else { Err(allowed) }
    }
}

/// Returns true if an operation was answered with something that could have been wrong; for a custom model, with
/// anything.
pub(crate) fn is_told(history: &History, model: Option<Model>, operation: &Operation) -> bool {
    if !matches!(operation.outcome, Outcome::Ok | Outcome::Mismatch) {
        return false;
    }
    let call = Call::of(history, operation, false);
    model.map_or(operation.output != ValueId::UNKNOWN, |model| tells(model, &call))
}

#[cfg(test)]
mod tests;
